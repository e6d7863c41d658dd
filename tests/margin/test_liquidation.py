"""The last safe price is safe and the next one is not, whichever way the position points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given

from seawall import margin, units
from seawall.account import Position, Subaccount
from seawall.margin import Markets, NoPrice
from seawall.units import BaseQuantums, Ppm, QuoteQuantums
from tests.accounts import Account, accounts
from tests.margin.risks import long_and_short
from tests.see import BTC, MARKETS, subaccount_of


@given(accounts())
def test_the_last_safe_price_is_safe_and_the_next_is_not(account: Account) -> None:
    for position in account.subaccount.positions:
        price = margin.liquidation_price(account.subaccount, position.ticker, account.markets)
        if isinstance(price, NoPrice):
            continue
        beyond = price - 1 if position.quantums > 0 else price + 1

        safe = margin.risk(account.subaccount, account.priced(position.ticker, price))
        unsafe = margin.risk(account.subaccount, account.priced(position.ticker, beyond))

        assert safe.nc >= safe.mmr
        assert unsafe.nc < unsafe.mmr


@given(accounts())
def test_no_price_means_that_both_ends_agree(account: Account) -> None:
    for position in account.subaccount.positions:
        price = margin.liquidation_price(account.subaccount, position.ticker, account.markets)
        if not isinstance(price, NoPrice):
            continue
        ends = [
            margin.risk(account.subaccount, account.priced(position.ticker, end))
            for end in (1, 2**64 - 1)
        ]

        is_safe = {end.nc >= end.mmr for end in ends}

        assert is_safe == {price is NoPrice.NEVER}


@pytest.mark.parametrize("size", ["0.1", "-0.1"])
def test_the_closed_form_leaves_little_to_bisect(
    size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = subaccount_of(0, 1_000, {"BTC-USD": size}, MARKETS)
    worth, asked = units.base_to_quote, []

    def counted(quantums: int, price: int, exponent: int, resolution: int) -> QuoteQuantums:
        asked.append(price)
        return worth(quantums, price, exponent, resolution)

    monkeypatch.setattr(units, "base_to_quote", counted)
    margin.liquidation_price(account, "BTC-USD", MARKETS)

    assert len(asked) < 12


def test_the_band_of_a_long_is_what_the_closed_form_says() -> None:
    # Equity 1,000 on 0.1 BTC at 100,000: P* = (0.1 x 100,000 - 1,000) / (0.1 x 0.988).
    account = subaccount_of(0, 1_000, {"BTC-USD": "0.1"}, MARKETS)

    room = margin.band(account, "BTC-USD", MARKETS)

    assert room.price_dollars == Decimal("91093.11741")
    assert room.band == Decimal("100000") - Decimal("91093.11741")
    assert room.move == Decimal("0.0890688259")
    assert room.loss == Decimal("890.688259")


def test_the_band_of_a_short_points_up() -> None:
    account = subaccount_of(0, 1_000, {"BTC-USD": "-0.1"}, MARKETS)

    room = margin.band(account, "BTC-USD", MARKETS)

    assert room.price_dollars == Decimal("108695.65217")
    assert room.band == Decimal("8695.65217")
    assert room.move > 0


def test_the_band_is_negative_once_the_price_is_passed() -> None:
    account = subaccount_of(0, 100, {"BTC-USD": "0.1"}, MARKETS)

    room = margin.band(account, "BTC-USD", MARKETS)

    assert margin.risk(account, MARKETS).is_liquidatable
    assert room.move < 0
    assert room.band < 0


def test_a_long_that_is_paid_for_has_no_liquidation_price() -> None:
    account = subaccount_of(0, 23_000, {"BTC-USD": "0.06"}, MARKETS)

    room = margin.band(account, "BTC-USD", MARKETS)

    assert room.price is NoPrice.NEVER
    assert room.price_dollars is None
    assert room.move == room.band == room.loss == Decimal("Infinity")


def test_a_small_position_cannot_save_an_account_that_another_one_ruined() -> None:
    account = subaccount_of(0, -5_000, {"BTC-USD": "-0.001", "ETH-USD": 10}, MARKETS)

    room = margin.band(account, "BTC-USD", MARKETS)

    assert room.price is NoPrice.ALWAYS
    assert room.move == Decimal("-Infinity")


@pytest.mark.parametrize("size", [50, -50])
def test_a_price_is_found_where_a_unit_of_it_is_many_quantums(size: int) -> None:
    # One price unit of one base quantum is a hundred quote quantums.
    coarse = replace(
        BTC, atomic_resolution=-2, oracle_exponent=-2, oracle_price=1_000, step_base_quantums=1
    )
    markets = {"BTC-USD": coarse}
    account = Subaccount(
        number=0,
        usdc=QuoteQuantums(-3_000_000 if size > 0 else 7_000_000),
        positions=(Position(ticker="BTC-USD", quantums=BaseQuantums(size)),),
    )

    price = margin.liquidation_price(account, "BTC-USD", markets)

    assert not isinstance(price, NoPrice)
    for shown, is_safe in ((price, True), (price - 1 if size > 0 else price + 1, False)):
        now = margin.risk(account, {"BTC-USD": replace(coarse, oracle_price=shown)})
        assert (now.nc >= now.mmr) is is_safe


def test_a_position_at_full_margin_has_no_price_to_speak_of() -> None:
    tier = replace(
        BTC.tier, initial_margin_ppm=Ppm(1_000_000), maintenance_fraction_ppm=Ppm(1_000_000)
    )
    markets = {"BTC-USD": replace(BTC, tier=tier)}

    poor = subaccount_of(0, 5_000, {"BTC-USD": "0.1"}, markets)
    rich = subaccount_of(0, 10_000, {"BTC-USD": "0.1"}, markets)

    assert margin.liquidation_price(poor, "BTC-USD", markets) is NoPrice.ALWAYS
    assert margin.liquidation_price(rich, "BTC-USD", markets) is NoPrice.NEVER


@pytest.mark.parametrize("ask", [margin.liquidation_price, margin.band])
def test_a_market_that_is_not_held_has_no_band(
    ask: Callable[[Subaccount, str, Markets], object],
) -> None:
    with pytest.raises(KeyError):
        ask(long_and_short(23_000), "SOL-USD", MARKETS)
