"""`seawall rearm` of what is not latched: it says what stands in the way, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall.agent import Agent, Kind
from seawall.cli import main
from seawall.decide.memory import Panic
from seawall.journal.codec import to_json
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.rulefile import parse
from seawall.simulator.local import LocalVenue
from tests.agent.crashes import OWNER, stage
from tests.simulation.duel import at_once

LATCHING = """
rules:
  - id: size
    why: "No more than this, and a person looks before it is more again."
    measure: gross_exposure
    trigger: "> $40_000"
    latch: manual
    do: [page]
"""


def test_what_still_fires_is_not_released_and_the_way_out_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, policy = tmp_path / "j.db", parse(LATCHING).policy
    with Journal.open(path) as journal:
        venue = LocalVenue(stage(), OWNER)
        guard = Agent.resume(venue, journal, policy, digest="d", mode=Mode.LIVE, owner=OWNER)
        at_once(guard.tick())

    with pytest.raises(SystemExit) as ended:
        main(("rearm", "size", "--journal", str(path)))

    assert ended.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "size/BTC-USD still fires" in said
    assert "`seawall rebase`" in said
    with Journal.join(path) as journal:
        assert journal.last(Kind.COMMAND) is None


@pytest.mark.parametrize(("word", "hint"), [("pnic", "did you mean `panic`?"), ("gross", "")])
def test_a_misspelt_latch_is_refused_with_the_nearest(
    word: str, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path) as journal:
        journal.append(Kind.COMMAND, to_json(Panic()))

    with pytest.raises(SystemExit) as ended:
        main(("rearm", word, "--journal", str(path)))

    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert hint in said
    assert ("did you mean" in said) is bool(hint)
