"""The player: it owns the clocks and makes the next block, when it is asked and not before.

Blocks are one second apart. While nothing can happen (prices rest, nothing is queued, books are
full, nobody is near liquidation's queue, every guard is idle) time jumps to one block before the
next thing that does.
"""

from __future__ import annotations

from seawall.simulator.chain import Chain
from seawall.simulator.events import Block
from seawall.simulator.prices import Path
from seawall.units import HOUR, SECOND, Millis

AWAKE = Millis(0)
NEVER = Millis(2**62)


class Player:
    """Plays a path on a chain, block by block."""

    def __init__(self, chain: Chain, path: Path, block_time: Millis = SECOND) -> None:
        self.chain = chain
        self.path = path
        self.block_time = block_time
        self.blocks = 0

    @property
    def now(self) -> Millis:
        """Chain time: the time of the newest block."""
        return self.chain.time

    @property
    def is_over(self) -> bool:
        """Whether the path has no block left."""
        return self.now + self.block_time > self.path.end

    @property
    def progress(self) -> float:
        """Share of the path's time that has been played, 0 to 1."""
        length = self.path.end - self.path.start
        return min(max((self.now - self.path.start) / length, 0.0), 1.0)

    def step(self, idle_until: Millis = AWAKE) -> Block | None:
        """Make the next block; None when the path is over.

        `idle_until` is the moment before which no attached guard has anything to do (the smallest
        of theirs; NEVER where nobody watches): time jumps no further than that.
        """
        if self.is_over:
            return None
        at = Millis(self.now + self.block_time)
        if idle_until > at and self.chain.is_quiet:
            at = max(at, self._latest_quiet(idle_until))
        return self._advance(at)

    def _advance(self, at: Millis) -> Block:
        """Make the block of a moment at the path's prices."""
        self.blocks += 1
        before = self.now
        block = self.chain.advance(at, self.path.prices(at))
        self._follow_rates(before, at)
        return block

    def _follow_rates(self, before: Millis, at: Millis) -> None:
        """Put funding rates of the path in force that changed with the newest block."""
        for change in self.path.rates(before, at):
            for ticker, rate in change.hourly.items():
                self.chain.set_hourly_rate(ticker, rate)

    def _latest_quiet(self, idle_until: Millis) -> Millis:
        """The last block time, in whole blocks from now, before anything happens."""
        limits = [self.path.end, idle_until]
        change = self.path.next_change(self.now)
        if change is not None:
            limits.append(change)
        limits.append(Millis((self.now // HOUR + 1) * HOUR))  # funding is told every hour
        blocks = (min(limits) - self.now) // self.block_time
        if min(limits) != self.path.end:
            blocks -= 1
        return Millis(self.now + blocks * self.block_time)
