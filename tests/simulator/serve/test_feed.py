"""The indexer's websocket: greeting, snapshots, the order of a block's news, batches, liveness."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import TypedDict, cast

import aiohttp
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from seawall.account import Side
from seawall.simulator.messages import (
    IMMEDIATE_OR_CANCEL,
    SHORT_TERM,
    OrderId,
    PlaceOrder,
    SubaccountId,
    Transfer,
)
from seawall.simulator.prices import Path
from seawall.simulator.serve import connection
from seawall.simulator.serve.launch import Cast
from seawall.simulator.serve.server import ServeSettings
from tests.simulator.serve.running import Running, flat_path, line, running
from tests.simulator.serve.signing import Envelope, deposit

Json = dict[str, object]


class Message(TypedDict):
    type: str
    message_id: int
    channel: str
    id: str
    version: str
    contents: Json


@pytest.fixture
def venue() -> Iterator[Running]:
    lines = {"BTC-USD": line((0, 100_000), (60_000, 90_000)), "ETH-USD": line((0, 4_000))}
    rest = flat_path()
    path = Path(lines, start=rest.start, end=rest.end)
    with running(path, Cast(accounts=1, leverage=Decimal(3))) as served:
        yield served


@pytest.fixture
def socket(venue: Running) -> Iterator[ClientConnection]:
    with connect(venue.endpoints.websocket, proxy=None) as opened:
        assert hear(opened)["type"] == "connected"
        yield opened


def hear(socket: ClientConnection) -> Message:
    message: Message = json.loads(socket.recv(timeout=5))
    return message


def subscribe(socket: ClientConnection, channel: str, **more: object) -> Message:
    socket.send(json.dumps({"type": "subscribe", "channel": channel, **more}))
    return hear(socket)


def until_height(socket: ClientConnection, height: int) -> list[Message]:
    """Everything up to the block height's message, which is the last."""
    heard = [hear(socket)]
    while heard[-1]["channel"] != "v4_block_height":
        heard.append(hear(socket))
    assert heard[-1]["contents"]["blockHeight"] == str(height)
    return heard


def sell_and_deposit(venue: Running) -> None:
    """One block with a fill and a transfer for the trader."""
    trader = venue.trader
    sale = PlaceOrder(
        order_id=OrderId(
            subaccount=SubaccountId(owner=trader.address, number=0),
            client_id=1,
            order_flags=SHORT_TERM,
            clob_pair_id=0,
        ),
        side=Side.SELL,
        quantums=10_000_000,
        subticks=9_000_000_000,
        good_til_block=20,
        time_in_force=IMMEDIATE_OR_CANCEL,
        reduce_only=True,
    )
    node = venue.server.node
    assert venue.do(lambda: node.chain.check(sale)).is_accepted
    raw = Envelope(key=trader).sign(deposit(trader, 5_000_000))
    assert venue.do(lambda: node.admission.broadcast(raw)).result.is_accepted


def test_a_block_ends_with_its_height_and_all_its_news_come_before(
    venue: Running, socket: ClientConnection
) -> None:
    account = f"{venue.trader.address}/0"
    for channel, name in (
        ("v4_block_height", None),
        ("v4_parent_subaccounts", account),
        ("v4_subaccounts", account),
        ("v4_markets", None),
        ("v4_trades", "BTC-USD"),
        ("v4_orderbook", "BTC-USD"),
    ):
        assert subscribe(socket, channel, id=name)["type"] == "subscribed"
    venue.next_block()
    until_height(socket, 2)  # the first block only moves the mid: the oracle follows one later

    sell_and_deposit(venue)
    venue.next_block()
    heard = until_height(socket, 3)

    assert [m["channel"] for m in heard] == [
        "v4_orderbook",
        "v4_trades",
        "v4_markets",
        "v4_subaccounts",
        "v4_subaccounts",
        "v4_parent_subaccounts",
        "v4_parent_subaccounts",
        "v4_block_height",
    ]
    numbers = [m["message_id"] for m in heard]
    assert numbers == list(range(numbers[0], numbers[0] + 8))
    assert {m["type"] for m in heard} == {"channel_data"}


