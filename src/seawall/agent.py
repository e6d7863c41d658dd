"""The guard, once: observe -> decide -> record -> act -> record.

An action is in the journal before it is sent: no trace, no act. What was decided is remembered as
if it had been sent, so that a crash in between costs a window and never doubles a cut.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, replace
from typing import Self

from seawall import __version__
from seawall.account import Blind, Observation, Seen
from seawall.decide import decide
from seawall.decide import outcome as outcomes
from seawall.decide.holds import Holds, holds_of, with_holds
from seawall.decide.idle import idle_until
from seawall.decide.memory import (
    Command,
    Decision,
    Memory,
    Message,
    Numbered,
    Pause,
    Urgency,
)
from seawall.errors import JournalUnreadable, JournalUnwritable, OperatorError
from seawall.journal.chain import Row
from seawall.journal.codec import from_json, to_json
from seawall.journal.queries import BREAK, Reader
from seawall.journal.store import Entry, Journal
from seawall.policy import Mode, Policy
from seawall.units import MINUTE, SECOND, Millis
from seawall.venue import Reply, Venue

log = logging.getLogger(__name__)

STORE_EVERY = MINUTE  # of block time, where nothing happens
HOLDS_EVERY = Millis(5 * SECOND)  # the same, where a level waits to fire or to clear
FAILED = "guard/tick"  # what the page is about that says that a tick raised


class Kind:
    """Kinds of journal rows that the guard writes and reads."""

    START = "start"
    TICK = "tick"
    SENDING = "sending"
    REPLY = "reply"
    OUTCOME = "outcome"
    MESSAGE = "message"
    COMMAND = "command"
    FAMILY = "family"
    HOLDS = "holds"
    PANIC = "panic"  # a tick of `seawall panic`, which remembers nothing beyond its end


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRow:
    """The guard began: with which version, rules and mode, over which account."""

    version: str
    digest: str
    mode: Mode
    owner: str
    policy: Policy
    chain_id: str = ""  # empty where it was not written down
    parent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TickRow:
    """One tick, whole: it recomputes from `before` and `seen`, and a restart goes on from `after`.

    `commands_through` is the last command row that has been obeyed.
    """

    digest: str
    mode: Mode
    seen: Seen
    commands_through: int
    before: Memory
    decision: Decision
    after: Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyRow:
    """Every subaccount of the owner seen so far, to be read even where no indexer lists them."""

    owner: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRow:
    """What the venue said to an action; never what became of it."""

    action_id: str
    reply: Reply


class Agent:
    """One guard over one account; `memory` is what the next tick starts from."""

    def __init__(
        self,
        venue: Venue,
        journal: Journal,
        policy: Policy,
        *,
        digest: str,
        mode: Mode,
        memory: Memory | None = None,
        commands_through: int = 0,
        family: tuple[int, ...] = (),
        ticks_as: str = Kind.TICK,
    ) -> None:
        self.venue = venue
        self.journal = journal
        self.policy = policy
        self.digest = digest
        self.mode = mode
        self.memory = memory or Memory()
        self._commands_through = commands_through
        self._family = family
        self.seen: Seen | None = None  # what the last tick was decided on
        self._ticks_as = ticks_as
        self._stored_at: Millis | None = None
        self._held_at: Millis | None = None
        self._failure = ""

    @classmethod
    def resume(
        cls,
        venue: Venue,
        journal: Journal,
        policy: Policy,
        *,
        digest: str,
        mode: Mode,
        owner: str,
        chain_id: str = "",
        parent: int = 0,
    ) -> Self:
        """A guard that goes on where the journal stops, and says in it that it began.

        Raises OperatorError, before anything is written, where the journal is another account's.
        """
        check_owner(journal, owner, chain_id=chain_id, parent=parent)
        memory, through = restore(journal)
        start = StartRow(
            version=__version__,
            digest=digest,
            mode=mode,
            owner=owner,
            policy=policy,
            chain_id=chain_id,
            parent=parent,
        )
        entries = [*_taken_over(journal), (Kind.START, to_json(start))]
        journal.append_all(entries, durable=True)
        return cls(
            venue,
            journal,
            policy,
            digest=digest,
            mode=mode,
            memory=memory,
            commands_through=through,
            family=family_of(journal, owner),
        )

    async def tick(self) -> Decision:
        """One tick; what cannot be recorded is not done."""
        commands, through = self._commands()
        seen = self.seen = await self.venue.observe()
        memory, decision = decide(self.policy, self.memory, seen, mode=self.mode, commands=commands)
        if self.mode is not Mode.LIVE:  # whatever was decided: a run on paper has nothing to send
            decision = replace(decision, actions=())
        row = TickRow(
            digest=self.digest,
            mode=self.mode,
            seen=seen,
            commands_through=through,
            before=self.memory,
            decision=decision,
            after=memory,
        )
        try:
            self._record(row)
        except JournalUnwritable:
            log.exception("tick=%d not recorded, nothing sent", decision.tick)
            decision = replace(decision, actions=())
        else:
            self.memory = memory
            self._commands_through = through
            await self._act(decision)
        await self.venue.tick_done(decision.height, self.idle_until())
        self._failure = ""
        return decision

    def note_failure(self, error: Exception) -> None:
        """Page that a tick raised; told once until a tick succeeds or raises something else."""
        text = (
            f"A tick failed and decided nothing: {error!r}. The next one tries again. This is a "
            f"fault of Seawall or of the venue: report it, and watch the account yourself."
        )
        if text == self._failure:
            return
        self._failure = text
        page = Message(urgency=Urgency.PAGE, key=FAILED, text=text)
        try:
            self.journal.append(Kind.MESSAGE, to_json(page))
        except JournalUnwritable:
            log.exception("failed tick not recorded")

    def idle_until(self) -> Millis | None:
        """The next block time at which a tick could differ with every input at rest."""
        return idle_until(self.policy, self.memory)

    def _commands(self) -> tuple[tuple[Command, ...], int]:
        """Commands not obeyed yet; none where the journal cannot be read, the guard goes on."""
        commands, through = [], self._commands_through
        try:
            for row in self.journal.rows(Kind.COMMAND, after=self._commands_through):
                assert row.body is not None
                commands.append(self._aged(from_json(Command, row.body), row))
                through = row.seq
        except JournalUnreadable:
            log.exception("commands not read")
            return (), self._commands_through
        return tuple(commands), through

    def _aged(self, command: Command, row: Row) -> Command:
        """A command as it still holds: a pause that waited for the guard is shorter by that."""
        if not isinstance(command, Pause):
            return command
        waited = max(0, self.journal.now() - row.at)
        return Pause(duration=Millis(command.duration - waited))

    def _record(self, row: TickRow) -> None:
        """Write the tick where it matters, its outcomes and messages, and what will be sent."""
        decision = row.decision
        at = decision.at if decision.at is not None else decision.seen_at
        family = self._family_with(row.seen)
        is_due = self._stored_at is None or at - self._stored_at >= STORE_EVERY
        if not (decision.is_eventful or is_due or family != self._family):
            self._record_holds(row.after, at)
            return
        entries = [(self._ticks_as, to_json(row))]
        entries += [(Kind.OUTCOME, to_json(outcome)) for outcome in decision.outcomes]
        for message in decision.messages:
            entries.append((Kind.MESSAGE, to_json(message)))
            log.info("tick=%d %s %s", decision.tick, message.urgency, message.text)
        entries += [(Kind.SENDING, to_json(numbered)) for numbered in decision.actions]
        if family != self._family:
            assert isinstance(row.seen, Observation)
            said = FamilyRow(owner=row.seen.owner, numbers=family)
            entries.append((Kind.FAMILY, to_json(said)))
        # All or none: a memory of what was sent without its rows, or rows of what was never
        # remembered, would each send twice or not at all after a crash.
        self.journal.append_all(entries, durable=bool(decision.actions), at=at)
        self._stored_at = self._held_at = at
        self._family = family

    def _record_holds(self, memory: Memory, at: Millis) -> None:
        """Write what levels on their way were credited, every few seconds, between whole ticks."""
        if self._held_at is not None and at - self._held_at < HOLDS_EVERY:
            return
        holds = holds_of(memory)
        if holds is None or self._ticks_as != Kind.TICK:
            return
        self._held_at = at
        try:
            self.journal.append(Kind.HOLDS, to_json(holds), at=at)
        except JournalUnwritable:
            log.exception("holds not recorded; a restart now would take their time back")

    def _family_with(self, seen: Seen) -> tuple[int, ...]:
        """The subaccounts known so far, with those of an observation."""
        if isinstance(seen, Blind):
            return self._family
        return tuple(sorted({*self._family, *(s.number for s in seen.subaccounts)}))

    async def _act(self, decision: Decision) -> None:
        """Send the actions in order, none waiting for another's answer; nothing on paper.

        One that raises keeps no other from being sent. Where no loop runs nothing can wait, and
        each is sent in its turn.
        """
        if self.mode is not Mode.LIVE:
            return
        if len(decision.actions) < 2 or not _may_wait():
            for numbered in decision.actions:
                await self._send(decision, numbered)
            return
        sends = [self._send(decision, numbered) for numbered in decision.actions]
        for ended in await asyncio.gather(*sends, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended

    async def _send(self, decision: Decision, numbered: Numbered) -> None:
        """Send one action, and write down what was said to it."""
        reply = await self.venue.send(numbered.action)
        self._note_reply(decision, numbered, reply)
        if reply.is_refused:
            self.memory = outcomes.refused(self.memory, numbered.id)

    def _note_reply(self, decision: Decision, numbered: Numbered, reply: Reply) -> None:
        said = f"{reply.codespace} {reply.code} {reply.log}".strip()
        log.info(
            "tick=%d action=%s accepted=%s said=%s",
            decision.tick,
            numbered.id,
            reply.is_accepted,
            said,
        )
        row = ReplyRow(action_id=numbered.id, reply=reply)
        try:
            self.journal.append(Kind.REPLY, to_json(row), at=decision.at)
        except JournalUnwritable:
            # The action is out and its `sending` row stands: the chain will tell its end.
            log.exception("action=%s reply not recorded", numbered.id)


def _may_wait() -> bool:
    """Whether a loop runs this; a venue in process is called without one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def family_of(journal: Reader, owner: str) -> tuple[int, ...]:
    """The subaccounts of an owner that a guard has ever seen."""
    before = journal.predecessor()
    numbers = set() if before is None else set(family_of(before, owner))
    for row in journal.rows(Kind.FAMILY):
        if row.body is not None:
            said = from_json(FamilyRow, row.body)
            numbers.update(said.numbers if said.owner == owner else ())
    return tuple(sorted(numbers))


