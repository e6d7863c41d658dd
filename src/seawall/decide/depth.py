"""How much of a book is believed: less while prices run, nothing where it gave no fill.

Usable depth = shown x clamp(1 - 20 x range60s, 0.25, 0.8), where range60s is max/min - 1 of the mid
over the last 60 s of block time. A level that an order of ours met and that gave nothing is not
believed for the window after it. Mids and best prices stay as shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from seawall import units
from seawall.account import Book, BookLevel, Observation, Side
from seawall.action import Reduce, window_of
from seawall.decide.memory import Doubt, Memory, MidRange
from seawall.plan import pricing
from seawall.units import MINUTE, PPM_ONE, SECOND, BaseQuantums, Millis, Subticks

RANGE_WINDOW = MINUTE
BUCKET = Millis(5 * SECOND)  # mids are kept as the lowest and highest of so much time
STEEPNESS = 20
LEAST_PPM, MOST_PPM = 250_000, 800_000


def note_mids(memory: Memory, seen: Observation) -> Memory:
    """Memory with this observation's mids; what is older than a minute is forgotten."""
    since = Millis(seen.at - RANGE_WINDOW)
    mids = {
        ticker: kept
        for ticker, ranges in memory.mids.items()
        if (kept := tuple(one for one in ranges if one.at + BUCKET > since))
    }
    for ticker in seen.advice.books:
        book = pricing.fresh_book(seen, ticker)
        twice = None if book is None else book.mid_twice
        if twice is not None:
            mids[ticker] = _with_mid(mids.get(ticker, ()), seen.at, twice)
    doubts = {slot: one for slot, one in memory.doubts.items() if _is_held(one, seen)}
    return replace(memory, mids=mids, doubts=doubts)


def _with_mid(ranges: tuple[MidRange, ...], at: Millis, twice: int) -> tuple[MidRange, ...]:
    bucket = Millis(at - at % BUCKET)
    if not ranges or ranges[-1].at != bucket:
        return (*ranges, MidRange(at=bucket, low=twice, high=twice))
    last = ranges[-1]
    if last.low <= twice <= last.high:
        return ranges
    widened = replace(last, low=min(last.low, twice), high=max(last.high, twice))
    return (*ranges[:-1], widened)


def usable_ppm(ranges: Sequence[MidRange]) -> int:
    """The share of shown depth that is believed, in ppm."""
    if not ranges:
        return MOST_PPM
    low, high = min(one.low for one in ranges), max(one.high for one in ranges)
    moved = -(-(high - low) * PPM_ONE // low)
    return max(LEAST_PPM, min(MOST_PPM, PPM_ONE - STEEPNESS * moved))


def believed(memory: Memory, seen: Observation) -> Observation:
    """The observation with books as far as they are believed."""
    books = {
        ticker: _thinned(book, usable_ppm(memory.mids.get(ticker, ())), _doubted(memory, ticker))
        for ticker, book in seen.advice.books.items()
    }
    return replace(seen, advice=replace(seen.advice, books=books))


def _doubted(memory: Memory, ticker: str) -> Mapping[Side, frozenset[int]]:
    found: dict[Side, frozenset[int]] = {}
    for (_, of), doubt in memory.doubts.items():
        if of == ticker:
            found[doubt.side] = found.get(doubt.side, frozenset()) | set(doubt.levels)
    return found


def _thinned(book: Book, share: int, doubted: Mapping[Side, frozenset[int]]) -> Book:
    # A sell meets bids, a buy asks.
    return replace(
        book,
        bids=_levels(book.bids, share, doubted.get(Side.SELL, frozenset())),
        asks=_levels(book.asks, share, doubted.get(Side.BUY, frozenset())),
    )


def _levels(
    levels: Sequence[BookLevel], share: int, doubted: frozenset[int]
) -> tuple[BookLevel, ...]:
    return tuple(
        BookLevel(
            one.subticks,
            BaseQuantums(0 if one.subticks in doubted else units.ppm_down(one.quantums, share)),
        )
        for one in levels
    )


def met(action: Reduce, seen: Observation) -> tuple[BookLevel, ...]:
    """The levels that an order is expected to meet, best first, as far as they are believed."""
    book = pricing.fresh_book(seen, action.ticker)
    left, found = int(action.quantums), []
    for level in pricing.levels_for(book, action.side, action.subticks):
        if left <= 0:
            break
        if level.quantums > 0:
            found.append(level)
            left -= level.quantums
    return tuple(found)


def doubt(
    levels: Sequence[BookLevel], action: Reduce, filled: int, seen: Observation
) -> Doubt | None:
    """The levels of an order that gave nothing, once it is known what it filled."""
    before, silent = 0, list[Subticks]()
    for level in levels:
        if before >= filled:
            silent.append(level.subticks)
        before += level.quantums
    if not silent or filled >= action.quantums:
        return None
    return Doubt(side=action.side, levels=tuple(silent), window=window_of(seen.height))


def _is_held(one: Doubt, seen: Observation) -> bool:
    return window_of(seen.height) <= one.window
