"""Books and resting orders by the indexer's REST interface, for verbs that look only once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seawall.account import Book, Market, Observation
    from seawall.settings import Settings
    from seawall.venue.dydx.fields import Fields
    from seawall.venue.dydx.grid import Grid
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

    books = {}
    for market in markets:
        kept = KeptBook(grid=_grid(market), seen_at=wall_clock())
        try:
            kept.apply(await indexer.order_book(market.ticker), wall_clock())
        except (NoSuchSubaccount, VenueError):  # a path that is not there reads like an account
            continue
        books[market.ticker] = kept.shown(kept.seen_at)
    return books


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The indexer's records of one subaccount's newest orders, dead ones among them."""

    number: int
    rows: Sequence[Fields]

    @property
    def tickers(self) -> frozenset[str]:
        """The markets of those that may still fill."""
        from seawall.venue.dydx.records import ALIVE

        return frozenset(str(row.get("ticker")) for row in self.rows if row.get("status") in ALIVE)


async def orders_of(settings: Settings, seen: Observation) -> Sequence[Listed] | None:
    """The orders of every subaccount that was seen; None where the indexer does not say."""
    from seawall.errors import VenueError
    from seawall.venue.dydx.indexer import Indexer

    indexer = Indexer(settings.venue.indexers)
    try:
        return [
            Listed(number=one.number, rows=await indexer.orders(seen.owner, one.number))
            for one in seen.subaccounts
        ]
    except VenueError:
        return None
    finally:
        await indexer.close()


def with_orders(seen: Observation, listed: Sequence[Listed]) -> Observation:
    """The observation with its resting orders; their markets must have been read."""
    from seawall.venue.dydx.records import resting_order

    found = [
        resting_order(one.number, _grid(seen.markets[str(row["ticker"])]), row)
        for one in listed
        for row in one.rows
        if row.get("ticker") in seen.markets
    ]
    orders = tuple(order for order in found if order is not None)
    return replace(seen, advice=replace(seen.advice, orders=orders))


def _grid(market: Market) -> Grid:
    from seawall.venue.dydx.grid import Grid

    return Grid(
        ticker=market.ticker,
        perpetual_id=market.perpetual_id,
        clob_pair_id=market.clob_pair_id,
        atomic_resolution=market.atomic_resolution,
        quantum_conversion_exponent=market.quantum_conversion_exponent,
    )