def check_owner(journal: Reader, owner: str, *, chain_id: str, parent: int) -> None:
    """Raise OperatorError where a journal holds the memory of another account or chain."""
    row = journal.last(Kind.START)
    if row is None and (predecessor := journal.predecessor()) is not None:
        row = predecessor.last(Kind.START)
    if row is None or row.body is None:
        return
    begun = from_json(StartRow, row.body)
    is_same_chain = chain_id == begun.chain_id or "" in (chain_id, begun.chain_id)
    if (owner, parent) == (begun.owner, begun.parent) and is_same_chain:
        return
    its = f"{begun.owner}/{begun.parent} on {begun.chain_id or 'its chain'}"
    raise OperatorError(
        f"{journal.path or 'the journal'} is the journal of {its}, not of {owner}/{parent} on "
        f"{chain_id or 'this chain'}; name another file under journal.path, one for each account"
    )


def restore(journal: Reader) -> tuple[Memory, int]:
    """Memory after the last recorded tick, and the last command row it obeyed.

    Where the journal replaced a broken one, memory is that one's, and every command here is new.
    """
    if journal.last(Kind.TICK) is None:
        tick = _last_tick(journal.predecessor())
        return (Memory(), 0) if tick is None else (tick.after, 0)
    tick = _last_tick(journal)
    return (Memory(), 0) if tick is None else (tick.after, tick.commands_through)


