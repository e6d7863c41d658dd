"""The websocket endpoint /v4/ws: what clients say, and the answers to it."""

from __future__ import annotations

import json
from uuid import uuid4

from aiohttp import WSMsgType, web

from seawall.simulator.serve.connection import Connection, Delivery, Topic
from seawall.simulator.serve.feed import Feed, NoSuchTopic

MESSAGE_BYTES_MOST = 64 * 1024


class Socket:
    """Accepts clients of a feed and reads what they send."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

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
            connection.refuse("Invalid message: could not parse")
            return
        kind = said.get("type") if isinstance(said, dict) else None
        if kind == "ping":
            return  # the real server takes it and stays silent
        if kind not in ("subscribe", "unsubscribe"):
            connection.refuse(f"Invalid message type: {kind}")
            return
        try:
            topic = self._feed.topic(said.get("channel"), said.get("id"))
        except NoSuchTopic as refusal:
            connection.refuse(str(refusal))
            return
        if kind == "subscribe":
            is_batched = said.get("batched") is True
            self._subscribe(connection, topic, Delivery.BATCHED if is_batched else Delivery.AT_ONCE)
        else:
            connection.topics.pop(topic, None)
            connection.unsubscribed(topic)

    def _subscribe(self, connection: Connection, topic: Topic, delivery: Delivery) -> None:
        if topic in connection.topics:
            connection.refuse(
                f"Invalid subscribe message: already subscribed ({topic.channel}-{topic.name})"
            )
            return
        connection.subscribed(topic, self._feed.snapshot(topic))
        connection.topics[topic] = delivery
