"""One tick on paper: nothing to wait for, prices moved with their books, and what others do."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import MarketStatus
from seawall.action import WINDOW_BLOCKS, RefusalCode
from seawall.decide.preview import preview, with_moves
from seawall.plan.pricing import fresh_book, mid_in_band
from seawall.policy import HandsOff, Policy
from seawall.rulefile import parse
from seawall.units import Millis, Ppm
from tests.see import HEIGHT, PRICE_BAND, see

HEAD = """
rules:
  - id: leverage
    why: "Borrow less."
    measure: leverage
    trigger: "> 4x"
    target: "<= 3x"
    for: 10m
    do: [notify, {reduce: {until: target, max_slippage: 150bps}}]
  - id: drawdown
    why: "A bad day."
    measure: drawdown
    trigger: ">= 30%"
    clear: "< 25%"
    do: [notify, {reduce: {amount: 50%, max_slippage: 150bps}}]
"""
HELD = {"BTC-USD": ("0.5", 100_000), "SOL-USD": ("50", 200)}
MORE = {"BTC-USD": ("0.5", 100_000), "SOL-USD": ("200", 200)}  # 3x of $20,000 without bitcoin


@pytest.fixture(scope="module")
def policy() -> Policy:
    return parse(HEAD + "budgets: {per_hour: {notional: 2000%, orders: 99}}\n").policy


def test_a_level_that_would_still_wait_is_shown_at_once(policy: Policy) -> None:
    shown = preview(policy, see(equity=14_000, positions=HELD), {})

    leverage = next(one for one in shown.changes if one.key == "leverage/0")
    assert leverage.acts
    assert isinstance(leverage.before, Decimal)
    assert isinstance(leverage.after, Decimal)
    assert leverage.before > 4
    assert leverage.after <= 3
    assert shown.plan is not None
    assert len(shown.actions) == len(shown.plan.legs)


def test_a_move_is_a_loss_from_the_state_that_was_seen(policy: Policy) -> None:
    seen = see(equity=14_000, positions=HELD)

    still = preview(policy, seen, {"BTC-USD": Ppm(-80_000)})
    fallen = preview(policy, seen, {"BTC-USD": Ppm(-84_000)})

    assert [one.acts for one in still.changes if one.key == "drawdown"] == [False]  # 28.6%
    assert [one.acts for one in fallen.changes if one.key == "drawdown"] == [True]  # exactly 30%
    assert fallen.plan is not None
    assert any(name.startswith("drawdown/") for name in fallen.plan.legs[0].asked_by)


def test_books_move_with_their_oracle_and_stay_fresh() -> None:
    seen = see(equity=14_000, positions=HELD)

    moved = with_moves(seen, {"BTC-USD": Ppm(-100_000)})

    assert moved.markets["BTC-USD"].oracle_dollars == 90_000
    assert fresh_book(moved, "BTC-USD") is not None
    mid = mid_in_band(moved, "BTC-USD", PRICE_BAND)
    assert mid is not None
    assert moved.markets["BTC-USD"].dollars(int(mid)) == pytest.approx(90_000, abs=2)
    assert moved.markets["SOL-USD"] == seen.markets["SOL-USD"]


@pytest.mark.parametrize("height", range(HEIGHT, HEIGHT + WINDOW_BLOCKS))
def test_no_order_is_refused_for_the_moment_of_the_look(policy: Policy, height: int) -> None:
    shown = preview(policy, see(equity=14_000, positions=HELD, height=height), {})

    assert RefusalCode.WINDOW_CLOSING not in {one.code for one in shown.refused}


def test_the_plan_is_no_dearer_than_what_people_do_by_hand(policy: Policy) -> None:
    shown = preview(policy, see(equity=14_000, positions=HELD), {})

    ours, *others = shown.alternatives
    assert [one.name for one in others] == ["greedy", "close largest", "pro rata"]
    assert ours.reached == ours.wanted == 1
    for other in others:
        assert other.reached == 1
        assert ours.cost <= other.cost


@pytest.mark.parametrize("status", [MarketStatus.FINAL_SETTLEMENT, MarketStatus.PAUSED])
def test_a_market_that_cannot_be_traded_is_counted_and_left_alone(
    policy: Policy, status: MarketStatus
) -> None:
    seen = see(equity=20_000, positions=MORE)
    settling = replace(seen.markets["BTC-USD"], status=status)
    seen = replace(seen, markets={**seen.markets, "BTC-USD": settling})

    shown = preview(policy, seen, {})

    leverage = next(one for one in shown.changes if one.key == "leverage/0")
    assert leverage.before == Decimal(90_000) / 20_000
    assert shown.plan is not None
    assert {leg.ticker for leg in shown.plan.legs} == {"SOL-USD"}
    assert all("BTC-USD" not in numbered.what for numbered in shown.actions)


def test_of_stale_state_nothing_is_promised(policy: Policy) -> None:
    seen = see(equity=14_000, positions=HELD)

    shown = preview(policy, replace(seen, seen_at=Millis(seen.at + 10_001)), {})

    assert (shown.plan, shown.actions) == (None, ())
    assert [(one.code, one.what) for one in shown.refused] == [
        (RefusalCode.STALE_STATE, "reduce 0/BTC-USD"),
        (RefusalCode.STALE_STATE, "reduce 0/SOL-USD"),
    ]
    leverage = next(one for one in shown.changes if one.key == "leverage/0")
    assert leverage.before == leverage.after


def test_a_paused_market_that_a_target_waits_for_is_named(policy: Policy) -> None:
    seen = see(equity=14_000, positions=HELD)
    paused = replace(seen.markets["BTC-USD"], status=MarketStatus.PAUSED)

    shown = preview(policy, replace(seen, markets={**seen.markets, "BTC-USD": paused}), {})

    assert shown.plan is not None
    assert {leg.ticker for leg in shown.plan.legs} == {"SOL-USD"}  # the most is done
    (short,) = shown.plan.dropped
    assert (short.code, short.detail.split(".")[0]) == (
        RefusalCode.MARKET_CLOSED,
        f"0/BTC-USD: market is {MarketStatus.PAUSED}",
    )


def test_a_market_that_is_hands_off_has_no_room(policy: Policy) -> None:
    kept = replace(policy, hands_off=HandsOff(markets=("BTC-USD",)))

    shown = preview(kept, see(equity=20_000, positions=MORE), {})

    assert shown.plan is not None
    assert {leg.ticker for leg in shown.plan.legs} == {"SOL-USD"}


def test_what_no_market_that_is_traded_can_reach_is_not_chased(policy: Policy) -> None:
    kept = replace(policy, hands_off=HandsOff(markets=("BTC-USD",)))

    shown = preview(kept, see(equity=14_000, positions=HELD), {})  # the bitcoin alone is 3.6x

    assert shown.plan is None
    assert {one.code for one in shown.refused} == {RefusalCode.UNREACHABLE}


def test_stops_are_those_of_what_the_plan_leaves_and_none_where_nobody_may_trade(
    policy: Policy,
) -> None:
    head = 'scenarios:\n  gap: {"*": -10%, both_signs: true}\n'
    stops = "backstop: {scenario: gap, at: 60%, slippage: 500bps}\n"
    with_stops = replace(parse(head + stops + HEAD).policy, budget=policy.budget)
    alone = replace(with_stops, hands_off=HandsOff(markets=("SOL-USD",)))
    seen = see(equity=14_000, positions=HELD)

    shown, left = preview(with_stops, seen, {}), preview(alone, seen, {})

    assert preview(policy, seen, {}).stops == ()
    assert shown.plan is not None
    cut = {leg.ticker: leg.quantums for leg in shown.plan.legs}
    held = {one.ticker: one.quantums for one in seen.subaccounts[0].positions}
    assert {one.ticker: one.quantums for one in shown.stops} == {
        ticker: held[ticker] - cut.get(ticker, 0) for ticker in held
    }
    assert [one.ticker for one in left.stops] == ["BTC-USD"]


@pytest.mark.parametrize(("or_else", "share"), [("{amount: 30%}", "30%"), ("flatten", "100%")])
def test_a_target_that_nothing_reaches_is_named_with_what_is_done_instead(
    or_else: str, share: str
) -> None:
    rules = f"""
rules:
  - id: floor
    why: "Keep some free."
    measure: free_collateral
    trigger: "< $20_000"
    target: ">= $25_000"
    do: [notify, {{reduce: {{until: target, max_slippage: 150bps, or_else: {or_else}}}}}]
budgets: {{per_hour: {{notional: 2000%, orders: 99}}}}
"""

    shown = preview(parse(rules).policy, see(equity=14_000, positions=HELD), {})

    assert shown.plan is not None
    assert shown.plan.legs
    assert [(one.code, one.what) for one in shown.refused] == [
        (RefusalCode.UNREACHABLE, "reach the target of floor/0")
    ]
    detail = shown.refused[0].detail
    assert detail == f"nothing would; {share} is closed instead, as `or_else` says"
