"""What a guard writes down and when, what it takes up again, and what it tells a played venue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from seawall.action import Action
from seawall.agent import Agent, Kind, StartRow, TickRow, restore
from seawall.decide.memory import Acknowledge, Command, Memory, Message, Pause
from seawall.errors import OperatorError
from seawall.journal.codec import from_json, to_json
from seawall.journal.store import Entry, Journal
from seawall.policy import Mode
from seawall.units import HOUR, MINUTE, SECOND, Millis
from seawall.venue import Reply
from tests.agent.test_guard import FLATTEN, OWNER, Standing, resumed
from tests.decide.guarded import Guarded, guarded, ladder
from tests.journal.journals import change

QUIET = '{name: act, trigger: "> $90_000", latch: manual, do: [page, flatten]}'
PENDING = '{name: act, trigger: "> $9_000", for: 30s, latch: manual, do: [page, flatten]}'


class Paced(Standing):
    """A venue whose blocks are as far apart as it is told; it notes what each tick tells it."""

    def __init__(self, world: Guarded) -> None:
        super().__init__(world)
        self.told: list[tuple[int, Millis | None]] = []

    async def tick_done(self, height: int, idle_until: Millis | None) -> None:
        self.told.append((height, idle_until))

    def pass_by(self, time: int) -> None:
        """Let the next observation be this much later than the last."""
        self.world.at = Millis(self.world.at + time - SECOND)


class Clock:
    """The agent's clock, set by hand."""

    def __init__(self) -> None:
        self.now = Millis(0)

    def __call__(self) -> Millis:
        return self.now


def paced(level: str) -> Paced:
    return Paced(guarded(ladder(level)))


def bare(venue: Standing, journal: Journal, mode: Mode = Mode.LIVE) -> Agent:
    """An agent that takes nothing up, as `seawall panic` makes one."""
    return Agent(venue, journal, venue.world.policy, digest="d", mode=mode)


def ticks(journal: Journal) -> list[TickRow]:
    return [from_json(TickRow, row.body or "") for row in journal.rows(Kind.TICK)]


def test_a_quiet_tick_is_written_down_once_a_minute() -> None:
    venue, journal = paced(QUIET), Journal.open(":memory:")
    agent = resumed(venue, journal, Mode.LIVE)
    written = []

    for time in (SECOND, 30 * SECOND, 30 * SECOND - 1, 1, SECOND):
        venue.pass_by(time)
        asyncio.run(agent.tick())
        written.append(len(ticks(journal)))

    assert written == [1, 1, 1, 2, 2]


def test_what_a_tick_says_is_written_down_beside_it() -> None:
    venue, journal = paced(FLATTEN), Journal.open(":memory:")

    decision = asyncio.run(resumed(venue, journal, Mode.LIVE).tick())

    said = [from_json(Message, row.body or "") for row in journal.rows(Kind.MESSAGE)]
    assert said == list(decision.messages) != []


def test_what_is_sent_and_what_is_taken_over_wait_for_the_disk_and_a_quiet_tick_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    durable: list[bool] = []

    def noted(self: Journal, entries: Sequence[Entry], **words: bool) -> object:
        durable.append(words["durable"])
        return real(self, entries, **words)  # type: ignore[arg-type]

    real = Journal.append_all
    monkeypatch.setattr(Journal, "append_all", noted)
    for level in (FLATTEN, QUIET):
        asyncio.run(resumed(paced(level), Journal.open(":memory:"), Mode.LIVE).tick())

    assert durable == [True, True, False, True, False]  # start, order, its answer; start, nothing


def test_a_played_venue_is_told_the_height_and_how_long_nothing_can_happen() -> None:
    for level, is_idle in ((QUIET, True), (PENDING, False)):
        venue = paced(level)

        decision = asyncio.run(resumed(venue, Journal.open(":memory:"), Mode.LIVE).tick())

        assert venue.told == [(decision.height, None if is_idle else decision.at)]


def test_a_tick_that_fails_every_other_time_is_paged_once_and_then_by_count() -> None:
    now = [0]
    venue, journal = paced(QUIET), Journal.open(":memory:", clock=lambda: Millis(now[0]))
    agent = resumed(venue, journal, Mode.LIVE)

    for _ in range(12):
        agent.note_failure(ValueError("no such row"))
        asyncio.run(agent.tick())
        now[0] += 2_000
    agent.note_failure(KeyError("another"))
    now[0] += 6 * MINUTE
    agent.note_failure(ValueError("a new run of trouble"))

    said = [from_json(Message, row.body or "").text for row in journal.rows(Kind.MESSAGE)]
    assert [one.partition(" failed")[0] for one in said] == [
        "A tick",
        "10 ticks lately",
        "13 ticks lately",  # of another kind
        "A tick",
    ]


def test_a_failure_that_comes_back_between_good_ticks_is_left_to_them_to_repeat() -> None:
    now = [0]
    venue, journal = paced(QUIET), Journal.open(":memory:", clock=lambda: Millis(now[0]))
    agent = resumed(venue, journal, Mode.LIVE)

    for _ in range(3):
        agent.note_failure(ValueError("no such row"))
        asyncio.run(agent.tick())
        now[0] += 4 * MINUTE

    assert len(list(journal.rows(Kind.MESSAGE))) == 1


