"""The referee's arithmetic at the bound, just under and just over."""

from __future__ import annotations

from fractions import Fraction

import pytest

from seawall.simulator import ruler
from seawall.simulator.markets import BTC_USD, SOL_USD, LiquidationConfig
from seawall.simulator.ruler import Held, Risk, Verdict

BTC = ruler.terms_of(BTC_USD, 100_000 * 10**5, 0, BTC_USD.open_interest)
COIN = 10**10
LIMITS = LiquidationConfig()


def test_a_short_is_worth_the_negative_of_the_long() -> None:
    odd = ruler.terms_of(BTC_USD, 1, 0, 0)

    assert ruler.notional(odd, 10**9 * 3 - 1) == 2
    assert ruler.notional(odd, -(10**9 * 3 - 1)) == -2


@pytest.mark.parametrize(("size", "required"), [(0, 0), (1, 1), (50, 1), (51, 2), (100, 2)])
def test_maintenance_takes_two_ceilings(size: int, required: int) -> None:
    # 2% of 51 is 1.02, up to 2; 60% of 2 is 1.2, up to 2. One ceiling would say 0.612, up to 1.
    assert ruler.maintenance(BTC, size) == required


def test_funding_is_floored_once_over_all_positions() -> None:
    terms = {0: ruler.terms_of(BTC_USD, 1, 1, 0), 5: ruler.terms_of(SOL_USD, 1, 1, 0)}
    each_owes_half = (Held(0, 500_000, 0), Held(5, 500_000, 0))

    assert ruler.funding_owed(each_owes_half, terms) == -1


def test_net_collateral_at_maintenance_is_safe_and_one_below_is_not() -> None:
    assert not Risk(nc=1_200, imr=2_000, mmr=1_200).is_liquidatable
    assert Risk(nc=1_199, imr=2_000, mmr=1_200).is_liquidatable
    assert not Risk(nc=-5, imr=0, mmr=0).is_liquidatable


@pytest.mark.parametrize(
    ("open_interest_dollars", "ppm"),
    [(39_999_999, 50_000), (40_000_000, 50_000), (70_000_000, 525_000), (100_000_000, 1_000_000)],
)
def test_open_interest_scales_the_initial_fraction_between_the_caps(
    open_interest_dollars: int, ppm: int
) -> None:
    coins = open_interest_dollars // 100  # at $100 a coin
    sol = ruler.terms_of(SOL_USD, 100 * 10**8, 0, coins * 10**7)

    assert ruler.initial_ppm(sol) == ppm
    assert ruler.initial_ppm(sol, custom_ppm=600_000) == max(ppm, 600_000)


@pytest.mark.parametrize(
    ("new", "verdict"),
    [
        (Risk(100, 100, 60), Verdict.SUCCESS),  # initially collateralized
        (Risk(30, 80, 48), Verdict.SUCCESS),  # NC/MMR kept: 50/80 = 30/48
        (Risk(29, 80, 48), Verdict.STILL_UNDERCOLLATERALIZED),
        (Risk(49, 140, 81), Verdict.STILL_UNDERCOLLATERALIZED),  # MMR may not rise
        (Risk(-1, 0, 0), Verdict.STILL_UNDERCOLLATERALIZED),  # a full close needs NC >= 0
        (Risk(0, 0, 0), Verdict.SUCCESS),
    ],
)
def test_an_update_below_initial_margin_may_not_worsen_the_ratio(
    new: Risk, verdict: Verdict
) -> None:
    assert ruler.judge(Risk(50, 133, 80), new) is verdict


def test_a_refusal_says_whether_the_account_was_sound_before() -> None:
    assert ruler.judge(Risk(100, 90, 60), Risk(80, 90, 60)) is Verdict.NEWLY_UNDERCOLLATERALIZED


def test_a_rebate_shrinks_and_a_fee_grows_to_the_next_quantum() -> None:
    assert ruler.fee(1_001, 500) == 1
    assert ruler.fee(10_001, -110) == -1


@pytest.mark.parametrize(
    ("dollars", "closed"),
    [
        (900, 900),  # below the minimum notional: all of it
        (1_000, 1_000),
        (5_000, 1_000),  # the minimum beats 10%
        (100_000, 10_000),
        (2_000_000, 100_000),  # the subaccount's limit beats 10%
    ],
)
def test_one_attempt_closes_a_tenth_or_the_minimum(dollars: int, closed: int) -> None:
    size = dollars * COIN // 100_000

    found = ruler.liquidation_size(BTC, -size, 10**6, LIMITS, 0)

    assert found == closed * COIN // 100_000


def test_the_fillable_price_is_the_oracle_at_maintenance_and_capped_below_zero() -> None:
    oracle = Fraction(BTC.worth, BTC.unworth)
    at_maintenance = ruler.fillable_price(Risk(1_200, 2_000, 1_200), BTC, COIN, LIMITS)
    broke = ruler.fillable_price(Risk(-1, 2_000, 1_200), BTC, COIN, LIMITS)
    short = ruler.fillable_price(Risk(0, 2_000, 1_200), BTC, -COIN, LIMITS)

    assert at_maintenance == oracle
    assert broke == oracle * Fraction(982, 1_000)  # 1.5 x 1.2% under it
    assert short == oracle * Fraction(1_018, 1_000)


def test_closing_at_the_bankruptcy_price_keeps_the_ratio() -> None:
    account = Risk(nc=600 * 10**6, imr=2_000 * 10**6, mmr=1_200 * 10**6)

    quote = ruler.bankruptcy_quote(account, BTC, COIN, -COIN // 2)

    assert quote == 50_000 * 10**6 - 300 * 10**6
    assert ruler.bankruptcy_quote(account, BTC, COIN, -COIN) == 99_400 * 10**6


@pytest.mark.parametrize(
    ("quote", "insured"),
    [
        (990, -10),  # worse than bankruptcy: the fund pays the difference
        (1_000, 0),
        (1_005, 5),  # what is left, since the fee would be more
        (1_020, 15),  # 1.5%, rounded down
    ],
)
def test_the_fund_gets_the_fee_as_far_as_it_is_there(quote: int, insured: int) -> None:
    assert ruler.insurance_delta(quote, 1_000, 15_000) == insured
