"""Journals to test with."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from seawall.errors import JournalBroken
from seawall.journal.chain import Head, Verified
from seawall.journal.queries import Reader
from seawall.journal.store import Journal
from seawall.units import Millis

COLUMNS = ("seq", "kind", "at", "prev_hash", "body_hash", "row_hash", "body")


def clock() -> Millis:
    """A clock that stands."""
    return Millis(1_700_000_000_000)


def journal_of(path: Path | str, *bodies: str, kind: str = "tick") -> Journal:
    """A journal with a row for each body."""
    journal = Journal.open(path, clock=clock)
    for body in bodies:
        journal.append(kind, body)
    return journal


def closed_journal_of(path: Path, *bodies: str) -> Path:
    """The file of a journal with a row for each body, with nothing left in a log beside it."""
    journal_of(path, *bodies).close()
    return path


def change(path: Path, sql: str, *values: object) -> None:
    """Change the file behind the journal's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma synchronous = off")
        connection.execute(sql, values)


def broken_row(path: Path, expected: Head | None = None) -> int | None:
    """The row that a verification names; None where everything holds."""
    with Reader.open(path) as reader:
        try:
            reader.verify(expected=expected)
        except JournalBroken as broken:
            return broken.sequence
    return None


def verified(path: Path) -> Verified:
    """What a verification finds."""
    with Reader.open(path) as reader:
        return reader.verify()
