"""An acknowledged page is still true and no longer repeated; `--stop` ends a late flatten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from seawall.account import Observation
from seawall.decide import decide
from seawall.decide.memory import Acknowledge, Command, Decision, Memory, Urgency
from seawall.intervention import End
from seawall.policy import Mode
from seawall.rulefile.load import parse
from seawall.units import SECOND, Millis
from tests.see import AT, HEIGHT, see

RULES = """
rules:
  - id: loss
    why: "A loss."
    measure: equity
    trigger: "<= $50_000"
    do: [page, {flatten: {max_slippage: 200bps, give_up_after: 90s}}]
    latch: manual
"""
POLICY = parse(RULES).policy
KEY = "loss/act"
NOT_FLAT = f"{KEY}/not-flat"


def seen(second: int) -> Observation:
    held = see(equity=23_000, positions={"BTC-USD": (0.06, 100_000)})
    moment = Millis(AT + second * SECOND)
    return replace(held, height=HEIGHT + second, at=moment, seen_at=moment)


def played(
    seconds: Sequence[int], memory: Memory, commands: Sequence[Command] = ()
) -> tuple[Memory, Decision]:
    """Ticks at those seconds in a market that fills nothing; commands arrive at the first."""
    made = None
    for second in seconds:
        memory, made = decide(POLICY, memory, seen(second), mode=Mode.LIVE, commands=commands)
        commands = ()
    assert made is not None
    return memory, made


def late() -> Memory:
    """The memory of a flatten that has just passed its give_up_after."""
    memory, made = played(range(91), Memory())
    assert [each.key for each in made.messages] == [NOT_FLAT]
    return memory


def test_a_flatten_that_is_late_pages_beside_the_page_of_its_level() -> None:
    memory = late()

    assert set(memory.pages) == {KEY, NOT_FLAT}


@pytest.mark.parametrize(
    ("wanted", "left"),
    [("", set()), ("loss", set()), (KEY, set()), (NOT_FLAT, {KEY}), ("los", {KEY, NOT_FLAT})],
)
def test_what_is_acknowledged_is_not_repeated(wanted: str, left: set[str]) -> None:
    memory, _ = played([91], late(), [Acknowledge(key=wanted)])

    memory, _ = played(range(92, 400), memory)

    standing = {key for key, page in memory.pages.items() if not page.is_acknowledged}
    assert standing == left
    assert set(memory.pages) == {KEY, NOT_FLAT}


def test_a_page_that_nobody_acknowledged_is_repeated_every_five_minutes() -> None:
    memory, before = played(range(91, 390), late())

    _, made = played([390], memory)

    assert before.messages == ()
    assert [each.text.startswith("Still: ") for each in made.messages] == [True]
    assert made.messages[0].key == NOT_FLAT
    assert made.messages[0].urgency is Urgency.PAGE


def test_an_acknowledged_flatten_goes_on() -> None:
    memory, made = played([91], late(), [Acknowledge()])

    assert [each.level for each in memory.running] == ["act"]
    assert made.ended == ()


def test_stop_ends_a_flatten_that_is_late_for_good() -> None:
    memory, made = played([91], late(), [Acknowledge(key="loss", stops_flatten=True)])

    assert [(each.name, each.end) for each in made.ended] == [("loss/act#1", End.GIVEN_UP)]
    assert memory.running == ()
    memory, made = played(range(92, 160), memory)
    assert (made.actions, memory.running) == ((), ())


def test_stop_leaves_a_flatten_that_still_has_time() -> None:
    memory, _ = played(range(30), Memory())

    memory, made = played([30], memory, [Acknowledge(stops_flatten=True)])

    assert [each.level for each in memory.running] == ["act"]
    assert made.ended == ()
