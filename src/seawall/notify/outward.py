"""One place where the daemon says how a tick went; everybody outside is told from here.

    outward = Outward(journal, told, account=...)
    async with outward:              metrics, messengers; at the end one last try to tell
        outward.note_tick(decision, memory)     after every tick
        await outward.beat()                    every `HEARTBEAT_EVERY`

None of it waits for anybody, except the end, for at most `FAREWELL_S`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from seawall.decide.memory import Decision, Memory, Message, Repeats, Urgency
from seawall.decide.pages import REPEAT_AFTER
from seawall.errors import JournalError, JournalUnwritable, SettingsError
from seawall.journal.codec import to_json
from seawall.journal.store import Journal, wall_clock
from seawall.notify.courier import MESSAGE, Courier
from seawall.notify.heartbeat import Heartbeat
from seawall.notify.messenger import Messenger
from seawall.notify.metrics import Metrics
from seawall.notify.pulse import Pulse, PulseFile, this_boot
from seawall.notify.systemd import tell_systemd
from seawall.units import MINUTE, Millis

log = logging.getLogger(__name__)

HEARTBEAT_EVERY = MINUTE
FAREWELL_S = 5.0
UNWRITABLE = "journal/unwritable"
SPILLING = "journal/spilling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Who is to be told, and where; nobody by default."""

    messengers: Sequence[Messenger] = ()
    unknown: int = 0  # addresses of more that nobody knows
    heartbeat_url: SecretStr | None = None
    metrics_port: int | None = None
    pulse: Path | None = None


class Outward:
    """Tells the world how the guard does; to be used in one event loop."""

    def __init__(
        self,
        journal: Journal,
        told: Told,
        *,
        account: str,
        clock: Callable[[], Millis] = wall_clock,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._port = told.metrics_port
        self._metrics = None if told.metrics_port is None else Metrics()
        self._pulse_file = None if told.pulse is None else PulseFile(told.pulse)
        url = told.heartbeat_url
        self._heartbeat = None if url is None else Heartbeat(url, journal)
        self._boot = this_boot()
        self._note = f"{told.unknown} of notify.urls unknown" if told.unknown else ""
        if self._metrics is not None:
            self._metrics.note_unknown(told.unknown)
        self._courier = Courier(journal, told.messengers, account=account)
        self._carrying: asyncio.Task[None] | None = None
        self._pulse: Pulse | None = None
        self._paged_at: dict[str, Millis] = {}

    async def __aenter__(self) -> Self:
        if self._metrics is not None and self._port is not None:
            try:
                self._metrics.serve(self._port)
            except SettingsError as error:  # another program's port is no reason not to guard
                self._go_without_metrics(error)
        self._keep_carrying()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        tell_systemd("STOPPING=1")
        if self._carrying is not None:
            self._carrying.cancel()
            await asyncio.gather(self._carrying, return_exceptions=True)
        await self._courier.flush(FAREWELL_S)
        if self._heartbeat is not None:
            await self._heartbeat.close()
        self._write_pulse_of_the_end(is_stopped=error is None)

    def note_tick(self, decision: Decision, memory: Memory) -> None:
        """Take in a tick; `memory` is the agent's after it, which shows whether it was recorded."""
        now = self._clock()
        self._keep_carrying()
        is_recorded = memory.tick == decision.tick
        reason = "; ".join(decision.blind) if is_recorded else "the journal takes no rows"
        self._page_for_the_journal(is_recorded=is_recorded)
        before = self._pulse
        succeeded_at = before.succeeded_at if before is not None else None
        self._pulse = Pulse(
            pid=os.getpid(),
            tick=decision.tick,
            height=decision.height,
            at=now,
            succeeded_at=succeeded_at if reason else now,
            reason=reason,
            boot=self._boot,
            note=self._note,
        )
        if self._pulse_file is not None:
            self._pulse_file.write(self._pulse)
        tell_systemd("WATCHDOG=1" if before is not None else "READY=1\nWATCHDOG=1")
        if decision.messages:
            self._courier.wake()
        if self._metrics is not None:
            self._metrics.note_tick(decision, memory, now=now, why_not=reason)
            with suppress(sqlite3.DatabaseError, JournalError):  # the tick itself was well
                head = self._journal.head().seq
                self._metrics.note_journal(head, failure=self._journal.failure)
            self._metrics.note_lanes(self._courier.lanes)

    async def beat(self) -> None:
        """Call the heartbeat URL if a tick succeeded since the last call was due."""
        last = None if self._pulse is None else self._pulse.succeeded_at
        if self._heartbeat is None or last is None:
            return
        if self._clock() - last <= HEARTBEAT_EVERY:
            await self._heartbeat.beat()

    def page(self, key: str, text: str) -> None:
        """Page about the guard itself, at most every five minutes per key, past a full disk too.

        No `ack` ends it, which would be a row of the journal that it is about.
        """
        now = self._clock()
        if key in self._paged_at and now - self._paged_at[key] < REPEAT_AFTER:
            return
        self._paged_at[key] = now
        message = Message(urgency=Urgency.PAGE, key=key, text=text, repeats=Repeats.BY_ITSELF)
        log.error("event=page key=%s text=%s", key, text)
        try:
            self._journal.append(MESSAGE, to_json(message))
        except JournalUnwritable:
            self._courier.say(message)
        else:
            self._courier.wake()

    def _go_without_metrics(self, error: SettingsError) -> None:
        text = f"{error}. The guard goes on without metrics until it is restarted."
        message = Message(urgency=Urgency.NOTIFY, key="guard/metrics", text=text)
        self._metrics = None
        log.warning("event=no_metrics reason=%s", error)
        with suppress(JournalUnwritable):
            self._journal.append(MESSAGE, to_json(message))

    def _keep_carrying(self) -> None:
        """Begin to carry messages, and begin again where a fault of ours ended it."""
        if self._carrying is not None:
            if not self._carrying.done():
                return
            log.error("event=courier_fell", exc_info=self._carrying.exception())
        self._carrying = asyncio.create_task(self._courier.run(), name="courier")

    def _page_for_the_journal(self, *, is_recorded: bool) -> None:
        failure = self._journal.failure
        if not is_recorded:
            self.page(
                UNWRITABLE,
                f"The journal takes no rows ({self._journal.refusal or failure}), so nothing is "
                "sent: no trace, no act. Make room there or repair it; orders on the chain stand "
                "as they are. Repeats every 5 minutes until a row is taken again.",
            )
        elif failure is not None:
            self.page(
                SPILLING,
                f"The journal cannot be written ({failure}); rows go to the spill file and the "
                f"guard goes on. Make room or repair {self._journal.path}. Repeats every 5 minutes "
                "until it takes rows again.",
            )
        else:
            self._paged_at.pop(UNWRITABLE, None)
            self._paged_at.pop(SPILLING, None)

    def _write_pulse_of_the_end(self, *, is_stopped: bool) -> None:
        if self._pulse_file is None:
            return
        last = self._pulse
        if last is not None and is_stopped:
            self._pulse_file.write(
                Pulse(
                    pid=last.pid,
                    tick=last.tick,
                    height=last.height,
                    at=self._clock(),
                    succeeded_at=last.succeeded_at,
                    is_stopped=True,
                )
            )
        self._pulse_file.close()
