"""`seawall run` as a process against a venue as a process: what it sends, survives and refuses."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.action import Reduce
from seawall.agent import Kind, StartRow, restore
from seawall.alarm import Phase
from seawall.errors import OperatorError
from seawall.journal.codec import from_json
from seawall.journal.lock import is_left
from seawall.journal.queries import Reader
from seawall.journal.store import Journal
from seawall.notify.pulse import pulse_path, read_pulse, this_boot
from tests.cli.played import (
    ROOT,
    RULES,
    SEAWALL,
    Venue,
    count,
    guard,
    guard_command,
    read,
    venue,
    wait_until,
)
from tests.decide.guarded import FLOAT


def is_over(place: Venue) -> bool:
    return bool(place.state()["is_over"])


def test_live_it_reduces_and_every_order_has_a_trace_and_an_end(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"

    with venue(tmp_path) as place, guard(place, journal, "--live") as process:
        place.start()
        wait_until(lambda: is_over(place), "the end of the prices")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        state, account = place.state(), place.guarded

    record = read(journal)
    assert process.returncode == 0
    assert record.sending
    assert len(record.replies) == len(record.sending) == state["transactions"]["received"]
    assert {one.action_id for one in record.outcomes} == {one.id for one in record.sending}
    assert not account["liquidated"]
    assert "start    fatal-move/0/act#" in out
    assert sum("limit" in line and "fatal-move/0/act:" in line for line in out.splitlines()) == 1
    assert "stopped; orders on the chain stand as they are" in out


def test_on_paper_no_transaction_reaches_the_venue(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"

    with venue(tmp_path) as place, guard(place, journal) as process:
        place.start()
        wait_until(lambda: is_over(place), "the end of the prices")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
        state = place.state()

    assert state["transactions"]["received"] == 0
    assert read(journal).sending == []
    assert "would    sell " in out
    assert "dry-run: nothing is sent" in out


@pytest.mark.parametrize(
    ("kind", "rows"), [(Kind.SENDING, 1), (Kind.REPLY, 1), (Kind.OUTCOME, 1), (Kind.SENDING, 6)]
)
def test_killed_in_the_middle_of_an_intervention_it_goes_on_and_sends_nothing_twice(
    tmp_path: Path, kind: str, rows: int
) -> None:
    journal = tmp_path / "journal.db"

    with venue(tmp_path) as place:
        before = place.guarded["positions"]
        with guard(place, journal, "--live") as first:
            place.start()
            wait_until(lambda: count(journal, kind) >= rows, f"{rows} {kind} rows")
            first.kill()
            first.wait()
            assert read_pulse(pulse_path(journal)).boot == this_boot()
            assert is_left(journal), "and `seawall health` says so at once"
        killed_at = place.state()["height"]
        with guard(place, journal, "--live") as second:
            wait_until(lambda: is_over(place), "the end of the prices")
            second.send_signal(signal.SIGINT)
            second.communicate(timeout=20)
        state, account = place.state(), place.guarded

    record = read(journal)
    assert state["height"] > killed_at
    assert count(journal, Kind.START) == 2
    assert second.returncode == 0
    ids = Counter(
        (one.action.subaccount, one.action.ticker, one.action.window)
        for one in record.sending
        if isinstance(one.action, Reduce)
    )
    assert set(ids.values()) == {1}
    assert {one.action_id for one in record.outcomes} == {one.id for one in record.sending}
    assert len(record.outcomes) == len(record.sending)
    assert state["transactions"]["received"] <= len(record.sending)
    sold = Counter[str]()
    for one in record.outcomes:
        action = next(sent.action for sent in record.sending if sent.id == one.action_id)
        assert isinstance(action, Reduce)
        sold[action.ticker] += one.filled
    atomic = {"BTC-USD": 10, "ETH-USD": 9, "SOL-USD": 7}
    for ticker, exponent in atomic.items():
        start = float(before[ticker]["size"])
        now = float(account["positions"].get(ticker, {"size": 0})["size"])
        assert round((start - now) * 10**exponent) == sold[ticker]
    assert not account["liquidated"]


@pytest.mark.parametrize("kind", [Kind.START, Kind.TICK, Kind.SENDING])
def test_interrupted_at_any_moment_it_leaves_a_journal_that_verifies(
    tmp_path: Path, kind: str
) -> None:
    journal = tmp_path / "journal.db"

    with venue(tmp_path) as place, guard(place, journal, "--live") as process:
        if kind != Kind.START:
            place.start()
        wait_until(lambda: count(journal, kind) >= 1, f"a {kind} row")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)

    assert process.returncode in (0, 130)
    read(journal)


def refused(place: Venue, *command: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=place.environment(**environment),
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with venue(tmp_path_factory.mktemp("venue")) as running:
        yield running


def test_a_misspelt_rule_key_is_refused_with_its_place(place: Venue, tmp_path: Path) -> None:
    rules, journal = tmp_path / "rules.yaml", tmp_path / "journal.db"
    rules.write_text(RULES.read_text().replace("levels:", "levle:", 1))

    code, said = refused(place, *guard_command(journal, rules=rules))

    assert code == 2
    assert "did you mean `levels`?" in said
    assert str(rules) in said
    assert not journal.exists()


def test_a_journal_that_cannot_be_written_is_refused_with_a_remedy(place: Venue) -> None:
    code, said = refused(place, *guard_command(Path("/proc/seawall.db")))

    assert code == 1
    assert "/proc/seawall.db" in said
    assert "make it writable, or name another file" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("abandon " * 12, "keys.trading"),
        ("not a mnemonic", "keys.trading"),
        (
            (
                "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
                "abandon about"
            ),
            "keys.trading",
        ),
    ],
    ids=["wrong checksum", "no words", "somebody else's"],
)
def test_a_wrong_key_is_refused_and_never_shown(
    place: Venue, tmp_path: Path, key: str, words: str
) -> None:
    journal = tmp_path / "journal.db"

    code, said = refused(place, *guard_command(journal, "--live"), TRADING_KEY=key)

    assert code == 2
    assert words in said
    assert len(said.splitlines()) == 1
    assert key.strip() not in said
    assert not journal.exists()


def test_a_venue_that_is_not_there_is_said_with_its_address(place: Venue, tmp_path: Path) -> None:
    nowhere = "127.0.0.1:9"

    code, said = refused(
        place, *guard_command(tmp_path / "journal.db"), SEAWALL_VENUE__NODES=nowhere
    )

    assert code == 4
    assert "127.0.0.1:9" in said
    assert "correct venue.nodes" in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "journal.db").exists()


def said_last(journal: Path) -> str:
    """Why the last tick did not succeed; empty before the first."""
    try:
        return read_pulse(pulse_path(journal)).reason
    except OperatorError:
        return ""


def test_a_guard_that_ran_before_starts_blind_where_no_node_answers(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    with venue(tmp_path) as place:
        with guard(place, journal, "--live", "--arm"):
            wait_until(lambda: count(journal, Kind.TICK) >= 1, "a tick")
        before = count(journal, Kind.START)
        dark = place.environment(SEAWALL_VENUE__NODES="127.0.0.1:9")
        command = guard_command(journal, "--live", "--allow-wide-key")
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=dark
        ) as process:
            try:
                wait_until(lambda: count(journal, Kind.START) > before, "a second start")
                wait_until(lambda: "127.0.0.1:9" in said_last(journal), "a blind tick")
                process.send_signal(signal.SIGINT)
                said, _ = process.communicate(timeout=20)
            finally:
                process.kill()

    assert process.returncode == 0
    assert "warning: blind until a node answers: no node answers: 127.0.0.1:9" in said


LATCHING = """\
rules:
  - id: usage
    why: "Half of the margin is the end of the day."
    measure: maintenance_usage
    trigger: "> 50%"
    do: [page, flatten]
