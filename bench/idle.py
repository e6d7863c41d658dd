"""What a guard takes while nothing happens: memory, processor, disk, and how long its start takes.

    python -m bench.idle [--seconds 120] [--markets 200] [--json]

A venue of 200 markets whose prices all move every second, over sockets, in a process of its own;
`seawall run` on paper guards an account with five positions there, with the shipped rules. Resident
memory and share of a core over the second half of the time, the journal as megabytes a day, and
seconds from the command to the first tick that succeeded (also of a `seawall --version`, which is
the interpreter and the command line alone).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from seawall.errors import OperatorError
from seawall.notify.pulse import pulse_path, read_pulse
from seawall.simulator.chain import Chain
from seawall.simulator.keys import demo_key
from seawall.simulator.markets import BTC_USD
from seawall.simulator.messages import SubaccountId
from seawall.simulator.play import Player
from seawall.simulator.prices import Line, Point
from seawall.simulator.prices import Path as Prices
from seawall.simulator.serve.launch import Production, as_object, serve
from seawall.simulator.serve.server import Endpoints, ServeSettings
from seawall.units import MINUTE, SECOND, BaseQuantums, Millis, QuoteQuantums

ROOT = Path(__file__).parents[1]
SEAWALL = (sys.executable, "-m", "seawall.cli")
HELD = 5
DOLLAR = 1_000_000
READY_WITHIN_S = 60.0
DAY_S = 86_400


def production(markets: int, seconds: int) -> Production:
    """A venue of so many markets like BTC, and one account that holds the first five."""
    start = Millis(time.time_ns() // 1_000_000)
    end = Millis(start + seconds * SECOND + 10 * MINUTE)
    specs = [
        replace(BTC_USD, ticker=f"M{n}-USD", perpetual_id=n, clob_pair_id=n, market_id=n)
        for n in range(markets)
    ]
    lines = {}
    for spec in specs:
        dice, price, points = random.Random(spec.ticker), 100_000.0, []
        for at in range(start, end + SECOND, SECOND):
            points.append(Point(Millis(at), price))
            price = 100_000 + (price - 100_000) * 0.999 + dice.gauss(0, 5)
        lines[spec.ticker] = Line(points)
    path = Prices(lines, start=start, end=end, name="crowd")
    chain = Chain(start=start, mids=path.prices(start), markets=specs)
    key = demo_key(1, "trader-1")
    account = SubaccountId(owner=key.address, number=0)
    chain.endow(account, QuoteQuantums(30_000 * DOLLAR))
    for spec in specs[:HELD]:
        chain.assign(account, spec.ticker, BaseQuantums(5 * 10**8))
    return Production(player=Player(chain, path), traders=(key,), float_key=None)


def serve_markets(markets: int, seconds: int) -> None:
    """Serve them until stdin ends; the first line says where."""
    made = production(markets, seconds)

    def announce(endpoints: Endpoints) -> None:
        print(json.dumps(as_object(made, endpoints, ())), flush=True)

    asyncio.run(serve(made, ServeSettings(speed=1.0), announce, ends_with_stdin=True))


def spent_s(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def stored_bytes(journal: Path) -> int:
    """The size of a journal, what waits in its log included."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
        (pages,) = database.execute("pragma page_count").fetchone()
        (size,) = database.execute("pragma page_size").fetchone()
    return int(pages * size)


def wait_for_tick(journal: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a tick has succeeded."""
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if read_pulse(pulse_path(journal)).succeeded_at is not None:
                return
        except OperatorError:
            pass
        time.sleep(0.01)
    raise SystemExit("the guard did not start")


def measure(said: dict[str, Any], folder: Path, seconds: int) -> dict[str, float]:
    """Start a guard, let it idle, and read what it took."""
    journal = folder / "journal.db"
    environment = os.environ | {
        "SEAWALL_ACCOUNT__ADDRESS": said["accounts"][0]["address"],
        "SEAWALL_VENUE__CHAIN_ID": said["chain_id"],
        "SEAWALL_VENUE__NODES": said["node"],
        "SEAWALL_VENUE__INDEXERS": said["indexer"],
        "SEAWALL_VENUE__FEEDS": said["websocket"],
        "SEAWALL_JOURNAL__PATH": str(journal),
    }
    began = time.monotonic()
    subprocess.run([*SEAWALL, "--version"], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    command_line = time.monotonic() - began
    began = time.monotonic()
    with (folder / "guard.log").open("wb") as log:
        process = subprocess.Popen(
            [*SEAWALL, "run"], stdout=log, stderr=log, cwd=ROOT, env=environment
        )
    try:
        wait_for_tick(journal, process)
        start, start_cpu = time.monotonic() - began, spent_s(process.pid)
        time.sleep(seconds / 2)
        cpu, size, at = spent_s(process.pid), stored_bytes(journal), time.monotonic()
        ticks = read_pulse(pulse_path(journal)).tick
        time.sleep(seconds / 2)
        took = time.monotonic() - at
        return {
            "rss_mb": round(resident_bytes(process.pid) / 1e6, 1),
            "core_share": round((spent_s(process.pid) - cpu) / took, 4),
            "ticks_per_second": round((read_pulse(pulse_path(journal)).tick - ticks) / took, 2),
            "journal_mb_a_day": round((stored_bytes(journal) - size) / took * DAY_S / 1e6, 1),
            "start_s": round(start, 2),
            "start_cpu_s": round(start_cpu, 2),
            "command_line_s": round(command_line, 2),
        }
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    """Measure and print; with --json the last line is the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--markets", type=int, default=200)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.serve:
        serve_markets(asked.markets, asked.seconds)
        return
    command = [sys.executable, "-m", "bench.idle", "--serve", "--markets", str(asked.markets)]
    command += ["--seconds", str(asked.seconds)]
    with (
        tempfile.TemporaryDirectory(prefix="seawall-idle-") as folder,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        ) as served,
    ):
        try:
            assert served.stdout is not None
            numbers = measure(json.loads(served.stdout.readline()), Path(folder), asked.seconds)
        finally:
            served.terminate()
    for name, value in numbers.items():
        print(f"{name}: {value}")
    if asked.json:
        print(json.dumps(numbers))


if __name__ == "__main__":
    main()
