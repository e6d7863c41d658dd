"""Rows that the database does not take are on disk all the same, and come back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from seawall.errors import JournalUnwritable
from seawall.journal import files
from seawall.journal.store import SPILLED, Journal
from tests.journal.journals import broken_row, clock, closed_journal_of, verified


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PATIENCE_MS", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return closed_journal_of(tmp_path / "journal.db", '"one"')


@pytest.fixture
def spill(tmp_path: Path) -> Path:
    return tmp_path / "other-disk" / "spill.jsonl"


@pytest.fixture
def journal(path: Path, spill: Path) -> Iterator[Journal]:
    with Journal.open(path, spill=spill, clock=clock) as journal:
        yield journal


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The database held by somebody else for the time of the block."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        yield
        other.execute("rollback")


def bodies(journal: Journal) -> list[str | None]:
    return [row.body for row in journal.rows() if row.kind != SPILLED]


def test_a_row_that_a_locked_database_does_not_take_is_in_the_spill_file(
    journal: Journal, path: Path, spill: Path
) -> None:
    before = journal.head()

    with locked(path):
        assert journal.append("sending", '"two"', durable=True) == 2
        assert journal.append("outcome", '"three"') == 3

    assert journal.failure == "database is locked"
    lines = [json.loads(line) for line in spill.read_text().splitlines()]
    assert [line["body"] for line in lines] == ['"two"', '"three"']
    assert lines[0]["prev_hash"] == before.hash
    assert set(lines[0]) == {"seq", "kind", "at", "prev_hash", "body_hash", "row_hash", "body"}


def test_rows_that_wait_are_read_as_if_they_were_there(journal: Journal, path: Path) -> None:
    with locked(path):
        journal.append("sending", '"two"')

        assert bodies(journal) == ['"one"', '"two"']
        assert [row.seq for row in journal.rows("sending", after=1, limit=1)] == [2]
        last, older = journal.last("sending"), journal.last("tick")
        assert last is not None
        assert last.head == journal.head()
        assert older is not None
        assert older.seq == 1


def test_waiting_rows_come_back_unchanged_with_the_next_row(
    journal: Journal, path: Path, spill: Path
) -> None:
    with locked(path):
        journal.append("sending", '"two"')
        journal.append("outcome", '"three"')
    waiting = journal.head()

    assert journal.append("tick", '"four"') == 5

    assert journal.failure is None
    assert spill.read_bytes() == b""
    assert bodies(journal) == ['"one"', '"two"', '"three"', '"four"']
    merged = journal.last(SPILLED)
    assert merged is not None
    assert json.loads(merged.body or "") == {
        "rows": 2,
        "first": 2,
        "was": 2,
        "fault": None,
        "head": waiting.hash,
    }
    assert journal.verify(expected=waiting).rows == 5


def test_waiting_rows_are_merged_at_the_next_start(
    journal: Journal, path: Path, spill: Path
) -> None:
    with locked(path):
        journal.append("sending", '"two"')
    journal.close()

    with Journal.open(path, spill=spill, clock=clock) as again:
        assert again.failure is None
        assert bodies(again) == ['"one"', '"two"']
        assert again.verify().rows == 3


def test_a_start_beside_a_locked_database_still_knows_what_waits(
    journal: Journal, path: Path, spill: Path
) -> None:
    with locked(path):
        journal.append("sending", '"two"')
        journal.close()

        with Journal.open(path, spill=spill, clock=clock) as again:
            assert again.failure == "database is locked"
            last = again.last("sending")
            assert last is not None
            assert last.body == '"two"'


def test_rows_of_others_come_first_and_the_merge_says_what_moved(
    journal: Journal, path: Path
) -> None:
    with locked(path):
        journal.append("sending", '"spilled"')
    with Journal.join(path, clock=clock) as command:
        command.append("command", '"rearm"')

    journal.append("tick", '"next"')

    assert bodies(journal) == ['"one"', '"rearm"', '"spilled"', '"next"']
    merged = journal.last(SPILLED)
    assert merged is not None
    told = json.loads(merged.body or "")
    assert (told["was"], told["first"]) == (2, 3)
    assert journal.verify().rows == 5


def test_a_crash_between_merge_and_emptying_merges_nothing_twice(
    journal: Journal, path: Path, spill: Path
) -> None:
    with locked(path):
        journal.append("sending", '"two"')
    content = spill.read_bytes()
    journal.append("tick", '"three"')
    spill.write_bytes(content)
    journal.close()

    with Journal.open(path, spill=spill, clock=clock) as again:
        assert bodies(again) == ['"one"', '"two"', '"three"']
    assert spill.read_bytes() == b""


def test_a_line_cut_short_was_never_promised(journal: Journal, path: Path, spill: Path) -> None:
    with locked(path):
        journal.append("sending", '"two"')
        with spill.open("ab") as file:
            file.write(b'{"seq": 3, "kind": "outcome", "body": "' + b"x" * 1_000)

        assert journal.append("outcome", '"three"') == 3
        journal.close()

    with Journal.open(path, spill=spill, clock=clock) as again:
        assert bodies(again) == ['"one"', '"two"', '"three"']
    assert not list(spill.parent.glob("*.broken-*"))


def test_two_writers_may_spill_into_one_file(journal: Journal, path: Path, spill: Path) -> None:
    with Journal.open(path, spill=spill, clock=clock) as other, locked(path):
        for number in range(3):
            journal.append("tick", f'"mine {number}"')
            other.append("tick", f'"other {number}"')

    journal.append("tick", '"next"')

    assert bodies(journal)[1:-1] == [
        f'"{whose} {number}"' for number in range(3) for whose in ("mine", "other")
    ]
    assert journal.verify().rows == 9


def test_spilled_lines_that_changed_places_are_told(
    journal: Journal, path: Path, spill: Path
) -> None:
    with locked(path):
        for body in ('"two"', '"three"', '"four"'):
            journal.append("sending", body)
    first, second, third = spill.read_bytes().splitlines(keepends=True)
    spill.write_bytes(first + third + second)

    journal.append("tick", '"five"')

    assert bodies(journal) == ['"one"', '"two"', '"five"']


@pytest.mark.parametrize(
    ("old", "new"), [('three\\"', 'thr33\\"'), ('"seq": 3', '"seq": 4'), ('{"seq": 3', '{"sea": 3')]
)
def test_a_spilled_line_that_was_changed_is_kept_aside_and_told(
    journal: Journal, path: Path, spill: Path, old: str, new: str
) -> None:
    with locked(path):
        for body in ('"two"', '"three"', '"four"'):
            journal.append("sending", body)
    content = spill.read_text().replace(old, new)
    assert content != spill.read_text()
    spill.write_text(content)

    journal.append("tick", '"five"')

    assert bodies(journal) == ['"one"', '"two"', '"five"']
    merged = journal.last(SPILLED)
    assert merged is not None
    assert json.loads(merged.body or "")["fault"] == "line 2 of the spill file does not verify"
    assert spill.with_name("spill.jsonl.broken-2").read_text() == content


def test_a_full_disk_sends_rows_to_the_other_one(journal: Journal, spill: Path) -> None:
    journal._database.execute("pragma max_page_count = 1")
    long = json.dumps("x" * 100_000)

    journal.append("tick", long)

    assert journal.failure == "database or disk is full"
    assert len(spill.read_text()) > 100_000
    journal._database.execute("pragma max_page_count = 100000")
    journal.append("tick", '"next"')
    assert bodies(journal) == ['"one"', long, '"next"']
    assert journal.verify().rows == 4


def test_a_file_taken_away_is_noticed_before_a_row_is_lost(
    journal: Journal, path: Path, spill: Path
) -> None:
    path.rename(path.with_name("taken.db"))

    journal.append("sending", '"two"')
    journal.close()

    assert "no longer there" in (journal.failure or "")
    assert not path.exists()
    with Journal.open(path, spill=spill, clock=clock) as again:
        assert bodies(again) == ['"two"']
        assert again.verify().rows == 2


def test_without_a_spill_file_nothing_may_be_done(path: Path) -> None:
    with (
        Journal.open(path, clock=clock) as journal,
        locked(path),
        pytest.raises(JournalUnwritable, match=r"locked; no spill file .* journal\.spill"),
    ):
        journal.append("sending", "{}")

    assert verified(path).rows == 1


def test_with_neither_writable_nothing_may_be_done(tmp_path: Path, path: Path) -> None:
    (tmp_path / "file").write_text("")
    spill = tmp_path / "file" / "spill.jsonl"

    with (
        Journal.open(path, spill=spill, clock=clock) as journal,
        locked(path),
        pytest.raises(JournalUnwritable, match=r"locked; and the spill file .*spill\.jsonl"),
    ):
        journal.append("sending", "{}")


def test_a_lost_spill_disk_does_not_keep_new_rows_out_of_the_database(
    journal: Journal, path: Path, spill: Path
) -> None:
    with locked(path):
        journal.append("sending", '"lost for now"')
    spill.rename(path.parent / "unplugged")
    spill.parent.rmdir()

    assert journal.append("tick", '"two"') == 2

    spill.parent.mkdir()
    (path.parent / "unplugged").rename(spill)
    journal.append("tick", '"three"')
    assert bodies(journal) == ['"one"', '"two"', '"lost for now"', '"three"']
    assert journal.failure is None


def test_a_guard_starts_where_no_database_can_be_made(tmp_path: Path, spill: Path) -> None:
    (tmp_path / "file").write_text("")

    with Journal.open(tmp_path / "file" / "journal.db", spill=spill, clock=clock) as journal:
        assert "file" in (journal.failure or "")
        assert journal.append("start", '"one"') == 1
        assert journal.append("tick", '"two"') == 2
        assert bodies(journal) == ['"one"', '"two"']
    assert len(spill.read_text().splitlines()) == 2


def test_a_spilled_row_survives_a_journal_that_is_set_aside(
    journal: Journal, path: Path, spill: Path
) -> None:
    with locked(path):
        journal.append("sending", '"two"')
    journal.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("update rows set body = '\"x\"' where seq = 1")

    with Journal.open(path, spill=spill, clock=clock) as again:
        assert [row.kind for row in again.rows()] == ["break", "sending", SPILLED]
    assert broken_row(path) is None
