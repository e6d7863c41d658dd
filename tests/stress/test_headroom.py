"""Headroom after a scenario is the contract's formula, and the chain's integers near zero."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given

from seawall import margin, stress
from seawall.account import Funding, Missing
from seawall.scenario import Scenario
from seawall.units import HOUR, Millis, QuoteQuantums
from tests.accounts import Account, accounts
from tests.see import BTC, CALM, MARKETS, Held, quote, scenario, see
from tests.stress.formula import room, scenarios, stand_of

NONE = QuoteQuantums(0)
MIXED: Held = {"BTC-USD": ("0.1", 100_000), "ETH-USD": (-1, 4_000)}


def headroom(equity: int, held: Held, feared: Scenario, buffer: QuoteQuantums = NONE) -> int:
    seen = see(equity=equity, positions=held)
    stand = stress.footing(seen.subaccount(0), seen.markets, seen.advice.funding, quote(equity))
    return stress.headroom(seen.subaccount(0), seen.markets, stand, feared, buffer)


def test_a_long_loses_the_move_the_slippage_and_the_margin_of_what_remains() -> None:
    # 10,000 falls to 9,000: 1,000 lost, 1.5% of 9,000 to bad fills, 1.2% of 9,000 asked as MMR.
    left = headroom(2_000, {"BTC-USD": ("0.1", 100_000)}, scenario(slippage="0.015"))

    assert left == quote(2_000 - 1_000 - 135 - 108)


def test_a_short_gains_on_the_way_down_and_is_judged_on_the_way_up() -> None:
    held: Held = {"BTC-USD": ("-0.1", 100_000)}
    one_way = scenario()
    both_ways = scenario(both_signs=True)

    assert headroom(2_000, held, one_way) == quote(2_000 + 1_000 - 108)
    assert headroom(2_000, held, both_ways) == quote(2_000 - 1_000 - 132)


def test_a_hedge_is_stressed_by_its_difference() -> None:
    feared = scenario("pair-break", {"BTC-USD": "-0.04", "ETH-USD": "0.04"})

    left = headroom(2_000, MIXED, feared)

    # The long loses 400, the short 160; 9,600 and 4,160 remain.
    assert left == quote(2_000 - 560) - quote("165.12")


def test_the_star_is_every_market_not_named_and_silence_is_no_move() -> None:
    held: Held = {"SOL-USD": (10, 200)}

    assert headroom(1_000, held, scenario()) == quote(1_000 - 300 - 51)
    assert headroom(1_000, held, scenario(shocks={"BTC-USD": "-0.5"})) == quote(1_000 - 60)


def test_the_buffer_is_not_there_to_lose() -> None:
    with_buffer = headroom(2_000, MIXED, scenario(), buffer=quote(500))

    assert with_buffer == headroom(2_000, MIXED, scenario()) - quote(500)


def test_a_price_does_not_fall_below_zero() -> None:
    everything = scenario(shocks={"*": "-1.5"})

    assert headroom(10_001, {"BTC-USD": ("0.1", 100_000)}, everything) == quote(1)


def test_an_account_without_positions_keeps_what_it_has() -> None:
    assert headroom(100, {}, scenario(both_signs=True, over=HOUR)) == quote(100)


@pytest.mark.parametrize(
    ("size", "rate", "p90_long", "p90_short", "paid"),
    [
        ("0.1", "0.0001", "0", "0", 4),  # current rate: longs pay
        ("0.1", "0.0001", "0.0002", "0", 8),  # the week was worse
        ("-0.1", "0.0001", "0.0002", "0", 0),  # a receipt is not netted
        ("-0.1", "-0.0001", "0", "0.0003", 12),
        ("0.1", "-0.0001", "0", "0.0003", 0),
    ],
)
def test_funding_is_paid_over_the_hours_and_never_received(
    size: str, rate: str, p90_long: str, p90_short: str, paid: int
) -> None:
    seen = see(equity=2_000, positions={"BTC-USD": (size, 100_000)})
    week = Funding(rate=Decimal(rate), p90_long=Decimal(p90_long), p90_short=Decimal(p90_short))
    four_hours = scenario(shocks={}, over=Millis(4 * HOUR))

    rooms = [
        stress.headroom(
            seen.subaccount(0),
            seen.markets,
            stress.footing(seen.subaccount(0), seen.markets, {"BTC-USD": rates}, quote(2_000)),
            four_hours,
            NONE,
        )
        for rates in (CALM, week)
    ]

    assert rooms[0] - rooms[1] == quote(paid)


@pytest.mark.parametrize("advice", [Missing(reason="indexer down"), {}])
def test_funding_that_was_not_read_is_charged_at_the_chains_clamp(
    advice: stress.FundingAdvice,
) -> None:
    # 6 x (2% - 1.2%) per 8 hours is 0.6% an hour.
    assert stress.hourly_rate_ppt(BTC, 1, advice) == 6_000_000_000
    assert stress.hourly_rate_ppt(BTC, -1, advice) == 6_000_000_000


@given(accounts(least=0), scenarios())
def test_headroom_is_the_formula_to_within_the_rounding_of_the_chain(
    account: Account, feared: Scenario
) -> None:
    stand = stand_of(account)

    found = stress.headroom(account.subaccount, account.markets, stand, feared, NONE)

    exact = min(room(account, feared, sign, Fraction(1)) for sign in feared.signs)
    if abs(exact) > stand.rounding + 1:
        assert found == exact.numerator // exact.denominator
    else:
        assert abs(found - exact) <= stand.rounding + 1


@given(accounts(least=0), scenarios())
def test_contributions_add_up_to_the_headroom(account: Account, feared: Scenario) -> None:
    stand = stand_of(account)
    sign = stress.worse_sign(stand, feared)

    parts = stress.contributions(stand, feared, sign)

    exact = min(room(account, feared, one, Fraction(1)) for one in feared.signs)
    assert parts.keys() == {p.ticker for p in account.subaccount.positions}
    assert -len(parts) - 1 <= stand.nc + sum(parts.values()) - exact <= 0


def test_near_zero_the_chains_integers_decide() -> None:
    # The fraction asks for 0.12 quantums less than the two ceilings of MMR do.
    held: Held = {"BTC-USD": ("0.0001", "100000.01")}
    flat = scenario(shocks={})
    seen = see(equity=1, positions=held)
    now = margin.risk(seen.subaccount(0), seen.markets)
    on_the_line = replace(
        seen.subaccount(0), usdc=QuoteQuantums(seen.subaccount(0).usdc - now.nc + now.mmr)
    )
    stand = stress.footing(on_the_line, seen.markets, {"BTC-USD": CALM}, now.mmr)

    at = stress.headroom(on_the_line, seen.markets, stand, flat, NONE)
    under = stress.headroom(on_the_line, seen.markets, stand, flat, QuoteQuantums(1))

    assert at == 0
    assert under == -1


@given(accounts())
def test_without_a_move_headroom_at_the_edge_is_the_margin_of_the_chain(account: Account) -> None:
    quiet = Scenario(name="quiet", shocks={})
    now = margin.risk(account.subaccount, account.markets)
    for above in (-1, 0, 1):
        edge = replace(
            account.subaccount,
            usdc=QuoteQuantums(account.subaccount.usdc - now.nc + now.mmr + above),
        )
        stand = stand_of(Account(subaccount=edge, markets=account.markets))

        assert stress.headroom(edge, account.markets, stand, quiet, NONE) == above


def test_the_markets_of_the_fixture_are_those_of_the_formula() -> None:
    assert {ticker: market.tier.initial_margin_ppm for ticker, market in MARKETS.items()} == {
        "BTC-USD": 20_000,
        "ETH-USD": 20_000,
        "SOL-USD": 50_000,
    }
