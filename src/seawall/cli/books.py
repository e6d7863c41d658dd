"""Order books by the indexer's REST interface, for verbs that look once and open no feed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seawall.account import Book, Market, Observation
    from seawall.settings import Settings
    from seawall.venue.dydx.indexer import Indexer


async def with_books(settings: Settings, seen: Observation) -> Observation:
    """The observation with the book of every held market; a book that is not shown is missing."""
    from seawall.venue.dydx.indexer import Indexer

    held = {position.ticker for one in seen.subaccounts for position in one.positions}
    indexer = Indexer(settings.venue.indexers)
    try:
        books = await _books(indexer, [seen.markets[ticker] for ticker in sorted(held)])
    finally:
        await indexer.close()
    advice = replace(seen.advice, books={**seen.advice.books, **books})
    return replace(seen, advice=advice)


async def _books(indexer: Indexer, markets: Iterable[Market]) -> dict[str, Book]:
    from seawall.errors import NoSuchSubaccount, VenueError
    from seawall.venue.dydx.book import KeptBook
    from seawall.venue.dydx.connection import wall_clock
    from seawall.venue.dydx.grid import Grid

    books = {}
    for market in markets:
        grid = Grid(
            ticker=market.ticker,
            perpetual_id=market.perpetual_id,
            clob_pair_id=market.clob_pair_id,
            atomic_resolution=market.atomic_resolution,
            quantum_conversion_exponent=market.quantum_conversion_exponent,
        )
        kept = KeptBook(grid=grid, seen_at=wall_clock())
        try:
            kept.apply(await indexer.order_book(market.ticker), wall_clock())
        except (NoSuchSubaccount, VenueError):  # a path that is not there reads like an account
            continue
        books[market.ticker] = kept.shown(kept.seen_at)
    return books
