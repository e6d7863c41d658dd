"""One venue in one process: gRPC, REST and websocket on loopback ports.

Refuses every address that is not loopback: the venue's keys are public and its answers are made up.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType
from typing import Self

import grpc
from aiohttp import web

from seawall.errors import OperatorError
from seawall.simulator.faults.play import FaultyPlayer
from seawall.simulator.messages import Message
from seawall.simulator.play import Player
from seawall.simulator.serve import asking, rpc
from seawall.simulator.serve.accounts import Accounts
from seawall.simulator.serve.asking import Handler
from seawall.simulator.serve.condition import Condition
from seawall.simulator.serve.failing import FailingNode
from seawall.simulator.serve.feed import Feed
from seawall.simulator.serve.limiter import Limiter
from seawall.simulator.serve.node import Node, Sealed
from seawall.simulator.serve.outages import Outages
from seawall.simulator.serve.pace import Pace
from seawall.simulator.serve.relay import Relay
from seawall.simulator.serve.rest import Rest
from seawall.simulator.serve.stage import Stage
from seawall.simulator.serve.websocket import Socket

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
GUARD_TIMEOUT_S = 30.0
GRACE_S = 0.2  # for calls in flight when the venue stops
PORT_MOST = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where a venue listens."""

    host: str
    grpc_port: int
    http_port: int

    @property
    def node(self) -> str:
        """Address of the gRPC node, without a scheme as the clients want it."""
        return f"{self.host}:{self.grpc_port}"

    @property
    def rest(self) -> str:
        """Base URL of the indexer's REST, without /v4."""
        return f"http://{self.host}:{self.http_port}"

    @property
    def websocket(self) -> str:
        """URL of the indexer's websocket."""
        return f"ws://{self.host}:{self.http_port}/v4/ws"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """How a venue is served; a port of 0 is chosen free."""

    host: str = LOOPBACK
    grpc_port: int = 0
    http_port: int = 0
    speed: float = 1.0  # blocks a second; 0 is as fast as the guards allow
    guard_timeout_s: float = GUARD_TIMEOUT_S
    is_started: bool = True  # else blocks wait for POST /seawall/start
    feed_lag: int = 0  # blocks that the websocket is behind the chain
    rest_lag: int = 0  # blocks that REST is behind the websocket
    snapshot_s: float = 0.01  # how long the websocket takes to fetch a snapshot


