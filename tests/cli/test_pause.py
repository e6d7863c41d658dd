"""`seawall pause` is a row with a duration; a guard that starts late obeys what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall.agent import Agent, Kind
from seawall.cli import main
from seawall.decide.memory import Pause
from seawall.journal.codec import from_json, to_json
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.simulator.local import LocalVenue
from seawall.units import HOUR, MINUTE, Millis
from tests.agent.crashes import OWNER, POLICY, stage
from tests.journal.journals import journal_of
from tests.simulation.duel import at_once


def ends_with(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("word", "duration"), [("1s", 1_000), ("1h30m", 90 * MINUTE), ("24h", 24 * HOUR)]
)
def test_a_pause_is_a_row(
    word: str, duration: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "j.db"
    journal_of(path).close()

    assert ends_with("pause", word, "--journal", str(path)) == 0

    assert "the guard obeys at its next tick" in capsys.readouterr().out
    with Journal.join(path) as journal:
        row = journal.last(Kind.COMMAND)
    assert row is not None
    assert from_json(Pause, row.body or "") == Pause(duration=Millis(duration))


@pytest.mark.parametrize("word", ["0s", "24h1s", "2d", "two hours", "30", "-1h"])
def test_a_pause_without_an_end_within_a_day_is_refused(word: str, tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal_of(path).close()

    assert ends_with("pause", "--journal", str(path), "--", word) == 2

    with Journal.join(path) as journal:
        assert journal.last(Kind.COMMAND) is None


@pytest.mark.parametrize("waited", [0, 59, 60, 61])
def test_what_waited_for_the_guard_is_shorter_by_that(waited: int, tmp_path: Path) -> None:
    asked_at = Millis(1_700_000_000_000)
    now = Millis(asked_at + waited * MINUTE)

    with Journal.open(tmp_path / "j.db", clock=lambda: now) as journal:
        venue = LocalVenue(stage(), OWNER)
        agent = Agent.resume(venue, journal, POLICY, digest="d", mode=Mode.LIVE, owner=OWNER)
        journal.append(Kind.COMMAND, to_json(Pause(duration=HOUR)), at=asked_at)
        decision = at_once(agent.tick())

    assert decision.commands == (Pause(duration=Millis(HOUR - waited * MINUTE)),)
    assert (agent.memory.pause is not None) is (waited < 60)
    assert (decision.actions == ()) is (waited < 60)
