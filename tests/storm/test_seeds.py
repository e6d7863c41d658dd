"""The first two hundred days, as `make simulate SEEDS=200` plays them: nothing breaks."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from seawall.storm.case import case_of
from seawall.storm.play import play

SEEDS, AT_ONCE = 200, 10


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)  # what a guard logs of its bad days
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_nothing_breaks_in_ten_bad_days(first: int) -> None:
    broken = {seed: play(case_of(seed)).broken for seed in range(first, first + AT_ONCE)}

    assert {seed: what for seed, what in broken.items() if what} == {}
