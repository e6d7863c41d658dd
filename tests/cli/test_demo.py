"""`seawall demo` as a process: what it prints, shows, refuses, and that it repeats itself."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from seawall.cli import main
from seawall.cli.demo import fresh_journal
from seawall.cli.screen import COLUMNS, ROWS, Frame, Standing, render
from seawall.units import Millis
from tests.cli.played import GAP, ROOT, SEAWALL, wait_until

KEYS = {
    "liquidated",
    "equity_start",
    "equity_end",
    "lowest_headroom",
    "fees",
    "slippage_cost",
}
BARS = (
    "2020-03-12T06:00:00Z,100,101,99,100,5",
    "2020-03-12T06:30:00Z,100,102,98,101,5",
    "2020-03-12T07:00:00Z,101,102,98,99,5",
)


def demo(*options: str, columns: int = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SEAWALL, "demo", *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": str(columns)},
    )


def played(folder: Path, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    scenario = folder / "gap.yaml"
    scenario.write_text(GAP)
    return demo("--scenario", str(scenario), "--journal", str(folder / name), *options)


def test_the_same_seed_and_prices_give_the_same_object_and_nothing_else(tmp_path: Path) -> None:
    first = played(tmp_path, "first.db", "--json")
    second = played(tmp_path, "second.db", "--json")

    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    assert len(first.stdout.splitlines()) == 1
    said = json.loads(first.stdout)
    assert set(said) == {"guarded", "unguarded", "interventions", "prices", "seed", "blocks"}
    for name in COLUMNS:
        assert set(said[name]) == KEYS
        assert said[name]["equity_start"] == "30000"
    assert not said["guarded"]["liquidated"]
    assert Decimal(said["guarded"]["lowest_headroom"]) > 0
    assert said["unguarded"]["liquidated"]
    assert Decimal(said["guarded"]["equity_end"]) > Decimal(said["unguarded"]["equity_end"])
    assert said["interventions"]


def test_for_people_it_ends_with_both_outcomes_and_where_to_look_deeper(tmp_path: Path) -> None:
    done = played(tmp_path, "journal.db", "--screenshots", str(tmp_path / "docs"))
    verified = subprocess.run(
        [*SEAWALL, "audit", "verify", "--journal", str(tmp_path / "journal.db")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "guarded: $30,000 -> $" in done.stdout
    assert "unguarded: $30,000 -> $" in done.stdout
    assert " interventions:" in done.stdout
    assert "seawall audit verify --journal" in done.stdout
    for row in ROWS:
        assert row in done.stdout
    assert verified.returncode == 0
    screens = sorted((tmp_path / "docs").glob("*.svg"))
    assert [screen.name for screen in screens] == [
        "demo-1-first.svg",
        "demo-2-middle.svg",
        "demo-3-last.svg",
    ]
    for screen in screens:
        text = screen.read_text().replace("&#160;", " ")
        assert all(name in text for name in (*COLUMNS, *ROWS))


def children(process: int) -> list[int]:
    told = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(one) for one in told.split()]


def runs(process: int) -> bool:
    try:
        os.kill(process, 0)
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("stop", "code"), [(signal.SIGTERM, 130), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_however_it_is_stopped_its_venue_ends_too(
    tmp_path: Path, stop: signal.Signals, code: int
) -> None:
    journal = tmp_path / "journal.db"
    with subprocess.Popen(
        [*SEAWALL, "demo", "--json", "--journal", str(journal)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        wait_until(lambda: journal.exists() and children(process.pid) != [], "the demo to play")
        (venue,) = children(process.pid)
        process.send_signal(stop)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out, err) == (code, b"", b"")
    wait_until(lambda: not runs(venue), "the venue to end")


def standing(**changes: object) -> Standing:
    said: dict[str, object] = {
        "equity_start": "30000",
        "equity": "24000",
        "mmr": "6000",
        "lowest_headroom": "12345",
        "fees": "10",
        "slippage_cost": "20.5",
        "liquidated": False,
        "positions": {},
        "fills": [],
    }
    return Standing.of(said | changes)


def test_the_screen_shows_both_accounts_in_every_row() -> None:
    frame = Frame(
        path="double-gap",
        at=Millis(1_583_992_800_000),
        progress=0.5,
        speed=250.0,
        prices={"BTC-USD": Decimal("93456.7")},
        standings=(
            standing(),
            standing(equity="0", liquidated=True, lowest_headroom="-77", fees="99"),
        ),
        last_action="06:00:07Z sell 0.5 0/BTC-USD: $46,000, cost $12.30",
    )
    canvas = Console(file=io.StringIO(), width=140)

    canvas.print(render(frame, {}))

    assert isinstance(canvas.file, io.StringIO)
    lines = canvas.file.getvalue().splitlines()
    told = {row: next(line for line in lines if f" {row} " in line) for row in ROWS}
    assert "$24,000 (-20%), standing" in told["equity"]
    assert "$0 (-100%), liquidated to nothing" in told["equity"]
    assert told["maintenance usage"].count("0%, no position") == 2
    assert told["liquidation band"].count("none: no single market") == 2
    assert told["positions"].count("flat") == 2
    assert "$12,345" in told["lowest headroom"]
    assert "-$77" in told["lowest headroom"]
    assert "$30.50" in told["fees and slippage"]
    assert "$119.50" in told["fees and slippage"]
    assert "sell 0.5 0/BTC-USD: $46,000, cost $12.30" in told["last action"]
    assert "nothing yet" in told["last action"]
    assert any("BTC-USD $93,456.70" in line for line in lines)
    assert any("50%" in line and "250x real time" in line for line in lines)


def candles(folder: Path, bars: tuple[str, ...]) -> Path:
    for market in ("BTC-USD", "ETH-USD", "SOL-USD"):
        with gzip.open(folder / f"{market}__test__30m.csv.gz", "wt") as file:
            file.write("\n".join(("ts,open,high,low,close,volume", *bars)) + "\n")
    return folder


@pytest.mark.parametrize(
    ("bars", "words"),
    [
        ((BARS[1], BARS[0], BARS[2]), ".csv.gz:3: "),
        ((BARS[0], BARS[1], BARS[2].replace("07:00", "07:30")), ".csv.gz:4: "),
        ((BARS[0], BARS[1].replace("102", "x")), ".csv.gz:3: "),
    ],
    ids=["out of order", "a gap", "no number"],
)
def test_bad_bars_are_refused_with_file_line_and_remedy(
    tmp_path: Path, bars: tuple[str, ...], words: str
) -> None:
    folder = candles(tmp_path, bars)

    done = demo("--prices", str(folder), "--journal", str(tmp_path / "journal.db"))

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"{folder}/" in done.stderr
    assert words in done.stderr
    assert not (tmp_path / "journal.db").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--prices", "nowhere"), "nowhere"),
        (("--scenario", "nowhere.yaml"), "nowhere.yaml"),
        (("--rules", "nowhere.yaml"), "nowhere.yaml"),
        (("--leverage", "lots"), "--leverage 'lots'"),
        (("--from", "2020-03-12"), "--from is for candles"),
        (("--bar", "5m"), "--bar is for candles"),
        (("--prices", "a", "--scenario", "b"), "give one of them"),
        (("--screenshots", "/proc/x"), "--screenshots /proc/x: "),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    done = demo(*options, "--journal", str(tmp_path / "journal.db"))

    assert done.returncode == 2
    assert words in done.stderr.splitlines()[0]
    assert len(done.stderr.splitlines()) <= 2  # a rule file adds what follows from its refusal
    assert not (tmp_path / "journal.db").exists()


def test_only_the_files_of_the_last_demo_are_made_anew_and_only_once_all_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seawall.cli.demo.JOURNAL", tmp_path / "demo.db")
    names = ("demo.db", "demo.db-wal", "demo.db-shm", "demo.db.kept", "demo.db-mine")
    for name in names:
        (tmp_path / name).write_text("")

    refused = run_main("demo", "--rules", "nowhere.yaml")
    after_refusal = sorted(one.name for one in tmp_path.iterdir())
    place = fresh_journal(None)

    assert refused == 2
    assert after_refusal == sorted(names)
    assert place == tmp_path / "demo.db"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["demo.db-mine", "demo.db.kept"]


def run_main(*arguments: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def test_a_journal_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    journal.write_text("mine")

    done = demo("--journal", str(journal))

    assert done.returncode == 2
    assert f"{journal} exists" in done.stderr
    assert journal.read_text() == "mine"
