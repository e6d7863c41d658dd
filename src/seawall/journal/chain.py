"""The hash chain: what a row is, and what must hold between it and the row before it.

    body_hash = sha256(body)
    row_hash  = sha256(prev_hash | seq | kind | at | body_hash)

Every stored column goes into the row's hash, directly or as its own hash, so one changed byte of
any of them is noticed; a body that was pruned leaves its hash behind. The chain shows that nothing
was altered, left out or put elsewhere. It cannot show that the last rows were cut off: for that
give a head that was written down elsewhere (heartbeat, page).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from seawall.errors import JournalBroken
from seawall.units import Millis

GENESIS = "0" * 64  # what the first row follows
KIND = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The last row of a journal: its number and hash; 0 and GENESIS where there is no row."""

    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row as stored; `at` is when it was written, and `body` is None once it was pruned."""

    seq: int
    kind: str
    at: Millis
    prev_hash: str
    body_hash: str
    row_hash: str
    body: str | None

    @property
    def head(self) -> Head:
        """This row as the head of everything up to it."""
        return Head(seq=self.seq, hash=self.row_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a verification covered: rows, bodies pruned among them, and the head it reached."""

    rows: int
    pruned: int
    head: Head


def body_hash_of(body: str) -> str:
    """Hash of a body, in hex."""
    return sha256(body.encode()).hexdigest()


def row_hash_of(prev_hash: str, seq: int, kind: str, at: int, body_hash: str) -> str:
    """Hash of a row, in hex."""
    return sha256(f"{prev_hash}|{seq}|{kind}|{at}|{body_hash}".encode()).hexdigest()


def follow(head: Head, kind: str, at: Millis, body: str) -> Row:
    """The row that follows a head."""
    assert KIND.fullmatch(kind), kind
    body_hash = body_hash_of(body)
    return Row(
        seq=head.seq + 1,
        kind=kind,
        at=at,
        prev_hash=head.hash,
        body_hash=body_hash,
        row_hash=row_hash_of(head.hash, head.seq + 1, kind, at, body_hash),
        body=body,
    )


# A row as bytes, straight from the disk: seq, kind, at, prev_hash, body_hash, row_hash, body (None
# where pruned), and whether every column still has the type it was written with.
RawRow = tuple[int, bytes, int, bytes, bytes, bytes, bytes | None, int]


def check(rows: Iterable[RawRow], start: Head) -> tuple[Verified, dict[str, int]]:
    """What a run of rows after `start` amounts to, and the last pruned row of each kind.

    Raises JournalBroken naming the first row that does not follow. Rows are compared as bytes,
    because text that cannot be decoded is one of the things to find.
    """
    last, previous = start.seq, start.hash.encode()
    pruned = 0
    last_pruned: dict[str, int] = {}
    for seq, kind, at, prev_hash, body_hash, row_hash, body, has_types in rows:
        last += 1
        if seq != last:
            raise JournalBroken(last, f"is missing; row {seq} comes after row {last - 1}")
        if not has_types:
            raise JournalBroken(seq, "a column has another type than it was written with")
        if prev_hash != previous:
            raise JournalBroken(seq, f"does not follow row {seq - 1}: prev_hash differs")
        words = b"%b|%d|%b|%d|%b" % (prev_hash, seq, kind, at, body_hash)
        if sha256(words).hexdigest().encode() != row_hash:
            raise JournalBroken(seq, "row_hash is not the hash of its columns")
        if body is None:
            pruned += 1
            last_pruned[kind.decode()] = seq
        elif sha256(body).hexdigest().encode() != body_hash:
            raise JournalBroken(seq, "body_hash is not the hash of its body")
        previous = row_hash
    head = Head(seq=last, hash=previous.decode())
    return Verified(rows=last - start.seq, pruned=pruned, head=head), last_pruned
