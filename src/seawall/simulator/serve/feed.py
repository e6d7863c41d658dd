"""The indexer's websocket: connections, subscriptions, and the news of each block.

The messages of a block go out in a fixed order: order books, trades, markets, subaccounts, parent
subaccounts, and last the block height, so that a client which waits for the height has seen all of
its block. Liveness, ids and batching as in reference ORDERS.md section 9.5.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from seawall.account import PARENTS
from seawall.simulator.messages import SubaccountId
from seawall.simulator.serve import accounts, feed_shapes, history_shapes, rest, shapes
from seawall.simulator.serve.asking import is_number
from seawall.simulator.serve.chronicle import RESOLUTIONS
from seawall.simulator.serve.condition import Condition
from seawall.simulator.serve.connection import Connection, Topic
from seawall.simulator.serve.indexer import Indexer, News
from seawall.simulator.serve.records import Changes, OrderRecord, TransferRecord
from seawall.simulator.serve.shapes import Json, Levels, Value

VERSIONS: Mapping[str, str] = {
    "v4_orderbook": "1.0.0",
    "v4_trades": "2.1.0",
    "v4_markets": "1.0.0",
    "v4_subaccounts": "3.0.0",
    "v4_parent_subaccounts": "3.0.0",
    "v4_candles": "1.0.0",
    "v4_block_height": "1.0.0",
}
CANDLES_SHOWN = 100  # in a snapshot
NUMBERS = 1_000 * PARENTS  # the last number of the chain, 128,000, has no channel
OPEN_STATUSES = ("OPEN", "UNTRIGGERED", "BEST_EFFORT_OPENED", "BEST_EFFORT_CANCELED")


class NoSuchTopic(Exception):
    """A subscription that cannot be; the text goes to the client.

    The real server counts a message id for it once it has looked at the name, not before.
    """

    def __init__(self, message: str, *, counts: bool = True) -> None:
        self.counts = counts
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Contents of one message, with the child they are about on the parent channel."""

    body: Json
    child: int | None = None


