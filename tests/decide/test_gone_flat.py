"""Interventions whose position the trader closes himself, after their level has cleared."""

from __future__ import annotations

import pytest

from tests.decide.guarded import cuts, guarded, ladder

HEAD = "budgets: {per_hour: {notional: 1000%}, per_day: {cost: 50%}}\n"
HALVE = ladder(
    '{name: act, trigger: "> $10_000", clear: "<= $9_900", '
    "do: [notify, {reduce: {amount: 50%, max_slippage: 60bps}}]}",
    scope="{per: market}",
    head=HEAD,
)
WIDEN = ladder(
    '{name: act, trigger: "< 6%", target: ">= 9%", clear: ">= 7%", '
    "do: [page, {reduce: {until: target, max_slippage: 100bps}}]}",
    measure="liq_move",
    scope="{per: market}",
    head=HEAD,
)


@pytest.mark.parametrize(
    ("rules", "equity", "price", "cash", "key"),
    [(HALVE, 30_000, 85_000, 0, "size/BTC-USD"), (WIDEN, 600, 100_000, 400, "size/0/BTC-USD")],
)
def test_what_was_left_of_a_goal_is_no_claim_on_a_position_opened_later(
    rules: str, equity: int, price: int, cash: int, key: str
) -> None:
    world = guarded(rules, sizes={"BTC-USD": "0.11"}, equity=equity, fill=0)
    assert cuts(world.tick())
    world.move("BTC-USD", price)
    world.equity += cash
    world.tick()
    assert world.phases(key) == ["clear"]
    assert world.running == [f"{key}/act#1"]  # it goes on to its goal

    world.trade("BTC-USD", "-0.11")
    world.tick()

    assert [one.end.value for one in world.last.ended] == ["reached"]
    world.fill = 1
    world.trade("BTC-USD", "0.11")
    assert not any(cuts(decision) for decision in world.ticks(20, seconds=60))
    assert world.running == []
