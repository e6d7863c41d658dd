"""Setting up a venue: no book that initial margin would not have let anybody open."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from seawall.errors import OperatorError
from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.schedule import Fault, Faults
from seawall.simulator.serve.launch import Cast, calm_path, notes_on, produce
from seawall.units import Millis


def test_a_book_beyond_initial_margin_is_refused_with_the_largest_that_is_not() -> None:
    path = calm_path(1, Millis(1_583_992_800_000)).window(None, Millis(1_583_992_860_000))

    with pytest.raises(OperatorError, match=r"--leverage 100x .* at most [\d.]+x") as refused:
        produce(path, Cast(leverage=Decimal(100)))
    named = re.search(r"at most ([\d.]+)x", str(refused.value))
    assert named is not None
    largest = Decimal(named[1])

    produce(path, Cast(leverage=largest))
    with pytest.raises(OperatorError, match=f"at most {largest}x"):
        produce(path, Cast(leverage=largest + Decimal("0.2")))


def test_a_fault_of_a_market_without_prices_is_refused() -> None:
    faults = Faults(
        faults=(Fault(kind=FaultKind.ORACLE_WRONG, first=1, last=9, ticker="DOGE-USD"),)
    )

    with pytest.raises(OperatorError, match=r"fault of DOGE-USD: .* BTC-USD, ETH-USD, SOL-USD"):
        produce(calm_path(1, Millis(0)), Cast(), faults)


@pytest.mark.parametrize(
    ("cast", "noted"),
    [
        (Cast(leverage=Decimal(3)), []),
        (Cast(), ["deleveraging"]),
        (Cast(accounts=0), ["deleveraging", "withdrawal_late"]),
    ],
)
def test_an_accident_that_finds_nobody_is_noted(cast: Cast, noted: list[str]) -> None:
    kinds = (FaultKind.DELEVERAGING, FaultKind.WITHDRAWAL_LATE, FaultKind.NODE_SLOW)
    faults = Faults(faults=tuple(Fault(kind=kind, first=1, last=1) for kind in kinds))

    assert [note.split()[1].rstrip(":") for note in notes_on(cast, faults)] == noted
