"""The node's gRPC: pinned reads, pages, and what it says where there is nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.message import Message
from v4_proto.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from v4_proto.cosmos.auth.v1beta1.query_pb2 import QueryAccountRequest, QueryAccountResponse
from v4_proto.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as tendermint
from v4_proto.cosmos.tx.v1beta1 import service_pb2 as service
from v4_proto.dydxprotocol.blocktime.query_pb2 import (
    QueryPreviousBlockInfoRequest,
    QueryPreviousBlockInfoResponse,
)
from v4_proto.dydxprotocol.clob import query_pb2 as clob
from v4_proto.dydxprotocol.perpetuals import query_pb2 as perpetuals
from v4_proto.dydxprotocol.prices import query_pb2 as prices
from v4_proto.dydxprotocol.subaccounts import query_pb2 as subaccounts

from seawall.simulator.serve.launch import Cast, produce
from seawall.simulator.serve.node import Node
from seawall.simulator.serve.queries import QUERIES
from seawall.simulator.serve.queries.answer import Query, page
from seawall.simulator.serve.queries.leverage import LEVERAGE
from seawall.simulator.serve.rpc import Services
from seawall.units import Millis, decode_serializable_int
from tests.simulator.serve.running import Running, flat_path, running
from tests.simulator.serve.signing import Envelope, deposit, order

HEIGHT = "x-cosmos-block-height"
BLOCK = "/dydxprotocol.blocktime.Query/PreviousBlockInfo"
DOLLAR = 1_000_000
TX_METHODS = ("BroadcastTx", "Simulate", "GetTx")

T = TypeVar("T", bound=Message)


@pytest.fixture
def venue() -> Iterator[Running]:
    with running(cast=Cast(accounts=1, leverage=Decimal(3))) as served:
        yield served


@pytest.fixture
def channel(venue: Running) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(venue.endpoints.node) as opened:
        yield opened


def ask(
    channel: grpc.Channel, path: str, request: Message, answer: type[T], height: str | None = None
) -> tuple[T, str]:
    """The answer, and the height that came with it in the initial metadata."""
    method = channel.unary_unary(
        path,
        request_serializer=type(request).SerializeToString,
        response_deserializer=answer.FromString,
    )
    metadata = () if height is None else ((HEIGHT, height),)
    response, call = method.with_call(request, metadata=metadata, timeout=5)
    return response, str(dict(call.initial_metadata())[HEIGHT])


def held(channel: grpc.Channel, venue: Running, height: str | None = None) -> tuple[int, str]:
    """USDC of the trader's subaccount at a height."""
    response, at = ask(
        channel,
        "/dydxprotocol.subaccounts.Query/Subaccount",
        subaccounts.QueryGetSubaccountRequest(owner=venue.trader.address),
        subaccounts.QuerySubaccountResponse,
        height,
    )
    return decode_serializable_int(response.subaccount.asset_positions[0].quantums), at


def broadcast(channel: grpc.Channel, raw: bytes, mode: int = 2) -> service.BroadcastTxResponse:
    response, _ = ask(
        channel,
        "/cosmos.tx.v1beta1.Service/BroadcastTx",
        service.BroadcastTxRequest(tx_bytes=raw, mode=mode),
        service.BroadcastTxResponse,
    )
    return response


def test_a_pinned_read_answers_as_of_that_height(venue: Running, channel: grpc.Channel) -> None:
    before = held(channel, venue)

    broadcast(channel, Envelope(key=venue.trader).sign(deposit(venue.trader, 50 * DOLLAR)))
    venue.next_block()

    assert held(channel, venue) == (before[0] + 50 * DOLLAR, "2")
    assert held(channel, venue, "2") == held(channel, venue)
    assert held(channel, venue, "1") == before == held(channel, venue, "1")


def test_sequence_and_balance_are_pinned_too(venue: Running, channel: grpc.Channel) -> None:
    broadcast(channel, Envelope(key=venue.trader).sign(deposit(venue.trader, 50 * DOLLAR)))
    venue.next_block()

    sequences = []
    for height in ("1", "2"):
        response, _ = ask(
            channel,
            "/cosmos.auth.v1beta1.Query/Account",
            QueryAccountRequest(address=venue.trader.address),
            QueryAccountResponse,
            height,
        )
        account = BaseAccount()
        assert response.account.type_url == "/cosmos.auth.v1beta1.BaseAccount"
        assert response.account.Unpack(account)
        sequences.append(account.sequence)

    assert sequences == [0, 1]


@pytest.mark.parametrize("height", ["2", "-1", "many"])
def test_a_height_that_is_not_held_is_an_error(channel: grpc.Channel, height: str) -> None:
    request = QueryPreviousBlockInfoRequest()

    with pytest.raises(grpc.RpcError) as refused:
        ask(channel, BLOCK, request, QueryPreviousBlockInfoResponse, height)

    assert refused.value.code() is grpc.StatusCode.UNKNOWN


