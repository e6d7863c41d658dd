"""What a guard says of what still holds when it starts again."""

from __future__ import annotations

from seawall.alarm import LevelState, Phase
from seawall.cli.words import standing
from seawall.decide.memory import Alarm, Memory, PageState, Paused
from seawall.measures.spec import Instance
from seawall.units import Millis
from tests.see import AT


def test_a_pause_latches_and_unread_pages_are_named_at_a_start() -> None:
    latched = LevelState(phase=Phase.LATCHED)
    panic = Alarm(rule="panic", instance=Instance(), levels=(LevelState(), latched))
    calm = Alarm(rule="size", instance=Instance(), levels=(LevelState(),))
    read = PageState(text="", sent_at=Millis(0), is_acknowledged=True)
    memory = Memory(
        alarms={"panic": panic, "size": calm},
        pages={"panic/flat": PageState(text="", sent_at=Millis(0)), "size/act": read},
        pause=Paused(until=Millis(AT + 60_000)),
    )

    assert list(standing(memory, AT)) == [
        "paused  until 2023-11-14 22:14:20Z: nothing is sent; seawall pause 1s ends it",
        "latched panic: until seawall rearm",
        "pages   panic/flat: repeated until seawall ack",
    ]


def test_where_nothing_stands_nothing_is_said() -> None:
    over = Paused(until=Millis(AT - 1))

    assert list(standing(Memory(), AT)) == []
    assert list(standing(Memory(pause=over), AT)) == []
