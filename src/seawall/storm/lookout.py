"""What one guard sees and sends, with its own delay, lag and death, told to a referee."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from seawall.account import Observation, Seen
from seawall.action import Action
from seawall.simulator.faults.local import FaultyVenue
from seawall.storm.fuse import Fuse
from seawall.units import Millis
from seawall.venue import Reply

Sends = Callable[[Action, Seen], None]


class Lookout:
    """A venue between a guard and a chain of bad days.

    It shows what its node showed `lag` blocks of looking ago, as of now; `sends` hears of every
    action before it goes out, with the observation that the guard acts on.
    """

    def __init__(self, venue: FaultyVenue, fuse: Fuse, *, lag: int, sends: Sends) -> None:
        self._venue = venue
        self._fuse = fuse
        self._sends = sends
        self._shown: deque[Seen] = deque(maxlen=lag + 1)
        self.seen: Seen | None = None

    async def observe(self) -> Seen:
        """State and advice as the guard's node and indexer show them."""
        self._fuse.burn("before observe")
        newest = self._venue.see()
        self._shown.append(newest)
        seen = self._shown[0]
        if isinstance(seen, Observation) and seen is not newest:
            seen = replace(seen, seen_at=newest.seen_at)
        self.seen = seen
        self._fuse.burn("after observe")
        return seen

    async def send(self, action: Action) -> Reply:
        """Send one action through the venue."""
        assert self.seen is not None, "nothing is sent unseen"
        self._fuse.burn("before send")
        self._sends(action, self.seen)
        reply = await self._venue.send(action)
        self._fuse.burn("after send")
        return reply

    async def wait_for_change(self, timeout: Millis) -> None:
        """Blocks are the only clock here."""

    async def tick_done(self, height: int, idle_until: Millis | None) -> None:
        """Nothing is to be told: whoever plays asks the guard itself."""

    async def close(self) -> None:
        """Release nothing."""
