"""`seawall plan` beside a guard: what its journal remembers counts, and one line says so."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seawall.agent import Kind, StartRow, TickRow
from seawall.cli.plan import app
from seawall.cli.recalled import recall
from seawall.decide.memory import Pause, Paused
from seawall.journal.codec import to_json
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.rulefile import load
from seawall.units import Millis
from tests.cli.test_plan import ONE_RULE, SETTINGS
from tests.decide.guarded import Guarded, guarded
from tests.venue.dydx.fake_indexer import FakeIndexer, indexing
from tests.venue.dydx.fake_node import CHAIN_ID, OWNER, FakeNode, serving


def written(path: Path, on: Guarded, digest: str, *, owner: str = OWNER) -> Path:
    """The journal of a guard that has done what a small world's guard did."""
    start = StartRow(
        version="1", digest=digest, mode=on.mode, owner=owner, policy=on.policy, parent=0
    )
    row = TickRow(
        digest=digest,
        mode=on.mode,
        seen=on.observation(),
        commands_through=0,
        before=on.memory,
        decision=on.last,
        after=on.memory,
    )
    with Journal.open(path) as journal:
        journal.append(Kind.START, to_json(start))
        journal.append(Kind.TICK, to_json(row))
    return path


def test_what_a_guard_s_journal_remembers_is_said_in_one_line_and_in_json(tmp_path: Path) -> None:
    on = guarded(ONE_RULE, sizes={"BTC-USD": "1.4"}, fill=0)
    on.tick(Pause(duration=Millis(3_600_000)))
    place = written(tmp_path / "j.db", on, "ours")

    same, other = (recall(place, SETTINGS, digest) for digest in ("ours", "theirs"))

    assert same.line() == (
        "as the live guard (these rules) remembers at 2023-11-14 22:13:21Z, 1 running, "
        "paused until 23:13Z"
    )
    assert "(other rules)" in other.line()
    said = same.as_object()
    assert said is not None
    assert (said["mode"], said["same_rules"], said["latched"]) == ("live", True, [])
    assert said["running"] == ["leverage/0/act#1"]
    assert same.kept is not None
    assert same.kept.mode is Mode.LIVE


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (str, "no journal at "),
        (lambda path: path.write_text("no"), "is no journal of this account"),
        (lambda path: Journal.open(path).close(), "no guard has written a tick into "),
        (
            lambda path: written(path, _ticked(), "", owner=f"{OWNER[:-1]}z"),
            "is no journal of this account",
        ),
    ],
)
def test_without_a_journal_of_the_account_one_line_says_so(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    make(tmp_path / "j.db")

    known = recall(tmp_path / "j.db", SETTINGS, "")

    assert known.line().startswith("nothing counts as spent, running, latched or paused: ")
    assert said in known.line()
    assert (known.kept, known.as_object()) == (None, None)


def _ticked() -> Guarded:
    on = guarded(ONE_RULE)
    on.tick()
    return on


async def test_the_verb_plans_as_the_guard_would_that_wrote_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, indexer, rules = FakeNode(), FakeIndexer(), tmp_path / "rules.yaml"
    node.start_s = int(time.time()) - node.height
    indexer.answers["/height"] = {"height": str(node.height)}
    node.usdc = {0: -7_600_000_000}  # $2,400 with its 0.1 BTC
    rules.write_text(ONE_RULE)
    on = guarded(ONE_RULE)
    on.tick(Pause(duration=Millis(86_400_000)))
    until = int(time.time() * 1_000) + 3_600_000
    on.memory = replace(on.memory, pause=Paused(until=Millis(until)))
    place = written(tmp_path / "j.db", on, load(rules).digest)
    async with serving(node), indexing(indexer):
        for name, value in {
            "VENUE__CHAIN_ID": CHAIN_ID,
            "VENUE__NODES": node.url,
            "VENUE__INDEXERS": indexer.url,
            "ACCOUNT__ADDRESS": OWNER,
        }.items():
            monkeypatch.setenv(f"SEAWALL_{name}", value)
        monkeypatch.chdir(tmp_path)
        asked = ["--rules", str(rules), "--json"]
        free = await asyncio.to_thread(CliRunner().invoke, app, asked)
        kept = await asyncio.to_thread(CliRunner().invoke, app, [*asked, "--journal", str(place)])

    assert free.exit_code == kept.exit_code == 0, kept.output
    without, said = json.loads(free.stdout), json.loads(kept.stdout)
    assert (without["journal"], bool(without["orders"])) == (None, True)
    assert (said["journal"]["paused_until"], said["orders"]) == (until, [])
    assert {one["code"] for one in said["not_done"]} == {"PAUSED"}
