"""The venue over the wires: what an observation holds, and when there is none."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import replace

import grpc
import pytest

from seawall.account import Blind, Missing
from seawall.venue import Venue
from seawall.venue.dydx import venue as venue_module
from seawall.venue.dydx.connection import wall_clock
from seawall.venue.dydx.fields import Fields
from tests.venue.dydx.fake_indexer import FakeIndexer, indexing, with_snapshots
from tests.venue.dydx.fake_node import BTC, ETH, OWNER, START_S, FakeMarket, FakeNode, serving
from tests.venue.dydx.wires import connection_to, opened, seen_well, until, with_advice

BLOCK = "/dydxprotocol.blocktime.Query/PreviousBlockInfo"
SUBACCOUNT = "/dydxprotocol.subaccounts.Query/Subaccount"


async def test_state_comes_from_the_node_and_advice_from_feed_and_indexer() -> None:
    indexer = with_snapshots(FakeIndexer())
    async with (
        serving(FakeNode()) as node,
        indexing(indexer),
        opened(connection_to(indexer, node)) as venue,
    ):
        promised: Venue = venue
        before = wall_clock()

        observation = await with_advice(venue)

        assert promised is venue
        assert (observation.height, observation.owner) == (100, OWNER)
        assert observation.at == (START_S + 100) * 1_000 + 250
        assert before <= observation.seen_at <= wall_clock()
        assert observation.taker_fee_ppm == 500
        assert set(observation.markets) == {"BTC-USD"}
        advice = observation.advice
        assert advice.books["BTC-USD"].bids[0].subticks == 9_999_000_000
        assert (advice.orders, advice.fills, advice.transfers) == ((), (), ())
        assert not isinstance(advice.indexer_sizes, Missing)
        assert advice.indexer_sizes.quantums == {(0, "BTC-USD"): 1_000_000_000}
        assert isinstance(advice.key_reach, Missing)


async def test_without_a_feed_state_goes_on_and_advice_is_missing() -> None:
    async with (
        serving(FakeNode()) as node,
        indexing(FakeIndexer()) as indexer,
        opened(replace(connection_to(indexer, node), feeds=("ws://127.0.0.1:1",))) as venue,
    ):
        observation = seen_well(await venue.observe())

    assert observation.subaccounts[0].positions
    assert observation.advice.books == {}
    assert isinstance(observation.advice.orders, Missing)
    assert isinstance(observation.advice.funding, Missing)


async def test_without_a_node_it_is_blind_and_says_why() -> None:
    indexer = FakeIndexer()
    async with indexing(indexer), opened(connection_to(indexer, FakeNode(port=1))) as venue:
        seen = await venue.observe()

    assert isinstance(seen, Blind)
    (reason,) = seen.reasons
    assert reason.startswith("127.0.0.1:1 /dydxprotocol.blocktime.Query/PreviousBlockInfo: UNAVAIL")


@pytest.mark.parametrize(
    "path",
    [
        "/dydxprotocol.subaccounts.Query/Subaccount",
        "/dydxprotocol.prices.Query/AllMarketPrices",
        "/dydxprotocol.perpetuals.Query/AllLiquidityTiers",
        "/cosmos.auth.v1beta1.Query/Account",
    ],
)
async def test_a_part_that_cannot_be_read_blinds_the_whole(path: str) -> None:
    node = FakeNode(failing={path: grpc.StatusCode.INTERNAL})
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node)) as venue,
    ):
        seen = await venue.observe()

    assert isinstance(seen, Blind)
    assert path in seen.reasons[0]


async def test_a_torn_state_is_read_once_more_and_then_blinds() -> None:
    node = FakeNode(torn={"/dydxprotocol.prices.Query/AllMarketPrices"})
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node)) as venue,
    ):
        seen = await venue.observe()

    assert isinstance(seen, Blind)
    assert "height 101 came back" in seen.reasons[0]
    assert node.seen["/dydxprotocol.prices.Query/AllMarketPrices"] == 2


async def test_an_unreadable_integer_blinds_and_does_not_raise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = FakeNode()
    monkeypatch.setattr(
        "tests.venue.dydx.fake_node.encode_serializable_int", lambda _: b"\x07nonsense"
    )
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node)) as venue,
    ):
        seen = await venue.observe()

    assert isinstance(seen, Blind)
    assert "not a SerializableInt" in seen.reasons[0]


async def test_a_market_listed_since_is_found() -> None:
    node = FakeNode()
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node)) as venue,
    ):
        seen_well(await venue.observe())
        node.markets = [BTC, ETH, FakeMarket(2, "NEW-USD", 5, -3, -6)]
        node.held = {0: {2: 9}}

        observation = seen_well(await venue.observe())

    assert observation.markets["NEW-USD"].oracle_price == 5


async def test_parameters_are_read_once_and_state_every_time() -> None:
    node = FakeNode()
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node)) as venue,
    ):
        for _ in range(3):
            seen_well(await venue.observe())

    assert node.seen["/dydxprotocol.clob.Query/ClobPairAll"] == 1
    assert node.seen["/dydxprotocol.feetiers.Query/UserFeeTier"] == 1
    assert node.seen["/dydxprotocol.subaccounts.Query/Subaccount"] == 3


async def test_parameters_too_old_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venue_module, "PARAMETERS_AGE_MOST_S", -1.0)
    node = FakeNode()
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node)) as venue,
    ):
        for _ in range(2):
            seen_well(await venue.observe())

    assert node.seen["/dydxprotocol.clob.Query/ClobPairAll"] == 2


async def test_a_second_node_takes_over_and_keeps_the_work() -> None:
    first, second = FakeNode(), FakeNode(height=103)
    async with (
        serving(first),
        serving(second),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, first, second)) as venue,
    ):
        assert seen_well(await venue.observe()).height == 100
        first.failing = {BLOCK: grpc.StatusCode.UNAVAILABLE}
        assert seen_well(await venue.observe()).height == 103
        first.failing = {}
        first.height = 104

        assert seen_well(await venue.observe()).height == 103  # the one that failed is asked last


@pytest.mark.parametrize(("behind", "expected"), [(2, 100), (3, 103)])
async def test_a_node_behind_is_left_for_a_fresh_one(behind: int, expected: int) -> None:
    lagging, fresh = FakeNode(height=100), FakeNode(height=100 + behind)
    indexer = with_snapshots(FakeIndexer(), height=100 + behind)
    async with (
        serving(lagging),
        serving(fresh),
        indexing(indexer),
        opened(connection_to(indexer, lagging, fresh)) as venue,
    ):
        await until(lambda: venue.block_height == 100 + behind)

        assert seen_well(await venue.observe()).height == expected


async def test_a_lagging_node_is_better_than_none() -> None:
    indexer = with_snapshots(FakeIndexer(), height=500)
    async with (
        serving(FakeNode()) as node,
        indexing(indexer),
        opened(connection_to(indexer, node)) as venue,
    ):
        await until(lambda: venue.block_height == 500)

        assert seen_well(await venue.observe()).height == 100


async def test_the_block_told_is_read_while_the_node_is_asked_for_its_newest() -> None:
    indexer = with_snapshots(FakeIndexer())
    async with (
        serving(FakeNode()) as node,
        indexing(indexer),
        opened(connection_to(indexer, node)) as venue,
    ):
        await with_advice(venue)
        node.height = 101
        await indexer.block(101)
        await until(lambda: venue.block_height == 101)
        node.seen.clear()
        node.stall_s = 0.2

        looking = asyncio.create_task(venue.observe())
        await until(lambda: node.seen.get(BLOCK) == 1)
        await until(lambda: node.seen.get(SUBACCOUNT) == 1, within_s=0.1)

        assert seen_well(await looking).height == 101
        assert node.seen[SUBACCOUNT] == 1


async def test_a_node_ahead_of_the_feed_is_read_at_its_newest_block_and_no_more_in_vain() -> None:
    indexer = with_snapshots(FakeIndexer())
    async with (
        serving(FakeNode()) as node,
        indexing(indexer),
        opened(connection_to(indexer, node)) as venue,
    ):
        await with_advice(venue)
        node.height, node.usdc = 101, {0: 4_000_000_000}
        node.seen.clear()

        first = seen_well(await venue.observe())
        asked_first = node.seen[SUBACCOUNT]
        second = seen_well(await venue.observe())

        assert (first.height, first.subaccounts[0].usdc) == (101, 4_000_000_000)
        assert second.height == 101
        assert (asked_first, node.seen[SUBACCOUNT]) == (2, 3)


async def test_what_fails_at_the_block_that_the_feed_told_is_read_at_the_newest() -> None:
    indexer = with_snapshots(FakeIndexer())
    async with (
        serving(FakeNode()) as node,
        indexing(indexer),
        opened(connection_to(indexer, node)) as venue,
    ):
        await with_advice(venue)
        await indexer.block(101)
        await until(lambda: venue.block_height == 101)
        node.absent = {101}

        assert seen_well(await venue.observe()).height == 100


def ahead_by(seconds: int) -> FakeNode:
    """A node whose newest block is so far ahead of this machine's clock, or a little less."""
    return FakeNode(start_s=wall_clock() // 1_000 + seconds - 100)


async def test_a_node_ahead_of_our_clock_is_left_for_an_honest_one() -> None:
    lying, honest = ahead_by(60), FakeNode(held={0: {0: 7}})
    async with (
        serving(lying),
        serving(honest),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, lying, honest)) as venue,
    ):
        observation = seen_well(await venue.observe())

    assert observation.subaccounts[0].positions[0].quantums == 7
    assert observation.at < observation.seen_at


