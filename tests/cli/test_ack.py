"""`seawall ack` is a row that the guard reads, and refuses what nobody waits for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from seawall.agent import Kind, TickRow
from seawall.cli import main
from seawall.decide.memory import Acknowledge, Decision, Memory, PageState
from seawall.intervention import Intervention
from seawall.journal.codec import from_json, to_json
from seawall.journal.store import Journal
from seawall.measures.spec import Instance
from seawall.policy import Mode
from tests.see import AT, see

LATE = Intervention(
    key="loss",
    rule="loss",
    instance=Instance(),
    level="act",
    rank=0,
    number=1,
    mode=Mode.LIVE,
    started_at=AT,
    fixed_at=AT,
    progress_at=AT,
    has_given_up=True,
)
PAGED = {
    "loss/act": PageState(text="A loss.", sent_at=AT),
    "state/stale": PageState(text="Stale.", sent_at=AT, is_acknowledged=True),
}


def journal_with(folder: Path, memory: Memory) -> Path:
    path = folder / "seawall.db"
    row = TickRow(
        digest="d",
        mode=Mode.LIVE,
        seen=see(),
        commands_through=0,
        before=Memory(),
        decision=Decision(tick=1, height=1, at=AT, seen_at=AT),
        after=memory,
    )
    with Journal.open(path) as journal:
        journal.append(Kind.TICK, to_json(row))
    return path


def ends_with(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def command_of(path: Path) -> Acknowledge | None:
    with Journal.join(path) as journal:
        row = journal.last(Kind.COMMAND)
    return None if row is None or row.body is None else from_json(Acknowledge, row.body)


@pytest.mark.parametrize("key", ["", "loss", "loss/act"])
def test_an_acknowledgement_is_a_row(
    key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = journal_with(tmp_path, Memory(pages=PAGED))

    assert ends_with("ack", *([key] if key else []), "--journal", str(path)) == 0

    assert command_of(path) == Acknowledge(key=key)
    assert "loss/act" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("nothing",), ("state/stale",), ("nothing", "--stop")])
def test_what_nobody_waits_for_is_refused_and_names_what_does(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = journal_with(tmp_path, Memory(pages=PAGED, running=(LATE,)))

    assert ends_with("ack", *words, "--journal", str(path)) == 2

    said = capsys.readouterr().err
    assert "waiting now: loss/act" in said
    assert ("loss/act#1" in said) is ("--stop" in words)
    assert command_of(path) is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [("lss", "loss"), ("loss/atc", "loss/act"), ("lss/act", "loss/act"), ("nothing", None)],
)
def test_a_misspelt_rule_is_refused_with_the_nearest_that_waits(
    words: str, expected: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = journal_with(tmp_path, Memory(pages=PAGED))

    assert ends_with("ack", words, "--journal", str(path)) == 2

    said = capsys.readouterr().err
    assert ("did you mean" in said) is (expected is not None)
    assert expected is None or f"did you mean `{expected}`?" in said


def test_a_rule_that_is_spelt_well_is_not_said_to_be_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = PAGED | {"loss2/act": PageState(text="Read.", sent_at=AT, is_acknowledged=True)}
    path = journal_with(tmp_path, Memory(pages=pages))

    assert ends_with("ack", "loss2", "--journal", str(path)) == 2

    assert "did you mean" not in capsys.readouterr().err


def test_stop_names_the_flatten_that_it_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = journal_with(tmp_path, Memory(running=(LATE,)))

    assert ends_with("ack", "--stop", "--journal", str(path)) == 0

    assert command_of(path) == Acknowledge(stops_flatten=True)
    assert "ends loss/act#1" in capsys.readouterr().out


def test_stop_does_not_count_a_flatten_that_still_has_time(tmp_path: Path) -> None:
    path = journal_with(tmp_path, Memory(running=(replace(LATE, has_given_up=False),)))

    assert ends_with("ack", "--stop", "--journal", str(path)) == 2


def test_stop_that_ends_nothing_says_so_and_what_would_hold_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_time = replace(LATE, has_given_up=False)
    path = journal_with(tmp_path, Memory(pages=PAGED, running=(in_time,)))

    assert ends_with("ack", "--stop", "--journal", str(path)) == 0

    said = capsys.readouterr().out
    assert "no flatten is past its give_up_after, so none ends" in said
    assert "`seawall pause`" in said