def test_a_parent_is_not_told_of_transfers_between_its_children(
    venue: Running, socket: ClientConnection
) -> None:
    trader, node = venue.trader, venue.server.node
    parent = SubaccountId(owner=trader.address, number=0)
    for channel in ("v4_block_height", "v4_parent_subaccounts", "v4_subaccounts"):
        subscribe(socket, channel, id=f"{trader.address}/0")
    moves = [
        Transfer(sender=parent, recipient=replace(parent, number=number), amount=5_000_000)
        for number in (128, 1)
    ]
    for move in moves:
        assert venue.do(partial(node.chain.check, move)).is_accepted
    venue.next_block()
    heard = until_height(socket, 2)

    told = [
        (
            message["channel"],
            cast("dict[str, dict[str, int]]", message["contents"]["transfers"])["recipient"][
                "subaccountNumber"
            ],
        )
        for message in heard
        if "transfers" in message["contents"]
    ]
    assert told == [
        ("v4_subaccounts", 128),
        ("v4_subaccounts", 1),
        ("v4_parent_subaccounts", 1),
    ]


def test_account_news_hold_position_usdc_order_and_fill_and_then_the_transfer(
    venue: Running, socket: ClientConnection
) -> None:
    account = f"{venue.trader.address}/0"
    snapshot = subscribe(socket, "v4_subaccounts", id=account)

    sell_and_deposit(venue)
    venue.next_block()
    trade, moved = hear(socket), hear(socket)

    assert snapshot["contents"]["blockHeight"] == "1"
    assert set(trade["contents"]) == {
        "perpetualPositions",
        "assetPositions",
        "orders",
        "fills",
        "blockHeight",
    }
    assert set(moved["contents"]) == {"transfers", "blockHeight"}
    usdc = trade["contents"]["assetPositions"]
    assert isinstance(usdc, list)
    assert usdc[0]["side"] == "SHORT"  # a debt is unsigned, with its side
    assert Decimal(usdc[0]["size"]) > 0


def test_the_book_told_by_deltas_is_the_book_of_rest(
    venue: Running, socket: ClientConnection
) -> None:
    subscribe(socket, "v4_block_height")
    snapshot = subscribe(socket, "v4_orderbook", id="BTC-USD")["contents"]
    books = {
        side: {level["price"]: level["size"] for level in snapshot[side]}  # type: ignore[attr-defined]
        for side in ("bids", "asks")
    }

    for height in range(2, 12):
        venue.next_block()
        for message in until_height(socket, height)[:-1]:
            for side, levels in message["contents"].items():
                for price, size in levels:  # type: ignore[attr-defined]
                    books[side].pop(price, None)
                    if size != "0":
                        books[side][price] = size
    bids, asks = venue.do(lambda: venue.server.told.book("BTC-USD"))

    assert books == {"bids": dict(bids), "asks": dict(asks)}
    assert "99975" not in books["bids"]  # the price fell, so the first best bid is gone


def test_snapshots_of_unknown_accounts_are_empty(socket: ClientConnection) -> None:
    assert subscribe(socket, "v4_subaccounts", id="dydx1nobody/0")["contents"] == {}


@pytest.mark.parametrize(
    ("said", "answer", "message_id"),
    [
        ("{", "Invalid message: could not parse", 1),
        ('{"type": "shout"}', "Invalid message type: shout", 1),
        ('{"type": "subscribe", "channel": "v4_news"}', "Invalid channel: v4_news", 1),
        ('{"type": "subscribe", "channel": "v4_trades"}', "Invalid id: None", 1),
        (
            '{"type": "subscribe", "channel": "v4_orderbook", "id": "XYZ-USD"}',
            "Invalid subscription id for channel: (v4_orderbook-XYZ-USD)",
            2,
        ),
        (
            '{"type": "subscribe", "channel": "v4_parent_subaccounts", "id": "dydx1/128"}',
            "Invalid subscription id for channel: (v4_parent_subaccounts-dydx1/128)",
            2,
        ),
        *(
            (
                f'{{"type": "subscribe", "channel": "v4_subaccounts", "id": "dydx1/{number}"}}',
                f"Invalid subscription id for channel: (v4_subaccounts-dydx1/{number})",
                2,
            )
            for number in ("128000", "9" * 5_000)
        ),
    ],
)
def test_a_bad_message_is_answered_and_counts_only_where_its_name_was_looked_at(
    socket: ClientConnection, said: str, answer: str, message_id: int
) -> None:
    socket.send(said)
    refused = json.loads(socket.recv(timeout=5))

    assert (refused["type"], refused["message"]) == ("error", answer)
    assert subscribe(socket, "v4_block_height")["message_id"] == message_id


