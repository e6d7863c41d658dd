"""A rule and its instances as JSON, for programs: numbers beside the sentences that people read.

Values, bounds and distances are strings of the measure's own unit (dollars, fractions, multiples,
seconds, counts), so that no digit is lost; durations are milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from seawall import words
from seawall.alarm import CLEAR, LevelState, Phase
from seawall.cli.look import number
from seawall.decide.memory import Alarm
from seawall.journal.codec import to_json
from seawall.measures import MEASURES
from seawall.measures.exposure import cap_of
from seawall.measures.spec import NoData, Value
from seawall.measures.view import View
from seawall.policy import MANUAL, Bound, Latch, Level, Policy, Rule
from seawall.units import Millis, usd

Object = dict[str, object]


def rule_object(rule: Rule) -> Object:
    """A rule as it is written, its defaults filled in, in the words of the rule file."""
    scope = rule.scope
    return {
        "measure": rule.measure.name,
        "scenario": rule.measure.scenario,
        "unit": MEASURES[rule.measure.name].unit.value,
        "scope": {
            "per": scope.per.value,
            "markets": scope.markets,
            "except": scope.excluded,
            "subaccounts": scope.subaccounts,
        },
        "mode": None if rule.mode is None else rule.mode.value,
        "no_data": rule.no_data.value,
        "levels": [_level(level) for level in rule.levels],
    }


def _level(level: Level) -> Object:
    return {
        "level": level.name,
        "trigger": _bound(level.trigger),
        "target": _bound(level.target),
        "clear": _bound(level.clear),
        "for_ms": level.hold,
        "clear_for_ms": level.clear_hold,
        "cooldown_ms": level.cooldown,
        "latch": _latch(level.latch),
        "acts": level.acts,
        "do": [json.loads(to_json(do)) for do in level.do],
    }


def _bound(bound: Bound | None) -> Object | None:
    if bound is None:
        return None
    return {"operator": bound.operator.value, "value": number(bound.value)}


def _latch(latch: Latch | None) -> str | None:
    if latch is None:
        return None
    return MANUAL if latch.until is None else words.clock(latch.until)


def instance_object(rule: Rule, key: str, value: Value, held: Alarm | None, now: Millis) -> Object:
    """One instance of a rule now, and how far each level is from firing and from clearing."""
    states = {} if held is None else dict(zip(held.names, held.levels, strict=False))
    return {
        "instance": key,
        "value": number(value),
        "reason": value.reason if isinstance(value, NoData) else None,
        "levels": [
            _standing(level, value, states.get(level.name, CLEAR), now) for level in rule.levels
        ],
    }


def _standing(level: Level, value: Value, state: LevelState, now: Millis) -> Object:
    return {
        "level": level.name,
        "phase": state.phase.value,
        "is_met": None if isinstance(value, NoData) else level.trigger.holds(value),
        "to_trigger": _left(level.trigger, value),
        "to_clear": _left(level.clear, value),
        "age_ms": _age(state, now),
    }


def _left(bound: Bound | None, value: Value) -> str | None:
    """What is left up to a bound, zero or less at it and beyond; None where nobody can say."""
    if bound is None or isinstance(value, NoData) or value.is_infinite():
        return None
    return number(bound.value - value if bound.operator.is_upward else value - bound.value)


def _age(state: LevelState, now: Millis) -> int | None:
    """For how long a level has fired or waits to; None for one that is clear."""
    if state.phase is Phase.CLEAR:
        return None
    if not state.phase.is_standing or state.fired_at is None:
        return state.held
    return now - state.fired_at


def capacity_object(policy: Policy, view: View | None, tickers: Sequence[str]) -> Object:
    """Equity, buffer and caps in dollars; what an account must be seen for is None without one."""
    equity = None
    if view is not None:
        equity = usd(sum(one.nc for one in view.risks.values() if not isinstance(one, NoData)))
    return {
        "equity": None if equity is None else number(equity),
        "buffer": number(policy.buffer.parent),
        "caps": dict(_caps(policy, view, tickers)),
    }


def _caps(
    policy: Policy, view: View | None, tickers: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, object]]]:
    derived = policy.caps.derived
    for ticker in dict.fromkeys((*tickers, *policy.caps.typed)):
        typed = policy.caps.typed.get(ticker)
        share = None if derived is None else derived.share(ticker)
        now = None if view is None else cap_of(view, ticker)
        yield (
            ticker,
            {
                "typed": None if typed is None else number(typed),
                "share_ppm": share,
                "now": None if now is None or isinstance(now, NoData) else number(now),
            },
        )
