"""The guard, once: observe -> decide -> record -> act -> record.

An action is in the journal before it is sent: no trace, no act. What was decided is remembered as
if it had been sent, so that a crash in between costs a window and never doubles a cut.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Self

from seawall import __version__
from seawall.account import Blind, Observation, Seen
from seawall.agent.failures import Failures
from seawall.agent.recall import (
    check_owner,
    family_of,
    restore,
    taken_over,
    with_open_sends,
)
from seawall.agent.rows import FamilyRow, Kind, ReplyRow, StartRow, TickRow, told
from seawall.decide import decide
from seawall.decide import outcome as outcomes
from seawall.decide.holds import holds_of
from seawall.decide.idle import idle_until
from seawall.decide.memory import (
    Command,
    Decision,
    Memory,
    Message,
    Numbered,
    Panic,
    Pause,
    Urgency,
)
from seawall.errors import JournalUnreadable, JournalUnwritable
from seawall.journal.chain import Row
from seawall.journal.codec import from_json, to_json
from seawall.journal.lock import is_panicking
from seawall.journal.store import Journal
from seawall.policy import Mode, Policy
from seawall.units import MINUTE, SECOND, Millis
from seawall.venue import Reply, Venue
from seawall.venue.abreast import abreast

log = logging.getLogger(__name__)

STORE_EVERY = MINUTE  # of block time, where nothing happens
HOLDS_EVERY = Millis(5 * SECOND)  # the same, where a level waits to fire or to clear
FAILED = "guard/tick"  # what the page is about that says that a tick raised


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
        self._failures = Failures()
        self._is_unrecorded = False  # whether the last tick could not be written down
        self._heeds_panic = True  # whether a panic may have sent what has no outcome yet

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
        entries = [*taken_over(journal), (Kind.START, to_json(start))]
        journal.append_all(entries, durable=True)
        agent = cls(
            venue,
            journal,
            policy,
            digest=digest,
            mode=mode,
            memory=memory,
            commands_through=through,
            family=family_of(journal, owner),
        )
        agent._take_over()
        return agent

    async def tick(self) -> Decision:
        """One tick; what cannot be recorded is not done."""
        commands, through = self._commands()
        self._heeds_panic |= any(isinstance(command, Panic) for command in commands)
        self._take_over()
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
        except JournalUnwritable as error:
            if not self._is_unrecorded:
                log.error("tick=%d not recorded, nothing sent: %s", decision.tick, error)
            self._is_unrecorded = True
            decision = replace(decision, actions=())
        else:
            if self._is_unrecorded:
                log.error("tick=%d recorded again", decision.tick)
            self._is_unrecorded = False
            self.memory = memory
            self._commands_through = through
            await self._act(decision)
        await self.venue.tick_done(decision.height, self.idle_until())
        self._failures.end()
        return decision

    def note_failure(self, error: Exception) -> None:
        """Page that a tick raised, once for a run of trouble and then by count."""
        text = self._failures.note(error, self.journal.now())
        if text is None:
            return
        page = Message(urgency=Urgency.PAGE, key=FAILED, text=text)
        try:
            self.journal.append_all(told(page))
        except JournalUnwritable as unwritable:
            log.error("failed tick not recorded: %s", unwritable)

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
        except JournalUnreadable as error:
            log.error("commands not read: %s", error)
            return (), self._commands_through
        return tuple(commands), through

    def _take_over(self) -> None:
        """Follow what a panic has sent once its process is gone: it ended, or died half way."""
        if not self._heeds_panic or is_panicking(self.journal.path):
            return
        try:
            self.memory = with_open_sends(self.memory, self.journal)
        except JournalUnreadable as error:
            log.error("sends of a panic not read; tried again at the next tick: %s", error)
            return
        except ValueError:  # another version's: its orders end by themselves with their window
            log.exception("sends of a panic cannot be understood")
        self._heeds_panic = False

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
        except JournalUnwritable as error:
            log.error("holds not recorded; a restart now would take their time back: %s", error)

    def _family_with(self, seen: Seen) -> tuple[int, ...]:
        """The subaccounts known so far, with those of an observation."""
        if isinstance(seen, Blind):
            return self._family
        return tuple(sorted({*self._family, *(s.number for s in seen.subaccounts)}))

    async def _act(self, decision: Decision) -> None:
        """Send the actions in order, side by side; nothing on paper."""
        if self.mode is Mode.LIVE:
            await abreast([partial(self._send, decision, one) for one in decision.actions])

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
        except JournalUnwritable as error:
            # The action is out and its `sending` row stands: the chain will tell its end.
            log.error("action=%s reply not recorded: %s", numbered.id, error)
