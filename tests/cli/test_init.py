"""`seawall init` as a person meets it: asked in a terminal, and sized for an account on a node."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from seawall.cli import main
from seawall.rulefile import load
from seawall.simulator.keys import demo_key
from tests.cli.looked import Call, called, held_venue
from tests.cli.played import GAP, PATIENCE_S, ROOT, SEAWALL, Venue, venue

ANSWERS = ("--loss", "12%", "--gap", "10%", "--cash", "$0")
LOSS = "The most you can lose from the peak [12%]: "
WORST = "The worst gap you fear, in an hour [10%]: "
CASH = "The cash you could add on a bad night [$0]: "


class Terminal:
    """A person at a terminal: waits for a question, types an answer."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.shown = ""
        self._master = master

    def sees(self, words: str) -> None:
        """Read until the words are shown; what came before them is gone."""
        until = time.monotonic() + PATIENCE_S
        while words not in self.shown:
            assert time.monotonic() < until, f"waited for {words!r}, saw {self.shown!r}"
            self.shown += self._read()
        self.shown = self.shown.split(words, maxsplit=1)[1]

    def types(self, words: str) -> None:
        os.write(self._master, f"{words}\n".encode())

    def leaves(self, act: Callable[[], None]) -> None:
        """Act until the process is gone: the first time it may not wait for an answer yet."""
        until = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < until, f"it stays, and shows {self.shown!r}"
            act()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1.0)

    def ends(self) -> int:
        """Its exit code; what is left to read is in `shown`."""
        while part := self._read():
            self.shown += part
        return self.process.wait(PATIENCE_S)

    def _read(self) -> str:
        ready, _, _ = select.select([self._master], [], [], PATIENCE_S)
        assert ready, f"it says nothing for {PATIENCE_S:.0f} s, after {self.shown!r}"
        try:
            said = os.read(self._master, 4096).decode()
        except OSError:  # Linux: the other end is closed
            return ""
        return re.sub(r"\x1b\[[0-9;]*m", "", said).replace("\r\n", "\n")


@contextmanager
def terminal(*words: str) -> Iterator[Terminal]:
    """`seawall init` in a terminal of its own."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [*SEAWALL, "init", *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        os.close(slave)
        try:
            yield Terminal(process, master)
        finally:
            process.kill()
            os.close(master)


def test_three_questions_are_asked_and_an_answer_without_sense_is_asked_again(
    tmp_path: Path,
) -> None:
    with terminal(str(tmp_path), "--equity", "$5_000") as person:
        person.sees(LOSS)
        person.types("20")
        person.sees("`20`: the unit is missing")
        person.sees(LOSS)
        person.types("90%")
        person.sees("`90%`: 1% to 50% is expected")
        person.sees(LOSS)
        person.types("20%")
        person.sees(WORST)
        person.types("")
        person.sees(CASH)
        person.types("$500")
        person.sees("down $1,000 (20% from the peak) all of it")
        assert person.ends() == 0

    assert f"next: seawall test {tmp_path / 'rules.test.yaml'} --mutate" in person.shown
    policy = load(tmp_path / "rules.yaml").policy
    assert policy.caps.derived is not None
    assert policy.caps.derived.max_drawdown == 200_000
    assert policy.scenarios["twin-gap"].shock("BTC-USD") == -100_000
    assert policy.budget.daily_top_up == 500


@pytest.mark.parametrize("leaves", ["interrupt", "end of input"])
def test_who_leaves_at_a_question_leaves_nothing_behind(tmp_path: Path, leaves: str) -> None:
    with terminal(str(tmp_path / "new"), "--equity", "$5_000") as person:
        person.sees(LOSS)
        if leaves == "interrupt":
            person.leaves(partial(os.killpg, person.process.pid, signal.SIGINT))
        else:
            person.leaves(partial(person.types, "\x04"))
        assert person.ends() in (1, 130)

    assert not (tmp_path / "new").exists()
    assert "Traceback" not in person.shown


def test_what_exists_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "rules.test.yaml").write_text("mine")

    with terminal(str(tmp_path)) as person:
        assert person.ends() == 2

    assert "rules.test.yaml exists and is not overwritten; name another folder" in (
        person.shown.replace("\n", " ")
    )
    assert (tmp_path / "rules.test.yaml").read_text() == "mine"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    yield from held_venue(tmp_path_factory.mktemp("venue"))


@pytest.fixture
def call(place: Venue, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    return partial(called, place, capsys, monkeypatch)


def test_rules_are_sized_for_the_account_that_is_given(
    place: Venue, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trader = place.said["accounts"][0]["address"]

    code, out, err = call("init", str(tmp_path), "--account", trader, *ANSWERS)

    assert (code, err) == (0, "")
    assert "equity $30,000, of which $3,000 is buffer and never traded" in out
    assert "the book now is $240,000, above its cap BTC-USD $80,000 of $11,270" in out
    assert "stays out until --arm" in out
    assert call("check", str(tmp_path / "rules.yaml"), "--account", trader)[0] == 0


def test_an_account_without_positions_has_a_book_of_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with venue(tmp_path, GAP, "--equity", "2_500") as empty:
        trader = empty.said["accounts"][0]["address"]
        code, out, _ = called(
            empty, capsys, monkeypatch, "init", str(tmp_path / "new"), "--account", trader, *ANSWERS
        )

    assert code == 0
    assert "equity $2,500, of which $250 is buffer" in out
    assert "the book now is $0, every market within its cap" in out


def test_nobody_needs_settings_to_have_rules_sized(
    place: Venue,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name in list(os.environ):
        if name.startswith("SEAWALL_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(os, "environ", dict(os.environ))  # what the verb sets goes with it
    monkeypatch.chdir(tmp_path)
    where = ("--node", place.said["node"], "--indexer", place.said["indexer"])
    chain = ("--chain-id", place.said["chain_id"])
    trader = place.said["accounts"][0]["address"]

    with pytest.raises(SystemExit) as ended:
        main(["init", "new", "--account", trader, *where, *chain, *ANSWERS])

    assert ended.value.code == 0, capsys.readouterr().err


UNREADABLE = {
    "no node": ("trader", ("--node", "127.0.0.1:1"), 4, "no node answers"),
    "both": ("trader", ("--equity", "$500"), 2, "--account and --equity: give one of them"),
    "nobody": (demo_key(99, "nobody").address, (), 2, "holds nothing"),
    "no address": ("dydx1abc", (), 2, "has characters that no address has: b"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_an_account_that_cannot_be_read_is_refused_and_nothing_is_written(
    place: Venue, call: Call, tmp_path: Path, case: str
) -> None:
    address, more, code, said = UNREADABLE[case]
    named = place.said["accounts"][0]["address"] if address == "trader" else address

    found, _, err = call("init", str(tmp_path / "new"), "--account", named, *more, *ANSWERS)

    assert found == code
    assert said in err
    assert not (tmp_path / "new").exists()
