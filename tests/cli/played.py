"""A simulated venue and guards before it, each a process of its own, as a user starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from seawall.action import Outcome
from seawall.agent import Kind, ReplyRow
from seawall.decide.memory import Numbered
from seawall.errors import OperatorError
from seawall.journal.codec import from_json
from seawall.journal.queries import Reader

ROOT = Path(__file__).parents[2]
SEAWALL = [sys.executable, "-m", "seawall.cli"]
PATIENCE_S = 30.0
GAP = """\
name: gap
why: "Everything falls 12% within two minutes."
start: 2026-03-12T12:00:00Z
prices: {BTC-USD: 100_000, ETH-USD: 4_000, SOL-USD: 200}
legs:
  - {name: calm, over: 30s}
  - {name: gap, over: 2m, move: {BTC-USD: -11%, ETH-USD: -12%, SOL-USD: -13%}}
  - {name: rest, over: 2m}
"""
RULES = ROOT / "config" / "demo-rules.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A venue that plays prices, as it announced itself."""

    said: Mapping[str, Any]

    def environment(self, **more: str) -> dict[str, str]:
        """Settings of a guard over its first account, by the environment alone."""
        trader = self.said["accounts"][0]
        settings = {
            "SEAWALL_ACCOUNT__ADDRESS": trader["address"],
            "SEAWALL_VENUE__CHAIN_ID": self.said["chain_id"],
            "SEAWALL_VENUE__NODES": self.said["node"],
            "SEAWALL_VENUE__INDEXERS": self.said["indexer"],
            "SEAWALL_VENUE__FEEDS": self.said["websocket"],
            "SEAWALL_VENUE__STEP_URL": self.said["step"],
            "SEAWALL_KEYS__TRADING": "env:TRADING_KEY",
            "TRADING_KEY": trader["mnemonic"],
        }
        return {**os.environ, **settings, **more}

    def start(self) -> None:
        """Let it make blocks, once a guard is there to wait for."""
        wait_until(lambda: bool(self.state()["guards"]), "a guard to attach")
        httpx.post(self.said["start"], json={}, trust_env=False).raise_for_status()

    def state(self) -> dict[str, Any]:
        """What it says of itself and every account."""
        answer = httpx.get(self.said["state"], trust_env=False)
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said

    @property
    def guarded(self) -> dict[str, Any]:
        """Its first account."""
        address = self.said["accounts"][0]["address"]
        accounts: list[dict[str, Any]] = self.state()["accounts"]
        return next(one for one in accounts if one["address"] == address)


@contextmanager
def venue(folder: Path, scenario: str = GAP, *options: str) -> Iterator[Venue]:
    """A venue that waits to be started and then for its guards."""
    file = folder / "scenario.yaml"
    file.write_text(scenario)
    command = [*SEAWALL, "venue", "--json", "--hold", "--speed", "0", "--scenario", str(file)]
    given = options or ("--leverage", "8x", "--equity", "30_000")
    with subprocess.Popen(
        [*command, *given], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None
            yield Venue(said=json.loads(process.stdout.readline()))
        finally:
            process.terminate()


def guard_command(journal: Path, *options: str, rules: Path = RULES) -> list[str]:
    """`seawall run` over the demo's rules."""
    return [*SEAWALL, "run", "--rules", str(rules), "--journal", str(journal), *options]


@contextmanager
def guard(
    place: Venue, journal: Path, *options: str, rules: Path = RULES
) -> Iterator[subprocess.Popen[str]]:
    """A guard that runs until it is stopped; live with the owner's own key, which must be said."""
    wide = ["--allow-wide-key"] if "--live" in options else []
    with subprocess.Popen(
        guard_command(journal, *options, *wide, rules=rules),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=place.environment(),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that must come; a run that hangs fails with its name."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, f"waited {PATIENCE_S:.0f} s for {what}"
        time.sleep(0.01)


def count(journal: Path, kind: str) -> int:
    """How many rows of a kind a journal has; none where there is no journal yet."""
    try:
        with Reader.open(journal) as reader:
            return sum(1 for _ in reader.rows(kind))
    except OperatorError:
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a journal says was sent, answered and became of it."""

    sending: Sequence[Numbered]
    replies: Sequence[ReplyRow]
    outcomes: Sequence[Outcome]


def read(journal: Path) -> Record:
    """A journal that verifies, read whole."""
    with Reader.open(journal) as reader:
        reader.verify()
        bodies = {
            kind: [row.body for row in reader.rows(kind) if row.body is not None]
            for kind in (Kind.SENDING, Kind.REPLY, Kind.OUTCOME)
        }
    return Record(
        sending=[from_json(Numbered, body) for body in bodies[Kind.SENDING]],
        replies=[from_json(ReplyRow, body) for body in bodies[Kind.REPLY]],
        outcomes=[from_json(Outcome, body) for body in bodies[Kind.OUTCOME]],
    )
