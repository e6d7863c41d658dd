"""Code 0 is not a fill: an order may run blocks later or never, and a restart brings stops back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.account import Side
from seawall.simulator import messages
from seawall.simulator.chain import Chain, ChainSettings
from seawall.simulator.limits import OrderLimits, RateLimit
from seawall.simulator.messages import PlaceOrder
from tests.simulator.stage import (
    ALICE,
    COIN,
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
)

HOUR_S = 3_600


def held(quantums: int = COIN // 4) -> Chain:
    chain = chain_of()
    give(chain, ALICE, quantums)
    return chain


def close(good_til_block: int = 10, client_id: int = 1) -> PlaceOrder:
    return order(
        Side.SELL,
        STEP,
        90_000,
        reduce_only=True,
        good_til_block=good_til_block,
        client_id=client_id,
    )


def sizes(chain: Chain, count: int) -> list[int]:
    """Steps held after each of some blocks."""
    found = []
    for _ in range(count):
        next_block(chain)
        found.append(position(chain, ALICE) // STEP)
    return found


@pytest.mark.parametrize(("delay", "after"), [(0, 1), (1, 2), (4, 5)])
def test_an_order_runs_as_many_blocks_later_as_it_is_told(delay: int, after: int) -> None:
    chain = held(COIN // 4)
    chain.set_execution_delay(delay)

    assert chain.check(close()).is_accepted
    chain.set_execution_delay(0)

    steps = COIN // 4 // STEP
    assert sizes(chain, 6) == [steps - (block >= after) for block in range(1, 7)]


@pytest.mark.parametrize(("good_til_block", "runs"), [(4, False), (5, True)])
def test_an_order_never_runs_after_its_good_til_block(good_til_block: int, *, runs: bool) -> None:
    chain = held()
    chain.set_execution_delay(3)  # the next block is 2, so it would run in block 5

    assert chain.check(close(good_til_block)).is_accepted
    blocks(chain, 8)

    assert (position(chain, ALICE) < COIN // 4) is runs


def test_what_waits_is_met_by_what_comes_after_it() -> None:
    chain = held(STEP)
    chain.set_execution_delay(4)
    chain.check(close())
    next_block(chain)

    second = chain.check(close(client_id=2))

    assert second.code == 2001  # the node's own book has closed the position already
    assert position(chain, ALICE) == STEP


def test_a_late_cancel_lets_its_order_fill() -> None:
    chain = chain_of()
    chain.set_quoting("BTC-USD", frozenset())
    bid = limit(Side.BUY, STEP, 99_000)
    chain.check(bid)
    next_block(chain)
    chain.set_execution_delay(2)

    assert chain.check(cancel_of(bid)).is_accepted
    next_block(chain)
    chain.set_quoting("BTC-USD", frozenset(Side))
    next_block(chain, BTC=98_000)

    assert position(chain, ALICE) == STEP


def test_a_node_that_starts_takes_no_order_and_every_deposit() -> None:
    chain = chain_of()
    chain.credit("dydx1float", chain.committed.subaccount(ALICE.owner, 0).usdc)
    chain.set_starting(is_starting=True)
    deposit = messages.Deposit(sender="dydx1float", recipient=ALICE, quantums=1)

    refused = chain.check(order())

    assert (refused.codespace, refused.code) == ("clob", 47)
    assert chain.check(deposit).is_accepted
    chain.set_starting(is_starting=False)
    assert chain.check(order()).is_accepted


def test_a_node_that_starts_says_so_after_form_and_rate_limit_and_before_the_market() -> None:
    once = OrderLimits(short_term=(RateLimit(blocks=1, most=1),))
    chain = chain_of(settings=ChainSettings(limits=once))
    chain.set_starting(is_starting=True)
    elsewhere = order(clob_pair_id=77)

    answers = [chain.check(one).code for one in (order(quantums=0), elsewhere, order(), order())]

    assert answers == [4, 47, 47, 5001]


def test_a_restart_lets_a_stop_that_outlived_its_position_cut_a_new_one() -> None:
    chain = held()
    stop = replace(
        order(Side.SELL, COIN // 4, 90_000, flags=messages.CONDITIONAL, reduce_only=True),
        good_til_block=0,
        good_til_block_time=START // 1_000 + HOUR_S,
        condition_type=messages.STOP_LOSS,
        trigger_subticks=99_000 * TICK,
    )
    chain.check(stop, tx="S")
    next_block(chain)
    chain.check(order(Side.SELL, COIN // 4, 90_000, client_id=2))
    next_block(chain, BTC=98_000)
    blocks(chain, 3)
    give(chain, ALICE, COIN // 2)
    blocks(chain, 3)
    before = position(chain, ALICE)

    chain.set_starting(is_starting=True)
    next_block(chain)
    chain.set_starting(is_starting=False)
    next_block(chain)

    assert before == COIN // 2
    assert position(chain, ALICE) == COIN // 4
    assert not chain.committed.open_orders(ALICE.owner)
