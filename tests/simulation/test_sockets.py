"""One of the worst windows over real sockets: to the last quantum what happens in process."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from seawall.units import Millis, usd
from tests.simulation.duel import (
    CRASHES,
    GUARDED,
    candles_of,
    demo_policy,
    duel,
    event_names,
    side_of,
    window,
)

EVENT = "2022-05-09_terra-luna"

pytestmark = pytest.mark.skipif(
    EVENT not in event_names(), reason=f"no crash data in {CRASHES}: set SEAWALL_DATA to play it"
)


def moment(at: Millis) -> str:
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def test_a_crash_over_sockets_ends_as_it_does_in_process(tmp_path: Path) -> None:
    path = window(candles_of(EVENT), 0)
    result = duel(path, side=side_of(EVENT), policy=demo_policy())
    options = ["--prices", str(CRASHES / EVENT), "--journal", str(tmp_path / "journal.db")]
    options += ["--from", moment(path.start), "--to", moment(path.end), "--json"]

    done = subprocess.run(
        [sys.executable, "-m", "seawall.cli", "demo", *options],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=300,
        check=True,
    )

    said = json.loads(done.stdout)
    assert not said["guarded"]["liquidated"]
    assert said["unguarded"]["liquidated"]
    assert GUARDED not in result.liquidated
    assert Decimal(said["guarded"]["equity_end"]) == usd(result.guarded)
    assert Decimal(said["unguarded"]["equity_end"]) == usd(result.twin)
    assert [one["name"] for one in said["interventions"]] == result.interventions
