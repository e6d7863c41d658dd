"""A journal that fails: with a spill file the guard goes on, without a trace it does not act."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from seawall.action import Action, Backstop, Cancel, Reduce, TopUp
from seawall.agent import Agent, Kind
from seawall.alarm import Phase
from seawall.decide.memory import Acknowledge, Decision, Message, Rearm, Report
from seawall.errors import JournalUnreadable
from seawall.journal import files
from seawall.journal.codec import from_json, to_json
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.simulator.chain import Chain
from seawall.simulator.local import LocalVenue
from tests.agent.crashes import FLOAT, OWNER, POLICY, advance, stage
from tests.journal.journals import change
from tests.simulation.duel import at_once


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PATIENCE_MS", 1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "seawall.db"


@contextmanager
def guard(
    chain: Chain, place: Path, spill_file: Path | None = None
) -> Iterator[tuple[Agent, Journal]]:
    venue = LocalVenue(chain, OWNER, float_address=FLOAT)
    with Journal.open(place, spill=spill_file) as journal:
        agent = Agent.resume(venue, journal, POLICY, digest="d", mode=Mode.LIVE, owner=OWNER)
        yield agent, journal


@contextmanager
def held(place: Path) -> Iterator[None]:
    """The database held by somebody else."""
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("begin immediate")
        yield
        other.execute("rollback")


def acts(decision: Decision) -> set[type]:
    return {type(one.action) for one in decision.actions}


def sent_in_a_window(chain: Chain, agent: Agent) -> list[Action]:
    """What is sent over the blocks of a window, whatever is left of the present one."""
    found: list[Action] = []
    for _ in range(6):
        found += [one.action for one in at_once(agent.tick()).actions]
        advance(chain)
    return found


ALL = {Cancel, TopUp, Reduce, Backstop}


def test_with_a_spill_file_a_locked_journal_stops_nothing(place: Path, tmp_path: Path) -> None:
    chain = stage()

    with guard(chain, place, tmp_path / "spill") as (agent, journal):
        with held(place):
            decision = at_once(agent.tick())
            assert acts(decision) == ALL
            assert len(list(journal.rows(Kind.SENDING))) == len(decision.actions)
        advance(chain)
        later = at_once(agent.tick())

        assert journal.failure is None
        sent = [*decision.actions, *later.actions]
        assert len(list(journal.rows(Kind.SENDING))) == len(sent)
        journal.verify()


def test_without_a_trace_nothing_is_done(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    chain = stage()

    with guard(chain, place) as (agent, journal):
        before = chain.committed.subaccount(OWNER, 0)
        with held(place):
            assert acts(at_once(agent.tick())) == set()
            (line,) = caplog.messages
            assert acts(at_once(agent.tick())) == set()
        assert caplog.messages == [line], "once, however long it lasts"
        assert "not recorded, nothing sent: " in line
        assert "database is locked; no spill file is set" in line
        assert caplog.records[0].exc_info is None
        advance(chain)
        assert chain.committed.subaccount(OWNER, 0) == before
        assert list(journal.rows(Kind.SENDING)) == []
        assert list(journal.rows(Kind.TICK)) == []

        caplog.clear()
        assert set(map(type, sent_in_a_window(chain, agent))) == ALL
        (line,) = caplog.messages
        assert line.endswith(" recorded again")


def test_a_row_of_a_batch_that_is_refused_takes_the_others_back(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = stage()
    spilled = tmp_path / "spill"

    write = os.pwrite

    def full(descriptor: int, text: bytes, offset: int) -> int:
        write(descriptor, text[: len(text) // 2], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    with guard(chain, place, spilled) as (agent, journal):
        monkeypatch.setattr(os, "pwrite", full)
        with held(place):
            assert acts(at_once(agent.tick())) == set()
        assert spilled.read_bytes() == b""
        monkeypatch.undo()

        sent = sent_in_a_window(chain, agent)
        assert set(map(type, sent)) == ALL
        ids = [row.body for row in journal.rows(Kind.SENDING)]
        assert len(ids) == len(set(ids)) == len(sent)


def test_a_guard_that_cannot_read_commands_goes_on(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = stage()

    with guard(chain, place) as (agent, journal):
        journal.append(Kind.COMMAND, to_json(Acknowledge()))

        def unread(*_: object, **__: object) -> Iterator[None]:
            raise JournalUnreadable("disk I/O error")

        with monkeypatch.context() as patched:
            patched.setattr(journal, "rows", unread)
            decision = at_once(agent.tick())
            assert acts(decision) == ALL
            assert decision.commands == ()
        advance(chain)

        assert at_once(agent.tick()).commands == (Acknowledge(),)


def test_reading_a_damaged_journal_is_an_error_of_ours(place: Path) -> None:
    with guard(stage(), place) as (_, journal):
        change(place, "drop table rows")

        with pytest.raises(JournalUnreadable, match="rows"):
            list(journal.rows(Kind.COMMAND))


def test_after_a_broken_journal_latches_stand_and_commands_are_obeyed(place: Path) -> None:
    chain = stage()
    with guard(chain, place) as (agent, journal):
        for _ in range(10):
            at_once(agent.tick())
            advance(chain)
        journal.append(Kind.COMMAND, to_json(Acknowledge(key="cash")))
        assert at_once(agent.tick()).commands == (Acknowledge(key="cash"),)
        (latched,) = agent.memory.alarms["size/BTC-USD"].levels
        assert latched.phase is Phase.LATCHED
    with Journal.join(place) as shell:
        waiting = shell.append(Kind.COMMAND, to_json(Acknowledge(key="size")))
        broken = shell.append("note", '"x"')
    change(place, "update rows set body = '\"y\"' where seq = ?", broken)

    with guard(chain, place) as (agent, journal):
        pages = [from_json(Message, row.body or "") for row in journal.rows(Kind.MESSAGE)]
        assert [page.key for page in pages] == ["journal/broken"]
        assert "kept as" in pages[0].text
        (state,) = agent.memory.alarms["size/BTC-USD"].levels
        assert state.phase is Phase.LATCHED
        assert waiting > journal.head().seq, "numbers begin anew"

        command, report = at_once(agent.tick()).commands
        assert command == Acknowledge(key="size")
        assert isinstance(report, Report)
        assert report.text == pages[0].text
        assert "journal/broken" in agent.memory.pages, "it repeats until acknowledged"
        journal.append(Kind.COMMAND, to_json(Rearm(key="size")))
        assert at_once(agent.tick()).commands == (Rearm(key="size"),)

    with guard(chain, place) as (agent, journal):
        assert at_once(agent.tick()).commands == ()
        kinds = [from_json(Message, row.body or "").key for row in journal.rows(Kind.MESSAGE)]
        assert kinds.count("journal/broken") == 1
