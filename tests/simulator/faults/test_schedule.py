"""Schedules: every kind is described, and a seed draws the same faults every time."""

from __future__ import annotations

import pytest

from seawall.simulator.faults.kinds import USUAL, FaultKind
from seawall.simulator.faults.schedule import DRAWN, Fault, Faults, random_faults


def test_every_kind_says_what_it_does() -> None:
    assert set(USUAL) == set(FaultKind)
    assert len(FaultKind) >= 25
    assert all(usual.what for usual in USUAL.values())


def test_a_seed_draws_the_same_faults_every_time() -> None:
    assert random_faults(7, 600) == random_faults(7, 600)
    assert random_faults(7, 600) != random_faults(8, 600)


def test_seeds_reach_every_kind_and_begin_within_the_blocks() -> None:
    drawn = [random_faults(seed, 600, tickers=("BTC-USD",)) for seed in range(300)]

    assert {one.kind for faults in drawn for one in faults.faults} == set(DRAWN)
    assert all(one.first <= 600 for faults in drawn for one in faults.faults)
    assert {one.ticker for faults in drawn for one in faults.faults} == {None, "BTC-USD"}


def test_a_fault_does_not_end_before_it_begins() -> None:
    with pytest.raises(AssertionError, match="ends after"):
        Fault(kind=FaultKind.GATE_UP, first=5, last=4)


def test_the_last_block_of_a_schedule_is_that_of_its_last_fault() -> None:
    first = Fault(kind=FaultKind.GATE_UP, first=5, last=9)
    second = Fault(kind=FaultKind.BOOK_EMPTY, first=1, last=3)

    assert Faults(faults=(first, second)).last == 9
    assert Faults().last == 0
