"""A look at an account without a key or a feed: state from a node, advice asked of the indexer.

What cannot be backed is refused: a node that lags, or a state of which nobody can say that it is
the newest, raises VenueUnreachable instead of showing old numbers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import TracebackType
from typing import Self

from seawall import words
from seawall.account import (
    PARENTS,
    Blind,
    Book,
    IndexerSizes,
    Missing,
    Observation,
    RestingOrder,
)
from seawall.errors import NoSuchSubaccount, OperatorError, VenueError, VenueUnreachable
from seawall.units import DAY, MINUTE, SECOND, Millis
from seawall.venue.dydx.connection import Connection
from seawall.venue.dydx.glance import books_of, orders_of
from seawall.venue.dydx.indexer import PAYMENTS, IndexedSubaccount, Indexer
from seawall.venue.dydx.pool import BEHIND_MOST
from seawall.venue.dydx.venue import DydxVenue

FRESH = Millis(10 * SECOND)
OLD = MINUTE  # a state of this age needs somebody to say that it is the newest

BOOK_PACE_S = 0.2  # between requests for a book: half of what the indexer allows an address

Paid = Mapping[tuple[int, str], Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One look: the observation, where it came from, and what could not be asked.

    `paid` are dollars of funding paid in the last 24 hours by subaccount and ticker, received < 0.
    `notes` say in words what may be missing or old. `markets` are all tickers that the venue lists.
    """

    observation: Observation
    markets: frozenset[str]
    node_url: str
    indexer_height: int | Missing
    paid: Paid | Missing
    notes: tuple[str, ...] = ()


class Surveyor:
    """Looks at one account, as often as asked; an async context manager."""

    def __init__(self, connection: Connection, *, is_played: bool = False) -> None:
        """`is_played`: the venue's clock is not ours, so the age of its state says nothing."""
        self._connection = connection
        self._is_played = is_played
        self._indexer = Indexer(connection.indexers)
        self._venue = DydxVenue(replace(connection, at_any_age=is_played))
        self._is_checked = False
        self._kept_books: Mapping[str, Book] = {}
        self._books_due = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.gather(self._venue.close(), self._indexer.close())

    async def look(self) -> Survey:
        """The newest state with its advice.

        Raises SettingsError for another chain, OperatorError for a market that is not listed,
        NoSuchSubaccount, and VenueUnreachable where no state can be shown that is backed.
        """
        height, indexed = await asyncio.gather(self._height(), self._indexed())
        if not isinstance(height, Missing):
            self._venue.nodes.expect(height)
        if not self._is_checked:
            await self._venue.preflight()
            self._is_checked = True
        await self._meet(indexed)
        seen = await self._observe()
        self._check_markets()
        orders = await self._orders(seen)
        if unread := _tickers(orders) - set(seen.markets):
            self._venue.watch(unread)
            seen = await self._observe()
        if self._is_played:
            seen = replace(seen, seen_at=seen.at)
        notes = [*_current(seen, height, self._venue.nodes.answered), *_children(seen, indexed)]
        advice = replace(
            seen.advice,
            indexer_sizes=self._sizes(indexed, seen),
            books=await self._books(seen),
            orders=orders,
        )
        return Survey(
            observation=replace(seen, advice=advice),
            markets=frozenset(self._venue.grids),
            node_url=self._venue.nodes.answered,
            indexer_height=height,
            paid=await self._paid(seen),
            notes=tuple(notes),
        )

    async def _observe(self) -> Observation:
        """Raises VenueUnreachable where no node shows one."""
        seen = await self._venue.observe_with_rates()
        if isinstance(seen, Blind):
            raise VenueUnreachable("; ".join(seen.reasons))
        return seen

    async def _height(self) -> int | Missing:
        try:
            return await self._indexer.height()
        except (VenueError, NoSuchSubaccount) as error:
            return Missing(reason=str(error))

    async def _indexed(self) -> Mapping[int, IndexedSubaccount] | Missing:
        try:
            return await self._indexer.subaccounts(self._connection.owner)
        except NoSuchSubaccount:
            return {}
        except VenueError as error:
            return Missing(reason=str(error))

    async def _meet(self, indexed: Mapping[int, IndexedSubaccount] | Missing) -> None:
        """Let the venue read children that were not there at the last look."""
        if isinstance(indexed, Missing):
            return
        family = {n for n in indexed if n % PARENTS == self._connection.parent}
        if not family <= set(self._venue.subaccounts):
            await self._venue.refresh_parameters()

    def _check_markets(self) -> None:
        listed = frozenset(self._venue.grids)
        if unknown := sorted(self._connection.markets - listed):
            has = ", ".join(sorted(listed))
            raise OperatorError(f"the venue lists no market {', '.join(unknown)}; it has {has}")

    def _sizes(
        self, indexed: Mapping[int, IndexedSubaccount] | Missing, seen: Observation
    ) -> IndexerSizes | Missing:
        """The indexer's position sizes of the guarded subaccounts, at their oldest height."""
        if isinstance(indexed, Missing):
            return indexed
        grids = self._venue.grids
        guarded = [indexed[s.number] for s in seen.subaccounts if s.number in indexed]
        if not guarded:
            return Missing(reason="the indexer knows none of these subaccounts")
        try:
            quantums = {
                (one.number, ticker): grids[ticker].quantums(size)
                for one in guarded
                for ticker, size in one.sizes.items()
                if size != 0
            }
        except KeyError as error:
            return Missing(reason=f"the node lists no market {error}, the indexer shows a position")
        except VenueError as error:
            return Missing(reason=str(error))
        return IndexerSizes(height=min(one.height for one in guarded), quantums=quantums)

    async def _books(self, seen: Observation) -> Mapping[str, Book]:
        """The books of the markets that are held; those of the last look while they are paced."""
        now = asyncio.get_running_loop().time()
        held = {position.ticker for one in seen.subaccounts for position in one.positions}
        if now >= self._books_due:
            grids = [self._venue.grids[ticker] for ticker in sorted(held)]
            self._kept_books = await books_of(self._indexer, grids, seen.seen_at)
            self._books_due = now + BOOK_PACE_S * len(grids)
        return self._kept_books

    async def _orders(self, seen: Observation) -> tuple[RestingOrder, ...] | Missing:
        numbers = [subaccount.number for subaccount in seen.subaccounts]
        grids = self._venue.grids
        return await orders_of(self._indexer, self._connection.owner, numbers, grids)

    async def _paid(self, seen: Observation) -> Paid | Missing:
        owner = self._connection.owner
        since = seen.at - DAY
        numbers = [subaccount.number for subaccount in seen.subaccounts]
        try:
            records = await asyncio.gather(
                *(self._indexer.funding_payments(owner, number) for number in numbers)
            )
        except VenueError as error:
            return Missing(reason=str(error))
        paid: dict[tuple[int, str], Decimal] = {}
        for number, payments in zip(numbers, records, strict=True):
            if len(payments) >= PAYMENTS and payments[-1].at > since:
                return Missing(reason=f"{number}: more payments in a day than the indexer gives")
            for payment in payments:
                if payment.at > since:
                    slot = (number, payment.ticker)
                    paid[slot] = paid.get(slot, Decimal(0)) - payment.amount
        return paid


