"""`seawall panic` from a second shell: alone, beside a guard, and for a guard that comes later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from seawall.account import KeyReach, Missing, Observation, Seen
from seawall.action import WINDOW_BLOCKS, Cancel, Reduce
from seawall.agent import Agent, Kind, StartRow, restore
from seawall.alarm import Phase
from seawall.cli import main
from seawall.cli.closing import Left, close_everything, left_of, rehearse, words_of
from seawall.cli.panic import _hands_off, _rehearse
from seawall.decide.memory import Decision, Numbered, Panic, Rearm
from seawall.journal.codec import from_json, to_json
from seawall.journal.store import Journal
from seawall.policy import HandsOff, Mode, Policy
from seawall.settings import AccountSettings, JournalSettings, Settings, VenueSettings
from seawall.simulator import setup
from seawall.simulator.chain import Chain
from seawall.simulator.local import LocalVenue
from seawall.units import MINUTE, Millis
from seawall.venue.dydx.connection import wall_clock
from tests.agent.crashes import EQUITY, OWNER, POLICY, advance, stage
from tests.simulation.duel import at_once
from tests.simulator.stage import MIDS, START
from tests.venue.dydx import fake_node
from tests.venue.dydx.fake_indexer import FakeIndexer, indexing, with_snapshots
from tests.venue.dydx.fake_node import FakeNode, serving

NOTHING = HandsOff()


class Shell(LocalVenue):
    """A venue seen from a shell; waiting makes the next block, and lets a guard tick before it."""

    guard: Agent | None = None
    shows_orders = True
    fills = True
    reach: KeyReach | None = None

    async def observe(self) -> Seen:
        seen = self.look()
        if self.reach is not None:
            seen = replace(seen, advice=replace(seen.advice, key_reach=self.reach))
        if self.shows_orders:
            return seen
        return replace(seen, advice=replace(seen.advice, orders=Missing(reason="indexer down")))

    async def wait_for_change(self, timeout: Millis) -> None:
        assert timeout > 0
        if self.guard is not None:
            await self.guard.tick()
        advance(self._chain)


def shell(chain: Chain) -> Shell:
    return Shell(chain, OWNER)


def agent(chain: Chain, journal: Journal, policy: Policy = POLICY) -> Agent:
    venue = LocalVenue(chain, OWNER)
    return Agent.resume(venue, journal, policy, digest="d", mode=Mode.LIVE, owner=OWNER)


def close(
    venue: Shell, journal: Journal, hands_off: HandsOff = NOTHING, patience: Millis = MINUTE
) -> tuple[Left, list[Decision]]:
    heard: list[Decision] = []
    left = at_once(
        close_everything(venue, journal, hands_off, patience=patience, heard=heard.append)
    )
    return left, heard


def sent(journal: Journal) -> list[Numbered]:
    return [from_json(Numbered, row.body or "") for row in journal.rows(Kind.SENDING)]


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    with Journal.open(path) as journal:
        yield journal


def test_alone_it_cancels_closes_and_proves_both(tmp_path: Path) -> None:
    chain = stage()

    with opened(tmp_path / "j.db") as journal:
        left, heard = close(shell(chain), journal)

        assert left == Left()
        assert list(words_of(left)) == []
        assert chain.committed.subaccount(OWNER, 0).held == ()
        assert not chain.committed.open_orders(OWNER)
        assert Counter(type(one.action) for one in sent(journal)) == {Cancel: 1, Reduce: 1}
        assert {one.action_id for d in heard for one in d.outcomes} == {
            one.id for one in sent(journal)
        }
        journal.verify()
        first = journal.last(Kind.COMMAND)
        assert first is not None
        assert first.seq == 1, "the operator's word is the first thing written"


def test_a_guard_that_starts_later_finds_it_latched(tmp_path: Path) -> None:
    chain = stage()
    with opened(tmp_path / "j.db") as journal:
        agent(chain, journal, Policy())
        close(shell(chain), journal)

    with opened(tmp_path / "j.db") as journal:
        guard = agent(chain, journal, Policy())
        decision = at_once(guard.tick())

        assert decision.commands == (Panic(),)
        assert guard.memory.alarms["panic"].levels[0].phase is Phase.LATCHED
        assert decision.tick == 1, "the shell's ticks are not the guard's"


@pytest.mark.parametrize("blocks_behind", [0, 1])
def test_beside_a_guard_each_order_is_carried_out_once(tmp_path: Path, blocks_behind: int) -> None:
    chain = stage()
    with opened(tmp_path / "j.db") as journal, Journal.join(tmp_path / "j.db") as second:
        venue = shell(chain)
        venue.guard = agent(chain, journal)
        for _ in range(blocks_behind):
            advance(chain)

        left, _ = close(venue, second)
        for _ in range(8):
            at_once(venue.guard.tick())
            advance(chain)

        assert left == Left()
        assert chain.committed.subaccount(OWNER, 0).held == ()
        closed = Counter(fill.order_id for _, fill in chain.history.fills)
        sizes = sum(fill.quantums for _, fill in chain.history.fills)
        assert sizes == 50 * 10**8, "the position, once"
        assert len(closed) <= 2
        ids = [one.id for one in sent(journal)]
        assert len(ids) == len(set(ids))
        memory, _ = restore(journal)
        assert memory.alarms["panic"].levels[0].phase is Phase.LATCHED
        journal.verify()


def test_what_is_left_is_named(tmp_path: Path) -> None:
    chain = stage()
    venue = shell(chain)
    venue.shows_orders = False

    with opened(tmp_path / "j.db") as journal:
        left, _ = close(venue, journal, patience=Millis(20_000))

    assert not left.is_done
    assert list(words_of(left)) == ["not verified: resting orders: indexer down"]
    assert chain.committed.subaccount(OWNER, 0).held == (), "closed all the same"


def test_what_the_key_cannot_trade_is_named_before_and_after(tmp_path: Path) -> None:
    venue = shell(stage())
    venue.reach = KeyReach(clob_pairs=frozenset({1}))
    said = (
        "still open: 0/BTC-USD, the trading key cannot trade it: close it by hand, or "
        "`seawall keys grant` it"
    )

    seen, decision = at_once(rehearse(venue, NOTHING))
    with opened(tmp_path / "j.db") as journal:
        left, _ = close(venue, journal, patience=Millis(20_000))

    assert [one.what.split()[0] for one in decision.on_paper] == ["cancel"]
    for each in (left_of(seen, NOTHING), left):
        assert each.beyond_reach == ("0/BTC-USD",)
        assert said in list(words_of(each))


def test_hands_off_of_the_last_rule_set_is_kept(tmp_path: Path) -> None:
    chain = Chain(start=START, mids=MIDS)
    setup.fund(chain, OWNER, 0, EQUITY)
    setup.open_book(chain, OWNER, 0, {"BTC-USD": Decimal(5_000), "ETH-USD": Decimal(-5_000)})
    advance(chain)
    hands_off = HandsOff(markets=("ETH-USD",))

    with opened(tmp_path / "j.db") as journal:
        assert _hands_off(journal) == NOTHING
        row = StartRow(
            version="0",
            digest="d",
            mode=Mode.LIVE,
            owner=OWNER,
            policy=replace(POLICY, hands_off=hands_off),
        )
        journal.append(Kind.START, to_json(row))
        assert _hands_off(journal) == hands_off

        left, heard = close(shell(chain), journal, hands_off)

    assert left == Left(hands_off=("0/ETH-USD",))
    assert left.is_done
    assert list(words_of(left)) == ["left open, hands_off in the rule file: 0/ETH-USD"]
    assert "close 1 position within 200bps" in heard[0].messages[0].text
    (kept,) = chain.committed.subaccount(OWNER, 0).held
    assert kept.quantums < 0


@pytest.mark.parametrize("blocks", range(WINDOW_BLOCKS))
def test_a_rehearsal_says_what_would_be_done_and_does_nothing(blocks: int) -> None:
    chain = stage()
    for _ in range(blocks):
        advance(chain)
    before = chain.committed.subaccount(OWNER, 0)

    seen, decision = at_once(rehearse(shell(chain), NOTHING))

    assert isinstance(seen, Observation)
    assert left_of(seen, NOTHING).positions == ("0/BTC-USD",)
    assert [one.what.split()[0] for one in decision.on_paper] == ["cancel", "sell"]
    advance(chain)
    assert chain.committed.subaccount(OWNER, 0) == before


def test_a_rehearsal_waits_for_orders_and_not_for_ever() -> None:
    venue = shell(stage())
    venue.shows_orders = False

    seen, decision = at_once(rehearse(venue, NOTHING))

    assert left_of(seen, NOTHING).unverified
    assert len(decision.on_paper) == 1


def ends_with(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_rearm_releases_a_panic_that_no_guard_has_taken_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "j.db"
    chain = stage()
    with opened(path) as journal:
        close(shell(chain), journal)

    assert ends_with("rearm", "panic", "--journal", str(path)) == 0
    assert ends_with("rearm", "panic", "--journal", str(path)) == 2

    assert "panic is not latched" in capsys.readouterr().err
    with opened(path) as journal:
        guard = agent(chain, journal, Policy())
        assert at_once(guard.tick()).commands == (Panic(), Rearm(key="panic"))
        assert "panic" not in guard.memory.alarms


@pytest.mark.parametrize("name", ["panic"])
def test_without_a_key_it_says_what_is_missing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEAWALL_ACCOUNT__ADDRESS", "dydx199tqg4wdlnu4qjlxchpd7seg454937hjrknju4")

    code = ends_with(name, "--journal", str(tmp_path / "j.db"))

    assert code == 2
    assert "keys.trading is missing" in capsys.readouterr().err
    assert not (tmp_path / "j.db").exists()


async def test_where_every_block_is_ahead_of_our_clock_it_closes_what_it_sees(
    tmp_path: Path,
) -> None:
    node = FakeNode(start_s=wall_clock() // 1_000 - 40)  # its block 100 is a minute ahead
    indexer = with_snapshots(FakeIndexer())
    async with serving(node), indexing(indexer):
        settings = Settings(
            account=AccountSettings(address=fake_node.OWNER),
            venue=VenueSettings(
                chain_id=node.chain_id,
                nodes=(node.url,),
                indexers=(indexer.url,),
                feeds=(indexer.feed,),
            ),
            journal=JournalSettings(path=tmp_path / "none.db"),
        )
        would, left = await _rehearse(settings)

    assert [type(one.action) for one in would] == [Reduce]
    assert left.positions == ("0/BTC-USD",)
