"""Fault files: what is written is what is played, and every problem is said at once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from seawall.errors import OperatorError, PriceFileError
from seawall.simulator.faults.file import faults_of
from seawall.simulator.faults.kinds import FaultKind, When
from seawall.simulator.faults.schedule import Fault, Faults, random_faults


def test_a_file_is_read_as_written(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(
        "faults:\n"
        "  - {kind: node_frozen, first: 120, last: 180}\n"
        "  - {kind: answer_lost, when: reduce, first: 0}\n"
        "  - {kind: oracle_wrong, first: 3, last: 9, amount: '-0.10', ticker: ETH-USD}\n"
    )

    assert faults_of(str(file)) == Faults(
        faults=(
            Fault(kind=FaultKind.NODE_FROZEN, first=120, last=180),
            Fault(kind=FaultKind.ANSWER_LOST, when=When.REDUCE, first=0, last=0),
            Fault(
                kind=FaultKind.ORACLE_WRONG,
                first=3,
                last=9,
                amount=Decimal("-0.10"),
                ticker="ETH-USD",
            ),
        )
    )


def test_a_seed_names_a_drawn_schedule() -> None:
    assert faults_of("seed:7") == random_faults(7, 600)
    with pytest.raises(OperatorError, match="seed:7"):
        faults_of("seed:x")


def test_a_clock_may_be_early_and_nothing_else_lasts_less_than_nothing(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("faults:\n  - {kind: clock_skew, first: 3, seconds: '-2'}\n")

    assert [fault.seconds for fault in faults_of(str(file)).faults] == [-2]
    file.write_text("faults:\n  - {kind: chain_halt, first: 3, seconds: '-2'}\n")
    with pytest.raises(PriceFileError, match="at least 0"):
        faults_of(str(file))


def test_every_problem_of_a_file_is_said_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(
        "faults:\n"
        "  - {kind: node_frozne, first: 1}\n"
        "  - {kind: gate_up, first: 9, last: 3}\n"
        "  - {kind: gate_up, first: 1, amount: -2}\n"
        "  - {kind: gate_up, first: 1, bloks: 2}\n"
        "  - {kind: gate_up}\n"
    )

    with pytest.raises(PriceFileError) as refused:
        faults_of(str(file))

    places = [line.split(" ")[0] for line in str(refused.value).splitlines()]
    assert [place.removeprefix(f"{file}:") for place in places] == [
        "2:12",
        "3:5",
        "4:39",
        "5:31",
        "6:5",
    ]


@pytest.mark.parametrize("words", ["", "faults: 3\n", "a: [\n"])
def test_what_is_no_fault_file_is_refused(tmp_path: Path, words: str) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(words)

    with pytest.raises(PriceFileError):
        faults_of(str(file))
