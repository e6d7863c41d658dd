"""What an indexer that fails shows instead of the truth: old, torn, shuffled, missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from seawall.account import (
    Advice,
    Book,
    BookLevel,
    Fill,
    IndexerSizes,
    Missing,
    Observation,
    RestingOrder,
    Transfer,
)
from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.trouble import Trouble
from seawall.units import Subticks

Row = TypeVar("Row", Fill, Transfer, RestingOrder)
Dated = TypeVar("Dated", Fill, Transfer)

BLOCKED = Missing(reason="indexer: 403 COMPLIANCE_BLOCKED, it does not speak of this address")
LIMITED = Missing(reason="indexer: 429 Too many requests, Retry-After 10000 ms")
DOWN = Missing(reason="indexer: connection refused")
LASTING = (FaultKind.INDEXER_GAP, FaultKind.WITHDRAWAL_LATE)


def leaves_marks(trouble: Trouble) -> bool:
    """Whether a fault that is over may still show: a gap, a withdrawal that comes late."""
    return any(trouble.spans(kind) for kind in LASTING)


def as_of(told: Sequence[Observation], height: int) -> Observation:
    """The newest observation at or below a height; the oldest kept where there is none."""
    for one in reversed(told):
        if one.height <= height:
            return one
    return told[0]


def distort(advice: Advice, told: Sequence[Observation], trouble: Trouble) -> Advice:
    """Advice as the indexer shows it; `told` is the truth of past heights, the newest last."""
    in_force, height = trouble.in_force, told[-1].height
    shown = advice
    stale = in_force.get(FaultKind.INDEXER_STALE)
    if stale is not None:
        shown = replace(as_of(told, height - stale.lag).advice, key_reach=advice.key_reach)
    torn = in_force.get(FaultKind.INDEXER_TORN)
    if torn is not None:
        shown = replace(shown, indexer_sizes=_torn(as_of(told, height - torn.lag), height))
    silent = _since(trouble, FaultKind.INDEXER_SILENT, height)
    if silent is not None:
        shown = replace(shown, books=as_of(told, silent - 1).advice.books)
    crossed = in_force.get(FaultKind.BOOK_CROSSED)
    if crossed is not None:
        books: dict[str, Book] = {}
        for ticker, book in shown.books.items():
            books[ticker] = _cross(book) if crossed.concerns(ticker) else book
        shown = replace(shown, books=books)
    shown = _without_gaps(shown, trouble)
    if FaultKind.INDEXER_REORDERED in in_force:
        shown = replace(
            shown,
            fills=_reversed(shown.fills),
            transfers=_reversed(shown.transfers),
            orders=_reversed(shown.orders),
        )
    return _unreachable(shown, in_force)


def _unreachable(shown: Advice, in_force: Mapping[FaultKind, object]) -> Advice:
    """What is left where the indexer refuses or is down; the key's reach is the node's word."""
    if FaultKind.INDEXER_CRASH in in_force:
        shown = replace(shown, books={})
        reason = DOWN
    elif FaultKind.INDEXER_RATE_LIMITED in in_force:
        reason = LIMITED
    elif FaultKind.INDEXER_BLOCKED in in_force:
        reason = BLOCKED
    else:
        return shown
    return replace(
        shown, orders=reason, fills=reason, transfers=reason, funding=reason, indexer_sizes=reason
    )


def _since(trouble: Trouble, kind: FaultKind, height: int) -> int | None:
    """The first height of a fault of a kind that is in force now; None where none is."""
    return next((span.start for span in trouble.spans(kind) if height in span), None)


def _torn(old: Observation, height: int) -> IndexerSizes | Missing:
    sizes = old.advice.indexer_sizes
    return sizes if isinstance(sizes, Missing) else replace(sizes, height=height)


def _cross(book: Book) -> Book:
    """The book with its best bid moved above its best ask, as missed removals leave it."""
    if not book.bids or not book.asks:
        return book
    ask = book.asks[0]
    above = Subticks(book.asks[min(1, len(book.asks) - 1)].subticks)
    best = BookLevel(max(above, ask.subticks), book.bids[0].quantums)
    return replace(book, bids=(best, *book.bids))


def _without_gaps(shown: Advice, trouble: Trouble) -> Advice:
    """Without the records of blocks that the indexer never saw, and without late withdrawals."""
    gaps, now = trouble.spans(FaultKind.INDEXER_GAP), trouble.height
    if gaps:
        shown = replace(
            shown,
            fills=_outside(shown.fills, gaps),
            transfers=_outside(shown.transfers, gaps),
        )
    if trouble.spans(FaultKind.WITHDRAWAL_LATE) and not isinstance(shown.transfers, Missing):
        lag = trouble.lag(FaultKind.WITHDRAWAL_LATE)
        known = tuple(t for t in shown.transfers if t.amount > 0 or now - t.height >= lag)
        shown = replace(shown, transfers=known)
    return shown


def _outside(
    rows: tuple[Dated, ...] | Missing, gaps: tuple[range, ...]
) -> tuple[Dated, ...] | Missing:
    if isinstance(rows, Missing):
        return rows
    return tuple(row for row in rows if not any(row.height in gap for gap in gaps))


def _reversed(rows: tuple[Row, ...] | Missing) -> tuple[Row, ...] | Missing:
    return rows if isinstance(rows, Missing) else rows[::-1]