def test_a_second_subscription_of_the_same_is_an_error(socket: ClientConnection) -> None:
    subscribe(socket, "v4_markets")

    assert subscribe(socket, "v4_markets")["type"] == "error"


def test_a_json_ping_is_never_answered(socket: ClientConnection) -> None:
    socket.send('{"type": "ping"}')

    assert subscribe(socket, "v4_markets")["type"] == "subscribed"


def test_after_unsubscribing_nothing_more_comes(venue: Running, socket: ClientConnection) -> None:
    subscribe(socket, "v4_orderbook", id="BTC-USD")
    subscribe(socket, "v4_block_height")

    socket.send('{"type": "unsubscribe", "channel": "v4_orderbook", "id": "BTC-USD"}')
    ended = hear(socket)
    venue.next_block()

    assert ended["type"] == "unsubscribed"
    assert [m["channel"] for m in until_height(socket, 2)] == ["v4_block_height"]


def test_batched_news_come_together_and_in_order(venue: Running, socket: ClientConnection) -> None:
    subscribe(socket, "v4_block_height", batched=True)

    def block() -> None:
        sealed = venue.server.node.step()
        assert sealed is not None
        venue.server.publish(sealed)

    for _ in range(3):
        venue.do(block)
    message = json.loads(socket.recv(timeout=5))

    assert message["type"] == "channel_batch_data"
    assert [one["blockHeight"] for one in message["contents"]] == ["2", "3", "4"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PING_EVERY_S", 0.05)
    monkeypatch.setattr(connection, "PONG_WITHIN_S", 0.5)


@pytest.mark.usefixtures("impatient")
def test_a_client_that_answers_pings_stays(venue: Running) -> None:
    with connect(venue.endpoints.websocket, proxy=None) as alive:
        assert hear(alive)["type"] == "connected"
        with pytest.raises(TimeoutError):
            alive.recv(timeout=0.7)  # several pings, answered by the library
        assert subscribe(alive, "v4_block_height")["type"] == "subscribed"


@pytest.mark.usefixtures("impatient")
async def test_a_client_that_never_answers_pings_is_closed_with_1011(venue: Running) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(venue.endpoints.websocket, autoping=False) as deaf,
    ):
        assert (await deaf.receive(5)).type is aiohttp.WSMsgType.TEXT
        assert (await deaf.receive(5)).type is aiohttp.WSMsgType.PING
        closed = await deaf.receive(5)

    assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1011)


def test_subscribed_may_come_after_higher_ids_and_what_happens_meanwhile_is_lost() -> None:
    slow = ServeSettings(speed=0, snapshot_s=1.5)
    with running(settings=slow) as venue, connect(venue.endpoints.websocket, proxy=None) as socket:
        assert hear(socket)["type"] == "connected"
        subscribe(socket, "v4_block_height")  # with id 1

        socket.send(json.dumps({"type": "subscribe", "channel": "v4_markets"}))  # takes id 2
        while not venue.do(lambda: _ids(venue) == 2):
            pass
        venue.next_block()
        news, snapshot = hear(socket), hear(socket)
        venue.next_block()
        after = hear(socket)

    assert (news["type"], news["message_id"]) == ("channel_data", 3)
    assert (snapshot["type"], snapshot["message_id"]) == ("subscribed", 2)
    assert after["message_id"] == 4


def _ids(venue: Running) -> int:
    (connection,) = venue.server.feed.connections
    return connection.newest_id


def until_closed(socket: ClientConnection) -> tuple[list[Message], int]:
    """Everything that is said before the server ends the connection, and its code."""
    heard: list[Message] = []

    def listen() -> None:
        while True:
            heard.append(hear(socket))

    with pytest.raises(ConnectionClosed) as closed:
        listen()
    assert closed.value.rcvd is not None
    return heard, closed.value.rcvd.code


@pytest.mark.parametrize(
    ("said", "most"),
    [
        ('{"type": "subscribe", "channel": "v4_markets"}', 2),
        ("{", 2),
        ('{"type": "ping"}', 5),
    ],
)
def test_who_says_the_same_too_often_is_closed_with_1008(
    socket: ClientConnection, said: str, most: int
) -> None:
    for _ in range(most + 1):  # the last one is too many
        socket.send(said)

    heard, code = until_closed(socket)

    complaints = [one for one in heard if "Too many" in json.dumps(one)]
    assert (complaints, code) == (heard[-1:], 1008)