class Feed:
    """All connections of the venue and what they listen to."""

    def __init__(self, told: Indexer, shown: Indexer, condition: Condition) -> None:
        self._told = told
        self._shown = shown  # what REST reads: snapshots come from there
        self._condition = condition
        self._connections: set[Connection] = set()
        self._books: dict[str, tuple[Levels, Levels]] = {}  # as last told, by ticker
        self._writers: Mapping[str, Callable[[str, News], Iterator[Contents]]] = {
            "v4_orderbook": self._orderbook,
            "v4_trades": self._trades,
            "v4_markets": self._markets,
            "v4_subaccounts": self._subaccount,
            "v4_parent_subaccounts": self._parent,
            "v4_candles": self._candles,
            "v4_block_height": self._height,
        }

    @property
    def connections(self) -> frozenset[Connection]:
        """Whoever is connected now."""
        return frozenset(self._connections)

    def join(self, connection: Connection) -> None:
        """Count a connection in."""
        self._connections.add(connection)

    def leave(self, connection: Connection) -> None:
        """Count a connection out."""
        self._connections.discard(connection)

    def topic(self, channel: object, name: object) -> Topic:
        """The topic of a subscription message; raises NoSuchTopic."""
        if not isinstance(channel, str) or channel not in VERSIONS:
            raise NoSuchTopic(f"Invalid channel: {channel}", counts=False)
        if channel in ("v4_markets", "v4_block_height"):
            return Topic(channel, channel)
        if not isinstance(name, str):
            raise NoSuchTopic(f"Invalid id: {name}", counts=False)
        if not self._is_valid(channel, name):
            raise NoSuchTopic(f"Invalid subscription id for channel: ({channel}-{name})")
        return Topic(channel, name)

    def snapshot(self, topic: Topic) -> Json:
        """Contents of `subscribed`: what REST would answer now; {} for an unknown account.

        Raises NoSuchTopic where REST would refuse. Books are as the websocket has told them.
        """
        shown, state = self._shown, self._shown.state
        match topic.channel:
            case "v4_markets":
                return shapes.markets(state)
            case "v4_block_height":
                return shapes.height(state.height, self._condition.told(state.time))
            case "v4_orderbook":
                return shapes.orderbook(*self._told_book(topic.name))
            case "v4_trades":
                return rest.trades(shown, topic.name)
            case "v4_candles":
                ticker, resolution = topic.name.split("/")
                found = shown.chronicle.candles(ticker, resolution)[:CANDLES_SHOWN]
                rows = [history_shapes.candle(ticker, resolution, one) for one in found]
                return {"candles": rows}
            case _:
                return self._of_account(topic)

    def _of_account(self, topic: Topic) -> Json:
        if self._condition.is_blocking:
            raise NoSuchTopic(accounts.BLOCKED)
        if topic.channel == "v4_subaccounts":
            return self._account_snapshot(_subaccount_id(topic.name))
        return self._parent_snapshot(_subaccount_id(topic.name))

    def publish(self, news: News) -> None:
        """Tell every subscriber what a block brought, in the order of the channels."""
        wanted: dict[str, list[str]] = {}
        for connection in self._connections:
            for topic in connection.topics:
                names = wanted.setdefault(topic.channel, [])
                if topic.name not in names:
                    names.append(topic.name)
        writers = list(self._writers.items())
        if self._condition.is_reordering:
            writers.reverse()
        for channel, write in writers:
            for name in wanted.get(channel, ()):
                for contents in write(name, news):
                    self._send(Topic(channel, name), contents)

    def hear(self, record: OrderRecord) -> None:
        """Tell at once of an order that no block tells of yet."""
        named, state = record.event.order.order_id.subaccount, self._told.state
        body: Json = {
            "orders": [feed_shapes.placed(record, state)],
            "blockHeight": str(state.height),
        }
        own = Topic("v4_subaccounts", f"{named.owner}/{named.number}")
        family = Topic("v4_parent_subaccounts", f"{named.owner}/{named.number % PARENTS}")
        self._send(own, Contents(body=body))
        self._send(family, Contents(body=body, child=named.number))

    def _send(self, topic: Topic, contents: Contents) -> None:
        listening = [one for one in self._connections if topic in one.topics]
        if not listening:
            return
        body = json.dumps(contents.body, separators=(",", ":"))
        for connection in listening:
            connection.tell(topic, VERSIONS[topic.channel], body, contents.child)

    def _is_valid(self, channel: str, name: str) -> bool:
        if channel in ("v4_orderbook", "v4_trades"):
            return name in self._told.state.markets
        if channel == "v4_candles":
            ticker, _, resolution = name.partition("/")
            return ticker in self._told.state.markets and resolution in RESOLUTIONS
        address, slash, number = name.partition("/")
        if not (address and slash and is_number(number)):
            return False
        return int(number) < (NUMBERS if channel == "v4_subaccounts" else PARENTS)

    def _told_book(self, ticker: str) -> tuple[Levels, Levels]:
        """The book as its subscribers know it."""
        is_heard = any(Topic("v4_orderbook", ticker) in c.topics for c in self._connections)
        if not is_heard or ticker not in self._books:
            self._books[ticker] = self._told.book(ticker)
        return self._books[ticker]

    def _account_snapshot(self, named: SubaccountId) -> Json:
        state = self._shown.state
        account = state.accounts.get(named)
        if account is None:
            return {}
        return {
            "subaccount": shapes.subaccount(account, state, self._shown.records),
            "orders": self._open_orders(named),
            "blockHeight": str(state.height),
        }

    def _parent_snapshot(self, named: SubaccountId) -> Json:
        body = accounts.family(self._shown, named)
        if body is None:
            return {}
        children = self._shown.state.subaccounts_of(named.owner)
        orders = [
            order
            for child in children
            if child.id.number % PARENTS == named.number
            for order in self._open_orders(child.id)
        ]
        return {
            "subaccount": body,
            "orders": orders,
            "blockHeight": str(self._shown.state.height),
        }

    def _open_orders(self, named: SubaccountId) -> list[Json]:
        return [
            shapes.order(order, self._shown.state)
            for order in self._shown.records.orders_of(named)
            if shapes.is_listed(order) and shapes.order_status(order) in OPEN_STATUSES
        ]

    def _orderbook(self, ticker: str, _: News) -> Iterator[Contents]:
        before = self._books.get(ticker, ([], []))
        after = self._told.book(ticker)
        if after is before:
            return
        self._books[ticker] = after
        changed: dict[str, Value] = {}
        for side, old, new in zip(("bids", "asks"), before, after, strict=True):
            levels = _changed_levels(old, new)
            if levels:
                changed[side] = levels
        if changed:
            yield Contents(body=changed)

    def _trades(self, ticker: str, news: News) -> Iterator[Contents]:
        fills = news.noted.trades.get(ticker, ())
        if fills:
            yield Contents(body={"trades": [feed_shapes.trade(one, news.state) for one in fills]})

    def _markets(self, _: str, news: News) -> Iterator[Contents]:
        block, markets = news.block, news.state.markets
        if block.funding:
            rates: dict[str, Value] = {
                tick.ticker: {"nextFundingRate": shapes.text(markets[tick.ticker].hourly_rate)}
                for tick in block.funding
            }
            yield Contents(body={"trading": rates})
        if block.prices:
            prices: dict[str, Value] = {
                update.ticker: {
                    "oraclePrice": shapes.text(shapes.oracle(markets[update.ticker])),
                    "effectiveAt": shapes.iso(block.time),
                    "effectiveAtHeight": str(block.height),
                    "marketId": markets[update.ticker].spec.market_id,
                }
                for update in block.prices
            }
            yield Contents(body={"oraclePrices": prices})

    def _subaccount(self, name: str, news: News) -> Iterator[Contents]:
        named = _subaccount_id(name)
        changes = news.noted.by_subaccount.get(named)
        if changes is not None:
            yield from _account_contents(named, changes, news)

    def _parent(self, name: str, news: News) -> Iterator[Contents]:
        """News of a parent's children, transfers between them left out (ORDERS.md 9.5)."""
        wanted = _subaccount_id(name)
        for named, changes in news.noted.by_subaccount.items():
            if _family(named) == wanted:
                told = replace(
                    changes, transfers=[one for one in changes.transfers if _leaves_family(one)]
                )
                for contents in _account_contents(named, told, news):
                    yield Contents(body=contents.body, child=named.number)

    def _candles(self, name: str, _: News) -> Iterator[Contents]:
        ticker, resolution = name.split("/")
        newest = self._told.chronicle.newest(ticker, resolution)
        if newest is not None:
            body = history_shapes.candle(ticker, resolution, newest)
            yield Contents(body=body)

    def _height(self, _: str, news: News) -> Iterator[Contents]:
        block = news.block
        time = shapes.iso(self._condition.told(block.time))
        yield Contents(body={"blockHeight": str(block.height), "time": time})


