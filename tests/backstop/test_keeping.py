"""Keeping one market's stop in step: what is placed and cancelled, and never a moment without."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.account import RestingOrder, Side
from seawall.action import STOP_LIFE, stop_ids
from seawall.backstop import Move, Stop, next_move, stops_of
from seawall.policy import BackstopOrder
from seawall.units import Millis, Ppm, QuoteQuantums
from tests.see import AT, BTC, CHAIN_ID, OWNER, Number, quantums, resting, subticks

IDS = stop_ids(CHAIN_ID, OWNER, 0, 0)
ASKED = BackstopOrder(scenario="gap", at=Ppm(600_000), slippage=Ppm(50_000))
LONG = int(quantums(BTC, 1))
DAY_S = 86_400
NOW_S = AT // 1_000


def wants(price: Number = 94_000, size: Number = 1, side: Side = Side.SELL) -> Stop:
    """A stop of one bitcoin at 100,000 with 6% to go."""
    return Stop(
        subaccount=0,
        ticker="BTC-USD",
        side=side,
        quantums=quantums(BTC, size),
        trigger=subticks(BTC, price),
        worst=subticks(BTC, 89_300),
        risk=QuoteQuantums(1),
    )


def rests(
    slot: int = 0,
    price: Number = 94_000,
    size: Number = 1,
    *,
    days: int = 14,
    side: Side = Side.SELL,
    is_triggered: bool = False,
    worst: Number | None = None,
) -> RestingOrder:
    away = -(-int(price) * 95 // 100) if side is Side.SELL else int(price) * 105 // 100
    bound = away if worst is None else worst
    order = resting(
        BTC, side, size, bound, client_id=IDS[slot], reduce_only=True, order_flags=32, ours=True
    )
    return replace(
        order,
        trigger_subticks=subticks(BTC, price),
        good_til_block_time=NOW_S + days * DAY_S,
        is_triggered=is_triggered,
    )


def move(
    *orders: RestingOrder,
    stop: Stop | None = None,
    held: int = LONG,
    going: tuple[RestingOrder, ...] = (),
    asked: BackstopOrder | None = ASKED,
    at: Millis = AT,
) -> Move:
    return next_move(
        wants() if stop is None else stop,
        held,
        stops_of(orders, IDS),
        going=going,
        ids=IDS,
        market=BTC,
        asked=asked,
        at=at,
    )


def test_a_position_without_a_stop_gets_one_in_the_first_slot() -> None:
    assert move() == Move(place_as=IDS[0], is_bare=True)


def test_a_stop_in_step_is_left_alone_and_renewed_at_half_its_life() -> None:
    there = rests()
    until = Millis((there.good_til_block_time or 0) * 1_000)

    assert move(there) == Move(renew_at=Millis(until - STOP_LIFE // 2))


@pytest.mark.parametrize(
    ("there", "is_moved"),
    [
        (rests(price=94_600), False),  # 600 of a distance of 6,000
        (rests(price=94_610), True),
        (rests(price=93_400), False),
        (rests(price=93_390), True),
        (rests(size="1.1"), False),
        (rests(size="1.1001"), True),
        (rests(size="0.9"), False),
        (rests(size="0.8999"), True),
        (rests(worst=89_200), True),  # the file's slippage is another now
        (replace(rests(), trigger_subticks=None), True),
        (rests(days=7), True),
        (replace(rests(days=7), good_til_block_time=NOW_S + 7 * DAY_S + 1), False),
    ],
)
def test_it_moves_by_more_than_a_tenth_or_at_half_its_life(
    there: RestingOrder, *, is_moved: bool
) -> None:
    found = move(there)

    assert found.place_as == (IDS[1] if is_moved else None)
    assert found.cancels == (), "the old one stays until the new one is seen"
    assert not found.is_bare


@pytest.mark.parametrize(
    ("price", "is_moved"), [(106_600, False), (106_610, True), (105_400, False), (105_390, True)]
)
def test_a_short_is_kept_in_step_alike(price: int, *, is_moved: bool) -> None:
    found = move(rests(price=price, side=Side.BUY), stop=wants(106_000, side=Side.BUY), held=-LONG)

    assert found.place_as == (IDS[1] if is_moved else None)


def test_an_order_without_an_end_is_no_stop_of_ours() -> None:
    assert stops_of((replace(rests(), good_til_block_time=None),), IDS) == ()


def test_once_both_rest_the_one_that_ends_first_goes_wherever_its_trigger_is() -> None:
    new, old = rests(1, price=80_000), rests(0, days=13)

    found = move(old, new)

    assert found.cancels == (old,)
    assert found.place_as is None, "one thing at a time"


@pytest.mark.parametrize(
    ("held", "old", "new", "goes"),
    [
        ("1", "1", "0.5", "new"),  # grown again while its stop was being made smaller
        ("0.5", "1", "0.5", "old"),
        ("0.50005", "1", "0.5", "old"),  # under a step there is no stop
        ("1", "0.4", "0.5", "old"),
        ("1", "0.5", "0.4", "new"),
    ],
)
def test_of_two_the_one_that_closes_more_of_the_position_stays(
    held: str, old: str, new: str, goes: str
) -> None:
    both = {"old": rests(0, size=old, days=13), "new": rests(1, size=new)}

    found = move(*both.values(), held=int(quantums(BTC, held)))

    assert found.cancels == (both[goes],)


def test_of_two_of_a_short_the_one_that_closes_more_stays_too() -> None:
    old, new = rests(0, days=13, side=Side.BUY), rests(1, size="0.5", side=Side.BUY)

    assert move(old, new, held=-LONG, stop=wants(106_000, side=Side.BUY)).cancels == (new,)


def test_a_position_that_grows_while_both_slots_are_taken_comes_to_its_full_stop() -> None:
    there = [rests(0, price=80_000, size=1, days=13), rests(1, size="0.5")]
    protected = []

    for day in range(14, 20):
        found = move(*there)
        there = [one for one in there if one not in found.cancels]
        if found.place_as is not None:
            there.append(rests(IDS.index(found.place_as), days=day))
        protected.append(max(one.quantums for one in there))

    assert protected == [quantums(BTC, 1)] * 6
    assert [(one.quantums, one.trigger_subticks) for one in there] == [
        (quantums(BTC, 1), subticks(BTC, 94_000))
    ]


def test_of_two_of_one_age_every_guard_keeps_the_same() -> None:
    first, second = sorted((rests(0), rests(1)), key=lambda one: one.client_id)

    assert move(first, second).cancels == move(second, first).cancels == (second,)


def test_flat_and_no_longer_asked_for_cancel_all() -> None:
    both = rests(0), rests(1, days=13)

    assert set(move(*both, held=0).cancels) == set(both)
    assert set(move(*both, asked=None).cancels) == set(both)


def test_what_cannot_be_said_leaves_what_rests() -> None:
    there = rests(price=80_000)

    found = next_move(None, LONG, [there], ids=IDS, market=BTC, asked=ASKED, at=AT)

    assert (found.cancels, found.place_as, found.is_bare) == ((), None, False)


@pytest.mark.parametrize("useless", [rests(is_triggered=True), rests(side=Side.BUY)])
def test_one_that_went_off_or_is_on_the_wrong_side_protects_nothing(useless: RestingOrder) -> None:
    alone, replaced = move(useless), move(useless, rests(1))

    assert (alone.place_as, alone.cancels, alone.is_bare) == (IDS[1], (), True)
    assert (replaced.place_as, replaced.cancels) == (None, (useless,))


def test_two_that_are_useless_make_room_one_after_the_other() -> None:
    spent, older = rests(0, is_triggered=True), rests(1, is_triggered=True, days=13)

    assert move(spent, older) == Move(cancels=(older,), is_bare=True)


def test_one_whose_cancel_is_under_way_protects_no_more() -> None:
    old, spent = rests(0, days=13), rests(1, is_triggered=True)

    found = move(old, spent, going=(old,))

    assert found == Move(is_bare=True), "its id is free in a moment, nothing else need go"


ORDERS = st.builds(
    rests,
    st.sampled_from([0, 1]),
    st.sampled_from([80_000, 93_000, 94_000, 99_000]),
    st.sampled_from(["0.5", "1"]),
    days=st.integers(1, 14),
    side=st.sampled_from(list(Side)),
    is_triggered=st.booleans(),
)


@given(orders=st.lists(ORDERS, max_size=2, unique_by=lambda one: one.client_id))
def test_no_cancel_leaves_a_position_without_the_stop_that_it_had(
    orders: list[RestingOrder],
) -> None:
    def protects(order: RestingOrder) -> bool:
        return order.side is Side.SELL and not order.is_triggered

    found = move(*orders)

    left = [order for order in orders if order not in found.cancels]
    assert any(map(protects, left)) == any(map(protects, orders))
    assert found.place_as not in [order.client_id for order in orders]
    assert found.place_as is None or len(left) < 2


def test_orders_that_are_not_ours_are_not_looked_at() -> None:
    theirs = replace(rests(), client_id=7)
    long_term = replace(rests(), order_flags=64)

    assert stops_of((theirs, long_term), IDS) == ()
    assert move(theirs, long_term).place_as == IDS[0]


def test_ids_are_the_same_for_every_guard_and_differ_by_account_and_market() -> None:
    known = {
        one
        for number in (0, 128)
        for pair in (0, 1)
        for owner in (OWNER, "dydx1other")
        for one in stop_ids(CHAIN_ID, owner, number, pair)
    }

    assert stop_ids(CHAIN_ID, OWNER, 0, 0) == IDS
    assert len(known) == 16
