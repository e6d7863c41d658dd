"""`seawall health` answers with its exit code, from a file that is there in Docker too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from seawall.cli import main
from seawall.journal.lock import alone
from seawall.journal.store import wall_clock
from seawall.notify.pulse import Pulse, PulseFile, pulse_path, this_boot
from seawall.units import SECOND, Millis


def health(folder: Path, pulse: Pulse | None, *words: str) -> int:
    path = folder / "seawall.db"
    if pulse is not None:
        file = PulseFile(pulse_path(path))
        file.write(pulse)
        file.close()
    with pytest.raises(SystemExit) as ended:
        main(["health", "--journal", str(path), *words])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def pulse(seconds_ago: int) -> Pulse:
    now = wall_clock()
    ago = Millis(now - seconds_ago * SECOND)
    return Pulse(pid=7, tick=3, height=1_000, at=now, succeeded_at=ago)


def test_a_guard_that_ticks_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert health(tmp_path, pulse(0)) == 0
    assert capsys.readouterr().out.startswith("well: last successful tick")


def test_an_old_tick_is_no_health(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert health(tmp_path, pulse(1_000)) == 1
    assert capsys.readouterr().out.startswith("NOT WELL: ")
    assert health(tmp_path, pulse(1_000), "--max-age", "3000") == 0


def test_a_guard_that_never_ran_is_an_argument_to_correct(tmp_path: Path) -> None:
    assert health(tmp_path, None) == 2


def test_health_is_printed_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert health(tmp_path, replace(pulse(1_000), reason="node down"), "--json") == 1

    said = json.loads(capsys.readouterr().out)
    assert (said["ok"], said["reason"], said["height"]) == (False, "node down", 1_000)


def test_a_guard_of_this_machine_that_was_killed_is_known_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = replace(pulse(0), boot=this_boot())
    with alone(tmp_path / "seawall.db"):
        assert health(tmp_path, here) == 0

    assert health(tmp_path, here) == 1

    assert capsys.readouterr().out.splitlines()[1] == (
        "NOT WELL: no guard runs: process 7 is gone and did not stop on purpose"
    )
    assert health(tmp_path, replace(here, boot="another machine")) == 0
    assert health(tmp_path, replace(here, is_stopped=True)) == 1
    assert "stopped on purpose" in capsys.readouterr().out
