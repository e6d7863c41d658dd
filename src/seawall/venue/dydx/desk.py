"""What the commands about keys ask of a chain and tell it, through any of several nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from v4_proto.dydxprotocol.accountplus.query_pb2 import QueryParamsRequest

from seawall.account import FloatWallet
from seawall.errors import OperatorError, VenueUnreachable
from seawall.venue import Reply
from seawall.venue.dydx.broadcast import Broadcaster
from seawall.venue.dydx.key_state import (
    ACCOUNTPLUS_PARAMS,
    KeyState,
    Permit,
    judge,
    read_permissions,
)
from seawall.venue.dydx.node import Block, Node
from seawall.venue.dydx.parameters import Account, read_account, read_listings
from seawall.venue.dydx.permission import Permission
from seawall.venue.dydx.pool import Nodes
from seawall.venue.dydx.preflight import check_chain

POLLS = 60
POLL_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An owner's account and the permissions that it has given, at one height."""

    height: int
    account: Account
    permissions: tuple[Permission, ...]
    is_active: bool  # smart accounts, a switch of governance


class Desk:
    """Reads and broadcasts for one owner; raises VenueError where no node answers."""

    def __init__(self, nodes: Sequence[str], owner: str) -> None:
        self._nodes = Nodes(nodes)
        self._owner = owner
        self._broadcaster = Broadcaster([node.wire for node in self._nodes.all])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._broadcaster.close()
        await self._nodes.close()

    async def check_chain(self, chain_id: str) -> None:
        """Refuse a node of another chain; raises SettingsError."""
        await check_chain(self._nodes, chain_id)

    async def given(self) -> Given:
        """The owner's account and permissions now."""

        async def read(node: Node, block: Block) -> Given:
            account, permissions, params = await asyncio.gather(
                read_account(node.wire, self._owner, block.height),
                read_permissions(node.wire, self._owner, block.height),
                node.wire.read(ACCOUNTPLUS_PARAMS, QueryParamsRequest(), block.height),
            )
            return Given(
                height=block.height,
                account=account,
                permissions=permissions,
                is_active=params.params.is_smart_account_active,
            )

        return await self._nodes.read(read, 0)

    async def key_state(self, permit: KeyState | Permit) -> KeyState:
        """How a trading key stands now."""
        if isinstance(permit, KeyState):
            return permit
        given = await self.given()
        return judge(given.permissions, permit, is_active=given.is_active)

    async def markets(self) -> dict[str, int]:
        """Clob pair ids of all markets by ticker."""

        async def read(node: Node, block: Block) -> dict[str, int]:
            listings = await read_listings(node.wire, block.height)
            return {each.grid.ticker: each.grid.clob_pair_id for each in listings.values()}

        return await self._nodes.read(read, 0)

    async def wallet(self, address: str) -> FloatWallet:
        """The wallet of an address."""

        async def read(node: Node, block: Block) -> FloatWallet:
            return await node.wallet(address, block.height)

        return await self._nodes.read(read, 0)

    async def send(self, encoded: bytes) -> Reply:
        """Broadcast a signed transaction to every node."""
        return await self._broadcaster.send(encoded)

    async def carry_out(self, encoded: bytes, is_done: Callable[[Given], bool]) -> Given:
        """Broadcast a permission and wait until the chain shows it.

        Raises OperatorError where the chain refuses it, VenueUnreachable where it does not show.
        """
        reply = await self.send(encoded)
        if not reply.is_accepted and not reply.is_unknown:
            raise OperatorError(f"the chain refused it: {reply.codespace} {reply.code} {reply.log}")
        for _ in range(POLLS):
            given = await self.given()
            if is_done(given):
                return given
            await asyncio.sleep(POLL_S)
        raise VenueUnreachable(
            f"sent, and not seen on the chain within {POLLS * POLL_S:.0f} s: look with "
            "`keys check`, and try again only if it is still missing"
        )
