"""The guard, once: observe -> decide -> record -> act -> record.

An action is in the journal before it is sent: no trace, no act. What was decided is remembered as
if it had been sent, so that a crash in between costs a window and never doubles a cut.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Self

from seawall import __version__
from seawall.account import Blind, Seen
from seawall.decide import decide
from seawall.decide.idle import idle_until
from seawall.decide.memory import Command, Decision, Memory, Message, Numbered, Urgency
from seawall.errors import JournalUnwritable, OperatorError
from seawall.journal.codec import from_json, to_json
from seawall.journal.queries import Reader
from seawall.journal.store import Journal
from seawall.policy import Mode, Policy
from seawall.units import MINUTE, Millis
from seawall.venue import Reply, Venue

log = logging.getLogger(__name__)

STORE_EVERY = MINUTE  # of block time, where nothing happens
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
    ) -> None:
        self.venue = venue
        self.journal = journal
        self.policy = policy
        self.digest = digest
        self.mode = mode
        self.memory = memory or Memory()
        self._commands_through = commands_through
        self._family = family
        self._stored_at: Millis | None = None
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
        journal.append(Kind.START, to_json(start), durable=True)
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
        seen = await self.venue.observe()
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
        rows = self.journal.rows(Kind.COMMAND, after=self._commands_through)
        commands, through = [], self._commands_through
        for row in rows:
            assert row.body is not None
            commands.append(from_json(Command, row.body))
            through = row.seq
        return tuple(commands), through

    def _record(self, row: TickRow) -> None:
        """Write the tick where it matters, its outcomes and messages, and what will be sent."""
        decision = row.decision
        at = decision.at if decision.at is not None else decision.seen_at
        self._record_family(row.seen, at)
        is_due = self._stored_at is None or at - self._stored_at >= STORE_EVERY
        if not decision.is_eventful and not is_due:
            return
        self.journal.append(Kind.TICK, to_json(row), at=at)
        for outcome in decision.outcomes:
            self.journal.append(Kind.OUTCOME, to_json(outcome), at=at)
        for message in decision.messages:
            self.journal.append(Kind.MESSAGE, to_json(message), at=at)
            log.warning("tick=%d %s %s", decision.tick, message.urgency, message.text)
        for numbered in decision.actions:
            is_last = numbered is decision.actions[-1]  # its commit carries those before it
            self.journal.append(Kind.SENDING, to_json(numbered), durable=is_last, at=at)
        self._stored_at = at

    def _record_family(self, seen: Seen, at: Millis) -> None:
        """Write down subaccounts that were not known before."""
        if isinstance(seen, Blind):
            return
        family = tuple(sorted({*self._family, *(s.number for s in seen.subaccounts)}))
        if family != self._family:
            row = FamilyRow(owner=seen.owner, numbers=family)
            self.journal.append(Kind.FAMILY, to_json(row), durable=True, at=at)
            self._family = family

    async def _act(self, decision: Decision) -> None:
        """Send the actions in order, and write down what was said to each; nothing on paper."""
        if self.mode is not Mode.LIVE:
            return
        for numbered in decision.actions:
            reply = await self.venue.send(numbered.action)
            self._note_reply(decision, numbered, reply)

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
    """Memory after the last recorded tick, and the last command row it obeyed."""
    row = journal.last(Kind.TICK)
    if row is None and (predecessor := journal.predecessor()) is not None:
        row = predecessor.last(Kind.TICK)
    if row is None or row.body is None:
        return Memory(), 0
    tick = from_json(TickRow, row.body)
    return tick.after, tick.commands_through
