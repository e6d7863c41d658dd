"""The spill file: rows that the database would not take, one JSON object a line.

The lines continue the database's chain from the last head that was known, so they can be merged
back unchanged when nobody else wrote meanwhile. Writers take turns by a lock on the file itself.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from seawall.journal.chain import Head, Row, body_hash_of, follow, row_hash_of
from seawall.units import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """What a spill file holds: its rows, the bytes they take, and why what follows is none.

    `fault` is None where nothing follows, or only a line whose writing was cut short: that row was
    never acknowledged to anybody.
    """

    rows: tuple[Row, ...] = ()
    length: int = 0
    fault: str | None = None


class Spill:
    """A spill file by its path; it is empty or absent unless rows wait in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = Head()  # the last line of the file, while it has the length below
        self._length = 0

    def append(self, head: Head, entries: Iterable[tuple[str, str]], at: Millis) -> Head:
        """Put rows (kind, body) on disk after what waits, or after `head` where nothing does.

        All or none, as far as this process lives; the head after them. Raises OSError.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked() as file:
            if self._length == 0 or os.fstat(file.fileno()).st_size != self._length:
                lines = self._read(file)
                self._known = lines.rows[-1].head if lines.rows else head
                self._length = lines.length
            known, text = self._known, b""
            for kind, body in entries:
                row = follow(known, kind, at, body)
                text += json.dumps(asdict(row)).encode() + b"\n"
                known = row.head
            try:
                _write_at(file, self._length, text)
            except OSError:
                os.ftruncate(file.fileno(), self._length)  # no row of an unfinished batch stays
                raise
            self._known, self._length = known, self._length + len(text)
        return known

    def lines(self) -> Lines:
        """What waits; nothing where there is no file. Raises OSError."""
        return read_lines(self.path.read_bytes()) if self.path.exists() else Lines()

    @contextmanager
    def taken(self) -> Iterator[Lines]:
        """What waits, for a merge; the file is emptied on leaving, unless the merge raises."""
        with self._locked() as file:
            yield self._read(file)
            file.truncate(0)
            os.fsync(file.fileno())
            self._length = 0

    def _read(self, file: BinaryIO) -> Lines:
        """What is in the file; whatever does not verify is kept in a file beside it and cut off."""
        content = file.read()
        lines = read_lines(content)
        if lines.fault is not None:
            aside = self.path.with_name(f"{self.path.name}.broken-{len(lines.rows) + 1}")
            aside.write_bytes(content)
        file.truncate(lines.length)
        return lines

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield file


def _write_at(file: BinaryIO, offset: int, lines: bytes) -> None:
    """Write past the buffer, so that a failed write leaves nothing to be written on closing."""
    written = 0
    while written < len(lines):
        written += os.pwrite(file.fileno(), lines[written:], offset + written)
    os.fsync(file.fileno())


def read_lines(content: bytes) -> Lines:
    """The rows of a spill file, up to the first line that does not verify."""
    rows: list[Row] = []
    length = 0
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        row = _row_of(line)
        if row is None or (rows and (row.prev_hash, row.seq) != _next(rows[-1])):
            fault = f"line {number} of the spill file does not verify"
            return Lines(rows=tuple(rows), length=length, fault=fault)
        rows.append(row)
        length += len(line) + 1
    return Lines(rows=tuple(rows), length=length)


def _next(row: Row) -> tuple[str, int]:
    return row.row_hash, row.seq + 1


def _row_of(line: bytes) -> Row | None:
    """The row of a line; None where it is no row or its hashes do not hold."""
    try:
        row = Row(**json.loads(line))
    except (ValueError, TypeError):
        return None
    if row.body is None or body_hash_of(row.body) != row.body_hash:
        return None
    hashed = row_hash_of(row.prev_hash, row.seq, row.kind, row.at, row.body_hash)
    return row if hashed == row.row_hash else None