"""


def test_a_latch_holds_until_rearm_and_both_are_in_the_journal(tmp_path: Path) -> None:
    journal, rules = tmp_path / "journal.db", tmp_path / "rules.yaml"
    rules.write_text(LATCHING)
    rearm = (*SEAWALL, "rearm", "usage", "--journal", str(journal))

    with venue(tmp_path) as place, guard(place, journal, "--live", rules=rules) as process:
        place.start()
        wait_until(lambda: is_over(place), "the end of the prices")
        told = [refused(place, *rearm)]
        wait_until(lambda: not latched(journal), "the guard to obey")
        told.append(refused(place, *rearm))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        account = place.guarded

    assert account["positions"] == {}
    assert [code for code, _ in told] == [0, 2]
    assert "usage/0 is not latched" in told[1][1] or "nothing is latched" in told[1][1]
    assert "Stays until `seawall rearm usage`." in out
    assert count(journal, Kind.COMMAND) == 1


def latched(journal: Path) -> bool:
    with Journal.join(journal) as opened:
        memory, _ = restore(opened)
    return any(
        state.phase is Phase.LATCHED for held in memory.alarms.values() for state in held.levels
    )


def test_a_changed_byte_is_found_by_the_auditor(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    with venue(tmp_path) as place, guard(place, journal, "--live") as process:
        place.start()
        wait_until(lambda: count(journal, Kind.OUTCOME) >= 1, "an outcome")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    with sqlite3.connect(journal) as database:
        seq, body = database.execute(
            "select seq, body from rows where kind = 'outcome' limit 1"
        ).fetchone()
        database.execute("update rows set body = ? where seq = ?", (body.replace("1", "2", 1), seq))
    database.close()

    done = subprocess.run(
        [*SEAWALL, "audit", "verify", "--journal", str(journal)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert f"row {seq}" in done.stderr


FED = f"""\
{FLOAT}rules:
  - id: cash
    why: "Cash first."
    measure: free_collateral
    trigger: "< $1"
    target: ">= $100"
    do: [page, {{top_up: {{until: target, max: $3_000}}}}]
