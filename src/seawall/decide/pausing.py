"""The operator's pause: for a while nothing is sent, everything is still watched and told.

It runs on the agent's clock, as every command's expiry does. Backstops on the chain stay.
"""

from __future__ import annotations

from dataclasses import replace

from seawall import units, words
from seawall.action import RefusalCode
from seawall.decide.draft import Draft
from seawall.decide.memory import Memory, Message, Paused, Repeats, Urgency
from seawall.units import MINUTE, SECOND, Millis

LONGEST = units.DAY
TELL_EVERY = units.HOUR
KEY = "pause"


def asked(memory: Memory, duration: Millis, seen_at: Millis) -> Memory:
    """Memory that is paused for `duration` from now; a later pause takes an earlier one's place."""
    return replace(memory, pause=Paused(until=Millis(seen_at + min(duration, LONGEST))))


def follow(memory: Memory, seen_at: Millis, draft: Draft) -> Memory:
    """Memory with the pause told at its start, hourly and at its end, and ended then."""
    pause = memory.pause
    if pause is None:
        return memory
    left = Millis(pause.until - seen_at)
    if left <= 0:
        text = "The pause is over: rules act again." if pause.told_at is not None else _LATE
        draft.messages.append(Message(urgency=Urgency.PAGE, key=KEY, text=text))
        return replace(memory, pause=None)
    if pause.told_at is not None and seen_at - pause.told_at < TELL_EVERY:
        return memory
    begins = "Paused by the operator" if pause.told_at is None else "Still paused"
    draft.messages.append(
        Message(
            urgency=Urgency.PAGE,
            key=KEY,
            repeats=Repeats.BY_ITSELF,
            text=(
                f"{begins}: nothing is cancelled, paid in or sold for another {_span(left)}, "
                f"whatever fires. Backstops on the chain stay. `seawall pause 1s` ends it. You "
                f"hear of it every hour and at its end."
            ),
        )
    )
    return replace(memory, pause=replace(pause, told_at=seen_at))


def why(memory: Memory) -> tuple[RefusalCode, str] | None:
    """Why nothing is sent now; None where no pause stands."""
    if memory.pause is None:
        return None
    time_of_day = Millis(memory.pause.until % units.DAY)
    return RefusalCode.PAUSED, f"paused by the operator until {words.clock(time_of_day)}"


def _span(left: Millis) -> str:
    """A span rounded up to the minute, below one to the second."""
    unit = SECOND if left < MINUTE else MINUTE
    return words.duration(Millis(-(-left // unit) * unit))


_LATE = "A pause was asked for so long ago that it is over: rules act."
