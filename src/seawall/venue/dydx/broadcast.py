"""The same signed bytes to every node, and one reply out of their answers.

CheckTx is local to a node: one may refuse what another takes, so one acceptance is enough. sdk 19
says only that a node has seen these bytes before, refused ones too, so it is never success.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from v4_proto.cosmos.tx.v1beta1.service_pb2 import (
    BroadcastMode,
    BroadcastTxRequest,
    BroadcastTxResponse,
)

from seawall.errors import VenueError
from seawall.venue import Reply
from seawall.venue.dydx.rpc import Method, Wire

BROADCAST = Method("/cosmos.tx.v1beta1.Service/BroadcastTx", BroadcastTxResponse)
DEADLINE_S = 2.0
SDK = "sdk"
IN_MEMPOOL_CACHE = 19


async def broadcast_to(wire: Wire, encoded: bytes) -> Reply:
    """One node's answer to a transaction; a lost one is unknown, never a refusal."""
    request = BroadcastTxRequest(tx_bytes=encoded, mode=BroadcastMode.BROADCAST_MODE_SYNC)
    try:
        answer = await wire.ask(BROADCAST, request, deadline_s=DEADLINE_S)
    except VenueError as error:
        return Reply(is_unknown=True, log=str(error))
    said = answer.message.tx_response
    return Reply(
        code=said.code,
        codespace=said.codespace,
        log=said.raw_log,
        is_unknown=(said.codespace, said.code) == (SDK, IN_MEMPOOL_CACHE),
    )


class Broadcaster:
    """Sends transactions to all nodes at once."""

    def __init__(self, wires: Sequence[Wire]) -> None:
        self._wires = tuple(wires)
        # The loop holds tasks weakly: what still runs when a reply is known is held here.
        self._running: set[asyncio.Task[Reply]] = set()

    async def send(self, encoded: bytes) -> Reply:
        """The first acceptance; without one, unknown if any answer is, else a refusal."""
        pending = {asyncio.create_task(broadcast_to(wire, encoded)) for wire in self._wires}
        for task in pending:
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        replies: list[Reply] = []
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            replies.extend(task.result() for task in done)
            for reply in replies:
                if reply.is_accepted:
                    return reply
        return next((reply for reply in replies if reply.is_unknown), replies[0])

    async def close(self) -> None:
        """Wait for what is still under way; each has its own deadline."""
        await asyncio.gather(*self._running)
