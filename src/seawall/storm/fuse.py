"""A guard that dies at a chosen step of its work, and a journal whose disk may be full.

Steps are what a crash can fall between: a read, a journal row, a send. Each has two, before and
after; a killed process is a `Crashed` that nothing catches.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from seawall.errors import JournalUnwritable
from seawall.journal.files import in_memory
from seawall.journal.store import Entry, Journal
from seawall.units import Millis


class Crashed(BaseException):
    """The process is dead; no handler of the guard may live through it."""


class Fuse:
    """Counts steps down once it is lit, and kills at the last."""

    def __init__(self) -> None:
        self._left: int | None = None
        self.point = ""

    @property
    def is_lit(self) -> bool:
        """Whether a death is under way."""
        return self._left is not None

    def light(self, steps: int) -> None:
        """Die at that many steps from now, at least one."""
        self._left = max(steps, 1)

    def put_out(self) -> None:
        """Live on."""
        self._left = None

    def burn(self, point: str) -> None:
        """One step; raises Crashed where it was the last."""
        if self._left is None:
            return
        self._left -= 1
        if self._left == 0:
            self._left = None
            self.point = point
            raise Crashed(point)


class FusedJournal(Journal):
    """A journal whose writer may die before and after each row, or find the disk full.

    `is_full`: neither database nor spill file takes a row. `is_spilling`: only the spill file does.
    """

    fuse: Fuse
    is_full = False
    is_spilling = False

    @classmethod
    def beside(cls, spill: Path, clock: Callable[[], Millis]) -> Self:
        """A journal in memory with a spill file on the disk."""
        return cls(in_memory(), None, spill=spill, clock=clock)

    def append_all(
        self,
        entries: Sequence[tuple[str, str]],
        *,
        durable: bool = False,
        at: Millis | None = None,
    ) -> int:
        """Add rows as a journal does; raises JournalUnwritable while the disk is full."""
        kinds = ", ".join(kind for kind, _ in entries)
        self.fuse.burn(f"before {kinds}")
        sequence = super().append_all(entries, durable=durable, at=at)
        self.fuse.burn(f"after {kinds}")
        return sequence

    def _append(self, entries: Sequence[Entry], at: Millis, *, durable: bool) -> int:
        if self.is_full:
            raise JournalUnwritable("the disk is full, and so is the spill file's")
        if self.is_spilling:
            raise sqlite3.OperationalError("database or disk is full")
        return super()._append(entries, at, durable=durable)
