"""What is appended stays, whoever else writes and however the process ends."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from seawall.errors import JournalUnwritable, OperatorError
from seawall.journal import store
from seawall.journal.queries import BREAK
from seawall.journal.store import Journal
from tests.journal.journals import (
    broken_row,
    change,
    clock,
    closed_journal_of,
    journal_of,
)


def test_rows_are_numbered_from_one_and_stamped_with_the_clock() -> None:
    journal = Journal.open(":memory:", clock=clock)

    assert [journal.append("tick", "{}") for _ in range(3)] == [1, 2, 3]
    row = journal.get(3)
    assert row is not None
    assert row.at == clock()


def test_a_journal_is_made_with_its_folders_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "journal.db"
    journal_of(path, '"one"').close()

    journal = journal_of(path, '"two"')

    assert [row.body for row in journal.rows()] == ['"one"', '"two"']
    assert journal.failure is None
    assert journal.predecessor() is None


def test_durable_rows_wait_for_the_disk_and_others_do_not(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal.db")

    def synchronous() -> int:
        (level,) = journal._database.execute("pragma synchronous").fetchone()
        return int(level)

    normal, full = 1, 2
    journal.append("tick", "{}")
    assert synchronous() == normal
    journal.append("sending", "{}", durable=True)
    assert synchronous() == full
    journal.append("tick", "{}")
    assert synchronous() == normal
    assert journal._database.journal_mode == "wal"


def test_a_transaction_cut_short_leaves_no_row() -> None:
    journal = journal_of(":memory:", "{}")

    def interrupted() -> None:
        with journal._transaction(durable=False) as database:
            database.execute("insert into rows values (2, 'tick', 1, 'a', 'b', 'c', '{}')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert journal.append("tick", "{}") == 2
    assert journal.verify().rows == 2


def test_a_command_joins_a_journal_but_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"

    with pytest.raises(OperatorError, match="no journal there"):
        Journal.join(path)
    assert not path.exists()

    guard = journal_of(path, "{}")
    with Journal.join(path) as command:
        command.append("command", '{"command":"rearm"}', durable=True)
    assert guard.append("tick", "{}") == 3
    assert guard.verify().rows == 3


def test_a_command_beside_a_broken_journal_renames_nothing(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}", "{}")
    change(path, "update rows set body = '[]' where seq = 1")

    Journal.join(path).close()

    assert [file.name for file in tmp_path.iterdir()] == ["journal.db"]


@pytest.mark.parametrize("content", ["rules: []\n", "SQLite format 4", "x"])
def test_what_is_no_journal_is_refused_and_stays(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(content)

    with pytest.raises(OperatorError, match=r"rules\.yaml: is not a journal .* journal\.path"):
        Journal.open(path)

    assert path.read_text() == content
    assert [file.name for file in tmp_path.iterdir()] == ["rules.yaml"]


def test_a_database_of_something_else_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "songs.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("create table songs (name text)")
    content = path.read_bytes()

    with pytest.raises(OperatorError, match=r"songs\.db: .*table songs.* journal\.path"):
        Journal.open(path)

    assert path.read_bytes() == content


def test_damaged_tables_are_set_aside_and_not_taken_for_somebody_elses(tmp_path: Path) -> None:
    for number, sql in enumerate(
        ["update _sqlite_migrations set migration_set = 'seawall.journaz'", "drop table rows"]
    ):
        path = closed_journal_of(tmp_path / f"{number}.db", "{}")
        change(path, sql)

        journal = Journal.open(path)

        assert [row.kind for row in journal.rows()] == [BREAK]
        assert (tmp_path / f"{number}.broken-1.db").exists()


def test_damage_that_only_shows_on_writing_is_found_at_start(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", '"a"', '"b"')
    content = path.read_bytes()
    assert content.count(b"sqlite_sequence(name,seq)") == 1
    path.write_bytes(content.replace(b"sqlite_sequence(name,seq)", b"sqlite_sEquence(name,seq)"))
    assert broken_row(path) is None

    journal = Journal.open(path)

    before = journal.predecessor()
    assert journal.append("tick", "{}") == 2
    assert before is not None
    assert [row.body for row in before.rows()] == ['"a"', '"b"']


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"is a folder; .* journal\.path"):
        Journal.open(tmp_path)


def test_a_place_that_takes_no_file_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(JournalUnwritable, match=r"file.*name another file as journal\.path"):
        Journal.open(tmp_path / "file" / "journal.db")


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}")
    change(
        path,
        "insert into _sqlite_migrations (migration_set, name, applied_at)"
        " values ('seawall.journal', 'colours', 'tomorrow')",
    )

    with pytest.raises(OperatorError, match="newer Seawall"):
        Journal.open(path)


def test_a_migration_cut_short_leaves_nothing_and_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as early:
        early.execute("pragma journal_mode = wal")
        early.execute("begin")
        early.execute("create table rows (seq integer)")

    assert journal_of(path, "{}").verify().rows == 1


def test_a_broken_journal_is_set_aside_and_the_next_cites_the_break(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", '"a"', '"b"', '"c"', '"d"')
    change(path, "update rows set body = '\"x\"' where seq = 3")

    journal = Journal.open(path, clock=clock)

    first = journal.get(1)
    assert first is not None
    assert first.kind == BREAK
    assert json.loads(first.body or "") == {
        "file": "journal.broken-3.db",
        "row": 3,
        "reason": "row 3: body_hash is not the hash of its body",
        "through": 2,
    }
    assert broken_row(tmp_path / "journal.broken-3.db") == 3
    assert journal.append("tick", "{}") == 2
    assert journal.verify().rows == 2


def test_the_verified_rows_of_a_broken_journal_can_be_restored_any_time_later(
    tmp_path: Path,
) -> None:
    path = closed_journal_of(tmp_path / "journal.db", '"a"', '"b"', '"c"', '"d"')
    change(path, "update rows set body = '\"x\"' where seq = 3")
    Journal.open(path).close()

    before = Journal.open(path).predecessor()

    assert before is not None
    assert [row.body for row in before.rows()] == ['"a"', '"b"']
    last = before.last("tick")
    assert last is not None
    assert last.body == '"b"'
    assert before.head().seq == 2
    assert before.get(3) is None
    assert before.verify().rows == 2


def test_rows_not_yet_in_the_main_file_go_aside_with_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    other = journal_of(path, '"a"', '"b"', '"c"')  # open, so that its log stays beside the file
    change(path, "update rows set body = '\"x\"' where seq = 3")

    before = Journal.open(path).predecessor()

    assert before is not None
    assert [row.body for row in before.rows()] == ['"a"', '"b"']
    assert not (tmp_path / "journal.broken-3.db").read_bytes().count(b'"b"')
    other.close()


def test_a_journal_that_breaks_twice_keeps_both_files(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    for _ in range(2):
        closed_journal_of(path, "{}")
        change(path, "update rows set body = '[]' where seq = 1")
    Journal.open(path).close()

    names = sorted(file.name for file in tmp_path.glob("*.db"))
    assert names == ["journal.broken-1-2.db", "journal.broken-1.db", "journal.db"]


@pytest.mark.parametrize("kept", [0, 100, 5_000])
def test_a_file_that_a_power_cut_left_in_part_is_set_aside(tmp_path: Path, kept: int) -> None:
    path = closed_journal_of(tmp_path / "journal.db", *["{}"] * 50)
    content = path.read_bytes()
    path.write_bytes(content[:kept] + bytes(len(content) - kept))

    journal = Journal.open(path)

    first = journal.get(1)
    assert first is not None
    assert first.kind == BREAK
    assert journal.verify().rows == 1
    assert len(list(tmp_path.glob("journal.broken-*.db"))) == 1


def test_rows_that_vanish_from_the_end_are_noticed_at_start(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}", "{}", "{}")
    change(path, "delete from rows where seq = 3")

    journal = Journal.open(path)

    before = journal.predecessor()
    assert before is not None
    assert before.verify().rows == 2


def test_a_large_journal_is_verified_at_its_tail_at_start_and_whole_when_that_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SMALL", 10)
    monkeypatch.setattr(store, "TAIL", 5)
    path = closed_journal_of(tmp_path / "journal.db", *["{}"] * 20)
    change(path, "update rows set body = '[]' where seq = 4")

    Journal.open(path).close()
    assert broken_row(path) == 4

    change(path, "update rows set body = '[]' where seq = 17")
    with Journal.open(path) as journal:
        before = journal.predecessor()
    assert before is not None
    assert before.head().seq == 3


def test_pruning_a_journal_that_takes_no_row_says_so_and_loses_nothing(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "journal.db", "{}")
    (tmp_path / "journal.db").rename(tmp_path / "elsewhere.db")

    with pytest.raises(JournalUnwritable, match="nothing was pruned"):
        journal.prune(before=clock(), kinds=["tick"])


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        journal.append("tick", "{}")
        journal.close()

    assert [file.name for file in tmp_path.iterdir()] == ["journal.db"]


class Torn(list[tuple[str, str]]):
    """Rows whose writer is killed after the first."""

    def __iter__(self) -> Iterator[tuple[str, str]]:
        yield self[0]
        raise KeyboardInterrupt


def test_rows_of_one_call_are_written_all_or_none(tmp_path: Path) -> None:
    rows = [("tick", "{}"), ("outcome", "{}")]
    with Journal.open(tmp_path / "journal.db") as journal:
        journal.append("start", "{}")

        with pytest.raises(KeyboardInterrupt):
            journal.append_all(Torn(rows))
        assert [row.kind for row in journal.rows()] == ["start"]
        assert journal.append_all(rows) == 3

        assert journal.verify().head.seq == 3
