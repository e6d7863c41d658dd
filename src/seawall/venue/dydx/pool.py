"""Several nodes as one: in order of trust, failing ones last, a node that lags only in need.

A node whose block is ahead of this machine's clock is wrong about the time, or the machine is: how
old its state is cannot be known, so none of it is read. Nor is one read whose height the others and
the feed rule out (witnesses.py): beside it every honest node would lag.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import grpc

from seawall.errors import MissingParameter, TornState, VenueError, VenueUnreachable
from seawall.limits import STATE_AGE_MOST
from seawall.units import SECOND, Millis
from seawall.venue.dydx.node import Block, Node
from seawall.venue.dydx.rpc import status_of
from seawall.venue.dydx.witnesses import FEED, Witnesses

log = logging.getLogger(__name__)

PENALTY_S = 30.0  # so long a node that failed is asked last
BEHIND_MOST = 10  # blocks
LAG_MOST = 2  # blocks; what is decided further behind comes too late for its window
SYNCING_EVERY_S = 10.0
HEARING_EVERY_S = 10.0  # while heights are disputed, so often every node is asked for its own
HEARING_S = 1.0  # at most, for a look waits meanwhile
SILENT_S = 60.0  # who has said nothing for so long rules nobody out by itself
PAUSE_S = 0.1
LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)

T = TypeVar("T")


class Nodes:
    """Reads from the first node that answers and keeps up.

    Blocks may be ahead of `clock` by as much as state may be old; without one nothing is ahead.
    """

    def __init__(self, urls: Sequence[str], clock: Callable[[], Millis] | None = None) -> None:
        assert urls
        self.all = tuple(Node(url) for url in urls)
        self._clock = clock
        self._failed_at: dict[str, float] = {}
        self._syncing_due: dict[str, float] = {}
        self._highest = 0
        self._witnesses = Witnesses([node.url for node in self.all])
        self._hearing_due = 0.0
        self._ruled_out: set[str] = set()  # nodes that were named for their height
        self._apart: set[str] = set()  # nodes that were last read at another block than was told
        self.answered = ""  # the URL of the node that was read last

    def expect(self, height: int) -> None:
        """Treat nodes far behind this height as lagging."""
        self._highest = max(self._highest, height)

    async def read(
        self,
        action: Callable[[Node, Block], Awaitable[T]],
        known_height: int,
        *,
        told: Block | None = None,
    ) -> T:
        """What `action` reads at a node's newest block.

        A node that is behind `known_height` is used only where no fresher one answers. `told` is
        the block that the feed told last: a node is asked for its newest block and for what holds
        at that one side by side, which saves a round trip where they are the same. Raises
        MissingParameter at once, and otherwise VenueUnreachable with the reasons of every node.
        """
        reasons: list[str] = []
        lagging: list[tuple[int, Node]] = []
        if told is not None:
            self._witnesses.note(FEED, told, asyncio.get_running_loop().time())
        for node in self._in_order():
            try:
                await self._refuse_syncing(node)
                block, found = await self._newest(node, action, told)
                await self._refuse_ruled_out(node, block)
                if block.height + LAG_MOST < max(known_height, self._highest):
                    lagging.append((block.height, node))
                    continue
                return await self._act(node, block, action, found)
            except MissingParameter:
                raise
            except VenueError as error:
                self._note(node, error, reasons)
        for _, node in sorted(lagging, key=lambda pair: pair[0], reverse=True):
            try:
                return await self._act(node, await self._block(node), action)
            except VenueError as error:
                self._note(node, error, reasons)
        raise VenueUnreachable("; ".join(reasons))

    async def close(self) -> None:
        """Close all channels."""
        await asyncio.gather(*(node.close() for node in self.all))

    async def _newest(
        self, node: Node, action: Callable[[Node, Block], Awaitable[T]], told: Block | None
    ) -> tuple[Block, T | None]:
        """A node's newest block, and what holds at it where that was read meanwhile.

        One that was at another block than was told the last time is not asked for both again: what
        is read in vain costs it and us.
        """
        ahead = told if node.url not in self._apart else None
        if ahead is None:
            block, found = await self._block(node), None
        else:
            block, found = await asyncio.gather(self._block(node), _tried(action(node, ahead)))
        if block == told:
            self._apart.discard(node.url)
            return block, found
        self._apart.add(node.url)
        return block, None

    async def _block(self, node: Node) -> Block:
        """A node's newest block; raises VenueUnreachable where it is from the future."""
        block = await node.block()
        ahead = Millis(0) if self._clock is None else Millis(block.at - self._clock())
        if ahead > STATE_AGE_MOST:
            raise VenueUnreachable(
                f"{node.url}: its block {block.height} is {ahead // SECOND} s ahead of this "
                f"machine's clock, at most {STATE_AGE_MOST // SECOND} s are believed: set the "
                "clock (timedatectl, chrony), or name another node in venue.nodes (a simulated "
                "venue wants `venue.step_url`)"
            )
        return block

    async def _act(
        self,
        node: Node,
        block: Block,
        action: Callable[[Node, Block], Awaitable[T]],
        found: T | None = None,
    ) -> T:
        self._highest = max(self._highest, block.height)
        try:
            if found is None:
                found = await action(node, block)
        except VenueError as error:
            if not _may_pass(error):
                raise
            await asyncio.sleep(PAUSE_S)
            # Not tenacity's: each of its calls leaves a cycle of garbage that holds what was read.
            found = await action(node, block)
        self.answered = node.url
        return found

    async def _refuse_syncing(self, node: Node) -> None:
        """Raise VenueUnreachable where the node says that it is syncing, asked now and then."""
        now = asyncio.get_running_loop().time()
        if now < self._syncing_due.get(node.url, now):
            return
        if await node.is_syncing():
            raise VenueUnreachable(f"{node.url}: it says that it is still syncing")
        self._syncing_due[node.url] = now + SYNCING_EVERY_S

    async def _refuse_ruled_out(self, node: Node, block: Block) -> None:
        """Raise VenueUnreachable where the others or the feed rule out the height of a node."""
        clock = asyncio.get_running_loop().time
        self._witnesses.note(node.url, block, clock())
        if not self._witnesses.is_disputed(node.url):
            self._ruled_out.discard(node.url)
            return
        await self._hear_the_others(node)
        self._highest = self._witnesses.highest_believed()
        found = self._witnesses.ruled_out_by(node.url)
        if found is None or clock() - self._witnesses.last_against(node.url) > SILENT_S:
            self._ruled_out.discard(node.url)
            return
        who, said = found
        reason = (
            f"{node.url}: its block {block.height} is {abs(block.height - said.height)} "
            f"{'ahead of' if block.height > said.height else 'behind'} {who} ({said.height}), more "
            "than the time between the two allows: it is not read; take it out of venue.nodes if "
            "it goes on"
        )
        if node.url not in self._ruled_out:
            log.warning("event=node_ruled_out reason=%s", reason)
        self._ruled_out.add(node.url)
        raise VenueUnreachable(reason)

    async def _hear_the_others(self, node: Node) -> None:
        """Ask every other node for its newest block, now and then; who is silent is not waited for.

        Only a word is taken, nothing is read: from the future or syncing, it counts as one voice.
        """
        now = asyncio.get_running_loop().time()
        if now < self._hearing_due:
            return
        self._hearing_due = now + HEARING_EVERY_S

        async def hear(other: Node) -> None:
            with suppress(VenueError):
                said = await other.block()
                self._witnesses.note(other.url, said, asyncio.get_running_loop().time())

        with suppress(TimeoutError):
            async with asyncio.timeout(HEARING_S):
                await asyncio.gather(*(hear(other) for other in self.all if other is not node))

    def _in_order(self) -> list[Node]:
        now = asyncio.get_running_loop().time()

        def is_penalised(node: Node) -> bool:
            failed = self._failed_at.get(node.url)
            return failed is not None and now - failed < PENALTY_S

        return sorted(self.all, key=is_penalised)

    def _note(self, node: Node, error: VenueError, reasons: list[str]) -> None:
        self._failed_at[node.url] = asyncio.get_running_loop().time()
        reasons.append(str(error))
        log.info("event=node_failed url=%s reason=%s", node.url, error)


async def _tried(reading: Awaitable[T]) -> T | None:
    """What was read; None where that failed, and it will be read in the usual way."""
    try:
        return await reading
    except VenueError:
        return None


def _may_pass(error: VenueError) -> bool:
    # One address may hide several nodes, of which some have not seen the pinned block yet.
    if isinstance(error, TornState):
        return True
    return isinstance(error, VenueUnreachable) and status_of(error) not in LOST
