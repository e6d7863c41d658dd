"""Time credited to levels on their way, kept between two ticks that are written whole.

A level that waits out its `for` makes no news for up to a minute. Without this a restart would
take that minute back, and a guard that falls over every minute would never fire at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from seawall.alarm import LevelState, Phase
from seawall.decide.memory import Alarm, Memory
from seawall.units import Millis

ON_THEIR_WAY = (Phase.PENDING, Phase.CLEARING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """What was credited up to a tick; `at` is its block time, `seen_at` the agent's clock."""

    at: Millis | None
    seen_at: Millis | None
    held: Mapping[str, Mapping[str, Millis]]  # RULE[/INSTANCE] -> level -> credited


def holds_of(memory: Memory) -> Holds | None:
    """The credits of all levels that wait to fire or to clear; None where none does."""
    held = {
        key: levels
        for key, alarm in memory.alarms.items()
        if (levels := {name: state.held for name, state in _on_their_way(alarm)})
    }
    return Holds(at=memory.at, seen_at=memory.seen_at, held=held) if held else None


def with_holds(memory: Memory, holds: Holds) -> Memory:
    """An older memory with later credits: in between no level changed its phase."""
    alarms = {
        key: _credited(alarm, holds.held.get(key, {})) for key, alarm in memory.alarms.items()
    }
    return replace(memory, alarms=alarms, at=holds.at, seen_at=holds.seen_at)


def _on_their_way(alarm: Alarm) -> list[tuple[str, LevelState]]:
    named = zip(alarm.names, alarm.levels, strict=False)
    return [(name, state) for name, state in named if state.phase in ON_THEIR_WAY]


def _credited(alarm: Alarm, held: Mapping[str, Millis]) -> Alarm:
    waiting = dict(_on_their_way(alarm))
    levels = tuple(
        replace(state, held=held[name]) if name in waiting and name in held else state
        for name, state in zip(alarm.names, alarm.levels, strict=False)
    )
    return replace(alarm, levels=levels) if levels else alarm
