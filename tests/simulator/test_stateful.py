"""Stateful orders: in state with their block, on the book with the next, once per id and block."""

from __future__ import annotations

from dataclasses import replace

from seawall.account import Side
from seawall.simulator import messages
from seawall.simulator.chain import Chain
from seawall.simulator.events import Reason
from seawall.simulator.messages import PlaceOrder
from tests.simulator.stage import (
    ALICE,
    BOB,
    COIN,
    START,
    blocks,
    cancel_of,
    chain_of,
    limit,
    next_block,
    order,
    position,
)

LATER_S = START // 1_000 + 3_600


def long_term(
    side: Side, dollars: int, *, client_id: int = 1, post_only: bool = False
) -> PlaceOrder:
    return order(
        side,
        COIN // 10,
        dollars,
        flags=messages.LONG_TERM,
        good_til_block_time=LATER_S,
        time_in_force=messages.POST_ONLY if post_only else messages.GOOD_TIL_TIME,
    )


def codes(chain: Chain) -> list[int]:
    return [result.code for result in next_block(chain).results]


def test_a_long_term_order_meets_the_book_a_block_after_its_own() -> None:
    chain = chain_of()
    chain.check(long_term(Side.BUY, 101_000), tx="A")

    first, second = blocks(chain, 2)

    assert [result.code for result in first.results] == [0]
    assert not first.fills
    assert sum(fill.quantums for fill in second.fills) == COIN // 10
    assert position(chain, ALICE) == COIN // 10


def test_what_rests_keeps_the_height_at_which_it_was_placed() -> None:
    chain = chain_of()
    chain.check(long_term(Side.BUY, 90_000), tx="A")
    placed, _ = blocks(chain, 2)

    (rested,) = chain.committed.open_orders(ALICE.owner)

    assert rested.placed_height == placed.height


def test_a_stateful_post_only_order_that_crosses_is_taken_and_then_removed() -> None:
    chain = chain_of()

    assert chain.check(long_term(Side.BUY, 101_000, post_only=True), tx="A").is_accepted
    _, second = blocks(chain, 2)

    assert [event.reason for event in second.orders] == [Reason.POST_ONLY_WOULD_CROSS_MAKER_ORDER]
    assert position(chain, ALICE) == 0


def test_an_id_cancelled_in_a_block_is_not_placed_again_in_it() -> None:
    chain = chain_of()
    first = long_term(Side.BUY, 90_000)
    chain.check(first, tx="A")
    blocks(chain, 2)
    chain.check(cancel_of(first), tx="B")

    again = chain.check(replace(first, subticks=first.subticks - 10**5))
    next_block(chain)

    assert (again.codespace, again.code) == ("clob", 3008)
    assert chain.check(first).is_accepted


def test_an_order_filled_in_a_block_is_neither_placed_again_nor_cancelled_in_it() -> None:
    chain = chain_of()
    chain.set_quoting("BTC-USD", frozenset())  # only Alice and Bob meet
    bid = long_term(Side.BUY, 99_900)
    chain.check(bid, tx="A")
    blocks(chain, 2)

    cancelled = chain.check(cancel_of(bid), tx="B")
    chain.check(limit(Side.SELL, COIN // 10, 99_900, who=BOB, client_id=9))
    results = codes(chain)
    placed = chain.check(bid, tx="C")
    blocks(chain, 2)
    chain.check(limit(Side.SELL, COIN // 10, 99_900, who=BOB, client_id=10))
    again = chain.check(replace(bid, subticks=bid.subticks - 10**5))

    assert cancelled.is_accepted  # CheckTx saw the order still there
    assert results == [3010]
    assert placed.is_accepted
    assert (again.codespace, again.code) == ("clob", 3009)