def test_a_pruned_height_is_an_error_that_names_the_newest(venue: Running) -> None:
    for _ in range(venue.server.node.chain.settings.history_blocks):
        venue.do(venue.server.node.step)

    with grpc.insecure_channel(venue.endpoints.node) as channel:
        _, oldest = held(channel, venue, "2")
        with pytest.raises(grpc.RpcError, match="failed to load state at height 1"):
            held(channel, venue, "1")

    assert oldest == "2"


def test_the_block_info_is_that_of_the_pinned_height(venue: Running, channel: grpc.Channel) -> None:
    venue.next_block()

    heights = []
    for height in ("1", "2"):
        response, at = ask(
            channel, BLOCK, QueryPreviousBlockInfoRequest(), QueryPreviousBlockInfoResponse, height
        )
        heights.append((response.info.height, at, response.info.timestamp.ToMilliseconds()))

    assert [one[:2] for one in heights] == [(1, "1"), (2, "2")]
    assert heights[1][2] - heights[0][2] == 1_000


def test_a_block_is_found_by_its_height_while_it_is_held(
    venue: Running, channel: grpc.Channel
) -> None:
    venue.next_block()
    path = "/cosmos.base.tendermint.v1beta1.Service/GetBlockByHeight"
    answer = tendermint.GetBlockByHeightResponse

    first, _ = ask(channel, path, tendermint.GetBlockByHeightRequest(height=1), answer)
    second, _ = ask(channel, path, tendermint.GetBlockByHeightRequest(height=2), answer)
    with pytest.raises(grpc.RpcError) as missing:
        ask(channel, path, tendermint.GetBlockByHeightRequest(height=99), answer)

    assert [one.block.header.height for one in (first, second)] == [1, 2]
    assert second.block.header.time.seconds - first.block.header.time.seconds == 1
    assert missing.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_numbers_are_the_chains_bytes(venue: Running, channel: grpc.Channel) -> None:
    response, _ = ask(
        channel,
        "/dydxprotocol.perpetuals.Query/Perpetual",
        perpetuals.QueryPerpetualRequest(id=0),
        perpetuals.QueryPerpetualResponse,
    )

    usdc, _ = held(channel, venue)

    assert usdc < 0  # a long on margin owes USDC
    assert response.perpetual.funding_index == b"\x02"
    assert decode_serializable_int(response.perpetual.open_interest) > 0


def test_short_term_orders_are_never_found_by_hash(venue: Running, channel: grpc.Channel) -> None:
    sent = broadcast(channel, Envelope(key=venue.trader, fee=0).sign(order(venue.trader)))
    venue.next_block()

    with pytest.raises(grpc.RpcError, match="tx not found") as missing:
        ask(
            channel,
            "/cosmos.tx.v1beta1.Service/GetTx",
            service.GetTxRequest(hash=sent.tx_response.txhash),
            service.GetTxResponse,
        )

    assert sent.tx_response.code == 0
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND


def test_an_included_transaction_tells_height_and_code(
    venue: Running, channel: grpc.Channel
) -> None:
    raw = Envelope(key=venue.trader).sign(deposit(venue.trader, 5_000 * DOLLAR))
    sent = broadcast(channel, raw)
    venue.next_block()

    found, _ = ask(
        channel,
        "/cosmos.tx.v1beta1.Service/GetTx",
        service.GetTxRequest(hash=sent.tx_response.txhash),
        service.GetTxResponse,
    )

    assert (found.tx_response.height, found.tx_response.code) == (2, 5)
    assert found.tx.SerializeToString() == raw


def test_block_mode_is_not_supported(venue: Running, channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError, match="supported modes"):
        broadcast(channel, b"", mode=service.BROADCAST_MODE_BLOCK)


