"""Numbers as people read them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall import words
from seawall.measures.spec import Unit
from seawall.units import DAY, HOUR, MINUTE, SECOND, Millis, Ppm


@pytest.mark.parametrize(
    ("value", "unit", "exact", "shown"),
    [
        ("0.12", Unit.RATIO, "12%", "12%"),
        ("0.123456", Unit.RATIO, "12.3456%", "12.35%"),
        ("-0.000001", Unit.RATIO, "-0.0001%", "0%"),
        ("9000", Unit.DOLLARS, "$9,000", "$9,000"),
        ("9000.5", Unit.DOLLARS, "$9,000.50", "$9,000.50"),
        ("-500", Unit.DOLLARS, "-$500", "-$500"),
        ("-0.001", Unit.DOLLARS, "-$0.001", "$0"),
        ("1E+3", Unit.DOLLARS, "$1,000", "$1,000"),
        ("0.6", Unit.MULTIPLE, "0.6x", "0.6x"),
        ("10.4567", Unit.MULTIPLE, "10.4567x", "10.46x"),
        ("10", Unit.SECONDS, "10s", "10s"),
        ("119", Unit.SECONDS, "119s", "119s"),
        ("120", Unit.SECONDS, "2m", "2m"),
        ("-3", Unit.SECONDS, "-3s", "-3s"),
        ("1234.567", Unit.SECONDS, "1,234.567s", "1,234.57s"),
        ("0", Unit.COUNT, "0", "0"),
        ("Infinity", Unit.MULTIPLE, "∞x", "∞x"),
        ("Infinity", Unit.RATIO, "∞%", "∞%"),
        ("Infinity", Unit.SECONDS, "∞s", "∞s"),
        ("-Infinity", Unit.DOLLARS, "-$∞", "-$∞"),
    ],
)
def test_a_value_is_exact_for_what_was_written_and_rounded_for_what_was_measured(
    value: str, unit: Unit, exact: str, shown: str
) -> None:
    assert words.exact(Decimal(value), unit) == exact
    assert words.show(Decimal(value), unit) == shown


def test_a_value_of_many_digits_is_shown() -> None:
    assert words.show(Decimal(1) / Decimal(3), Unit.RATIO) == "33.33%"
    assert words.show(Decimal("1" * 40 + ".005"), Unit.DOLLARS).startswith("$1,111")


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (0, "0s"),
        (500, "0.5s"),
        (30 * SECOND, "30s"),
        (90 * SECOND, "1m30s"),
        (8 * HOUR, "8h"),
        (2 * DAY + 30 * MINUTE, "2d30m"),
    ],
)
def test_a_duration_is_said_as_a_rule_file_writes_it(span: int, said: str) -> None:
    assert words.duration(Millis(span)) == said


@pytest.mark.parametrize(
    ("into_the_day", "said"),
    [(0, "01:00Z"), (HOUR - 1, "01:00Z"), (HOUR, "02:00Z"), (DAY - 1, "00:00Z")],
)
def test_an_hour_ends_where_the_next_one_begins(into_the_day: int, said: str) -> None:
    assert words.next_hour(Millis(700 * DAY + into_the_day)) == said


def test_fractions_and_times_of_day() -> None:
    assert words.bps(Ppm(6_000)) == "60bps"
    assert words.bps(Ppm(1)) == "0.01bps"
    assert words.percent(Ppm(330_000)) == "33%"
    assert words.clock(Millis(0)) == "00:00Z"
    assert words.clock(Millis(DAY - MINUTE)) == "23:59Z"


@pytest.mark.parametrize(
    ("value", "about", "price"),
    [
        ("0", "$0", "$0"),
        ("38.504", "$38.50", "$38.504"),
        ("-999.994", "-$999.99", "-$999.994"),
        ("1000", "$1,000", "$1,000"),
        ("28726.51", "$28,727", "$28,726.51"),
        ("67510.12146", "$67,510", "$67,510.12"),
        ("4.94046666", "$4.94", "$4.94047"),
        ("0.0000123456789", "$0", "$0.0000123457"),
    ],
)
def test_dollars_for_a_table_are_as_coarse_as_a_person_reads_them(
    value: str, about: str, price: str
) -> None:
    assert (words.about(Decimal(value)), words.price(Decimal(value))) == (about, price)
