"""Two guards on one journal would each act on the other's memory."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from seawall.errors import OperatorError
from seawall.journal.lock import alone, is_left, is_panicking, panicking
from seawall.journal.store import Journal


def test_a_second_guard_on_a_journal_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"

    said = r"journal.db is in use"
    with alone(path), pytest.raises(OperatorError, match=said) as refused, alone(path):
        pass
    with alone(path):
        pass

    assert len(str(refused.value).splitlines()) == 1


def test_a_command_joins_beside_the_guard_that_holds_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"

    with alone(path), Journal.open(path) as journal, Journal.join(path) as joined:
        joined.append("command", "{}")

        assert len(list(journal.rows("command"))) == 1


def test_where_no_lock_can_be_made_the_guard_runs_all_the_same(tmp_path: Path) -> None:
    with alone(tmp_path / "nowhere" / "journal.db"):
        pass


def test_a_panic_is_heard_while_it_lives_and_a_second_one_knows_of_the_first(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    assert not is_panicking(path)

    with panicking(path) as is_only:
        assert is_only
        assert is_panicking(path)
        with panicking(path) as is_only_too:
            assert not is_only_too
        assert is_panicking(path)

    assert not is_panicking(path)


def test_a_panic_waits_for_no_lock_that_cannot_be_made(tmp_path: Path) -> None:
    with panicking(tmp_path / "nowhere" / "journal.db") as is_only:
        assert is_only
    with panicking(None) as is_only:
        assert is_only


def test_a_journal_is_left_once_its_guard_is_gone_and_who_asks_stops_none(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    assert not is_left(path), "without a lock nobody can tell"

    with alone(path):
        assert not is_left(path)
    assert is_left(path)
    with (tmp_path / "journal.db.lock").open() as asked:
        fcntl.flock(asked, fcntl.LOCK_SH)
        threading.Timer(0.02, asked.close).start()
        with alone(path):
            assert not is_left(path)
