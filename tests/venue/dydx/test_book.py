"""A book is exact, sorted, never crossed, and as old as its feed."""

from __future__ import annotations

import pytest

from seawall.account import BookLevel
from seawall.errors import MalformedAnswer
from seawall.units import BaseQuantums, Millis, Subticks
from seawall.venue.dydx.mirror import Channel
from tests.venue.dydx.mirrors import Clock, block, book, lively, prices


def test_a_book_is_exact_and_best_price_first() -> None:
    mirror = lively()
    contents = {
        "bids": [{"price": "99000", "size": "0.0003"}, {"price": "99990", "size": "1"}],
        "asks": [{"price": "100020", "size": "2"}, {"price": "100010", "size": "0.0012"}],
    }

    mirror.apply_snapshot(Channel.ORDER_BOOK, "BTC-USD", contents)

    shown = mirror.books()["BTC-USD"]
    assert shown.bids == (
        BookLevel(Subticks(9_999_000_000), BaseQuantums(10_000_000_000)),
        BookLevel(Subticks(9_900_000_000), BaseQuantums(3_000_000)),
    )
    assert shown.asks[0] == BookLevel(Subticks(10_001_000_000), BaseQuantums(12_000_000))


def test_sizes_are_absolute_and_zero_removes() -> None:
    mirror = lively()
    book(mirror, [["10", "1"], ["9", "1"]], [["11", "1"]])

    book(mirror, [["10", "0"], ["9", "5"]], [["11", "0.0"], ["12", "2"]])

    assert prices(mirror) == ([9], [12])
    assert mirror.books()["BTC-USD"].bids[0].quantums == 50_000_000_000


@pytest.mark.parametrize(
    ("older", "newer", "expected"),
    [
        ("bid", "ask", ([8], [9, 11])),  # the bids at 10 and 9 are gone: an ask came to 9
        ("ask", "bid", ([10, 8], [11])),
    ],
)
def test_of_two_levels_that_cross_the_older_is_gone(
    older: str, newer: str, expected: tuple[list[int], list[int]]
) -> None:
    mirror = lively()
    book(mirror, [["8", "1"]], [["11", "1"]])

    for side in (older, newer):
        if side == "bid":
            book(mirror, [["10", "1"], ["9", "1"]] if older == "bid" else [["10", "1"]], [])
        else:
            book(mirror, [], [["9", "1"]])

    assert prices(mirror) == expected


def test_a_snapshot_replaces_the_book() -> None:
    mirror = lively()
    book(mirror, [["10", "1"]], [["11", "1"]])

    mirror.apply_snapshot(Channel.ORDER_BOOK, "BTC-USD", {"bids": [], "asks": []})

    assert prices(mirror) == ([], [])
    assert mirror.books()["BTC-USD"].mid_twice is None


def test_an_unchanged_book_of_a_live_feed_is_fresh_and_of_a_silent_one_ages() -> None:
    clock = Clock()
    mirror = lively(clock)
    book(mirror, [["10", "1"]], [["11", "1"]])

    clock.now = Millis(clock.now + 5_000)
    block(mirror, 101)
    fresh = mirror.books()["BTC-USD"].seen_at
    clock.now = Millis(clock.now + 5_000)

    assert fresh == clock.now - 5_000
    assert mirror.books()["BTC-USD"].seen_at == fresh


def test_a_level_off_the_grid_changes_nothing() -> None:
    mirror = lively()
    book(mirror, [["10", "1"]], [["11", "1"]])

    with pytest.raises(MalformedAnswer):
        book(mirror, [["9", "1"]], [["12.0000001", "1"]])

    assert prices(mirror) == ([10], [11])


@pytest.mark.parametrize("level", [["10"], [10.5, "1"], ["x", "1"], ["NaN", "1"], "10", None])
def test_a_level_that_cannot_be_read_is_refused(level: object) -> None:
    with pytest.raises(MalformedAnswer):
        book(lively(), [level], [])
