"""What several nodes and the feed say of the height, and whose word the others rule out.

A chain has one height at a time: two blocks of one chain are no further apart in height than the
time between them allows. Of two that cannot be of one chain the one is believed that more voices go
with, and where as many do, that of the node named first in the settings; the feed comes last.
"""

from __future__ import annotations

from collections.abc import Sequence

from seawall.units import SECOND
from seawall.venue.dydx.node import Block

FEED = "the feed"
LEAD_MOST = 20  # blocks; a spell of blocks that come faster than any clock shows
BLOCKS_A_SECOND_MOST = 10  # the chain makes about two


def is_contradiction(one: Block, other: Block) -> bool:
    """Whether no chain holds both: the higher is further ahead than the time between allows.

    However long ago one of them was told, it goes with what comes later: a chain that halted, or a
    node that was away for hours, contradicts nobody.
    """
    low, high = sorted((one, other), key=lambda block: block.height)
    allowed = LEAD_MOST * SECOND + BLOCKS_A_SECOND_MOST * max(0, high.at - low.at)
    return (high.height - low.height) * SECOND > allowed


class Witnesses:
    """The last word of every node, in order of trust, and of the feed."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = (*names, FEED)
        self._said: dict[str, Block] = {}
        self._heard_at: dict[str, float] = {}

    def note(self, name: str, block: Block, at: float = 0.0) -> None:
        """Take a word in the place of the one before, heard at a second of some clock."""
        self._said[name] = block
        self._heard_at[name] = at

    def is_disputed(self, name: str) -> bool:
        """Whether any other word rules out this one."""
        return bool(self._against(name))

    def last_against(self, name: str) -> float:
        """When last a word was heard that rules out this one, which there must be."""
        return max(self._heard_at[other] for other in self._against(name))

    def ruled_out_by(self, name: str) -> tuple[str, Block] | None:
        """Who is believed rather than this one, and its block; None where it is believed."""
        better = [other for other in self._against(name) if self._rank(other) > self._rank(name)]
        best = max(better, key=self._rank, default=None)
        return None if best is None else (best, self._said[best])

    def highest_believed(self) -> int:
        """The greatest height that nobody rules out; 0 where nothing was said."""
        believed = (
            block.height for name, block in self._said.items() if self.ruled_out_by(name) is None
        )
        return max(believed, default=0)

    def _against(self, name: str) -> Sequence[str]:
        block = self._said[name]
        return [other for other, said in self._said.items() if is_contradiction(block, said)]

    def _rank(self, name: str) -> tuple[int, int]:
        votes = len(self._said) - len(self._against(name))
        return votes, -self._names.index(name)
