"""A row's hash holds every column of it."""

from __future__ import annotations

from hashlib import sha256

import pytest

from seawall.errors import JournalBroken
from seawall.journal.chain import GENESIS, Head, RawRow, check, follow
from seawall.units import Millis


def raw(body: str | None, *, after: Head, seq: int | None = None) -> RawRow:
    row = follow(after, "tick", Millis(5), body or "")
    return (
        row.seq if seq is None else seq,
        row.kind.encode(),
        row.at,
        row.prev_hash.encode(),
        row.body_hash.encode(),
        row.row_hash.encode(),
        None if body is None else body.encode(),
        1,
    )


def test_a_row_hash_is_made_of_the_previous_hash_and_all_columns() -> None:
    body = '{"what":"é"}'

    row = follow(Head(seq=4, hash="ab" * 32), "sending", Millis(17), body)

    body_hash = sha256(body.encode()).hexdigest()
    words = f"{'ab' * 32}|5|sending|17|{body_hash}"
    assert (row.seq, row.prev_hash, row.body_hash) == (5, "ab" * 32, body_hash)
    assert row.row_hash == sha256(words.encode()).hexdigest()
    assert row.head == Head(seq=5, hash=row.row_hash)


def test_the_first_row_follows_genesis() -> None:
    row = follow(Head(), "start", Millis(0), "{}")

    assert (row.seq, row.prev_hash) == (1, GENESIS)


@pytest.mark.parametrize("kind", ["", "Tick", "a|b", "1st", "a b"])
def test_a_kind_is_one_lower_case_word(kind: str) -> None:
    with pytest.raises(AssertionError):
        follow(Head(), kind, Millis(0), "{}")


def test_no_rows_hold() -> None:
    found, pruned = check([], Head())

    assert (found.rows, found.pruned, found.head, pruned) == (0, 0, Head(), {})


def test_a_pruned_row_counts_and_is_told_by_kind() -> None:
    first = raw(None, after=Head())
    head = Head(seq=1, hash=first[5].decode())

    found, pruned = check([first, raw("{}", after=head)], Head())

    assert (found.rows, found.pruned, pruned) == (2, 1, {"tick": 1})


def test_a_number_given_twice_is_named() -> None:
    first = raw("{}", after=Head())

    with pytest.raises(JournalBroken) as broken:
        check([first, first], Head())

    assert broken.value.sequence == 2
