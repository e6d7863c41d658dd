"""A guard that dies at a chosen step of its work, and a journal whose disk may be full.

Steps are what a crash can fall between: a read, a journal row, a send. Each has two, before and
after; a killed process is a `Crashed` that nothing catches.
"""

from __future__ import annotations

from collections.abc import Sequence

from seawall.errors import JournalUnwritable
from seawall.journal.store import Journal
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
    """A journal whose writer may die before and after each row, or find the disk full."""

    fuse: Fuse
    is_full = False

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
        if self.is_full:
            raise JournalUnwritable("the disk is full, and so is the spill file's")
        sequence = super().append_all(entries, durable=durable, at=at)
        self.fuse.burn(f"after {kinds}")
        return sequence