def test_a_failure_that_lasts_is_paged_every_five_minutes_and_then_until_acknowledged() -> None:
    now = [0]
    venue, journal = paced(QUIET), Journal.open(":memory:", clock=lambda: Millis(now[0]))
    agent = resumed(venue, journal, Mode.LIVE)

    for _ in range(11):
        agent.note_failure(ValueError("no such row"))
        now[0] += MINUTE
    asyncio.run(agent.tick())

    assert len(list(journal.rows(Kind.MESSAGE))) == 3
    assert [page.is_acknowledged for page in agent.memory.pages.values()] == [False]


def test_on_paper_nothing_is_sent_whatever_it_is_told_to_carry_out() -> None:
    venue = paced(FLATTEN)
    decision = asyncio.run(resumed(venue, Journal.open(":memory:"), Mode.LIVE).tick())
    assert decision.actions
    venue.sent.clear()

    asyncio.run(bare(venue, Journal.open(":memory:"), Mode.DRY_RUN)._act(decision))

    assert venue.sent == []


class Slow(Paced):
    """A venue that raises at the first order and takes its time over the second."""

    async def send(self, action: Action) -> Reply:
        await super().send(action)
        if len(self.sent) == 1:
            raise RuntimeError
        await asyncio.sleep(0.01)
        return Reply()


async def test_a_tick_does_not_end_before_every_order_has_its_answer() -> None:
    world = guarded(ladder(FLATTEN), sizes={"BTC-USD": "0.1", "ETH-USD": "2"})
    journal = Journal.open(":memory:")

    with pytest.raises(RuntimeError):
        await resumed(Slow(world), journal, Mode.LIVE).tick()

    assert len(list(journal.rows(Kind.REPLY))) == 1


@pytest.mark.parametrize(
    ("written", "obeyed", "left"),
    [
        (0, 10 * MINUTE, 50 * MINUTE),
        (0, 0, HOUR),
        (5, 0, HOUR),  # a clock that went back makes no pause longer
        (0, 2 * HOUR, -HOUR),
    ],
)
def test_a_pause_that_waited_for_the_guard_is_shorter_by_that(
    written: int, obeyed: int, left: int
) -> None:
    clock = Clock()
    journal = Journal.open(":memory:", clock=clock)
    clock.now = Millis(written)
    journal.append(Kind.COMMAND, to_json(Pause(duration=HOUR)))

    clock.now = Millis(obeyed)
    decision = asyncio.run(bare(paced(QUIET), journal).tick())

    assert decision.commands == (Pause(duration=Millis(left)),)


@pytest.mark.parametrize("resumes", [True, False])
def test_a_command_given_before_there_was_a_guard_is_obeyed_once(resumes: bool) -> None:  # noqa: FBT001
    venue, journal = paced(QUIET), Journal.open(":memory:")
    given: Command = Acknowledge(key="size")
    assert journal.append(Kind.COMMAND, to_json(given)) == 1
    agent = resumed(venue, journal, Mode.LIVE) if resumes else bare(venue, journal)

    assert asyncio.run(agent.tick()).commands == (given,)
    assert asyncio.run(agent.tick()).commands == ()
    assert ticks(journal)[0].commands_through == 1


def test_without_a_tick_to_go_on_from_every_command_is_new() -> None:
    venue, journal = paced(QUIET), Journal.open(":memory:")
    assert restore(journal) == (Memory(), 0)

    asyncio.run(bare(venue, journal).tick())
    assert [row.commands_through for row in ticks(journal)] == [0]
    assert restore(journal)[0] != Memory()

    journal.prune(before=Millis(journal.now() + 1), kinds=(Kind.TICK,))
    assert restore(journal) == (Memory(), 0)


def test_a_journal_from_before_parents_and_chains_were_written_down_is_of_the_first() -> None:
    journal = Journal.open(":memory:")
    resumed(paced(QUIET), journal, Mode.LIVE)
    row = journal.last(Kind.START)
    assert row is not None
    start = from_json(StartRow, row.body or "")

    old = StartRow(
        version=start.version, digest="d", mode=Mode.LIVE, owner=OWNER, policy=start.policy
    )

    assert old == start == replace(start, parent=0, chain_id="")


def test_the_journal_after_a_broken_one_is_of_the_same_account(tmp_path: Path) -> None:
    place, venue = tmp_path / "seawall.db", paced(QUIET)
    with Journal.open(place) as journal:
        asyncio.run(resumed(venue, journal, Mode.LIVE).tick())
        broken = journal.append("note", '"x"')
    change(place, "update rows set body = '\"y\"' where seq = ?", broken)

    with Journal.open(place) as journal:
        assert restore(journal)[1] == 0  # its numbers begin anew
        with pytest.raises(OperatorError, match="is the journal of dydx1owner/0"):
            Agent.resume(
                venue, journal, venue.world.policy, digest="d", mode=Mode.LIVE, owner="dydx1other"
            )
        resumed(venue, journal, Mode.LIVE)


def test_a_command_given_before_a_first_tick_outlives_a_broken_journal(tmp_path: Path) -> None:
    place, venue, given = tmp_path / "seawall.db", paced(QUIET), Acknowledge(key="size")
    with Journal.open(place) as journal:
        assert journal.append(Kind.COMMAND, to_json(given)) == 1
        broken = journal.append("note", '"x"')
    change(place, "update rows set body = '\"y\"' where seq = ?", broken)

    with Journal.open(place) as journal:
        agent = resumed(venue, journal, Mode.LIVE)

        assert asyncio.run(agent.tick()).commands[:-1] == (given,)
