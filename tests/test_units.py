"""Every rounding has a name, and goes the way its name says on both sides of zero."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall import units

INTEGERS = st.integers(-(10**24), 10**24)
DIVISORS = st.integers(1, 10**12)


@pytest.mark.parametrize(
    ("numerator", "denominator", "towards_zero", "up"),
    [
        (6, 3, 2, 2),
        (7, 3, 2, 3),
        (-7, 3, -2, -2),
        (-6, 3, -2, -2),
        (1, 3, 0, 1),
        (-1, 3, 0, 0),
        (0, 3, 0, 0),
    ],
)
def test_division_rounds_as_named(
    numerator: int, denominator: int, towards_zero: int, up: int
) -> None:
    assert units.divide_towards_zero(numerator, denominator) == towards_zero
    assert units.divide_up(numerator, denominator) == up


@given(INTEGERS, DIVISORS)
def test_division_is_within_one_of_the_quotient(numerator: int, denominator: int) -> None:
    up = units.divide_up(numerator, denominator)
    towards_zero = units.divide_towards_zero(numerator, denominator)

    assert 0 <= up * denominator - numerator < denominator
    assert abs(towards_zero * denominator) <= abs(numerator)
    assert abs(numerator - towards_zero * denominator) < denominator


@pytest.mark.parametrize(
    ("value", "ppm", "down", "up"),
    [
        (1_000_000, 5, 5, 5),
        (3, 500_000, 1, 2),
        (-3, 500_000, -2, -1),
        (1, 1, 0, 1),
        (-1, 1, -1, 0),
        (0, 999_999, 0, 0),
    ],
)
def test_a_share_in_ppm_rounds_as_named(value: int, ppm: int, down: int, up: int) -> None:
    assert units.ppm_down(value, ppm) == down
    assert units.ppm_up(value, ppm) == up


@pytest.mark.parametrize(
    ("value", "exponent", "scaled"),
    [(12_345, 2, 1_234_500), (12_345, 0, 12_345), (12_345, -2, 123), (-12_345, -2, -123)],
)
def test_scaling_loses_digits_towards_zero(value: int, exponent: int, scaled: int) -> None:
    assert units.scale_towards_zero(value, exponent) == scaled


@given(st.integers(0, 10**18), st.integers(1, 10**15))
def test_a_short_is_worth_exactly_minus_the_long(quantums: int, price: int) -> None:
    long = units.base_to_quote(quantums, price, -5, -10)
    short = units.base_to_quote(-quantums, price, -5, -10)

    assert short == -long


@given(st.integers(0, 10**18), st.integers(1, 10**12))
def test_quote_to_base_never_gives_more_than_the_quote_buys(quote: int, price: int) -> None:
    quantums = units.quote_to_base(quote, price, -5, -10)

    assert units.base_to_quote(quantums, price, -5, -10) <= quote


def test_a_price_of_zero_buys_nothing_at_all() -> None:
    with pytest.raises(AssertionError):
        units.quote_to_base(1, 0, -5, -10)


def test_a_fill_is_rounded_down_and_its_fee_up() -> None:
    fill = units.fill_quote(100_000, 15_000, -9)

    assert fill == 1
    assert units.fee_quote(fill, 500) == 1
    assert units.fee_quote(-1_000_001, 110) == -110
    assert units.fee_quote(1_000_001, -110) == -110


def test_the_worked_close_of_the_reference_comes_out() -> None:
    # Selling 1 BTC at 50,000 with a fee of 500 ppm leaves 49,975.
    fill = units.fill_quote(5_000_000_000, 10**10, -9)

    assert units.usd(fill - units.fee_quote(fill, 500)) == Decimal("49975")


@pytest.mark.parametrize(
    ("dollars", "down", "up"),
    [
        ("1.0000001", 1_000_000, 1_000_001),
        ("-1.0000001", -1_000_001, -1_000_000),
        ("2", 2_000_000, 2_000_000),
        ("0", 0, 0),
    ],
)
def test_dollars_become_quantums_in_the_direction_named(dollars: str, down: int, up: int) -> None:
    assert units.quote_down(Decimal(dollars)) == down
    assert units.quote_up(Decimal(dollars)) == up


def test_people_see_exact_decimals() -> None:
    assert units.usd(-1) == Decimal("-0.000001")
    assert units.coins(600_000_000, -10) == Decimal("0.06")
    assert units.oracle_dollars(10_000_012_345, -5) == Decimal("100000.12345")
    assert units.subticks_dollars(10_000_000_000, -10, -9) == Decimal("100000")


@pytest.mark.parametrize(
    ("value", "step", "down", "up"),
    [(7, 3, 6, 9), (6, 3, 6, 6), (-7, 3, -9, -6), (0, 3, 0, 0)],
)
def test_steps_round_as_named(value: int, step: int, down: int, up: int) -> None:
    assert units.round_down(value, step) == down
    assert units.round_up(value, step) == up


@given(st.integers())
def test_a_wire_integer_survives_the_wire(value: int) -> None:
    assert units.decode_serializable_int(units.encode_serializable_int(value)) == value


@given(st.integers().filter(bool))
def test_a_wire_integer_has_no_leading_zero_byte(value: int) -> None:
    assert units.encode_serializable_int(value)[1] != 0


@pytest.mark.parametrize(
    ("value", "wire"),
    [(0, "02"), (1, "0201"), (-1, "0301"), (255, "02ff"), (256, "020100"), (-256, "030100")],
)
def test_wire_integers_carry_sign_then_magnitude(value: int, wire: str) -> None:
    assert units.encode_serializable_int(value).hex() == wire


def test_an_absent_field_is_zero_and_a_strange_sign_is_refused() -> None:
    assert units.decode_serializable_int(b"") == 0
    with pytest.raises(ValueError, match="0x04"):
        units.decode_serializable_int(b"\x04\x01")
