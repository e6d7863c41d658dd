"""What the simulation found, replayed: the seeds of docs/found-by-simulation.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall.storm.case import case_of
from seawall.storm.play import play

FOUND = Path(__file__).parents[2] / "docs" / "found-by-simulation.md"
SEEDS = (6, 7, 18, 19, 20, 47, 49)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_that_once_broke_the_guard_does_so_no_more(seed: int) -> None:
    assert play(case_of(seed)).broken == ()


def test_every_seed_that_is_written_down_is_replayed() -> None:
    rows = [row.split("|")[1].strip() for row in FOUND.read_text().splitlines() if "|" in row]

    told = {int(word) for row in rows for word in row.split(", ") if word.isdigit()}

    assert told == set(SEEDS)