def _tickers(orders: tuple[RestingOrder, ...] | Missing) -> set[str]:
    return set() if isinstance(orders, Missing) else {order.ticker for order in orders}


def _current(seen: Observation, height: int | Missing, node_url: str) -> list[str]:
    """What to know of the state's age; raises VenueUnreachable where nothing backs it."""
    age = Millis((seen.seen_at - seen.at) // SECOND * SECOND)
    said = words.duration(Millis(max(age, 0)))
    if isinstance(height, Missing):
        if age > OLD:
            raise VenueUnreachable(
                f"{node_url}: its newest block {seen.height} is {said} old, and no indexer says "
                "whether there is a newer one; none of its numbers are shown: name another node "
                "first in venue.nodes"
            )
        return [f"the indexer does not answer: {height.reason}"]
    if seen.height + BEHIND_MOST < height:
        raise VenueUnreachable(
            f"{node_url} is at height {seen.height:,} while the indexer is at {height:,}: it is "
            "syncing or lags, so none of its numbers are shown; name another node first in "
            "venue.nodes"
        )
    notes = []
    if age > FRESH:
        notes.append(f"block {seen.height:,} is the newest and {said} old: the chain stands still")
    if height + BEHIND_MOST < seen.height:
        behind = seen.height - height
        notes.append(f"the indexer is {behind:,} blocks behind: what it says is as old")
    return notes


def _children(
    seen: Observation, indexed: Mapping[int, IndexedSubaccount] | Missing
) -> Iterable[str]:
    """A warning where children that nobody remembers could be missing."""
    if isinstance(indexed, Missing):
        shown = ", ".join(str(subaccount.number) for subaccount in seen.subaccounts)
        yield (
            f"only subaccounts {shown} are shown: the indexer cannot be asked for others, so "
            "children that no guard has remembered may be missing"
        )
