"""Literals: what each means, what is refused, and what is said to have been meant."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seawall import words
from seawall.measures.spec import Unit
from seawall.policy import Bound, Latch, Operator
from seawall.rulefile import literals
from seawall.rulefile.address import dydx_address
from seawall.rulefile.literals import LiteralError
from seawall.units import DAY, HOUR, MINUTE, SECOND, Millis, Ppm


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("$9_000", Unit.DOLLARS, "9000"),
        ("-$500", Unit.DOLLARS, "-500"),
        ("$0", Unit.DOLLARS, "0"),
        ("$38.50", Unit.DOLLARS, "38.5"),
        ("12%", Unit.RATIO, "0.12"),
        ("1200bps", Unit.RATIO, "0.12"),
        ("1_200bps", Unit.RATIO, "0.12"),
        ("-10%", Unit.RATIO, "-0.1"),
        ("0%", Unit.RATIO, "0"),
        ("1.5%", Unit.RATIO, "0.015"),
        ("3x", Unit.MULTIPLE, "3"),
        ("0.6x", Unit.MULTIPLE, "0.6"),
        ("10s", Unit.SECONDS, "10"),
        ("2m", Unit.SECONDS, "120"),
        ("0", Unit.COUNT, "0"),
        ("30", Unit.COUNT, "30"),
    ],
)
def test_a_literal_is_its_number_in_the_unit_of_its_measure(
    text: str, unit: Unit, value: str
) -> None:
    assert literals.amount(text, unit) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "unit", "meant"),
    [
        ("12", Unit.RATIO, "12%"),
        ("12 %", Unit.RATIO, "12%"),
        ("60bp", Unit.RATIO, "60bps"),
        ("60 bps", Unit.RATIO, "60bps"),
        ("12pct", Unit.RATIO, "12%"),
        ("$9,000", Unit.DOLLARS, "$9_000"),
        ("9000", Unit.DOLLARS, "$9000"),
        ("9000$", Unit.DOLLARS, "$9000"),
        ("9k", Unit.DOLLARS, "$9_000"),
        ("9000 USDC", Unit.DOLLARS, "$9000"),
        ("-500", Unit.DOLLARS, "-$500"),
        ("20.000$", Unit.DOLLARS, "$20_000"),
        ("1,5%", Unit.RATIO, "1.5%"),
        ("12,50%", Unit.RATIO, "12.50%"),
        ("$-500", Unit.DOLLARS, "-$500"),
        ("3", Unit.MULTIPLE, "3x"),
        ("3X", Unit.MULTIPLE, "3x"),
        ("10", Unit.SECONDS, "10s"),
        ("10 sec", Unit.SECONDS, "10s"),
        ("5 minutes", Unit.SECONDS, "5m"),
        ("1 x", Unit.COUNT, "1"),
        ("1.5h", Unit.SECONDS, "1h30m"),
        ("0.5 minutes", Unit.SECONDS, "30s"),
        ("1h30", Unit.SECONDS, "1h30m"),
        ("1h 30", Unit.SECONDS, "1h30m"),
        ("2d1h30", Unit.SECONDS, "2d1h30m"),
        ("1m30", Unit.SECONDS, "1m30s"),
        ("1d12", Unit.SECONDS, "1d12h"),
        ("300%", Unit.MULTIPLE, "3x"),
        ("-250%", Unit.MULTIPLE, "-2.5x"),
        ("1,000%", Unit.MULTIPLE, "10x"),
        ("$1,00,000", Unit.DOLLARS, "$100_000"),
        ("$9_0_0_0", Unit.DOLLARS, "$9_000"),
        ("9_00", Unit.DOLLARS, "$900"),
        ("12345_678bps", Unit.RATIO, "12_345_678bps"),
        ("3_0", Unit.COUNT, "30"),
    ],
)
def test_the_nearest_literal_is_named(text: str, unit: Unit, meant: str) -> None:
    with pytest.raises(LiteralError, match="did you mean") as refused:
        literals.amount(text, unit)

    assert f"did you mean `{meant}`?" in str(refused.value)
    literals.amount(meant, unit)


@pytest.mark.parametrize(
    "text",
    ["", "%", "$", "x", "1__0%", "_1%", "1_%", "1.%", ".5%", "1e3%", "+5%", "--5%", "0x10%", "٣%",
     "1%1%", "nan%", "inf%", "12%\n", "1" * 16 + "%", "0.1234567890%"],
)  # fmt: skip
def test_what_only_looks_like_a_ratio_is_refused(text: str) -> None:
    with pytest.raises(LiteralError):
        literals.ratio(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1_5%", "did you mean `15%` or `1.5%`?"),
        ("12_5%", "did you mean `125%` or `12.5%`?"),
        ("12_50bps", "did you mean `1_250bps` or `12.50bps`?"),
        ("1_2.5%", "did you mean `12.5%`?"),
    ],
)
def test_an_underscore_that_may_be_a_point_is_read_neither_way(text: str, meant: str) -> None:
    with pytest.raises(LiteralError, match="underscores group digits by three") as refused:
        literals.ratio(text)

    assert str(refused.value).endswith(meant)


def test_a_bare_fraction_is_not_guessed_to_be_per_cent() -> None:
    with pytest.raises(LiteralError) as refused:
        literals.ratio("0.12")

    assert "did you mean" not in str(refused.value)


@pytest.mark.parametrize("text", ["$20.000", "-$1.125"])
def test_thousands_behind_a_point_are_not_read_as_cents(text: str) -> None:
    with pytest.raises(LiteralError) as refused:
        literals.dollars(text)

    assert f"did you mean `{text.replace('.', '_')}` or `{text[:-1]}`?" in str(refused.value)
    assert literals.dollars("$0.125") == Decimal("0.125")  # no thousands begin with a zero


def test_no_unit_is_guessed_that_is_longer_than_what_was_written() -> None:
    with pytest.raises(LiteralError) as refused:
        literals.duration("500ms")

    assert "did you mean" not in str(refused.value)


def test_a_bare_slippage_is_meant_in_basis_points() -> None:
    with pytest.raises(LiteralError, match="did you mean `60bps`"):
        literals.slippage("60")
    for either in ("0.5", "0.005"):  # per cent, a share, or basis points
        with pytest.raises(LiteralError, match=r"like `60bps`$"):
            literals.slippage(either)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("0s", 0),
        ("30s", 30 * SECOND),
        ("1m15s", 75 * SECOND),
        ("90s", 90 * SECOND),
        ("3h", 3 * HOUR),
        ("2d12h", 2 * DAY + 12 * HOUR),
        ("10m", 10 * MINUTE),
    ],
)
def test_a_duration_is_milliseconds(text: str, span: int) -> None:
    assert literals.duration(text) == span


def test_a_rule_waits_for_thirty_days_at_most() -> None:
    assert literals.wait("30d") == 30 * DAY
    for text in ("30d1s", "9999d"):
        with pytest.raises(LiteralError, match="at most `30d` is expected"):
            literals.wait(text)


@pytest.mark.parametrize("text", ["", "s", "30", "1h 30m", "5m1h", "-5s", "1.5h", "500ms", "5 m"])
def test_what_only_looks_like_a_duration_is_refused(text: str) -> None:
    with pytest.raises(LiteralError):
        literals.duration(text)


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        (">= 12%", Operator.AT_LEAST),
        ("> 12%", Operator.ABOVE),
        ("<= 12%", Operator.AT_MOST),
        ("< 12%", Operator.BELOW),
        (">=12%", Operator.AT_LEAST),
        ("<   12%", Operator.BELOW),
    ],
)
def test_a_bound_is_an_operator_and_a_value(text: str, operator: Operator) -> None:
    bound = Bound(operator=operator, value=Decimal("0.12"))

    assert literals.bound(text, Unit.RATIO) == bound


@pytest.mark.parametrize("text", ["12%", "", ">=", "> > 12%", ">> 12%", "<> 12%", "!= 12%", "~ 1%"])
def test_a_bound_without_one_operator_and_one_value_is_refused(text: str) -> None:
    with pytest.raises(LiteralError, match="expected an operator"):
        literals.bound(text, Unit.RATIO)


def test_a_latch_is_manual_or_a_time_of_day() -> None:
    assert literals.latch("manual") == Latch()
    assert literals.latch("00:00Z") == Latch(until=Millis(0))
    assert literals.latch("23:59Z") == Latch(until=Millis(DAY - MINUTE))


@pytest.mark.parametrize("text", ["24:00Z", "00:00", "0:00Z", "12:60Z", "Manual", "never", ""])
def test_another_latch_is_refused(text: str) -> None:
    with pytest.raises(LiteralError):
        literals.latch(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("14:30", "14:30Z"), ("9:00Z", "09:00Z"), ("7:05 utc", "07:05Z"), ("24:00Z", "00:00Z")],
)
def test_a_time_of_day_in_other_words_keeps_its_hour(text: str, meant: str) -> None:
    for literal in (literals.latch, literals.time_of_day):
        with pytest.raises(LiteralError, match=f"did you mean `{meant}`"):
            literal(text)


@pytest.mark.parametrize(
    ("text", "part"), [("100%", 1_000_000), ("0.01bps", 1), ("33.3333%", 333_333)]
)
def test_a_share_is_ppm_at_its_bounds(text: str, part: int) -> None:
    assert literals.share(text) == part


@pytest.mark.parametrize("text", ["0%", "-1%", "100.0001%", "0.001bps"])
def test_a_share_outside_its_bounds_is_refused(text: str) -> None:
    with pytest.raises(LiteralError):
        literals.share(text)


@given(st.integers(0, 10**12), st.sampled_from(sorted(Unit)), st.integers(-6, 0))
def test_what_is_shown_exactly_reads_back_as_the_same_number(
    digits: int, unit: Unit, exponent: int
) -> None:
    whole = unit in (Unit.COUNT, Unit.SECONDS)
    value = Decimal(digits % 10**6 if whole else digits).scaleb(0 if whole else exponent)

    shown = words.exact(value, unit).replace(",", "_")
    assume(unit is not Unit.DOLLARS or re.fullmatch(r"\$[1-9]\d{0,2}\.\d{3}", shown) is None)

    assert literals.amount(shown, unit) == value


@given(st.integers(1, 10**9))
def test_a_duration_reads_back(seconds: int) -> None:
    span = Millis(seconds % (9_999 * 86_400) * SECOND)

    assert literals.duration(words.duration(span)) == span


@given(st.integers(0, 10**6))
def test_slippage_and_share_read_back(part: int) -> None:
    assert literals.ppm(words.bps(Ppm(part)).replace(",", "_")) == part
    assert literals.ppm(words.percent(Ppm(part))) == part


ADDRESS = "dydx199tqg4wdlnu4qjlxchpd7seg454937hjrknju4"


def test_an_address_with_a_true_checksum_is_taken() -> None:
    assert dydx_address(ADDRESS) == ADDRESS


@given(st.integers(5, 42), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_an_address_with_one_wrong_character_is_refused(position: int, character: str) -> None:
    typed = ADDRESS[:position] + character + ADDRESS[position + 1 :]

    if typed == ADDRESS:
        return
    with pytest.raises(LiteralError, match="checksum"):
        dydx_address(typed)
