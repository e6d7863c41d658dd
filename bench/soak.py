"""A long run: a real venue with random faults, a real guard, over sockets, watched for growth.

    python -m bench.soak [--minutes 60] [--seed 7] [--every 10] [--folder DIR]

`seawall venue` plays calm prices in real time with faults drawn from the seed for every 150
blocks, and a trader who adds to the largest position now and then; `seawall run --live` guards it
with every job of a daemon: parameters, reconcile, heartbeat, messages to a listener that fails half
of the time, metrics. Prints a sample a line and the verdict as the last line, JSON both. Exits 1 on
growth of memory or descriptors, a journal that does not verify or is too large, an order of the
guard's that grew a position, a secret in what was written, a guard that died.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from bench.steady import Fill, Sample, faults_of, growths, journal_budget
from seawall.action import Reduce
from seawall.agent import Kind
from seawall.decide.memory import Numbered
from seawall.errors import JournalBroken, OperatorError
from seawall.journal.codec import from_json
from seawall.journal.queries import Reader
from seawall.notify.pulse import pulse_path, read_pulse
from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.schedule import Fault, random_faults

Process = subprocess.Popen[bytes]

ROOT = Path(__file__).parents[1]
SEAWALL = (sys.executable, "-m", "seawall.cli")
CHUNK = 150  # blocks for which faults are drawn at a time: some twenty an hour would find little
HALT_MOST_S = 60  # a halt of hours would be all that the run sees
# A drawn liquidation leaves nothing to guard for the rest of the run.
KINDS = tuple(kind for kind in FaultKind if kind is not FaultKind.LIQUIDATION)
TRADES_EVERY = 240  # blocks
TRADE = Decimal("0.15")  # of the largest position
READY_WITHIN_S = 30.0
RULES = """\
account: {{float: {{address: {float_address}, floor: $50}}}}
scenarios:
  gap: {{"*": -10%, over: 1h, slippage: 150bps, both_signs: true}}
budgets: {{per_hour: {{notional: 2000%, orders: 2_000}}, per_day: {{cost: 100%, top_up: $2_000}}}}
rules:
  - id: leverage
    why: "4x is the plan; what a hand adds is cut back."
    measure: leverage
    trigger: "> 4.1x"
    target: "<= 4x"
    for: 3s
    do: [notify, {{cancel_orders: risk_increasing}},
         {{reduce: {{until: target, max_slippage: 150bps}}}}]
  - id: collateral
    why: "Cash first."
    measure: free_collateral
    scope: {{subaccounts: [0]}}
    trigger: "< $26_300"
    target: ">= $26_500"
    clear: ">= $26_400"
    do: [page, {{top_up: {{until: target, max: $500}}}}]
  - id: survival
    why: "A gap of 10% must leave something."
    measure: {{stress_headroom: gap}}
    trigger: "< $0"
    target: ">= $500"
    clear: ">= $250"
    do: [notify, {{reduce: {{until: target, max_slippage: 150bps, or_else: page}}}}]
  - id: drawdown
    why: "A bad hour is told."
    measure: drawdown
    trigger: ">= 3%"
    do: [notify]
  - id: sources
    why: "Two sources that disagree: a person must look."
    measure: source_gap
    trigger: "> 0%"
    for: 30s
    no_data: fire
    do: [page]
"""


def schedule(seed: int, blocks: int) -> list[Fault]:
    """Faults for the whole run: drawn anew every 150 blocks, and a trader who never rests."""
    found = []
    for chunk in range(max(1, -(-blocks // CHUNK))):
        for fault in random_faults(seed * 1_000 + chunk, CHUNK, KINDS).faults:
            seconds = fault.seconds
            if fault.kind is FaultKind.CHAIN_HALT and seconds is not None:
                seconds = min(seconds, HALT_MOST_S)
            first, last = fault.first + chunk * CHUNK, fault.last + chunk * CHUNK
            found.append(replace(fault, first=first, last=last, seconds=seconds))
    for block in range(90, blocks, TRADES_EVERY):
        hand = Fault(kind=FaultKind.SECOND_TRADER, first=block, last=block, amount=TRADE)
        found.append(hand)
    return found


def as_yaml(faults: list[Fault]) -> str:
    """The faults as `seawall venue --faults` reads them."""
    lines = []
    for one in faults:
        words = {k: v for k, v in asdict(one).items() if v is not None}
        words = {k: str(v) for k, v in words.items()}
        lines.append("  - {" + ", ".join(f'{k}: "{v}"' for k, v in words.items()) + "}")
    return "faults:\n" + "\n".join(lines) + "\n"


class Listener(BaseHTTPRequestHandler):
    """Whoever is told: takes every second call and refuses the others."""

    calls = 0

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        type(self).calls += 1
        self.send_response(200 if type(self).calls % 2 else 503)
        self.end_headers()

    do_GET = do_POST = _answer  # noqa: N815  # the names are the library's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's
        """Say nothing."""


@contextmanager
def listening() -> Iterator[int]:
    """A listener on loopback; its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@contextmanager
