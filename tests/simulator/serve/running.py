"""A venue served from a thread with a loop of its own, so that blocking clients can be used."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TypeVar

from dydx_v4_client.network import Network, NodeConfig, make_insecure

from seawall.simulator.envelope import USDC_DENOM
from seawall.simulator.faults.schedule import CALM, Faults
from seawall.simulator.keys import DemoKey
from seawall.simulator.prices import Line, Path, Point
from seawall.simulator.serve.launch import Cast, Production, produce
from seawall.simulator.serve.server import Endpoints, Server, ServeSettings
from seawall.units import HOUR, Millis

START = Millis(1_780_000_000_000)
PRICES = {"BTC-USD": 100_000.0, "ETH-USD": 4_000.0, "SOL-USD": 200.0}
HELD = ServeSettings(is_started=True, speed=0)

T = TypeVar("T")


def line(*points: tuple[int, float]) -> Line:
    """A line through (milliseconds after START, price)."""
    return Line([Point(Millis(START + after), price) for after, price in points])


def flat_path(prices: Mapping[str, float] = PRICES) -> Path:
    """Prices that rest for an hour."""
    lines = {ticker: line((0, price)) for ticker, price in prices.items()}
    return Path(lines, start=START, end=Millis(START + HOUR), name="flat")


@dataclass(slots=True)
class Running:
    """A venue that is served, and the thread it runs in."""

    server: Server
    production: Production
    endpoints: Endpoints
    loop: asyncio.AbstractEventLoop

    @property
    def network(self) -> Network:
        """What the stock client needs to connect."""
        node = partial(
            NodeConfig,
            self.server.node.chain.chain_id,
            chaintoken_denom="adv4tnt",
            usdc_denom=USDC_DENOM,
        )
        network: Network = make_insecure(
            node, self.endpoints.rest, self.endpoints.websocket, self.endpoints.node
        )
        return network

    @property
    def trader(self) -> DemoKey:
        """The first demo account."""
        return self.production.traders[0]

    def do(self, act: Callable[[], T]) -> T:
        """Run something inside the venue's thread, between its blocks."""

        async def run() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def next_block(self, guard: str = "test") -> int:
        """Report the newest height as done and wait for the next block; the new height."""
        before = self.do(lambda: self.server.node.state.height)
        self.do(lambda: self.server.pace.report(guard, before))
        for _ in range(1_000):
            height = self.do(lambda: self.server.node.state.height)
            if height > before:
                return height
        raise AssertionError(f"no block after {before}")


@contextmanager
def running(
    path: Path | None = None,
    cast: Cast | None = None,
    settings: ServeSettings | None = None,
    guard: str | None = "test",
    faults: Faults = CALM,
) -> Iterator[Running]:
    """A served venue; with a guard named it makes blocks only when `next_block` says so."""
    production = produce(path or flat_path(), cast or Cast(equity=Decimal(10_000)), faults)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = _start(loop, production, settings or HELD, guard)
        try:
            yield Running(server, production, server.endpoints, loop)
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def _start(
    loop: asyncio.AbstractEventLoop,
    production: Production,
    settings: ServeSettings,
    guard: str | None,
) -> Server:
    async def start() -> Server:
        server = Server(production.player, settings, production.names)
        if guard is not None:
            server.pace.report(guard, 0)
        return await server.__aenter__()

    return asyncio.run_coroutine_threadsafe(start(), loop).result(20)
