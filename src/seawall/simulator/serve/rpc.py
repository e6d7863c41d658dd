"""The node's gRPC: queries at the newest or a pinned height, broadcasts, simulation, lookup.

Every answer carries `x-cosmos-block-height` in its initial metadata: the height it speaks of. A
request may pin one of the last heights with the same key. Methods that are not served are
UNIMPLEMENTED.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import grpc
from google.protobuf.message import DecodeError
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as tendermint
from v4_proto.cosmos.tx.v1beta1 import service_pb2 as service
from v4_proto.cosmos.tx.v1beta1.tx_pb2 import Tx

from seawall.simulator.delivery import GAS_USED
from seawall.simulator.envelope import decode
from seawall.simulator.serve.node import Node, NoSuchHeight
from seawall.simulator.serve.queries import QUERIES, Answerer, NotFound
from seawall.simulator.serve.queries.cosmos import with_block
from seawall.simulator.serve.shapes import iso
from seawall.simulator.transactions import Included

HEIGHT = "x-cosmos-block-height"
BLOCK_BY_HEIGHT = "/cosmos.base.tendermint.v1beta1.Service/GetBlockByHeight"
TX_SERVICE = "/cosmos.tx.v1beta1.Service/"
MESSAGE_BYTES_MOST = 4 * 1024 * 1024
OPTIONS = (
    ("grpc.so_reuseport", 0),  # a taken port is an error, not a second server
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MOST),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

Context = grpc.aio.ServicerContext[bytes, bytes]
Call = Callable[[bytes, Context], Awaitable[bytes]]


if TYPE_CHECKING:
    AnyHandler = grpc.GenericRpcHandler[bytes, bytes]
else:
    AnyHandler = grpc.GenericRpcHandler  # which takes no parameters where it runs


class Unserved(AnyHandler):
    """Everything else: UNIMPLEMENTED by its name, streams among it (ORDERS.md 8.2: mostly off)."""

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes]:
        """A handler that says what is not served."""
        _, service_name, method = (*handler_call_details.method.split("/"), "", "")[:3]
        words = f"unknown method {method} for service {service_name}"

        async def refuse(_: bytes, context: Context) -> bytes:
            return await context.abort(grpc.StatusCode.UNIMPLEMENTED, words)

        return grpc.unary_unary_rpc_method_handler(refuse)


def _decoding(call: Call) -> Call:
    """The call, answering a request that cannot be read as gRPC's codec does."""

    async def answer(request: bytes, context: Context) -> bytes:
        try:
            return await call(request, context)
        except DecodeError as error:
            log = f"grpc: error unmarshalling request: {error}"
            return await context.abort(grpc.StatusCode.INTERNAL, log)

    return answer


