"""The chain's integers and people's decimals; every rounding has a name.

Sources: reference MARGIN.md sections 1.1 to 1.5 (dYdX v4-chain, protocol/lib/quantums.go,
x/clob/types/quantums.go, dtypes/serializable_int.go).
"""

from __future__ import annotations

from decimal import Decimal
from typing import NewType

BaseQuantums = NewType("BaseQuantums", int)  # 10^atomic_resolution coins, long > 0
QuoteQuantums = NewType("QuoteQuantums", int)  # 10^-6 USDC
Subticks = NewType("Subticks", int)  # order price
Ppm = NewType("Ppm", int)  # 10^-6
Millis = NewType("Millis", int)  # a moment (Unix) or a duration, in milliseconds

QUOTE_RESOLUTION = -6
PPM_ONE = 1_000_000

SECOND = Millis(1_000)
MINUTE = Millis(60_000)
HOUR = Millis(3_600_000)
DAY = Millis(86_400_000)


def divide_towards_zero(numerator: int, denominator: int) -> int:
    """Quotient rounded toward zero, as Go's Quo; the denominator is positive."""
    assert denominator > 0
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient


def divide_up(numerator: int, denominator: int) -> int:
    """Quotient rounded toward +infinity; the denominator is not zero."""
    assert denominator != 0
    return -(-numerator // denominator)


def scale_towards_zero(value: int, exponent: int) -> int:
    """value x 10^exponent, rounded toward zero where the exponent is negative."""
    if exponent >= 0:
        return int(value * 10**exponent)
    return divide_towards_zero(value, int(10**-exponent))


def ppm_up(value: int, ppm: int) -> int:
    """value x ppm / 10^6 rounded toward +infinity."""
    return -(-value * ppm // PPM_ONE)


def ppm_down(value: int, ppm: int) -> int:
    """value x ppm / 10^6 rounded toward -infinity."""
    return value * ppm // PPM_ONE


def base_to_quote(
    quantums: int, price: int, exponent: int, atomic_resolution: int
) -> QuoteQuantums:
    """Oracle notional in quote quantums with the sign of `quantums`, rounded toward zero."""
    value, shift = quantums * price, exponent + atomic_resolution - QUOTE_RESOLUTION
    if shift >= 0:
        return QuoteQuantums(int(value * 10**shift))
    size = abs(value) // int(10**-shift)
    return QuoteQuantums(size if value >= 0 else -size)


def quote_to_base(quote: int, price: int, exponent: int, atomic_resolution: int) -> BaseQuantums:
    """Base quantums worth `quote` at the oracle price, rounded toward zero twice as the chain does.

    Raises ZeroDivisionError's guard (an assertion) for a price of zero: callers check prices first.
    """
    assert price > 0
    shift = exponent + atomic_resolution - QUOTE_RESOLUTION
    return BaseQuantums(divide_towards_zero(scale_towards_zero(quote, -shift), price))


def fill_quote(subticks: int, quantums: int, quantum_conversion_exponent: int) -> QuoteQuantums:
    """Quote quantums that change hands when `quantums` > 0 fill at `subticks`, rounded down."""
    assert quantums >= 0
    return QuoteQuantums(scale_towards_zero(subticks * quantums, quantum_conversion_exponent))


def fee_quote(fill: int, fee_ppm: int) -> QuoteQuantums:
    """Fee on a fill, > 0 is paid; rounded up, so that a rebate shrinks."""
    return QuoteQuantums(ppm_up(fill, fee_ppm))


def usd(quote: int) -> Decimal:
    """Dollars of an amount of quote quantums, exact."""
    return Decimal(quote).scaleb(QUOTE_RESOLUTION)


def quote_down(dollars: Decimal) -> QuoteQuantums:
    """Quote quantums of an amount of dollars, rounded toward -infinity."""
    return QuoteQuantums(int((dollars.scaleb(-QUOTE_RESOLUTION)).to_integral_value("ROUND_FLOOR")))


def quote_up(dollars: Decimal) -> QuoteQuantums:
    """Quote quantums of an amount of dollars, rounded toward +infinity."""
    return QuoteQuantums(
        int((dollars.scaleb(-QUOTE_RESOLUTION)).to_integral_value("ROUND_CEILING"))
    )


def coins(quantums: int, atomic_resolution: int) -> Decimal:
    """Coins of a size in base quantums, exact and signed."""
    return Decimal(quantums).scaleb(atomic_resolution)


def oracle_dollars(price: int, exponent: int) -> Decimal:
    """Dollars per coin of an oracle price, exact."""
    return Decimal(price).scaleb(exponent)


def subticks_dollars(
    subticks: int, atomic_resolution: int, quantum_conversion_exponent: int
) -> Decimal:
    """Dollars per coin of an order price, exact."""
    return Decimal(subticks).scaleb(
        quantum_conversion_exponent - atomic_resolution + QUOTE_RESOLUTION
    )


def round_down(value: int, step: int) -> int:
    """Largest multiple of `step` that is at most `value`."""
    assert step > 0
    return value // step * step


def round_up(value: int, step: int) -> int:
    """Smallest multiple of `step` that is at least `value`."""
    assert step > 0
    return divide_up(value, step) * step


def encode_serializable_int(value: int) -> bytes:
    """The chain's wire form: sign byte 02 or 03, then the big-endian absolute value."""
    if value == 0:
        return b"\x02"
    magnitude = abs(value)
    sign = b"\x02" if value > 0 else b"\x03"
    return sign + magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "big")


def decode_serializable_int(wire: bytes) -> int:
    """The integer of a wire form; an absent field means zero.

    Raises ValueError where the sign byte is neither 02 nor 03.
    """
    if not wire:
        return 0
    if wire[0] not in (2, 3):
        raise ValueError(f"not a SerializableInt: first byte {wire[0]:#04x}, 02 or 03 expected")
    magnitude = int.from_bytes(wire[1:], "big")
    return magnitude if wire[0] == 2 else -magnitude
