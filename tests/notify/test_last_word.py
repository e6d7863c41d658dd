"""A last word reaches whoever can be reached, within a deadline, and is not said every second."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from seawall.decide.pages import REPEAT_AFTER
from seawall.journal.store import wall_clock
from seawall.notify import last_word
from seawall.notify.last_word import Mark, say_at_once
from seawall.notify.messenger import Notice, Tone
from seawall.units import SECOND, Millis
from tests.notify.receivers import Hanging, Remembering

NOTICE = Notice(tone=Tone.PAGE, title="Seawall: 1 page", body="PAGE call me")


def test_one_that_hangs_and_one_that_fails_keep_it_from_nobody_else() -> None:
    hanging, working = Hanging(), Remembering(name="memory#3")
    broken = Remembering(error=RuntimeError("token"))
    began = time.monotonic()

    reached = say_at_once([hanging, broken, working], NOTICE, deadline_s=0.2)

    assert reached == ("memory#3",)
    assert working.carried == [NOTICE]
    assert hanging.calls == 1
    assert time.monotonic() - began < 5
    hanging.let_go.set()


def test_a_mark_is_known_to_the_next_process_for_as_long_as_a_page_rests(tmp_path: Path) -> None:
    nowhere = tmp_path / "not there"
    folders = (nowhere, tmp_path)
    now = wall_clock()

    before = Mark("disk full", folders).is_fresh(now)
    Mark("disk full", folders).leave()

    mark, lately = Mark("disk full", folders), Millis(now + SECOND)
    assert not before
    assert mark.is_fresh(lately)
    assert not Mark("not armed", folders).is_fresh(lately)
    assert not mark.is_fresh(Millis(now + REPEAT_AFTER + SECOND))
    assert not mark.is_fresh(Millis(now - SECOND)), "the clock was set back: say it again"
    assert "disk" not in next(tmp_path.iterdir()).name


def test_a_mark_is_renewed_without_room_for_a_new_file(tmp_path: Path) -> None:
    Mark("disk full", (tmp_path,)).leave()
    (left,) = tmp_path.iterdir()
    os.utime(left, (0, 0))
    tmp_path.chmod(0o500)  # no new file can be made

    try:
        Mark("disk full", (tmp_path,)).leave()
    finally:
        tmp_path.chmod(0o700)

    assert Mark("disk full", (tmp_path,)).is_fresh(Millis(wall_clock() + SECOND))


def test_a_mark_that_is_a_link_is_neither_believed_nor_followed(tmp_path: Path) -> None:
    folder, aim = tmp_path / "marks", tmp_path / "aim"
    folder.mkdir()
    mark = Mark("disk full", (folder,))
    mark.leave()
    (left,) = folder.iterdir()
    left.unlink()
    aim.touch()
    os.utime(aim, (0, 0))
    left.symlink_to(aim)

    mark.leave()

    assert aim.stat().st_mtime == 0
    assert not mark.is_fresh(wall_clock())


def test_a_mark_of_somebody_else_silences_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = Mark("disk full", (tmp_path,))
    mark.leave()

    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)

    assert not mark.is_fresh(Millis(wall_clock() + SECOND))


@pytest.mark.parametrize("named", [True, False], ids=["a service", "no service"])
def test_marks_are_left_where_the_service_manager_keeps_them_or_in_memory(
    named: bool,  # noqa: FBT001 - a case of the table
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service, memory = tmp_path / "service", tmp_path / "memory"
    service.mkdir()
    memory.mkdir()
    monkeypatch.setattr(last_word, "MEMORY", memory)
    monkeypatch.setattr(last_word, "TEMPORARY", tmp_path / "full")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "not there"))
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{service}:/nowhere" if named else "")

    Mark("disk full").leave()

    assert len(list(service.iterdir())) == named
    assert len(list(memory.iterdir())) == (not named)
    assert Mark("disk full").is_fresh(Millis(wall_clock() + SECOND))
