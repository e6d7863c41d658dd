"""A rule in words: what it does, what it leaves alone, how far its triggers are, what clears it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from seawall import words
from seawall.decide.telling import bound_words, clears, does
from seawall.intervention import key_of
from seawall.measures import MEASURES, value_of
from seawall.measures.exposure import cap_of
from seawall.measures.instances import instances
from seawall.measures.spec import Family, NoData, Per, Unit, Value
from seawall.measures.view import View
from seawall.policy import (
    CancelOrders,
    CancelWhich,
    Do,
    Flatten,
    Level,
    Lock,
    Mode,
    NoDataMode,
    Page,
    Policy,
    ReduceAmount,
    ReduceUntil,
    Rule,
    TopUpUntil,
)
from seawall.scenario import ANY_MARKET
from seawall.units import Ppm, usd

_SELLS = (ReduceUntil, ReduceAmount, Flatten, Lock)
_CAPACITY = ("free_collateral", "stress_headroom", "cap_use")


def describe(rule: Rule, policy: Policy) -> Iterator[str]:
    """What a rule watches, what each level does, and what it leaves alone, one line each."""
    yield f"{rule.id}: {rule.why}"
    yield f"watches {rule.measure}, {_scope(rule)}"
    for level in rule.levels:
        yield f"{level.name} {_level(rule, level)}"
    if rule.mode is Mode.DRY_RUN:
        yield "this rule stays on paper, whatever the mode of the run"
    if rule.no_data is NoDataMode.FIRE:
        yield "missing data counts as met"
    else:
        yield "missing data freezes it: nothing new fires, nothing clears"
    yield f"leaves alone {', '.join(untouched(rule, policy))}"


def _scope(rule: Rule) -> str:
    scope = rule.scope
    per = {
        Per.ACCOUNT: "of the whole account",
        Per.SUBACCOUNT: "of each subaccount",
        Per.MARKET: "of each market",
        Per.GROUP: "of all markets in scope together",
    }[scope.per]
    parts = [per]
    if scope.markets is not None:
        parts.append(f"in {', '.join(scope.markets)}")
    if scope.excluded:
        parts.append(f"except {', '.join(scope.excluded)}")
    if scope.subaccounts is not None:
        numbers = ", ".join(str(number) for number in scope.subaccounts)
        parts.append(f"subaccount {numbers} only")
    return ", ".join(parts)


def _level(rule: Rule, level: Level) -> str:
    held = f" for {words.duration(level.hold)}" if level.hold else ""
    told = "page" if level.pages else "notify"
    done = does(rule, level) if level.acts else "nothing else"
    again = f" Not again within {words.duration(level.cooldown)}." if level.acts else ""
    how = f"at {bound_words(level.trigger, rule)}{held}: {told}, {done}."
    return f"{how}{''.join(_otherwise(level))} {clears(rule, level)}{again}"


def _otherwise(level: Level) -> Iterator[str]:
    """What is done where a target cannot be reached, or a flatten does not get there in time."""
    for do in level.do:
        match do:
            case ReduceUntil(or_else=Page()):
                yield " Out of reach even with everything closed: page."
            case ReduceUntil(or_else=ReduceAmount() as fallback):
                share = words.percent(fallback.share)
                yield f" Out of reach even with everything closed: cut {share} of each position."
            case ReduceUntil(or_else=Flatten()):
                yield " Out of reach even with everything closed: flatten."
            case Flatten():
                patience = words.duration(do.give_up_after)
                yield f" Not flat after {patience}: page, and go on every 30s."
            case _:
                pass


def untouched(rule: Rule, policy: Policy) -> Iterator[str]:
    """What no level of the rule ever does."""
    actions = [do for level in rule.levels for do in level.do]
    if not any(isinstance(do, _SELLS) for do in actions):
        yield "every position"
    elif rule.scope.markets is not None or rule.scope.excluded:
        yield "positions outside its scope"
    cancels = {do.which for do in actions if isinstance(do, CancelOrders)}
    if not cancels and not any(isinstance(do, Lock) for do in actions):
        yield "every resting order"
    elif CancelWhich.ALL in cancels:
        yield "orders that reduce, until the book is flat"
    else:
        yield "orders that reduce risk"
    if not any(isinstance(do, TopUpUntil) for do in actions):
        yield "the float wallet"
    if not any(_may_page(do) for do in actions):
        yield "your sleep (it never pages)"
    off = policy.hands_off
    named = [*off.markets, *(str(number) for number in off.subaccounts)]
    if named:
        yield f"hands_off: {', '.join(named)}"


def _may_page(do: Do) -> bool:
    """Whether an action pages, at once or where it does not get to its goal."""
    if isinstance(do, ReduceUntil):
        return isinstance(do.or_else, Page | Flatten)
    return isinstance(do, Page | Flatten)


def values(rule: Rule, policy: Policy, view: View) -> Mapping[str, Value]:
    """The rule's measure now, by RULE[/INSTANCE]."""
    measure = MEASURES[rule.measure.name]
    there = instances(
        measure.name,
        measure.family,
        rule.scope,
        view.observation,
        rule=rule.id,
        caps=policy.caps,
    )
    return {
        key_of(rule.id, one): value_of(view, measure.name, one, rule.measure.scenario)
        for one in there
    }


