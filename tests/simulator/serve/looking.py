"""A trader who sells, and how REST and websocket show it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from seawall.account import Side
from seawall.simulator.faults.schedule import CALM, Fault, Faults
from seawall.simulator.messages import (
    IMMEDIATE_OR_CANCEL,
    SHORT_TERM,
    OrderId,
    PlaceOrder,
    SubaccountId,
    Withdraw,
)
from seawall.simulator.prices import Path as PricePath
from seawall.simulator.serve.launch import Cast
from seawall.simulator.serve.server import ServeSettings
from tests.simulator.serve.running import HELD, Running, running
from tests.simulator.serve.samples import Shape

STEP = Decimal("0.001")  # BTC that one sale sells


@dataclass(slots=True)
class Look:
    """A venue with one trader who is long, seen through its indexer."""

    venue: Running
    client: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False))

    def get(self, path: str, **query: object) -> httpx.Response:
        """REST's answer; of the trader's subaccount where the path takes one."""
        asked = {"address": self.venue.trader.address, "subaccountNumber": 0, **query}
        return self.client.get(f"{self.venue.endpoints.rest}/v4/{path}", params=asked)  # type: ignore[arg-type]

    def rows(self, path: str, key: str, **query: object) -> list[Shape]:
        found: list[Shape] = self.get(path, **query).json()[key]
        return found

    @property
    def height(self) -> int:
        return int(self.get("height").json()["height"])

    @property
    def account(self) -> Shape:
        owner = self.venue.trader.address
        return self.get(f"addresses/{owner}/subaccountNumber/0").json()["subaccount"]

    @property
    def size(self) -> Decimal:
        """BTC that REST shows."""
        return Decimal(self.account["openPerpetualPositions"]["BTC-USD"]["size"])

    @property
    def held(self) -> Decimal:
        """BTC on the chain itself."""
        node = self.venue.server.node
        owner = self.venue.trader.address
        return Decimal(self.venue.do(lambda: node.state.subaccount(owner, 0).quantums(0))).scaleb(
            -10
        )

    def next(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.venue.next_block()

    def sell(self) -> None:
        """Have a thousandth of a bitcoin sold in the next block."""
        node = self.venue.server.node
        height: int = self.venue.do(lambda: node.state.height)
        sale = PlaceOrder(
            order_id=OrderId(
                subaccount=SubaccountId(owner=self.venue.trader.address, number=0),
                client_id=height,
                order_flags=SHORT_TERM,
                clob_pair_id=0,
            ),
            side=Side.SELL,
            quantums=10_000_000,
            subticks=8_000_000_000,
            good_til_block=height + 5,
            time_in_force=IMMEDIATE_OR_CANCEL,
        )
        assert self.venue.do(lambda: node.chain.check(sale)).is_accepted

    def withdraw(self, dollars: int) -> None:
        """Have money leave in the next block."""
        node, owner = self.venue.server.node, self.venue.trader.address
        message = Withdraw(
            sender=SubaccountId(owner=owner, number=0),
            recipient=owner,
            quantums=dollars * 1_000_000,
        )
        assert self.venue.do(lambda: node.chain.check(message)).is_accepted

    @contextmanager
    def feed(self, *channels: str, batched: bool = False) -> Iterator[Hearing]:
        """A websocket that listens to these channels and to block height, last."""
        with connect(self.venue.endpoints.websocket, proxy=None) as socket:
            socket.recv(timeout=5)
            hearing = Hearing(socket)
            for channel in (*channels, "v4_block_height"):
                hearing.subscribe(channel, self.name_of(channel), batched=batched)
            yield hearing

    def name_of(self, channel: str) -> str:
        if channel in ("v4_subaccounts", "v4_parent_subaccounts"):
            return f"{self.venue.trader.address}/0"
        return "BTC-USD"


@dataclass(slots=True)
class Hearing:
    """What a websocket says."""

    socket: ClientConnection
    snapshots: dict[str, Any] = field(default_factory=dict)

    def say(self, **said: object) -> None:
        self.socket.send(json.dumps(said))

    def hear(self, timeout: float = 5) -> Shape:
        return json.loads(self.socket.recv(timeout=timeout))

    def subscribe(self, channel: str, name: str, *, batched: bool = False) -> Shape:
        self.say(type="subscribe", channel=channel, id=name, batched=batched)
        while True:
            message = self.hear()
            if message["type"] in ("subscribed", "error"):
                self.snapshots[channel] = message.get("contents")
                return message

    def until_height(self) -> list[Shape]:
        """Every message up to the next height's, which ends a block."""
        heard = [self.hear()]
        while heard[-1]["channel"] != "v4_block_height":
            heard.append(self.hear())
        return heard


@contextmanager
def looking(
    *faults: Fault, settings: ServeSettings = HELD, path: PricePath | None = None
) -> Iterator[Look]:
    cast = Cast(accounts=1, equity=Decimal(10_000), leverage=Decimal(3))
    with running(
        path, cast=cast, settings=settings, faults=Faults(faults=faults) if faults else CALM
    ) as venue:
        look = Look(venue)
        with look.client:
            yield look
