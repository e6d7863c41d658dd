"""Everything Seawall raises on purpose.

SeawallError
├── OperatorError          the operator's file or argument is refused            exit 2
│   ├── RuleFileError      every problem of a rule file at once
│   ├── SettingsError      seawall.toml, environment or secret file
│   ├── PriceFileError     a candle file or scenario that cannot be played
│   └── NoSuchSubaccount   the chain has never seen this subaccount
├── NotArmed               a rule set that would act at once was not armed       exit 3
├── VenueError             the world failed                                      exit 4
│   ├── VenueUnreachable   no answer within the deadline
│   ├── TornState          answers of more than one height
│   ├── MissingParameter   a price of zero or a parameter that is not there
│   ├── MalformedAnswer    what came back is not what was promised
│   └── Rejected           the chain answered with a code
└── JournalError           the journal cannot be trusted or written              exit 1
    ├── JournalBroken      a row does not verify
    ├── JournalUnreadable  rows cannot be read now
    └── JournalUnwritable  neither journal nor spill file takes a row

Refusals of `limits` are not here: they are values (see action.Refusal).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SeawallError(Exception):
    """The root; `exit_code` is what the command line returns when nobody handles it."""

    exit_code = 1


class OperatorError(SeawallError):
    """The operator's file or argument is refused; the message names what is allowed."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault in an operator's file, at its line and column (both from 1)."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.message}"


class RuleFileError(OperatorError):
    """A rule file is refused whole; `problems` lists every fault in order of lines."""

    def __init__(self, problems: Sequence[Problem], consequence: str) -> None:
        self.problems = tuple(problems)
        self.consequence = consequence
        super().__init__("\n".join([*(str(p) for p in self.problems), consequence]))


class SettingsError(OperatorError):
    """A setting is missing, malformed, or a secret file is readable by others."""


class PriceFileError(OperatorError):
    """A price path cannot be played; the message names file and line."""


class NoSuchSubaccount(OperatorError):
    """The chain holds nothing for this owner and number."""


class NotArmed(SeawallError):
    """A rule set that would act at once stays out until it is armed."""

    exit_code = 3


class VenueError(SeawallError):
    """The venue did not give what was asked for."""

    exit_code = 4


class VenueUnreachable(VenueError):
    """No answer within the deadline, or the transport refused."""


class TornState(VenueError):
    """Reads that belong together came from different heights."""


class MissingParameter(VenueError):
    """A price of zero or a parameter that the chain did not give."""


class MalformedAnswer(VenueError):
    """A node, indexer or feed said something that cannot be read; the message names the field."""


class Rejected(VenueError):
    """The chain answered a transaction with a code; it means something only with its codespace."""

    def __init__(self, code: int, codespace: str, log: str) -> None:
        self.code = code
        self.codespace = codespace
        self.log = log
        super().__init__(f"{codespace} {code}: {log}")


class JournalError(SeawallError):
    """The journal cannot be trusted or written."""


class JournalBroken(JournalError):
    """A row does not verify; `sequence` names the first one."""

    def __init__(self, sequence: int, reason: str) -> None:
        self.sequence = sequence
        self.reason = reason
        super().__init__(f"row {sequence}: {reason}")


class JournalUnreadable(JournalError):
    """Rows cannot be read now: the file is held, damaged or gone."""


class JournalUnwritable(JournalError):
    """Neither the journal nor its spill file takes a row: no trace, no act."""
