"""Reading the journal: rows, the head, and whether it all still holds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlite_utils import Database

from seawall.errors import JournalBroken, OperatorError
from seawall.journal.chain import Head, RawRow, Row, Verified, check
from seawall.journal.files import connect_to_read
from seawall.units import Millis

PAGE = 500  # rows read at once, so that no cursor stays open while others write
NO_END = 2**62
PRUNE = "prune"  # body: {"kinds": [...], "through": seq}
BREAK = "break"  # body: {"file": name, "row": first bad row, "reason": words, "through": seq}

COLUMNS = "seq, kind, at, prev_hash, body_hash, row_hash, body"
RAW_COLUMNS = """
    seq, cast(kind as blob), at, cast(prev_hash as blob), cast(body_hash as blob),
    cast(row_hash as blob), cast(body as blob),
    typeof(kind) = 'text' and typeof(at) = 'integer' and typeof(prev_hash) = 'text'
    and typeof(body_hash) = 'text' and typeof(row_hash) = 'text'
    and typeof(body) in ('text', 'null')
"""


def row_of(columns: tuple[int, str, int, str, str, str, str | None]) -> Row:
    """The row of one result."""
    seq, kind, at, prev_hash, body_hash, row_hash, body = columns
    return Row(
        seq=seq,
        kind=kind,
        at=Millis(at),
        prev_hash=prev_hash,
        body_hash=body_hash,
        row_hash=row_hash,
        body=body,
    )


class Reader:
    """A journal to read, up to and including row `through`."""

    def __init__(self, database: Database, path: Path | None, through: int = NO_END) -> None:
        self.path = path  # None in memory
        self._database = database
        self._through = through

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """An existing journal, without writing to it.

        Raises OperatorError where there is no file, or where it is not a journal.
        """
        place = Path(path)
        return cls(connect_to_read(place), place)

    def close(self) -> None:
        """Release the file; idempotent."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def rows(
        self, kind: str | None = None, *, after: int = 0, limit: int | None = None
    ) -> Iterator[Row]:
        """Rows after a sequence number, oldest first; of one kind, where it is given."""
        left = NO_END if limit is None else limit
        while left > 0:
            page = self._page("seq > ? and seq <= ?", (after, self._through), kind, min(left, PAGE))
            yield from page
            if len(page) < min(left, PAGE):
                return
            left -= len(page)
            after = page[-1].seq

    def newest(self, limit: int, *, kind: str | None = None) -> tuple[Row, ...]:
        """The last rows, oldest first; of one kind, where it is given."""
        page = self._page("seq <= ?", (self._through,), kind, limit, order="desc")
        return tuple(reversed(page))

    def last(self, kind: str) -> Row | None:
        """The newest row of a kind; None where there is none."""
        page = self.newest(1, kind=kind)
        return page[0] if page else None

    def get(self, seq: int) -> Row | None:
        """The row of that number; None where there is none."""
        page = self._page("seq = ? and seq <= ?", (seq, self._through), None, 1)
        return page[0] if page else None

    def head(self) -> Head:
        """Number and hash of the last row."""
        page = self.newest(1)
        return page[0].head if page else Head()

    def _page(
        self, where: str, values: tuple[int, ...], kind: str | None, limit: int, order: str = "asc"
    ) -> list[Row]:
        found: tuple[int | str, ...] = values
        if kind is not None:
            where, found = f"{where} and kind = ?", (*values, kind)
        # What was set aside may be broken in its index too.
        source = "rows" if self._through == NO_END else "rows not indexed"
        sql = f"select {COLUMNS} from {source} where {where} order by seq {order} limit ?"
        return [row_of(columns) for columns in self._database.execute(sql, (*found, limit))]

    def verify(self, *, after: int = 0, expected: Head | None = None) -> Verified:
        """Rows after a sequence number, checked one by one against the chain.

        `expected` is a head that was written down elsewhere, and must still be part of it. Raises
        JournalBroken with the first row that is changed, missing, moved or cut off.
        """
        with self._database.atomic():  # one view of it all, while others write
            return self._verify(after, expected)

    def _verify(self, after: int, expected: Head | None) -> Verified:
        start = self._start(after)
        try:
            verified, last_pruned = check(self._raw_rows(after), start)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise JournalBroken(self._first_unreadable(after), f"cannot be read: {error}") from None
        try:
            if after == 0:
                self._check_structure(verified.head)
            self._check_pruned(last_pruned)
            self._check_tail(verified.head, expected)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise damaged_around(verified.head, str(error)) from None
        return verified

    def _start(self, after: int) -> Head:
        if after == 0:
            return Head()
        row = self.get(after)
        if row is None:
            raise JournalBroken(after, "is missing")
        return row.head

    def _raw_rows(self, after: int) -> Iterator[RawRow]:
        sql = f"select {RAW_COLUMNS} from rows where seq > ? and seq <= ? order by seq"
        cursor: Iterator[RawRow] = self._database.execute(sql, (after, self._through))
        return cursor

    def _first_unreadable(self, after: int) -> int:
        seq = after
        with suppress(sqlite3.DatabaseError):
            for row in self._raw_rows(after):
                seq = row[0]
        # The cursor reads one row ahead: the last good ones are found one by one.
        with suppress(sqlite3.DatabaseError):
            while self.get(seq + 1) is not None:
                seq += 1
        return seq + 1

    def _check_structure(self, head: Head) -> None:
        """Raise where rows hold but what finds them does not: a lookup by kind might miss some."""
        (found,) = self._database.execute("pragma integrity_check(1)").fetchone()
        if found != "ok":
            raise damaged_around(head, found)

    def _check_pruned(self, last_pruned: dict[str, int]) -> None:
        """Raise where a body is gone that no prune row accounts for."""
        if not last_pruned:
            return
        through: dict[str, int] = {}
        for row in self.rows(PRUNE):
            order = json.loads(row.body or "{}")
            for kind in order.get("kinds", ()):
                through[kind] = max(through.get(kind, 0), order["through"])
        unaccounted = []
        for kind, last in last_pruned.items():
            if last > through.get(kind, 0):
                where = "body is null and seq > ? and seq <= ?"
                page = self._page(where, (through.get(kind, 0), last), kind, 1)
                unaccounted.append(page[0].seq)
        if unaccounted:
            raise JournalBroken(min(unaccounted), "its body is gone and no prune row says why")

    def _check_tail(self, head: Head, expected: Head | None) -> None:
        """Raise where rows are cut off at the end, as far as the file or `expected` knows."""
        if self._through == NO_END:
            given = self._database.execute("select seq from sqlite_sequence where name = 'rows'")
            last_given: int = next(iter(given), (0,))[0]
            if last_given > head.seq:
                raise JournalBroken(
                    head.seq + 1, f"is missing; rows up to {last_given} were written"
                )
        if expected is None or expected == Head():
            return
        if expected.seq > head.seq:
            raise JournalBroken(
                head.seq + 1, f"is missing; rows up to {expected.seq} were expected"
            )
        row = self.get(expected.seq)
        if row is None or row.row_hash != expected.hash:
            raise JournalBroken(expected.seq, "is another row than the one expected")

    def predecessor(self) -> Reader | None:
        """The verified part of the journal that this one replaced, where it replaced a broken one.

        None where it did not, or where the file set aside is gone or cannot be read at all.
        """
        first = self.get(1)
        if first is None or first.kind != BREAK or first.body is None or self.path is None:
            return None
        cited = json.loads(first.body)
        place = self.path.with_name(cited["file"])
        try:
            return Reader(connect_to_read(place), place, through=cited["through"])
        except (OperatorError, JournalBroken):
            return None


def damaged_around(head: Head, words: str) -> JournalBroken:
    """Every row holds, and yet the file cannot be trusted with the next."""
    reason = f"rows before it hold, but the file around them is damaged: {' '.join(words.split())}"
    return JournalBroken(head.seq + 1, reason)