def value_words(rule: Rule, value: Value) -> str:
    """A value with its unit, `drawdown 3.2%`."""
    if isinstance(value, NoData):
        return f"{rule.measure} has no data ({value.reason})"
    return f"{rule.measure} {words.show(value, MEASURES[rule.measure.name].unit)}"


def distance(rule: Rule, level: Level, value: Value) -> str:
    """How far a value is from a level's trigger, and while it is met from what clears it."""
    if isinstance(value, NoData):
        return f"no data ({value.reason})"
    unit = MEASURES[rule.measure.name].unit
    if not level.trigger.holds(value):
        away = _apart(value, level.trigger.value, unit)
        return f"{away} away from {bound_words(level.trigger, rule)}"
    if level.clear is None:
        return f"met; {bound_words(level.trigger, rule)}"
    away = _apart(value, level.clear.value, unit)
    return f"met; {away} away from clearing at {bound_words(level.clear, rule)}"


def _apart(value: Decimal, bound: Decimal, unit: Unit) -> str:
    if value.is_infinite():
        return "endlessly far"
    return words.show(abs(value - bound), unit)


def needs_capacity(rule: Rule) -> bool:
    """Whether the rule's measure sees equity minus buffer, or a cap made of it."""
    return rule.measure.name in _CAPACITY


def capacity(
    rule: Rule, policy: Policy, view: View | None, tickers: Sequence[str]
) -> Iterator[str]:
    """Caps and buffer behind a rule, with their numbers where an account is at hand."""
    if not needs_capacity(rule):
        return
    buffer = words.dollars(policy.buffer.parent)
    if view is None:
        yield f"buffer {buffer}: this measure sees equity minus that"
    else:
        equity = sum(one.nc for one in view.risks.values() if not isinstance(one, NoData))
        left = usd(equity) - policy.buffer.parent
        yield f"equity {words.cents(usd(equity))} minus buffer {buffer} is {words.cents(left)}"
    if MEASURES[rule.measure.name].family is not Family.EXPOSURE:
        return
    for ticker in tickers or tuple(_named(policy)):
        yield f"cap of {ticker}: {_cap(policy, view, ticker)}"


def _named(policy: Policy) -> Iterator[str]:
    derived = policy.caps.derived
    yield from policy.caps.typed
    if derived is not None:
        yield from (t for t in derived.shares if t not in policy.caps.typed and t != ANY_MARKET)
        if ANY_MARKET in derived.shares:
            yield ANY_MARKET


def _cap(policy: Policy, view: View | None, ticker: str) -> str:
    """Typed and derived cap of a market; the smaller holds."""
    derived, typed = policy.caps.derived, policy.caps.typed.get(ticker)
    parts = [] if typed is None else [f"typed {words.dollars(typed)}"]
    share = None if derived is None else derived.share(ticker)
    if derived is not None and share is not None:
        scenario = policy.scenarios[derived.scenario]
        loss = abs(scenario.shock(ticker)) + scenario.slippage
        if loss:
            multiple = Decimal(derived.max_drawdown) * share / loss / 1_000_000
            parts.append(
                f"derived {words.percent(derived.max_drawdown)} x (equity - buffer) x "
                f"{words.percent(share)} / ({words.percent(Ppm(abs(scenario.shock(ticker))))} + "
                f"{words.percent(scenario.slippage)}) = {multiple:.3f} x (equity - buffer)"
            )
    cap = None if view is None else cap_of(view, ticker)
    if isinstance(cap, Decimal):
        parts.append(f"now {words.cents(cap)}")
    return ", ".join(parts) + (", the smaller holds" if typed is not None and share else "")