class Server:
    """A venue on its wires; use as an async context manager."""

    def __init__(
        self,
        player: Player,
        settings: ServeSettings | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings or ServeSettings()
        check_loopback(self._settings.host)
        self.node = Node(player, names)
        trouble = player.trouble if isinstance(player, FaultyPlayer) else None
        self._failing = None if trouble is None else FailingNode(self.node, trouble)
        if self._failing is not None:
            self.node.shown_height = self._failing.height
            self.node.is_failing = self._failing.hides_blocks
            self.node.shown_state = self._failing.state
        self._condition = Condition(trouble)
        self.node.on_accepted = self._hear
        self._relay = Relay(
            self.node.newest,
            self._condition,
            feed_lag=self._settings.feed_lag,
            rest_lag=self._settings.rest_lag,
        )
        self.told, self.shown = self._relay.told, self._relay.shown
        self.feed = Feed(self.told, self.shown, self._condition)
        self.pace = Pace(
            self.node,
            self.publish,
            speed=self._settings.speed,
            guard_timeout_s=self._settings.guard_timeout_s,
        )
        if self._failing is not None:
            self._failing.is_clock = lambda: bool(self.pace.guards)
        self._runner: web.AppRunner | None = None
        self._grpc: grpc.aio.Server | None = None
        self._blocks: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.endpoints = await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> Endpoints:
        """Listen and make blocks; raises OperatorError where a port is taken."""
        settings = self._settings
        sockets = bind(settings.host, settings.http_port, "--http-port")
        try:
            grpc_port = await self._start_grpc(settings.host, settings.grpc_port)
            app = self._application()
            parts = (
                Rest(self.shown, self.told, self._condition),
                Accounts(self.shown, self._condition, self.node.chain.at_height),
                Stage(self.node, self.pace),
                Socket(self.feed, settings.snapshot_s),
            )
            for part in parts:
                app.add_routes(part.routes())
            self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_S)
            await self._runner.setup()
            await web.SockSite(self._runner, sockets).start()
        except BaseException:
            sockets.close()
            await self.stop()
            raise
        if settings.is_started:
            self.pace.start()
        self._blocks = asyncio.create_task(self.pace.run())
        return Endpoints(
            host=_bracketed(settings.host),
            grpc_port=grpc_port,
            http_port=sockets.getsockname()[1],
        )

    async def _start_grpc(self, host: str, port: int) -> int:
        """Serve the node; the port it got."""
        if port:
            # Tried first, because the gRPC library prints its own complaint about a taken port.
            bind(host, port, "--grpc-port").close()
        self._grpc = grpc.aio.server(options=rpc.OPTIONS)
        wrap = None if self._failing is None else self._failing.wrap
        rpc.Services(self.node).attach(self._grpc, wrap)
        try:
            got = self._grpc.add_insecure_port(f"{_bracketed(host)}:{port}")
        except RuntimeError as error:
            raise port_taken(host, port, "--grpc-port") from error
        await self._grpc.start()
        return got

    async def stop(self) -> None:
        """Stop blocks, then connections, then ports; idempotent."""
        if self._blocks is not None:
            self._blocks.cancel()
            await asyncio.gather(self._blocks, return_exceptions=True)
        for connection in self.feed.connections:
            await connection.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._grpc is not None:
            await self._grpc.stop(GRACE_S)

    async def wait(self) -> None:
        """Wait until the block maker ends: never while prices last, and it raises what broke it."""
        assert self._blocks is not None, "the server has been started"
        await self._blocks

    def _hear(self, messages: tuple[Message, ...]) -> None:
        """Let the indexer hear of what the node took, before any block tells of it."""
        if self._condition.is_mute or self._condition.has_gap or self._condition.lag:
            return
        for message in messages:
            for indexer in {self.told, self.shown}:
                record = indexer.hear(message)
                if record is not None and indexer is self.told:
                    self.feed.hear(record)

    def publish(self, sealed: Sealed) -> None:
        """Let the indexer see a block and tell of it."""
        for news in self._relay.hand_on(sealed):
            self.feed.publish(news)
        if self._condition.is_down:
            for connection in self.feed.connections:
                connection.cut()

    def _application(self) -> web.Application:
        outages = Outages(self._condition)
        limiter = Limiter(self._condition, lambda: self.node.state.time)

        @web.middleware
        async def failing(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await outages.respond(request, handler)

        @web.middleware
        async def limited(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await limiter.respond(request, handler)

        return web.Application(middlewares=[failing, limited, asking.refusals])


def check_loopback(host: str) -> None:
    """Raise OperatorError for an address that others could reach."""
    try:
        is_loopback = ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise OperatorError(
            f"the simulated venue listens on loopback only, refused {host!r}: its keys are public; "
            f"use {LOOPBACK} or ::1"
        )


def bind(host: str, port: int, option: str) -> socket.socket:
    """A listening socket without Nagle's delay; raises OperatorError where the port is taken."""
    _check_port(port, option)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY on what is accepted.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise port_taken(host, port, option) from error
        raise OperatorError(f"cannot listen on {host}:{port}: {error}") from error
    listener.settimeout(0)
    return listener


def port_taken(host: str, port: int, option: str) -> OperatorError:
    """The refusal of a port that cannot be had."""
    return OperatorError(
        f"port {port} on {host} is taken or not ours to use: stop what listens there, "
        f"or choose another with {option} (0 takes a free one)"
    )


def _check_port(port: int, option: str) -> None:
    if not 0 <= port <= PORT_MOST:
        raise OperatorError(f"{option} {port}: a port is 0 to {PORT_MOST}")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
