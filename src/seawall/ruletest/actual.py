"""What the rules did at one moment of a test, in the words that expectations use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from seawall.account import Observation
from seawall.action import Backstop, Cancel, Reduce, TopUp
from seawall.decide.memory import Alarm
from seawall.intervention import flatten_of
from seawall.measures import MEASURES, value_of
from seawall.measures.instances import instances
from seawall.measures.spec import Instance, NoData, Per, Value
from seawall.measures.view import NO_OVERRIDES, Override, Overrides, View
from seawall.policy import CancelOrders, CancelWhich, Policy, Scope
from seawall.ruletest.play import Moment
from seawall.units import usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What is taken of one position, in coins; `is_flatten` where a flatten asked for it."""

    coins: Decimal
    held: Decimal
    step: Decimal
    is_flatten: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One step's plan: which orders are cancelled, dollars deposited, positions cut."""

    cancels: CancelWhich | None
    top_up: Decimal
    cuts: Mapping[str, Cut]  # by TICKER, or NUMBER/TICKER for a child


def firing(moment: Moment, policy: Policy) -> dict[str, str]:
    """The highest level that fires or is latched, by RULE[/INSTANCE]."""
    rules = {rule.id: rule for rule in policy.rules}
    found = {}
    for key, held in moment.memory.alarms.items():
        rank = standing_rank(held)
        if rank is not None:
            found[key] = rules[held.rule].levels[rank].name
    return found


def standing_rank(held: Alarm) -> int | None:
    """Index of the highest level that fires or is latched; None where none is."""
    for rank in range(len(held.levels) - 1, -1, -1):
        if held.levels[rank].phase.is_standing:
            return rank
    return None


def messages(moment: Moment) -> tuple[str, ...]:
    """How urgent each message of the step is, sorted."""
    return tuple(sorted(str(one.urgency) for one in moment.decision.messages))


def locked(moment: Moment) -> tuple[str, ...]:
    """Positions that may not grow, sorted."""
    return tuple(
        sorted(
            {
                slot_name(keep.subaccount, keep.ticker)
                for keeps in moment.memory.locks.values()
                for keep in keeps
            }
        )
    )


def slot_name(number: int, ticker: str) -> str:
    """TICKER in the parent, NUMBER/TICKER in a child."""
    return ticker if number == 0 else f"{number}/{ticker}"


def done(moment: Moment, policy: Policy) -> Done:
    """What the step cancels, deposits and cuts."""
    flattening = _flattening(moment, policy)
    cuts: dict[str, Cut] = {}
    dollars = Decimal(0)
    for one in moment.decision.actions:
        match one.action:
            case TopUp() as top_up:
                dollars += usd(top_up.amount)
            case Reduce() as reduce:
                market = moment.seen.markets[reduce.ticker]
                position = moment.seen.subaccount(reduce.subaccount).position(reduce.ticker)
                assert position is not None
                cuts[slot_name(reduce.subaccount, reduce.ticker)] = Cut(
                    coins=market.coins(reduce.quantums),
                    held=abs(market.coins(position.quantums)),
                    step=market.coins(market.step_base_quantums),
                    is_flatten=any(name in flattening for name in one.asked_by),
                )
            case Cancel() | Backstop():
                pass
    return Done(cancels=_cancels(moment, policy), top_up=dollars, cuts=cuts)


def _cancels(moment: Moment, policy: Policy) -> CancelWhich | None:
    """What standing levels cancel, whether orders rest or not: the wider of them."""
    rules = {rule.id: rule for rule in policy.rules}
    asked = {
        do.which
        for held in moment.memory.alarms.values()
        for level, state in zip(rules[held.rule].levels, held.levels, strict=True)
        if state.phase.is_standing
        for do in level.do
        if isinstance(do, CancelOrders)
    }
    return next((which for which in (CancelWhich.ALL, *asked) if which in asked), None)


def _flattening(moment: Moment, policy: Policy) -> frozenset[str]:
    rules = {rule.id: rule for rule in policy.rules}
    return frozenset(
        one.name
        for one in moment.memory.running
        if flatten_of(rules[one.rule].levels[one.rank], one) is not None
    )


def view_of(moment: Moment, policy: Policy, seen: Observation, overrides: Overrides) -> View:
    """What measures look at: an observation with the test's word for some of them."""
    assert moment.memory.ledger is not None
    return policy.view(seen, moment.memory.ledger, overrides)


def number_now(moment: Moment, policy: Policy, measure: Override, *, after: bool) -> Value:
    """A measure at the step, or `after` what the step sends has been done."""
    seen, overrides = moment.seen, moment.overrides
    if after:
        actions = [one.action for one in moment.decision.actions]
        seen, overrides = moment.stage.after(seen, actions), NO_OVERRIDES
    instance = instance_named(measure, policy, seen)
    if isinstance(instance, NoData):
        return instance
    view = view_of(moment, policy, seen, overrides)
    return value_of(view, measure.measure, instance, measure.scenario)


def instance_named(measure: Override, policy: Policy, seen: Observation) -> Instance | NoData:
    """The instance a test means: a rule's of that name, else one of the whole account."""
    row = MEASURES[measure.measure]
    for rule in policy.rules:
        if (rule.measure.name, rule.measure.scenario) != (measure.measure, measure.scenario):
            continue
        there = instances(row.name, row.family, rule.scope, seen, rule=rule.id, caps=policy.caps)
        for one in there:
            if str(one) == (measure.instance or ""):
                return one
        if measure.instance is None and len(there) == 1:
            return there[0]
    for per in (Per.ACCOUNT, *row.per):
        scope = Scope(per=per)
        for one in instances(row.name, row.family, scope, seen, rule="", caps=policy.caps):
            if per in row.per and str(one) == (measure.instance or ""):
                return one
    return NoData(reason=f"no instance {measure.instance or 'of the whole account'} here")
