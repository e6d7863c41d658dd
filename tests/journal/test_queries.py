"""Whatever is changed in a journal, verification fails and names the row."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.errors import JournalBroken, JournalUnwritable, OperatorError
from seawall.journal.chain import Head, Row, follow
from seawall.journal.queries import PAGE, Reader
from seawall.journal.store import Journal
from seawall.units import Millis
from tests.journal.journals import (
    COLUMNS,
    broken_row,
    change,
    clock,
    closed_journal_of,
    journal_of,
    verified,
)


def versions(value: int | str) -> Iterator[int | str]:
    """The value with one byte of its text changed, for every byte."""
    text = str(value)
    for place, letter in enumerate(text):
        changed = text[:place] + chr(ord(letter) ^ 1) + text[place + 1 :]
        yield int(changed) if isinstance(value, int) else changed


def test_one_changed_byte_of_any_column_of_any_row_is_named(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", *(f'{{"n":{n}}}' for n in range(4)))
    with Reader.open(path) as reader:
        rows = list(reader.rows())

    for row in rows:
        for column in COLUMNS[1:]:
            value = getattr(row, column)
            for changed in versions(value):
                change(path, f"update rows set {column} = ? where seq = ?", changed, row.seq)
                assert broken_row(path) == row.seq, (row.seq, column, changed)
            change(path, f"update rows set {column} = ? where seq = ?", value, row.seq)
    assert broken_row(path) is None


def test_a_changed_number_is_named(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}", "{}", "{}")

    for seq in (1, 2, 3):
        change(path, "update rows set seq = 9 where seq = ?", seq)
        assert broken_row(path) == seq
        change(path, "update rows set seq = ? where seq = 9", seq)
        change(path, "update sqlite_sequence set seq = 3")
    assert broken_row(path) is None


@pytest.mark.parametrize("column", ["kind", "prev_hash", "body_hash", "row_hash", "body"])
def test_text_that_became_bytes_is_named(tmp_path: Path, column: str) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}", "{}")

    change(path, f"update rows set {column} = cast({column} as blob) where seq = 2")

    assert broken_row(path) == 2


def test_a_time_that_became_text_is_named(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}", "{}")

    change(path, "update rows set at = 'noon' where seq = 2")

    assert broken_row(path) == 2


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}", "{}")

    change(path, "update rows set body = cast(x'ff' as text) where seq = 2")

    assert broken_row(path) == 2


def test_a_missing_row_is_named(tmp_path: Path) -> None:
    for seq in (1, 2, 3):
        path = closed_journal_of(tmp_path / f"{seq}.db", "{}", "{}", "{}")
        change(path, "delete from rows where seq = ?", seq)
        assert broken_row(path) == seq


def test_two_rows_that_changed_places_are_named(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}", "{}", "{}")

    change(path, "update rows set seq = case seq when 2 then -3 else -2 end where seq > 1")
    change(path, "update rows set seq = -seq where seq < 0")

    assert broken_row(path) == 2


def rewrite(path: Path, row: Row) -> None:
    """Put a row in the place of the one with its number."""
    columns = ", ".join(f"{column} = ?" for column in COLUMNS)
    values = [getattr(row, column) for column in COLUMNS]
    change(path, f"update rows set {columns} where seq = {row.seq}", *values)


def test_a_row_rewritten_with_good_hashes_is_not_followed_by_the_next(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}", "{}", "{}")
    with Reader.open(path) as reader:
        first = reader.get(1)
    assert first is not None

    rewrite(path, follow(first.head, "tick", clock(), "[]"))
    assert broken_row(path) == 3

    rewrite(path, follow(Head(seq=1, hash="0" * 64), "tick", clock(), "{}"))
    assert broken_row(path) == 2


def test_a_tail_cut_off_without_a_trace_is_missed_only_without_a_head(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}", "{}", "{}")
    with Reader.open(path) as reader:
        written_down = reader.head()

    change(path, "delete from rows where seq > 1")
    change(path, "update sqlite_sequence set seq = 1")

    assert broken_row(path) is None
    assert broken_row(path, expected=written_down) == 2


def test_a_journal_rewritten_with_good_hashes_is_not_the_one_expected(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}", "{}")
    with Reader.open(path) as reader:
        written_down = reader.head()
    forged = closed_journal_of(tmp_path / "forged.db", "{}", "[]", "{}")

    assert broken_row(forged) is None
    assert broken_row(forged, expected=written_down) == 2


def test_an_older_head_is_still_part_of_the_chain(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "journal.db", "{}", "{}")
    written_down = journal.head()
    journal.append("tick", "{}")

    assert journal.verify(expected=written_down).head.seq == 3
    assert journal.verify(expected=Head()).head.seq == 3


def test_verification_may_begin_anywhere(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}", "{}", "{}", "{}")
    change(path, "update rows set body = '[]' where seq = 2")

    with Reader.open(path) as reader:
        assert reader.verify(after=2).rows == 2
        with pytest.raises(JournalBroken) as broken:
            reader.verify(after=1)
        assert broken.value.sequence == 2
        with pytest.raises(JournalBroken):
            reader.verify(after=9)


FILE_ROWS = tuple(f'{{"n":{n},"words":"{"x" * 90}"}}' for n in range(60))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return closed_journal_of(tmp_path_factory.mktemp("whole") / "journal.db", *FILE_ROWS)


def read(path: Path) -> list[Row] | None:
    """The rows of a file that verifies; None where it does not."""
    try:
        with Reader.open(path) as reader:
            reader.verify()
            return list(reader.rows())
    except (JournalBroken, OperatorError):
        return None


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=300)
def test_no_flipped_bit_of_the_file_changes_a_row_that_verifies(
    whole: Path, place: float, bit: int
) -> None:
    content = bytearray(whole.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    flipped = whole.with_name("flipped.db")
    flipped.write_bytes(content)

    rows = read(flipped)

    assert rows is None or rows == read(whole)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=60)
def test_with_any_flipped_bit_the_guard_has_a_journal_that_verifies_or_refuses(
    whole: Path, place: float, bit: int
) -> None:
    content = bytearray(whole.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    with TemporaryDirectory() as folder:
        flipped = Path(folder) / "journal.db"
        flipped.write_bytes(content)

        with suppress(OperatorError, JournalUnwritable), Journal.open(flipped) as journal:
            journal.append("tick", "{}")
            journal.verify()


def test_a_page_that_cannot_be_read_is_named_by_its_first_row(whole: Path) -> None:
    broken = Path(shutil.copy(whole, whole.with_name("torn.db")))
    content = bytearray(broken.read_bytes())
    place = content.index(b'{"n":30,')
    page = place // 4096 * 4096
    content[page : page + 4096] = bytes(4096)
    broken.write_bytes(content)

    named = broken_row(broken)

    assert named is not None
    assert 1 < named <= 31
    with Reader.open(broken) as reader:
        assert reader.get(named - 1) is not None


def test_an_index_that_hides_a_row_is_noticed_and_not_relied_on(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", '"a"', '"b"', '"c"')
    content = bytearray(path.read_bytes())
    place = content.rindex(b"tick")  # an entry of the index, which comes after the rows
    content[place : place + 4] = b"tack"
    path.write_bytes(content)

    assert broken_row(path) == 4

    before = Journal.open(path).predecessor()
    assert before is not None
    assert [row.body for row in before.rows("tick")] == ['"a"', '"b"', '"c"']


def test_pruned_bodies_leave_their_hashes(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal.db", clock=clock)
    for day in range(4):
        journal.append("tick", "{}", at=Millis(day))
        journal.append("sending", "{}", at=Millis(day))

    dropped = journal.prune(before=Millis(2), kinds=["tick"])

    found = journal.verify()
    assert (dropped, found.rows, found.pruned) == (2, 9, 2)
    assert [row.seq for row in journal.rows() if row.body is None] == [1, 3]
    order = journal.last("prune")
    assert order is not None
    assert json.loads(order.body or "") == {"kinds": ["tick"], "through": 4, "rows": 2}


def test_pruning_nothing_writes_nothing(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "journal.db", "{}")

    assert journal.prune(before=Millis(0), kinds=["tick"]) == 0
    assert journal.prune(before=Millis(clock() + 1), kinds=["quiet"]) == 0
    assert journal.head().seq == 1


@pytest.mark.parametrize("seq", [2, 3, 5])
def test_a_body_gone_without_an_order_to_prune_is_named(tmp_path: Path, seq: int) -> None:
    journal = Journal.open(tmp_path / "journal.db", clock=clock)
    for day, kind in enumerate(["tick", "sending", "tick", "tick", "tick"]):
        journal.append(kind, "{}", at=Millis(day))
    journal.prune(before=Millis(2), kinds=["tick"])
    journal.close()

    change(tmp_path / "journal.db", "update rows set body = null where seq = ?", seq)

    assert broken_row(tmp_path / "journal.db") == seq


def test_of_bodies_gone_in_several_kinds_the_first_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path, clock=clock) as journal:
        for kind in ("sending", "tick", "sending", "tick"):
            journal.append(kind, "{}")

    change(path, "update rows set body = null where seq > 1")

    assert broken_row(path) == 2


def test_a_tampered_order_to_prune_is_named_itself(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "journal.db", "{}", "{}")
    journal.prune(before=Millis(clock() + 1), kinds=["tick"])
    journal.close()

    for column, value in (("kind", "prunf"), ("body", '{"kinds":["tick"],"through":9}')):
        copy = Path(shutil.copy(tmp_path / "journal.db", tmp_path / f"{column}.db"))
        change(copy, f"update rows set {column} = ? where seq = 3", value)
        assert broken_row(copy) == 3


def test_rows_come_in_order_by_kind_from_a_place_and_no_more_than_asked() -> None:
    journal = Journal.open(":memory:", clock=clock)
    for number in range(2 * PAGE + 3):
        journal.append("even" if number % 2 == 0 else "odd", "{}")

    assert [row.seq for row in journal.rows()] == list(range(1, 2 * PAGE + 4))
    assert [row.seq for row in journal.rows("odd", after=2, limit=2)] == [4, 6]
    assert [row.seq for row in journal.rows(after=2 * PAGE)] == [2 * PAGE + n for n in (1, 2, 3)]
    assert len(list(journal.rows(limit=PAGE + 1))) == PAGE + 1
    assert list(journal.rows(limit=0)) == []


def test_the_newest_and_the_last_and_one_by_number() -> None:
    journal = journal_of(":memory:", '"a"', '"b"')
    journal.append("start", '"c"')

    last = journal.last("tick")
    assert last is not None
    assert last.body == '"b"'
    assert [row.seq for row in journal.newest(2)] == [2, 3]
    assert [row.seq for row in journal.newest(5, kind="tick")] == [1, 2]
    assert journal.last("stop") is None
    assert journal.get(4) is None
    assert journal.head() == journal.newest(1)[0].head


def test_an_empty_journal_holds() -> None:
    journal = journal_of(":memory:")

    assert journal.head() == Head()
    assert journal.verify().rows == 0


def test_rows_written_while_reading_are_read(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "journal.db", *["{}"] * PAGE)

    with Reader.open(tmp_path / "journal.db") as reader:
        rows = reader.rows()
        next(rows)
        journal.append("tick", "{}")

        assert sum(1 for _ in rows) == PAGE


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}")

    with Reader.open(path) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._database.execute("delete from rows")


def test_reading_what_is_no_journal_says_so(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules: []\n")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("create table songs (name text)")

    for name, words in (
        ("none.db", "no journal there"),
        ("rules.yaml", "not a"),
        ("other.db", "no such table"),
    ):
        with pytest.raises(OperatorError, match=words):
            Reader.open(tmp_path / name)


def test_counting_and_head_agree(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}", "{}")

    found = verified(path)

    assert (found.rows, found.pruned, found.head.seq) == (2, 0, 2)
