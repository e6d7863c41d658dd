"""`--watch`: look after look until interrupted, and blind instead of old numbers."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.cli.looked import held_venue
from tests.cli.played import SEAWALL, Venue


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    yield from held_venue(tmp_path_factory.mktemp("venue"))


@pytest.mark.parametrize("verb", ["status", "stress"])
@pytest.mark.parametrize("node", ["", "127.0.0.1:1"])
def test_it_watches_until_interrupted_and_says_when_it_is_blind(
    place: Venue, verb: str, node: str
) -> None:
    more = {"SEAWALL_VENUE__NODES": node} if node else {}
    with subprocess.Popen(
        [*SEAWALL, verb, "--watch", "--every", "1", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=place.environment(**more),
    ) as watching:
        assert watching.stdout is not None
        looks = [json.loads(watching.stdout.readline()) for _ in range(2)]
        watching.send_signal(signal.SIGINT)

    assert watching.returncode == 130
    assert [("blind" in look, "subaccounts" in look) for look in looks] == [
        (bool(node), not node)
    ] * 2
