"""A node over gRPC whose state is what its fields say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio
from coincurve import PrivateKey
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from v4_proto.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from v4_proto.cosmos.auth.v1beta1.query_pb2 import QueryAccountResponse
from v4_proto.cosmos.bank.v1beta1.query_pb2 import QueryBalanceResponse
from v4_proto.cosmos.base.abci.v1beta1.abci_pb2 import TxResponse
from v4_proto.cosmos.base.query.v1beta1.pagination_pb2 import PageResponse
from v4_proto.cosmos.base.tendermint.v1beta1.query_pb2 import (
    GetNodeInfoResponse,
    GetSyncingResponse,
)
from v4_proto.cosmos.tx.v1beta1.service_pb2 import BroadcastTxRequest, BroadcastTxResponse
from v4_proto.dydxprotocol.accountplus import query_pb2 as accountplus
from v4_proto.dydxprotocol.accountplus.query_pb2 import GetAuthenticatorsResponse
from v4_proto.dydxprotocol.blocktime.query_pb2 import QueryPreviousBlockInfoResponse
from v4_proto.dydxprotocol.clob.query_pb2 import QueryAllClobPairRequest, QueryClobPairAllResponse
from v4_proto.dydxprotocol.feetiers.query_pb2 import QueryUserFeeTierResponse
from v4_proto.dydxprotocol.perpetuals.query_pb2 import (
    QueryAllLiquidityTiersResponse,
    QueryAllPerpetualsRequest,
    QueryAllPerpetualsResponse,
    QueryParamsResponse,
    QueryPerpetualRequest,
    QueryPerpetualResponse,
)
from v4_proto.dydxprotocol.prices.query_pb2 import (
    QueryAllMarketPricesRequest,
    QueryAllMarketPricesResponse,
    QueryMarketPriceRequest,
    QueryMarketPriceResponse,
)
from v4_proto.dydxprotocol.subaccounts.query_pb2 import (
    QueryGetSubaccountRequest,
    QueryGetWithdrawalAndTransfersBlockedInfoResponse,
    QuerySubaccountResponse,
)

from seawall.units import encode_serializable_int
from seawall.venue.dydx.permission import Permission, compose

OWNER = "dydx1n56z5fhmemtffzkt2eqyf9kuc7ycjfs86mvqy7"
CHAIN_ID = "localdydxprotocol"
START_S = 1_700_000_000
HEIGHT_HEADER = "x-cosmos-block-height"

LEVERAGE = "/dydxprotocol.clob.Query/Leverage"

Handler = Callable[[bytes, int], Message]


@dataclass
class FakeMarket:
    number: int
    ticker: str
    price: int
    exponent: int
    atomic_resolution: int
    isolated: bool = False


BTC = FakeMarket(0, "BTC-USD", 10_000_000_000, -5, -10)
ETH = FakeMarket(1, "ETH-USD", 4_000_000_000, -6, -9)


TRADING_KEY = "11" * 32
GRANTED = Permission(
    id=3,
    kind="AllOf",
    config=compose(PrivateKey.from_hex(TRADING_KEY).public_key.format(), [0], [500, 501]),
)


@dataclass
class FakeNode:
    """A node whose state is what its fields say; `seen` counts calls by method."""

    height: int = 100
    start_s: int = START_S  # Unix seconds of its block 0
    markets: list[FakeMarket] = field(default_factory=lambda: [BTC, ETH])
    usdc: dict[int, int] = field(default_factory=lambda: {0: 5_000_000_000})
    held: dict[int, dict[int, int]] = field(default_factory=lambda: {0: {0: 1_000_000_000}})
    other_assets: dict[int, int] = field(default_factory=dict)
    gate_opens: int = 0
    sequence: int = 7
    unserved: set[str] = field(default_factory=lambda: {LEVERAGE})
    failing: dict[str, grpc.StatusCode] = field(default_factory=dict)
    torn: set[str] = field(default_factory=set)
    absent: set[int] = field(default_factory=set)  # heights that it cannot be read at
    stall_s: float = 0.0
    leverage: bytes = b""
    checked: TxResponse = field(default_factory=TxResponse)
    is_syncing: bool = False
    chain_id: str = CHAIN_ID
    version: str = "9.6.1"
    permissions: list[Permission] = field(default_factory=lambda: [GRANTED])
    is_smart_account_active: bool = True
    broadcasts: list[bytes] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    pinned: list[int | None] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"

    def handlers(self) -> dict[str, Handler]:
        return {
            "/dydxprotocol.blocktime.Query/PreviousBlockInfo": self._block,
            "/dydxprotocol.subaccounts.Query/Subaccount": self._subaccount,
            "/dydxprotocol.subaccounts.Query/GetWithdrawalAndTransfersBlockedInfo": self._gate,
            "/dydxprotocol.perpetuals.Query/AllPerpetuals": self._perpetuals,
            "/dydxprotocol.perpetuals.Query/Perpetual": self._perpetual,
            "/dydxprotocol.perpetuals.Query/AllLiquidityTiers": self._tiers,
            "/dydxprotocol.perpetuals.Query/Params": self._params,
            "/dydxprotocol.prices.Query/AllMarketPrices": self._prices,
            "/dydxprotocol.prices.Query/MarketPrice": self._price,
            "/dydxprotocol.clob.Query/ClobPairAll": self._clob_pairs,
            "/dydxprotocol.feetiers.Query/UserFeeTier": self._fee,
            "/cosmos.auth.v1beta1.Query/Account": self._account,
            "/cosmos.bank.v1beta1.Query/Balance": self._balance,
            "/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo": self._info,
            "/cosmos.base.tendermint.v1beta1.Service/GetSyncing": self._syncing,
            "/cosmos.tx.v1beta1.Service/BroadcastTx": self._broadcast,
            "/dydxprotocol.accountplus.Query/GetAuthenticators": self._authenticators,
            "/dydxprotocol.accountplus.Query/Params": self._accountplus,
            LEVERAGE: self._leverage,
        }

    def _block(self, _: bytes, height: int) -> Message:
        answer = QueryPreviousBlockInfoResponse()
        answer.info.height = height
        answer.info.timestamp.seconds = self.start_s + height
        answer.info.timestamp.nanos = 250_999_999
        return done(answer)

    def _subaccount(self, raw: bytes, _: int) -> Message:
        asked = QueryGetSubaccountRequest.FromString(raw)
        answer = QuerySubaccountResponse()
        answer.subaccount.id.owner = asked.owner
        answer.subaccount.id.number = asked.number
        if usdc := self.usdc.get(asked.number, 0):
            answer.subaccount.asset_positions.add(
                asset_id=0, quantums=encode_serializable_int(usdc)
            )
        for asset, quantums in self.other_assets.items():
            answer.subaccount.asset_positions.add(
                asset_id=asset, quantums=encode_serializable_int(quantums)
            )
        for perpetual, quantums in self.held.get(asked.number, {}).items():
            answer.subaccount.perpetual_positions.add(
                perpetual_id=perpetual,
                quantums=encode_serializable_int(quantums),
                funding_index=encode_serializable_int(-3),
                quote_balance=encode_serializable_int(0),
            )
        return done(answer)

    def _gate(self, _: bytes, __: int) -> Message:
        return done(
            QueryGetWithdrawalAndTransfersBlockedInfoResponse(
                withdrawals_and_transfers_unblocked_at_block=self.gate_opens
            )
        )

    def _page(self, key: bytes, limit: int) -> tuple[list[FakeMarket], PageResponse]:
        start = int(key or b"0")
        end = start + limit
        more = str(end).encode() if end < len(self.markets) else b""
        return self.markets[start:end], PageResponse(next_key=more)

    def _perpetuals(self, raw: bytes, _: int) -> Message:
        page = QueryAllPerpetualsRequest.FromString(raw).pagination
        markets, said = self._page(page.key, page.limit)
        answer = QueryAllPerpetualsResponse(pagination=said)
        for market in markets:
            fill_perpetual(answer.perpetual.add(), market)
        return done(answer)

    def _perpetual(self, raw: bytes, _: int) -> Message:
        number = QueryPerpetualRequest.FromString(raw).id
        answer = QueryPerpetualResponse()
        fill_perpetual(answer.perpetual, self.markets[number])
        return done(answer)

    def _tiers(self, _: bytes, __: int) -> Message:
        answer = QueryAllLiquidityTiersResponse()
        answer.liquidity_tiers.add(
            id=0,
            initial_margin_ppm=50_000,
            maintenance_fraction_ppm=600_000,
            open_interest_lower_cap=1_000,
            open_interest_upper_cap=2_000,
        )
        return done(answer)

    def _params(self, _: bytes, __: int) -> Message:
        answer = QueryParamsResponse()
        answer.params.funding_rate_clamp_factor_ppm = 5_000_000
        return done(answer)

    def _prices(self, raw: bytes, _: int) -> Message:
        page = QueryAllMarketPricesRequest.FromString(raw).pagination
        markets, said = self._page(page.key, page.limit)
        answer = QueryAllMarketPricesResponse(pagination=said)
        for market in markets:
            answer.market_prices.add(
                id=market.number + 1_000, exponent=market.exponent, price=market.price
            )
        return done(answer)

    def _price(self, raw: bytes, _: int) -> Message:
        number = QueryMarketPriceRequest.FromString(raw).id
        market = self.markets[number - 1_000]
        answer = QueryMarketPriceResponse()
        answer.market_price.id = number
        answer.market_price.exponent = market.exponent
        answer.market_price.price = market.price
        return done(answer)

    def _clob_pairs(self, raw: bytes, _: int) -> Message:
        page = QueryAllClobPairRequest.FromString(raw).pagination
        markets, said = self._page(page.key, page.limit)
        answer = QueryClobPairAllResponse(pagination=said)
        for market in markets:
            pair = answer.clob_pair.add(
                id=market.number + 500,
                step_base_quantums=1_000_000,
                subticks_per_tick=100_000,
                quantum_conversion_exponent=-9,
                status="STATUS_ACTIVE",
            )
            pair.perpetual_clob_metadata.perpetual_id = market.number
        return done(answer)

    def _fee(self, _: bytes, __: int) -> Message:
        answer = QueryUserFeeTierResponse()
        answer.tier.taker_fee_ppm = 500
        return done(answer)

    def _account(self, _: bytes, __: int) -> Message:
        packed = Packed()
        packed.Pack(
            BaseAccount(address=OWNER, account_number=42, sequence=self.sequence),
            type_url_prefix="/",
        )
        return done(QueryAccountResponse(account=packed))

    def _balance(self, _: bytes, __: int) -> Message:
        answer = QueryBalanceResponse()
        answer.balance.amount = "6000000000"
        return done(answer)

    def _info(self, _: bytes, __: int) -> Message:
        answer = GetNodeInfoResponse()
        answer.default_node_info.network = self.chain_id
        answer.application_version.version = self.version
        return done(answer)

    def _syncing(self, _: bytes, __: int) -> Message:
        return done(GetSyncingResponse(syncing=self.is_syncing))

    def _authenticators(self, _: bytes, __: int) -> Message:
        answer = GetAuthenticatorsResponse()
        for each in self.permissions:
            answer.account_authenticators.add(id=each.id, type=each.kind, config=each.config)
        return done(answer)

    def _accountplus(self, _: bytes, __: int) -> Message:
        answer = accountplus.QueryParamsResponse()
        answer.params.is_smart_account_active = self.is_smart_account_active
        return done(answer)

    def _leverage(self, _: bytes, __: int) -> Message:
        return Empty.FromString(self.leverage)

    def _broadcast(self, raw: bytes, _: int) -> Message:
        self.broadcasts.append(bytes(BroadcastTxRequest.FromString(raw).tx_bytes))
        return done(BroadcastTxResponse(tx_response=self.checked))


def done(message: object) -> Message:
    assert isinstance(message, Message)
    return message


def fill_perpetual(perpetual: object, market: FakeMarket) -> None:
    params = getattr(perpetual, "params")  # noqa: B009 - the stubs are untyped
    params.id = market.number
    params.ticker = market.ticker
    params.market_id = market.number + 1_000
    params.atomic_resolution = market.atomic_resolution
    params.market_type = 2 if market.isolated else 1
    for name, value in (("funding_index", 12), ("open_interest", 900)):
        setattr(perpetual, name, encode_serializable_int(value))


def _served(node: FakeNode, path: str, handler: Handler) -> grpc.RpcMethodHandler[bytes, bytes]:
    async def answer(raw: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        node.seen[path] = node.seen.get(path, 0) + 1
        if node.stall_s:
            await asyncio.sleep(node.stall_s)
        if path in node.unserved:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown method")
        if path in node.failing:
            await context.abort(node.failing[path], "as told")
        said = dict(context.invocation_metadata() or ())
        pinned = said.get(HEIGHT_HEADER)
        node.pinned.append(None if pinned is None else int(pinned))
        height = node.height if pinned is None else int(pinned)
        if height in node.absent:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no state at height {height}")
        shown = height + 1 if path in node.torn else height
        await context.send_initial_metadata(((HEIGHT_HEADER, str(shown)),))
        return handler(raw, height).SerializeToString()

    return grpc.unary_unary_rpc_method_handler(answer)


@asynccontextmanager
async def serving(node: FakeNode) -> AsyncIterator[FakeNode]:
    server = grpc.aio.server()
    services: dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]] = {}
    for path, handler in node.handlers().items():
        _, service, method = path.split("/")
        services.setdefault(service, {})[method] = _served(node, path, handler)
    server.add_generic_rpc_handlers(
        tuple(
            grpc.method_handlers_generic_handler(service, methods)
            for service, methods in services.items()
        )
    )
    node.port = server.add_insecure_port(f"127.0.0.1:{node.port}")
    await server.start()
    try:
        yield node
    finally:
        await server.stop(None)
