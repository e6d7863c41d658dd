"""CheckTx of orders and cancels: every refusal with its code, in the chain's order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.account import Side
from seawall.simulator import messages
from seawall.simulator.chain import ChainSettings
from seawall.simulator.events import OrderStatus, Reason
from seawall.simulator.limits import OrderLimits, RateLimit
from seawall.simulator.messages import BatchCancel, BuilderCode, Message, PlaceOrder, SubaccountId
from tests.simulator.stage import (
    ALICE,
    BOB,
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

SOON = START // 1_000 + 3_600


def stateful(flags: int = messages.LONG_TERM, client_id: int = 1) -> PlaceOrder:
    """A resting long-term or conditional bid far from the mid."""
    bid = order(
        Side.BUY,
        STEP,
        90_000,
        client_id=client_id,
        flags=flags,
        good_til_block_time=SOON,
        time_in_force=messages.GOOD_TIL_TIME,
    )
    if flags == messages.CONDITIONAL:
        trigger = 95_000 * TICK
        return replace(bid, condition_type=messages.TAKE_PROFIT, trigger_subticks=trigger)
    return bid


MALFORMED = {
    "fill or kill": (order(time_in_force=messages.FILL_OR_KILL), 48),
    "unknown time in force": (order(time_in_force=7), 44),
    "no side": (replace(order(), side=None), 3),
    "no size": (order(quantums=0), 4),
    "no good-til-block": (order(good_til_block=0), 5),
    "no good-til-block-time": (replace(stateful(), good_til_block_time=0), 3001),
    "unknown flag": (order(flags=7, good_til_block_time=SOON), 3000),
    "long-term at once": (
        replace(stateful(), time_in_force=messages.IMMEDIATE_OR_CANCEL),
        3002,
    ),
    "resting reduce-only": (replace(limit(Side.SELL, STEP, 99_000), reduce_only=True), 9003),
    "no price": (order(dollars=0), 6),
    "no condition": (
        replace(stateful(messages.CONDITIONAL), condition_type=messages.NO_CONDITION),
        6000,
    ),
    "no trigger": (replace(stateful(messages.CONDITIONAL), trigger_subticks=0), 6001),
    "unknown market": (order(clob_pair_id=99), 8),
    "off the tick": (replace(order(), subticks=99_000 * TICK + 1), 12),
    "off the step": (order(quantums=STEP + 1), 12),
    "time passed": (replace(stateful(), good_til_block_time=START // 1_000), 3003),
    "time too far": (
        replace(stateful(), good_til_block_time=START // 1_000 + 95 * 86_400 + 1),
        3004,
    ),
}


@pytest.mark.parametrize(("wrong", "code"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_malformed_gets_the_chains_code(wrong: PlaceOrder, code: int) -> None:
    answer = chain_of().check(wrong)

    assert (answer.code, answer.codespace) == (code, "clob")
    assert answer.log


@pytest.mark.parametrize(("number", "code"), [(128_000, 0), (128_001, 200)])
def test_subaccount_numbers_end_at_128000(number: int, code: int) -> None:
    who = SubaccountId(owner=ALICE.owner, number=number)

    assert chain_of().check(order(who=who)).code == code


@pytest.mark.parametrize(
    ("window", "good_til_block", "code"),
    [(40, 1, 10), (40, 2, 0), (40, 42, 0), (40, 43, 11), (20, 22, 0), (20, 23, 11)],
)
def test_good_til_block_lies_between_the_next_height_and_the_window(
    window: int, good_til_block: int, code: int
) -> None:
    chain = chain_of(settings=ChainSettings(short_block_window=window))

    assert chain.check(order(good_til_block=good_til_block)).code == code


def test_what_is_out_of_the_window_or_of_no_market_is_not_counted_against_the_rate() -> None:
    """The chain's rate limiter looks at the window first, so that nobody replays old orders."""
    limits = OrderLimits(short_term=(RateLimit(blocks=1, most=1),))
    chain = chain_of(settings=ChainSettings(limits=limits))
    far = order(good_til_block=500)
    unknown = order(clob_pair_id=77)
    fine = order()
    off_the_tick = replace(far, subticks=far.subticks + 1)

    sent: list[Message] = [
        far,
        far,
        cancel_of(far, 500),
        off_the_tick,
        unknown,
        unknown,
        fine,
        fine,
        far,
    ]

    assert [chain.check(one).code for one in sent] == [11, 11, 11, 11, 8, 8, 0, 5001, 11]


def test_a_reduce_only_order_needs_a_position_on_the_other_side() -> None:
    chain = chain_of()
    give(chain, ALICE, -COIN)

    flat = chain.check(order(reduce_only=True, who=BOB))
    same_side = chain.check(order(Side.SELL, reduce_only=True))
    other_side = chain.check(order(Side.BUY, dollars=101_000, reduce_only=True, client_id=2))

    assert [flat.code, same_side.code, other_side.code] == [2001, 2001, 0]