def started(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[Process]:
    """A process whose output goes to a file, ended as systemd would."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=out, stderr=out, cwd=ROOT, env=environment
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def announced(log: Path) -> dict[str, Any]:
    """What the venue says at its start."""
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        first = log.read_text().partition("\n")
        if first[1] and first[0].startswith("{"):
            said: dict[str, Any] = json.loads(first[0])
            return said
        time.sleep(0.05)
    raise SystemExit(f"the venue did not start: {log.read_text()}")


def settings_of(said: Mapping[str, Any], folder: Path, port: int, metrics: int) -> dict[str, str]:
    """The guard's environment; keys are in files, as on a real machine."""
    secrets = {"trading": said["accounts"][0]["mnemonic"], "float": said["float"]["mnemonic"]}
    for name, words in secrets.items():
        place = folder / f"{name}.key"
        place.touch(mode=0o600)
        place.write_text(words)
    return os.environ | {
        "SEAWALL_ACCOUNT__ADDRESS": said["accounts"][0]["address"],
        "SEAWALL_VENUE__CHAIN_ID": said["chain_id"],
        "SEAWALL_VENUE__NODES": said["node"],
        "SEAWALL_VENUE__INDEXERS": said["indexer"],
        "SEAWALL_VENUE__FEEDS": said["websocket"],
        "SEAWALL_KEYS__TRADING": str(folder / "trading.key"),
        "SEAWALL_KEYS__FLOAT": str(folder / "float.key"),
        "SEAWALL_NOTIFY__URLS": f"json://127.0.0.1:{port}/told",
        "SEAWALL_NOTIFY__HEARTBEAT_URL": f"http://127.0.0.1:{port}/beat",
        "SEAWALL_METRICS__PORT": str(metrics),
        "SEAWALL_JOURNAL__PATH": str(folder / "journal.db"),
    }


def sample(pid: int, journal: Path, began: float) -> Sample:
    """The guard now, from the kernel, its pulse and its journal."""
    process = Path(f"/proc/{pid}")
    pages = int((process / "statm").read_text().split()[1])
    spent = (process / "stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
        ((count,), (size,)) = (
            database.execute(f"pragma {what}").fetchone() for what in ("page_count", "page_size")
        )
        (stored,) = database.execute("select count(*) from rows where kind = 'tick'").fetchone()
    return Sample(
        at_s=round(time.monotonic() - began, 1),
        rss_bytes=pages * os.sysconf("SC_PAGE_SIZE"),
        descriptors=len(list((process / "fd").iterdir())),
        cpu_s=(int(spent[11]) + int(spent[12])) / ticks,
        journal_bytes=count * size,
        ticks=read_pulse(pulse_path(journal)).tick,
        stored=stored,
    )


def fills_of(state: Mapping[str, Any], address: str) -> Iterator[Fill]:
    """The newest fills of the guarded account, from the venue's own books."""
    account = next(one for one in state["accounts"] if one["address"] == address)
    for fill in account["fills"]:
        yield Fill(
            client_id=fill["client_id"],
            height=fill["height"],
            market=fill["market"],
            is_buy=fill["side"] == "BUY",
            size=Decimal(fill["size"]),
            before=Decimal(fill["position_before"]),
        )


def watch(
    guard: Process, journal: Path, said: Mapping[str, Any], minutes: float, every: float
) -> tuple[list[Sample], dict[Fill, None], list[str]]:
    """Sample until the time is over or the guard is; samples, fills, what went wrong."""
    samples: list[Sample] = []
    fills: dict[Fill, None] = {}
    address = said["accounts"][0]["address"]
    began = time.monotonic()
    due = began + every
    with httpx.Client(trust_env=False, timeout=10) as client:
        while time.monotonic() - began < minutes * 60:
            time.sleep(1)
            if guard.poll() is not None:
                return samples, fills, [f"the guard ended by itself, with {guard.returncode}"]
            fills.update(dict.fromkeys(fills_of(client.get(said["state"]).json(), address)))
            if time.monotonic() < due:
                continue
            due += every
            samples.append(sample(guard.pid, journal, began))
            print(json.dumps(asdict(samples[-1])), flush=True)
    return samples, fills, []


def protecting(journal: Path, guard: Process, log: Path) -> None:
    """Wait until a tick has succeeded."""
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and guard.poll() is None:
        try:
            if read_pulse(pulse_path(journal)).succeeded_at is not None:
                return
        except OperatorError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"the guard did not start: {log.read_text()}")


def left_behind(folder: Path, said: Mapping[str, Any]) -> tuple[list[str], frozenset[int], int]:
    """What is wrong with journal and logs; the client ids that were sent, and how many actions."""
    wrong = []
    with Reader.open(folder / "journal.db") as reader:
        try:
            reader.verify()
        except JournalBroken as broken:
            wrong.append(f"the journal does not verify: {broken}")
        rows = [row.body for row in reader.rows(Kind.SENDING) if row.body is not None]
    sent = [from_json(Numbered, body).action for body in rows]
    words = [key["mnemonic"].encode() for key in (*said["accounts"], said["float"])]
    for file in (*sorted(folder.glob("journal.db*")), folder / "guard.log"):
        written = file.read_bytes()
        wrong += [f"a mnemonic stands in {file.name}" for one in words if one in written]
    ids = frozenset(one.client_id for one in sent if isinstance(one, Reduce))
    return wrong, ids, len(sent)


def soak(minutes: float, seed: int, every: float, folder: Path) -> dict[str, object]:
    """Run it; the verdict."""
    faults = schedule(seed, int(minutes * 60))
    (folder / "faults.yaml").write_text(as_yaml(faults))
    venue = [*SEAWALL, "venue", "--json", "--tied", "--accounts", "1", "--equity", "30_000"]
    venue += ["--leverage", "4x", "--float", "2_000", "--faults", str(folder / "faults.yaml")]
    journal, log = folder / "journal.db", folder / "guard.log"
    with listening() as port, started(venue, os.environ, folder / "venue.log"):
        said = announced(folder / "venue.log")
        (folder / "rules.yaml").write_text(RULES.format(float_address=said["float"]["address"]))
        guard = [*SEAWALL, "run", "--live", "--arm", "--allow-wide-key"]
        guard += ["--rules", str(folder / "rules.yaml")]
        environment = settings_of(said, folder, port, free_port())
        with started(guard, environment, log) as process:
            protecting(journal, process, log)
            samples, fills, wrong = watch(process, journal, said, minutes, every)
    left, ours, sent = left_behind(folder, said)
    wrong += [*left, *faults_of(samples, tuple(fills), ours)]
    if process.returncode != 0:
        wrong.append(f"told to stop, the guard ended with {process.returncode}")
    last = samples[-1] if samples else None
    return {
        "minutes": minutes,
        "seed": seed,
        "faults": len(faults),
        "samples": len(samples),
        "growth": {one.what: round(one.share, 4) for one in growths(samples)} if samples else {},
        "rss_mb": None if last is None else round(last.rss_bytes / 1e6, 1),
        "descriptors": None if last is None else last.descriptors,
        "cpu_share": None if last is None else round(last.cpu_s / last.at_s, 3),
        "ticks": None if last is None else last.ticks,
        "journal_bytes": None if last is None else last.journal_bytes,
        "journal_budget": None if last is None else journal_budget(last),
        "sent": sent,
        "fills_of_ours": sum(fill.client_id in ours for fill in fills),
        "told": Listener.calls,
        "wrong": wrong,
    }


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def main() -> None:
    """Run, print, and end with 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--every", type=float, default=10, help="seconds between samples")
    parser.add_argument("--folder", type=Path, help="keep what is written here")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if asked.folder is not None:
        asked.folder.mkdir(parents=True, exist_ok=True)
        verdict = soak(asked.minutes, asked.seed, asked.every, asked.folder)
    else:
        with tempfile.TemporaryDirectory(prefix="seawall-soak-") as folder:
            verdict = soak(asked.minutes, asked.seed, asked.every, Path(folder))
    print(json.dumps(verdict))
    if verdict["wrong"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