async def test_where_every_node_is_ahead_of_our_clock_it_is_blind_and_says_what_to_set() -> None:
    async with (
        serving(ahead_by(60)) as node,
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node)) as venue,
    ):
        seen = await venue.observe()

    assert isinstance(seen, Blind)
    assert re.search(r"block 100 is (59|60) s ahead of this machine's clock", seen.reasons[0])
    assert "set the clock" in seen.reasons[0]


async def test_a_block_a_little_ahead_is_believed_and_any_where_that_is_asked_for() -> None:
    async with (
        serving(ahead_by(9)) as close,
        serving(ahead_by(60)) as far,
        indexing(FakeIndexer()) as indexer,
    ):
        async with opened(connection_to(indexer, close)) as venue:
            a_little = seen_well(await venue.observe())
        async with opened(replace(connection_to(indexer, far), at_any_age=True)) as venue:
            by_a_panic = seen_well(await venue.observe())

    assert a_little.at > a_little.seen_at
    assert by_a_panic.at > by_a_panic.seen_at + 50_000


async def test_children_are_found_and_remembered_ones_are_read_without_the_indexer() -> None:
    entry = {"subaccountNumber": 128, "updatedAtHeight": "1", "openPerpetualPositions": {}}
    other = {"subaccountNumber": 129, "updatedAtHeight": "1", "openPerpetualPositions": {}}
    indexer = FakeIndexer(answers={f"/addresses/{OWNER}": {"subaccounts": [entry, other]}})
    async with serving(FakeNode()) as node, indexing(indexer):
        async with opened(connection_to(indexer, node)) as venue:
            found = seen_well(await venue.observe())
        indexer.answers.clear()
        remembered = replace(connection_to(indexer, node), children=(128,))
        async with opened(remembered) as venue:
            blind_indexer = seen_well(await venue.observe())

    assert [s.number for s in found.subaccounts] == [0, 128]
    assert [s.number for s in blind_indexer.subaccounts] == [0, 128]


