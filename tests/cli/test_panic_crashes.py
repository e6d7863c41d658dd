"""`seawall panic` that dies anywhere, then is run again or left to a guard: once, and latched.

A guard may start afterwards, or have run beside it all the while and never be started again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.action import Reduce
from seawall.agent import Agent
from seawall.alarm import Phase
from seawall.cli.closing import Left, close_everything
from seawall.policy import HandsOff, Mode, Policy
from seawall.simulator.chain import Chain
from seawall.simulator.local import LocalVenue
from seawall.units import MINUTE, Millis
from tests.agent.crashes import (
    OWNER,
    DyingJournal,
    DyingVenue,
    Killed,
    Points,
    Written,
    advance,
    stage,
    written,
)
from tests.simulation.duel import at_once
from tests.simulator.stage import START

WHOLE = 50 * 10**8  # base quantums of the position
Then = Callable[[Chain, Path], None]


@dataclass(slots=True)
class Beside:
    """A guard that ticks beside a panic, at every so many of its blocks."""

    guard: Agent
    every: int
    blocks: int = 0

    def block(self) -> None:
        self.blocks += 1
        if self.blocks % self.every == 0:
            at_once(self.guard.tick())


class DyingShell(DyingVenue):
    """A shell that may die before or after any call; waiting makes the next block."""

    beside: Beside | None = None

    async def wait_for_change(self, timeout: Millis) -> None:
        assert timeout > 0
        advance(self._chain)
        if self.beside is not None:
            self.beside.block()


def opened(path: Path, points: Points) -> DyingJournal:
    journal = DyingJournal.open(path, clock=lambda: START)
    journal.points = points
    return journal


def run_panic(chain: Chain, path: Path, points: Points, beside: Beside | None = None) -> Left:
    """One run of the command to its end; raises Killed where a point kills it."""
    venue = DyingShell(chain, OWNER)
    venue.beside = beside
    venue.points, venue.journal, venue.sent = points, path, []
    journal = opened(path, points)
    try:
        return at_once(
            close_everything(venue, journal, HandsOff(), patience=MINUTE, heard=lambda _: None)
        )
    finally:
        journal.close()


def again(chain: Chain, path: Path) -> None:
    assert run_panic(chain, path, Points()) == Left()


def by_a_guard(chain: Chain, path: Path) -> None:
    journal = opened(path, Points())
    guard = Agent.resume(
        LocalVenue(chain, OWNER), journal, Policy(), digest="d", mode=Mode.LIVE, owner=OWNER
    )
    for _ in range(20):
        at_once(guard.tick())
        advance(chain)
    journal.close()


def latches(path: Path, chain: Chain) -> bool:
    """Whether a guard that starts now lets no position open."""
    journal = opened(path, Points())
    guard = Agent.resume(
        LocalVenue(chain, OWNER), journal, Policy(), digest="d", mode=Mode.LIVE, owner=OWNER
    )
    at_once(guard.tick())
    journal.close()
    alarm = guard.memory.alarms.get("panic")
    return alarm is not None and alarm.levels[0].phase is Phase.LATCHED


def test_the_points_of_a_panic_are_before_and_after_each_write_and_call(tmp_path: Path) -> None:
    points = Points()

    run_panic(stage(), tmp_path / "j.db", points)

    assert {name.partition(" ")[2] for name in points.names} == {
        "writing command",
        "writing panic, message, sending, family",
        "writing reply",
        "writing panic, outcome",
        "writing panic, outcome, message",
        "observing",
        "sending cancel",
        "sending reduce",
    }


@pytest.mark.parametrize("stays_down", [0, 1, 8])
@pytest.mark.parametrize("then", [again, by_a_guard])
def test_killed_at_every_point_it_closes_once_and_is_remembered(
    tmp_path: Path, then: Then, stays_down: int
) -> None:
    points = Points()
    run_panic(stage(), tmp_path / "whole.db", points)
    names = points.names

    for number, name in enumerate(names):
        chain, path = stage(), tmp_path / f"{number}.db"
        with pytest.raises(Killed):
            run_panic(chain, path, Points(kill_at=number))
        for _ in range(stays_down):
            advance(chain)
        is_written = "before writing command" not in name

        then(chain, path)

        try:
            assert_well(chain, path, is_closed=is_written or then is again)
        except AssertionError as error:
            raise AssertionError(f"killed {name} (point {number}): {error}") from error


@pytest.mark.parametrize("ticks_between", [1, 3])
def test_a_guard_that_runs_follows_what_a_panic_sent_before_it_died(
    tmp_path: Path, ticks_between: int
) -> None:
    points = Points()
    run_panic(stage(), tmp_path / "whole.db", points)

    for number, name in enumerate(points.names):
        chain, path = stage(), tmp_path / f"{number}.db"
        journal = opened(path, Points())
        venue = LocalVenue(chain, OWNER)
        guard = Agent.resume(venue, journal, Policy(), digest="d", mode=Mode.LIVE, owner=OWNER)
        beside = Beside(guard, ticks_between)

        with pytest.raises(Killed):
            run_panic(chain, path, Points(kill_at=number), beside)
        for _ in range(20):
            at_once(guard.tick())
            advance(chain)

        journal.close()
        try:
            assert not guard.memory.sent
            assert not guard.memory.cancels
            assert_ended(path)
            assert_well(chain, path, is_closed="before writing command" not in name)
        except AssertionError as error:
            raise AssertionError(f"killed {name} (point {number}): {error}") from error


def assert_ended(path: Path) -> Written:
    """A journal in which everything that was sent has one id and one end."""
    journal = written(path)
    ids = [one.id for one in journal.sending]
    assert len(ids) == len(set(ids))
    assert Counter(one.action_id for one in journal.outcomes) == Counter(ids)
    return journal


def assert_well(chain: Chain, path: Path, *, is_closed: bool) -> None:
    """What holds whoever died when; a command that was never written is no command."""
    sold = sum(fill.quantums for _, fill in chain.history.fills)
    assert sold == (WHOLE if is_closed else 0)
    assert latches(path, chain) is is_closed
    journal = assert_ended(path)
    bodies: dict[int, set[Reduce]] = {}
    for one in journal.sending:
        if isinstance(one.action, Reduce):
            bodies.setdefault(one.action.client_id, set()).add(one.action)
    assert all(len(same) == 1 for same in bodies.values()), "one body for an order id"
