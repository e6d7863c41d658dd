"""What the chain asks of an account: monotone where it must be, exact at every bound."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall import margin
from seawall.account import Missing, Position, Subaccount
from seawall.errors import MissingParameter
from seawall.units import BaseQuantums, Ppm, QuoteQuantums
from tests.accounts import Account, accounts
from tests.margin.risks import long_and_short, risk_of
from tests.see import BTC, ETH, MARKETS, priced, quote, see, subaccount_of


def test_requirements_are_those_of_the_tiers() -> None:
    now = margin.risk(long_and_short(23_000), MARKETS)

    assert now == risk_of(quote(23_000), quote(6_000 * 0.012 + 4_000 * 0.012), quote(200))


def test_maintenance_margin_has_two_ceilings() -> None:
    assert margin.maintenance_requirement(BTC, 1) == 1
    assert margin.maintenance_requirement(BTC, 50) == 1
    assert margin.maintenance_requirement(BTC, 51) == 2


def test_custom_leverage_raises_the_initial_requirement_only() -> None:
    plain = subaccount_of(0, 23_000, {"BTC-USD": "0.06"}, MARKETS)
    braked = replace(plain, custom_imf_ppm={"BTC-USD": Ppm(500_000)})

    before, after = margin.risk(plain, MARKETS), margin.risk(braked, MARKETS)

    assert after == replace(before, imr=quote(3_000))


def test_custom_leverage_below_the_tier_changes_nothing() -> None:
    plain = subaccount_of(0, 23_000, {"BTC-USD": "0.06"}, MARKETS)

    assert margin.risk(replace(plain, custom_imf_ppm={"BTC-USD": Ppm(1)}), MARKETS) == margin.risk(
        plain, MARKETS
    )


def test_leverage_that_was_not_read_leaves_imr_unknown_and_the_rest_exact() -> None:
    plain = subaccount_of(0, 23_000, {"BTC-USD": "0.06"}, MARKETS)
    unread = replace(plain, custom_imf_ppm=Missing(reason="deadline"))

    now = margin.risk(unread, MARKETS)

    assert now == replace(margin.risk(plain, MARKETS), imr=None)
    assert now.is_initially_collateralized is None


def test_funding_is_floored_once_over_all_positions() -> None:
    # Each position owes 0.4 quantums; one floor over the sum takes one, not two.
    markets = {
        "BTC-USD": replace(BTC, funding_index=400_000),
        "ETH-USD": replace(ETH, funding_index=400_000),
    }
    held = tuple(Position(ticker=ticker, quantums=BaseQuantums(1)) for ticker in markets)
    account = Subaccount(number=0, usdc=QuoteQuantums(10), positions=held)

    settled = margin.settle(account, markets)

    assert settled.usdc == 9
    assert [p.funding_index for p in settled.positions] == [400_000, 400_000]
    assert margin.settle(settled, markets) == settled


@pytest.mark.parametrize("price", [0, -1])
def test_a_price_that_is_not_above_zero_is_an_error_that_names_it(price: int) -> None:
    markets = {**MARKETS, "BTC-USD": replace(BTC, oracle_price=price)}

    with pytest.raises(MissingParameter, match="BTC-USD: oracle price is"):
        margin.risk(long_and_short(23_000), markets)


def test_a_market_that_was_not_read_is_an_error_that_names_it() -> None:
    with pytest.raises(MissingParameter, match="ETH-USD: no parameters"):
        margin.risk(long_and_short(23_000), {"BTC-USD": BTC})


def test_an_asset_that_is_not_usdc_is_an_error_that_names_it() -> None:
    assert margin.usdc_of([(0, -5), (1, 0)]) == -5
    with pytest.raises(MissingParameter, match="asset 1"):
        margin.usdc_of([(0, 5), (1, 1)])


@pytest.mark.parametrize(
    ("nc", "mmr", "is_liquidatable"),
    [(100, 100, False), (99, 100, True), (101, 100, False), (-1, 0, False), (0, 0, False)],
)
def test_liquidation_is_strictly_below_maintenance(
    nc: int, mmr: int, *, is_liquidatable: bool
) -> None:
    assert risk_of(nc, mmr).is_liquidatable is is_liquidatable
    assert risk_of(nc, mmr).is_maintained is (nc >= mmr)


@pytest.mark.parametrize(("nc", "is_collateralized"), [(100, True), (99, False), (101, True)])
def test_new_risk_is_taken_from_initial_margin_up(nc: int, *, is_collateralized: bool) -> None:
    assert risk_of(nc, 50, 100).is_initially_collateralized is is_collateralized


@given(accounts(), st.integers(0, 10**12))
def test_money_in_is_net_collateral_and_nothing_else(account: Account, amount: int) -> None:
    before = margin.risk(account.subaccount, account.markets)
    richer = replace(account.subaccount, usdc=QuoteQuantums(account.subaccount.usdc + amount))

    after = margin.risk(richer, account.markets)

    assert after == replace(before, nc=QuoteQuantums(before.nc + amount))


@given(accounts(), st.integers(0, 10**10))
def test_a_larger_position_never_asks_for_less(account: Account, more: int) -> None:
    first, *others = account.subaccount.positions
    sign = 1 if first.quantums > 0 else -1
    larger = replace(first, quantums=BaseQuantums(first.quantums + sign * more))

    before = margin.risk(account.subaccount, account.markets)
    after = margin.risk(replace(account.subaccount, positions=(larger, *others)), account.markets)

    assert after.mmr >= before.mmr
    assert before.imr is not None
    assert after.imr is not None
    assert after.imr >= before.imr
    assert after.imr >= after.mmr


@given(accounts(), st.integers(1, 10**12), st.integers(0, 10**12))
def test_headroom_moves_with_price_in_the_direction_of_the_position(
    account: Account, price: int, rise: int
) -> None:
    position = account.subaccount.positions[0]

    low = margin.risk(account.subaccount, account.priced(position.ticker, price))
    high = margin.risk(account.subaccount, account.priced(position.ticker, price + rise))

    change = (high.nc - high.mmr) - (low.nc - low.mmr)
    assert change >= 0 if position.quantums > 0 else change <= 0


@given(accounts(), st.integers(0, 10**16))
def test_open_interest_only_ever_raises_the_initial_fraction(account: Account, more: int) -> None:
    market = account.markets["A-USD"]
    crowded = replace(market, open_interest=BaseQuantums(market.open_interest + more))

    assert margin.open_interest_imf_ppm(crowded) >= margin.open_interest_imf_ppm(market)
    assert margin.maintenance_requirement(crowded, 10**9) == margin.maintenance_requirement(
        market, 10**9
    )


def test_margin_is_the_same_for_an_account_seen_and_built() -> None:
    seen = see(equity=23_000, positions={"BTC-USD": ("0.06", 90_000)})

    now = margin.risk(seen.subaccount(0), seen.markets)

    assert now.nc == quote(23_000)
    assert seen.markets["BTC-USD"] == priced(BTC, 90_000)
