"""Two policies in words: `account-drawdown/panic trigger 12% -> 1.2%`.

A policy is laid out as lines of a name and a value, as a person would write them; a difference is
a line that is there once only or has another value. A rule, level or scenario that is new or gone
is one line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from seawall import words
from seawall.measures import MEASURES
from seawall.measures.spec import Unit
from seawall.policy import (
    Bound,
    CancelOrders,
    Do,
    Flatten,
    Latch,
    Level,
    Lock,
    Notify,
    Page,
    Policy,
    ReduceAmount,
    ReduceUntil,
    Rule,
    TopUpUntil,
)
from seawall.rulefile.canonical import digest

Line = tuple[str, str]  # "account-drawdown/panic trigger", ">= 12%"


def differences(old: Policy, new: Policy) -> tuple[str, ...]:
    """What changed from one policy to the other, in words; empty for equal digests only."""
    said = [
        *_of_named("rule", _rules(old), _rules(new)),
        *_of_named("scenario", _scenarios(old), _scenarios(new)),
        *_of_lines(dict(_shared(old)), dict(_shared(new))),
    ]
    if not said and digest(old) != digest(new):
        said.append("the order of rules or of actions changed")
    return tuple(said)


def in_words(policy: Policy) -> tuple[str, ...]:
    """Everything a policy asks for, defaults filled in, one line each."""
    named = (*_rules(policy).values(), *_scenarios(policy).values())
    lines = [line for parts in named for part in parts.values() for line in part.items()]
    return tuple(f"{name} {value}".rstrip() for name, value in (*lines, *_shared(policy)))


Named = dict[str, dict[str, dict[str, str]]]  # rule -> level or "" -> name of line -> value


def _of_named(kind: str, old: Named, new: Named) -> Iterator[str]:
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            yield f"{kind} {name} removed"
        elif name not in old:
            yield f"{kind} {name} added"
        else:
            yield from _of_parts(name, old[name], new[name])


def _of_parts(
    name: str, old: dict[str, dict[str, str]], new: dict[str, dict[str, str]]
) -> Iterator[str]:
    for part in [*old, *(part for part in new if part not in old)]:
        if part not in new:
            yield f"level {name}/{part} removed"
        elif part not in old:
            yield f"level {name}/{part} added"
        else:
            yield from _of_lines(old[part], new[part])


def _of_lines(old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if before is None:
            yield f"{name} {after} added".replace("  ", " ")
        elif after is None:
            yield f"{name} {before} removed".replace("  ", " ")
        else:
            yield f"{name} {_change(before, after)}"


def _change(before: str, after: str) -> str:
    """`12% -> 1.2%`: an operator that stays is not repeated."""
    (operator, *value), (other, *new_value) = before.split(" ", 1), after.split(" ", 1)
    if operator == other and operator in (">=", ">", "<=", "<") and value and new_value:
        return f"{value[0]} -> {new_value[0]}"
    return f"{before} -> {after}"


def _rules(policy: Policy) -> Named:
    laid_out: Named = {}
    for rule in policy.rules:
        unit = MEASURES[rule.measure.name].unit
        parts = {"": dict(_rule(rule))}
        for level in rule.levels:
            parts[level.name] = dict(_level(f"{rule.id}/{level.name}", level, unit))
        laid_out[rule.id] = parts
    return laid_out


def _rule(rule: Rule) -> Iterator[Line]:
    scope = rule.scope
    yield f"{rule.id} measure", str(rule.measure)
    yield f"{rule.id} per", scope.per
    yield f"{rule.id} markets", "all" if scope.markets is None else _list(scope.markets)
    if scope.excluded:
        yield f"{rule.id} except", _list(scope.excluded)
    numbers = scope.subaccounts
    yield f"{rule.id} subaccounts", "all" if numbers is None else _list(map(str, numbers))
    yield f"{rule.id} no_data", rule.no_data
    yield f"{rule.id} mode", "as the run" if rule.mode is None else rule.mode
    yield f"{rule.id} why", f'"{rule.why}"'


def _level(name: str, level: Level, unit: Unit) -> Iterator[Line]:
    yield f"{name} trigger", _bound(level.trigger, unit)
    if level.target is not None:
        yield f"{name} target", _bound(level.target, unit)
    if level.clear is not None:
        yield f"{name} clear", _bound(level.clear, unit)
    yield f"{name} for", words.duration(level.hold)
    yield f"{name} clear_for", words.duration(level.clear_hold)
    yield f"{name} cooldown", words.duration(level.cooldown)
    if level.latch is not None:
        yield f"{name} latch", _latch(level.latch)
    for do in level.do:
        yield from _action(name, do)


def _bound(bound: Bound, unit: Unit) -> str:
    return f"{bound.operator} {words.exact(bound.value, unit)}"


def _latch(latch: Latch) -> str:
    return "manual" if latch.until is None else words.clock(latch.until)


def _action(name: str, do: Do) -> Iterator[Line]:
    match do:
        case Notify() | Page():
            yield f"{name} {do.kind}", ""
        case CancelOrders():
            yield f"{name} cancel_orders", do.which
        case TopUpUntil():
            yield f"{name} top_up max", words.dollars(do.most)
        case ReduceUntil():
            yield f"{name} reduce until target max_slippage", words.bps(do.max_slippage)
            if do.or_else is not None:
                yield f"{name} or_else", _or_else(do.or_else)
        case ReduceAmount():
            yield f"{name} reduce amount", words.percent(do.share)
            yield f"{name} reduce amount max_slippage", words.bps(do.max_slippage)
        case Flatten():
            yield f"{name} flatten max_slippage", words.bps(do.max_slippage)
            yield f"{name} flatten give_up_after", words.duration(do.give_up_after)
        case Lock():
            yield f"{name} lock max_slippage", words.bps(do.max_slippage)
        case _:
            assert_never(do)


def _or_else(do: Page | ReduceAmount | Flatten) -> str:
    return f"amount {words.percent(do.share)}" if isinstance(do, ReduceAmount) else do.kind


def _scenarios(policy: Policy) -> Named:
    laid_out: Named = {}
    for name, scenario in policy.scenarios.items():
        lines = {
            f"scenario {name} {ticker}": words.percent(shock)
            for ticker, shock in scenario.shocks.items()
        }
        lines[f"scenario {name} over"] = words.duration(scenario.over)
        lines[f"scenario {name} slippage"] = words.bps(scenario.slippage)
        lines[f"scenario {name} both_signs"] = "true" if scenario.both_signs else "false"
        laid_out[name] = {"": lines}
    return laid_out


def _shared(policy: Policy) -> Iterator[Line]:
    yield "equity buffer", words.dollars(policy.buffer.parent)
    yield "equity child_buffer", words.dollars(policy.buffer.child)
    yield "price_band", words.percent(policy.price_band)
    for ticker, cap in policy.caps.typed.items():
        yield f"caps {ticker}", words.dollars(cap)
    derived = policy.caps.derived
    if derived is not None:
        yield "limits max_drawdown", words.percent(derived.max_drawdown)
        yield "derive_caps scenario", derived.scenario
        for ticker, share in derived.shares.items():
            yield f"derive_caps share {ticker}", words.percent(share)
    if policy.float_source is not None:
        yield "float address", policy.float_source.address
        yield "float floor", words.dollars(policy.float_source.floor)
    yield "hands_off markets", _list(policy.hands_off.markets) or "none"
    yield "hands_off subaccounts", _list(map(str, policy.hands_off.subaccounts)) or "none"
    if policy.backstop is not None:
        yield "backstop scenario", policy.backstop.scenario
        yield "backstop at", words.percent(policy.backstop.at)
        yield "backstop slippage", words.bps(policy.backstop.slippage)
    budget = policy.budget
    yield "budgets per_hour notional", words.percent(budget.hourly_notional)
    yield "budgets per_hour orders", str(budget.hourly_orders)
    yield "budgets per_day cost", words.percent(budget.daily_cost)
    usual = "the smaller of $6,000 and 20% of equity"
    top_up = budget.daily_top_up
    yield "budgets per_day top_up", usual if top_up is None else words.dollars(top_up)
    yield "interlocks max_interventions count", str(policy.interlock.count)
    yield "interlocks max_interventions over", words.duration(policy.interlock.over)


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)
