"""What one tick sends goes out side by side, in order, each written down before it is sent."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from seawall.account import Side
from seawall.action import Action, TopUp
from seawall.agent import Agent, Kind, ReplyRow
from seawall.decide.memory import Numbered
from seawall.journal.codec import from_json
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.venue import Reply
from seawall.venue.dydx.venue import DydxVenue
from tests.agent.test_guard import OWNER, Standing
from tests.decide.guarded import FLOAT, Guarded, cuts, deposits, guarded, ladder
from tests.see import BTC, resting
from tests.venue.dydx.fake_indexer import FakeIndexer, indexing
from tests.venue.dydx.fake_node import FakeNode, serving
from tests.venue.dydx.wires import connection_to, keys, opened, seen_well

FLATTEN = (
    '{name: panic, trigger: "> $9_000", latch: manual, '
    "do: [page, {flatten: {max_slippage: 200bps, give_up_after: 600s}}]}"
)
CANCEL_CASH_AND_SIZE = ladder(
    '{name: act, trigger: "< $28_500", target: ">= $29_000", do: [page, '
    "{reduce: {until: target, max_slippage: 60bps, or_else: page}}, "
    "{top_up: {until: target, max: $3_000}}, {cancel_orders: risk_increasing}]}",
    head=FLOAT,
    measure="free_collateral",
    scope="{subaccounts: [0]}",
)
TWO = {"BTC-USD": "0.1", "ETH-USD": "2"}
PATIENCE_S = 5.0  # of a test whose orders would wait for one another for ever


class Meeting(Standing):
    """A venue that answers nobody before everybody has arrived."""

    def __init__(self, world: Guarded, journal: Journal, expected: int) -> None:
        super().__init__(world)
        self._journal = journal
        self._all = asyncio.Barrier(expected)
        self.raises: type[Exception] | None = None

    async def send(self, action: Action) -> Reply:
        assert action in [one.action for one in sending(self._journal)], "no row before it"
        self.sent.append(action)
        await self._all.wait()
        if self.raises is not None and action is self.sent[0]:
            raise self.raises
        return Reply()


def sending(journal: Journal) -> list[Numbered]:
    return [from_json(Numbered, row.body or "") for row in journal.rows(Kind.SENDING)]


def replied(journal: Journal) -> set[str]:
    return {from_json(ReplyRow, row.body or "").action_id for row in journal.rows(Kind.REPLY)}


def agent_of(venue: Standing, journal: Journal) -> Agent:
    policy = venue.world.policy
    return Agent.resume(venue, journal, policy, digest="d", mode=Mode.LIVE, owner=OWNER)


def meeting() -> tuple[Meeting, Journal, Agent]:
    journal = Journal.open(":memory:")
    venue = Meeting(guarded(ladder(FLATTEN), sizes=TWO), journal, 2)
    return venue, journal, agent_of(venue, journal)


async def test_no_order_waits_for_the_answer_to_another() -> None:
    venue, journal, agent = meeting()

    async with asyncio.timeout(PATIENCE_S):
        decision = await agent.tick()

    assert venue.sent == [one.action for one in decision.actions]
    assert len(venue.sent) == 2
    assert replied(journal) == {one.id for one in decision.actions}


async def test_one_that_raises_keeps_no_other_from_being_sent() -> None:
    venue, journal, agent = meeting()
    venue.raises = RuntimeError

    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(RuntimeError):
            await agent.tick()

    assert len(venue.sent) == 2
    assert len(replied(journal)) == 1
    assert len(agent.memory.sent) == 2


async def test_parts_go_in_their_order_cancels_cash_size() -> None:
    world = guarded(CANCEL_CASH_AND_SIZE, sizes={"BTC-USD": 1}, float=550)
    world.orders = (resting(BTC, Side.BUY, "0.1", 95_000),)
    venue = Standing(world)

    await agent_of(venue, Journal.open(":memory:")).tick()

    assert [one.kind for one in venue.sent] == ["cancel", "top_up", "reduce"]


class Wired(Standing):
    """A small world whose guard sends over real wires; counts what is under way at once."""

    def __init__(self, world: Guarded, wires: DydxVenue) -> None:
        super().__init__(world)
        self._wires = wires
        self._under_way = 0
        self.most = 0

    async def send(self, action: Action) -> Reply:
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        reply = await self._wires.send(action)
        self._under_way -= 1
        return reply


async def test_two_orders_are_with_a_slow_node_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    node = FakeNode()
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node), keys(monkeypatch)) as wires,
    ):
        seen_well(await wires.observe())
        node.stall_s = 0.2
        venue = Wired(guarded(ladder(FLATTEN), sizes=TWO), wires)
        decision = await agent_of(venue, Journal.open(":memory:")).tick()

    assert len(decision.actions) == len(node.broadcasts) == 2
    assert venue.most == 2


class Refusing(Standing):
    """A venue that answers every deposit so, and on whose chain none ever arrives."""

    def __init__(self, world: Guarded, reply: Reply) -> None:
        super().__init__(world)
        self.reply = reply

    async def send(self, action: Action) -> Reply:
        await super().send(action)
        return self.reply if isinstance(action, TopUp) else Reply()


CASH_OR_SIZE = (
    '{name: act, trigger: "< $28_500", target: ">= $28_700", do: [page, '
    "{top_up: {until: target, max: $3_000}}, "
    "{reduce: {until: target, max_slippage: 60bps, or_else: page}}]}"
)


def fed(reply: Reply) -> Agent:
    rules = ladder(CASH_OR_SIZE, head=FLOAT, measure="free_collateral", scope="{subaccounts: [0]}")
    world = guarded(rules, sizes={"BTC-USD": 1}, float=5_000)
    return agent_of(Refusing(world, reply), Journal.open(":memory:"))


def test_a_deposit_that_no_node_took_has_failed_at_once_and_size_takes_its_place() -> None:
    agent = fed(Reply(code=5, codespace="sdk", log="insufficient funds"))

    first, second = asyncio.run(agent.tick()), asyncio.run(agent.tick())

    assert deposits(first) == [Decimal(700)]
    assert not cuts(first)
    assert [one.ending.value for one in second.outcomes] == ["failed"]
    assert agent.memory.spent.day_top_up == 0
    assert cuts(second)
    assert not deposits(second)  # closed for a minute


@pytest.mark.parametrize(
    "reply",
    [
        Reply(),
        Reply(is_unknown=True, log="no answer"),
        Reply(code=19, codespace="sdk", is_unknown=True),
        Reply(code=32, codespace="sdk", log="another guard's deposit came first"),
    ],
)
def test_a_deposit_that_may_yet_land_or_whose_place_another_took_is_waited_for(
    reply: Reply,
) -> None:
    agent = fed(reply)

    asyncio.run(agent.tick())
    later = [asyncio.run(agent.tick()) for _ in range(19)]

    assert not any(decision.outcomes or cuts(decision) for decision in later)
    assert [one.ending.value for one in asyncio.run(agent.tick()).outcomes] == ["dead"]
