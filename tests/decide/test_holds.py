"""Credits of levels on their way, taken from a later memory into an older one."""

from __future__ import annotations

from dataclasses import replace

from seawall.alarm import LevelState, Phase
from seawall.decide.holds import Holds, holds_of, with_holds
from seawall.decide.memory import Alarm, Memory
from seawall.measures.spec import Instance
from seawall.units import Millis


def memory(*levels: LevelState, names: tuple[str, ...] = ("watch", "act")) -> Memory:
    alarm = Alarm(rule="size", instance=Instance(), levels=levels, names=names[: len(levels)])
    return Memory(at=Millis(1_000), seen_at=Millis(2_000), alarms={"size": alarm})


PENDING = LevelState(phase=Phase.PENDING, held=Millis(7_000))
FIRING = LevelState(phase=Phase.FIRING, fired_at=Millis(500))


def test_only_levels_that_wait_have_credits_to_keep() -> None:
    assert holds_of(Memory()) is None
    assert holds_of(memory(FIRING)) is None
    assert holds_of(memory(FIRING, PENDING)) == Holds(
        at=Millis(1_000), seen_at=Millis(2_000), held={"size": {"act": Millis(7_000)}}
    )


def test_an_older_memory_takes_the_later_credits_and_clocks() -> None:
    older = memory(FIRING, replace(PENDING, held=Millis(0)))
    later = replace(memory(FIRING, PENDING), at=Millis(8_000), seen_at=Millis(9_000))
    holds = holds_of(later)

    assert holds is not None
    assert with_holds(older, holds) == later


def test_a_level_that_does_not_wait_takes_nothing() -> None:
    holds = Holds(at=Millis(1_000), seen_at=Millis(2_000), held={"size": {"watch": Millis(9_000)}})

    assert with_holds(memory(FIRING, PENDING), holds) == memory(FIRING, PENDING)


def test_states_written_before_levels_had_names_stay_as_they_are() -> None:
    holds = Holds(at=Millis(1_000), seen_at=Millis(2_000), held={"size": {"watch": Millis(9_000)}})
    nameless = memory(PENDING, names=())

    assert with_holds(nameless, holds) == nameless