class Services:
    """Every method that the node serves."""

    def __init__(self, node: Node) -> None:
        self._node = node
        absent = node.constants.settings.not_served
        self._calls: dict[str, Call] = {
            path: self._query(query) for path, query in QUERIES.items() if path not in absent
        }
        self._calls[f"{TX_SERVICE}BroadcastTx"] = self._broadcast
        self._calls[f"{TX_SERVICE}Simulate"] = self._simulate
        self._calls[f"{TX_SERVICE}GetTx"] = self._get_tx
        self._calls[BLOCK_BY_HEIGHT] = self._block_by_height

    @property
    def paths(self) -> frozenset[str]:
        """Full names of the methods served."""
        return frozenset(self._calls)

    def attach(
        self, server: grpc.aio.Server, wrap: Callable[[str, Call], Call] | None = None
    ) -> None:
        """Serve the methods, grouped by service, as bytes in and bytes out.

        `wrap` may put something between callers and each method, given its path.
        """
        services: dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]] = {}
        for path, call in self._calls.items():
            _, name, method = path.split("/")
            served = _decoding(wrap(path, call) if wrap else call)
            handler = grpc.unary_unary_rpc_method_handler(served)
            services.setdefault(name, {})[method] = handler
        server.add_generic_rpc_handlers(
            (
                *(
                    grpc.method_handlers_generic_handler(name, methods)
                    for name, methods in services.items()
                ),
                Unserved(),
            )
        )

    def _query(self, query: Answerer) -> Call:
        async def answer(request: bytes, context: Context) -> bytes:
            try:
                state = self._node.at_height(_pinned(context))
            except NoSuchHeight as error:
                await context.abort(grpc.StatusCode.UNKNOWN, str(error))
            await context.send_initial_metadata(((HEIGHT, str(state.height)),))
            try:
                return query.respond(self._node.constants, state, request)
            except NotFound as error:
                await context.abort(grpc.StatusCode.NOT_FOUND, str(error))

        return answer

    async def _broadcast(self, request: bytes, context: Context) -> bytes:
        asked = service.BroadcastTxRequest.FromString(request)
        modes = (service.BROADCAST_MODE_SYNC, service.BROADCAST_MODE_ASYNC)
        if asked.mode not in modes:
            log = f"unsupported mode {asked.mode}; supported modes: sync, async"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, log)
        await self._send_height(context)
        receipt = self._node.admission.broadcast(asked.tx_bytes)
        if receipt.result.is_accepted:
            messages = decode(asked.tx_bytes).messages
            asyncio.get_running_loop().call_soon(self._node.on_accepted, messages)
        response = service.BroadcastTxResponse()
        response.tx_response.txhash = receipt.hash
        if asked.mode == service.BROADCAST_MODE_SYNC:
            response.tx_response.code = receipt.result.code
            response.tx_response.codespace = receipt.result.codespace
            response.tx_response.raw_log = receipt.result.log
        return bytes(response.SerializeToString())

    async def _simulate(self, request: bytes, context: Context) -> bytes:
        asked = service.SimulateRequest.FromString(request)
        await self._send_height(context)
        result = self._node.admission.simulate(asked.tx_bytes or asked.tx.SerializeToString())
        if not result.is_accepted:
            await context.abort(
                grpc.StatusCode.UNKNOWN, f"{result.log} with gas used: '{GAS_USED}'"
            )
        response = service.SimulateResponse()
        response.gas_info.gas_used = GAS_USED
        return bytes(response.SerializeToString())

    async def _get_tx(self, request: bytes, context: Context) -> bytes:
        asked = service.GetTxRequest.FromString(request)
        await self._send_height(context)
        included = self._node.admission.find(asked.hash)
        if included is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"tx not found: {asked.hash}")
        return _included(included)

    async def _block_by_height(self, request: bytes, context: Context) -> bytes:
        asked = tendermint.GetBlockByHeightRequest.FromString(request)
        await self._send_height(context)
        try:
            state = self._node.at_height(asked.height)
        except NoSuchHeight as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        response = with_block(
            tendermint.GetBlockByHeightResponse(), self._node.chain.chain_id, state
        )
        return bytes(response.SerializeToString())

    async def _send_height(self, context: Context) -> None:
        await context.send_initial_metadata(((HEIGHT, str(self._node.state.height)),))


def _included(included: Included) -> bytes:
    response = service.GetTxResponse()
    response.tx.CopyFrom(Tx.FromString(included.raw))
    answer = response.tx_response
    answer.height = included.height
    answer.txhash = included.result.tx
    answer.codespace = included.result.codespace
    answer.code = included.result.code
    answer.raw_log = included.result.log
    answer.timestamp = iso(included.time)
    answer.gas_used = GAS_USED
    return bytes(response.SerializeToString())


def _pinned(context: Context) -> int:
    """The height that a request pins; 0 where it pins none. Raises NoSuchHeight for no number."""
    for key, value in context.invocation_metadata() or ():
        if key == HEIGHT:
            try:
                height = int(value)
            except ValueError:
                height = -1
            if height < 0:
                raise NoSuchHeight(f"invalid height header {value!r}: invalid request")
            return height
    return 0
