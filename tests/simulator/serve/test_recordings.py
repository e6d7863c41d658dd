"""The websocket's messages and more of REST, key by key against recordings of a phone app.

Every difference is listed here with its reason; one that is not listed fails, and so does a listed
one that is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from seawall.account import Side
from seawall.simulator.messages import (
    IMMEDIATE_OR_CANCEL,
    SHORT_TERM,
    OrderId,
    PlaceOrder,
    SubaccountId,
)
from seawall.simulator.prices import Path as PricePath
from seawall.simulator.serve.launch import Cast
from tests.simulator.serve.running import START, Running, flat_path, line, running
from tests.simulator.serve.samples import Shape, differences, sample
from tests.simulator.serve.signing import Envelope, cancel, deposit, order

NEWER = "the recording is older than the key"
GONE = "the recording is older than the indexer that dropped the key"
STATEFUL = "of orders that are good until a time; here all are good until a block"
OTHERS = "of something that did not happen in the recording"
MIDS = {"orderbookMidPriceOpen": NEWER, "orderbookMidPriceClose": NEWER}
OLD_TREE = {"updatedAtHeight": NEWER, "latestProcessedBlockHeight": NEWER}

SNAPSHOTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "SubaccountChannelMock.subscribed": (
        "v4_subaccounts",
        {**OLD_TREE, "blockHeight": NEWER, "subaccountNumber": NEWER, "orderRouterAddress": NEWER},
    ),
    "ParentSubaccountsChannelMock.real_subscribe_with_isolated_position_and_open_orders": (
        "v4_parent_subaccounts",
        {
            **OLD_TREE,
            "createdAtHeight": STATEFUL,
            "updatedAt": STATEFUL,
            "goodTilBlock": STATEFUL,
            "goodTilBlockTime": STATEFUL,
            "orderRouterAddress": NEWER,
        },
    ),
    "CandlesMock.v4_subscribed": ("v4_candles", MIDS),
    "TradesChannelMock.v4_subscribed": ("v4_trades", {"liquidation": GONE, "type": NEWER}),
    "OrderbookChannelMock.subscribed": ("v4_orderbook", {}),
    "MarketsChannelMock.v4_subscribed_r1": (
        "v4_markets",
        {
            "id": NEWER,
            "lastPrice": GONE,
            "nextFundingUpdate": GONE,
            "incrementalInitialMarginFraction": GONE,
            "incrementalPositionSize": GONE,
            "maxPositionSize": GONE,
            "basePositionSize": GONE,
            "basePositionNotional": GONE,
            "baseOpenInterest": NEWER,
            "defaultFundingRate1H": NEWER,
            "marketType": NEWER,
            "openInterestLowerCap": NEWER,
            "openInterestUpperCap": NEWER,
        },
    ),
}
OF_ORDERS = tuple(f"SubaccountChannelMock.channel_batch_data_{n}" for n in (1, 2, 3, 4)) + tuple(
    f"SubaccountChannelMock.channel_batch_data_order_filled_{n}" for n in (1, 2)
)
NEWS: Mapping[tuple[str, ...], tuple[str, bool, Mapping[str, str]]] = {
    OF_ORDERS: (
        "v4_subaccounts",
        True,
        {
            "blockHeight": NEWER,
            "subaccountNumber": NEWER,
            "affiliateRevShare": NEWER,
            "orderRouterAddress": NEWER,
            "goodTilBlockTime": STATEFUL,
            "triggerPrice": STATEFUL,
            "transfers": OTHERS,
            "tradingReward": "rewards for trading have ended",
            "market": "only one of the recordings names it, and ticker as well",
        },
    ),
    ("ParentSubaccountsChannelMock.real_channel_batch_data",): (
        "v4_parent_subaccounts",
        True,
        {
            "blockHeight": NEWER,
            "subaccountNumber": NEWER,
            "affiliateRevShare": NEWER,
            "orderRouterAddress": NEWER,
            "goodTilBlockTime": STATEFUL,
            "triggerPrice": STATEFUL,
            "transfers": OTHERS,
            "removalReason": OTHERS,
            "totalOptimisticFilled": OTHERS,
        },
    ),
    ("CandlesMock.v4_channel_data",): (
        "v4_candles",
        False,
        {**MIDS, "resolution": NEWER},
    ),
    ("TradesChannelMock.v4_channel_data",): (
        "v4_trades",
        False,
        {"type": NEWER, "version": NEWER},
    ),
    ("MarketsChannelMock.v4_channel_batch_data_oracle_prices",): (
        "v4_markets",
        True,
        {"id": NEWER, "version": NEWER},
    ),
}
REST: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "AccountsChannelMock.v4accountsReceivedWithPositions": (
        "addresses/{}",
        {**OLD_TREE, "subaccountNumber": NEWER},
    ),
    "FillsMock.v4_rest": (
        "fills?address={}&subaccountNumber=0",
        {
            "affiliateRevShare": NEWER,
            "clientMetadata": NEWER,
            "entryPriceBefore": NEWER,
            "positionSideBefore": NEWER,
            "positionSizeBefore": NEWER,
            "subaccountNumber": NEWER,
        },
    ),
    "TransfersMock.transfer_data": (
        "transfers?address={}&subaccountNumber=0",
        {"subaccountNumber": "here money comes from a wallet, which has no number"},
    ),
    "HistoricalFundingsMock.call_v4": ("historicalFunding/BTC-USD", {}),
    "HistoricalPNLMock.firstCall": (
        "historical-pnl?address={}&subaccountNumber=0",
        {
            "accountId": GONE,
            "id": NEWER,
            "subaccountId": NEWER,
            "blockHeight": NEWER,
            "blockTime": NEWER,
        },
    ),
    "CandlesMock.v4FirstCall": ("candles/perpetualMarkets/BTC-USD?resolution=1MIN", MIDS),
    "HeightMock.indexerHeight": ("height", {}),
    "AccountsChannelMock.v4_subaccounts_failed": ("addresses/dydx1nobody/subaccountNumber/0", {}),
}


@pytest.fixture(scope="module")
def venue() -> Iterator[Running]:
    """A trader who is long while BTC falls."""
    falls = {"BTC-USD": line((0, 100_000), (60_000, 94_000)), "ETH-USD": line((0, 4_000))}
    path = PricePath(falls, start=START, end=flat_path().end)
    with running(path, Cast(accounts=1, leverage=Decimal(2))) as served:
        busy = Busy(served)
        for _ in range(2):
            busy.block()
        yield served


@dataclass(slots=True)
class Busy:
    """Blocks in which everything happens: a sale, a deposit, orders that rest, fail and go."""

    venue: Running

    def block(self) -> None:
        venue, node, trader = self.venue, self.venue.server.node, self.venue.trader
        height = venue.do(lambda: node.state.height)
        sequence = venue.do(lambda: node.state.wallets[trader.address].sequence)
        resting = Envelope(key=trader, fee=0).sign(order(trader, height, height + 10))
        gone = Envelope(key=trader, fee=0).sign(cancel(trader, height - 1, height + 10))
        money = Envelope(key=trader, sequence=sequence).sign(deposit(trader, 5_000_000))
        for raw in (resting, money, gone):
            venue.do(lambda raw=raw: node.admission.broadcast(raw))  # type: ignore[misc]
        for client_id, subticks in ((1_000, 8_000_000_000), (2_000, 12_000_000_000)):
            sale = self._sale(client_id + height, subticks, height)
            venue.do(lambda sale=sale: node.chain.check(sale))  # type: ignore[misc]
        venue.next_block()

    def _sale(self, client_id: int, subticks: int, height: int) -> PlaceOrder:
        return PlaceOrder(
            order_id=OrderId(
                subaccount=SubaccountId(owner=self.venue.trader.address, number=0),
                client_id=client_id,
                order_flags=SHORT_TERM,
                clob_pair_id=0,
            ),
            side=Side.SELL,
            quantums=10_000_000,
            subticks=subticks,
            good_til_block=height + 10,
            time_in_force=IMMEDIATE_OR_CANCEL,
        )


def say(socket: ClientConnection, **said: object) -> Shape:
    socket.send(json.dumps({"type": "subscribe", **said}))
    return json.loads(socket.recv(timeout=5))


def named(venue: Running, channel: str) -> str:
    names = {
        "v4_candles": "BTC-USD/1MIN",
        "v4_trades": "BTC-USD",
        "v4_orderbook": "BTC-USD",
        "v4_markets": "v4_markets",
    }
    return names.get(channel, f"{venue.trader.address}/0")


def snapshot(venue: Running, channel: str) -> Shape:
    with connect(venue.endpoints.websocket, proxy=None) as socket:
        socket.recv(timeout=5)
        return say(socket, channel=channel, id=named(venue, channel))


def news(venue: Running, channel: str, *, batched: bool) -> list[Shape]:
    """Everything that three busy blocks bring on a channel."""
    with connect(venue.endpoints.websocket, proxy=None) as socket:
        socket.recv(timeout=5)
        for name, is_batched in ((channel, batched), ("v4_block_height", False)):
            say(socket, channel=name, id=named(venue, name), batched=is_batched)
        for _ in range(3):
            Busy(venue).block()
        heard: list[Shape] = []
        left = {"v4_block_height": 3, channel: 1}  # a batch follows the blocks, nothing else does
        while any(count > 0 for count in left.values()):
            message = json.loads(socket.recv(timeout=5))
            left[message["channel"]] -= 1
            if message["channel"] == channel:
                heard.append(message)
        return heard


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_a_snapshot_has_the_keys_of_the_real_one(venue: Running, name: str) -> None:
    channel, listed = SNAPSHOTS[name]

    assert differences(sample(name, "abacus"), snapshot(venue, channel)) == set(listed)


@pytest.mark.parametrize("names", NEWS, ids=lambda names: names[0])
def test_news_have_the_keys_of_the_real_ones(venue: Running, names: tuple[str, ...]) -> None:
    channel, batched, listed = NEWS[names]

    ours = news(venue, channel, batched=batched)

    assert differences([sample(name, "abacus") for name in names], ours) == set(listed)


def test_a_transfer_is_told_in_a_message_of_its_own(venue: Running) -> None:
    heard = news(venue, "v4_subaccounts", batched=False)

    (moved, *_) = [one for one in heard if "transfers" in one["contents"]]
    assert differences(sample("TransfersMock.channel_data", "abacus"), moved) == {
        "blockHeight",  # the recording is older than the key
        "subaccountNumber",  # a wallet has none
    }


@pytest.mark.parametrize("name", REST)
def test_rest_has_the_keys_of_the_real_one(venue: Running, name: str) -> None:
    path, listed = REST[name]
    url = f"{venue.endpoints.rest}/v4/{path.format(venue.trader.address)}"

    ours = httpx.get(url, trust_env=False).json()

    assert differences(sample(name, "abacus"), ours) == set(listed)


def test_orders_that_rest_or_fail_are_hearsay_with_a_reason(venue: Running) -> None:
    heard = news(venue, "v4_subaccounts", batched=False)

    orders = [one for message in heard for one in message["contents"].get("orders", [])]
    told = {(one["status"], one.get("removalReason", "")) for one in orders}
    assert told == {
        ("BEST_EFFORT_OPENED", ""),
        ("FILLED", ""),
        ("BEST_EFFORT_CANCELED", "ORDER_REMOVAL_REASON_USER_CANCELED"),
        (
            "BEST_EFFORT_CANCELED",
            "ORDER_REMOVAL_REASON_IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK",
        ),
    }
