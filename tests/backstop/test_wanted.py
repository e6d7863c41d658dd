"""Which stop a position should have: its trigger by hand, its size, its bound, and who has none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall import margin
from seawall.account import Observation, Side, Tier
from seawall.action import RefusalCode
from seawall.backstop import NoStop, Stop, wanted
from seawall.backstop.wanted import Slot
from seawall.policy import BackstopOrder
from seawall.scenario import Scenario
from seawall.units import Ppm
from tests.see import (
    BTC,
    ETH,
    MARKETS,
    Held,
    Number,
    priced,
    quantums,
    quote,
    scenario,
    see,
    subticks,
    view,
)

ASKED = BackstopOrder(scenario="gap", at=Ppm(600_000), slippage=Ppm(50_000))
CALM_GAP = scenario("gap", {"BTC-USD": "-0.1", "ETH-USD": "-0.1", "*": "-0.15"}, both_signs=True)
LONG: Held = {"BTC-USD": ("0.1", 100_000)}
SHORT: Held = {"BTC-USD": ("-0.1", 100_000)}


def stops(
    seen: Observation, feared: Scenario = CALM_GAP, asked: BackstopOrder = ASKED
) -> dict[Slot, Stop | NoStop]:
    return dict(wanted(asked, {feared.name: feared}, view(seen, scenarios=[feared])))


def stop(seen: Observation, ticker: str = "BTC-USD", feared: Scenario = CALM_GAP) -> Stop:
    found = stops(seen, feared)[0, ticker]
    assert isinstance(found, Stop)
    return found


def trigger(seen: Observation, ticker: str = "BTC-USD", feared: Scenario = CALM_GAP) -> Decimal:
    return seen.markets[ticker].dollars(stop(seen, ticker, feared).trigger)


@pytest.mark.parametrize(
    ("held", "equity", "dollars"),
    [
        (LONG, 1_108, 94_000),  # 10% to liquidation, 60% of it
        (SHORT, 1_132, 106_000),
        (LONG, 2_096, 88_000),  # 20%, and no scenario without other positions is nearer
    ],
)
def test_the_trigger_is_a_share_of_the_move_to_liquidation(
    held: Held, equity: Number, dollars: int
) -> None:
    assert trigger(see(equity=equity, positions=held)) == dollars


def test_a_book_that_falls_together_is_covered_by_the_scenario() -> None:
    book: Held = {"BTC-USD": ("0.1", 100_000), "ETH-USD": ("2.5", 4_000)}
    seen = see(equity=2_216, positions=book)

    # Both down 10% takes 2,000 and leaves 216, the maintenance of what is left: the multiple is 1.
    assert trigger(seen, "BTC-USD") == 94_000
    assert trigger(seen, "ETH-USD") == 3_760
    alone = margin.band(seen.subaccounts[0], "BTC-USD", seen.markets).move
    assert alone > Decimal("0.19"), "by itself it would be nearly twice as far"


def test_a_hedged_book_is_judged_in_the_sign_that_hurts_each_leg() -> None:
    book: Held = {"BTC-USD": ("0.1", 100_000), "ETH-USD": ("-2.5", 4_000)}
    seen = see(equity=1_240, positions=book)
    pair_break = scenario("gap", {"BTC-USD": "-0.04", "ETH-USD": "0.04"})

    # The gap costs a hedge nothing: the move of one market alone is what kills it, 10.12 or 9.88%.
    assert trigger(seen, "BTC-USD") == 93_928
    assert trigger(seen, "ETH-USD") == Decimal("4237.1")
    assert stop(seen, "BTC-USD").worst == subticks(BTC, 89_232)  # of 89,231.6
    assert stop(seen, "ETH-USD").worst == subticks(ETH, "4448.9")  # of 4,448.955
    # The hedge that breaks takes 800 of the 1,000 above maintenance: five per cent a leg.
    assert trigger(seen, "BTC-USD", pair_break) == 97_000
    assert trigger(seen, "ETH-USD", pair_break) == 4_120


def test_a_scenario_that_names_one_sign_still_covers_the_side_that_it_does_not_name() -> None:
    down = scenario("gap", {"BTC-USD": "-0.1", "ETH-USD": "-0.1"})
    book: Held = {"BTC-USD": ("-0.1", 100_000), "ETH-USD": ("-2.5", 4_000)}

    assert trigger(see(equity=2_264, positions=book), "BTC-USD", down) == 106_000


def test_a_market_that_the_scenario_does_not_move_has_its_own_move_only() -> None:
    only_eth = scenario("gap", {"ETH-USD": "-0.1"}, both_signs=True)

    assert trigger(see(equity=1_108, positions=LONG), feared=only_eth) == 94_000


@pytest.mark.parametrize(("held", "dollars"), [(LONG, 99_000), (SHORT, 101_000)])
def test_bad_fills_alone_bring_no_stop_nearer_than_a_hundredth(held: Held, dollars: int) -> None:
    bad = scenario("gap", {"*": "-0.1"}, slippage="0.3", both_signs=True)

    assert trigger(see(equity=2_000, positions=held), feared=bad) == dollars


def test_liquidation_that_is_nearer_than_a_hundredth_is_nearer_still() -> None:
    assert trigger(see(equity="218.8", positions=LONG)) == 99_400


def test_a_long_that_no_price_liquidates_has_a_stop_far_away() -> None:
    assert trigger(see(equity=20_000, positions=LONG)) == 40_000


@pytest.mark.parametrize("equity", [120, 119, -5])
def test_an_account_at_its_end_gets_no_stop_that_goes_off_at_once(equity: Number) -> None:
    found = stops(see(equity=equity, positions=LONG))[0, "BTC-USD"]

    assert isinstance(found, NoStop)
    assert found.code is RefusalCode.FIRES_AT_ONCE


def test_what_cannot_be_told_is_no_stop_and_says_so() -> None:
    seen = see(equity=1_000, positions={"BTC-USD": ("0.1", 0)})

    found = stops(seen)[0, "BTC-USD"]

    assert isinstance(found, NoStop)
    assert found.code is RefusalCode.NO_DATA
    assert "BTC-USD" in found.detail


@pytest.mark.parametrize(
    ("held", "side", "worst"), [(LONG, Side.SELL, 89_300), (SHORT, Side.BUY, 111_300)]
)
def test_it_is_the_whole_position_bound_at_slippage_of_its_trigger(
    held: Held, side: Side, worst: int
) -> None:
    found = stop(see(equity=1_108 if held is LONG else 1_132, positions=held))

    assert found.side is side
    assert found.quantums == quantums(BTC, "0.1")
    assert BTC.dollars(found.worst) == worst


def test_the_largest_loss_in_the_scenario_is_the_largest_risk() -> None:
    seen = see(equity=9_000, positions={"BTC-USD": ("0.1", 100_000), "SOL-USD": ("40", 200)})

    assert stop(seen, "BTC-USD").risk == quote(1_000)
    assert stop(seen, "SOL-USD").risk == quote(1_200)


@given(
    size=st.integers(1, 400),
    sign=st.sampled_from([-1, 1]),
    equity=st.integers(200, 40_000),
    at=st.integers(50_000, 990_000),
)
def test_at_its_trigger_the_account_still_stands_and_the_price_is_beyond_the_oracle(
    size: int, sign: int, equity: int, at: int
) -> None:
    coins = Decimal(sign * size) / 1_000
    seen = see(equity=equity, positions={"BTC-USD": (coins, 100_000), "ETH-USD": (1, 4_000)})
    asked = BackstopOrder(scenario="gap", at=Ppm(at), slippage=Ppm(50_000))

    found = stops(seen, asked=asked)[0, "BTC-USD"]

    now = margin.risk(seen.subaccounts[0], seen.markets)
    if isinstance(found, NoStop):
        assert now.nc <= now.mmr
        return
    price = BTC.dollars(found.trigger)
    assert (price - 100_000) * sign < 0
    assert found.trigger % BTC.subticks_per_tick == found.worst % BTC.subticks_per_tick == 0
    there = {**MARKETS, "BTC-USD": priced(BTC, price), "ETH-USD": priced(ETH, 4_000)}
    then = margin.risk(seen.subaccounts[0], there)
    assert then.nc >= then.mmr


@pytest.mark.parametrize("exponent", [-9, -6, -5, -4, -2])
def test_the_trigger_does_not_hang_on_the_exponent_of_the_oracle(exponent: int) -> None:
    markets = {**MARKETS, "BTC-USD": replace(BTC, oracle_exponent=exponent)}

    assert trigger(see(equity=1_108, positions=LONG, markets=markets)) == 94_000
    assert trigger(see(equity=1_132, positions=SHORT, markets=markets)) == 106_000


@pytest.mark.parametrize(
    ("coins", "price", "dollars"),
    [
        ("1", 2, 1),
        ("-1", 2, 3),
        ("1", "2.5", 2),
        ("-1", "2.5", 3),
        ("1", 1, None),
        ("-1", 1, 2),
        ("1", "2.00001", 2),
    ],
)
def test_a_trigger_is_a_tick_beyond_the_oracle_however_near(
    coins: str, price: Number, dollars: int | None
) -> None:
    # A tick is a dollar here, and the account has a cent above maintenance.
    required = (Decimal("0.012") * Decimal(str(price))).quantize(Decimal("0.000001"))
    found = stops(see(equity=required + Decimal("0.01"), positions={"BTC-USD": (coins, price)}))

    one = found[0, "BTC-USD"]
    assert (None if isinstance(one, NoStop) else BTC.dollars(one.trigger)) == dollars


def test_a_size_is_whole_steps_and_less_than_one_has_no_stop() -> None:
    odd = stop(see(equity=1_108, positions={"BTC-USD": ("0.10009", 100_000)}))
    dust = stops(see(equity=1_108, positions={"BTC-USD": ("0.00009", 100_000)}))[0, "BTC-USD"]

    assert odd.quantums == quantums(BTC, "0.1")
    assert isinstance(dust, NoStop)
    assert dust.code is RefusalCode.OFF_STEP


def test_a_position_worth_nothing_raises_nothing() -> None:
    found = stops(see(equity=100, positions={"BTC-USD": ("0.0001", "0.00001")}))[0, "BTC-USD"]

    assert isinstance(found, NoStop)


def test_a_long_whose_margin_is_all_of_it_falls_without_end() -> None:
    all_of_it = Tier(initial_margin_ppm=Ppm(1_000_000), maintenance_fraction_ppm=Ppm(1_000_000))
    markets = {**MARKETS, "BTC-USD": replace(BTC, tier=all_of_it)}

    assert trigger(see(equity=10_001, positions=LONG, markets=markets)) == 40_000


@pytest.mark.parametrize(
    ("equity", "price", "code"),
    [(1_000, 0, RefusalCode.NO_DATA), (1, 4_000, RefusalCode.FIRES_AT_ONCE)],
)
def test_what_one_subaccount_lacks_is_no_others_matter(
    equity: Number, price: Number, code: RefusalCode
) -> None:
    children: dict[int, tuple[Number, Held]] = {128: (1_108, LONG)}
    positions: Held = {"ETH-USD": (1, price), "SOL-USD": (1, 200)}
    seen = see(equity=equity, positions=positions, children=children)

    found = stops(seen)

    refused = [found[0, ticker] for ticker in ("ETH-USD", "SOL-USD")]
    assert [one.code for one in refused if isinstance(one, NoStop)] == [code, code]
    assert isinstance(found[128, "BTC-USD"], Stop)
