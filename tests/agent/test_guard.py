"""The guard around the tick: what it sends, in which mode, and what it outlives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from seawall import daemon, decide
from seawall.account import Seen
from seawall.action import Action
from seawall.agent import Agent, Kind
from seawall.arming import Armoury, RulesRow
from seawall.decide.memory import Decision
from seawall.errors import OperatorError
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.units import Millis
from seawall.venue import Reply
from tests.decide.guarded import Guarded, guarded, ladder

FLATTEN = (
    '{name: panic, trigger: "> $9_000", latch: manual, '
    "do: [page, {flatten: {max_slippage: 200bps, give_up_after: 600s}}]}"
)
OWNER = "dydx1owner"


class Standing:
    """A venue over a world in which orders never fill; it remembers what was sent."""

    def __init__(self, world: Guarded) -> None:
        self.world = world
        self.sent: list[Action] = []

    async def observe(self) -> Seen:
        self.world.height += 1
        self.world.at = Millis(self.world.at + 1_000)
        return self.world.observation()

    async def send(self, action: Action) -> Reply:
        self.sent.append(action)
        return Reply()

    async def wait_for_change(self, timeout: Millis) -> None:  # noqa: ARG002
        await asyncio.sleep(0)

    async def tick_done(self, height: int, idle_until: Millis | None) -> None:
        pass

    async def close(self) -> None:
        pass


def resumed(venue: Standing, journal: Journal, mode: Mode) -> Agent:
    policy = venue.world.policy
    return Agent.resume(venue, journal, policy, digest="d", mode=mode, owner=OWNER)


def test_a_guard_resumed_on_paper_in_the_middle_of_a_live_flatten_sends_nothing() -> None:
    venue, journal = Standing(guarded(ladder(FLATTEN))), Journal.open(":memory:")
    live = resumed(venue, journal, Mode.LIVE)
    asyncio.run(live.tick())
    before = len(list(journal.rows(Kind.SENDING)))
    assert before == len(venue.sent) == 1

    paper = resumed(venue, journal, Mode.DRY_RUN)
    for _ in range(30):
        asyncio.run(paper.tick())

    assert len(list(journal.rows(Kind.SENDING))) == before
    assert len(venue.sent) == before


WAITS = (
    '{name: watch, trigger: "> $8_000", clear: "< $7_000", for: 50s, clear_for: 50s, do: [notify]}'
)


def phase_of(agent: Agent) -> tuple[str, int]:
    """Where the one level stands, and the seconds credited to it."""
    (alarm,) = agent.memory.alarms.values()
    (state,) = alarm.levels
    return state.phase, state.held // 1_000


def ticks(agent: Agent, count: int) -> None:
    for _ in range(count):
        asyncio.run(agent.tick())


@pytest.mark.parametrize("seconds", [6, 20, 44])
def test_a_restart_takes_back_no_more_than_five_seconds_of_a_for(seconds: int) -> None:
    venue, journal = Standing(guarded(ladder(WAITS))), Journal.open(":memory:")
    first = resumed(venue, journal, Mode.LIVE)
    ticks(first, 1 + seconds)
    assert phase_of(first) == ("pending", seconds)

    second = resumed(venue, journal, Mode.LIVE)

    phase, held = phase_of(second)
    assert phase == "pending"
    assert seconds - 5 < held <= seconds
    ticks(second, 1)
    assert held < phase_of(second)[1] <= held + 5


def test_a_restart_takes_back_no_more_than_five_seconds_of_a_clear_for() -> None:
    venue, journal = Standing(guarded(ladder(WAITS))), Journal.open(":memory:")
    first = resumed(venue, journal, Mode.LIVE)
    ticks(first, 52)
    venue.world.trade("BTC-USD", "-0.05")
    ticks(first, 31)
    assert phase_of(first) == ("clearing", 30)

    second = resumed(venue, journal, Mode.LIVE)

    phase, held = phase_of(second)
    assert phase == "clearing"
    assert 25 < held <= 30


def test_a_guard_that_falls_over_every_twenty_seconds_still_fires() -> None:
    venue, journal = Standing(guarded(ladder(WAITS))), Journal.open(":memory:")

    for _ in range(3):
        ticks(resumed(venue, journal, Mode.LIVE), 20)
    last = resumed(venue, journal, Mode.LIVE)
    ticks(last, 20)

    assert phase_of(last)[0] == "firing"


def test_credits_are_written_every_five_seconds_and_only_while_a_level_waits() -> None:
    venue, journal = Standing(guarded(ladder(WAITS))), Journal.open(":memory:")
    agent = resumed(venue, journal, Mode.LIVE)

    ticks(agent, 51)
    while_waiting = [row.body or "" for row in journal.rows(Kind.HOLDS)]
    ticks(agent, 60)

    assert len(while_waiting) == 9
    assert max(len(body) for body in while_waiting) < 150
    assert len(list(journal.rows(Kind.HOLDS))) == 9


def test_a_panic_from_a_second_shell_leaves_the_credits_of_the_guard_alone() -> None:
    venue, journal = Standing(guarded(ladder(WAITS))), Journal.open(":memory:")
    guard = resumed(venue, journal, Mode.LIVE)
    ticks(guard, 1)
    second = Agent(
        venue,
        journal,
        venue.world.policy,
        digest="d",
        mode=Mode.LIVE,
        memory=guard.memory,
        ticks_as=Kind.PANIC,
    )

    ticks(second, 12)

    assert list(journal.rows(Kind.HOLDS)) == []


def test_on_paper_nothing_is_sent_whatever_the_tick_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def decides_live(*given: object, mode: Mode, **named: object) -> object:
        return real(*given, mode=Mode.LIVE, **named)

    real: Callable[..., object] = decide.decide
    monkeypatch.setattr("seawall.agent.guard.decide", decides_live)
    venue, journal = Standing(guarded(ladder(FLATTEN))), Journal.open(":memory:")

    decision = asyncio.run(resumed(venue, journal, Mode.DRY_RUN).tick())

    assert not decision.actions
    assert not venue.sent
    assert not list(journal.rows(Kind.SENDING))


def test_a_tick_that_raises_is_paged_once_and_followed_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*given: object, **named: object) -> object:
        raise AssertionError("no such row")

    venue, journal = Standing(guarded(ladder(FLATTEN))), Journal.open(":memory:")
    agent = resumed(venue, journal, Mode.LIVE)
    heard: list[Decision] = []
    real: Callable[..., object] = decide.decide
    calls: list[int] = []

    async def play() -> None:
        stop = asyncio.Event()

        def sometimes(*given: object, **named: object) -> object:
            calls.append(1)
            return (real if len(calls) > 2 else fails)(*given, **named)

        def hear(decision: Decision) -> None:
            heard.append(decision)
            stop.set()

        monkeypatch.setattr("seawall.agent.guard.decide", sometimes)
        await daemon._tick_until(stop, agent, venue, hear, None)

    asyncio.run(play())

    assert len(heard) == 1
    assert venue.sent
    said = [row.body or "" for row in journal.rows(Kind.MESSAGE)]
    assert len([one for one in said if "no such row" in one]) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"owner": "dydx1other"},
        {"owner": OWNER, "chain_id": "dydx-testnet-4"},
        {"owner": OWNER, "parent": 1},
    ],
)
def test_a_journal_of_another_account_is_refused_before_anything_is_written(
    other: dict[str, object],
) -> None:
    venue, journal = Standing(guarded(ladder(FLATTEN))), Journal.open(":memory:")
    words = {"digest": "d", "mode": Mode.LIVE, "chain_id": "dydx-mainnet-1"}
    policy = venue.world.policy
    Agent.resume(venue, journal, policy, owner=OWNER, **words)  # type: ignore[arg-type]

    with pytest.raises(OperatorError, match="is the journal of dydx1owner/0 on") as refused:
        Agent.resume(venue, journal, policy, **words | other)  # type: ignore[arg-type]

    assert str(other.get("owner")) in str(refused.value)
    assert "name another file" in str(refused.value)
    assert len(list(journal.rows(Kind.START))) == 1
    Agent.resume(venue, journal, policy, owner=OWNER, **words)  # type: ignore[arg-type]


class Stumbling(Armoury):
    """A rule file whose reloads raise what nobody thought of."""

    async def obey(self) -> tuple[RulesRow, ...]:
        raise ValueError("of another version")


class Deaf(Standing):
    """A venue that cannot wait."""

    async def wait_for_change(self, timeout: Millis) -> None:  # noqa: ARG002
        raise RuntimeError("the feed fell over")


def test_a_reload_or_a_wait_that_raises_costs_no_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "TICK_AT_LATEST", Millis(1))
    venue, journal = Deaf(guarded(ladder(FLATTEN))), Journal.open(":memory:")
    agent = resumed(venue, journal, Mode.LIVE)
    heard: list[Decision] = []

    async def play() -> None:
        stop = asyncio.Event()

        def hear(decision: Decision) -> None:
            heard.append(decision)
            if len(heard) == 3:
                stop.set()

        armoury = Stumbling(tmp_path / "rules.yaml", agent, OWNER)
        await daemon._tick_until(stop, agent, venue, hear, armoury)

    asyncio.run(play())

    assert len(heard) == 3
    assert venue.sent
