"""Decimals become the chain's integers exactly, also where floats go wrong."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall.errors import MalformedAnswer
from seawall.venue.dydx.grid import Grid

BTC = Grid(
    ticker="BTC-USD",
    perpetual_id=0,
    clob_pair_id=0,
    atomic_resolution=-10,
    quantum_conversion_exponent=-9,
)
ETH = Grid(
    ticker="ETH-USD",
    perpetual_id=1,
    clob_pair_id=1,
    atomic_resolution=-9,
    quantum_conversion_exponent=-9,
)
SOL = Grid(
    ticker="SOL-USD",
    perpetual_id=5,
    clob_pair_id=5,
    atomic_resolution=-7,
    quantum_conversion_exponent=-8,
)
DOGE = Grid(
    ticker="DOGE-USD",
    perpetual_id=6,
    clob_pair_id=6,
    atomic_resolution=-4,
    quantum_conversion_exponent=-9,
)


@pytest.mark.parametrize(
    ("grid", "size", "quantums"),
    [
        (BTC, "0.0003", 3_000_000),  # a float gives 2_000_000
        (BTC, "0.0006", 6_000_000),
        (BTC, "0.0012", 12_000_000),
        (BTC, "-0.0012", -12_000_000),
        (ETH, "1.001", 1_001_000_000),
        (SOL, "64.1", 641_000_000),
        (DOGE, "123456789012345678", 1_234_567_890_123_456_780_000),
        (BTC, "0", 0),
    ],
)
def test_a_size_is_exact(grid: Grid, size: str, quantums: int) -> None:
    assert grid.quantums(Decimal(size)) == quantums


@pytest.mark.parametrize(
    ("grid", "price", "subticks"),
    [
        (BTC, "99990", 9_999_000_000),
        (ETH, "2048.2", 2_048_200_000),  # a float gives 2048.1
        (SOL, "64.07", 640_700_000),
        (DOGE, "0.5005", 50_050_000_000),
    ],
)
def test_a_price_is_exact(grid: Grid, price: str, subticks: int) -> None:
    assert grid.subticks(Decimal(price)) == subticks


def test_what_the_chain_cannot_hold_is_refused_and_named() -> None:
    with pytest.raises(MalformedAnswer, match=r"1E-11 BTC-USD is finer"):
        BTC.quantums(Decimal("0.00000000001"))
    with pytest.raises(MalformedAnswer, match="finer"):
        BTC.subticks(Decimal("1.000001"))


def test_a_fill_between_the_units_takes_the_nearest() -> None:
    assert BTC.nearest_subticks(Decimal("1.000007")) == 100_001
    assert BTC.nearest_subticks(Decimal("1.000004")) == 100_000