def _last_tick(journal: Reader | None) -> TickRow | None:
    """The last tick that was written whole, with what its levels were credited since."""
    row = None if journal is None else journal.last(Kind.TICK)
    if journal is None or row is None or row.body is None:
        return None
    tick, later = from_json(TickRow, row.body), journal.last(Kind.HOLDS)
    if later is None or later.seq < row.seq or later.body is None:
        return tick
    return replace(tick, after=with_holds(tick.after, from_json(Holds, later.body)))


def _taken_over(journal: Journal) -> list[Entry]:
    """What the first start after a broken journal says: commands nobody obeyed, and a page."""
    first = journal.get(1)
    if first is None or first.kind != BREAK or journal.last(Kind.START) is not None:
        return []
    broken = journal.predecessor()
    entries: list[Entry] = []
    if broken is not None:
        _, obeyed = restore(broken)
        waiting = broken.rows(Kind.COMMAND, after=obeyed)
        entries = [(Kind.COMMAND, row.body) for row in waiting if row.body is not None]
    cited = json.loads(first.body or "{}")
    page = Message(
        urgency=Urgency.PAGE,
        key="journal/broken",
        text=(
            f"The journal did not verify ({cited['reason']}). It is kept as {cited['file']}; the "
            f"guard goes on from what still verifies, in a new journal. Find out who or what "
            f"changed the file, and look at positions, latches and budgets yourself."
        ),
    )
    return [*entries, (Kind.MESSAGE, to_json(page))]
