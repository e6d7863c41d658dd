"""`seawall panic` over sockets, beside a live guard that it neither doubles nor disturbs."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from seawall.action import Ending, Reduce
from tests.cli.played import ROOT, SEAWALL, Venue, count, guard, read, venue, wait_until

FALLING = """\
name: falling
why: "Prices move all the time, too little for any rule."
start: 2026-03-12T12:00:00Z
prices: {BTC-USD: 100_000, ETH-USD: 4_000, SOL-USD: 200}
legs:
  - {name: drift, over: 1h, move: {BTC-USD: -0.5%, ETH-USD: -0.5%, SOL-USD: -0.5%}}
"""


def test_beside_a_live_guard_the_account_is_flat_and_nothing_is_closed_twice(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "journal.db"
    options = ("--leverage", "2x", "--equity", "30_000", "--speed", "20")

    with venue(tmp_path, FALLING, *options) as place:
        with guard(place, journal, "--live", "--allow-wide-key") as running:
            place.start()
            wait_until(lambda: place.state()["height"] > 3, "the guard to be at work")
            shell = subprocess.run(
                [*SEAWALL, "panic", "--journal", str(journal), "--give-up-after", "20m"],
                capture_output=True,
                text=True,
                cwd=ROOT,
                env=place.environment(),
                timeout=60,
                check=False,
            )
            wait_until(lambda: read_outcomes(journal), "the guard's own outcomes")
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=20)
        account = place.guarded

    assert shell.returncode == 0, shell.stdout + shell.stderr
    assert "flat: the chain shows no position and no order" in shell.stdout
    assert account["positions"] == {}
    record = read(journal)
    ids = [one.id for one in record.sending]
    assert len(ids) == len(set(ids))
    assert {one.action_id for one in record.outcomes} == set(ids)
    assert {type(one.action) for one in record.sending} == {Reduce}
    assert all(one.ending in (Ending.FILLED, Ending.NOTHING) for one in record.outcomes)


def read_outcomes(journal: Path) -> bool:
    """Whether every action of shell and guard has its end."""
    record = read(journal)
    return {one.action_id for one in record.outcomes} == {one.id for one in record.sending}


def test_a_rehearsal_is_told_to_programs_and_to_people(tmp_path: Path) -> None:
    options = ("--leverage", "2x", "--equity", "30_000", "--speed", "20")

    def told(place: Venue, *more: str) -> str:
        command = [*SEAWALL, "panic", "--dry-run", "--journal", str(tmp_path / "none.db"), *more]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=place.environment(),
            timeout=60,
            check=True,
        )
        return done.stdout

    with venue(tmp_path, FALLING, *options) as place:
        said, words = json.loads(told(place, "--json")), told(place)
        held = place.guarded["positions"]

    assert said["dry_run"] is True
    assert said["ok"] is True
    assert {one["kind"] for one in said["actions"]} == {"reduce"}
    assert said["positions"] == [f"0/{ticker}" for ticker in sorted(held)]
    assert (said["orders"], said["unverified"]) == ([], None)
    assert words.splitlines() == [f"would {one['what']}" for one in said["actions"]]
    assert not (tmp_path / "none.db").exists()


def test_children_are_closed_though_no_indexer_lists_them(tmp_path: Path) -> None:
    journal, none = tmp_path / "journal.db", tmp_path / "none.db"
    options = ("--leverage", "2x", "--equity", "30_000", "--speed", "20", "--isolated", "SOL-USD")

    def rehearsed(place: Venue, file: Path) -> tuple[int, str]:
        done = subprocess.run(
            [*SEAWALL, "panic", "--dry-run", "--journal", str(file)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=place.environment(SEAWALL_VENUE__INDEXERS="http://127.0.0.1:1"),
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout

    with venue(tmp_path, FALLING, *options) as place:
        with guard(place, journal) as watching:
            place.start()
            wait_until(lambda: count(journal, "family") > 0, "the child to be remembered")
            watching.send_signal(signal.SIGINT)
            watching.communicate(timeout=20)
        known, stranger = rehearsed(place, journal), rehearsed(place, none)

    assert known[0] == 0, known[1]
    assert "128/SOL-USD" in known[1]
    assert "128/SOL-USD" not in stranger[1]
    assert stranger[0] == 1
    assert "not verified: the indexer lists no subaccounts" in stranger[1]
