"""Rows that the guard writes into the journal and reads from it: their kinds and their bodies."""

from __future__ import annotations

from dataclasses import dataclass

from seawall.account import Seen
from seawall.decide.memory import Decision, Memory
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
