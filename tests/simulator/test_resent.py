"""An order id sent again: 7, then 20, then 24, then 2001, then 2004, each hiding the ones after."""

from __future__ import annotations

from dataclasses import replace

from seawall.account import Side
from seawall.simulator import messages
from seawall.simulator.chain import Chain
from seawall.simulator.messages import CancelOrder, PlaceOrder
from tests.simulator.stage import (
    ALICE,
    BOB,
    COIN,
    STEP,
    blocks,
    chain_of,
    give,
    limit,
    next_block,
    order,
    position,
)


def half_filled(until: int = 20) -> tuple[Chain, PlaceOrder]:
    """Alice's resting bid of two steps, one of them filled by Bob; the house is away."""
    chain = chain_of()
    chain.set_quoting("BTC-USD", frozenset())
    bid = limit(Side.BUY, 2 * STEP, 99_000, good_til_block=until)
    chain.check(bid)
    chain.check(limit(Side.SELL, STEP, 99_000, who=BOB, client_id=2))
    next_block(chain)
    assert position(chain, ALICE) == STEP
    return chain, bid


def half_closed() -> tuple[Chain, PlaceOrder]:
    """An immediate close of two steps that found a buyer for one."""
    chain = chain_of()
    chain.set_quoting("BTC-USD", frozenset())
    give(chain, ALICE, 3 * STEP)
    chain.check(limit(Side.BUY, STEP, 99_000, who=BOB, client_id=2))
    close = order(Side.SELL, 2 * STEP, 99_000, reduce_only=True)
    chain.check(close)
    next_block(chain)
    assert position(chain, ALICE) == 2 * STEP
    return chain, close


def again(chain: Chain, placed: PlaceOrder, until: int = 0, quantums: int = 0) -> int:
    """The code of the same order with another good-til-block or size, where one is given."""
    sent = replace(
        placed,
        good_til_block=until or placed.good_til_block,
        quantums=quantums or placed.quantums,
    )
    return chain.check(sent).code


def test_a_cancel_hides_that_the_order_rests() -> None:
    chain, bid = half_filled(until=20)
    early = CancelOrder(order_id=bid.order_id, good_til_block=10)  # too early to remove it

    assert chain.check(early).is_accepted
    next_block(chain)

    assert chain.committed.open_orders(ALICE.owner)
    assert again(chain, bid, 10) == 7
    assert again(chain, bid, 11) == 20  # it rests, and until later


def test_an_order_that_rests_hides_that_nothing_is_left_of_the_new_one() -> None:
    chain, bid = half_filled(until=20)
    at_once = replace(bid, time_in_force=messages.IMMEDIATE_OR_CANCEL)

    assert again(chain, bid, 19, quantums=STEP) == 20
    assert again(chain, bid, 21, quantums=STEP) == 24
    assert again(chain, at_once, 21) == 20
    assert again(chain, bid, 21) == 0


def test_what_is_filled_hides_that_the_position_is_gone() -> None:
    chain, close = half_closed()
    give(chain, ALICE, -2 * STEP)

    assert again(chain, close, 11, quantums=STEP) == 24
    assert again(chain, close, 11) == 2001


def test_a_position_on_the_other_side_hides_that_the_id_was_used() -> None:
    chain, close = half_closed()

    assert again(chain, close, 11) == 2004
    give(chain, ALICE, -3 * STEP)
    assert position(chain, ALICE) == -STEP
    assert again(chain, close, 11) == 2001


def test_an_immediate_order_that_filled_nothing_leaves_no_memory() -> None:
    chain = chain_of()
    chain.set_quoting("BTC-USD", frozenset())
    give(chain, ALICE, COIN)
    close = order(Side.SELL, STEP, 99_000, reduce_only=True)
    chain.check(close)
    next_block(chain)

    assert again(chain, close) == 0  # the exchange has forgotten it; the mempool has not: sdk 19


def test_fills_are_remembered_until_forty_blocks_after_the_last_good_til_block() -> None:
    chain, close = half_closed()  # good until block 10
    until = chain.height

    blocks(chain, 49 - until)
    assert again(chain, close, chain.height + 2) == 2004
    next_block(chain)

    assert chain.height == 50
    assert again(chain, close, chain.height + 2) == 0


def test_what_a_pending_match_has_filled_is_replaced_only_by_a_later_order() -> None:
    """The memclob knows an order that it has matched by its id until the block is made."""
    chain = chain_of()
    chain.set_quoting("BTC-USD", frozenset())
    give(chain, ALICE, 3 * STEP)
    bid = limit(Side.BUY, STEP, 99_000, who=BOB, client_id=2)
    close = order(Side.SELL, 2 * STEP, 99_000, reduce_only=True)
    chain.check(bid)
    chain.check(close)

    pending = [again(chain, close), again(chain, close, 9), again(chain, close, 11)]
    maker = again(chain, bid)
    next_block(chain)

    assert (pending, maker) == ([20, 20, 2004], 20)
    assert (again(chain, close), again(chain, bid)) == (2004, 24)