def test_a_second_copy_of_a_close_meets_what_the_first_did() -> None:
    chain = chain_of()
    give(chain, ALICE, COIN // 10)
    close = order(Side.SELL, COIN // 10, reduce_only=True)
    assert chain.check(close).is_accepted

    same_id = chain.check(replace(close, good_til_block=11))
    new_id = chain.check(
        replace(close, order_id=replace(close.order_id, client_id=2), good_til_block=11)
    )

    assert (same_id.code, new_id.code) == (24, 2001)


def test_refusals_of_a_known_id_come_in_the_chains_order() -> None:
    """7 before 20 before 24 before 2001 before 2004, each time the reason before is taken away."""
    chain = chain_of({ALICE: 1_000_000})
    give(chain, ALICE, COIN)
    touch = chain.book("BTC-USD").bids[0].subticks // TICK
    top = chain.book("BTC-USD").bids[0].quantums
    partial = order(Side.SELL, top + STEP, touch, reduce_only=True)
    assert chain.check(partial).is_accepted
    next_block(chain)
    assert position(chain, ALICE) == COIN - top

    again = chain.check(replace(partial, good_til_block=11))
    smaller = chain.check(replace(partial, quantums=top, good_til_block=11))
    wrong_side = chain.check(replace(partial, side=Side.BUY, good_til_block=11))
    assert chain.check(cancel_of(partial, good_til_block=12)).is_accepted
    cancelled = chain.check(replace(partial, quantums=top, good_til_block=12))
    beyond = chain.check(replace(partial, quantums=top, good_til_block=13))

    codes = [answer.code for answer in (again, smaller, wrong_side, cancelled, beyond)]
    assert codes == [2004, 24, 2001, 7, 24]


def test_a_resting_order_is_replaced_only_by_a_later_one_of_its_kind() -> None:
    chain = chain_of()
    bid = limit(Side.BUY, STEP, 99_000, good_til_block=20)
    assert chain.check(bid).is_accepted
    next_block(chain)

    same = chain.check(bid)
    earlier = chain.check(replace(bid, good_til_block=19))
    other_side = chain.check(replace(bid, side=Side.SELL, subticks=101_000 * TICK))
    later = chain.check(replace(bid, quantums=2 * STEP, good_til_block=21))

    assert [same.code, earlier.code, other_side.code, later.code] == [20, 20, 20, 0]
    next_block(chain)
    (rested,) = chain.committed.open_orders(ALICE.owner)
    assert rested.remaining == 2 * STEP


def test_a_cancel_works_only_up_to_its_own_good_til_block() -> None:
    chain = chain_of()
    bid = limit(Side.BUY, STEP, 99_000, good_til_block=20)
    chain.check(bid)
    next_block(chain)

    assert chain.check(cancel_of(bid, good_til_block=19)).is_accepted
    next_block(chain)
    still_there = chain.committed.open_orders(ALICE.owner)
    assert chain.check(cancel_of(bid, good_til_block=20)).is_accepted
    block = next_block(chain)

    assert len(still_there) == 1
    assert chain.committed.open_orders(ALICE.owner) == ()
    assert [(o.status, o.reason) for o in block.orders] == [
        (OrderStatus.CANCELED, Reason.USER_CANCELED)
    ]


def test_a_cancel_is_a_lock_until_its_good_til_block() -> None:
    chain = chain_of()
    bid = limit(Side.BUY, STEP, 99_000, good_til_block=5)
    assert chain.check(cancel_of(bid, good_til_block=5)).is_accepted

    assert chain.check(cancel_of(bid, good_til_block=5)).code == 9
    assert chain.check(bid).code == 7
    assert chain.check(replace(bid, good_til_block=6)).is_accepted


def test_a_cancel_outside_the_window_is_refused() -> None:
    chain = chain_of()

    early = chain.check(cancel_of(order(), good_til_block=1))
    late = chain.check(cancel_of(order(), good_til_block=43))

    assert (early.code, late.code) == (10, 11)


def test_a_batch_cancels_what_is_there_and_says_nothing_of_the_rest() -> None:
    chain = chain_of()
    chain.check(limit(Side.BUY, STEP, 99_000, client_id=1, good_til_block=20))
    next_block(chain)

    batch = BatchCancel(subaccount=ALICE, cancels=((0, (1, 2)), (1, (3,))), good_til_block=20)
    nothing = BatchCancel(subaccount=BOB, cancels=((0, (9,)),), good_til_block=20)
    answers = [chain.check(batch), chain.check(nothing)]
    next_block(chain)

    assert [answer.code for answer in answers] == [0, 0]
    assert chain.committed.open_orders(ALICE.owner) == ()


def test_a_batch_with_an_unknown_market_cancels_nothing_and_is_answered_all_the_same() -> None:
    chain = chain_of()
    chain.check(limit(Side.BUY, STEP, 99_000, client_id=1, good_til_block=20))
    next_block(chain)

    batch = BatchCancel(subaccount=ALICE, cancels=((0, (1,)), (9, (1,))), good_til_block=20)
    answer = chain.check(batch)
    next_block(chain)

    assert answer.code == 0
    assert len(chain.committed.open_orders(ALICE.owner)) == 1


@pytest.mark.parametrize(
    ("cancels", "code"),
    [
        (((0, tuple(range(100))),), 0),
        (((0, tuple(range(101))),), 45),
        (((0, (1,)), (0, (2,))), 45),
        ((), 45),
    ],
)
def test_a_batch_holds_a_hundred_ids_and_one_list_a_market(
    cancels: tuple[tuple[int, tuple[int, ...]], ...], code: int
) -> None:
    batch = BatchCancel(subaccount=ALICE, cancels=cancels, good_til_block=20)

    assert chain_of().check(batch).code == code


@pytest.mark.parametrize("flags", [messages.LONG_TERM, messages.CONDITIONAL])
def test_a_stateful_order_rests_until_it_is_cancelled(flags: int) -> None:
    chain = chain_of()
    bid = stateful(flags)
    assert chain.check(bid, "PLACED").is_accepted
    assert chain.check(bid).code == 3005
    block = next_block(chain)
    assert [(r.tx, r.code) for r in block.results] == [("PLACED", 0)]
    assert len(chain.committed.open_orders(ALICE.owner)) == 1

    too_short = replace(cancel_of(bid), good_til_block_time=SOON - 1)
    assert chain.check(too_short).code == 29
    assert chain.check(cancel_of(bid)).is_accepted
    assert chain.check(cancel_of(bid)).code == 32
    next_block(chain)

    assert chain.committed.open_orders(ALICE.owner) == ()
    assert chain.check(cancel_of(bid)).code == 3006


def test_the_time_of_a_stateful_cancel_is_judged_before_what_it_cancels() -> None:
    chain = chain_of()
    bid = stateful()
    chain.check(bid)
    chain.check(cancel_of(bid))
    unknown = replace(bid, order_id=replace(bid.order_id, client_id=9))
    times = (chain.time // 1_000, SOON, chain.time // 1_000 + 95 * 86_400 + 1)

    codes = [
        [chain.check(replace(cancel_of(placed), good_til_block_time=at)).code for at in times]
        for placed in (bid, unknown)
    ]

    assert codes == [[3003, 32, 3004], [3003, 3006, 3004]]


def test_a_stateful_order_dies_at_its_time() -> None:
    chain = chain_of()
    chain.check(stateful())
    next_block(chain)

    next_block(chain, seconds=3_600 - 2)
    alive = chain.committed.open_orders(ALICE.owner)
    next_block(chain)

    assert len(alive) == 1
    assert chain.committed.open_orders(ALICE.owner) == ()


def test_a_long_term_order_needs_the_margin_of_its_fill() -> None:
    chain = chain_of({ALICE: 1_000})
    affordable = replace(stateful(), quantums=COIN // 2)  # IMR $1,000 at the oracle, gains $5,000
    too_big = replace(stateful(client_id=2), subticks=101_000 * TICK, quantums=COIN)

    assert chain.check(too_big).code == 3007
    assert chain.check(affordable).is_accepted


@pytest.mark.parametrize(("dollars", "code"), [(1_020, 3007), (1_080, 0)])
def test_the_margin_of_a_fill_has_a_builders_share_of_the_base_quantums(
    dollars: int, code: int
) -> None:
    chain = chain_of({ALICE: dollars})  # IMR $1,000, and 1% of 5 * 10^9 quantums is $50
    builder = BuilderCode(address="dydx1builder", fee_ppm=10_000)
    bid = replace(stateful(), subticks=100_000 * TICK, quantums=COIN // 2)

    assert chain.check(replace(bid, builder=builder)).code == code
    assert chain.check(replace(bid, order_id=stateful(client_id=2).order_id)).is_accepted


def test_what_rests_is_gone_after_its_good_til_block() -> None:
    chain = chain_of()
    chain.check(limit(Side.BUY, STEP, 99_000, good_til_block=4))
    blocks(chain, 2)
    alive = chain.committed.open_orders(ALICE.owner)

    block = next_block(chain)

    assert block.height == 4
    assert len(alive) == 1
    assert [(o.status, o.reason) for o in block.orders] == [(OrderStatus.CANCELED, Reason.EXPIRED)]


def test_what_replaces_an_order_stands_behind_those_that_waited() -> None:
    chain = chain_of()
    chain.set_quoting("BTC-USD", frozenset())
    give(chain, BOB, COIN)
    first = limit(Side.BUY, STEP, 99_000)
    chain.check(first)
    chain.check(limit(Side.BUY, STEP, 99_000, client_id=2))
    next_block(chain)
    chain.check(replace(first, good_til_block=31))

    chain.check(limit(Side.SELL, STEP, 99_000, who=BOB, client_id=3))
    next_block(chain)

    (left,) = chain.committed.open_orders(ALICE.owner)
    assert left.order.order_id.client_id == 1
