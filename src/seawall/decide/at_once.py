"""Whether a rule set would act the moment it is in force, and what that would cost (section 7).

The tick is asked once, as if it were live, with every `for` at zero and a window open to send in;
what it decides is told and thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from seawall import action, words
from seawall.account import Observation, Side
from seawall.action import Backstop, Cancel, Reduce, TopUp
from seawall.alarm import Phase
from seawall.decide import panic
from seawall.decide.memory import Decision, Memory, Transition
from seawall.decide.telling import bound_words, wait_words
from seawall.decide.tick import decide
from seawall.margin import notional
from seawall.measures import MEASURES
from seawall.measures.spec import NoData
from seawall.policy import Mode, Policy, Rule
from seawall.units import Millis, QuoteQuantums, usd


@dataclass(frozen=True, slots=True, kw_only=True)
class AtOnce:
    """What a rule set would do now; money in quote quantums, cost > 0 is a loss."""

    levels: tuple[str, ...] = ()  # acting levels whose trigger is met, with number and limit
    unknown: tuple[str, ...] = ()  # what rules that act watch and cannot be told now, with why
    actions: tuple[str, ...] = ()  # in words, in order
    sold: QuoteQuantums = QuoteQuantums(0)  # of longs, at the oracle
    bought: QuoteQuantums = QuoteQuantums(0)  # of shorts, likewise
    deposited: QuoteQuantums = QuoteQuantums(0)
    cancels: int = 0
    cost: QuoteQuantums = QuoteQuantums(0)
    waits: str = ""  # why nothing could be sent, where nothing could

    @property
    def may_act(self) -> bool:
        """Whether an acting level fires at once, or nobody can tell: absence is not calm."""
        return bool(self.levels or self.unknown)

    def in_words(self) -> str:
        """`would act now: sells $41,200, cost about $38`; empty where it would not."""
        said = [self._doing()] if self.levels else []
        if self.unknown:
            names = ", ".join(line.partition(": ")[0] for line in self.unknown)
            said.append(f"cannot be judged now: no data for {names}")
        return "; ".join(said)

    def _doing(self) -> str:
        parts = []
        if self.cancels:
            parts.append(f"cancels {self.cancels} order{'' if self.cancels == 1 else 's'}")
        if self.deposited:
            parts.append(f"deposits {words.dollars(usd(self.deposited))}")
        if self.sold:
            parts.append(f"sells {words.whole_dollars(usd(self.sold))}")
        if self.bought:
            parts.append(f"buys back {words.whole_dollars(usd(self.bought))}")
        if self.sold or self.bought:
            parts.append(f"cost about {words.whole_dollars(usd(self.cost))}")
        if not parts:
            parts.append(
                f"nothing can be sent yet ({self.waits})" if self.waits else "sends nothing"
            )
        return f"would act now: {', '.join(parts)}"


def at_once(policy: Policy, memory: Memory, seen: Observation, old: Policy | None = None) -> AtOnce:
    """What the rule set would do on this observation, were it live and in force.

    `old` is the set that the memory comes from. A rule that acts the same in it goes on as it is,
    and what fires there already is no news; every other one is asked as if it had just begun,
    whatever state its name is remembered in; what it watches and cannot tell is named. Rules on
    paper do nothing.
    """
    rules_now = tuple(_without_holds(rule) for rule in policy.rules)
    # A stop that rests sells nothing yet.
    hasty = replace(policy, rules=rules_now, backstop=None, is_standby=False)
    known = _going_on(memory, _same_rules(policy, old))
    _, decision = decide(hasty, known, _in_an_open_window(seen), mode=Mode.LIVE)
    rules = {rule.id: rule for rule in policy.rules}
    levels = tuple(
        line
        for one in decision.transitions
        if (line := _level_words(rules[one.key.partition("/")[0]], one))
    )
    unknown = tuple(_unknown(policy, decision, _same_rules(policy, old)))
    return _summary(decision, seen, levels, unknown) if levels else AtOnce(unknown=unknown)


def _unknown(policy: Policy, decision: Decision, same: frozenset[str]) -> Iterator[str]:
    """`size/BTC-USD: gross_exposure has no data (why)` of rules that may act and are not judged."""
    rules = {
        rule.id: rule
        for rule in policy.rules
        if rule.id not in same
        and rule.mode is not Mode.DRY_RUN
        and any(level.acts for level in rule.levels)
    }
    for reading in decision.readings:
        rule = rules.get(reading.key.partition("/")[0])
        if rule is not None and isinstance(reading.value, NoData):
            yield f"{reading.key}: {rule.measure} has no data ({reading.value.reason})"


def _same_rules(policy: Policy, old: Policy | None) -> frozenset[str]:
    """Rules that ask for the same in both sets; none where what all rules share differs."""
    if old is None or _shared(policy) != _shared(old):
        return frozenset()
    before = {rule.id: _acting(rule) for rule in old.rules}
    return frozenset(rule.id for rule in policy.rules if _acting(rule) == before.get(rule.id))


def _acting(rule: Rule) -> Rule:
    """What of a rule says when it acts and how; not its words, nor what ends it."""
    levels = tuple(
        replace(level, clear=None, clear_hold=Millis(0), hold=Millis(0)) for level in rule.levels
    )
    return replace(rule, why="", levels=levels)


def _shared(policy: Policy) -> Policy:
    return replace(policy, rules=(), backstop=None).with_settings_of(Policy())


def _going_on(memory: Memory, same: frozenset[str]) -> Memory:
    """Memory in which all other rules have not begun: no state, no intervention, no lock."""
    return replace(
        memory,
        alarms={
            key: held
            for key, held in memory.alarms.items()
            if held.rule in same or held.rule == panic.KEY
        },
        running=tuple(
            each for each in memory.running if each.rule in same or each.rule == panic.KEY
        ),
        locks={
            name: kept
            for name, kept in memory.locks.items()
            if name.partition("/")[0] in {*same, panic.KEY}
        },
    )


def _without_holds(rule: Rule) -> Rule:
    return replace(rule, levels=tuple(replace(level, hold=Millis(0)) for level in rule.levels))


def _in_an_open_window(seen: Observation) -> Observation:
    """The observation a few blocks later, where an order could still arrive in its window."""
    height = seen.height
    while not action.may_send(height):
        height += 1
    return replace(seen, height=height)


def _level_words(rule: Rule, one: Transition) -> str:
    """`drawdown/act: drawdown 9.4%, limit >= 9%` of an acting level that fires; else empty."""
    level = next(level for level in rule.levels if level.name == one.level)
    fires = one.after == Phase.FIRING and one.before != Phase.CLEARING
    if not fires or not level.acts or rule.mode is Mode.DRY_RUN or isinstance(one.value, NoData):
        return ""
    value = words.show(one.value, MEASURES[rule.measure.name].unit)
    limit = bound_words(level.trigger, rule)
    return f"{one.key}/{level.name}: {rule.measure} {value}, limit {limit}"


def _summary(
    decision: Decision, seen: Observation, levels: tuple[str, ...], unknown: tuple[str, ...]
) -> AtOnce:
    sold, bought, deposited, cancels = 0, 0, 0, 0
    for one in decision.actions:
        match one.action:
            case Reduce(side=Side.SELL, ticker=ticker, quantums=quantums):
                sold += notional(seen.markets[ticker], quantums)
            case Reduce(ticker=ticker, quantums=quantums):
                bought += notional(seen.markets[ticker], quantums)
            case TopUp(amount=amount):
                deposited += amount
            case Cancel():
                cancels += 1
            case Backstop():
                pass
    return AtOnce(
        levels=levels,
        unknown=unknown,
        actions=tuple(one.what for one in decision.actions),
        sold=QuoteQuantums(sold),
        bought=QuoteQuantums(bought),
        deposited=QuoteQuantums(deposited),
        cancels=cancels,
        cost=QuoteQuantums(0) if decision.plan is None else decision.plan.cost,
        waits=wait_words(decision.refusals),
    )
