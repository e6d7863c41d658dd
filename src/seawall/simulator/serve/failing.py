"""Faults on the wire of the node: gRPC that fails as a schedule says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import grpc
from v4_proto.cosmos.base.tendermint.v1beta1.query_pb2 import GetSyncingResponse
from v4_proto.cosmos.tx.v1beta1 import service_pb2 as service

from seawall.simulator.authenticators import Permissions, Signed
from seawall.simulator.envelope import CannotDecode, Transaction, decode, hash_of
from seawall.simulator.faults.kinds import FaultKind, When
from seawall.simulator.faults.trouble import Trouble
from seawall.simulator.messages import (
    CONDITIONAL,
    BatchCancel,
    CancelOrder,
    CheckResult,
    Deposit,
    Message,
    PlaceOrder,
)
from seawall.simulator.serve.node import Node
from seawall.simulator.state import State
from seawall.simulator.transactions import Receipt

Context = grpc.aio.ServicerContext[bytes, bytes]
Call = Callable[[bytes, Context], Awaitable[bytes]]

BROADCAST = "/cosmos.tx.v1beta1.Service/BroadcastTx"
SYNCING = "/cosmos.base.tendermint.v1beta1.Service/GetSyncing"
HIDING = frozenset(
    {
        FaultKind.NODE_FROZEN,
        FaultKind.NODE_BEHIND,
        FaultKind.NODE_UNAVAILABLE,
        FaultKind.NODE_SYNCING,
        FaultKind.NODE_DROPS,
        FaultKind.NODE_SLOW,
    }
)
STUCK = frozenset({FaultKind.NODE_FROZEN, FaultKind.NODE_SYNCING})  # at the height before
LOST = (grpc.StatusCode.DEADLINE_EXCEEDED, "no answer within the deadline")
UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "connection refused")


class FailingNode:
    """What stands between gRPC callers and the node."""

    def __init__(self, node: Node, trouble: Trouble) -> None:
        self._node = node
        self._trouble = trouble
        self._calls = 0
        self.is_clock: Callable[[], bool] = lambda: False  # whether blocks are an agent's clock

    def height(self, newest: int) -> int:
        """The height that the node shows as its newest."""
        shown = newest
        for kind in STUCK & self._trouble.in_force.keys():
            begun = [span.start for span in self._trouble.spans(kind) if newest in span]
            shown = min(shown, *(start - 1 for start in begun))
        behind = self._trouble.of(FaultKind.NODE_BEHIND)
        if behind is not None:
            shown = min(shown, newest - behind.lag)
        while shown < newest and self._node.chain.at_height(shown) is None:
            shown += 1
        return shown

    def hides_blocks(self) -> bool:
        """Whether whoever asks may not get to see the newest block."""
        return not HIDING.isdisjoint(self._trouble.in_force)

    def state(self, state: State) -> State:
        """A state as the node shows it: keys gone or switched off, and told to a clock that is off.

        An agent that lives by the blocks' time has no other clock to be off.
        """
        in_force = self._trouble.in_force
        if FaultKind.CLOCK_SKEW in in_force and not self.is_clock():
            state = replace(state, time=self._trouble.told(state.time))
        if FaultKind.KEY_REVOKED in in_force:
            state = replace(state, permissions={})
        if FaultKind.SMART_ACCOUNTS_OFF in in_force:
            state = replace(state, is_smart_account_active=False)
        return state

    def wrap(self, path: str, call: Call) -> Call:
        """A call that fails as the faults in force say."""
        if path == BROADCAST:
            return partial(self._broadcast, call)

        async def answer(request: bytes, context: Context) -> bytes:
            in_force = self._trouble.in_force
            if FaultKind.NODE_UNAVAILABLE in in_force:
                await context.abort(*UNAVAILABLE)
            if self._is_dropped():
                await context.abort(*LOST)
            slow = self._trouble.of(FaultKind.NODE_SLOW)
            if slow is not None:
                await asyncio.sleep(slow.length_s)
            if path == SYNCING and FaultKind.NODE_SYNCING in in_force:
                return bytes(GetSyncingResponse(syncing=True).SerializeToString())
            return await call(request, context)

        return answer

    async def _broadcast(self, call: Call, request: bytes, context: Context) -> bytes:
        raw = service.BroadcastTxRequest.FromString(request).tx_bytes
        tx = _decoded(raw)
        self._trouble.note(When.SEND, *(moments(tx.messages) if tx else ()))
        refused = self._refused(tx) if tx else None
        if refused is not None:
            return _answered(Receipt(hash=hash_of(raw), result=refused))
        if tx and FaultKind.SEQUENCE_MISMATCH in self._trouble.in_force:
            self._use_sequences(tx)
        await self._lose(raw, context)
        in_force = self._trouble.in_force
        if FaultKind.ACCEPTED_LOST in in_force or FaultKind.NODE_FROZEN in in_force:
            return _answered(self._node.admission.broadcast(raw, is_lost=True))
        if FaultKind.DELIVERED_TWICE in in_force:
            self._node.admission.broadcast(raw)
        if FaultKind.ANSWER_LOST in in_force:
            self._node.admission.broadcast(raw)
            await context.abort(*LOST)
        return await call(request, context)

    async def _lose(self, raw: bytes, context: Context) -> None:
        """Abort the call where the transaction, or at least its answer, is lost on its way."""
        in_force = self._trouble.in_force
        if FaultKind.NODE_UNAVAILABLE in in_force or FaultKind.NODE_SYNCING in in_force:
            await context.abort(*UNAVAILABLE)
        if self._is_dropped() or FaultKind.BROADCAST_LOST in in_force:
            await context.abort(*LOST)
        slow = self._trouble.of(FaultKind.NODE_SLOW)
        if slow is not None:
            self._trouble.later(slow.lag, lambda: self._node.admission.broadcast(raw))
            await asyncio.sleep(slow.length_s)
            await context.abort(*LOST)

    def _is_dropped(self) -> bool:
        """Whether this call is one of every second."""
        if FaultKind.NODE_DROPS not in self._trouble.in_force:
            return False
        self._calls += 1
        return self._calls % 2 == 1

    def _refused(self, tx: Transaction) -> CheckResult | None:
        """What permissioned keys meet; who signs with the owner's own key is not concerned."""
        in_force = self._trouble.in_force
        none = Permissions()
        none.is_active = FaultKind.SMART_ACCOUNTS_OFF not in in_force
        if not tx.authenticators or (none.is_active and FaultKind.KEY_REVOKED not in in_force):
            return None
        signed = Signed(message=tx.messages[0], public_key=tx.public_key)
        return none.refused(tx.signer, tx.authenticators[0], signed)

    def _use_sequences(self, tx: Transaction) -> None:
        """Let somebody else have used the sequence of whoever deposits."""
        chain = self._node.chain
        for message in tx.messages:
            if isinstance(message, Deposit) and chain.pending_account(message.sender) is not None:
                chain.increment_sequence(message.sender)


def moments(messages: tuple[Message, ...]) -> tuple[When, ...]:
    """What faults may wait for in a transaction that is sent."""
    found: list[When] = []
    for message in messages:
        match message:
            case CancelOrder() | BatchCancel():
                found.append(When.CANCEL)
            case PlaceOrder() if message.order_id.order_flags == CONDITIONAL:
                found.append(When.BACKSTOP)
            case PlaceOrder() if message.reduce_only:
                found.append(When.REDUCE)
            case Deposit():
                found.append(When.TOP_UP)
            case _:
                continue
    return tuple(found)


def _decoded(raw: bytes) -> Transaction | None:
    try:
        return decode(raw)
    except CannotDecode:
        return None


def _answered(receipt: Receipt) -> bytes:
    response = service.BroadcastTxResponse()
    response.tx_response.txhash = receipt.hash
    response.tx_response.code = receipt.result.code
    response.tx_response.codespace = receipt.result.codespace
    response.tx_response.raw_log = receipt.result.log
    return bytes(response.SerializeToString())
