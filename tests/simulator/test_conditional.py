"""Conditional orders: triggers by oracle and trades, one attempt, and what outlives a position."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from seawall.account import MarketStatus, Side
from seawall.simulator import messages
from seawall.simulator.chain import Chain
from seawall.simulator.events import OrderStatus, Reason
from seawall.simulator.messages import PlaceOrder
from tests.simulator.stage import (
    ALICE,
    BOB,
    COIN,
    DOLLAR,
    START,
    STEP,
    TICK,
    blocks,
    cancel_of,
    chain_of,
    give,
    limit,
    next_block,
    order,
    position,
    usdc,
)

SOON = START // 1_000 + 3_600


def stop(
    trigger: int = 95_000,
    quantums: int = COIN // 2,
    *,
    side: Side = Side.SELL,
    condition: int = messages.STOP_LOSS,
    client_id: int = 1,
    reduce_only: bool = True,
) -> PlaceOrder:
    """A conditional immediate-or-cancel BTC order with a generous limit price."""
    placed = order(
        side,
        quantums,
        80_000 if side is Side.SELL else 120_000,
        client_id=client_id,
        flags=messages.CONDITIONAL,
        good_til_block_time=SOON,
        reduce_only=reduce_only,
    )
    return replace(placed, condition_type=condition, trigger_subticks=trigger * TICK)


def held(size: int = COIN // 4) -> Chain:
    chain = chain_of()
    give(chain, ALICE, size)
    return chain


def place(chain: Chain, placed: PlaceOrder) -> None:
    assert chain.check(placed).is_accepted
    assert next_block(chain).results[0].code == 0


def statuses(chain: Chain) -> list[bool]:
    return [resting.is_triggered for resting in chain.committed.open_orders(ALICE.owner)]


def test_a_stop_waits_then_triggers_and_closes_in_the_block_after() -> None:
    chain = held()
    place(chain, stop())

    next_block(chain, BTC=94_000)  # the mid moves, the oracle follows a block later
    assert statuses(chain) == [False]
    next_block(chain)
    assert statuses(chain) == [True]
    assert position(chain, ALICE) == COIN // 4
    ended = next_block(chain)

    assert position(chain, ALICE) == 0
    assert sum(fill.quantums for fill in ended.fills) == COIN // 4
    assert ended.orders[-1].reason is Reason.REDUCE_ONLY_RESIZE
    assert statuses(chain) == []


@pytest.mark.parametrize(
    ("side", "condition", "trigger", "mid", "triggers"),
    [
        (Side.SELL, messages.STOP_LOSS, 95_000, 95_000, True),
        (Side.SELL, messages.STOP_LOSS, 95_000, 95_100, False),
        (Side.BUY, messages.TAKE_PROFIT, 95_000, 94_900, True),
        (Side.BUY, messages.TAKE_PROFIT, 95_000, 95_100, False),
        (Side.SELL, messages.TAKE_PROFIT, 105_000, 105_000, True),
        (Side.SELL, messages.TAKE_PROFIT, 105_000, 104_900, False),
        (Side.BUY, messages.STOP_LOSS, 105_000, 105_100, True),
        (Side.BUY, messages.STOP_LOSS, 105_000, 104_900, False),
    ],
)
def test_each_kind_triggers_on_its_own_side(
    side: Side, condition: int, trigger: int, mid: int, *, triggers: bool
) -> None:
    chain = held(COIN // 4 if side is Side.SELL else -COIN // 4)
    place(chain, stop(trigger, side=side, condition=condition))

    next_block(chain, BTC=mid)
    next_block(chain)

    assert statuses(chain) == [triggers]


def test_a_trade_triggers_without_the_oracle_but_only_within_the_band() -> None:
    chain = held()
    place(chain, stop(99_850))
    place(chain, stop(99_000, client_id=2))

    # BTC's band is 0.5% around the oracle; this trade walks a little below the touch.
    chain.check(order(Side.SELL, COIN * 8, 90_000, who=BOB, client_id=7, good_til_block=30))
    block = next_block(chain)

    assert min(fill.subticks for fill in block.fills) < 99_850 * TICK
    assert statuses(chain) == [True, False]


def test_a_trade_far_from_the_oracle_counts_as_the_edge_of_the_band() -> None:
    chain = chain_of({ALICE: 100_000, BOB: 5_000_000})
    give(chain, ALICE, COIN // 4)
    place(chain, stop(99_400))
    place(chain, stop(99_600, client_id=2))

    chain.check(order(Side.SELL, COIN * 40, 90_000, who=BOB, client_id=7, good_til_block=30))
    block = next_block(chain)

    assert min(fill.subticks for fill in block.fills) < 99_400 * TICK
    assert statuses(chain) == [False, True]


def test_a_stop_whose_position_is_gone_stays_triggered_and_cuts_a_new_one_never_by_itself() -> None:
    chain = held()
    place(chain, stop())
    chain.check(order(Side.SELL, COIN // 4, 90_000, client_id=5, reduce_only=True))
    next_block(chain)
    assert position(chain, ALICE) == 0

    next_block(chain, BTC=94_000)
    blocks(chain, 3)
    give(chain, ALICE, COIN // 4)
    blocks(chain, 3)

    assert statuses(chain) == [True]
    assert position(chain, ALICE) == COIN // 4
    assert chain.check(stop()).code == 3005
    assert chain.check(cancel_of(stop())).is_accepted
    next_block(chain)
    assert statuses(chain) == []


def test_a_stop_that_outlives_its_position_expires_with_its_time() -> None:
    chain = held()
    place(chain, stop())
    chain.check(order(Side.SELL, COIN // 4, 90_000, client_id=5, reduce_only=True))
    next_block(chain, BTC=94_000)
    blocks(chain, 2)

    block = next_block(chain, seconds=3_600)

    assert [event.reason for event in block.orders] == [Reason.EXPIRED]
    assert statuses(chain) == []


def test_a_cancelled_stop_does_nothing_when_its_price_comes() -> None:
    chain = held()
    place(chain, stop())
    chain.check(cancel_of(stop()))
    next_block(chain)

    next_block(chain, BTC=90_000)
    blocks(chain, 3)

    assert position(chain, ALICE) == COIN // 4


def test_two_stops_cut_one_position_one_after_the_other_and_never_flip_it() -> None:
    chain = held()
    place(chain, stop(quantums=COIN // 5))
    place(chain, stop(quantums=COIN // 5, client_id=2))

    next_block(chain, BTC=94_000)
    next_block(chain)
    block = next_block(chain)

    by_order = Counter[int]()
    for fill in block.fills:
        assert fill.order_id is not None
        by_order[fill.order_id.client_id] += fill.quantums
    assert by_order == {1: COIN // 5, 2: COIN // 20}
    assert position(chain, ALICE) == 0


def test_a_conditional_limit_order_rests_when_it_has_triggered() -> None:
    chain = held()
    bid = replace(
        stop(98_000, STEP, side=Side.BUY, condition=messages.TAKE_PROFIT, reduce_only=False),
        subticks=90_000 * TICK,
        time_in_force=messages.GOOD_TIL_TIME,
    )
    place(chain, bid)

    next_block(chain, BTC=97_000)
    next_block(chain)
    block = next_block(chain)

    assert [event.status for event in block.orders] == [OrderStatus.OPEN]
    assert statuses(chain) == [True]


def test_an_account_below_twenty_dollars_may_not_leave_a_stop() -> None:
    chain = chain_of({ALICE: 19, BOB: 20})

    assert chain.check(stop(quantums=STEP)).code == 10001
    bobs = replace(stop(quantums=STEP).order_id, subaccount=BOB)
    assert chain.check(replace(stop(quantums=STEP), order_id=bobs)).is_accepted
    second = replace(bobs, client_id=2)
    assert chain.check(replace(stop(quantums=STEP), order_id=second)).code == 10001


def test_an_owner_places_two_stateful_orders_a_block_and_twenty_in_a_hundred() -> None:
    chain = held()

    first = [chain.check(stop(client_id=n)).code for n in range(1, 4)]
    for n in range(4, 13):
        next_block(chain)
        chain.check(stop(client_id=n * 2))
        chain.check(stop(client_id=n * 2 + 1))
    next_block(chain)

    assert first == [0, 0, 5001]
    assert chain.check(stop(client_id=99)).code == 5001
    assert chain.check(cancel_of(stop())).is_accepted
    assert chain.check(order(client_id=50, good_til_block=30)).is_accepted


def test_what_is_refused_counts_against_the_owners_rate_too() -> None:
    chain = held()
    late = replace(stop(), good_til_block_time=1)

    codes = [chain.check(late).code, chain.check(late).code, chain.check(stop()).code]

    assert codes == [3003, 3003, 5001]


def test_a_resting_order_of_the_same_owner_is_no_obstacle_to_a_stop() -> None:
    chain = held()
    chain.check(limit(Side.BUY, STEP, 90_000, client_id=9))
    place(chain, stop())

    next_block(chain, BTC=94_000)
    blocks(chain, 2)

    assert position(chain, ALICE) == 0


def test_final_settlement_closes_at_the_oracle_and_cancels_stops() -> None:
    chain = held()
    place(chain, stop())
    before = chain.total_money()

    chain.set_status("BTC-USD", MarketStatus.FINAL_SETTLEMENT)
    refused = chain.check(order(Side.SELL, STEP, 90_000, client_id=5)).code
    block = next_block(chain)

    assert refused == 34
    assert position(chain, ALICE) == 0
    assert [event.quantums for event in block.deleveragings] == [-COIN // 4]
    assert usdc(chain, ALICE) == 100_000 * DOLLAR
    assert statuses(chain) == []
    assert chain.total_money() == before
