"""An account in dollars as floats: what the rows of the programme are written from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.account import Missing
from seawall.measures.view import View
from seawall.plan import trial
from seawall.plan.frame import Column, columns_of, stands_of
from tests.see import BTC, Held, Number, book, quantums, see, view

SLOT = (0, "BTC-USD")
FEE = 0.0005


def held(size: Number = "0.4", *, equity: Number = 10_000, mid: Number = 100_000) -> View:
    position: Held = {"BTC-USD": (size, 100_000)}
    books = {"BTC-USD": book(BTC, mid, levels=[("0.001", "0.1"), ("0.002", "0.2"), ("0.003", 9)])}
    return view(see(equity=equity, positions=position, books=books))


def columns(on: View, most: Number) -> tuple[Column, ...]:
    offer = trial.quote_for(on, SLOT, 20_000)
    assert offer is not None
    return columns_of(on, offer, int(quantums(BTC, most)))


def test_each_level_takes_what_is_left_of_a_position() -> None:
    for most, rooms in (
        ("0.4", [10_000, 20_000, 10_000]),
        ("0.25", [10_000, 15_000]),
        ("0.1", [10_000]),
        ("0", []),
    ):
        assert [one.room for one in columns(held(), most)] == pytest.approx(rooms)


def test_a_level_of_less_than_a_step_keeps_no_later_one_from_being_taken() -> None:
    on = held()
    offer = trial.quote_for(on, SLOT, 20_000)
    assert offer is not None
    dust = replace(offer.levels[0], quantums=type(offer.held)(BTC.step_base_quantums - 1))

    found = columns_of(on, replace(offer, levels=(dust, *offer.levels)), int(offer.held))

    assert [one.room for one in found] == pytest.approx([10_000, 20_000, 10_000])


@pytest.mark.parametrize(("size", "sign"), [("0.4", -1), ("-0.4", 1)])
def test_a_column_costs_its_distance_from_the_oracle_and_its_fee(size: str, sign: int) -> None:
    first, second, _ = columns(held(size), "0.4")

    for one, away in ((first, 0.001), (second, 0.002)):
        ratio = 1 + sign * away
        assert one.cost == pytest.approx(away + FEE * ratio)
        assert one.price == pytest.approx(FEE * ratio + away + 0.0001)
        assert one.each == pytest.approx(1e-5)


def test_a_book_better_than_the_oracle_earns_in_margin_and_nothing_in_the_objective() -> None:
    (first, *_) = columns(held(mid=101_000), "0.4")

    assert first.cost == pytest.approx(-(1.00899 - 1) + FEE * 1.00899)
    assert first.price == pytest.approx(FEE * 1.00899 + 0.00101 + 0.0001)


def test_positions_stand_in_dollars_with_sign_and_fractions() -> None:
    for size, sign in (("0.4", 1), ("-0.4", -1)):
        stands, margins = stands_of(held(size))

        (stand,) = stands.values()
        assert (stand.slot, stand.sign, stand.hourly) == (SLOT, sign, 0)
        assert stand.size == pytest.approx(40_000)
        assert (stand.maintenance, stand.initial) == pytest.approx((0.012, 0.02))
        assert (margins[0].nc, margins[0].mmr, margins[0].buffer) == pytest.approx((10_000, 480, 0))
        assert margins[0].imr == pytest.approx(800)


def test_a_long_of_one_quantum_is_a_long() -> None:
    on = held().observation
    (parent,) = on.subaccounts
    (position,) = parent.positions
    dust = replace(parent, positions=(replace(position, quantums=type(position.quantums)(1)),))

    (stand,) = stands_of(view(replace(on, subaccounts=(dust,))))[0].values()

    assert stand.sign == 1


def test_custom_leverage_raises_the_initial_fraction_and_one_not_read_leaves_it_unknown() -> None:
    position: Held = {"BTC-USD": ("0.4", 100_000)}
    raised = view(see(positions=position, custom_imf={"BTC-USD": "0.1"}))
    unread = view(see(positions=position, custom_imf=Missing(reason="not read")))

    assert stands_of(raised)[0][SLOT].initial == pytest.approx(0.1)
    assert stands_of(raised)[1][0].imr == pytest.approx(4_000)
    assert stands_of(unread)[0][SLOT].initial == pytest.approx(0.02)
    assert stands_of(unread)[1][0].imr is None


def test_a_subaccount_whose_margins_cannot_be_told_hides_no_other() -> None:
    children: dict[int, tuple[Number, Held]] = {128: (500, {"ETH-USD": (1, 4_000)})}
    seen = see(positions={"BTC-USD": ("0.4", 100_000)}, children=children)
    unpriced = replace(seen.markets["BTC-USD"], oracle_price=0)
    on = view(replace(seen, markets={**seen.markets, "BTC-USD": unpriced}))

    stands, margins = stands_of(on)

    assert set(stands) == {(128, "ETH-USD")}
    assert set(margins) == {128}
