"""From the journal to the messengers: what the guard says is a row first and is carried later.

Each messenger has a lane of its own, so that a dead one holds up nobody. A lane carries everything
that waits for it as one notice, newest words per key, and writes down what became of it (of
failures in a row the 1st, 2nd, 4th, …): a restart goes on where the last delivery ended. Sending
happens in a thread with a deadline; nothing that protects the account ever waits here. A notice may
arrive twice after a crash, and is never lost.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from seawall.decide.memory import Message, Repeats, Urgency
from seawall.errors import JournalError
from seawall.journal.codec import from_json, to_json
from seawall.journal.queries import BREAK
from seawall.journal.store import Journal
from seawall.notify.messenger import Messenger, Notice, Tone

log = logging.getLogger(__name__)

MESSAGE = "message"  # rows that the guard writes
DELIVERY = "delivery"  # rows that are written here
POLL_S = 1.0
DEADLINE_S = 20.0
PAUSE_S = 2.0  # after a failure, doubled for each further one
PAUSE_MOST_S = 60.0
STUCK_MOST = 3  # threads that one hanging messenger may hold
LINES_MOST = 20
NEWEST = 500  # delivery rows that are searched for where a lane ended


class End(StrEnum):
    """What became of a delivery."""

    BEGUN = "begun"  # the messenger is new: it is told what is said from here on
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """One try to tell one messenger: message rows after `after` up to `through`."""

    messenger: str
    end: End
    after: int
    through: int
    messages: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What waits for a messenger; `through` is the last row among it."""

    messages: tuple[Message, ...]
    through: int
    unwritten: int = 0  # messages among them that the journal did not take


@dataclass(slots=True)
class _Lane:
    messenger: Messenger
    after: int  # the last message row that this messenger has been told
    failures: int = 0
    waiting: int = 0  # messages that are not told yet, as of the last look
    unwritten: list[Message] = field(default_factory=list)
    sending: set[threading.Thread] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """How a messenger does: failures in a row, and messages that wait for it."""

    name: str
    failures: int
    waiting: int


