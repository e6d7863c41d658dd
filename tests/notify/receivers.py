"""Messengers and a web server to be told by: one in memory, one that hangs, one on loopback."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from seawall.decide.memory import Message, Urgency
from seawall.journal.codec import from_json, to_json
from seawall.journal.store import Journal
from seawall.notify.courier import DELIVERY, MESSAGE, DeliveryRow
from seawall.notify.messenger import Notice


@dataclass
class Remembering:
    """A messenger that fails as often as it is told to and keeps what it carried."""

    name: str = "memory#1"
    failures_left: int = 0
    error: Exception | None = None
    carried: list[Notice] = field(default_factory=list)

    def send(self, notice: Notice) -> bool:
        if self.error is not None:
            raise self.error
        if self.failures_left:
            self.failures_left -= 1
            return False
        self.carried.append(notice)
        return True


@dataclass
class Hanging:
    """A messenger that does not come back until it is let go."""

    name: str = "hanging#2"
    calls: int = 0
    let_go: threading.Event = field(default_factory=threading.Event)

    def send(self, notice: Notice) -> bool:
        assert notice.body
        self.calls += 1
        self.let_go.wait()
        return True


@dataclass
class Heard:
    """What a web server on loopback was sent."""

    url: str = ""
    status: int = 200
    bodies: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.paths.append(request.path_qs)
        if request.method == "POST":
            self.bodies.append(await request.json())
        return web.Response(status=self.status)


@asynccontextmanager
async def listening() -> AsyncIterator[Heard]:
    heard = Heard()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", heard.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    heard.url = f"127.0.0.1:{port}"
    try:
        yield heard
    finally:
        await runner.cleanup()


def message(text: str, key: str = "", urgency: Urgency = Urgency.NOTIFY) -> Message:
    return Message(urgency=urgency, key=key or f"rule/{text}", text=text)


def page(text: str, key: str = "") -> Message:
    return message(text, key, Urgency.PAGE)


def say(journal: Journal, *messages: Message) -> int:
    """The guard's message rows, as the agent writes them; the last one's number."""
    return [journal.append(MESSAGE, to_json(each)) for each in messages][-1]


def deliveries(journal: Journal) -> list[DeliveryRow]:
    return [from_json(DeliveryRow, row.body) for row in journal.rows(DELIVERY) if row.body]
