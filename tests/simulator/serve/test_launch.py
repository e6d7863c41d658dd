"""Setting up a venue: no book that initial margin would not have let anybody open."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from seawall.errors import OperatorError
from seawall.simulator.serve.launch import Cast, calm_path, produce
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
