"""Thin books: depth is believed less while prices run, and not where it gave nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.account import Book, Observation, Side
from seawall.action import WINDOW_BLOCKS, Reduce, good_til_block
from seawall.decide import depth
from seawall.decide.memory import Doubt, Memory
from seawall.units import BaseQuantums, Millis, Subticks
from tests.see import AT, BTC, HEIGHT, book, see, subticks

HELD = {"BTC-USD": ("1", 100_000)}


def at_mid(dollars: int, *, after_s: int = 0, height: int = HEIGHT) -> Observation:
    at = Millis(AT + after_s * 1_000)
    books = {"BTC-USD": book(BTC, dollars, levels=[("0.0002", "1"), ("0.001", "2")], seen_at=at)}
    return see(equity=50_000, positions=HELD, books=books, at=at, height=height)


def shown(seen: Observation) -> Book:
    return seen.advice.books["BTC-USD"]


@pytest.mark.parametrize(
    ("moved", "share"),
    [
        (0, 800_000),  # calm: never all of it
        (1_000, 800_000),  # 1%: exactly where it begins to matter
        (1_500, 700_000),
        (3_750, 250_000),  # 3.75%: exactly the least
        (20_000, 250_000),
    ],
)
def test_the_share_that_is_believed_falls_with_the_last_minute_s_range(
    moved: int, share: int
) -> None:
    memory = depth.note_mids(Memory(), at_mid(100_000))
    now = at_mid(100_000 + moved, after_s=30)

    memory = depth.note_mids(memory, now)

    assert depth.usable_ppm(memory.mids["BTC-USD"]) == share
    one, two = shown(depth.believed(memory, now)).bids
    assert (one.quantums, two.quantums) == (10_000 * share, 20_000 * share)


def test_a_fall_counts_like_a_rise_and_is_forgotten_after_a_minute() -> None:
    memory = depth.note_mids(Memory(), at_mid(100_000))
    fallen = depth.note_mids(memory, at_mid(98_000, after_s=30))

    still = depth.note_mids(fallen, at_mid(98_000, after_s=60))
    later = depth.note_mids(fallen, at_mid(98_000, after_s=66))

    assert depth.usable_ppm(fallen.mids["BTC-USD"]) == 1_000_000 - 20 * 20_409
    assert depth.usable_ppm(still.mids["BTC-USD"]) == depth.usable_ppm(fallen.mids["BTC-USD"])
    assert depth.usable_ppm(later.mids["BTC-USD"]) == 800_000
    assert len(later.mids["BTC-USD"]) <= 60 // 5 + 1


def test_a_book_that_is_not_fresh_tells_no_mid() -> None:
    stale = replace(at_mid(100_000), seen_at=Millis(AT + 4_000))

    assert depth.note_mids(Memory(), stale).mids == {}


def order(seen: Observation, coins: str) -> Reduce:
    return Reduce(
        subaccount=0,
        ticker="BTC-USD",
        clob_pair_id=0,
        side=Side.SELL,
        quantums=BaseQuantums(int(float(coins) * 10**10)),
        subticks=subticks(BTC, 99_000),
        window=seen.height // WINDOW_BLOCKS,
        good_til_block=good_til_block(seen.height // WINDOW_BLOCKS),
        client_id=1,
    )


def test_levels_that_gave_nothing_are_the_ones_doubted() -> None:
    seen = at_mid(100_000)
    one, two = shown(seen).bids
    sell = order(seen, "2")
    levels = depth.met(sell, seen)

    nothing = depth.doubt(levels, sell, 0, seen)
    half = depth.doubt(levels, sell, one.quantums, seen)

    assert levels == (one, two)
    assert nothing is not None
    assert half is not None
    assert nothing.levels == (one.subticks, two.subticks)
    assert half.levels == (two.subticks,)
    assert depth.doubt(levels, sell, one.quantums + 1, seen) is None  # the second gave something
    assert depth.doubt(levels, sell, sell.quantums, seen) is None


def test_a_doubted_level_is_believed_again_after_a_window_and_the_mid_stays() -> None:
    seen = at_mid(100_000, height=1_002)  # the first height of a window
    best = shown(seen).bids[0].subticks
    doubt = Doubt(side=Side.SELL, levels=(Subticks(best),), window=(1_002 + 1) // WINDOW_BLOCKS)
    memory = Memory(doubts={(0, "BTC-USD"): doubt})

    held = depth.note_mids(memory, at_mid(100_000, height=1_006))
    past = depth.note_mids(memory, at_mid(100_000, height=1_007))

    thin = depth.believed(held, seen)
    assert [level.quantums for level in shown(thin).bids] == [0, 16_000_000_000]
    assert [level.quantums for level in shown(thin).asks] == [8_000_000_000, 16_000_000_000]
    assert shown(thin).mid_twice == shown(seen).mid_twice
    assert past.doubts == {}
