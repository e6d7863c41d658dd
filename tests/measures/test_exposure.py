"""Exposure at the oracle: long, short, flat, grouped, capped, doubted."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import Missing, RestingOrder, Side
from seawall.measures import MEASURES
from seawall.measures.exposure import cap_of
from seawall.measures.spec import Instance, NoData, Value
from seawall.scenario import Buffer, Caps, DerivedCaps
from seawall.units import Ppm
from tests.see import AT, BTC, ETH, MARKETS, SOL, Held, book, priced, resting, scenario, see, view

BOOK: Held = {"BTC-USD": ("0.1", 100_000), "ETH-USD": (-1, 4_000)}
CHILD: Held = {"BTC-USD": ("-0.04", 100_000)}
ALL = ("BTC-USD", "ETH-USD", "SOL-USD")

IN_BTC = Instance(market="BTC-USD", markets=("BTC-USD",), subaccounts=(0, 128))
ACCOUNT = Instance(markets=ALL, subaccounts=(0, 128))
GROUP = Instance(group="majors", markets=("BTC-USD", "ETH-USD"), subaccounts=(0,))
PARENT = Instance(subaccount=0, markets=ALL, subaccounts=(0,))


@pytest.mark.parametrize(
    ("instance", "gross", "net"),
    [
        (IN_BTC, 14_000, 6_000),
        (ACCOUNT, 18_000, 2_000),
        (GROUP, 14_000, 6_000),
        (PARENT, 14_000, 6_000),
        (Instance(market="SOL-USD", markets=("SOL-USD",)), 0, 0),
        (Instance(market="ETH-USD", markets=("ETH-USD",)), 4_000, 4_000),
    ],
)
def test_gross_adds_sizes_and_net_adds_signs(instance: Instance, gross: int, net: int) -> None:
    looked = view(see(positions=BOOK, children={128: (100, CHILD)}))

    assert MEASURES["gross_exposure"].evaluate(looked, instance, None) == gross
    assert MEASURES["net_exposure"].evaluate(looked, instance, None) == net


# ---- caps

DERIVED = DerivedCaps(
    max_drawdown=Ppm(120_000), scenario="twin-gap", shares={"BTC-USD": Ppm(400_000)}
)


def cap_use(
    caps: Caps, *, held: Held | None = None, equity: int = 20_000, instance: Instance = IN_BTC
) -> Value:
    looked = view(
        see(equity=equity, positions=BOOK if held is None else held),
        caps=caps,
        buffer=Buffer(parent=Decimal(3_000)),
        scenarios=(scenario(slippage="0.015"),),
    )
    return MEASURES["cap_use"].evaluate(looked, instance, None)


@pytest.mark.parametrize(
    ("cap", "use"),
    [("10000", "1"), ("9999.999999", "1.0000000001"), ("12500", "0.8")],
)
def test_a_typed_cap_is_used_by_gross_notional(cap: str, use: str) -> None:
    value = cap_use(Caps(typed={"BTC-USD": Decimal(cap)}))

    assert isinstance(value, Decimal)
    assert value.quantize(Decimal("1e-10")) == Decimal(use)


def test_a_derived_cap_spends_its_share_of_the_drawdown_limit() -> None:
    # 12% x (20,000 - 3,000) x 40% / (10% + 1.5%)
    cap = Decimal("0.12") * 17_000 * Decimal("0.4") / Decimal("0.115")

    value = cap_use(Caps(derived=DERIVED))

    assert isinstance(value, Decimal)
    assert abs(value - 10_000 / cap) < Decimal("1e-20")


def test_the_smaller_of_typed_and_derived_holds() -> None:
    typed = Caps(typed={"BTC-USD": Decimal(5_000)}, derived=DERIVED)
    loose = Caps(typed={"BTC-USD": Decimal(50_000)}, derived=DERIVED)

    assert cap_use(typed) == 2
    assert cap_use(loose) == cap_use(Caps(derived=DERIVED))


def test_equity_inside_the_buffer_leaves_no_cap_at_all() -> None:
    assert cap_use(Caps(derived=DERIVED), equity=3_000) == Decimal("Infinity")
    assert cap_use(Caps(derived=DERIVED), equity=2_000, held={}) == 0


def test_only_markets_with_a_cap_count() -> None:
    caps = Caps(typed={"BTC-USD": Decimal(10_000), "SOL-USD": Decimal(10_000)})

    assert cap_use(caps, instance=ACCOUNT) == Decimal("0.5")
    assert isinstance(cap_use(Caps(), instance=ACCOUNT), NoData)


def test_a_scenario_that_does_not_move_a_market_derives_no_cap_for_it() -> None:
    looked = view(see(), caps=Caps(derived=DERIVED), scenarios=(scenario(shocks={}),))

    assert cap_of(looked, "BTC-USD") is None
    assert cap_of(looked, "ETH-USD") is None


def test_a_cap_from_a_scenario_that_is_not_there_is_no_data() -> None:
    looked = view(see(), caps=Caps(derived=DERIVED))

    assert isinstance(cap_of(looked, "BTC-USD"), NoData)
    assert isinstance(MEASURES["cap_use"].evaluate(looked, IN_BTC, None), NoData)


def test_a_cap_of_equity_that_cannot_be_told_is_no_data() -> None:
    seen = see(positions=BOOK, markets=MARKETS)
    broken = replace(seen, markets={**seen.markets, "ETH-USD": priced(ETH, 0)})
    looked = view(broken, caps=Caps(derived=DERIVED), scenarios=(scenario(),))

    assert isinstance(MEASURES["cap_use"].evaluate(looked, IN_BTC, None), NoData)


# ---- resting orders


def order_risk(held: Held, *orders: RestingOrder, instance: Instance = IN_BTC) -> Value:
    looked = view(see(positions=held, orders=orders))
    return MEASURES["open_order_risk"].evaluate(looked, instance, None)


LONG: Held = {"BTC-USD": ("0.1", 100_000)}
SHORT: Held = {"BTC-USD": ("-0.1", 100_000)}
BUY = resting(BTC, Side.BUY, "0.02", 99_000)
SELL = resting(BTC, Side.SELL, "0.05", 101_000)
LARGE_SELL = resting(BTC, Side.SELL, "0.25", 101_000)


@pytest.mark.parametrize(
    ("held", "orders", "more"),
    [
        (LONG, (), 0),
        (LONG, (BUY,), 2_000),
        (LONG, (BUY, BUY), 4_000),
        (LONG, (SELL,), 0),
        (LONG, (LARGE_SELL,), 5_000),  # flips to 0.15 short
        (LONG, (BUY, LARGE_SELL), 5_000),  # the worse side, not the sum
        (SHORT, (SELL,), 5_000),
        (SHORT, (BUY,), 0),
        ({}, (BUY,), 2_000),
        ({}, (BUY, SELL), 5_000),
    ],
)
def test_resting_orders_risk_what_one_side_could_add(
    held: Held, orders: tuple[RestingOrder, ...], more: int
) -> None:
    assert order_risk(held, *orders) == more


def test_reduce_only_orders_add_nothing() -> None:
    stop = resting(BTC, Side.SELL, "0.25", 90_000, reduce_only=True)

    assert order_risk(LONG, stop, stop) == 0


def test_orders_of_other_subaccounts_and_markets_are_not_in_scope() -> None:
    child = resting(BTC, Side.BUY, "0.02", 99_000, subaccount=128)
    other = resting(SOL, Side.BUY, 1, 100)

    assert order_risk(LONG, child, other, instance=replace(IN_BTC, subaccounts=(0,))) == 0
    assert order_risk(LONG, other, instance=ACCOUNT) == 200


def test_orders_that_were_not_read_are_no_data() -> None:
    looked = view(see(positions=LONG, orders=Missing(reason="indexer down")))

    value = MEASURES["open_order_risk"].evaluate(looked, IN_BTC, None)

    assert value == NoData(reason="resting orders: indexer down")


# ---- prices that cannot be believed

EXPOSURE = ["gross_exposure", "net_exposure", "cap_use", "open_order_risk"]


def exposure_at_mid(name: str, mid: int, *, age: int = 0) -> Value:
    shown = {"BTC-USD": book(BTC, mid, seen_at=AT)}
    looked = view(
        see(positions=LONG, orders=(BUY,), books=shown, seen_at=type(AT)(AT + age)),
        caps=Caps(typed={"BTC-USD": Decimal(10_000)}),
    )
    return MEASURES[name].evaluate(looked, IN_BTC, None)


@pytest.mark.parametrize("name", EXPOSURE)
@pytest.mark.parametrize("mid", [103_000, 97_000, 100_000])
def test_a_price_inside_the_band_is_believed(name: str, mid: int) -> None:
    assert isinstance(exposure_at_mid(name, mid), Decimal)


@pytest.mark.parametrize("name", EXPOSURE)
@pytest.mark.parametrize("mid", [103_001, 96_999])
def test_a_price_that_its_own_book_denies_is_no_data(name: str, mid: int) -> None:
    value = exposure_at_mid(name, mid)

    assert isinstance(value, NoData)
    assert "BTC-USD" in value.reason


@pytest.mark.parametrize("name", EXPOSURE)
def test_an_old_book_denies_nothing(name: str) -> None:
    assert isinstance(exposure_at_mid(name, 90_000, age=3_000), NoData)
    assert isinstance(exposure_at_mid(name, 90_000, age=3_001), Decimal)


@pytest.mark.parametrize("name", EXPOSURE)
def test_a_price_of_zero_is_no_data(name: str) -> None:
    seen = see(positions=LONG, orders=(BUY,))
    looked = view(
        replace(seen, markets={**seen.markets, "BTC-USD": priced(BTC, 0)}),
        caps=Caps(typed={"BTC-USD": Decimal(10_000)}),
    )

    assert isinstance(MEASURES[name].evaluate(looked, IN_BTC, None), NoData)
