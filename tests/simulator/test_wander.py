"""Seeded wandering: ends on the line, shares what it should, and is the same every time."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest

from seawall.errors import PriceFileError
from seawall.simulator.script import load_script
from seawall.simulator.wander import Bridge, wander
from seawall.units import HOUR, Millis

BRIDGE = Bridge(start=Millis(0), end=Millis(200 * HOUR), opening=100.0, closing=80.0)


def moves(correlation: float, own: str) -> list[float]:
    prices = [point.price for point in wander(BRIDGE, 0.02, correlation, "7", own)]
    return [math.log(b / a) for a, b in pairwise(prices)]


def correlation_of(one: list[float], other: list[float]) -> float:
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def test_the_same_words_give_the_same_prices() -> None:
    assert wander(BRIDGE, 0.02, 0.5, "7", "BTC") == wander(BRIDGE, 0.02, 0.5, "7", "BTC")
    assert wander(BRIDGE, 0.02, 0.5, "7", "BTC") != wander(BRIDGE, 0.02, 0.5, "8", "BTC")


def test_without_volatility_there_is_only_the_line() -> None:
    assert wander(BRIDGE, 0.0, 0.5, "7", "BTC") == []


def test_the_volatility_is_that_of_an_hour() -> None:
    squares = [move * move for move in moves(0.5, "BTC")]

    hourly = math.sqrt(sum(squares) / len(squares) * 60)
    assert 0.018 < hourly < 0.022


@pytest.mark.parametrize("wanted", [0.0, 0.8, 1.0])
def test_markets_share_the_part_they_are_told_to(wanted: float) -> None:
    found = correlation_of(moves(wanted, "BTC"), moves(wanted, "ETH"))

    assert abs(found - wanted) < 0.05


def test_a_scenario_wanders_and_ends_where_its_moves_say(tmp_path: Path) -> None:
    file = tmp_path / "storm.yaml"
    file.write_text(
        "name: storm\nstart: 2026-03-12T12:00:00Z\nseed: 3\nprices: {BTC-USD: 100_000}\n"
        "legs:\n  - {over: 6h, move: {BTC-USD: -10%}, volatility: 2%, correlation: 80%}\n"
    )

    path = load_script(file).path()

    assert path.price("BTC-USD", path.end) == pytest.approx(90_000)
    middle = path.price("BTC-USD", Millis(path.start + 3 * HOUR))
    assert 85_000 < middle < 105_000
    assert middle != pytest.approx(95_000)


def test_a_share_above_one_and_a_wrong_seed_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "storm.yaml"
    file.write_text(
        "name: storm\nstart: 2026-03-12T12:00:00Z\nseed: x\nprices: {BTC-USD: 100_000}\n"
        "legs:\n  - {over: 6h, volatility: 2%, correlation: 180%}\n"
    )

    with pytest.raises(PriceFileError) as refused:
        load_script(file)

    assert "180%" in str(refused.value)
    assert "`x`" in str(refused.value)
