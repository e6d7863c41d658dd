"""The websocket endpoint /v4/ws: what clients say, and the answers to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from uuid import uuid4

from aiohttp import WSMsgType, web

from seawall.simulator.serve.connection import Connection, Delivery, Topic
from seawall.simulator.serve.feed import Feed, NoSuchTopic

MESSAGE_BYTES_MOST = 64 * 1024
SUBSCRIPTIONS_MOST: Mapping[str, int] = {
    "v4_subaccounts": 256,
    "v4_parent_subaccounts": 256,
    "v4_markets": 32,
    "v4_orderbook": 32,
    "v4_trades": 32,
    "v4_candles": 32,
    "v4_block_height": 1,
}


class Socket:
    """Accepts clients of a feed and reads what they send."""

    def __init__(self, feed: Feed, snapshot_s: float = 0.0) -> None:
        self._feed = feed
        self._snapshot_s = snapshot_s  # how long a snapshot takes
        self._answering: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        """Every path served."""
        return [web.get("/v4/ws", self._serve)]

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(
            autoping=False, compress=False, max_msg_size=MESSAGE_BYTES_MOST
        )
        try:
            await socket.prepare(request)
        except ConnectionError:
            return socket  # who asked is gone already
        connection = Connection(socket, str(uuid4()))
        self._feed.join(connection)
        connection.open()
        try:
            async for message in socket:
                match message.type:
                    case WSMsgType.TEXT | WSMsgType.BINARY:
                        self._hear(connection, message.data)
                    case WSMsgType.PING:
                        await socket.pong(message.data)
                    case WSMsgType.PONG:
                        connection.pong()
                    case _:
                        break
        except ConnectionError:
            pass  # gone while it was answered
        finally:
            self._feed.leave(connection)
            await connection.close()
        return socket

    def _hear(self, connection: Connection, words: str | bytes) -> None:
        try:
            said = json.loads(words)
        except ValueError:
            _blunder(connection, "Invalid message: could not parse")
            return
        kind = said.get("type") if isinstance(said, dict) else None
        if kind == "ping":
            # The real server takes it and stays silent.
            if not connection.pinging.takes():
                connection.expel("Too many ping messages. Please reconnect and try again.")
            return
        if kind not in ("subscribe", "unsubscribe"):
            _blunder(connection, f"Invalid message type: {kind}")
            return
        try:
            topic = self._feed.topic(said.get("channel"), said.get("id"))
        except NoSuchTopic as refusal:
            if refusal.counts:
                connection.take_id()
            connection.refuse(str(refusal))
            return
        if kind == "subscribe":
            is_batched = said.get("batched") is True
            self._subscribe(connection, topic, Delivery.BATCHED if is_batched else Delivery.AT_ONCE)
        else:
            connection.topics.pop(topic, None)
            connection.unsubscribed(topic)

    def _subscribe(self, connection: Connection, topic: Topic, delivery: Delivery) -> None:
        label = f"{topic.channel}-{topic.name}"
        if not connection.subscribing.takes(topic):
            connection.expel(
                f"Too many subscribe attempts for channel {label}. Please reconnect and try again."
            )
            return
        task = asyncio.create_task(self._answer(connection, topic, delivery))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, connection: Connection, topic: Topic, delivery: Delivery) -> None:
        """Fetch the snapshot, and only then listen: what happens meanwhile is lost."""
        message_id = connection.take_id()
        try:
            contents = self._feed.snapshot(topic)
        except NoSuchTopic as refusal:
            connection.refuse(str(refusal))
            return
        await asyncio.sleep(self._snapshot_s)
        if topic in connection.topics:
            connection.refuse(
                f"Invalid subscribe message: already subscribed ({topic.channel}-{topic.name})"
            )
            return
        most = SUBSCRIPTIONS_MOST[topic.channel]
        if sum(one.channel == topic.channel for one in connection.topics) >= most:
            connection.refuse(
                f"Per-connection subscription limit reached for {topic.channel} (limit={most})."
            )
            return
        connection.subscribed(topic, contents, message_id)
        connection.topics[topic] = delivery


def _blunder(connection: Connection, message: str) -> None:
    """Say what was wrong with a message; who sends too many of them has to go."""
    if connection.blundering.takes():
        connection.refuse(message)
    else:
        connection.expel("Too many invalid messages. Please reconnect and try again.")
