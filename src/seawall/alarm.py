"""The state machine of one level: from a value and the time that passed to a phase.

clear -> pending (trigger met) -> firing (held for `for`) -> clearing (clear met) -> clear,
or -> latched where the level has a latch. A level whose trigger is met again before its cooldown
has passed is cooling until then. Absent values freeze every phase (`no_data: hold`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from seawall import units
from seawall.measures.spec import NoData, Value
from seawall.policy import Latch, Level, NoDataMode, Rule
from seawall.units import Millis

CREDIT_MOST = Millis(5_000)  # what one tick may add to a `for`, whatever the block times say
QUIET_BEFORE_CLEAR = units.MINUTE  # a level that only sends messages clears after this


class Phase(StrEnum):
    """Where a level stands."""

    CLEAR = "clear"
    PENDING = "pending"
    COOLING = "cooling"
    FIRING = "firing"
    CLEARING = "clearing"
    LATCHED = "latched"

    @property
    def is_firing(self) -> bool:
        """Whether the level fires (its clear condition has not held for long enough)."""
        return self in (Phase.FIRING, Phase.CLEARING)

    @property
    def is_standing(self) -> bool:
        """Whether standing actions (cancels, lock) of the level are in force."""
        return self.is_firing or self is Phase.LATCHED


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelState:
    """Memory of one level of one instance; times are block time."""

    phase: Phase = Phase.CLEAR
    held: Millis = Millis(0)  # time credited to `for` or `clear_for`
    met_at: Millis = Millis(0)  # when its trigger was first met, on the way to the last firing
    fired_at: Millis | None = None  # start of the present or last firing
    cooled_at: Millis = Millis(0)  # no new intervention starts before
    has_run: bool = False  # a once-per-firing intervention has started in this firing
    is_stopped: bool = False  # a person ended what it did in this firing
    on_paper: bool = False  # it fired while its rule was on paper, so nothing was done


CLEAR = LevelState()


def credit(before: Millis | None, now: Millis) -> Millis:
    """Time that one tick may add to a hold: at most 5 s, never negative, zero at the first."""
    if before is None:
        return Millis(0)
    return Millis(max(0, min(CREDIT_MOST, now - before)))


def step(
    level: Level, state: LevelState, value: Value, *, credited: Millis, at: Millis, mode: NoDataMode
) -> LevelState:
    """The level after one tick in which its measure had `value`."""
    if state.phase is Phase.LATCHED:
        return _unlatch_by_clock(level, state, at)
    if isinstance(value, NoData):
        if mode is NoDataMode.HOLD:
            return state
        met, is_clear = True, False
    else:
        met = level.trigger.holds(value)
        is_clear = not met if level.clear is None else level.clear.holds(value)
    match state.phase:
        case Phase.CLEAR | Phase.PENDING:
            return _towards_firing(level, state, credited, at) if met else _cleared(state)
        case Phase.COOLING:
            if not met:
                return _cleared(state)
            return _fired(state, at) if at >= state.cooled_at else state
        case Phase.FIRING | Phase.CLEARING:
            if not is_clear:
                if state.phase is Phase.FIRING:
                    return state
                return replace(state, phase=Phase.FIRING, held=Millis(0))
            return _towards_clear(level, state, credited, at)
        case _:
            assert_never(state.phase)


def stays_clear(rule: Rule, value: Value) -> bool:
    """Whether every level of a rule that is clear stays so; what `step` would say of each."""
    if isinstance(value, NoData):
        return rule.no_data is NoDataMode.HOLD
    return not any(level.trigger.holds(value) for level in rule.levels)


def clears_after(level: Level) -> Millis:
    """How long its clear condition must hold; a level that only speaks is quiet for a minute."""
    if level.clear is None and not level.acts:
        return max(level.clear_hold, QUIET_BEFORE_CLEAR)
    return level.clear_hold


def rearm(state: LevelState) -> LevelState:
    """The level released from its latch: it starts again from clear, its cooldown kept."""
    return _cleared(state)


def latch_release(latch: Latch, fired_at: Millis) -> Millis | None:
    """When a clock latch lets go: the next such time of day after firing; None is never."""
    if latch.until is None:
        return None
    day_start = fired_at - fired_at % units.DAY
    release = day_start + latch.until
    return Millis(release if release > fired_at else release + units.DAY)


def _towards_firing(level: Level, state: LevelState, credited: Millis, at: Millis) -> LevelState:
    held = Millis(0 if state.phase is Phase.CLEAR else state.held + credited)
    if state.phase is Phase.CLEAR:
        state = replace(state, met_at=at)
    if held < level.hold:
        return replace(state, phase=Phase.PENDING, held=held)
    if at < state.cooled_at:
        return replace(state, phase=Phase.COOLING, held=held)
    return _fired(state, at)


def _fired(state: LevelState, at: Millis) -> LevelState:
    return replace(
        state,
        phase=Phase.FIRING,
        held=Millis(0),
        fired_at=at,
        has_run=False,
        is_stopped=False,
    )


def _cleared(state: LevelState) -> LevelState:
    if state.phase is Phase.CLEAR:
        return state
    return replace(state, phase=Phase.CLEAR, held=Millis(0))


def _towards_clear(level: Level, state: LevelState, credited: Millis, at: Millis) -> LevelState:
    wanted = clears_after(level)
    held = Millis(0 if state.phase is Phase.FIRING else state.held + credited)
    if held < wanted:
        return replace(state, phase=Phase.CLEARING, held=held)
    if level.latch is None:
        return _cleared(state)
    latched = replace(state, phase=Phase.LATCHED, held=Millis(0))
    return _unlatch_by_clock(level, latched, at)


def _unlatch_by_clock(level: Level, state: LevelState, at: Millis) -> LevelState:
    assert state.fired_at is not None
    release = None if level.latch is None else latch_release(level.latch, state.fired_at)
    if level.latch is None or (release is not None and at >= release):
        return _cleared(state)
    return state