class Courier:
    """Carries messages to every messenger until it is cancelled; made and run in one event loop.

    `account` names who is guarded in every title. `pause` is how it waits, for tests.
    """

    def __init__(
        self,
        journal: Journal,
        messengers: Sequence[Messenger],
        *,
        account: str,
        deadline_s: float = DEADLINE_S,
        poll_s: float = POLL_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._journal = journal
        self._account = account
        self._deadline_s = deadline_s
        self._poll_s = poll_s
        self._pause_s = pause_s
        self._news = asyncio.Event()
        self._newest_told = self._head_or_break()
        self._lanes = tuple(_Lane(each, self._begin(each.name)) for each in messengers)

    @property
    def lanes(self) -> tuple[LaneState, ...]:
        """How each messenger does."""
        return tuple(
            LaneState(name=lane.messenger.name, failures=lane.failures, waiting=lane.waiting)
            for lane in self._lanes
        )

    def wake(self) -> None:
        """Look at the journal now instead of within a second."""
        self._news.set()

    def say(self, message: Message) -> None:
        """Tell what the journal could not take; lost if the process ends before it is told."""
        for lane in self._lanes:
            lane.unwritten.append(message)
        self.wake()

    async def run(self) -> None:
        """Carry messages until cancelled, which is long where there is no messenger."""
        if not self._lanes:
            await asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(self._serve(lane), name=f"courier {lane.messenger.name}")

    async def flush(self, deadline_s: float) -> None:
        """One last try at what waits, for a graceful stop; gives up at the deadline."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await asyncio.gather(*(self._carry(lane) for lane in self._lanes))

    async def _serve(self, lane: _Lane) -> None:
        while True:
            if await self._carry(lane):
                await self._wait_for_news()
            else:
                pause = self._pause_s * 2.0 ** min(lane.failures - 1, 10)
                await asyncio.sleep(min(pause, PAUSE_MOST_S))

    async def _wait_for_news(self) -> None:
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll_s):
                await self._news.wait()

    async def _carry(self, lane: _Lane) -> bool:
        """Tell a messenger what waits for it; False where that failed and is to be tried again."""
        batch = self._batch(lane)
        if batch is None:
            return True
        lane.waiting = len(batch.messages)
        reason = await self._send(lane, self._notice(batch.messages))
        row = DeliveryRow(
            messenger=lane.messenger.name,
            end=End.FAILED if reason else End.SENT,
            after=lane.after,
            through=batch.through,
            messages=len(batch.messages),
            reason=reason,
        )
        if reason:
            lane.failures += 1
            if lane.failures.bit_count() == 1:  # 1, 2, 4, 8, …: a dead messenger fills no journal
                self._note(row)
            log.warning(
                "messenger=%s failures=%d waiting=%d reason=%s",
                lane.messenger.name,
                lane.failures,
                lane.waiting,
                reason,
            )
            return False
        self._note(row)
        del lane.unwritten[: batch.unwritten]
        lane.after, lane.failures, lane.waiting = batch.through, 0, 0
        return True

    def _batch(self, lane: _Lane) -> Batch | None:
        """What waits for a messenger, the newest words of each key; None where nothing does."""
        newest: dict[tuple[Urgency, str], Message] = {}
        through = lane.after
        try:
            for row in self._journal.rows(MESSAGE, after=lane.after):
                through = row.seq
                if row.body is not None:
                    _keep_newest(newest, from_json(Message, row.body))
        except (sqlite3.DatabaseError, JournalError, ValueError) as error:
            log.warning("messenger=%s journal unread: %s", lane.messenger.name, error)
        unwritten = len(lane.unwritten)
        for message in lane.unwritten:
            _keep_newest(newest, message)
        if not newest:
            lane.after, lane.waiting = through, 0
            return None
        return Batch(messages=tuple(newest.values()), through=through, unwritten=unwritten)

    async def _send(self, lane: _Lane, notice: Notice) -> str:
        """Why a notice did not arrive; empty where it did."""
        lane.sending = {thread for thread in lane.sending if thread.is_alive()}
        if len(lane.sending) >= STUCK_MOST:
            return f"{STUCK_MOST} tries hang; it is left alone until one ends"
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def settle(reason: str) -> None:
            if not answer.done():
                answer.set_result(reason)

        # A thread that hangs must not keep the process from ending, as a pool's would.
        thread = threading.Thread(
            target=_send_in_thread,
            args=(lane.messenger, notice, loop, settle),
            name=f"messenger {lane.messenger.name}",
            daemon=True,
        )
        lane.sending.add(thread)
        thread.start()
        try:
            async with asyncio.timeout(self._deadline_s):
                return await answer
        except TimeoutError:
            return f"no answer within {self._deadline_s:g} s"

    def _notice(self, messages: Iterable[Message]) -> Notice:
        """Pages first, then the rest, each on a line of its own, and the journal's head."""
        ordered = sorted(messages, key=lambda each: each.urgency is not Urgency.PAGE)
        pages = [each for each in ordered if each.urgency is Urgency.PAGE]
        until = _repeats(pages)
        lines = [f"{each.urgency.upper()} {each.text}" for each in ordered[:LINES_MOST]]
        if left := len(ordered) - LINES_MOST:
            lines += [f"and {left} more: seawall audit list"] if left > 0 else []
        lines += [until] if until else []
        with suppress(sqlite3.DatabaseError, JournalError):
            head = self._journal.head()
            lines.append(f"journal {head.seq}:{head.hash}")
        count = len(pages) or len(ordered)
        what = "page" if pages else "message"
        return Notice(
            tone=Tone.PAGE if pages else Tone.NOTIFY,
            title=f"Seawall {self._account}: {count} {what}{'s' if count > 1 else ''}",
            body="\n".join(lines),
        )

    def _begin(self, name: str) -> int:
        """The message row after which a messenger goes on; a new one is not told the past."""
        for row in reversed(self._journal.newest(NEWEST, kind=DELIVERY)):
            if row.body is None:
                continue
            delivery = from_json(DeliveryRow, row.body)
            if delivery.messenger == name:
                return delivery.through if delivery.end is End.SENT else delivery.after
        after = self._newest_told
        self._note(DeliveryRow(messenger=name, end=End.BEGUN, after=after, through=after))
        return after

    def _head_or_break(self) -> int:
        """The head; the start where nobody was told why this journal took a broken one's place."""
        first = self._journal.get(1)
        if first is not None and first.kind == BREAK and not self._journal.newest(1, kind=DELIVERY):
            return 0
        return self._journal.head().seq

    def _note(self, row: DeliveryRow) -> None:
        try:
            self._journal.append(DELIVERY, to_json(row))
        except JournalError as error:
            # It is remembered here; a restart may tell it twice.
            log.warning("messenger=%s delivery not recorded: %s", row.messenger, error)


def _repeats(pages: Sequence[Message]) -> str:
    """How long pages are repeated, and what ends that; empty where none is."""
    kinds = {each.repeats for each in pages} - {Repeats.BY_ITSELF}
    if not kinds:
        return ""
    lasting = ""
    if Repeats.WHILE_SO in kinds:
        lasting = " while it lasts," if len(kinds) == 1 else ", some only while they last,"
    key = pages[0].key if len(pages) == 1 else ""
    return f"Repeats every 5 minutes{lasting} until: seawall ack {key}".rstrip()


def _keep_newest(newest: dict[tuple[Urgency, str], Message], message: Message) -> None:
    """Newer words about the same key take the place of the older ones, at the end of the line."""
    key = (message.urgency, message.key)
    newest.pop(key, None)
    newest[key] = message


def _send_in_thread(
    messenger: Messenger,
    notice: Notice,
    loop: asyncio.AbstractEventLoop,
    settle: Callable[[str], None],
) -> None:
    try:
        reason = "" if messenger.send(notice) else "the service refused or could not be reached"
    except Exception as error:  # noqa: BLE001 - other people's code: its words may hold the address
        reason = f"it raised {type(error).__name__}"
    with suppress(RuntimeError):  # the loop may be closed by now
        loop.call_soon_threadsafe(settle, reason)
