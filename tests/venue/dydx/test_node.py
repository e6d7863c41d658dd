"""State is all or nothing, of one height, in the chain's own integers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import grpc
import pytest
from v4_proto.dydxprotocol.blocktime.query_pb2 import QueryPreviousBlockInfoRequest

from seawall.account import MarketType, Missing
from seawall.errors import MalformedAnswer, MissingParameter, TornState, VenueUnreachable
from seawall.units import Millis
from seawall.venue.dydx.key_state import NO_KEY
from seawall.venue.dydx.leverage import LEVERAGE, decode_response, encode_request
from seawall.venue.dydx.node import BLOCK, Block, Node, State, Wanted
from seawall.venue.dydx.parameters import Parameters
from seawall.venue.dydx.rpc import Wire, is_plaintext, target_of
from tests.venue.dydx.fake_node import BTC, ETH, OWNER, START_S, FakeMarket, FakeNode, serving
from tests.venue.dydx.wires import refused

FLOAT = "dydx1float"
WANTED = Wanted(owner=OWNER, numbers=(0,), perpetuals=frozenset({0}), float_address=None)


async def parameters_of(node: Node, *numbers: int) -> Parameters:
    block = await node.block()
    return await node.parameters(
        owner=OWNER, numbers=numbers or (0,), key=NO_KEY, height=block.height
    )


async def state_of(fake: FakeNode, wanted: Wanted = WANTED) -> State:
    async with serving(fake):
        node = Node(fake.url)
        try:
            parameters = await parameters_of(node, *wanted.numbers)
            fake.seen.clear()
            fake.pinned.clear()
            return await node.state(await node.block(), wanted, parameters)
        finally:
            await node.close()


async def test_a_state_holds_the_chains_integers() -> None:
    fake = FakeNode(usdc={0: -95_000_000_000}, held={0: {0: -1_000_000_000}})

    state = await state_of(fake)

    assert state.block == Block(height=100, at=Millis((START_S + 100) * 1_000 + 250))
    (subaccount,) = state.subaccounts
    assert (subaccount.number, subaccount.usdc) == (0, -95_000_000_000)
    (position,) = subaccount.positions
    assert (position.ticker, position.quantums) == ("BTC-USD", -1_000_000_000)
    assert position.funding_index == -3
    market = state.markets["BTC-USD"]
    assert (market.perpetual_id, market.clob_pair_id, market.oracle_price) == (0, 500, BTC.price)
    assert (market.funding_index, market.open_interest) == (12, 900)
    assert market.tier.initial_margin_ppm == 50_000
    assert market.tier.open_interest_upper_cap == 2_000
    assert market.funding_clamp_factor_ppm == 5_000_000
    assert state.float_wallet is None


async def test_every_read_of_a_state_is_pinned_to_the_height_first_named() -> None:
    fake = FakeNode()

    await state_of(fake, replace(WANTED, float_address=FLOAT))

    assert fake.pinned[0] is None
    assert set(fake.pinned[1:]) == {100}


async def test_one_subaccount_and_market_take_at_most_eight_reads() -> None:
    fake = FakeNode()

    await state_of(fake, replace(WANTED, float_address=FLOAT))

    assert sum(fake.seen.values()) <= 2 * 1 + 6


async def test_an_answer_of_another_height_tears_the_state() -> None:
    fake = FakeNode()
    async with serving(fake):
        node = Node(fake.url)
        parameters = await parameters_of(node)
        block = await node.block()
        fake.torn.add("/dydxprotocol.prices.Query/AllMarketPrices")

        message = await refused(node.state(block, WANTED, parameters), TornState)

        await node.close()
    assert "AllMarketPrices: asked at height 100, height 101 came back" in message


async def test_a_position_in_a_market_not_asked_for_is_read_too() -> None:
    fake = FakeNode(held={0: {0: 5, 1: 7}})

    state = await state_of(fake)

    assert set(state.markets) == {"BTC-USD", "ETH-USD"}


@pytest.mark.parametrize("count", [3, 50, 51, 250])
async def test_markets_past_the_first_page_are_read(count: int) -> None:
    markets = [FakeMarket(n, f"M{n}-USD", 1_000 + n, -3, -6) for n in range(count)]
    last = count - 1
    fake = FakeNode(markets=markets, held={0: {last: 9}})

    state = await state_of(fake, replace(WANTED, perpetuals=frozenset({0, last})))

    assert state.markets[f"M{last}-USD"].oracle_price == 1_000 + last
    assert len(state.markets) == 2


async def test_a_large_venue_is_asked_for_needed_markets_only() -> None:
    markets = [FakeMarket(n, f"M{n}-USD", 1, -3, -6) for n in range(250)]
    fake = FakeNode(markets=markets, held={0: {7: 9}})

    await state_of(fake, replace(WANTED, perpetuals=frozenset({7})))

    assert fake.seen["/dydxprotocol.perpetuals.Query/Perpetual"] == 1
    assert fake.seen["/dydxprotocol.prices.Query/MarketPrice"] == 1
    assert "/dydxprotocol.perpetuals.Query/AllPerpetuals" not in fake.seen


async def test_the_float_wallet_has_balance_and_sequence_of_the_same_state() -> None:
    state = await state_of(FakeNode(), replace(WANTED, float_address=FLOAT))

    wallet = state.float_wallet
    assert wallet is not None
    assert (wallet.balance, wallet.sequence, wallet.account_number) == (6_000_000_000, 7, 42)


@pytest.mark.parametrize(("opens", "expected"), [(99, {}), (100, {}), (101, {0: 101})])
async def test_the_gate_is_up_while_it_opens_later(opens: int, expected: dict[int, int]) -> None:
    state = await state_of(FakeNode(gate_opens=opens), replace(WANTED, float_address=FLOAT))

    assert state.blocked_until == expected


async def test_an_isolated_child_asks_for_its_own_gate() -> None:
    isolated = FakeMarket(1, "ALT-USD", 1, -3, -6, isolated=True)
    fake = FakeNode(markets=[BTC, isolated], held={0: {0: 5}, 128: {1: 5}}, usdc={0: 1, 128: 1})
    wanted = Wanted(
        owner=OWNER, numbers=(0, 128), perpetuals=frozenset({0, 1}), float_address=FLOAT
    )

    state = await state_of(fake, wanted)

    gate = "/dydxprotocol.subaccounts.Query/GetWithdrawalAndTransfersBlockedInfo"
    assert fake.seen[gate] == 2
    assert state.markets["ALT-USD"].market_type is MarketType.ISOLATED


async def test_a_held_market_that_is_not_listed_is_named() -> None:
    fake = FakeNode()
    async with serving(fake):
        node = Node(fake.url)
        parameters = await parameters_of(node)
        fake.markets = [BTC, ETH, FakeMarket(2, "NEW-USD", 1, -3, -6)]
        fake.held = {0: {2: 5}}

        message = await refused(
            node.state(await node.block(), WANTED, parameters), MissingParameter
        )

        await node.close()
    assert message == "perpetual 2: not among the markets read"


async def test_collateral_that_is_not_usdc_is_an_error_as_on_the_chain() -> None:
    with pytest.raises(MissingParameter, match="asset 1: the chain has no margin for it"):
        await state_of(FakeNode(other_assets={1: -7}))


async def test_an_oracle_price_of_zero_is_shown_as_zero() -> None:
    state = await state_of(FakeNode(markets=[replace(BTC, price=0), ETH]))

    assert state.markets["BTC-USD"].oracle_price == 0


async def test_a_stalled_node_is_given_up_at_the_deadline() -> None:
    fake = FakeNode(stall_s=1.0)
    async with serving(fake):
        wire = Wire(fake.url)

        message = await refused(
            wire.ask(BLOCK, QueryPreviousBlockInfoRequest(), deadline_s=0.1), VenueUnreachable
        )

        assert "DEADLINE_EXCEEDED" in message
        await wire.close()


async def test_a_node_that_is_not_there_is_unreachable_and_named() -> None:
    node = Node("127.0.0.1:1")

    message = await refused(node.block(), VenueUnreachable)

    await node.close()
    assert message.startswith("127.0.0.1:1 /dydxprotocol.blocktime.Query/PreviousBlockInfo")
    assert "UNAVAILABLE" in message


async def test_a_node_is_back_soon_after_an_outage() -> None:
    fake = FakeNode()
    async with serving(fake):
        node = Node(fake.url)
        await node.block()
    for _ in range(3):
        await refused(node.block(), VenueUnreachable)
        await asyncio.sleep(0.1)

    async with serving(fake), asyncio.timeout(10):  # grpc's own patience grows to two minutes
        while True:
            with suppress(VenueUnreachable):
                await node.block()
                break
            await asyncio.sleep(0.02)
        await node.close()


@pytest.mark.parametrize(
    ("url", "target", "spoken"),
    [
        ("https://node.example:443", "node.example:443", "TLS"),
        ("node.example", "node.example:443", "TLS"),
        ("node.example:9090", "node.example:9090", "TLS"),
        ("http://node.example:9090", "node.example:9090", "plaintext"),
        ("127.0.0.1:9090", "127.0.0.1:9090", "plaintext"),
        ("localhost:9090", "localhost:9090", "plaintext"),
        ("[::1]:9090", "[::1]:9090", "plaintext"),
        ("https://127.0.0.1:9090", "127.0.0.1:9090", "TLS"),
    ],
)
def test_only_loopback_and_http_are_spoken_to_without_tls(
    url: str, target: str, spoken: str
) -> None:
    assert (target_of(url), is_plaintext(url)) == (target, spoken == "plaintext")


async def test_a_node_without_custom_leverage_has_none() -> None:
    fake = FakeNode()
    async with serving(fake):
        node = Node(fake.url)

        parameters = await parameters_of(node)

        await node.close()
    assert parameters.custom_by_ticker(0) == {}


async def test_a_failing_leverage_query_is_missing_not_none() -> None:
    fake = FakeNode(unserved=set(), failing={LEVERAGE.path: grpc.StatusCode.INTERNAL})
    async with serving(fake):
        node = Node(fake.url)

        custom = (await parameters_of(node)).custom_by_ticker(0)

        await node.close()
    assert isinstance(custom, Missing)
    assert "INTERNAL" in custom.reason


async def test_custom_leverage_comes_by_ticker() -> None:
    # clob pair 500 is BTC-USD: custom_imf_ppm 200000.
    fake = FakeNode(unserved=set(), leverage=bytes.fromhex("0a0708f40310c09a0c"))
    async with serving(fake):
        node = Node(fake.url)

        custom = (await parameters_of(node)).custom_by_ticker(0)

        await node.close()
    assert custom == {"BTC-USD": 200_000}


def test_leverage_is_asked_in_the_chains_wire_form() -> None:
    assert encode_request("dydx1a", 0) == b"\x0a\x06dydx1a"
    assert encode_request("dydx1a", 300) == b"\x0a\x06dydx1a\x10\xac\x02"


@pytest.mark.parametrize("broken", ["0a09", "0a", "0d00000000", "0a0208"])
def test_a_broken_leverage_answer_is_refused(broken: str) -> None:
    with pytest.raises(MalformedAnswer):
        decode_response(bytes.fromhex(broken))


def test_a_leverage_entry_of_market_zero_leaves_its_number_out() -> None:
    assert decode_response(bytes.fromhex("0a0410c09a0c")) == {0: 200_000}
