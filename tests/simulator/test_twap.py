"""TWAP orders: legs at every interval, catching up, and what ends them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import Side
from seawall.simulator import messages
from seawall.simulator.chain import Chain
from seawall.simulator.events import Block, FillKind, OrderEvent, OrderStatus, Reason
from seawall.simulator.messages import PlaceOrder, TwapParameters
from tests.simulator.stage import (
    ALICE,
    BOB,
    COIN,
    START,
    STEP,
    TICK,
    cancel_of,
    chain_of,
    give,
    limit,
    next_block,
    order,
    position,
)

SCHEDULE = TwapParameters(duration_s=300, interval_s=60, tolerance_ppm=10_000)


def twap(
    side: Side = Side.BUY,
    quantums: int = 500 * STEP,
    *,
    dollars: int = 0,
    reduce_only: bool = False,
    schedule: TwapParameters = SCHEDULE,
) -> PlaceOrder:
    placed = order(
        side,
        quantums,
        dollars,
        flags=messages.TWAP,
        good_til_block_time=START // 1_000 + 3_600,
        reduce_only=reduce_only,
    )
    return replace(placed, twap=schedule)


def play(chain: Chain, seconds: int) -> list[Block]:
    return [next_block(chain) for _ in range(seconds)]


def events(blocks: list[Block], flags: int) -> list[OrderEvent]:
    found = [event for block in blocks for event in block.orders]
    return [event for event in found if event.order.order_id.order_flags == flags]


def test_it_fills_in_even_legs_one_every_interval() -> None:
    chain = chain_of()

    assert chain.check(twap()).code == 0
    blocks = play(chain, 302)

    filled = [n for n, block in enumerate(blocks) if block.fills]
    assert filled == [1, 61, 121, 181, 241]
    kinds = {fill.kind for block in blocks for fill in block.fills}
    assert kinds == {FillKind.TWAP_SUBORDER}
    assert [fill.quantums for block in blocks for fill in block.fills] == [100 * STEP] * 5
    last = events(blocks, messages.TWAP)[-1]
    assert (last.status, last.filled, last.reason) == (
        OrderStatus.FILLED,
        500 * STEP,
        Reason.NONE,
    )
    assert chain.committed.orders == {}


def test_a_leg_is_priced_at_the_oracle_with_its_tolerance() -> None:
    chain = chain_of()
    chain.check(twap())
    (leg,) = events(play(chain, 1), messages.TWAP_LEG)

    assert leg.order.subticks == 101_000 * TICK
    assert leg.order.good_til_block_time == chain.time // 1_000 + 3
    assert leg.order.time_in_force == messages.GOOD_TIL_TIME


def test_the_parents_price_goes_before_the_oracles() -> None:
    chain = chain_of()
    chain.check(twap(dollars=90_000))
    blocks = play(chain, 60)

    legs = events(blocks, messages.TWAP_LEG)
    assert {leg.order.subticks for leg in legs} == {90_000 * TICK}
    expired = [leg for leg in legs if leg.reason is Reason.EXPIRED]
    assert len(expired) == 1  # it rested for three seconds, and the next one is made after 60
    assert position(chain, ALICE) == 0


def test_what_was_not_filled_is_caught_up_at_most_threefold() -> None:
    chain = chain_of()
    chain.set_quoting("BTC-USD", frozenset())
    chain.check(twap())
    play(chain, 230)  # four legs meet an empty book
    chain.set_quoting("BTC-USD", frozenset(Side))
    legs = events(play(chain, 20), messages.TWAP_LEG)

    assert legs[0].order.quantums == 300 * STEP
    ended = events(play(chain, 60), messages.TWAP)
    assert position(chain, ALICE) == 300 * STEP
    assert (ended[-1].status, ended[-1].reason) == (OrderStatus.CANCELED, Reason.EXPIRED)
    assert ended[-1].filled == 300 * STEP


def test_a_leg_that_the_account_may_not_have_ends_the_parent() -> None:
    chain = chain_of({ALICE: 1_600})
    chain.check(twap(quantums=5_000 * STEP))
    play(chain, 30)
    assert position(chain, ALICE) == 1_000 * STEP
    next_block(chain, BTC=Decimal(88_000))  # maintained, and no margin for another leg
    blocks = play(chain, 40)

    (ended,) = [e for e in events(blocks, messages.TWAP) if e.status is OrderStatus.CANCELED]
    assert ended.reason is Reason.UNDERCOLLATERALIZED
    assert chain.committed.orders == {}


def test_a_reduce_only_one_may_be_immediate_and_rests_its_legs() -> None:
    chain = chain_of()
    give(chain, ALICE, 120 * STEP)
    chain.set_quoting("BTC-USD", frozenset())
    assert chain.check(twap(Side.SELL, reduce_only=True)).code == 0
    play(chain, 2)

    (resting,) = (o for o in chain.committed.open_orders(ALICE.owner) if o.order.twap is None)
    assert resting.order.reduce_only
    chain.check(limit(Side.BUY, 500 * STEP, 100_000, who=BOB))
    play(chain, 1)
    assert position(chain, ALICE) == 20 * STEP
    play(chain, 57)
    chain.check(limit(Side.BUY, 500 * STEP, 100_000, who=BOB, client_id=2, good_til_block=80))
    play(chain, 5)
    assert position(chain, ALICE) == 0  # the next leg is cut to what is left


def test_a_cancel_ends_it_with_its_legs_to_come() -> None:
    chain = chain_of()
    asked = twap()
    chain.check(asked)
    play(chain, 10)

    assert chain.check(cancel_of(asked)).code == 0
    blocks = play(chain, 120)

    (ended,) = [e for e in events(blocks, messages.TWAP) if e.status is OrderStatus.CANCELED]
    assert (ended.reason, ended.filled) == (Reason.USER_CANCELED, 100 * STEP)
    assert events(blocks, messages.TWAP_LEG) == []
    assert position(chain, ALICE) == 100 * STEP
    assert chain.is_quiet


def test_time_does_not_jump_over_a_leg() -> None:
    chain = chain_of()
    assert chain.is_quiet
    chain.check(twap())
    play(chain, 10)

    assert not chain.is_quiet


def test_a_restart_puts_no_parent_on_the_book() -> None:
    chain = chain_of()
    chain.check(twap(dollars=90_000))
    play(chain, 10)

    chain.set_starting(is_starting=True)
    chain.set_starting(is_starting=False)
    play(chain, 2)

    (parent,) = chain.committed.open_orders(ALICE.owner)
    assert parent.order.order_id.order_flags == messages.TWAP
    assert chain.book("BTC-USD").bids[0].quantums < COIN


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (twap(quantums=4 * STEP), 12),  # five legs of less than a step
        (twap(quantums=5 * STEP), 0),
        (twap(quantums=500_000 * STEP), 3007),
        (replace(twap(), time_in_force=messages.POST_ONLY), 0),
        (replace(twap(reduce_only=True), time_in_force=messages.GOOD_TIL_TIME), 9003),
        (replace(twap(), time_in_force=messages.FILL_OR_KILL), 48),
        (replace(twap(), good_til_block_time=1), 3003),
    ],
)
def test_what_is_judged_at_placement(asked: PlaceOrder, code: int) -> None:
    assert chain_of().check(asked).code == code


def test_a_leg_cannot_be_sent_and_is_free_of_equity_tiers() -> None:
    chain = chain_of({ALICE: 150})  # a tier of five stateful orders
    sent = twap()
    leg = replace(sent, order_id=replace(sent.order_id, order_flags=messages.TWAP_LEG), twap=None)

    assert chain.check(leg).code == 3000
    chain.check(twap(quantums=5 * STEP, dollars=90_000))
    play(chain, 2)
    assert chain._exchange.stateful_count(ALICE) == 1
