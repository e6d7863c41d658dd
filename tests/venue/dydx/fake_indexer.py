"""An indexer: REST answers by path, and one websocket whose messages the test sends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlunsplit

from aiohttp import WSMsgType, web

from tests.venue.dydx.fake_node import OWNER, START_S


@dataclass
class FakeIndexer:
    """REST answers by path, and one websocket whose messages the test sends."""

    answers: dict[str, object] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    posts: list[object] = field(default_factory=list)
    asked: list[dict[str, object]] = field(default_factory=list)
    snapshots: dict[tuple[str, str], object] = field(default_factory=dict)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    message_id: int = 0
    url: str = ""

    @property
    def feed(self) -> str:
        return self.url.replace("http", "ws", 1) + "/v4/ws"

    async def rest(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path_qs)
        path = request.path.removeprefix("/v4")
        if self.statuses.get(path):
            return web.json_response(
                {"errors": []},
                status=self.statuses[path].pop(0),
                headers={"Retry-After": "20"},
            )
        if request.method == "POST":
            self.posts.append(await request.json())
            return web.json_response({})
        if path not in self.answers:
            return web.json_response({"errors": [{"msg": "nothing"}]}, status=404)
        return web.json_response(self.answers[path])

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        self.message_id = 0
        await socket.send_json({"type": "connected", "connection_id": "c", "message_id": 0})
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            asked = json.loads(message.data)
            self.asked.append(asked)
            key = (asked["channel"], asked.get("id", asked["channel"]))
            if asked["type"] == "subscribe" and key in self.snapshots:
                await self.say("subscribed", *key, self.snapshots[key])
        return socket

    async def say(
        self, kind: str, channel: str, name: str, contents: object, *, skip: int = 0
    ) -> None:
        self.message_id += 1 + skip
        await self.sockets[-1].send_json(
            {
                "type": kind,
                "connection_id": "c",
                "message_id": self.message_id,
                "channel": channel,
                "id": name,
                "contents": contents,
            }
        )

    async def block(self, height: int) -> None:
        contents = {"blockHeight": str(height), "time": block_time(height)}
        await self.say("channel_data", "v4_block_height", "v4_block_height", contents)


def block_time(height: int) -> str:
    return datetime.fromtimestamp(START_S + height + 0.25, UTC).isoformat().replace("+00:00", "Z")


@asynccontextmanager
async def indexing(indexer: FakeIndexer) -> AsyncIterator[FakeIndexer]:
    app = web.Application()
    app.router.add_get("/v4/ws", indexer.websocket)
    app.router.add_route("*", "/{path:.*}", indexer.rest)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    indexer.url = urlunsplit(("http", f"{host}:{port}", "", "", ""))
    try:
        yield indexer
    finally:
        await runner.cleanup()


def with_snapshots(indexer: FakeIndexer, height: int = 100) -> FakeIndexer:
    """The indexer of an owner who holds 0.1 BTC in subaccount 0 and has a book to sell into."""
    indexer.snapshots = {
        ("v4_block_height", "v4_block_height"): {
            "height": str(height),
            "time": block_time(height),
        },
        ("v4_markets", "v4_markets"): {"markets": {"BTC-USD": {"nextFundingRate": "0.00001"}}},
        ("v4_subaccounts", f"{OWNER}/0"): {
            "subaccount": {
                "subaccountNumber": 0,
                "openPerpetualPositions": {
                    "BTC-USD": {
                        "market": "BTC-USD",
                        "side": "LONG",
                        "status": "OPEN",
                        "size": "0.1",
                    }
                },
            },
            "orders": [],
        },
        ("v4_orderbook", "BTC-USD"): {
            "bids": [{"price": "99990", "size": "0.5"}],
            "asks": [{"price": "100010", "size": "0.4"}],
        },
    }
    return indexer
