"""A tick is told to everybody outside at once, and the guard's own faults are pages."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from pydantic import SecretStr

from seawall.account import Seen
from seawall.agent import Agent
from seawall.decide.memory import Decision, Memory
from seawall.errors import JournalUnwritable, SettingsError
from seawall.journal.store import Journal
from seawall.notify.messenger import Notice
from seawall.notify.metrics import Metrics
from seawall.notify.outward import Outward, Told
from seawall.notify.pulse import judge, pulse_path, read_pulse
from seawall.policy import Mode
from seawall.rulefile.load import load
from seawall.units import MINUTE, SECOND, Millis
from seawall.venue import Reply
from tests.notify.receivers import Hanging, Remembering, listening
from tests.see import see
from tests.venue.dydx.wires import until

RULES = Path(__file__).parents[2] / "config" / "demo-rules.yaml"
NOW = Millis(1_700_000_000_000)


def decision(tick: int = 1, *, blind: tuple[str, ...] = ()) -> Decision:
    return Decision(tick=tick, height=1_000, at=NOW, seen_at=NOW, blind=blind)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> Millis:
        return self.now

    def pass_by(self, passed: int) -> None:
        self.now = Millis(self.now + passed)


@pytest.fixture(name="journal")
def _journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "seawall.db") as journal:
        yield journal


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_only_a_tick_that_saw_and_was_recorded_renews_the_pulse(
    journal: Journal, tmp_path: Path
) -> None:
    path, clock = pulse_path(tmp_path / "seawall.db"), Clock()
    async with Outward(journal, Told(pulse=path), account="a/0", clock=clock) as outward:
        outward.note_tick(decision(1), Memory(tick=1))
        assert read_pulse(path).succeeded_at == NOW

        clock.pass_by(SECOND)
        outward.note_tick(decision(2, blind=("node down",)), Memory(tick=2))
        assert read_pulse(path).succeeded_at == NOW
        assert read_pulse(path).reason == "node down"

        clock.pass_by(SECOND)
        outward.note_tick(decision(3), Memory(tick=2))
        assert read_pulse(path).succeeded_at == NOW

        clock.pass_by(SECOND)
        outward.note_tick(decision(3), Memory(tick=3))
        assert read_pulse(path).succeeded_at == clock.now

    assert "stopped on purpose" in judge(read_pulse(path), clock.now, MINUTE).words


async def test_a_guard_that_fell_over_does_not_look_stopped_on_purpose(
    journal: Journal, tmp_path: Path
) -> None:
    path = pulse_path(tmp_path / "seawall.db")

    async def fall_over() -> None:
        async with Outward(journal, Told(pulse=path), account="a/0") as outward:
            outward.note_tick(decision(1), Memory(tick=1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fall_over()

    assert not read_pulse(path).is_stopped


async def test_the_service_manager_is_told_of_every_tick(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{tmp_path}/s")
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/s")

        async with Outward(journal, Told(), account="a/0") as outward:
            outward.note_tick(decision(1, blind=("node down",)), Memory(tick=1))
            outward.note_tick(decision(2), Memory(tick=2))

        said = [manager.recv(100) for _ in range(3)]

    assert said == [b"READY=1\nWATCHDOG=1", b"WATCHDOG=1", b"STOPPING=1"]


async def test_the_heart_beats_only_while_ticks_succeed(journal: Journal) -> None:
    clock = Clock()
    async with listening() as heard:
        told = Told(heartbeat_url=SecretStr(f"http://{heard.url}/beat"))
        async with Outward(journal, told, account="a/0", clock=clock) as outward:
            await outward.beat()
            assert heard.paths == []

            outward.note_tick(decision(1), Memory(tick=1))
            clock.pass_by(MINUTE)
            await outward.beat()
            assert len(heard.paths) == 1

            clock.pass_by(1)
            outward.note_tick(decision(2, blind=("node down",)), Memory(tick=2))
            await outward.beat()
            assert len(heard.paths) == 1


async def test_metrics_answer_on_loopback(journal: Journal, tmp_path: Path) -> None:
    port, pulse = free_port(), pulse_path(tmp_path / "seawall.db")
    told = Told(metrics_port=port, unknown=1, pulse=pulse)
    async with Outward(journal, told, account="a/0") as outward:
        outward.note_tick(decision(1), Memory(tick=1))
        outward.note_tick(decision(2, blind=("node down",)), Memory(tick=2))

        with await asyncio.to_thread(urlopen, f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        note = read_pulse(pulse).note

    assert note == "1 of notify.urls unknown"
    assert "seawall_messengers_unknown 1.0" in text
    assert 'seawall_ticks_total{result="ok"} 1.0' in text
    assert 'seawall_ticks_total{result="blind"} 1.0' in text
    assert "seawall_block_height 1000.0" in text


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        with pytest.raises(SettingsError, match=r"metrics\.port"):
            Metrics().serve(int(taken.getsockname()[1]))


async def test_without_its_port_it_guards_and_says_so(journal: Journal, tmp_path: Path) -> None:
    memory, pulse = Remembering(), pulse_path(tmp_path / "seawall.db")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = Told(messengers=(memory,), metrics_port=int(taken.getsockname()[1]), pulse=pulse)
        async with Outward(journal, told, account="a/0") as outward:
            outward.note_tick(decision(1), Memory(tick=1))
            await until(lambda: bool(memory.carried))

    assert read_pulse(pulse).tick == 1
    assert "goes on without metrics" in memory.carried[0].body


async def test_a_journal_that_takes_no_rows_pages_past_it(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "seawall.db")
    memory, clock = Remembering(), Clock()
    told = Told(messengers=(memory,))
    async with Outward(journal, told, account="a/0", clock=clock) as outward:
        journal.close()
        with pytest.raises(JournalUnwritable):
            journal.append("tick", "{}")

        for tick in (1, 2, 3):
            outward.note_tick(decision(tick), Memory(tick=0))
        await until(lambda: bool(memory.carried))

    assert len(memory.carried) == 1
    said = memory.carried[0].body
    assert "no trace, no act" in said
    assert "seawall.db: Cannot operate on a closed database" in said
    assert "journal.spill" in said
    assert "Repeats every 5 minutes until a row is taken again." in said
    assert "seawall ack" not in said, "no row, no ack"


class Stumbling:
    """A messenger that makes its lane fall over once, when it is told to."""

    def __init__(self) -> None:
        self.carried: list[Notice] = []
        self.stumbles = False

    @property
    def name(self) -> str:
        if self.stumbles:
            self.stumbles = False
            raise RuntimeError
        return "stumbling#1"

    def send(self, notice: Notice) -> bool:
        self.carried.append(notice)
        return True


async def test_a_lane_that_falls_over_is_begun_again_at_the_next_tick(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    memory = Stumbling()
    async with Outward(journal, Told(messengers=(memory,)), account="a/0") as outward:
        outward.page("first", "call me")
        await until(lambda: len(memory.carried) == 1)
        memory.stumbles = True
        outward.page("second", "call me again")
        await until(lambda: not memory.stumbles)

        for tick in range(1, 100):
            outward.note_tick(decision(tick), Memory(tick=tick))
            await asyncio.sleep(0.005)
            if len(memory.carried) > 1:
                break

    assert "call me again" in memory.carried[1].body
    assert "courier_fell" in caplog.text


async def test_without_a_messenger_nothing_falls_over(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    async with Outward(journal, Told(), account="a/0") as outward:
        for tick in range(1, 4):
            outward.note_tick(decision(tick), Memory(tick=tick))
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    assert "courier_fell" not in caplog.text


class Still:
    """A venue in which nothing happens."""

    async def observe(self) -> Seen:
        return see(equity=23_000, positions={"BTC-USD": (0.06, 100_000)})

    async def send(self, action: object) -> Reply:
        raise AssertionError(action)

    async def wait_for_change(self, timeout: Millis) -> None:
        assert timeout
        await asyncio.sleep(0)

    async def tick_done(self, height: int, idle_until: Millis | None) -> None:
        assert idle_until is None or height

    async def close(self) -> None:
        return


async def test_a_notifier_that_hangs_delays_no_tick(journal: Journal) -> None:
    rules = load(RULES)
    agent = Agent(Still(), journal, rules.policy, digest=rules.digest, mode=Mode.DRY_RUN)
    hanging = Hanging()
    try:
        async with Outward(journal, Told(messengers=(hanging,)), account="a/0") as outward:
            outward.page("test", "call me")
            await until(lambda: hanging.calls == 1)

            for _ in range(20):
                made = await agent.tick()
                outward.note_tick(made, agent.memory)

            assert agent.memory.tick == 20
            assert not hanging.let_go.is_set()
            hanging.let_go.set()
    finally:
        hanging.let_go.set()
