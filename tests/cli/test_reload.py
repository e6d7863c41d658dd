"""Arming and `seawall reload` as processes: what stays out, what comes into force, what is said."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from seawall import arming
from seawall.agent import Kind
from tests.cli.played import (
    ROOT,
    SEAWALL,
    count,
    guard,
    guard_command,
    read,
    venue,
    wait_until,
)

REST = """\
name: rest
why: "Nothing moves."
start: 2026-03-12T12:00:00Z
prices: {BTC-USD: 100_000, ETH-USD: 4_000, SOL-USD: 200}
legs:
  - {name: calm, over: 10h}
"""
CALM = """\
rules:
  - id: size
    why: "Twenty times is too much."
    measure: leverage
    trigger: "> 20x"
    target: "<= 6x"
    do: [page, {reduce: {until: target, max_slippage: 150bps}}]
"""
HASTY = CALM.replace("20x", "7x")
BROKEN = CALM.replace("trigger", "triger")


def reload(journal: Path, *options: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*SEAWALL, "reload", "--journal", str(journal), *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_set_that_would_act_at_once_is_shown_with_its_cost_and_not_started(
    tmp_path: Path,
) -> None:
    journal, rules = tmp_path / "journal.db", tmp_path / "rules.yaml"
    rules.write_text(HASTY)
    command = guard_command(journal, "--live", "--allow-wide-key", rules=rules)

    with venue(tmp_path, REST) as place:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=place.environment(),
            timeout=60,
            check=False,
        )
        received = place.state()["transactions"]["received"]

    assert done.returncode == 3
    assert "is not armed and would act now: sells $" in done.stderr
    assert "size/0/act: leverage 8x, limit > 7x" in done.stderr
    assert "`seawall run --live --arm`" in done.stderr
    assert received == 0
    assert count(journal, Kind.START) == 0


def test_a_running_guard_takes_a_saved_file_over_when_told_to_and_no_sooner(tmp_path: Path) -> None:
    journal, rules = tmp_path / "journal.db", tmp_path / "rules.yaml"
    rules.write_text(CALM)

    with (
        venue(tmp_path, REST) as place,
        guard(place, journal, "--live", rules=rules) as process,
    ):
        place.start()
        wait_until(lambda: count(journal, Kind.TICK) >= 1, "a tick")
        rules.write_text(BROKEN)
        broken = reload(journal)
        rules.write_text(HASTY)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: count(journal, arming.RULES) >= 2, "the guard to obey the signal")
        kept_out = reload(journal, "--json")
        sent_before = count(journal, Kind.SENDING)
        in_force = reload(journal, "--arm")
        wait_until(lambda: count(journal, Kind.SENDING) >= 1, "a reduction")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)

    assert broken[0] == 2
    assert "`triger`: unknown key, did you mean `trigger`?" in broken[1]
    assert kept_out[0] == 3
    said = json.loads(kept_out[1])
    assert said["end"] == "kept out"
    assert said["words"][0].startswith("size/act trigger 20x -> 7x, would act now: sells $")
    assert sent_before == 0
    assert in_force[0] == 0
    assert "(in force)" in in_force[1]
    assert read(journal).sending


def test_without_a_guard_nobody_answers(tmp_path: Path) -> None:
    code, _, said = reload(tmp_path / "no.db")

    assert code == 2
    assert "no.db" in said
