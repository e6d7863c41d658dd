"""`seawall venue` as a process: what it prints, how it refuses, how it stops."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as tendermint
from v4_proto.cosmos.base.tendermint.v1beta1.query_pb2_grpc import ServiceStub
from websockets.sync.client import connect

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
FROZEN = """
import grpc, time
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as tendermint
from v4_proto.cosmos.base.tendermint.v1beta1.query_pb2_grpc import ServiceStub
from websockets.sync.client import connect
with connect("{websocket}", proxy=None) as socket, grpc.insecure_channel("{node}") as channel:
    socket.send('{{"type": "subscribe", "channel": "v4_block_height"}}')
    ServiceStub(channel).GetLatestBlock(tendermint.GetLatestBlockRequest(), timeout=5)
    print("connected", flush=True)
    time.sleep(60)
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


def test_for_people_it_tells_how_any_client_connects_and_what_it_tells_works() -> None:
    with process("--accounts", "1", "--rest-lag", "0", "--speed", "0.01") as venue:
        assert venue.stdout is not None
        lines: list[str] = []
        while not lines or lines[-1] != "Ctrl-C stops it.\n":
            lines.append(venue.stdout.readline())
            assert lines[-1], "the venue ended early"
        told = "".join(lines)
        code = told[told.index("  from functools") : told.index("Demo keys")]
        names: dict[str, Any] = {}
        exec(textwrap.dedent(code), names)
        network = names["network"]
        asked = tendermint.GetLatestBlockRequest()
        block = ServiceStub(network.node.channel).GetLatestBlock(asked, timeout=5).block
        height = httpx.get(f"{network.rest_indexer}/v4/height", trust_env=False).json()["height"]
        with connect(network.websocket_indexer, proxy=None) as socket:
            greeting = json.loads(socket.recv(timeout=5))

    assert (block.header.chain_id, str(block.header.height)) == (network.node.chain_id, height)
    assert greeting["type"] == "connected"
    assert demo_key(1, "trader-1").mnemonic in told
    assert "worth nothing" in told


def test_it_stops_on_an_interrupt_where_a_shell_started_it_in_the_background() -> None:
    ignoring = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as such a shell hands it on
    try:
        with process("--json") as venue:
            assert venue.stdout is not None
            venue.stdout.readline()
            venue.send_signal(signal.SIGINT)
            out, err = venue.communicate(timeout=10)
    finally:
        signal.signal(signal.SIGINT, ignoring)

    assert (venue.returncode, out, err) == (130, "", "")


def test_clients_that_no_longer_answer_do_not_hold_it() -> None:
    with process("--json", "--speed", "50") as venue:
        assert venue.stdout is not None
        said = json.loads(venue.stdout.readline())
        script = FROZEN.format(websocket=said["websocket"], node=said["node"])
        with subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", script], stdout=subprocess.PIPE, text=True
        ) as client:
            try:
                assert client.stdout is not None
                assert client.stdout.readline() == "connected\n"
                client.send_signal(signal.SIGSTOP)
                venue.send_signal(signal.SIGTERM)
                out, err = venue.communicate(timeout=10)
            finally:
                client.kill()

    assert (venue.returncode, out, err) == (0, "", "")


def test_where_it_is_tied_it_ends_with_whoever_started_it() -> None:
    with subprocess.Popen(
        [*COMMAND, "--json", "--tied"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # out of reach of signals to its parent's group
    ) as venue:
        assert venue.stdin is not None
        assert venue.stdout is not None
        assert venue.stdout.readline()
        venue.stdin.close()
        code = venue.wait(timeout=10)

    assert code == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_any_other_address_is_refused_in_one_line(host: str) -> None:
    with process("--host", host) as venue:
        out, err = venue.communicate(timeout=20)

    assert (venue.returncode, out) == (2, "")
    assert err.count("\n") == 1
    assert f"listens on loopback only, refused {host!r}" in err


def test_rest_is_a_block_behind_unless_told_otherwise() -> None:
    shown = []
    for options in ((), ("--rest-lag", "0")):
        with process("--json", "--hold", "--speed", "0", *options) as venue:
            assert venue.stdout is not None
            said = json.loads(venue.stdout.readline())
            for url, body in (
                (said["step"], {"guard": "test"}),
                (said["start"], {}),
                (said["step"], {"guard": "test", "height": 1}),
            ):
                httpx.post(url, json=body, trust_env=False)
            while httpx.get(said["state"], trust_env=False).json()["height"] == 1:
                pass
            url = f"{said['indexer']}/v4/height"
            shown.append(httpx.get(url, trust_env=False).json()["height"])

    assert shown == ["1", "2"]


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

    told = choose_path(Prices(scenario=file), 1)
    drawn = choose_path(Prices(scenario=Path("seed:7")), 1)

    assert (told.path.name, [one.kind for one in told.faults.faults]) == ("small", ["gate_up"])
    assert (drawn.path.name, drawn.faults.faults) == ("seed:7", ())
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


def test_an_isolated_market_is_held_by_a_child_of_its_own() -> None:
    with process("--isolated", "SOL-USD", "--leverage", "3x", "--hold", "--json") as venue:
        assert venue.stdout is not None
        said: dict[str, Any] = json.loads(venue.stdout.readline())
        trader = said["accounts"][0]
        found = httpx.get(
            f"{said['indexer']}/v4/addresses/{trader['address']}/parentSubaccountNumber/0",
            trust_env=False,
        )
        markets = httpx.get(f"{said['indexer']}/v4/perpetualMarkets", trust_env=False)

    assert [(one["subaccount"], one["market"]) for one in trader["children"]] == [(128, "SOL-USD")]
    family = found.json()["subaccount"]["childSubaccounts"]
    held = {one["subaccountNumber"]: set(one["openPerpetualPositions"]) for one in family}
    assert held == {0: {"BTC-USD", "ETH-USD"}, 128: {"SOL-USD"}}
    types = {t: m["marketType"] for t, m in markets.json()["markets"].items()}
    assert types == {"BTC-USD": "CROSS", "ETH-USD": "CROSS", "SOL-USD": "ISOLATED"}


def test_an_isolated_market_is_one_that_is_played() -> None:
    with process("--isolated", "DOGE-USD") as venue:
        out, err = venue.communicate(timeout=30)

    assert (venue.returncode, out) == (2, "")
    assert "isolated DOGE-USD" in err
    assert "BTC-USD, ETH-USD, SOL-USD" in err


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
