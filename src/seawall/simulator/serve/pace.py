"""Who makes the next block, and when (DESIGN.md section 1).

With no guard attached, blocks come in real time divided by the speed. A guard attaches with its
first step call and reports the height whose tick it has done; the next block is made when every
attached guard has reported the newest height, so that speed changes nothing of what happens. A
guard that has not called for a while is detached, so that a dead one cannot stop the chain.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from seawall.simulator.faults.play import HALT_TICK
from seawall.simulator.play import AWAKE, NEVER
from seawall.simulator.serve.node import Node, Sealed
from seawall.units import Millis

log = logging.getLogger(__name__)

AS_FAST_AS_GUARDS = 0.0  # a speed: wait for guards only
CATCH_UP_S = 30.0  # lost by a busy machine and made good, so that chain time keeps to real time


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The last call of a guard: the height it has done, when it called, how long it may sleep."""

    height: int
    idle_until: Millis
    called_at: float  # seconds of the event loop's clock
    newest: int  # the chain's height when it called


class Pace:
    """Makes blocks and hands them on, one at a time."""

    def __init__(
        self,
        node: Node,
        publish: Callable[[Sealed], None],
        *,
        speed: float,
        guard_timeout_s: float,
    ) -> None:
        self._node = node
        self._publish = publish
        self._block_s = 1 / speed if speed > 0 else 0.0
        self._guard_timeout_s = guard_timeout_s
        self._guards: dict[str, Report] = {}
        self._changed = asyncio.Event()
        self._playing = asyncio.Event()

    @property
    def is_playing(self) -> bool:
        """Whether blocks are being made."""
        return self._playing.is_set() and not self._node.player.is_over

    @property
    def guards(self) -> dict[str, int]:
        """Attached guards with the height each has done."""
        return {name: report.height for name, report in self._guards.items()}

    def start(self) -> None:
        """Begin to make blocks; does nothing where they are being made."""
        self._playing.set()

    def report(self, guard: str, height: int, idle_until: Millis = AWAKE) -> None:
        """Attach a guard, or take its word that the tick of a height is done."""
        if guard not in self._guards:
            log.info("event=guard_attached guard=%s height=%d", guard, height)
        self._guards[guard] = Report(
            height=height,
            idle_until=idle_until,
            called_at=asyncio.get_running_loop().time(),
            newest=self._node.state.height,
        )
        self._changed.set()

    def detach(self, guard: str) -> None:
        """Go on without a guard; does nothing where it is not attached."""
        if self._guards.pop(guard, None) is not None:
            log.info("event=guard_detached guard=%s", guard)
        self._changed.set()

    async def run(self) -> None:
        """Make blocks until the prices are over, then rest."""
        clock = asyncio.get_running_loop().time
        await self._playing.wait()
        due = clock() + self._block_s
        while not self._node.player.is_over:
            await self._wait_until(due)
            sealed = self._node.step(self._idle_until)
            blocks = 1
            if sealed is not None:
                self._publish(sealed)
            else:  # the chain halts, and time went on by more than a block's
                blocks = HALT_TICK // self._node.player.block_time
            late_most = 0.0 if self._guards else CATCH_UP_S
            due = max(due + blocks * self._block_s, clock() - late_most)
        log.info("event=prices_over height=%d", self._node.state.height)

    @property
    def _idle_until(self) -> Millis:
        """The first moment at which any guard has something to do."""
        if not self._guards:
            return AWAKE
        return min((report.idle_until for report in self._guards.values()), default=NEVER)

    async def _wait_until(self, due: float) -> None:
        """Wait for the moment, and for every attached guard."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(0)  # others run even where nothing needs waiting for
            self._changed.clear()
            now = clock()
            late = self._drop_silent(now)
            if not late and now >= due:
                return
            wakes = [due] if now < due else []
            wakes += [self._guards[name].called_at + self._guard_timeout_s for name in late]
            try:
                async with asyncio.timeout_at(min(wakes)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _drop_silent(self, now: float) -> list[str]:
        """Guards still at work on the newest block; those silent for too long are let go."""
        newest = self._node.state.height
        late = []
        for name, report in list(self._guards.items()):
            # Through a node that fails a guard cannot see the newest block: it has looked.
            done = report.newest if self._node.is_failing() else report.height
            if done >= newest:
                continue
            if now - report.called_at >= self._guard_timeout_s:
                log.warning(
                    "event=guard_silent guard=%s height=%d timeout_s=%.0f",
                    name,
                    report.height,
                    self._guard_timeout_s,
                )
                del self._guards[name]
            else:
                late.append(name)
        return late
