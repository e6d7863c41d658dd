"""Series: numbers take no time, ramps are straight, holds and gaps last what they say."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall.errors import RuleFileError
from seawall.rulefile import literals
from seawall.rulefile.report import Report
from seawall.rulefile.tree import Table, read_tree
from seawall.ruletest.series import Track, next_change, read_track
from seawall.units import MINUTE, SECOND, Millis

BLEED = "[0%, {to: 12%, over: 3m}, {hold: 90s}, 6.5%, {hold: 30m}]"


def track(text: str) -> Track:
    report = Report("t.yaml")
    root = read_tree(f"x: {text}", report)
    assert isinstance(root, Table)
    found = read_track(root.entries[0].value, literals.ratio, report, "x")
    report.raise_problems()
    assert found is not None
    return found


def refusal(text: str) -> str:
    report = Report("t.yaml")
    root = read_tree(f"x: {text}", report)
    assert isinstance(root, Table)
    read_track(root.entries[0].value, literals.ratio, report, "x")
    with pytest.raises(RuleFileError) as refused:
        report.raise_problems()
    return str(refused.value).splitlines()[0].split(" ", 1)[1]


@pytest.mark.parametrize(
    ("seconds", "value"),
    [(0, "0"), (90, "0.06"), (180, "0.12"), (269, "0.12"), (270, "0.065"), (9_999, "0.065")],
)
def test_a_series_is_at_each_moment_what_it_says(seconds: int, value: str) -> None:
    assert track(BLEED).at(Millis(seconds * SECOND)) == Decimal(value)


def test_a_gap_is_no_data_and_ends_when_it_says() -> None:
    gap = track("[10%, {hold: 40s}, {missing: 1m}, 5%]")

    values = [gap.at(Millis(s * SECOND)) for s in (39, 40, 99, 100)]

    assert values == [Decimal("0.1"), None, None, Decimal("0.05")]


def test_one_word_stays() -> None:
    assert track("3%").at(Millis(10 * MINUTE)) == Decimal("0.03")
    assert track("3%").next_change(Millis(0)) is None


def test_a_ramp_changes_at_every_moment_and_a_hold_at_its_end() -> None:
    bleed = track(BLEED)

    assert bleed.next_change(Millis(MINUTE)) == MINUTE
    assert bleed.next_change(Millis(3 * MINUTE)) == 3 * MINUTE + 90 * SECOND
    assert bleed.next_change(Millis(5 * MINUTE)) is None
    assert next_change([bleed, track("1%")], Millis(200 * SECOND)) == 270 * SECOND


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[0%, 12%]", "`12%`: a number takes no time, put {hold: 1m} before it"),
        ("[{hold: 1m}]", "`hold`: holds a value, write one before it"),
        ("[{to: 5%, over: 1m}]", "a ramp begins at a value, write one before it"),
        ("[0%, {hold: 0s}]", "`0s`: more than 0s is expected"),
        ("[0%, {to: 5%}]", "`over`: missing in a ramp; how long it takes, like `3m`"),
        ("[0, {hold: 1m}]", "`0`: the unit is missing, expected a ratio like `12%` or `150bps`"),
        ("[]", "a list: `x` is a value or a list like [0%, {hold: 1m}]"),
    ],
)
def test_a_series_that_says_nothing_is_refused(text: str, said: str) -> None:
    assert refusal(text).startswith(said)
