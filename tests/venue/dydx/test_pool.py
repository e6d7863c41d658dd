"""Several nodes as one: a height that the others' blocks rule out wins nothing."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import grpc
import pytest

from seawall.errors import VenueUnreachable
from seawall.units import HOUR, SECOND, Millis
from seawall.venue.dydx import pool
from seawall.venue.dydx.node import Block, Node
from seawall.venue.dydx.pool import Nodes
from seawall.venue.dydx.witnesses import BLOCKS_A_SECOND_MOST, LEAD_MOST, is_contradiction
from tests.venue.dydx.fake_node import START_S, FakeNode, serving

BLOCK = "/dydxprotocol.blocktime.Query/PreviousBlockInfo"


@pytest.fixture(autouse=True)
def _no_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PENALTY_S", 0.0)


def lying(by: int, height: int = 100) -> FakeNode:
    """A node whose block has the time of that height, and a height that is `by` more."""
    return FakeNode(height=height + by, start_s=START_S - by)


def told(height: int = 100) -> Block:
    """What the feed tells of a height."""
    return Block(height=height, at=Millis((START_S + height) * SECOND + 250))


@contextmanager
def away(*nodes: FakeNode) -> Iterator[None]:
    """Nodes that do not answer."""
    for node in nodes:
        node.failing = {BLOCK: grpc.StatusCode.UNAVAILABLE}
    yield
    for node in nodes:
        node.failing = {}


@asynccontextmanager
async def reading(*served: FakeNode) -> AsyncIterator[Nodes]:
    """Nodes that are served, in the order of the settings."""
    async with AsyncExitStack() as stack:
        for node in served:
            await stack.enter_async_context(serving(node))
        nodes = Nodes([node.url for node in served])
        stack.push_async_callback(nodes.close)
        yield nodes


async def read(nodes: Nodes, said: Block | None = None) -> tuple[str, int]:
    """Who was read, and at which height; `said` is what the feed told."""

    async def look(node: Node, block: Block) -> tuple[str, int]:
        return node.url, block.height

    return await nodes.read(look, 0 if said is None else said.height, told=said)


@pytest.mark.parametrize("by", [5_000, -90], ids=["inflated", "understated"])
@pytest.mark.parametrize("place", [0, 1])
async def test_of_three_nodes_the_one_whose_height_is_a_lie_is_named_and_not_read(
    place: int, by: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    liar, others = lying(by), [FakeNode(), FakeNode()]
    served = [*others[:place], liar, *others[place:]]
    async with reading(*served) as nodes:
        with away(*served[:place]):
            found = [await read(nodes, told()), await read(nodes, told())]

    assert found == [(others[place].url, 100)] * 2
    (named,) = [r.getMessage() for r in caplog.records if "ruled_out" in r.getMessage()]
    assert f"{liar.url}: its block {100 + by} is {abs(by)}" in named
    assert "take it out of venue.nodes" in named


async def test_a_liar_that_was_read_while_nobody_else_answered_makes_nobody_lag() -> None:
    first, second, liar = FakeNode(), FakeNode(), lying(5_000)
    async with reading(first, second, liar) as nodes:
        with away(first, second):
            alone = await read(nodes)
        once_back = await read(nodes)
        asked = first.seen[BLOCK]

        again = await read(nodes)

    assert alone == (liar.url, 5_100), "nothing speaks against it"
    assert once_back == again == (first.url, 100)
    assert first.seen[BLOCK] == asked + 1, "as a node that does not lag"


async def test_where_only_a_liar_answers_nothing_is_read_and_it_is_named() -> None:
    first, second, liar = FakeNode(), FakeNode(), lying(5_000)
    async with reading(first, second, liar) as nodes:
        await read(nodes, told())

        with away(first, second), pytest.raises(VenueUnreachable) as blind:
            await read(nodes, told())

    assert f"{liar.url}: its block 5100 is 5000 ahead of {first.url} (100)" in str(blind.value)


async def test_of_two_nodes_the_one_named_first_is_believed() -> None:
    first, second = FakeNode(), lying(5_000)
    async with reading(first, second) as nodes:
        await read(nodes)
        with away(first), pytest.raises(VenueUnreachable, match="5000 ahead of"):
            await read(nodes)
        assert await read(nodes) == (first.url, 100)


async def test_one_that_is_gone_rules_nobody_out_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    liar, honest = lying(5_000), FakeNode()
    async with reading(liar, honest) as nodes:
        await read(nodes)  # there is no feed, and nothing speaks against it yet
        with away(liar):
            with pytest.raises(VenueUnreachable, match="5000 behind"):
                await read(nodes)
            monkeypatch.setattr(pool, "SILENT_S", 0.0)

            assert await read(nodes) == (honest.url, 100)


async def test_the_feed_goes_on_ruling_out_where_every_other_node_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second, liar = FakeNode(), FakeNode(), lying(5_000)
    async with reading(first, second, liar) as nodes:
        await read(nodes, told())
        monkeypatch.setattr(pool, "SILENT_S", 1.0)
        with away(first, second), pytest.raises(VenueUnreachable, match="5000 ahead of"):
            await read(nodes, told())


@pytest.mark.parametrize("by", [5_000, -90])
async def test_a_lone_node_is_read_whatever_the_feed_tells(by: int) -> None:
    node = lying(by)
    async with reading(node) as nodes:
        assert await read(nodes, told()) == (node.url, 100 + by)


async def test_after_a_halt_the_freshest_wins_and_who_was_away_is_believed_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    after = 100 + 5_000
    hours_s = 8 * HOUR // SECOND
    stuck, fresh = FakeNode(), FakeNode()
    async with reading(stuck, fresh) as nodes:
        await read(nodes, told())
        fresh.height, fresh.start_s = after, START_S + hours_s - 5_000
        with away(stuck):
            resumed = await read(nodes, told())
        at = Millis(told().at + 8 * HOUR)
        stuck_again = await read(nodes, Block(height=after, at=at))
        stuck.height, stuck.start_s = after, START_S + hours_s - 5_000
        caught_up = await read(nodes, Block(height=after, at=at))

    assert resumed == stuck_again == (fresh.url, after)
    assert caught_up == (stuck.url, after)
    assert [r for r in caplog.records if "ruled_out" in r.getMessage()] == []


async def test_a_liar_that_mends_is_read_again() -> None:
    liar, *others = lying(5_000), FakeNode(), FakeNode()
    async with reading(liar, *others) as nodes:
        assert await read(nodes, told()) == (others[0].url, 100)
        liar.height, liar.start_s = 100, START_S

        assert await read(nodes, told()) == (liar.url, 100)


async def test_silent_nodes_are_not_waited_for_and_not_asked_at_every_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "HEARING_S", 0.05)
    liar, silent, honest = lying(5_000), FakeNode(), FakeNode()
    async with reading(liar, honest, silent) as nodes:
        await read(nodes)  # nothing speaks against it yet
        silent.stall_s = 1.0

        found = [await read(nodes, told()) for _ in range(3)]

    assert found == [(honest.url, 100)] * 3
    assert silent.seen[BLOCK] == 1


@pytest.mark.parametrize(
    ("lead", "later_ms", "expected"),
    [
        (LEAD_MOST, 0, False),
        (LEAD_MOST + 1, 0, True),
        (LEAD_MOST + 1, -1, True),
        (LEAD_MOST + 1, -60_000, True),
        (LEAD_MOST, -60_000, False),
        (LEAD_MOST + BLOCKS_A_SECOND_MOST, 1_000, False),
        (LEAD_MOST + BLOCKS_A_SECOND_MOST + 1, 1_000, True),
        (LEAD_MOST + 1, 100, False),
        (LEAD_MOST + 1, 99, True),
        (0, 3_600_000, False),
    ],
)
def test_a_height_may_lead_by_what_the_time_between_allows(
    lead: int, later_ms: int, *, expected: bool
) -> None:
    low = told()
    high = Block(height=low.height + lead, at=Millis(low.at + later_ms))

    assert is_contradiction(low, high) is expected
    assert is_contradiction(high, low) is expected