@pytest.mark.parametrize("path", [BLOCK, *(f"/cosmos.tx.v1beta1.Service/{m}" for m in TX_METHODS)])
def test_a_request_that_cannot_be_read_is_refused_quietly(
    channel: grpc.Channel, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    method = channel.unary_unary(path, bytes, bytes)

    with pytest.raises(grpc.RpcError) as refused:
        method(b"\xff\xff\xff", timeout=5)

    assert refused.value.code() is grpc.StatusCode.INTERNAL
    assert str(refused.value.details()).startswith("grpc: error unmarshalling request")
    assert caplog.records == []


def test_bytes_that_are_no_transaction_are_told_by_a_code(channel: grpc.Channel) -> None:
    answer = broadcast(channel, b"\xff\xff\xff").tx_response

    assert (answer.codespace, answer.code) == ("sdk", 2)
    assert "tx parse error" in answer.raw_log


@pytest.mark.parametrize(
    ("path", "request_", "answer"),
    [
        (
            "/dydxprotocol.perpetuals.Query/Perpetual",
            perpetuals.QueryPerpetualRequest(id=77),
            perpetuals.QueryPerpetualResponse,
        ),
        (
            "/dydxprotocol.clob.Query/ClobPair",
            clob.QueryGetClobPairRequest(id=77),
            clob.QueryClobPairResponse,
        ),
        (
            "/dydxprotocol.prices.Query/MarketPrice",
            prices.QueryMarketPriceRequest(id=77),
            prices.QueryMarketPriceResponse,
        ),
    ],
)
def test_what_is_not_on_the_chain_is_not_found(
    channel: grpc.Channel, path: str, request_: Message, answer: type[Message]
) -> None:
    with pytest.raises(grpc.RpcError) as missing:
        ask(channel, path, request_, answer)

    assert missing.value.code() is grpc.StatusCode.NOT_FOUND


def test_methods_newer_than_the_node_are_unimplemented(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as missing:
        ask(
            channel,
            "/dydxprotocol.clob.Query/NextYears",
            subaccounts.QueryGetSubaccountRequest(),
            subaccounts.QuerySubaccountResponse,
        )

    assert missing.value.code() is grpc.StatusCode.UNIMPLEMENTED


NOT_SERVED = (
    "/dydxprotocol.clob.Query/StreamOrderbookUpdates",
    "/dydxprotocol.feetiers.Query/UserStakingTier",
    "/dydxprotocol.vault.Query/MegavaultOwnerShares",
    "/dydxprotocol.vault.Query/MegavaultWithdrawalInfo",
    "/dydxprotocol.rewards.Query/Params",
)


@pytest.mark.parametrize("path", NOT_SERVED)
def test_what_is_not_served_says_so_by_its_name(channel: grpc.Channel, path: str) -> None:
    _, service_name, method = path.split("/")
    stream = channel.unary_stream(path, bytes, bytes)

    with pytest.raises(grpc.RpcError) as missing:
        list(stream(b"", timeout=5))

    assert missing.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert missing.value.details() == f"unknown method {method} for service {service_name}"


def test_custom_leverage_is_served_unless_the_node_is_set_to_be_older() -> None:
    player = produce(flat_path(), Cast(accounts=1)).player
    served = Services(Node(player)).paths
    player.chain.settings = replace(player.chain.settings, not_served=frozenset({LEVERAGE}))

    older = Services(Node(player)).paths

    assert served - older == {LEVERAGE}


def test_pages_follow_one_another_to_the_end(channel: grpc.Channel) -> None:
    tickers, key = [], b""
    for _ in range(3):
        response, _ = ask(
            channel,
            "/dydxprotocol.perpetuals.Query/AllPerpetuals",
            perpetuals.QueryAllPerpetualsRequest(pagination=PageRequest(key=key, limit=1)),
            perpetuals.QueryAllPerpetualsResponse,
        )
        tickers += [one.params.ticker for one in response.perpetual]
        key = response.pagination.next_key

    assert tickers == ["BTC-USD", "ETH-USD", "SOL-USD"]
    assert key == b""


@pytest.mark.parametrize(("limit", "expected"), [(0, 100), (99, 99), (100, 100), (5_000, 100)])
def test_a_page_holds_at_most_a_hundred(limit: int, expected: int) -> None:
    items, response = page(range(250), PageRequest(limit=limit))

    rest, _ = page(range(250), PageRequest(key=response.next_key, limit=limit))

    assert list(items) == list(range(expected))
    assert rest[0] == expected


def test_a_page_that_ends_with_the_list_has_no_next_key() -> None:
    items, response = page(range(100), PageRequest())

    assert (len(items), response.next_key, response.total) == (100, b"", 100)


def test_every_query_is_a_method_of_the_real_protocol() -> None:
    pool = descriptor_pool.Default()

    assert LEVERAGE in QUERIES  # newer than the installed package, written by hand
    for path, query in QUERIES.items():
        if path == LEVERAGE:
            continue
        _, name, method = path.split("/")
        assert isinstance(query, Query)
        real = pool.FindServiceByName(name).methods_by_name[method]
        assert real.input_type.full_name == query.request.DESCRIPTOR.full_name


def test_premiums_are_told_as_they_are_made(venue: Running, channel: grpc.Channel) -> None:
    chain = venue.server.node.chain
    index = {
        ticker: float(m.price) * 10**m.spec.oracle_exponent
        for ticker, m in chain.committed.markets.items()
    }
    above = {ticker: price * 1.01 for ticker, price in index.items()}
    venue.do(lambda: chain.advance(Millis(chain.time + 1_000), above, index))

    asked = perpetuals.QueryPremiumVotesRequest()
    path = "/dydxprotocol.perpetuals.Query/PremiumVotes"
    told, _ = ask(channel, path, asked, perpetuals.QueryPremiumVotesResponse)
    votes = told.premium_votes

    assert votes.num_premiums == 1
    assert [one.perpetual_id for one in votes.all_market_premiums] == [0, 1, 5]
    assert all(len(one.premiums) == 1 and one.premiums[0] > 0 for one in votes.all_market_premiums)
    path = "/dydxprotocol.perpetuals.Query/PremiumSamples"
    samples, _ = ask(
        channel,
        path,
        perpetuals.QueryPremiumSamplesRequest(),
        perpetuals.QueryPremiumSamplesResponse,
    )
    assert samples.premium_samples.num_premiums == 0
