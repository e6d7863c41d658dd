"""The gate and cancels of stops: what stays closes as much of the position as what goes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.account import RestingOrder, Side
from seawall.action import RefusalCode as Code
from seawall.units import BaseQuantums
from tests.limits.asks import cancel_of, seen, verdicts, with_orders
from tests.limits.stops import WITH_STOPS, codes, rests
from tests.see import BTC, quantums, see

PROTECTION = Code.CANCELS_PROTECTION


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ([], PROTECTION),
        ([rests(1)], None),  # lives longer
        ([rests(1, days=12)], PROTECTION),
        ([rests(1, is_triggered=True)], PROTECTION),
        ([rests(1, side=Side.BUY)], PROTECTION),
        ([rests(1, reduce_only=False)], PROTECTION),
        ([replace(rests(1), client_id=7)], PROTECTION),  # the trader's own
        ([replace(rests(1), order_flags=64)], PROTECTION),
    ],
)
def test_a_stop_goes_once_another_of_ours_that_lives_longer_is_seen(
    others: list[RestingOrder], code: Code | None
) -> None:
    target = rests(0, days=13)
    on = with_orders(seen(), target, *others)

    assert codes(on, cancel_of(target)) == (() if code is None else (code,))


@pytest.mark.parametrize(
    ("held", "old", "new", "goes"),
    [
        ("0.5", "0.5", "0.5", "old"),
        ("0.5", "0.5", "0.4999", "new"),  # what stays closes as much as what goes
        ("0.5", "0.5", "0", "new"),
        ("0.5", "0.7", "0.5", "old"),  # more than the position is worth no more
        ("0.50005", "0.7", "0.5", "old"),  # nor what is under a step
        ("0.5", "0.3", "0.4", "old"),  # it has grown, and both are too small: the smaller goes
        ("0.5", "0.4", "0.3", "new"),
    ],
)
def test_of_two_stops_the_one_that_closes_less_goes_and_else_the_one_that_ends_first(
    held: str, old: str, new: str, goes: str
) -> None:
    on = see(equity=23_000, positions={"BTC-USD": (held, 100_000)})
    both = {
        "old": rests(0, days=13, quantums=quantums(BTC, old)),
        "new": rests(1, quantums=quantums(BTC, new)),
    }
    on = with_orders(on, *both.values())

    for name, order in both.items():
        assert codes(on, cancel_of(order)) == (() if name == goes else (PROTECTION,))


def test_of_two_stops_of_a_short_the_one_that_closes_less_goes_too() -> None:
    on = see(equity=23_000, positions={"BTC-USD": ("-0.5", 100_000)})
    old = rests(0, days=13, side=Side.BUY)
    new = rests(1, side=Side.BUY, quantums=quantums(BTC, "0.4"))
    on = with_orders(on, old, new)

    assert codes(on, cancel_of(old)) == (PROTECTION,)
    assert codes(on, cancel_of(new)) == ()


@pytest.mark.parametrize(("more", "goes"), [(0, "old"), (1, "new")])
def test_stops_of_a_market_that_was_not_read_are_told_apart_by_the_quantum(
    more: int, goes: str
) -> None:
    on = see(equity=23_000, positions={"BTC-USD": ("0.4999999999", 100_000)})
    size = quantums(BTC, "0.4999999998")
    both = {
        "old": rests(0, days=13, quantums=BaseQuantums(size + more)),
        "new": rests(1, quantums=BaseQuantums(size)),
    }
    on = with_orders(on, *both.values())
    unread = replace(on, markets={t: m for t, m in on.markets.items() if t != "BTC-USD"})

    for name, order in both.items():
        assert codes(unread, cancel_of(order)) == (() if name == goes else (PROTECTION,))


@given(
    held=st.integers(1, 10),
    sizes=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    days=st.tuples(st.integers(1, 14), st.integers(1, 14)),
)
def test_what_may_go_of_two_stops_leaves_as_much_protected_and_one_of_them_always_may(
    held: int, sizes: tuple[int, int], days: tuple[int, int]
) -> None:
    step = BTC.step_base_quantums
    on = see(equity=23_000, positions={"BTC-USD": (BTC.coins(held * step), 100_000)})
    both = [rests(at, days=days[at], quantums=BaseQuantums(sizes[at] * step)) for at in (0, 1)]
    on = with_orders(on, *both)

    passed, _ = verdicts(on, *map(cancel_of, both), policy=WITH_STOPS)

    (gone,) = [at for at in (0, 1) if cancel_of(both[at]) in passed]
    assert min(sizes[1 - gone], held) >= min(sizes[gone], held)


def test_of_two_stops_that_end_together_that_of_the_lower_id_stays() -> None:
    lower, higher = sorted((rests(0), rests(1)), key=lambda one: one.client_id)
    on = with_orders(seen(), lower, higher)

    assert codes(on, cancel_of(lower)) == (Code.CANCELS_PROTECTION,)
    assert codes(on, cancel_of(higher)) == ()


def test_two_guards_of_one_sight_never_leave_a_position_without() -> None:
    # Which of the two stays is what the guards themselves choose: the smaller id.
    stays, goes = sorted((rests(0), rests(1)), key=lambda one: one.client_id)
    on = with_orders(seen(), stays, goes)

    for asked in ((stays, goes), (goes, stays)):
        passed, refused = verdicts(on, *map(cancel_of, asked), policy=WITH_STOPS)
        assert passed == (cancel_of(goes),)
        assert refused == (PROTECTION,)


def test_a_stop_told_twice_does_not_take_its_own_place() -> None:
    target = rests(0)
    on = with_orders(seen(), target, replace(target))

    assert codes(on, cancel_of(target)) == (PROTECTION,)


def test_an_order_without_an_end_takes_no_stops_place() -> None:
    target = rests(0)
    on = with_orders(seen(), target, rests(1, good_til_block_time=None))

    assert codes(on, cancel_of(target)) == (PROTECTION,)


def test_one_that_went_off_makes_room_where_another_rests() -> None:
    spent = rests(0, is_triggered=True)

    assert codes(with_orders(seen(), spent), cancel_of(spent)) == (PROTECTION,)
    assert codes(with_orders(seen(), spent, rests(1, days=3)), cancel_of(spent)) == ()
