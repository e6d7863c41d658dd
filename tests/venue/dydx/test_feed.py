"""The feed notices gaps and silence, comes back, and asks again for all it had."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from seawall.account import Missing
from seawall.venue.dydx import feed as feed_module
from seawall.venue.dydx.connection import wall_clock
from seawall.venue.dydx.feed import Feed, FeedFault, MessageIds, Subscription
from seawall.venue.dydx.mirror import Change, Channel, Mirror
from tests.venue.dydx.fake_indexer import FakeIndexer, indexing, with_snapshots
from tests.venue.dydx.fake_node import OWNER
from tests.venue.dydx.test_grid import BTC
from tests.venue.dydx.wires import until

ACCOUNT = Subscription(Channel.SUBACCOUNTS, f"{OWNER}/0")
BOOK = Subscription(Channel.ORDER_BOOK, "BTC-USD")
ALL = [
    Subscription(Channel.BLOCK_HEIGHT),
    Subscription(Channel.MARKETS),
    ACCOUNT,
    BOOK,
]


class Watch:
    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.live: list[Subscription] = []


@asynccontextmanager
async def feeding(
    *urls: str, silence_s: float = 10.0, subscriptions: list[Subscription] | None = None
) -> AsyncIterator[tuple[Feed, Mirror, Watch]]:
    mirror = Mirror(OWNER, wall_clock)
    mirror.know([BTC])
    mirror.guard([0])
    watch = Watch()
    feed = Feed(
        urls,
        mirror,
        on_change=watch.changes.append,
        on_live=watch.live.append,
        silence_s=silence_s,
    )
    feed.want(ALL if subscriptions is None else subscriptions)
    feed.start()
    try:
        yield feed, mirror, watch
    finally:
        await feed.close()


# --- message ids -------------------------------------------------------------------------------


def test_ids_that_follow_are_taken_and_a_repetition_is_not() -> None:
    ids = MessageIds()

    assert [ids.take(n) for n in (0, 1, 2, 2, 1, 3)] == [True, True, True, False, False, True]


def test_a_gap_is_a_fault_that_names_what_is_missing() -> None:
    ids = MessageIds()
    ids.take(0)

    with pytest.raises(FeedFault, match=r"\[1, 2\] never came"):
        ids.take(3)


def test_a_late_answer_to_a_subscription_is_no_gap() -> None:
    ids = MessageIds(asked=1)
    ids.take(0)

    assert [ids.take(n) for n in (2, 3, 1, 4)] == [True, True, True, True]


def test_more_gaps_than_open_subscriptions_are_a_fault() -> None:
    ids = MessageIds(asked=1)
    ids.take(0)
    ids.take(2)

    with pytest.raises(FeedFault):
        ids.take(4)


# --- over a socket -----------------------------------------------------------------------------


async def test_snapshots_then_updates_fill_the_mirror() -> None:
    async with (
        indexing(with_snapshots(FakeIndexer())) as server,
        feeding(server.feed) as (_, mirror, watch),
    ):
        await until(lambda: len(watch.live) == len(ALL))
        await server.say("channel_data", "v4_orderbook", "BTC-USD", {"bids": [["99991", "1"]]})
        await server.block(101)
        await until(lambda: mirror.height == 101)

        assert mirror.books()["BTC-USD"].bids[0].subticks == 9_999_100_000
        assert not isinstance(mirror.sizes(), Missing)
        assert {m.get("batched") for m in server.asked} == {False}
        assert Change.BLOCK in watch.changes


async def test_batched_messages_are_taken_one_by_one() -> None:
    async with (
        indexing(with_snapshots(FakeIndexer())) as server,
        feeding(server.feed) as (_, mirror, watch),
    ):
        await until(lambda: len(watch.live) == len(ALL))
        contents = [{"bids": [["99991", "1"]]}, {"bids": [["99992", "1"]]}]
        await server.say("channel_batch_data", "v4_orderbook", "BTC-USD", contents)

        await until(lambda: len(mirror.books()["BTC-USD"].bids) == 3)


@pytest.mark.parametrize("fault", ["gap", "close", "nonsense", "no text", "endless", "malformed"])
async def test_after_a_fault_it_comes_back_with_everything(fault: str) -> None:
    async with (
        indexing(with_snapshots(FakeIndexer())) as server,
        feeding(server.feed) as (feed, mirror, watch),
    ):
        await until(lambda: len(watch.live) == len(ALL))

        if fault == "gap":
            await server.say("channel_data", "v4_orderbook", "BTC-USD", {}, skip=3)
        elif fault == "close":
            await server.sockets[-1].close()
        elif fault == "nonsense":
            await server.sockets[-1].send_str("{")
        elif fault == "no text":
            await server.sockets[-1].send_bytes(b"\xff\xfe\x00")
        elif fault == "endless":
            await server.sockets[-1].send_str("[" * 100_000)
        else:
            await server.say("channel_data", "v4_orderbook", "BTC-USD", {"bids": [["1"]]})

        await until(lambda: feed.connections == 2 and len(watch.live) == 2 * len(ALL))
        assert set(watch.live[len(ALL) :]) == set(ALL)
        assert mirror.orders() == ()


async def test_a_fault_of_our_own_costs_a_connection_and_not_the_feed() -> None:
    def fails(change: Change) -> None:
        if len(told) == 0:
            told.append(change)
            raise ZeroDivisionError("a bug")

    told: list[Change] = []
    async with indexing(with_snapshots(FakeIndexer())) as server:
        mirror = Mirror(OWNER, wall_clock)
        live: list[Subscription] = []
        feed = Feed([server.feed], mirror, on_change=fails, on_live=live.append)
        feed.want([Subscription(Channel.BLOCK_HEIGHT)])
        feed.start()
        try:
            await until(lambda: len(live) == 1)
        finally:
            await feed.close()

        assert (len(told), feed.connections) == (1, 2)


async def test_a_silent_feed_is_given_up() -> None:
    async with (
        indexing(with_snapshots(FakeIndexer())) as server,
        feeding(server.feed, silence_s=0.2) as (feed, _, __),
    ):
        await until(lambda: feed.connections >= 2)


async def test_blocks_keep_a_feed_alive_and_other_messages_do_not() -> None:
    async with (
        indexing(with_snapshots(FakeIndexer())) as server,
        feeding(server.feed, silence_s=0.3) as (feed, _, watch),
    ):
        await until(lambda: len(watch.live) == len(ALL))
        for height in range(101, 107):
            await server.block(height)
            await asyncio.sleep(0.1)
        alive = feed.connections

        chatted = 0
        while feed.connections == alive and chatted < 30:
            with suppress(ConnectionError):
                await server.say("channel_data", "v4_orderbook", "BTC-USD", {})
            await asyncio.sleep(0.05)
            chatted += 1

        assert alive == 1
        assert chatted < 30


async def test_while_it_is_away_nothing_old_is_shown() -> None:
    async with (
        indexing(with_snapshots(FakeIndexer())) as server,
        feeding(server.feed) as (_, mirror, watch),
    ):
        await until(lambda: len(watch.live) == len(ALL))
        server.snapshots.clear()

        await server.sockets[-1].close()

        await until(lambda: mirror.books() == {})
        assert isinstance(mirror.orders(), Missing)


async def test_a_second_host_takes_over() -> None:
    async with (
        indexing(with_snapshots(FakeIndexer())) as server,
        feeding("ws://127.0.0.1:1/v4/ws", server.feed) as (_, __, watch),
    ):
        await until(lambda: len(watch.live) == len(ALL))


async def test_a_failed_subscription_is_asked_for_again() -> None:
    server = with_snapshots(FakeIndexer())
    snapshot = server.snapshots.pop(("v4_subaccounts", f"{OWNER}/0"))
    async with indexing(server), feeding(server.feed) as (_, __, watch):
        await until(lambda: len(watch.live) == len(ALL) - 1)
        server.snapshots["v4_subaccounts", f"{OWNER}/0"] = snapshot

        await server.sockets[-1].send_json(
            {"type": "error", "message": "could not fetch", "message_id": 99}
        )

        await until(lambda: ACCOUNT in watch.live)


async def test_one_subscription_is_never_asked_for_twice_within_half_a_second() -> None:
    async with (
        indexing(with_snapshots(FakeIndexer())) as server,
        feeding(server.feed) as (feed, _, watch),
    ):
        await until(lambda: len(watch.live) == len(ALL))
        loop = asyncio.get_running_loop()
        started = loop.time()

        feed.renew(ACCOUNT)
        await until(lambda: watch.live.count(ACCOUNT) == 2)

        assert loop.time() - started >= feed_module.SUBSCRIBE_EVERY_S - 0.2
        kinds = [m["type"] for m in server.asked if m.get("id") == ACCOUNT.name]
        assert kinds == ["subscribe", "unsubscribe", "subscribe"]


async def test_a_book_no_longer_wanted_is_dropped_at_once() -> None:
    async with (
        indexing(with_snapshots(FakeIndexer())) as server,
        feeding(server.feed) as (feed, mirror, watch),
    ):
        await until(lambda: len(watch.live) == len(ALL))

        feed.want([s for s in ALL if s != BOOK])

        assert mirror.books() == {}
        await until(lambda: server.asked[-1]["type"] == "unsubscribe")


async def test_an_update_before_its_snapshot_waits_for_it() -> None:
    server = with_snapshots(FakeIndexer())
    del server.snapshots["v4_orderbook", "BTC-USD"]
    async with indexing(server), feeding(server.feed) as (_, mirror, watch):
        await until(lambda: len(watch.live) == len(ALL) - 1)

        await server.say("channel_data", "v4_orderbook", "BTC-USD", {"bids": [["1", "1"]]})
        await server.block(101)
        await until(lambda: mirror.height == 101)

        assert mirror.books() == {}
