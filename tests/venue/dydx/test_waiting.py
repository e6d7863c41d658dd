"""What ends a wait, and a venue that owns the clock."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from seawall.account import Missing
from seawall.errors import VenueUnreachable
from seawall.units import Millis
from seawall.venue.dydx.steps import Steps
from seawall.venue.dydx.venue import DydxVenue
from tests.venue.dydx.fake_indexer import FakeIndexer, indexing, with_snapshots
from tests.venue.dydx.fake_node import OWNER, START_S, FakeNode, serving
from tests.venue.dydx.wires import connection_to, opened, refused, seen_well, until, with_advice


async def _at_rest(venue: DydxVenue) -> None:
    """Observe until nothing that came with the subscriptions is still to be noticed."""
    async with asyncio.timeout(5.0):
        while True:
            await venue.observe()
            started = time.monotonic()
            await venue.wait_for_change(Millis(200))
            if time.monotonic() - started >= 0.2:
                return


async def test_a_block_ends_the_wait_and_a_book_does_not() -> None:
    indexer = with_snapshots(FakeIndexer())
    node = FakeNode()
    async with serving(node), indexing(indexer), opened(connection_to(indexer, node)) as venue:
        await with_advice(venue)
        await _at_rest(venue)
        started = time.monotonic()
        await indexer.say("channel_data", "v4_orderbook", "BTC-USD", {"bids": [["99000", "1"]]})
        await venue.wait_for_change(Millis(100))
        waited = time.monotonic() - started

        await indexer.block(101)
        await venue.wait_for_change(Millis(5_000))

        assert waited >= 0.1
        assert time.monotonic() - started < 5.0


async def test_what_changed_during_an_observation_ends_the_next_wait() -> None:
    indexer = with_snapshots(FakeIndexer())
    node = FakeNode()
    async with serving(node), indexing(indexer), opened(connection_to(indexer, node)) as venue:
        await with_advice(venue)
        await indexer.block(101)
        await until(lambda: venue.block_height == 101)

        async with asyncio.timeout(1.0):
            await venue.wait_for_change(Millis(60_000))


# --- played ------------------------------------------------------------------------------------


async def test_a_played_venue_owns_the_clock_and_waits_for_its_guards() -> None:
    indexer = with_snapshots(FakeIndexer())
    node = FakeNode()
    async with serving(node), indexing(indexer):
        connection = replace(connection_to(indexer, node), step_url=f"{indexer.url}/step")
        async with opened(connection) as venue:
            observation = seen_well(await venue.observe())
            await venue.tick_done(observation.height, Millis(5))

            waiting = asyncio.create_task(venue.wait_for_change(Millis(5_000)))
            await indexer.say("channel_data", "v4_subaccounts", f"{OWNER}/0", {})
            await asyncio.sleep(0.05)
            still_waiting = not waiting.done()
            node.height = 101
            await indexer.block(101)
            await waiting

            following = seen_well(await venue.observe())

    assert observation.seen_at == observation.at == (START_S + 100) * 1_000 + 250
    assert observation.advice.books  # complete at once, so that a seed gives one outcome
    assert observation.advice.transfers == ()
    assert indexer.posts == [
        {"guard": "guard"},
        {"guard": "guard", "height": 100, "idle_until": 5},
        {"guard": "guard", "detach": True},
    ]
    assert still_waiting
    assert (following.height, following.seen_at - observation.seen_at) == (101, 1_000)


async def test_an_observation_of_a_played_block_waits_for_the_feed_to_show_it() -> None:
    indexer = with_snapshots(FakeIndexer())
    node = FakeNode()
    async with serving(node), indexing(indexer):
        connection = replace(connection_to(indexer, node), step_url=f"{indexer.url}/step")
        async with opened(connection) as venue:
            seen_well(await venue.observe())
            node.height = 101
            observing = asyncio.create_task(venue.observe())
            await asyncio.sleep(0.1)
            was_waiting = not observing.done()
            await indexer.block(101)

            observation = seen_well(await observing)

    assert was_waiting
    assert not isinstance(observation.advice.indexer_sizes, Missing)
    assert observation.advice.indexer_sizes.height == observation.height == 101


async def test_a_played_venue_is_told_when_nothing_is_ever_due() -> None:
    async with indexing(FakeIndexer()) as indexer, serving(FakeNode()) as node:
        connection = replace(connection_to(indexer, node), step_url=f"{indexer.url}/step")
        async with opened(connection) as venue:
            await venue.tick_done(7, None)

    assert indexer.posts[1] == {"guard": "guard", "height": 7, "idle_until": None}


async def test_a_played_venue_that_is_gone_is_unreachable() -> None:
    async with indexing(FakeIndexer()) as indexer:
        connection = replace(
            connection_to(indexer, FakeNode(port=1)), step_url=f"{indexer.url}/step"
        )
        async with opened(connection) as venue:
            indexer.statuses["/step"] = [500]

            message = await refused(venue.tick_done(1, None), VenueUnreachable)

    assert f"{indexer.url}/step: the venue that plays prices failed (HTTP 500)" in message


@pytest.mark.parametrize(
    ("end", "why"),
    [("/stpe", "HTTP 404"), (":1/step", "InvalidURL"), (None, "ConnectError")],
)
async def test_a_wrong_step_url_is_named_with_its_setting(end: str | None, why: str) -> None:
    async with indexing(FakeIndexer()) as gone:
        pass
    async with indexing(FakeIndexer()) as indexer:
        url = f"{gone.url}/step" if end is None else f"{indexer.url}{end}"
        indexer.statuses["/stpe"] = [404, 404]
        steps = Steps(url, "guard")

        message = await refused(steps.tell({}), VenueUnreachable)
        await steps.close()

    assert message.startswith(f"{url}: nothing there makes blocks ({why}): ")
    assert "correct venue.step_url" in message


async def test_closing_twice_is_harmless() -> None:
    indexer = FakeIndexer()
    async with indexing(indexer):
        async with opened(connection_to(indexer, FakeNode(port=1))) as venue:
            pass
        await venue.close()
