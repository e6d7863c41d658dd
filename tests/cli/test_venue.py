"""`seawall venue` as a process: what it prints, how it refuses, how it stops."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from seawall.cli.venue import Prices, choose_path, chosen, duration, moment, number
from seawall.errors import OperatorError
from seawall.simulator.keys import demo_key
from seawall.units import Millis

SCENARIO = """\
name: small
why: "A test."
start: 2026-03-12T12:00:00Z
prices: {BTC-USD: 100_000}
legs:
  - {name: gap, over: 60s, move: {BTC-USD: -6%}}
"""
COMMAND = [sys.executable, "-m", "seawall.cli", "venue"]


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_prints_one_object_serves_and_stops_clean(
    tmp_path: Path, stop: signal.Signals, code: int
) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SCENARIO)

    with process("--scenario", str(file), "--leverage", "8x", "--float", "500", "--json") as venue:
        assert venue.stdout is not None
        said: dict[str, Any] = json.loads(venue.stdout.readline())
        state = httpx.get(said["state"], trust_env=False).json()
        venue.send_signal(stop)
        out, err = venue.communicate(timeout=10)

    assert (venue.returncode, out, err) == (code, "", "")
    assert said["chain_id"] == "seawall-sim-1"
    assert [one["name"] for one in said["accounts"]] == ["trader-1", "trader-2"]
    assert said["accounts"][0]["address"] == demo_key(1, "trader-1").address
    assert said["float"]["mnemonic"] == demo_key(1, "float").mnemonic
    assert said["path"]["name"] == "small"
    assert [one["name"] for one in state["accounts"]].count("trader-1") == 1
    assert state["accounts"][0]["positions"]["BTC-USD"]["notional"] == "80000"


def test_for_people_it_tells_how_any_client_connects() -> None:
    with process("--accounts", "1") as venue:
        assert venue.stdout is not None
        lines: list[str] = []
        while not lines or lines[-1] != "Ctrl-C stops it.\n":
            lines.append(venue.stdout.readline())
            assert lines[-1], "the venue ended early"

    told = "".join(lines)
    assert "make_insecure" in told
    assert demo_key(1, "trader-1").mnemonic in told
    assert "worth nothing" in told


@pytest.mark.parametrize("option", ["--grpc-port", "--http-port"])
def test_a_taken_port_is_one_line_and_exit_two(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with process(option, str(port), "--json") as venue:
            out, err = venue.communicate(timeout=20)

    assert (venue.returncode, out) == (2, "")
    assert err.count("\n") == 1
    assert f"port {port}" in err
    assert option in err


def test_two_price_paths_are_one_too_many() -> None:
    with pytest.raises(OperatorError, match="give one of them"):
        choose_path(Prices(scenario=Path("a.yaml"), folder=Path("b")), 1)


@pytest.mark.parametrize(
    ("prices", "option"),
    [
        (Prices(start="2020-03-12"), "--from"),
        (Prices(end="2020-03-12"), "--to"),
        (Prices(scenario=Path("a.yaml"), bar="5m"), "--bar"),
    ],
)
def test_what_is_for_candles_is_refused_without_them(prices: Prices, option: str) -> None:
    with pytest.raises(OperatorError, match=f"{option} is for candles: .* --prices"):
        choose_path(prices, 1)


def test_a_scenario_brings_its_faults_and_a_seed_draws_one(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SCENARIO + "faults: [{kind: gate_up, first: 3}]\n")

    path, faults, _ = choose_path(Prices(scenario=file), 1)
    drawn, none, _ = choose_path(Prices(scenario=Path("seed:7")), 1)

    assert (path.name, [one.kind for one in faults.faults]) == ("small", ["gate_up"])
    assert (drawn.name, none.faults) == ("seed:7", ())
    with pytest.raises(OperatorError, match="expected a file, or seed:7"):
        choose_path(Prices(scenario=Path("seed:x")), 1)


def test_faults_of_a_scenario_are_played_by_the_venue(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SCENARIO + "faults: [{kind: indexer_rate_limited, first: 0, last: 60}]\n")

    with process("--scenario", str(file), "--hold", "--json") as venue:
        assert venue.stdout is not None
        said: dict[str, Any] = json.loads(venue.stdout.readline())
        refused = httpx.get(f"{said['indexer']}/v4/height", trust_env=False)

    assert refused.status_code == 429


def test_a_switch_is_one_of_those_there_are() -> None:
    assert chosen(["window-20", "gate-off"]).short_block_window == 20
    with pytest.raises(OperatorError, match="expected one of window-20, gate-off"):
        chosen(["window-21"])


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(OperatorError, match="nowhere: no such folder"):
        choose_path(Prices(folder=Path("nowhere")), 1)


@pytest.mark.parametrize(
    ("words", "expected"), [("10_000", 10_000), ("$10,000.5", "10000.5"), ("0", 0)]
)
def test_dollars_are_read_with_or_without_their_sign(words: str, expected: int | str) -> None:
    assert str(number("--equity", words, "$")) == str(expected)


@pytest.mark.parametrize("words", ["", "abc", "-1", "NaN", "Infinity"])
def test_what_is_no_amount_is_refused_with_an_example(words: str) -> None:
    with pytest.raises(OperatorError, match=r"--equity .* like 10_000"):
        number("--equity", words, "$")


def test_durations_and_moments() -> None:
    assert (duration("--bar", "30m"), duration("--bar", "45s")) == (1_800_000, 45_000)
    assert moment("--from", "1970-01-01T00:01") == Millis(60_000)
    assert moment("--from", "1970-01-01T01:01+01:00") == Millis(60_000)
    assert moment("--from", None) is None
    for bad in ("30", "0s", "m", "1d"):
        with pytest.raises(OperatorError, match="like 30s or 30m"):
            duration("--bar", bad)
    with pytest.raises(OperatorError, match="like 2020-03-12T10:30"):
        moment("--from", "yesterday")
