"""The fatal multiple is the first root of the formula, kinks and signs included."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seawall import stress
from seawall.scenario import Scenario
from tests.accounts import Account, accounts
from tests.see import Held, Number, quote, scenario, see
from tests.stress.formula import room, scenarios, stand_of

INFINITY = Decimal("Infinity")
HAIR = Fraction(1, 10**12)


def fatal_move(equity: Number, held: Held, feared: Scenario) -> Decimal:
    seen = see(equity=equity, positions=held)
    stand = stress.footing(seen.subaccount(0), seen.markets, seen.advice.funding, quote(equity))
    return stress.fatal_move(stand, feared)


def test_the_multiple_scales_shocks_but_neither_slippage_nor_margin() -> None:
    # 2,000 - (1 - 0.1k)(1.2% + 1.5%) x 10,000 - 0.1k x 10,000 = 0 at k = 1,730 / 973.
    k = fatal_move(2_000, {"BTC-USD": ("0.1", 100_000)}, scenario(slippage="0.015"))

    assert k == Decimal(1_730) / Decimal(973)


@pytest.mark.parametrize(
    ("equity", "k"),
    [("119.999999", "0"), (120, "0"), ("120.988", "0.001")],
)
def test_at_just_under_and_just_over_maintenance(equity: Number, k: str) -> None:
    assert fatal_move(equity, {"BTC-USD": ("0.1", 100_000)}, scenario()) == Decimal(k)


def test_a_short_dies_on_the_way_up_only_where_both_signs_are_feared() -> None:
    held: Held = {"BTC-USD": ("-0.1", 100_000)}

    assert fatal_move(2_000, held, scenario()) == INFINITY
    assert fatal_move(2_000, held, scenario(both_signs=True)) == Decimal(1_880) / Decimal(1_012)


def test_nothing_held_nothing_fatal() -> None:
    assert fatal_move(2_000, {}, scenario(both_signs=True)) == INFINITY


def test_a_long_that_is_paid_for_survives_every_multiple() -> None:
    assert fatal_move(10_000, {"BTC-USD": ("0.1", 100_000)}, scenario()) == INFINITY


def test_a_price_that_reached_zero_takes_no_more() -> None:
    # SOL is gone at k = 5 having taken 2,000; only BTC goes on falling, to zero at k = 20.
    held: Held = {"BTC-USD": ("0.1", 100_000), "SOL-USD": (10, 200)}
    feared = scenario(shocks={"BTC-USD": "-0.05", "SOL-USD": "-0.2"})

    k = fatal_move(10_000, held, feared)

    # 10,000 - 2,000 - 10,000 x (0.05k + (1 - 0.05k) x 1.2%) = 0
    assert k == Decimal(7_880) / Decimal(494)
    assert k > 5


def test_a_hedge_that_runs_out_at_zero_stops_helping() -> None:
    # The short gains until ETH is worth nothing at k = 2; BTC has its floor at k = 10 only.
    held: Held = {"BTC-USD": ("0.1", 100_000), "ETH-USD": ("-0.5", 4_000)}
    feared = scenario(shocks={"BTC-USD": "-0.1", "ETH-USD": "-0.5"})

    k = fatal_move(3_000, held, feared)

    # 3,000 + 2,000 - 10,000 x (0.1k + (1 - 0.1k) x 1.2%) = 0
    assert k == Decimal(4_880) / Decimal(988)


def test_touching_zero_at_a_kink_is_not_below_it() -> None:
    # All of the long is lost at k = 10 and exactly nothing is left; it falls no further.
    held: Held = {"BTC-USD": ("0.1", 100_000)}

    assert fatal_move(10_000, held, scenario()) == INFINITY
    assert fatal_move("9999.999999", held, scenario()) < 10


@given(accounts(), scenarios(), st.fractions(0, 1))
def test_it_is_the_first_multiple_that_takes_the_account_below(
    account: Account, feared: Scenario, part: Fraction
) -> None:
    def worst(k: Fraction) -> Fraction:
        return min(room(account, feared, sign, k) for sign in feared.signs)

    k = stress.fatal_move(stand_of(account), feared)

    if k == INFINITY:
        assert worst(part * 40) >= 0
        assert worst(Fraction(10**9)) >= 0
        return
    edge = Fraction(k)
    assert worst(edge * (1 + HAIR) + HAIR) < 0
    assert edge == 0 or worst(edge * part * (1 - HAIR)) >= 0


@given(accounts(), scenarios())
def test_a_multiple_above_one_survives_the_scenario_itself(
    account: Account, feared: Scenario
) -> None:
    k = stress.fatal_move(stand_of(account), feared)
    assume(k > 1)

    assert all(room(account, feared, sign, Fraction(1)) >= 0 for sign in feared.signs)


def test_the_nearest_fatal_market_is_the_one_with_the_least_room() -> None:
    seen = see(
        equity=1_000,
        positions={"BTC-USD": ("0.1", 100_000), "ETH-USD": (-1, 4_000), "SOL-USD": (1, 200)},
    )

    nearest = stress.nearest_fatal_market(seen.subaccount(0), seen.markets)

    assert nearest is not None
    assert nearest.ticker == "BTC-USD"
    assert nearest.band.move < Decimal("0.1")


def test_where_no_market_alone_is_fatal_none_is_named() -> None:
    seen = see(equity=23_000, positions={"BTC-USD": ("0.01", 100_000)})

    assert stress.nearest_fatal_market(seen.subaccount(0), seen.markets) is None
    assert stress.nearest_fatal_market(see(equity=1).subaccount(0), seen.markets) is None
