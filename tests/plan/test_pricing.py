"""Reference prices, worst prices, and walks through a book, each at its bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest

from seawall.account import Book, BookLevel, Observation, Side
from seawall.plan import pricing
from seawall.plan.greedy import reference_quotes
from seawall.units import BaseQuantums, Millis, Ppm, Subticks
from tests.see import AT, BTC, ETH, Number, book, quantums, quote, see, subticks, view

TICK = BTC.subticks_per_tick  # one dollar


def on(shown: Book | None, *, age: int = 0) -> Observation:
    seen = see(books={} if shown is None else {"BTC-USD": shown})
    return replace(seen, seen_at=Millis(AT + age))


def levels(*offered: tuple[Number, Number]) -> tuple[BookLevel, ...]:
    return tuple(BookLevel(subticks(BTC, price), quantums(BTC, size)) for price, size in offered)


def test_the_oracle_in_subticks_is_a_price_in_the_order_s_unit() -> None:
    assert pricing.oracle_subticks(BTC) == subticks(BTC, 100_000)
    assert pricing.oracle_subticks(ETH) == subticks(ETH, 4_000)
    fine = replace(BTC, oracle_price=7, oracle_exponent=-6, quantum_conversion_exponent=-8)
    coarse = replace(BTC, oracle_price=7, quantum_conversion_exponent=-11)
    assert pricing.oracle_subticks(fine) == Fraction(7, 100)
    assert pricing.oracle_subticks(coarse) == 700
    tenth = replace(BTC, oracle_price=7, oracle_exponent=-6)
    assert pricing.oracle_subticks(tenth) == Fraction(7, 10)


@pytest.mark.parametrize(("age", "is_fresh"), [(0, True), (3_000, True), (3_001, False)])
def test_a_book_is_fresh_for_three_seconds(age: int, *, is_fresh: bool) -> None:
    shown = book(BTC)

    assert pricing.fresh_book(on(shown, age=age), "BTC-USD") == (shown if is_fresh else None)
    assert pricing.fresh_book(on(None), "BTC-USD") is None


@pytest.mark.parametrize(
    ("mid", "expected"),
    [(103_000, 103_000), (103_001, None), (97_000, 97_000), (96_999, None)],
)
def test_a_mid_counts_within_three_per_cent_of_the_oracle(mid: int, expected: int | None) -> None:
    seen = on(book(BTC, mid, levels=[("0.00", 1)]))
    price = None if expected is None else Fraction(subticks(BTC, expected))

    assert pricing.mid_in_band(seen, "BTC-USD", Ppm(30_000)) == price
    assert pricing.reference(seen, "BTC-USD", Ppm(30_000)) == (
        subticks(BTC, 100_000) if price is None else price
    )


def test_a_book_of_one_side_and_none_at_all_leave_the_oracle() -> None:
    one_sided = replace(book(BTC, 99_000), asks=())

    for seen in (on(one_sided), on(None), on(book(BTC, 99_000), age=3_001)):
        assert pricing.mid_in_band(seen, "BTC-USD", Ppm(30_000)) is None
        assert pricing.reference(seen, "BTC-USD", Ppm(30_000)) == subticks(BTC, 100_000)


@pytest.mark.parametrize(
    ("side", "price", "slippage", "worst"),
    [
        (Side.SELL, 100_000, 10_000, 99_000),
        (Side.BUY, 100_000, 10_000, 101_000),
        (Side.SELL, 100_001, 10_000, 99_001),  # 99,000.99 rounds up, inside
        (Side.BUY, 100_001, 10_000, 101_001),  # 101,001.01 rounds down, inside
        (Side.SELL, 100_000, 0, 100_000),
        (Side.SELL, 100_000, 1_000_000, 1),  # never below one tick
        (Side.BUY, 0, 0, 1),
    ],
)
def test_a_bound_is_rounded_to_the_tick_inside(
    side: Side, price: int, slippage: int, worst: int
) -> None:
    assert pricing.bound(BTC, side, Fraction(price * TICK), slippage) == worst * TICK


def test_levels_are_those_of_the_side_that_is_met_down_to_the_bound() -> None:
    shown = book(BTC, 100_000, levels=[("0.001", 1), ("0.002", 2), ("0.003", 3)])

    for side, worst, beyond in ((Side.SELL, 99_800, 99_801), (Side.BUY, 100_200, 100_199)):
        met = shown.bids if side is Side.SELL else shown.asks
        assert pricing.levels_for(shown, side, subticks(BTC, worst)) == met[:2]
        assert pricing.levels_for(shown, side, subticks(BTC, beyond)) == met[:1]
    assert pricing.levels_for(None, Side.SELL, 1) == ()


@pytest.mark.parametrize(
    ("asked", "offered", "size", "paid"),
    [
        ("0.1", [(99_000, 1)], "0.1", 9_900),
        ("1", [(99_000, 1)], "1", 99_000),
        ("0.3", [(99_000, "0.1"), (98_000, "0.1")], "0.2", 19_700),  # all there is
        ("0.2", [(99_000, "0.1"), (98_000, 5)], "0.2", 19_700),
        ("0.2", [(99_000, 0), (98_000, 5)], "0.2", 19_600),  # an empty level is passed over
        ("0.1", [], "0", 0),
    ],
)
def test_a_walk_takes_levels_in_order_until_it_has_what_was_asked(
    asked: Number, offered: Sequence[tuple[Number, Number]], size: Number, paid: Number
) -> None:
    done = pricing.walk(
        BTC, levels=levels(*offered), quantums=quantums(BTC, asked), fee_ppm=500, step=1_000_000
    )

    assert done.quantums == quantums(BTC, size)
    assert done.quote == quote(paid)
    assert done.fee == done.quote * 500 // 1_000_000


def test_a_walk_fills_whole_steps_alone() -> None:
    whole = BookLevel(Subticks(subticks(BTC, 99_000)), BaseQuantums(2_999_999))

    sizes = ((9_000_000, 4_000_000), (3_999_999, 3_000_000), (3_000_000, 3_000_000), (999_999, 0))
    for asked, filled in sizes:
        done = pricing.walk(BTC, (whole, whole), asked, fee_ppm=500, step=1_000_000)

        assert done.quantums == filled


def test_a_size_is_worth_the_oracle_s_price_and_that_of_the_mid() -> None:
    shown = view(see(books={"BTC-USD": book(BTC, 101_000)}))
    worth = reference_quotes(shown, "BTC-USD", quantums(BTC, "0.5"))

    assert (worth.oracle, worth.mid) == (quote(50_000), quote(50_500))
