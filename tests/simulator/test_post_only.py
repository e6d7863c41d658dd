"""Post-only orders: what crosses, what is refused, and what a refused one takes off the book."""

from __future__ import annotations

from dataclasses import replace

from seawall.account import Side
from seawall.simulator import messages
from seawall.simulator.chain import Chain
from seawall.simulator.events import OrderStatus, Reason
from seawall.simulator.messages import PlaceOrder, SubaccountId
from tests.simulator.stage import (
    ALICE,
    BOB,
    COIN,
    STEP,
    TICK,
    chain_of,
    limit,
    next_block,
    position,
)


def post_only(side: Side, dollars: int, quantums: int = STEP, client_id: int = 1) -> PlaceOrder:
    bid = limit(side, quantums, dollars, client_id=client_id)
    return replace(bid, time_in_force=messages.POST_ONLY)


def without_house(dollars: dict[SubaccountId, int] | None = None) -> Chain:
    chain = chain_of(dollars)
    chain.set_quoting("BTC-USD", frozenset())
    return chain


def resting(chain: Chain, who: SubaccountId = ALICE) -> list[int]:
    return [one.order.order_id.client_id for one in chain.committed.open_orders(who.owner)]


def test_post_only_that_would_cross_places_nothing() -> None:
    chain = chain_of()
    crossing = post_only(Side.BUY, 101_000)

    assert chain.check(crossing).code == 2003
    assert chain.check(replace(crossing, subticks=99_000 * TICK)).is_accepted
    next_block(chain)
    assert len(chain.committed.open_orders(ALICE.owner)) == 1


def test_post_only_that_crosses_its_own_maker_only_takes_its_place() -> None:
    chain = without_house()
    chain.check(limit(Side.BUY, STEP, 99_000, client_id=2))

    answer = chain.check(post_only(Side.SELL, 99_000))
    block = next_block(chain)

    assert answer.code == 0
    assert resting(chain) == [1]
    assert [one.reason for one in block.orders if one.order.order_id.client_id == 2] == [
        Reason.NONE,
        Reason.INVALID_SELF_TRADE,
    ]


def test_post_only_beyond_its_own_maker_is_refused_and_the_maker_is_gone() -> None:
    chain = without_house()
    chain.check(limit(Side.BUY, STEP, 99_500, client_id=2))
    chain.check(limit(Side.BUY, STEP, 99_000, who=BOB, client_id=3))
    next_block(chain)

    refused = chain.check(post_only(Side.SELL, 99_000)).code
    next_block(chain)

    assert refused == 2003
    assert (resting(chain), resting(chain, BOB)) == ([], [3])
    assert position(chain, ALICE) == position(chain, BOB) == 0


def test_post_only_of_an_account_without_margin_is_taken_and_then_removed() -> None:
    chain = without_house({ALICE: 1, BOB: 100_000})
    chain.check(limit(Side.SELL, COIN, 101_000, who=BOB, client_id=2))

    answer = chain.check(post_only(Side.BUY, 102_000, COIN))
    block = next_block(chain)

    assert answer.code == 0
    assert [
        (one.status, one.reason) for one in block.orders if one.order.order_id.client_id == 1
    ] == [(OrderStatus.CANCELED, Reason.UNDERCOLLATERALIZED)]
    assert resting(chain, BOB) == [2]


def test_a_refused_replacement_takes_what_it_would_replace_off_the_book() -> None:
    chain = without_house()
    chain.check(limit(Side.SELL, STEP, 101_000, who=BOB, client_id=2))
    bid = post_only(Side.BUY, 99_000)
    chain.check(bid)
    next_block(chain)

    refused = chain.check(replace(bid, subticks=102_000 * TICK, good_til_block=31)).code
    block = next_block(chain)

    assert refused == 2003
    assert (resting(chain), resting(chain, BOB)) == ([], [2])
    assert [one.reason for one in block.orders] == [Reason.POST_ONLY_WOULD_CROSS_MAKER_ORDER]
