"""The liquidation band of one position: long, short, flat, passed, missing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import Observation, Subaccount
from seawall.measures.liquidation import liq_move
from seawall.measures.spec import Instance, NoData
from tests.see import BTC, MARKETS, Held, Number, priced, see, view

BTC_OF_PARENT = Instance(subaccount=0, market="BTC-USD")
LONG: Held = {"BTC-USD": ("0.1", 100_000)}
SHORT: Held = {"BTC-USD": ("-0.1", 100_000)}


@pytest.mark.parametrize(
    ("held", "equity", "move"),
    [
        (LONG, 1_108, "0.1"),  # 9,000 is safe to the quantum
        (SHORT, 1_132, "0.1"),
        (LONG, 120, "0"),  # at maintenance
        (LONG, 119, "0"),  # below it
        (SHORT, 120, "0"),
        (LONG, 10_000, "Infinity"),  # paid for
        ({}, 100, "Infinity"),
        ({"ETH-USD": (1, 4_000)}, 100, "Infinity"),
    ],
)
def test_the_move_to_liquidation(held: Held, equity: Number, move: str) -> None:
    value = liq_move(view(see(equity=equity, positions=held)), BTC_OF_PARENT, None)

    assert value == Decimal(move)


def test_a_quantum_more_or_less_moves_it() -> None:
    values = [
        liq_move(view(see(equity=equity, positions=LONG)), BTC_OF_PARENT, None)
        for equity in ("1107.99", "1108", "1108.01")
    ]

    numbers = [value for value in values if isinstance(value, Decimal)]
    assert numbers[0] < Decimal("0.1") == numbers[1] < numbers[2]


def test_other_positions_stand_still_but_use_margin() -> None:
    alone = liq_move(view(see(equity=1_108, positions=LONG)), BTC_OF_PARENT, None)
    crowded = liq_move(
        view(see(equity=1_108, positions={**LONG, "ETH-USD": (1, 4_000)})), BTC_OF_PARENT, None
    )

    assert isinstance(alone, Decimal)
    assert isinstance(crowded, Decimal)
    assert crowded < alone


def test_a_child_has_its_own_band() -> None:
    seen = see(equity=1, positions=LONG, children={128: (10_000, LONG)})

    value = liq_move(view(seen), Instance(subaccount=128, market="BTC-USD"), None)

    assert value == Decimal("Infinity")


def test_a_price_of_zero_is_no_data() -> None:
    seen = see(equity=1_000, markets={**MARKETS, "BTC-USD": priced(BTC, 0)})
    held = see(equity=1_000, positions=LONG).subaccounts
    broken = view(_holding(seen, held))

    assert isinstance(liq_move(broken, BTC_OF_PARENT, None), NoData)


@pytest.mark.parametrize(
    "instance",
    [
        Instance(),
        Instance(subaccount=0),
        Instance(market="BTC-USD"),
        Instance(subaccount=3, market="BTC-USD"),
    ],
)
def test_a_band_belongs_to_a_position_of_a_guarded_subaccount(instance: Instance) -> None:
    assert isinstance(liq_move(view(see(positions=LONG)), instance, None), NoData)


def _holding(seen: Observation, held: tuple[Subaccount, ...]) -> Observation:
    return replace(seen, subaccounts=held)
