"""Writing the journal: the only door to the world, for the guard and for every command.

Who writes takes the database's write lock, reads the head, and adds the row that follows it, so the
guard and any number of commands share one chain. Where the database does not take a row, it goes to
the spill file and is merged back later; where neither does, JournalUnwritable: no trace, no act.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import Self

from sqlite_utils import Database

from seawall.errors import JournalBroken, JournalUnreadable, JournalUnwritable, OperatorError
from seawall.journal.chain import GENESIS, Head, Row, Verified, follow
from seawall.journal.files import (
    PATIENCE_MS,
    connect_to_read,
    connect_to_write,
    file_id,
    in_memory,
    is_damage,
    set_aside,
)
from seawall.journal.queries import BREAK, COLUMNS, PRUNE, Reader, damaged_around
from seawall.journal.spill import Spill
from seawall.units import Millis

MEMORY = ":memory:"
SPILLED = "spilled"  # body: {"rows": n, "first": seq, "was": seq, "fault": words, "head": hash}
PATIENCE_SPILLING_MS = 20  # once the database has failed, a tick must not wait for it
SMALL = 20_000  # rows that are verified whole at start
TAIL = 10_000  # rows that are verified at start of a larger one
Entry = tuple[str, str]  # kind and body of a row to be written
INSERT = f"insert into rows ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?)"


def wall_clock() -> Millis:
    """Now, in milliseconds of Unix time."""
    return Millis(time.time_ns() // 1_000_000)


class Journal(Reader):
    """A journal to write. `clock` gives `at` where a caller does not."""

    def __init__(
        self,
        database: Database,
        path: Path | None,
        *,
        spill: Path | None = None,
        clock: Callable[[], Millis] = wall_clock,
    ) -> None:
        super().__init__(database, path)
        self._clock = clock
        self._spill = None if spill is None else Spill(spill)
        self._turn = threading.Lock()
        self._is_full = False  # whether the last commit waited for the disk
        self._file_id = None if path is None else file_id(path)
        self.failure: str | None = None  # why rows go to the spill file; None while none do
        self.refusal: str | None = None  # why neither took the last rows; None where one did

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        spill: Path | None = None,
        clock: Callable[[], Millis] = wall_clock,
    ) -> Self:
        """The guard's journal: made where there is none, verified at its tail, whole when small.

        One that does not verify is renamed and kept, and a new one begins whose first row cites
        the break; `predecessor` gives the verified rows. One that cannot be written is read, and
        `failure` says why rows go to the spill file. Raises OperatorError where the path holds
        something else, JournalUnwritable where nothing can be made there and no spill file is set.
        """
        if str(path) == MEMORY:
            return cls(in_memory(), None, clock=clock)
        place = Path(path)
        try:
            journal = cls(connect_to_write(place), place, spill=spill, clock=clock)
        except JournalBroken as broken:
            return cls._begin_after(broken, place, spill, clock)
        except JournalUnwritable as error:
            if spill is None:
                raise
            return cls._without_database(str(error), place, spill, clock)
        try:
            journal._verify_tail()
            journal._try_writing()
        except JournalBroken as broken:
            journal.close()
            return cls._begin_after(broken, place, spill, clock)
        journal._merge_if_possible()
        return journal

    @classmethod
    def join(
        cls,
        path: Path | str,
        *,
        spill: Path | None = None,
        clock: Callable[[], Millis] = wall_clock,
    ) -> Self:
        """An existing journal for a command that adds a row beside a running guard.

        Nothing is verified, made or renamed. Raises OperatorError where there is no journal.
        """
        place = Path(path)
        Reader.open(place).close()
        return cls(connect_to_write(place), place, spill=spill, clock=clock)

    @classmethod
    def _begin_after(
        cls, broken: JournalBroken, place: Path, spill: Path | None, clock: Callable[[], Millis]
    ) -> Self:
        """A new journal whose first row cites the break of the one now set aside."""
        broken = _first_break(place) or broken
        aside = set_aside(place, broken.sequence)
        journal = cls(connect_to_write(place), place, spill=spill, clock=clock)
        cited = {
            "file": aside.name,
            "row": broken.sequence,
            "reason": str(broken),
            "through": broken.sequence - 1,
        }
        journal.append(BREAK, json.dumps(cited), durable=True)
        journal._merge_if_possible()
        return journal

    @classmethod
    def _without_database(
        cls, failure: str, place: Path, spill: Path, clock: Callable[[], Millis]
    ) -> Self:
        """A journal whose rows all go to the spill file; what can still be read is read."""
        try:
            database = connect_to_read(place)
        except OperatorError:
            database = in_memory()
        journal = cls(database, place, spill=spill, clock=clock)
        journal._file_id = None
        journal.failure = failure
        return journal

    def now(self) -> Millis:
        """The moment by the journal's clock."""
        return self._clock()

    def append(
        self, kind: str, body: str, *, durable: bool = False, at: Millis | None = None
    ) -> int:
        """Add a row and return its sequence number; `durable` waits until the disk has it.

        Raises JournalUnwritable where neither database nor spill file takes it.
        """
        return self.append_all(((kind, body),), durable=durable, at=at)

    def append_all(
        self, entries: Sequence[Entry], *, durable: bool = False, at: Millis | None = None
    ) -> int:
        """Add rows that belong together, all or none, and return the number of the last.

        Raises JournalUnwritable where neither database nor spill file takes them.
        """
        assert entries
        at = self.now() if at is None else at
        with self._turn:
            try:
                seq = self._append(entries, at, durable=durable)
            except sqlite3.DatabaseError as error:
                seq = self._append_to_spill(entries, at, error)
            self.refusal = None
            return seq

    def prune(self, *, before: Millis, kinds: Collection[str]) -> int:
        """Drop the bodies of rows of these kinds written before a moment; returns how many.

        Hashes stay, and a row in the same transaction says what was pruned. Raises
        JournalUnwritable where the database does not take it; nothing is lost then.
        """
        try:
            with self._turn, self._transaction(durable=False):
                return self._prune(before, kinds)
        except sqlite3.DatabaseError as error:
            raise JournalUnwritable(f"{self.path}: {error}; nothing was pruned") from error

    def _prune(self, before: Millis, kinds: Collection[str]) -> int:
        (kept,) = self._database.execute(
            "select min(seq) from rows where at >= ?", (before,)
        ).fetchone()
        through = self._last().seq if kept is None else kept - 1
        marks = ", ".join("?" * len(kinds))
        dropped = self._database.execute(
            "update rows set body = null "
            f"where seq <= ? and body is not null and kind in ({marks})",
            (through, *kinds),
        ).rowcount
        if dropped:
            body = json.dumps({"kinds": sorted(kinds), "through": through, "rows": dropped})
            self._insert(follow(self._last(), PRUNE, self._clock(), body))
        return dropped

    def verify(self, *, after: int = 0, expected: Head | None = None) -> Verified:
        """As a reader would, over a connection of its own: rows may be added meanwhile."""
        if self.path is None:
            with self._turn:
                return super().verify(after=after, expected=expected)
        with Reader.open(self.path) as reader:
            return reader.verify(after=after, expected=expected)

    def rows(
        self, kind: str | None = None, *, after: int = 0, limit: int | None = None
    ) -> Iterator[Row]:
        """Rows after a sequence number, those that still wait in the spill file at the end.

        Raises JournalUnreadable where either cannot be read now.
        """
        try:
            waiting = (r for r in self._waiting() if r.seq > after and kind in (None, r.kind))
            yield from islice(chain(super().rows(kind, after=after), waiting), limit)
        except (sqlite3.DatabaseError, OSError) as error:
            raise JournalUnreadable(f"{self.path}: {error}") from error

    def last(self, kind: str) -> Row | None:
        """The newest row of a kind, rows that still wait in the spill file included.

        Raises JournalUnreadable where either cannot be read now.
        """
        try:
            for row in reversed(self._waiting()):
                if row.kind == kind:
                    return row
            return super().last(kind)
        except (sqlite3.DatabaseError, OSError) as error:
            raise JournalUnreadable(f"{self.path}: {error}") from error

    def head(self) -> Head:
        """Number and hash of the last row, rows that still wait in the spill file included."""
        waiting = self._waiting()
        return waiting[-1].head if waiting else super().head()

    def _waiting(self) -> tuple[Row, ...]:
        if self._spill is None or self.failure is None:
            return ()
        return self._spill.lines().rows

    def _last(self) -> Head:
        found = self._database.execute("select seq, row_hash from rows order by seq desc limit 1")
        seq, row_hash = found.fetchone() or (0, GENESIS)
        return Head(seq=seq, hash=row_hash)

    def _insert(self, row: Row) -> None:
        self._database.execute(
            INSERT,
            (row.seq, row.kind, row.at, row.prev_hash, row.body_hash, row.row_hash, row.body),
        )

    def _append(self, entries: Sequence[Entry], at: Millis, *, durable: bool) -> int:
        if self.failure is not None:
            with suppress(OSError):  # a lost spill disk must not keep new rows out
                self._merge()
        with self._transaction(durable=durable):
            head = self._last()
            for kind, body in entries:
                row = follow(head, kind, at, body)
                self._insert(row)
                head = row.head
        return head.seq

    @contextmanager
    def _transaction(self, *, durable: bool) -> Iterator[Database]:
        if self.path is not None and (self._file_id is None or file_id(self.path) != self._file_id):
            raise sqlite3.OperationalError("the file that was opened is no longer there")
        if durable is not self._is_full:
            self._database.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
            self._is_full = durable
        try:
            self._database.execute("begin immediate")
            yield self._database
            self._database.execute("commit")
        except BaseException:
            self._database.rollback()
            raise

    def _append_to_spill(self, entries: Sequence[Entry], at: Millis, error: Exception) -> int:
        where = f"{self.path}: {error}"
        if self._spill is None:
            self.refusal = (
                f"{where}; no spill file is set: name one on another disk as journal.spill"
            )
            raise JournalUnwritable(self.refusal) from error
        try:
            head = self._spill.append(self._known_head(), entries, at)
        except OSError as spill_error:
            self.refusal = f"{where}; and the spill file {self._spill.path}: {spill_error}"
            raise JournalUnwritable(self.refusal) from spill_error
        self._begin_failure(str(error))
        return head.seq

    def _known_head(self) -> Head:
        try:
            return self._last()
        except sqlite3.DatabaseError:
            return Head()

    def _begin_failure(self, reason: str) -> None:
        self.failure = reason
        self._database.execute(f"pragma busy_timeout = {PATIENCE_SPILLING_MS}")

    def _merge_if_possible(self) -> None:
        """Take in what an earlier run left in the spill file; where that fails it waits on."""
        if self._spill is None or not self._spill.path.exists():
            return
        try:
            self._merge()
        except (sqlite3.DatabaseError, OSError) as error:
            self._begin_failure(str(error))

    def _merge(self) -> None:
        """Move the spilled rows into the database, with one row that says so."""
        assert self._spill is not None
        with self._spill.taken() as lines, self._transaction(durable=True):
            if lines.rows and not self._is_merged(lines.rows[-1].row_hash):
                was = lines.rows[0].seq
                head = self._last()
                first = head.seq + 1
                for spilled in lines.rows:
                    assert spilled.body is not None
                    row = follow(head, spilled.kind, spilled.at, spilled.body)
                    self._insert(row)
                    head = row.head
                told = {"rows": len(lines.rows), "first": first, "was": was, "fault": lines.fault}
                body = json.dumps(told | {"head": lines.rows[-1].row_hash})
                self._insert(follow(head, SPILLED, self._clock(), body))
        self.failure = None
        self._database.execute(f"pragma busy_timeout = {PATIENCE_MS}")

    def _is_merged(self, spill_head: str) -> bool:
        """Whether a crash came between the merge of these rows and the emptying of their file."""
        row = Reader.last(self, SPILLED)
        return (
            row is not None and row.body is not None and json.loads(row.body)["head"] == spill_head
        )

    def _verify_tail(self) -> None:
        try:
            last = Reader.head(self).seq
        except sqlite3.DatabaseError as error:
            raise JournalBroken(1, f"cannot be read: {error}") from None
        self.verify(after=0 if last <= SMALL else last - TAIL)

    def _try_writing(self) -> None:
        """Write a row and take it back: damage may show only then. Other failures can wait."""
        with suppress(_TakenBack):
            try:
                with self._transaction(durable=False):
                    self._insert(follow(self._last(), "trial", Millis(0), ""))
                    raise _TakenBack
            except sqlite3.DatabaseError as error:
                if is_damage(error):
                    raise damaged_around(self._last(), str(error)) from None


class _TakenBack(Exception):
    """A transaction that is not wanted."""


def _first_break(place: Path) -> JournalBroken | None:
    """The first row of a whole journal that does not verify; None where it cannot be told."""
    try:
        with Reader.open(place) as reader:
            reader.verify()
    except JournalBroken as broken:
        return broken
    except OperatorError:
        return None
    return None
