"""What the feed has said, kept as values: books, orders, fills, transfers, sizes, block height.

Pure of sockets and clocks: messages and moments come in, advice goes out. Nothing here decides.
A part whose snapshot has not come, or whose feed went silent, is Missing, never empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum, StrEnum
from typing import assert_never

from seawall.account import Book, Fill, IndexerSizes, Missing, RestingOrder, Transfer
from seawall.action import client_id, window_of
from seawall.errors import MalformedAnswer
from seawall.units import BaseQuantums, Millis
from seawall.venue.dydx import fields, records
from seawall.venue.dydx.book import KeptBook
from seawall.venue.dydx.fields import Fields
from seawall.venue.dydx.grid import Grid
from seawall.venue.dydx.orders import SHORT_TERM
from seawall.venue.dydx.tries import Tries

SILENCE_MOST = Millis(10_000)  # without a block, what the feed shows is no longer told
FILL_BLOCKS = 600
TRANSFERS_MOST = 200
FILLS_MOST = 500
NAMES_MOST = 5_000  # of orders whose client ids are remembered for their fills


class Channel(StrEnum):
    """The channels that are mirrored."""

    BLOCK_HEIGHT = "v4_block_height"
    MARKETS = "v4_markets"
    ORDER_BOOK = "v4_orderbook"
    SUBACCOUNTS = "v4_subaccounts"


class Change(Enum):
    """What a message changed, as far as a tick is concerned."""

    NOTHING = "nothing"
    BOOK = "book"
    ACCOUNT = "account"
    PRICE = "price"
    BLOCK = "block"


@dataclass(slots=True)
class _Account:
    """What is known of one subaccount; `is_live` once its snapshot has come."""

    is_live: bool = False
    sizes: dict[str, BaseQuantums] = field(default_factory=dict)
    orders: dict[str, RestingOrder] = field(default_factory=dict)
    fills: dict[str, Fill] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)
    is_backfilled: bool = False


class Mirror:
    """The feed's picture of one owner's subaccounts and the markets that matter to them."""

    def __init__(self, owner: str, clock: Callable[[], Millis], *, chain_id: str = "") -> None:
        """`chain_id` tells our own orders' fills by their ids; without it by their orders alone."""
        self.owner = owner
        self.chain_id = chain_id
        self.height = 0
        self.block_at = Millis(0)
        self.watched: frozenset[str] = frozenset()
        self.heard_at = Millis(0)
        self.next_funding: dict[str, Decimal] = {}
        self._clock = clock
        self._grids: Mapping[str, Grid] = {}
        self._books: dict[str, KeptBook] = {}
        self._accounts: dict[int, _Account] = {}
        self._client_ids: dict[str, int] = {}
        self._stops: Mapping[str, int] = {}
        self.tries = Tries(chain_id, owner)
        self._fills_from: int | None = None  # height, where a gap makes older fills matter too
        self._fills_until = 0  # height at which that gap is over

    def know(self, grids: Iterable[Grid]) -> None:
        """Take the markets' resolutions; messages of a market unknown here are left out."""
        self._grids = {grid.ticker: grid for grid in grids}

    def recognise(self, stops: Mapping[str, int]) -> None:
        """Take the names of orders whose client ids need not be seen first, as of our stops."""
        self._stops = stops

    def guard(self, numbers: Iterable[int]) -> None:
        """Keep these subaccounts too."""
        for number in numbers:
            self._accounts.setdefault(number, _Account())

    def keep_fills_from(self, height: int) -> None:
        """Tell fills since an earlier height too, as long as others are told: nobody saw them."""
        known = self._fills_from
        self._fills_from = height if known is None else min(known, height)
        self._fills_until = 0

    def forget_live(self) -> None:
        """The connection is gone: books, orders and sizes are unknown until snapshots come."""
        if self.height > 0:
            self.keep_fills_from(self.height - FILL_BLOCKS)
        self._books.clear()
        self.next_funding.clear()
        for account in self._accounts.values():
            account.is_live = False
            account.is_backfilled = False
            account.sizes.clear()
            account.orders.clear()

    def drop_book(self, ticker: str) -> None:
        """The book is no longer subscribed, so it ages no more: forget it."""
        self._books.pop(ticker, None)

    def apply_snapshot(self, channel: Channel, name: str, contents: Fields) -> Change:
        """Take what a `subscribed` message says; raises MalformedAnswer."""
        match channel:
            case Channel.BLOCK_HEIGHT:
                return self._block(contents, "height")
            case Channel.MARKETS:
                return self._markets(fields.mapping(contents.get("markets", {}), "markets"))
            case Channel.ORDER_BOOK:
                self._books.pop(name, None)
                return self._book(name, contents)
            case Channel.SUBACCOUNTS:
                return self._account_snapshot(_number(name), contents)
            case _:
                assert_never(channel)

    def apply_update(self, channel: Channel, name: str, contents: Fields) -> Change:
        """Take what a `channel_data` message says; raises MalformedAnswer."""
        match channel:
            case Channel.BLOCK_HEIGHT:
                return self._block(contents, "blockHeight")
            case Channel.MARKETS:
                trading = fields.mapping(contents.get("trading", {}), "trading")
                prices = fields.mapping(contents.get("oraclePrices", {}), "oraclePrices")
                self._markets(trading)
                return Change.PRICE if self.watched & prices.keys() else Change.NOTHING
            case Channel.ORDER_BOOK:
                return self._book(name, contents)
            case Channel.SUBACCOUNTS:
                return self._account_update(_number(name), contents)
            case _:
                assert_never(channel)

    def backfill(self, number: int, fills: Iterable[Fields], transfers: Iterable[Fields]) -> None:
        """Take records from REST, which close the gap before a subscription."""
        account = self._accounts.setdefault(number, _Account())
        self._add_fills(number, account, fills)
        self._add_transfers(number, account, transfers)
        account.is_backfilled = True

    def books(self) -> Mapping[str, Book]:
        """The books of subscribed markets; each carries when it was last known to be right."""
        return {ticker: book.shown(self.heard_at) for ticker, book in self._books.items()}

    def orders(self) -> tuple[RestingOrder, ...] | Missing:
        """Orders that may still fill, of all guarded subaccounts."""
        if unknown := self._unknown():
            return unknown
        return tuple(
            order
            for _, account in sorted(self._accounts.items())
            for order in account.orders.values()
            if order.good_til_block is None or order.good_til_block > self.height
        )

    def fills(self) -> tuple[Fill, ...] | Missing:
        """Fills of the last minutes and since a gap in what was seen, oldest first.

        Missing after a gap until the records of it are in: what fills then show is not all.
        """
        if unknown := self._unknown() or (self._fills_from is not None and self._unread()):
            return unknown
        found = [
            fill
            for account in self._accounts.values()
            for fill in account.fills.values()
            if self._is_told(fill)
        ]
        return tuple(sorted(found, key=lambda fill: fill.height)[-FILLS_MOST:])

    def transfers(self) -> tuple[Transfer, ...] | Missing:
        """The newest transfers, oldest first; Missing until the records before the feed are in."""
        if unknown := self._unknown() or self._unread():
            return unknown
        found = [t for account in self._accounts.values() for t in account.transfers.values()]
        return tuple(sorted(found, key=lambda transfer: transfer.height)[-TRANSFERS_MOST:])

    def sizes(self) -> IndexerSizes | Missing:
        """Position sizes of all guarded subaccounts at the indexer's height."""
        if unknown := self._unknown():
            return unknown
        return IndexerSizes(
            height=self.height,
            quantums={
                (number, ticker): quantums
                for number, account in sorted(self._accounts.items())
                for ticker, quantums in account.sizes.items()
            },
        )

    def lacks(self, height: int, tickers: Iterable[str]) -> str | None:
        """What is still to come of the picture of a height; None once it is complete."""
        if self.height < height:
            return f"block {height}"
        if unknown := self._unknown():
            return unknown.reason
        for ticker in tickers:
            if ticker in self._grids and ticker not in self._books:
                return f"the book of {ticker}"
        transfers = self.transfers()
        return transfers.reason if isinstance(transfers, Missing) else None

    def order_tickers(self) -> frozenset[str]:
        """Markets with an order that may still fill."""
        return frozenset(
            order.ticker for account in self._accounts.values() for order in account.orders.values()
        )

    def fill_tickers(self) -> frozenset[str]:
        """Markets with a fill that is told."""
        return frozenset(
            fill.ticker
            for account in self._accounts.values()
            for fill in account.fills.values()
            if self._is_told(fill)
        )

    def _is_told(self, fill: Fill) -> bool:
        oldest = self.height - FILL_BLOCKS
        if self._fills_from is not None:
            oldest = min(oldest, self._fills_from)
        return fill.height > oldest

    def _unknown(self) -> Missing | None:
        silent = self._clock() - self.heard_at
        if self.height == 0:
            return Missing(reason="the feed has not told a block yet")
        if silent > SILENCE_MOST:
            return Missing(reason=f"the feed has been silent for {silent / 1000:.0f} s")
        for number, account in self._accounts.items():
            if not account.is_live:
                return Missing(reason=f"the feed has not shown subaccount {number} yet")
        return None

    def _unread(self) -> Missing | None:
        """Why fills and transfers from before the feed are unknown; None once they are in."""
        for number, account in self._accounts.items():
            if not account.is_backfilled:
                return Missing(reason=f"records of subaccount {number} not read yet")
        return None

    def _block(self, contents: Fields, key: str) -> Change:
        self.height = fields.integer(contents, key)
        self.block_at = fields.moment(contents, "time")
        self.heard_at = self._clock()
        self._end_gap()
        return Change.BLOCK

    def _end_gap(self) -> None:
        """Forget a gap once all records since are in and have been told for a while."""
        if self._fills_from is None:
            return
        if self._fills_until == 0:
            if all(account.is_backfilled for account in self._accounts.values()):
                self._fills_until = self.height + FILL_BLOCKS
        elif self.height > self._fills_until:
            self._fills_from = None

    def _markets(self, trading: Fields) -> Change:
        for ticker, entry in trading.items():
            market = fields.mapping(entry, ticker)
            if market.get("nextFundingRate") is not None:
                self.next_funding[ticker] = fields.decimal(market, "nextFundingRate")
        return Change.PRICE

    def _book(self, ticker: str, contents: Fields) -> Change:
        grid = self._grids.get(ticker)
        if grid is None:
            return Change.NOTHING
        now = self._clock()
        book = self._books.setdefault(ticker, KeptBook(grid, now))
        book.apply(contents, now)
        return Change.BOOK

    def _account_snapshot(self, number: int, contents: Fields) -> Change:
        account = self._accounts.setdefault(number, _Account())
        account.sizes.clear()
        account.orders.clear()
        # A subaccount that the indexer does not know comes as {}: it holds nothing.
        subaccount = fields.mapping(contents.get("subaccount") or {}, "subaccount")
        positions = fields.mapping(subaccount.get("openPerpetualPositions") or {}, "positions")
        self._set_sizes(account, positions.values())
        self._set_orders(number, account, fields.sequence(contents.get("orders"), "orders"))
        account.is_live = True
        return Change.ACCOUNT

    def _account_update(self, number: int, contents: Fields) -> Change:
        account = self._accounts.setdefault(number, _Account())
        self._set_sizes(account, fields.sequence(contents.get("perpetualPositions"), "positions"))
        self._set_orders(number, account, fields.sequence(contents.get("orders"), "orders"))
        fills = fields.sequence(contents.get("fills"), "fills")
        self._add_fills(number, account, (fields.mapping(fill, "fill") for fill in fills))
        transfer = contents.get("transfers")
        if transfer:
            self._add_transfers(number, account, [fields.mapping(transfer, "transfers")])
        return Change.ACCOUNT

    def _set_sizes(self, account: _Account, positions: Iterable[object]) -> None:
        for entry in positions:
            position = fields.mapping(entry, "position")
            grid = self._grids.get(fields.text(position, "market"))
            if grid is None:
                continue
            quantums = grid.quantums(records.signed_size(position))
            if quantums == 0:
                account.sizes.pop(grid.ticker, None)
            else:
                account.sizes[grid.ticker] = quantums

    def _set_orders(self, number: int, account: _Account, orders: Iterable[object]) -> None:
        for entry in orders:
            order = fields.mapping(entry, "order")
            name = records.order_name(order)
            grid = self._grid_of(order)
            if grid is None or "status" not in order:
                continue  # a message that only counts optimistic fills tells no state
            self._client_ids[name] = fields.integer(order, "clientId")
            if len(self._client_ids) > NAMES_MOST:
                self._client_ids.pop(next(iter(self._client_ids)))
            self.tries.note(number, grid, order)
            resting = records.resting_order(number, grid, order)
            if resting is None:
                account.orders.pop(name, None)
            else:
                account.orders[name] = resting

    def _add_fills(self, number: int, account: _Account, fills: Iterable[Fields]) -> None:
        for entry in fills:
            grid = self._grid_of(entry)
            if grid is None:
                continue
            fill = self._named(number, grid, entry)
            if self._is_told(fill):
                account.fills[fields.text(entry, "id")] = fill
        for name, fill in list(account.fills.items()):
            if not self._is_told(fill):
                del account.fills[name]

    def _named(self, number: int, grid: Grid, entry: Fields) -> Fill:
        """A fill with its order's client id: heard of, or one that our window would have given.

        After a restart fills come from REST, whose records name their order only by its hash.
        """
        order = entry.get("orderId")
        if order is None:
            return records.fill(number, grid, entry, None)
        known = self._client_ids.get(str(order), self._stops.get(str(order)))
        fill = records.fill(number, grid, entry, known)
        if known is not None or not self.chain_id:
            return fill
        window = window_of(fill.height - 1)  # it was decided before the block that it fills in
        pair = grid.clob_pair_id
        ours = client_id(self.chain_id, self.owner, number, pair, window)
        if records.order_uuid(self.owner, number, ours, pair, SHORT_TERM) == str(order):
            return replace(fill, client_id=ours)
        return replace(fill, is_foreign=True)

    def _add_transfers(self, number: int, account: _Account, transfers: Iterable[Fields]) -> None:
        for entry in transfers:
            account.transfers[records.transfer_name(entry)] = records.transfer(
                self.owner, number, frozenset(self._accounts), entry
            )
        newest = sorted(account.transfers.items(), key=lambda item: item[1].height)
        account.transfers = dict(newest[-TRANSFERS_MOST:])

    def _grid_of(self, entry: Fields) -> Grid | None:
        if "ticker" in entry or "market" in entry:
            return self._grids.get(fields.text(entry, "ticker" if "ticker" in entry else "market"))
        clob_pair = fields.integer(entry, "clobPairId")
        for grid in self._grids.values():
            if grid.clob_pair_id == clob_pair:
                return grid
        return None


def _number(name: str) -> int:
    address, slash, number = name.rpartition("/")
    if not (address and slash and number.isdecimal()):
        raise MalformedAnswer(f"{name!r} is not address/number")
    return int(number)
