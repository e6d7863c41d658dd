"""What became of what was sent, read from the chain and never from a reply."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import Fill, Side
from seawall.action import Ending, Outcome
from seawall.units import QuoteQuantums, usd
from tests.decide.guarded import (
    FLOAT,
    Deposit,
    Guarded,
    codes,
    cuts,
    deposits,
    guarded,
    ladder,
)
from tests.see import MARKETS, Number, decimal, quantums

HALVE = (
    '{name: act, trigger: "> $9_000", clear: "< $1_000", '
    "do: [page, {reduce: {amount: 50%, max_slippage: 60bps}}]}"
)
FEED = (
    '{name: act, trigger: "< $28_500", target: ">= $29_000", cooldown: 30s, '
    "do: [page, {top_up: {until: target, max: $3_000}}]}"
)


def fed() -> Guarded:
    """An account whose free collateral is $500 short of the trigger."""
    rules = ladder(FEED, head=FLOAT, measure="free_collateral", scope="{subaccounts: [0]}")
    return guarded(rules, sizes={"BTC-USD": 1}, float=5_000)


def outcomes(world: Guarded) -> list[Outcome]:
    return [one for decision in world.decisions for one in decision.outcomes]


@pytest.mark.parametrize(
    ("share", "ending", "filled"),
    [(1, "filled", "0.05"), ("0.5", "partial", "0.025"), (0, "nothing", "0")],
)
@pytest.mark.parametrize("records", ["fills are shown", "fills are missing"])
def test_a_reduction_is_settled_at_its_good_til_block_and_not_before(
    share: str, ending: str, filled: str, records: str
) -> None:
    world = guarded(ladder(HALVE), fill=share)
    world.shows_fills = records == "fills are shown"
    world.tick()
    (sent,) = world.memory.sent

    while world.height < sent.action.good_til_block - 1:
        assert not world.tick().outcomes
        assert world.memory.sent == (sent,)
    (outcome,) = world.tick().outcomes

    assert world.height == sent.action.good_til_block
    assert outcome.action_id == sent.action_id
    assert outcome.ending.value == ending
    assert sent.market.coins(outcome.filled) == Decimal(filled)


def test_nothing_is_sent_twice_while_an_order_may_still_fill() -> None:
    world = guarded(ladder(HALVE), fill=0)

    sent = [bool(cuts(decision)) for decision in world.ticks(7)]

    assert sent == [True, False, False, False, False, False, True]


def test_what_is_sent_has_one_id_per_window() -> None:
    world = guarded(ladder(HALVE), fill=0)
    world.ticks(30)

    ids = [one.action.client_id for d in world.decisions for one in d.actions if cuts(d)]  # type: ignore[union-attr]

    assert len(ids) == 5
    assert len(set(ids)) == 5


def test_the_cost_of_a_fill_counts_against_oracle_mid_and_budget() -> None:
    world = guarded(ladder(HALVE))
    world.tick()
    world.move("BTC-USD", 99_000)  # fills a thousand lower than it was decided

    world.ticks(7)

    (outcome,) = outcomes(world)
    assert usd(outcome.quote) == Decimal(4_950)
    assert usd(outcome.cost_vs_oracle) == Decimal(50)
    assert usd(world.memory.spent.day_cost) == Decimal(50)
    assert usd(world.memory.spent.hour_notional) == Decimal(5_000)
    assert world.memory.spent.hour_orders == 1


def test_an_order_that_filled_nothing_uses_no_budget() -> None:
    world = guarded(ladder(HALVE), fill=0)

    world.ticks(30)

    assert len(outcomes(world)) == 4
    assert world.memory.spent.hour_orders == 0
    assert world.memory.spent.hour_notional == 0


def test_an_order_that_a_dead_panic_sent_too_is_charged_once() -> None:
    world = guarded(ladder(HALVE))
    world.tick()
    (ours,) = world.memory.sent
    world.memory = replace(world.memory, sent=(ours, replace(ours, action_id="7000001.0")))

    world.ticks(7)

    assert [(one.action_id, one.ending) for one in outcomes(world)] == [
        (ours.action_id, Ending.FILLED),
        ("7000001.0", Ending.NOTHING),
    ]
    assert world.memory.spent.hour_orders == 1
    assert usd(world.memory.spent.hour_notional) == Decimal(5_000)


def test_a_deposit_that_landed_is_told_and_counts_once() -> None:
    world = fed()

    assert deposits(world.tick()) == [Decimal(1_000)]
    decision = world.tick()

    assert [one.ending.value for one in decision.outcomes] == ["landed"]
    assert world.memory.top_up is None
    assert usd(world.memory.spent.day_top_up) == Decimal(1_000)
    assert [one.end.value for d in world.decisions for one in d.ended] == ["reached"]


def test_a_deposit_has_landed_where_fills_beside_it_cost_more_than_half_of_it() -> None:
    world = fed()
    world.tick()
    world.equity -= 600  # of the $1,000 that come in

    decision = world.tick()

    assert [one.ending.value for one in decision.outcomes] == ["landed"]
    assert usd(world.memory.spent.day_top_up) == Decimal(1_600)  # and what is missing still


def test_a_deposit_has_landed_where_the_owner_fills_the_float_meanwhile() -> None:
    world = fed()
    world.tick()
    assert world.float is not None
    world.float += 8_000

    assert [one.ending.value for one in world.tick().outcomes] == ["landed"]


def test_a_deposit_is_not_repeated_while_it_is_in_flight() -> None:
    world = fed()
    world.deposit = Deposit.IS_LOST

    world.tick()
    for decision in world.ticks(19):
        assert not deposits(decision)
        assert world.memory.top_up is not None


def test_a_deposit_that_failed_gives_its_budget_back_and_closes_cash_for_a_minute() -> None:
    world = fed()
    world.deposit = Deposit.FAILS
    world.tick()

    decision = world.tick()
    assert [one.ending.value for one in decision.outcomes] == ["failed"]
    assert world.memory.spent.day_top_up == 0
    assert "TOP_UP_CLOSED" in codes(decision)
    world.deposit = Deposit.LANDS
    assert not any(deposits(d) for d in world.ticks(59))

    assert deposits(world.tick()) == [Decimal(1_000)]


def test_a_lost_deposit_is_dead_at_its_timeout_height_and_not_before() -> None:
    world = fed()
    world.deposit = Deposit.IS_LOST
    world.tick()

    assert not any(decision.outcomes for decision in world.ticks(19))
    decision = world.tick()

    assert [one.ending.value for one in decision.outcomes] == ["dead"]
    assert world.memory.spent.day_top_up == 0
    world.deposit = Deposit.LANDS
    assert not any(deposits(d) for d in world.ticks(59))
    assert deposits(world.tick()) == [Decimal(1_000)]


def test_a_sequence_used_by_another_is_no_landing_even_where_prices_rose() -> None:
    world = fed()
    world.deposit = Deposit.FAILS
    world.tick()
    world.move("BTC-USD", 104_000)  # richer by $4,000, but not by a deposit

    decision = world.tick()

    assert [one.ending.value for one in decision.outcomes] == ["failed"]


def test_a_deposit_in_flight_counts_towards_the_plan_and_size_waits_for_nothing() -> None:
    both = FEED.replace(
        "max: $3_000}}]",
        "max: $3_000}}, {reduce: {until: target, max_slippage: 60bps, or_else: page}}]",
    )
    rules = ladder(both, head=FLOAT, measure="free_collateral", scope="{subaccounts: [0]}")
    world = guarded(rules, sizes={"BTC-USD": 1}, float=5_000)
    world.deposit = Deposit.IS_LOST

    world.tick()

    assert not any(cuts(decision) for decision in world.ticks(19))
    assert any(cuts(decision) for decision in world.ticks(8))


IN_TURN = ladder(
    '{name: act, trigger: "< $1_100", target: ">= $1_500", do: [notify, '
    "{top_up: {until: target, max: $3_000}}, "
    "{reduce: {until: target, max_slippage: 60bps, or_else: page}}]}",
    measure="free_collateral",
    head=FLOAT + "budgets: {per_day: {cost: 50%, top_up: $6_000}}\n",
    scope="{per: subaccount}",
)


def test_two_subaccounts_get_their_deposits_in_turn_and_nothing_is_sold_for_the_second() -> None:
    world = guarded(IN_TURN, equity=1_000, float=5_000)
    world.extra["children"] = {128: (2_000, {"SOL-USD": (100, 200)})}

    first, second = world.tick(), world.tick()

    assert (deposits(first), cuts(first)) == ([Decimal(700)], {})
    assert (deposits(second), cuts(second)) == ([Decimal(500)], {})
    assert second.actions[0].asked_by == ("size/128/act#2",)


def test_what_waits_its_turn_is_sold_once_the_deposit_before_has_failed() -> None:
    world = guarded(IN_TURN, equity=1_000, float=5_000, fill=0)
    world.extra["children"] = {128: (2_000, {"SOL-USD": (100, 200)})}
    world.deposit = Deposit.IS_LOST

    held = world.ticks(20)
    after = world.ticks(8)

    assert sum(len(deposits(one)) for one in held) == 1
    assert not any(cuts(one) for one in held)
    assert held[-1].plan is not None
    (short,) = held[-1].plan.dropped
    assert short.detail.startswith("$500 into 128 come once the deposit before has ended")
    assert any("SOL-USD" in cuts(one) for one in after)


def test_a_crash_after_the_decision_doubles_nothing() -> None:
    world = guarded(ladder(HALVE))
    before = replace(world.memory)
    world.tick()
    world.restart()
    assert world.memory != before

    assert not any(cuts(decision) for decision in world.ticks(20))
    assert world.sizes["BTC-USD"] == Decimal("0.05")


def test_what_another_guard_sold_in_the_same_window_before_is_not_ours() -> None:
    world = guarded(ladder(HALVE), fill=0)
    world.tick()
    (sent,) = world.memory.sent
    theirs = Fill(
        subaccount=0,
        ticker="BTC-USD",
        side=Side.SELL,
        quantums=sent.action.quantums,
        subticks=sent.action.subticks,
        fee=QuoteQuantums(0),
        height=sent.height,
        client_id=sent.action.client_id,
    )
    world.fills = (theirs,)

    world.ticks(6)

    assert [one.ending.value for one in outcomes(world)] == ["nothing"]


def others(world: Guarded, coins: Number, **known: object) -> Fill:
    """A sale by somebody else, one block after what the guard has just sent."""
    (sent,) = world.memory.sent
    world.trade("BTC-USD", -decimal(coins))
    sold = Fill(
        subaccount=0,
        ticker="BTC-USD",
        side=Side.SELL,
        quantums=quantums(MARKETS["BTC-USD"], decimal(coins)),
        subticks=sent.action.subticks,
        fee=QuoteQuantums(0),
        height=sent.height + 1,
    )
    return replace(sold, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "is_ours"),
    [
        ({"client_id": 7}, False),
        ({"is_foreign": True}, False),
        ({"kind": "LIQUIDATED"}, False),
        ({}, True),  # nobody can tell: what is charged too much is the lesser evil
    ],
)
def test_what_somebody_else_sold_in_our_window_is_not_ours(
    known: dict[str, object], *, is_ours: bool
) -> None:
    world = guarded(ladder(HALVE), fill=0)
    world.tick()
    world.fills = (others(world, "0.02", **known),)

    world.ticks(6)

    (outcome,) = [o for d in world.decisions for o in d.outcomes]
    assert (outcome.filled > 0) is is_ours


def test_our_fill_beside_the_owner_s_own_sale_counts_once_each() -> None:
    world = guarded(ladder(HALVE))
    world.tick()
    theirs = others(world, "0.02", is_foreign=True)
    world.tick()
    world.fills = (*world.fills, theirs)

    world.ticks(6)

    (outcome,) = [o for d in world.decisions for o in d.outcomes][:1]
    assert outcome.filled == quantums(MARKETS["BTC-USD"], decimal("0.05"))


def test_what_the_owner_adds_does_not_hide_a_fill_that_no_record_tells() -> None:
    world = guarded(ladder(HALVE))
    world.tick()
    added = replace(others(world, "-0.03", is_foreign=True), side=Side.BUY)
    added = replace(added, quantums=quantums(MARKETS["BTC-USD"], decimal("0.03")))
    world.tick()
    world.fills = (added,)

    world.ticks(6)

    (outcome,) = [o for d in world.decisions for o in d.outcomes][:1]
    assert outcome.filled == quantums(MARKETS["BTC-USD"], decimal("0.05"))