async def test_markets_that_were_held_before_a_restart_are_read_without_a_position() -> None:
    node = FakeNode()
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node)) as venue,
    ):
        venue.go_on_from(90, ["ETH-USD"])
        seen_well(await venue.observe())

        assert set(seen_well(await venue.observe()).markets) == {"BTC-USD", "ETH-USD"}


async def test_a_feed_that_differs_from_the_node_is_asked_again() -> None:
    indexer = with_snapshots(FakeIndexer())
    node = FakeNode()
    async with serving(node), indexing(indexer), opened(connection_to(indexer, node)) as venue:
        await with_advice(venue)
        asked = len(indexer.asked)
        await venue.reconcile()
        await asyncio.sleep(0.05)
        agreed = len(indexer.asked)
        node.held = {0: {0: 900}}
        seen_well(await venue.observe())

        await venue.reconcile()

        assert agreed == asked
        assert not venue.nodes._failed_at, "what a node does not serve is not held against it"
        await until(lambda: len(indexer.asked) >= asked + 2)
        assert {m["channel"] for m in indexer.asked[asked:]} == {"v4_subaccounts"}


async def test_records_that_raise_something_are_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(venue_module, "BACKFILL_PAUSE_S", 0.01)
    indexer, stumbles = with_snapshots(FakeIndexer()), [ValueError("nobody thought of it")]
    async with (
        serving(FakeNode()) as node,
        indexing(indexer),
        opened(connection_to(indexer, node)) as venue,
    ):
        take = venue._mirror.backfill

        def taken(number: int, fills: Iterable[Fields], transfers: Iterable[Fields]) -> None:
            if stumbles:
                raise stumbles.pop()
            take(number, fills, transfers)

        monkeypatch.setattr(venue._mirror, "backfill", taken)
        observation = await with_advice(venue)

    assert observation.advice.transfers == ()
    assert stumbles == []
