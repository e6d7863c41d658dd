"""What stands between the chain and those who look at it through an indexer.

The websocket is behind the chain, and REST, which reads a replica, behind the websocket (reference
ORDERS.md section 9.3). An indexer that falls behind does not go back: it stands still until it is
as old as it is to be, and catches up once it may.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from seawall.simulator.events import Block
from seawall.simulator.messages import SubaccountId
from seawall.simulator.serve.condition import Condition
from seawall.simulator.serve.indexer import Indexer, News, Seen
from seawall.simulator.serve.node import Sealed
from seawall.simulator.serve.records import LateTransfer


class Relay:
    """Hands each block to the indexer of the websocket and to that of REST, when it is due.

    `feed_lag` is how many blocks the websocket is behind the chain, `rest_lag` how many REST is
    behind the websocket; below zero it is ahead, so that news repeat what a snapshot held.
    """

    def __init__(
        self, first: Sealed, condition: Condition, *, feed_lag: int = 0, rest_lag: int = 0
    ) -> None:
        assert feed_lag >= 0 <= feed_lag + rest_lag, "nobody is ahead of the chain"
        self._condition = condition
        self.told = Indexer(first)
        self.shown = Indexer(first) if rest_lag else self.told
        self._lags = ((self.told, feed_lag), (self.shown, feed_lag + rest_lag))
        self._waiting: dict[Indexer, deque[Seen]] = {one: deque() for one, _ in self._lags}
        self._late: list[tuple[int, LateTransfer]] = []  # height at which it is seen

    def hand_on(self, sealed: Sealed) -> list[News]:
        """Pass a block on; what the websocket may tell now, the oldest first."""
        seen = self._as_seen(sealed)
        for waiting in self._waiting.values():
            waiting.append(seen)
        news: list[News] = []
        for indexer, lag in self._lags:
            due = sealed.block.height - lag - self._condition.lag
            waiting = self._waiting[indexer]
            while waiting and waiting[0].sealed.block.height <= due:
                taken = indexer.take(waiting.popleft())
                if indexer is self.told:
                    news.append(taken)
        return [] if self._condition.is_mute else news

    def _as_seen(self, sealed: Sealed) -> Seen:
        """The block without what falls into a gap or comes late, with what comes now."""
        block = sealed.block
        if self._condition.has_gap:
            block = replace(block, fills=(), orders=(), transfers=())
        lag = self._condition.withdrawal_lag
        if lag:
            block = self._without_withdrawals(block, lag)
        late = tuple(one for due, one in self._late if due <= block.height)
        self._late = [(due, one) for due, one in self._late if due > block.height]
        return Seen(
            sealed=replace(sealed, block=block),
            late=late,
            crossed=self._condition.crossed(sealed.shapes),
        )

    def _without_withdrawals(self, block: Block, lag: int) -> Block:
        leaving = [
            (index, moved)
            for index, moved in enumerate(block.transfers)
            if isinstance(moved.sender, SubaccountId)
        ]
        self._late += [
            (
                block.height + lag,
                LateTransfer(event=moved, index=index, at=block.time, height=block.height),
            )
            for index, moved in leaving
        ]
        gone = {index for index, _ in leaving}
        kept = tuple(moved for index, moved in enumerate(block.transfers) if index not in gone)
        return replace(block, transfers=kept)
