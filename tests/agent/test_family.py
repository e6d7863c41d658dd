"""Subaccounts once seen are remembered, and read where no indexer lists them any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from seawall.account import Blind, Seen
from seawall.agent import Agent, Kind, family_of
from seawall.cli.look import observe, remembered
from seawall.journal.store import Journal
from seawall.policy import Mode, Policy
from seawall.settings import AccountSettings, JournalSettings, Settings, VenueSettings
from seawall.units import Millis
from tests.see import OWNER, see
from tests.venue.dydx import fake_node
from tests.venue.dydx.fake_indexer import FakeIndexer, indexing
from tests.venue.dydx.fake_node import FakeNode, serving
from tests.venue.dydx.test_survey import at_height, child

HELD = {"BTC-USD": ("0.1", 100_000)}
WITH_CHILD = see(equity=9_000, children={128: (500, HELD), 256: (0, {})})


class Shown:
    """A venue that shows what it is given, one a tick."""

    def __init__(self, *seen: Seen) -> None:
        self._seen: Iterator[Seen] = iter(seen)

    async def observe(self) -> Seen:
        return next(self._seen)

    async def tick_done(self, height: int, idle_until: Millis | None) -> None:
        """Nothing is played here."""


async def guarded(journal: Journal, *seen: Seen, owner: str = OWNER) -> None:
    """A guard that starts and sees these."""
    agent = Agent.resume(
        Shown(*seen),  # type: ignore[arg-type]  # the agent only observes: nothing is sent
        journal,
        Policy(),
        digest="none",
        mode=Mode.DRY_RUN,
        owner=owner,
    )
    for _ in seen:
        await agent.tick()


async def test_every_subaccount_seen_is_remembered_once() -> None:
    with Journal.open(":memory:") as journal:
        await guarded(journal, see(equity=9_000), WITH_CHILD, WITH_CHILD)
        await guarded(journal, WITH_CHILD, Blind(seen_at=Millis(1), reasons=("down",)))

        assert family_of(journal, OWNER) == (0, 128, 256)
        assert len(list(journal.rows(Kind.FAMILY))) == 2


async def test_one_that_is_gone_stays_remembered() -> None:
    with Journal.open(":memory:") as journal:
        await guarded(journal, WITH_CHILD, see(equity=9_000))

        assert family_of(journal, OWNER) == (0, 128, 256)


async def test_another_owner_s_family_is_not_ours() -> None:
    with Journal.open(":memory:") as journal:
        await guarded(journal, WITH_CHILD)

        assert family_of(journal, "dydx1other") == ()
        assert family_of(journal, OWNER) == (0, 128, 256)


async def test_a_look_reads_remembered_children_with_the_indexer_down(tmp_path: Path) -> None:
    path = tmp_path / "seawall.db"
    with Journal.open(path) as journal:
        await guarded(journal, replace(WITH_CHILD, owner=fake_node.OWNER), owner=fake_node.OWNER)
    node = FakeNode(usdc={0: 5_000_000, 128: 7_000_000, 256: 0})
    indexer: FakeIndexer = at_height(100, child(0, "BTC-USD", "0.1"))
    indexer.statuses[f"/addresses/{fake_node.OWNER}"] = [403] * 9
    async with serving(node), indexing(indexer):
        settings = Settings(
            account=AccountSettings(address=fake_node.OWNER),
            venue=VenueSettings(chain_id=node.chain_id, nodes=(node.url,), indexers=(indexer.url,)),
            journal=JournalSettings(path=path),
        )
        seen = await observe(settings)

    assert remembered(settings).family == (0, 128, 256)
    assert remembered(settings).ledger is not None
    assert {one.number: one.usdc for one in seen.subaccounts} == node.usdc
