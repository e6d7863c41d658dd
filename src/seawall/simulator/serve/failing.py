"""Faults on the wires: a node and an indexer that fail as a schedule says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256

import grpc
from aiohttp import web
from v4_proto.cosmos.base.tendermint.v1beta1.query_pb2 import GetSyncingResponse
from v4_proto.cosmos.tx.v1beta1 import service_pb2 as service

from seawall.simulator.faults.kinds import FaultKind, When
from seawall.simulator.faults.trouble import Trouble
from seawall.simulator.serve.node import News, Node

Context = grpc.aio.ServicerContext[bytes, bytes]
Call = Callable[[bytes, Context], Awaitable[bytes]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BROADCAST = "/cosmos.tx.v1beta1.Service/BroadcastTx"
SYNCING = "/cosmos.base.tendermint.v1beta1.Service/GetSyncing"
RETRY_AFTER_MS = 10_000  # milliseconds, against the RFC, as the real one sends it
REQUESTS_PER_WINDOW = 100
BODIES_KEPT = 2_000
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


class FailingIndexer:
    """What stands between REST and websocket clients and the indexer."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._bodies: dict[str, str] = {}

    @property
    def is_down(self) -> bool:
        """Whether the indexer has crashed."""
        return FaultKind.INDEXER_CRASH in self._trouble.in_force

    def hears(self, _: News) -> bool:
        """Whether the websocket tells of this block; what falls into a gap is never told."""
        in_force = self._trouble.in_force
        silencing = (FaultKind.INDEXER_SILENT, FaultKind.INDEXER_GAP, FaultKind.INDEXER_CRASH)
        return not any(kind in in_force for kind in silencing)

    @property
    def is_reordering(self) -> bool:
        """Whether the messages of a block come in the wrong order."""
        return FaultKind.INDEXER_REORDERED in self._trouble.in_force

    async def respond(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """REST's answer; the venue's own calls under /seawall never fail."""
        in_force = self._trouble.in_force
        if not request.path.startswith("/v4/"):
            return await handler(request)
        if self.is_down:
            return _failed(503, "Service Unavailable")
        if request.path == "/v4/ws":
            return await handler(request)
        if FaultKind.INDEXER_RATE_LIMITED in in_force:
            limited = _failed(429, "Too many requests")
            limited.headers["Retry-After"] = str(RETRY_AFTER_MS)
            limited.headers["RateLimit-Limit"] = str(REQUESTS_PER_WINDOW)
            limited.headers["RateLimit-Remaining"] = "0"
            return limited
        asked = str(request.rel_url)
        is_old = FaultKind.INDEXER_STALE in in_force
        if is_old and asked in self._bodies:
            return web.Response(text=self._bodies[asked], content_type="application/json")
        response = await handler(request)
        if not is_old and isinstance(response, web.Response) and response.text is not None:
            if len(self._bodies) >= BODIES_KEPT:
                self._bodies.clear()
            self._bodies[asked] = response.text
        return response


def _failed(status: int, message: str) -> web.Response:
    body = f'{{"errors":[{{"msg":"{message}"}}]}}'
    return web.Response(text=body, status=status, content_type="application/json")
