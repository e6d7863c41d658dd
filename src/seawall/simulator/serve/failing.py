"""Faults on the wire of the node: gRPC that fails as a schedule says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256

import grpc
from v4_proto.cosmos.base.tendermint.v1beta1.query_pb2 import GetSyncingResponse
from v4_proto.cosmos.tx.v1beta1 import service_pb2 as service

from seawall.simulator.faults.kinds import FaultKind, When
from seawall.simulator.faults.trouble import Trouble
from seawall.simulator.serve.node import Node

Context = grpc.aio.ServicerContext[bytes, bytes]
Call = Callable[[bytes, Context], Awaitable[bytes]]

BROADCAST = "/cosmos.tx.v1beta1.Service/BroadcastTx"
SYNCING = "/cosmos.base.tendermint.v1beta1.Service/GetSyncing"
LOST = (grpc.StatusCode.DEADLINE_EXCEEDED, "no answer within the deadline")


class FailingNode:
    """What stands between gRPC callers and the node."""

    def __init__(self, node: Node, trouble: Trouble) -> None:
        self._node = node
        self._trouble = trouble
        self._calls = 0

    def height(self, newest: int) -> int:
        """The height that the node shows as its newest."""
        shown = newest
        if FaultKind.NODE_FROZEN in self._trouble.in_force:
            spans = self._trouble.spans(FaultKind.NODE_FROZEN)
            shown = min(span.start - 1 for span in spans if newest in span)
        behind = self._trouble.of(FaultKind.NODE_BEHIND)
        if behind is not None:
            shown = min(shown, newest - behind.lag)
        while shown < newest and self._node.chain.at_height(shown) is None:
            shown += 1
        return shown

    def wrap(self, path: str, call: Call) -> Call:
        """A call that fails as the faults in force say."""

        async def answer(request: bytes, context: Context) -> bytes:
            if path == BROADCAST:
                self._trouble.note(When.SEND)
            in_force = self._trouble.in_force
            if FaultKind.NODE_UNAVAILABLE in in_force:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "connection refused")
            if FaultKind.NODE_DROPS in in_force:
                self._calls += 1
                if self._calls % 2 == 1:
                    await context.abort(*LOST)
            slow = self._trouble.of(FaultKind.NODE_SLOW)
            if slow is not None:
                await asyncio.sleep(slow.length_s)
            if path == SYNCING and FaultKind.NODE_SYNCING in in_force:
                return bytes(GetSyncingResponse(syncing=True).SerializeToString())
            if path == BROADCAST:
                return await self._broadcast(call, request, context)
            return await call(request, context)

        return answer

    async def _broadcast(self, call: Call, request: bytes, context: Context) -> bytes:
        in_force = self._trouble.in_force
        if FaultKind.BROADCAST_LOST in in_force:
            await context.abort(*LOST)
        raw = service.BroadcastTxRequest.FromString(request).tx_bytes
        if FaultKind.ACCEPTED_LOST in in_force or FaultKind.NODE_FROZEN in in_force:
            response = service.BroadcastTxResponse()
            response.tx_response.txhash = sha256(raw).hexdigest().upper()
            return bytes(response.SerializeToString())
        if FaultKind.DELIVERED_TWICE in in_force:
            self._node.admission.broadcast(raw)
        if FaultKind.ANSWER_LOST in in_force:
            self._node.admission.broadcast(raw)
            await context.abort(*LOST)
        return await call(request, context)
