"""Books and resting orders by the indexer's REST interface, for a look that opens no feed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from seawall.account import Book, Missing, RestingOrder
from seawall.errors import NoSuchSubaccount, VenueError
from seawall.units import Millis
from seawall.venue.dydx import fields
from seawall.venue.dydx.book import KeptBook
from seawall.venue.dydx.grid import Grid
from seawall.venue.dydx.indexer import Indexer
from seawall.venue.dydx.records import ALIVE, resting_order


async def books_of(indexer: Indexer, grids: Iterable[Grid], seen_at: Millis) -> Mapping[str, Book]:
    """The book of every market by ticker; one that is not shown is missing."""
    found = await asyncio.gather(*(_book(indexer, grid, seen_at) for grid in grids))
    return {ticker: book for ticker, book in found if book is not None}


async def _book(indexer: Indexer, grid: Grid, seen_at: Millis) -> tuple[str, Book | None]:
    kept = KeptBook(grid=grid, seen_at=seen_at)
    try:
        kept.apply(await indexer.order_book(grid.ticker), seen_at)
    except (NoSuchSubaccount, VenueError):  # a path that is not there reads like an account
        return grid.ticker, None
    return grid.ticker, kept.shown(seen_at)


async def orders_of(
    indexer: Indexer, owner: str, numbers: Iterable[int], grids: Mapping[str, Grid]
) -> tuple[RestingOrder, ...] | Missing:
    """Orders that may still fill of some subaccounts, in their order."""
    try:
        found = await asyncio.gather(*(_orders(indexer, owner, n, grids) for n in numbers))
    except VenueError as error:
        return Missing(reason=str(error))
    return tuple(order for orders in found for order in orders)


async def _orders(
    indexer: Indexer, owner: str, number: int, grids: Mapping[str, Grid]
) -> list[RestingOrder]:
    """Raises VenueError, also for an order in a market that the node does not list."""
    read = []
    for entry in await indexer.orders(owner, number):
        if entry.get("status") not in ALIVE:
            continue
        grid = grids.get(fields.text(entry, "ticker"))
        if grid is None:
            raise VenueError(f"the node lists no market {entry['ticker']}, an order rests in it")
        read.append(resting_order(number, grid, entry))
    return [order for order in read if order is not None]
