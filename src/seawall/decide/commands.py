"""What the operator's commands change in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from seawall import alarm
from seawall.alarm import Phase
from seawall.decide import panic, pausing
from seawall.decide.memory import (
    Acknowledge,
    Command,
    Memory,
    PageState,
    Panic,
    Pause,
    Rearm,
    Rebase,
    Report,
)
from seawall.measures import ledger
from seawall.measures.ledger import Ledger
from seawall.units import Millis


def apply_commands(memory: Memory, commands: Sequence[Command], seen_at: Millis) -> Memory:
    """Memory after the commands, in order, at a moment of the agent's clock.

    A rebase waits for `obey_rebase`.
    """
    for command in commands:
        match command:
            case Rearm(key=key):
                memory = _rearm(memory, key)
            case Acknowledge(key=key, stops_flatten=stops_flatten):
                memory = _acknowledge(memory, key)
                if stops_flatten:
                    memory = _stop_flattens(memory, key)
            case Rebase():
                pass  # `obey_rebase`, once the NAV of this tick is known
            case Panic():
                memory = panic.asked(memory)
            case Pause(duration=duration):
                memory = pausing.asked(memory, duration, seen_at)
            case Report(key=key, text=text):
                page = PageState(text=text, sent_at=seen_at, said_at=seen_at)
                memory = replace(memory, pages={**memory.pages, key: page})
            case _:
                assert_never(command)
    return memory


def obey_rebase(kept: Ledger | None, commands: Sequence[Command]) -> Ledger | None:
    """The ledger after a rebase, where one was commanded: its peak is the NAV that it holds now.

    To be called after the ledger has seen this tick; a blind tick has nothing newer than the last.
    """
    if kept is None or not any(isinstance(command, Rebase) for command in commands):
        return kept
    return ledger.rebase(kept)


def is_about(key: str, wanted: str) -> bool:
    """Whether RULE[/INSTANCE][/LEVEL] is what a command names, or belongs to it."""
    return wanted in ("", key) or key.startswith(f"{wanted}/")


def _rearm(memory: Memory, wanted: str) -> Memory:
    if is_about(panic.KEY, wanted):
        memory = panic.rearmed(memory)
    alarms = {
        key: replace(
            held,
            levels=tuple(
                alarm.rearm(state) if state.phase is Phase.LATCHED else state
                for state in held.levels
            ),
        )
        if is_about(key, wanted)
        else held
        for key, held in memory.alarms.items()
    }
    return replace(memory, alarms=alarms)


def _acknowledge(memory: Memory, wanted: str) -> Memory:
    pages = {
        key: replace(page, is_acknowledged=page.is_acknowledged or is_about(key, wanted))
        for key, page in memory.pages.items()
    }
    return replace(memory, pages=pages)


def _stop_flattens(memory: Memory, wanted: str) -> Memory:
    """Mark what did not get flat in time; a flatten that still has time is not stopped."""
    running = tuple(
        replace(each, is_stopped=True)
        if each.has_given_up and is_about(f"{each.key}/{each.level}", wanted)
        else each
        for each in memory.running
    )
    return replace(memory, running=running)
