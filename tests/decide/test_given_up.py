"""A target that was given up, or that waits, is not chased, and is made no worse either."""

from __future__ import annotations

from decimal import Decimal

from seawall.action import RefusalCode
from seawall.decide.memory import Decision
from tests.decide.guarded import Guarded, guarded
from tests.see import BTC, ETH, SOL, Number, book

RULES = """
account: {hands_off: {markets: [BTC-USD]}}
budgets: {per_day: {cost: 50%}}
rules:
  - id: net
    why: "Not too far to one side."
    scope: {per: group, markets: [BTC-USD, ETH-USD]}
    measure: net_exposure
    trigger: "> $20_000"
    target: "<= $15_000"
    do: [notify, {reduce: {until: target, max_slippage: 100bps}}]
  - id: levered
    why: "Not too much of it."
    scope: {markets: [ETH-USD, SOL-USD]}
    measure: leverage
    trigger: "> 3.1x"
    target: "<= 3x"
    do: [notify, {reduce: {until: target, max_slippage: 100bps}}]
"""
# Ether, the hedge of bitcoin that nobody may sell, is the cheapest way to less leverage.
BOOKS = {
    "BTC-USD": book(BTC),
    "ETH-USD": book(ETH),
    "SOL-USD": book(SOL, half_spread="0.001"),
}


def world(solana: int) -> Guarded:
    """$50,000 of bitcoin against $20,000 of ether, and some solana, on $25,000."""
    sizes: dict[str, Number] = {"BTC-USD": "0.5", "ETH-USD": -5, "SOL-USD": solana}
    on = guarded(RULES, sizes=sizes, equity=25_000)
    on.books = BOOKS
    return on


def sold(decision: Decision) -> dict[str, int]:
    assert decision.plan is not None
    return {leg.ticker: int(leg.quantums) for leg in decision.plan.legs}


def test_a_measure_whose_target_was_given_up_is_made_no_worse() -> None:
    on = world(100)

    decision = on.tick()

    assert [str(one.end) for one in decision.ended] == ["given up"]
    assert set(sold(decision)) == {"SOL-USD"}
    assert decision.plan is not None
    assert decision.plan.targets[0].reached


def test_where_nothing_else_does_it_gives_way_by_name() -> None:
    on = world(0)
    on.equity = Decimal(21_000)

    decision = on.tick()

    assert set(sold(decision)) == {"ETH-USD"}
    assert decision.plan is not None
    assert decision.plan.targets[0].reached
    assert decision.plan.let_go == ("net/net/act",)
    (named,) = (x for x in decision.plan.dropped if x.code is RefusalCode.CROSSES_TRIGGER)
    assert named.what == "keep net/net/act from getting worse"
    assert named.detail == "the plan may take net_exposure beyond $30,000"
