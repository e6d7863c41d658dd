"""A market's book kept from a snapshot and absolute sizes.

The indexer sends levels without an order that holds between sides, so the book may look crossed:
of two levels that cross, the one heard of earlier is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from seawall.account import Book, BookLevel
from seawall.units import BaseQuantums, Millis, Subticks
from seawall.venue.dydx import fields
from seawall.venue.dydx.fields import Fields
from seawall.venue.dydx.grid import Grid

DEPTH = 20  # levels of each side that are shown and journalled


@dataclass(slots=True)
class KeptBook:
    """One market's levels by price, each with the message that set it; `seen_at` is its newest."""

    grid: Grid
    seen_at: Millis
    _bids: dict[Subticks, tuple[BaseQuantums, int]] = field(default_factory=dict)
    _asks: dict[Subticks, tuple[BaseQuantums, int]] = field(default_factory=dict)
    _messages: int = 0
    _levels: tuple[tuple[BookLevel, ...], tuple[BookLevel, ...]] | None = None

    def apply(self, contents: Fields, seen_at: Millis) -> None:
        """Set the levels of a snapshot or an update; a size of zero removes.

        Raises MalformedAnswer for a level off the market's grid, with the book unchanged.
        """
        bids = list(self._read(contents.get("bids"), "bids"))
        asks = list(self._read(contents.get("asks"), "asks"))
        self._messages += 1
        self.seen_at = seen_at
        self._levels = None
        for side, levels in ((self._bids, bids), (self._asks, asks)):
            for subticks, quantums in levels:
                side.pop(subticks, None)
                if quantums > 0:
                    side[subticks] = (quantums, self._messages)

    def shown(self, alive_at: Millis) -> Book:
        """The book, best price first, never crossed.

        `alive_at` is when the feed was last heard: an unchanged book of a live feed is fresh.
        """
        if self._levels is None:
            self._uncross()
            self._levels = (
                _ordered(self._bids, sorted(self._bids, reverse=True)),
                _ordered(self._asks, sorted(self._asks)),
            )
        bids, asks = self._levels
        return Book(seen_at=max(self.seen_at, alive_at), bids=bids, asks=asks)

    def _uncross(self) -> None:
        while self._bids and self._asks:
            bid, ask = max(self._bids), min(self._asks)
            if bid < ask:
                return
            if self._bids[bid][1] <= self._asks[ask][1]:
                del self._bids[bid]
            else:
                del self._asks[ask]

    def _read(self, levels: object, what: str) -> Iterable[tuple[Subticks, BaseQuantums]]:
        for level in fields.sequence(levels, what):
            price, size = _price_and_size(level)
            yield self.grid.subticks(price), self.grid.quantums(size)


def _price_and_size(level: object) -> tuple[Decimal, Decimal]:
    if isinstance(level, dict):  # a snapshot
        return fields.decimal(level, "price"), fields.decimal(level, "size")
    price, size, *_ = (*fields.sequence(level, "level"), None, None)
    return fields.to_decimal(price), fields.to_decimal(size)


def _ordered(
    side: Mapping[Subticks, tuple[BaseQuantums, int]], prices: Sequence[Subticks]
) -> tuple[BookLevel, ...]:
    return tuple(BookLevel(price, side[price][0]) for price in prices[:DEPTH])
