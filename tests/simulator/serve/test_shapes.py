"""The indexer's shapes, key by key against answers recorded from the real one.

Every difference is listed here with its reason; one that is not listed fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal

import httpx
import pytest
from websockets.sync.client import connect

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
from seawall.simulator.serve.shapes import iso, text
from seawall.units import Millis
from tests.simulator.serve.running import START, Running, flat_path, line, running
from tests.simulator.serve.samples import Shape, differences, sample
from tests.simulator.serve.signing import Envelope, deposit, order

NEWER = "the recording is older than the key"
BY_HAND = "this one was written by hand; the recordings of test_recordings.py have it our way"
OPTIONAL = "given by the real one only in some answers"
DIFFERENCES: Mapping[str, Mapping[str, str]] = {
    "http_get_fills": {
        "positionSizeBefore": NEWER,
        "positionSideBefore": NEWER,
        "entryPriceBefore": NEWER,
    },
    "http_get_transfers": {
        "size": "the recording says amount; the indexer's own types say size",
        "symbol": "the recording says asset; the indexer's own types say symbol",
        "amount": "see size",
        "subaccountNumber": "a deposit comes from a wallet, which has no number",
        "asset": "see symbol",
    },
    "http_get_orders": {"goodTilBlock": OPTIONAL, "goodTilBlockTime": OPTIONAL},
    "ws_subaccounts_subscribed": {
        "orders": NEWER,
        "blockHeight": NEWER,
        "createdAtHeight": NEWER,
        "subaccountNumber": NEWER,
    },
    "ws_subaccounts_update": {
        "perpetualPositions": "the recording holds orders and fills only",
        "assetPositions": "the recording holds orders and fills only",
        "blockHeight": NEWER,
        "subaccountNumber": NEWER,
        "ticker": BY_HAND,
        "market": BY_HAND,
        "marketType": BY_HAND,
        "clobPairId": BY_HAND,
        "eventId": BY_HAND,
        "quoteAmount": BY_HAND,
        "transactionHash": BY_HAND,
        "totalOptimisticFilled": OPTIONAL,
        "removalReason": OPTIONAL,
        "orderRouterAddress": NEWER,
        "goodTilBlock": OPTIONAL,
        "goodTilBlockTime": OPTIONAL,
        "affiliateRevShare": NEWER,
    },
    "ws_trades_update": {"createdAtHeight": BY_HAND},
    "ws_markets_subscribed": {
        "id": "the recording leaves out that it is the channel's name",
        "volume24H": NEWER,
        "trades24H": NEWER,
        "marketType": NEWER,
        "openInterestLowerCap": NEWER,
        "openInterestUpperCap": NEWER,
        "baseOpenInterest": NEWER,
        "defaultFundingRate1H": NEWER,
    },
    "ws_markets_update": {"id": "the recording leaves out that it is the channel's name"},
}


@pytest.fixture(scope="module")
def venue() -> Iterator[Running]:
    """A venue on which a trader has bought, sold, rested an order and deposited."""
    falls = {"BTC-USD": line((0, 100_000), (60_000, 94_000)), "ETH-USD": line((0, 4_000))}
    path = PricePath(falls, start=START, end=flat_path().end)
    with running(path, Cast(accounts=1, equity=Decimal(10_000))) as served:
        trader = served.trader
        node = served.server.node
        trade = PlaceOrder(
            order_id=OrderId(
                subaccount=SubaccountId(owner=trader.address, number=0),
                client_id=7,
                order_flags=SHORT_TERM,
                clob_pair_id=0,
            ),
            side=Side.BUY,
            quantums=1_000_000_000,
            subticks=11_000_000_000,
            good_til_block=20,
            time_in_force=IMMEDIATE_OR_CANCEL,
        )
        served.do(lambda: node.chain.check(trade))
        served.do(lambda: node.admission.broadcast(Envelope(key=trader, fee=0).sign(order(trader))))
        raw = Envelope(key=trader).sign(deposit(trader, 5_000_000))
        served.do(lambda: node.admission.broadcast(raw))
        served.next_block()
        yield served


def check(name: str, ours: Shape) -> None:
    assert differences(sample(name), ours) <= set(DIFFERENCES.get(name, {}))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("http_get_block_height", "/v4/height"),
        ("http_get_time", "/v4/time"),
        ("http_get_perpetual_markets", "/v4/perpetualMarkets"),
        ("http_get_orderbook", "/v4/orderbooks/perpetualMarket/BTC-USD"),
        ("http_get_trades", "/v4/trades/perpetualMarket/BTC-USD"),
        ("http_get_historical_funding", "/v4/historicalFunding/BTC-USD"),
        ("http_get_subaccount", "/v4/addresses/{}/subaccountNumber/0"),
        ("http_get_orders", "/v4/orders?address={}&subaccountNumber=0"),
        ("http_get_fills", "/v4/fills?address={}&subaccountNumber=0"),
        ("http_get_transfers", "/v4/transfers?address={}&subaccountNumber=0"),
    ],
)
def test_rest_answers_in_the_real_shape(venue: Running, name: str, path: str) -> None:
    url = venue.endpoints.rest + path.format(venue.trader.address)

    check(name, httpx.get(url, trust_env=False).json())


def subscribed_and_told(venue: Running, channel: str, topic: str) -> tuple[Shape, Shape]:
    """The snapshot of a channel, and the first news of a block with an order and a fill."""
    with connect(venue.endpoints.websocket, proxy=None) as socket:
        socket.recv(timeout=5)
        socket.send(json.dumps({"type": "subscribe", "channel": channel, "id": topic}))
        snapshot = json.loads(socket.recv(timeout=5))
        trader, node = venue.trader, venue.server.node
        serial = node.state.height
        placed = Envelope(key=trader, fee=0).sign(order(trader, 100 + serial))
        venue.do(lambda: node.admission.broadcast(placed))
        venue.do(lambda: node.chain.check(_sale(venue, serial)))
        venue.next_block()
        return snapshot, json.loads(socket.recv(timeout=5))


def _sale(venue: Running, serial: int) -> PlaceOrder:
    return PlaceOrder(
        order_id=OrderId(
            subaccount=SubaccountId(owner=venue.trader.address, number=0),
            client_id=1_000 + serial,
            order_flags=SHORT_TERM,
            clob_pair_id=0,
        ),
        side=Side.SELL,
        quantums=10_000_000,
        subticks=8_000_000_000,
        good_til_block=serial + 10,
        time_in_force=IMMEDIATE_OR_CANCEL,
        reduce_only=True,
    )


@pytest.mark.parametrize(
    ("name", "channel", "topic"),
    [
        ("ws_block_height", "v4_block_height", ""),
        ("ws_markets", "v4_markets", ""),
        ("ws_orderbook", "v4_orderbook", "BTC-USD"),
        ("ws_trades", "v4_trades", "BTC-USD"),
        ("ws_subaccounts", "v4_subaccounts", "{}/0"),
    ],
)
def test_the_feed_speaks_in_the_real_shape(
    venue: Running, name: str, channel: str, topic: str
) -> None:
    named = topic.format(venue.trader.address)

    snapshot, news = subscribed_and_told(venue, channel, named)

    check(f"{name}_subscribed", snapshot)
    check(f"{name}_update", news)


def test_an_error_is_in_the_real_shape(venue: Running) -> None:
    with connect(venue.endpoints.websocket, proxy=None) as socket:
        socket.recv(timeout=5)
        socket.send('{"type": "subscribe", "channel": "v4_nonsense"}')
        check("ws_error", json.loads(socket.recv(timeout=5)))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v4/addresses/dydx1nobody", 404),
        ("/v4/addresses/dydx1nobody/subaccountNumber/0", 404),
        ("/v4/addresses/dydx1nobody/parentSubaccountNumber/0", 404),
        ("/v4/addresses/dydx1nobody/subaccountNumber/x", 400),
        ("/v4/perpetualMarkets?ticker=XYZ-USD", 400),
        ("/v4/orderbooks/perpetualMarket/XYZ-USD", 400),
        ("/v4/orders?subaccountNumber=0", 400),
        ("/v4/fills?address=dydx1nobody&subaccountNumber=0&limit=x", 400),
        ("/v4/orders/00000000-0000-0000-0000-000000000000", 404),
        ("/v4/nonsense", 404),
    ],
)
def test_what_cannot_be_answered_is_an_error_in_the_indexers_form(
    venue: Running, path: str, status: int
) -> None:
    refused = httpx.get(venue.endpoints.rest + path, trust_env=False)

    assert refused.status_code == status
    assert refused.json()["errors"][0]["msg"]


def test_free_collateral_uses_the_base_fraction_as_the_real_one_does() -> None:
    cast = Cast(accounts=1, equity=Decimal(10_000), leverage=Decimal(1))
    with running(flat_path({"SOL-USD": 4_000.0}), cast) as served:  # open interest above its cap
        url = f"{served.endpoints.rest}/v4/addresses/{served.trader.address}/subaccountNumber/0"
        shown = httpx.get(url, trust_env=False).json()["subaccount"]
        state = served.server.node.state
    account = state.subaccount(served.trader.address, 0)
    risk = state.risk(account)

    notional = sum(Decimal(p["size"]) * 4_000 for p in shown["openPerpetualPositions"].values())
    assert Decimal(shown["equity"]) == 10_000
    assert Decimal(shown["freeCollateral"]) == 10_000 - notional * Decimal("0.05")
    assert Decimal(shown["freeCollateral"]) > Decimal(risk.nc - risk.imr).scaleb(-6)


@pytest.mark.parametrize(
    ("number", "expected"),
    [("0", "0"), ("-0", "0"), ("1E+2", "100"), ("1.500", "1.5"), ("-0.000001", "-0.000001")],
)
def test_decimals_are_plain_text(number: str, expected: str) -> None:
    assert text(Decimal(number)) == expected


def test_times_have_milliseconds_and_a_zone() -> None:
    assert iso(Millis(1_765_210_319_450)) == "2025-12-08T16:11:59.450Z"
