"""Rows that the guard writes into the journal and reads from it: their kinds and their bodies."""

from __future__ import annotations

from dataclasses import dataclass

from seawall.account import Seen
from seawall.decide.memory import Decision, Memory, Message, Report, Urgency
from seawall.journal.codec import to_json
from seawall.journal.store import Entry
from seawall.policy import Mode, Policy
from seawall.venue import Reply


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


def told(message: Message) -> list[Entry]:
    """The rows of a message that no tick has said; a page is repeated by the ticks to come."""
    rows = [(Kind.MESSAGE, to_json(message))]
    if message.urgency is Urgency.PAGE:
        rows.append((Kind.COMMAND, to_json(Report(key=message.key, text=message.text))))
    return rows
