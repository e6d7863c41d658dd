"""`seawall rebase`: a journalled command that the guard obeys at its next tick."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.account import Observation
from seawall.agent import Agent
from seawall.cli.rebase import rebase
from seawall.errors import OperatorError
from seawall.journal.store import Journal
from seawall.measures.ledger import ACCOUNT
from seawall.policy import Mode, Policy
from seawall.units import Millis
from tests.see import AT, HEIGHT, see


class Shown:
    """A venue that shows what it is given, one observation a tick."""

    def __init__(self, seen: Iterator[Observation]) -> None:
        self._seen = seen

    async def observe(self) -> Observation:
        return next(self._seen)

    async def tick_done(self, height: int, idle_until: Millis | None) -> None:
        """Nothing is played here."""


def later(seconds: int, price: int) -> Observation:
    held = {"BTC-USD": (1, price)}
    at = Millis(AT + seconds * 1_000)
    return see(equity=10_000 + price - 60_000, positions=held, height=HEIGHT + seconds, at=at)


async def test_the_peak_is_the_value_of_now_from_the_next_tick_on(tmp_path: Path) -> None:
    path = tmp_path / "seawall.db"
    seen = iter([later(0, 60_000), later(1, 59_000), later(2, 58_000)])
    with Journal.open(path) as journal:
        agent = Agent.resume(
            Shown(seen),  # type: ignore[arg-type]  # the agent only observes: nothing is sent
            journal,
            Policy(),
            digest="none",
            mode=Mode.DRY_RUN,
            owner=later(0, 60_000).owner,
        )
        await agent.tick()
        await agent.tick()
        assert agent.memory.ledger is not None
        before = agent.memory.ledger.series[ACCOUNT]

        rebase(path)
        await agent.tick()
        after = agent.memory.ledger.series[ACCOUNT]

    assert before.peak > before.nav
    assert after.peak == after.nav < before.nav


def test_a_journal_without_an_observation_has_no_peak_to_rebase(tmp_path: Path) -> None:
    path = tmp_path / "seawall.db"
    Journal.open(path).close()

    with pytest.raises(OperatorError, match="no peak to rebase"):
        rebase(path)