def _subaccount_id(name: str) -> SubaccountId:
    address, _, number = name.partition("/")
    return SubaccountId(owner=address, number=int(number))


def _family(named: SubaccountId) -> SubaccountId:
    """The parent of a child; a parent is its own."""
    return SubaccountId(owner=named.owner, number=named.number % PARENTS)


def _leaves_family(record: TransferRecord) -> bool:
    ends = (record.event.sender, record.event.recipient)
    families = [_family(end) if isinstance(end, SubaccountId) else end for end in ends]
    return families[0] != families[1]


def _changed_levels(old: Levels, new: Levels) -> list[list[str]]:
    """Levels whose size changed, absolute; "0" where one is gone."""
    before, after = dict(old), dict(new)
    gone = [[price, "0"] for price in before if price not in after]
    return gone + [[price, size] for price, size in new if before.get(price) != size]


def _account_contents(named: SubaccountId, changes: Changes, news: News) -> Iterator[Contents]:
    """Positions, assets, orders and fills in one message; each transfer in one of its own."""
    state, height = news.state, str(news.block.height)
    body: dict[str, Value] = {}
    if changes.positions:
        body["perpetualPositions"] = [
            feed_shapes.position(one, state) for one in changes.positions.values()
        ]
    if changes.has_new_usdc:
        body["assetPositions"] = [feed_shapes.asset(state.subaccount(named.owner, named.number))]
    if changes.orders:
        body["orders"] = [feed_shapes.placed(one, state) for one in changes.orders]
    if changes.fills:
        body["fills"] = [feed_shapes.fill(one, state) for one in changes.fills]
    if body:
        yield Contents(body={**body, "blockHeight": height})
    for moved in changes.transfers:
        told = feed_shapes.transfer(moved, named)
        yield Contents(body={"transfers": told, "blockHeight": height})
