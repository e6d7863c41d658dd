"""The one boundary to swap: a venue shows its state and takes actions.

`seawall.venue.dydx` speaks the real wires; `seawall.simulator.local` is a venue in process.
Both answer the same contract, tested by one suite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from seawall.account import Seen
from seawall.action import Action
from seawall.units import Millis

WRONG_SEQUENCE = ("sdk", 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the venue said when an action was sent; never what became of it.

    `is_unknown` means that the answer was lost: the action may live until its good-til-block.
    """

    code: int = 0
    codespace: str = ""
    log: str = ""
    is_unknown: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether a node took it; code 0 is not a fill."""
        return self.code == 0 and not self.is_unknown

    @property
    def is_refused(self) -> bool:
        """Whether every node was asked and none took it, nor another in its place.

        A wrong sequence is no refusal: another guard's transaction of the same wallet came first.
        """
        said = (self.codespace, self.code)
        return self.code != 0 and not self.is_unknown and said != WRONG_SEQUENCE


class Venue(Protocol):
    """What the agent needs of a venue."""

    async def observe(self) -> Seen:
        """State at one height with the newest advice, or Blind with reasons; never raises."""

    async def send(self, action: Action) -> Reply:
        """Send one action; raises nothing for a refusal or a lost answer, both are replies."""

    async def wait_for_change(self, timeout: Millis) -> None:
        """Return when a price, position, order or block changed, or after the timeout."""

    async def tick_done(self, height: int, idle_until: Millis | None) -> None:
        """Tell a venue that plays prices that the tick of `height` is done.

        `idle_until` is the next block time at which a tick could differ with every input at rest
        (None: never). Does nothing elsewhere; raises VenueUnreachable.
        """

    async def close(self) -> None:
        """Release sockets; idempotent."""
