"""What a guard follows of a panic: what it sent before it died, and nothing while it lives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from seawall.account import Side
from seawall.action import Ending, Outcome
from seawall.agent import Agent, Kind, with_open_sends
from seawall.decide.memory import Acknowledge, Decision, Memory, Panic
from seawall.errors import JournalUnreadable
from seawall.journal.codec import to_json
from seawall.journal.lock import panicking
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.units import Millis
from tests.agent.test_guard import FLATTEN, Standing, resumed
from tests.decide.guarded import guarded, ladder
from tests.see import BTC, resting


def standing(level: str = FLATTEN) -> Standing:
    return Standing(guarded(ladder(level)))


def of_panic(venue: Standing, journal: Journal) -> Agent:
    """An agent whose ticks are a panic's, with numbers that no guard's ticks have."""
    return Agent(
        venue,
        journal,
        venue.world.policy,
        digest="d",
        mode=Mode.LIVE,
        memory=Memory(tick=1_000 * (1 + journal.head().seq)),
        ticks_as=Kind.PANIC,
    )


def sent_by_a_panic(venue: Standing, journal: Journal) -> str:
    """The id of the one order that a panic sends in its first window, before it dies."""
    (sent,) = asyncio.run(of_panic(venue, journal).tick()).actions
    return sent.id


def followed(guard: Agent) -> set[str]:
    """Ids of orders whose end a guard waits for."""
    return {one.action_id for one in guard.memory.sent}


def tick(guard: Agent) -> Decision:
    return asyncio.run(guard.tick())


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "j.db") as opened:
        yield opened


def test_what_a_panic_sent_before_it_died_is_under_way_for_the_guard_until_its_end(
    journal: Journal,
) -> None:
    level = FLATTEN.replace("page,", "page, {cancel_orders: risk_increasing},")
    venue = standing(level)
    venue.world.orders = (resting(BTC, Side.BUY, "0.1", 99_000),)
    panic = of_panic(venue, journal)
    asyncio.run(panic.tick())
    (sent,) = panic.memory.sent
    (cancel,) = panic.memory.cancels

    first = resumed(venue, journal, Mode.LIVE)
    assert (first.memory.sent, first.memory.cancels) == ((sent,), (cancel,))
    knows = with_open_sends(first.memory, journal)
    assert (knows.sent, knows.cancels) == ((sent,), (cancel,))  # told once

    end = Outcome(action_id=sent.action_id, ending=Ending.DEAD, height=0, at=Millis(0))
    journal.append(Kind.OUTCOME, to_json(end))
    second = resumed(venue, journal, Mode.LIVE)
    assert (second.memory.sent, second.memory.cancels) == ((), (cancel,))
    assert with_open_sends(replace(Memory(), sent=(sent,)), journal).cancels == (cancel,)


def test_what_ended_while_a_panic_went_on_is_followed_no_more(journal: Journal) -> None:
    venue = standing()
    first = sent_by_a_panic(venue, journal)
    end = Outcome(action_id=first, ending=Ending.DEAD, height=0, at=Millis(0))
    journal.append(Kind.OUTCOME, to_json(end))
    second = sent_by_a_panic(venue, journal)

    assert followed(resumed(venue, journal, Mode.LIVE)) == {second}


def test_a_guard_that_runs_follows_a_panic_only_once_it_is_gone(journal: Journal) -> None:
    venue = standing()
    guard = resumed(venue, journal, Mode.LIVE)
    tick(guard)

    with panicking(journal.path):
        journal.append(Kind.COMMAND, to_json(Acknowledge()))
        journal.append(Kind.COMMAND, to_json(Panic()))
        sent = sent_by_a_panic(venue, journal)
        tick(guard)
        assert sent not in followed(guard)

    tick(guard)
    assert sent in followed(guard)


def test_a_journal_is_searched_for_sends_of_a_panic_until_it_could_be_read_and_no_longer(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unread(*_: object, **__: object) -> None:
        raise JournalUnreadable("disk I/O error")

    venue = standing()
    guard = resumed(venue, journal, Mode.LIVE)
    tick(guard)
    journal.append(Kind.COMMAND, to_json(Panic()))
    sent = sent_by_a_panic(venue, journal)

    with monkeypatch.context() as patched:
        patched.setattr(journal, "newest", unread)
        assert tick(guard).commands == (Panic(),)
    assert sent not in followed(guard)
    assert "tried again at the next tick: disk I/O error" in caplog.text
    tick(guard)
    assert sent in followed(guard)

    caplog.clear()
    with monkeypatch.context() as patched:
        patched.setattr(journal, "newest", unread)
        tick(guard)
    assert caplog.messages == []


def test_sends_of_another_versions_panic_are_left_to_end_by_themselves(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    venue = standing()
    journal.append(Kind.PANIC, '{"version": 99}')

    guard = resumed(venue, journal, Mode.LIVE)
    decision = tick(guard)

    assert decision.actions
    assert caplog.messages == ["sends of a panic cannot be understood"]  # once