"""


def test_live_rules_that_top_up_without_a_key_are_warned_of_and_settings_reach_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, rules = tmp_path / "journal.db", tmp_path / "rules.yaml"
    rules.write_text(FED)
    monkeypatch.setenv("SEAWALL_PLAN__CASH_PRICE", "25bps")
    monkeypatch.setenv("SEAWALL_PLAN__STANDBY", "true")

    with venue(tmp_path) as place, guard(place, journal, "--live", rules=rules) as process:
        wait_until(lambda: count(journal, Kind.START) == 1, "the guard to begin")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)

    with Reader.open(journal) as reader:
        (row,) = reader.rows(Kind.START)
    assert from_json(StartRow, row.body or "").policy.cash_price == 2_500
    assert "live: a standby, acts where the first guard has not for 8 blocks" in out
    (warning,) = [line for line in out.splitlines() if "keys.float" in line]
    assert warning.startswith("warning: keys.float is missing: cash/act cannot top up")
    assert "set SEAWALL_KEYS__FLOAT" in warning


def test_an_unknown_messenger_is_refused_at_a_first_start_and_told_at_a_later_one(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "journal.db"

    with venue(tmp_path) as place:
        environment = place.environment(SEAWALL_NOTIFY__URLS="hunter2token")
        first = subprocess.run(
            guard_command(journal),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment,
            timeout=60,
            check=False,
        )
        was_made = journal.exists()
        with guard(place, journal) as before:
            place.start()
            wait_until(lambda: count(journal, Kind.TICK) > 0, "a tick")
            before.send_signal(signal.SIGINT)
            before.communicate(timeout=20)
        ticks = count(journal, Kind.TICK)
        with subprocess.Popen(
            guard_command(journal),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=environment,
        ) as again:
            wait_until(lambda: count(journal, Kind.TICK) > ticks, "a tick of the second")
            again.send_signal(signal.SIGINT)
            out, _ = again.communicate(timeout=20)

    assert (first.returncode, was_made) == (2, False)
    assert "notify.urls: number 1" in first.stderr
    assert again.returncode == 0
    assert "warning: notify.urls: number 1" in out
    with Reader.open(journal) as reader:
        memory, _ = restore(reader)
    told = memory.pages["guard/notify"].text
    assert "hunter2token" not in first.stdout + first.stderr + out + told
