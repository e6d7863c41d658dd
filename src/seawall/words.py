"""Numbers as people read and write them: `12%`, `$9,000`, `60bps`, `0.6x`, `1h30m`, `00:00Z`.

`exact` loses nothing and is for what the operator wrote; `show` rounds and is for what was
measured. A ratio of a ruined account is infinite and reads `∞%`.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import assert_never

from seawall.measures.spec import Unit
from seawall.units import DAY, HOUR, MINUTE, SECOND, Millis, Ppm

_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)
_SHOWN_PLACES = Decimal("0.01")
_LARGE = Decimal(1_000)
_PRICE_DIGITS = 6


def exact(value: Decimal, unit: Unit) -> str:
    """The value with its unit and every digit it has."""
    return _with_unit(value, unit)


def show(value: Decimal, unit: Unit) -> str:
    """The value with its unit, rounded half-even to cents, hundredths of a per cent or of 1x.

    A rounded value may read like the bound it has not reached: decide on the value, never on this.
    """
    if value.is_infinite():
        return _with_unit(value, unit)
    scaled = value.scaleb(2, _WIDE) if unit is Unit.RATIO else value
    rounded = scaled.quantize(_SHOWN_PLACES, context=_WIDE)
    return _with_unit(rounded.scaleb(-2, _WIDE) if unit is Unit.RATIO else rounded, unit)


def _with_unit(value: Decimal, unit: Unit) -> str:
    match unit:
        case Unit.DOLLARS:
            return dollars(value)
        case Unit.RATIO:
            return f"{_plain(value.scaleb(2, _WIDE))}%"
        case Unit.MULTIPLE:
            return f"{_plain(value)}x"
        case Unit.SECONDS:
            return seconds(value)
        case Unit.COUNT:
            return _plain(value)
        case _:
            assert_never(unit)


def _plain(value: Decimal) -> str:
    """Digits with thousands separated, without trailing zeros, exponent or negative zero."""
    if value.is_infinite():
        return "∞" if value > 0 else "-∞"
    text = f"{value:,f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def dollars(value: Decimal) -> str:
    """`$9,000`, `-$500`, `$38.50`; whole dollars without cents, otherwise at least two places."""
    text = _plain(abs(value))
    if "." in text and len(text.split(".")[1]) == 1:
        text += "0"
    return f"-${text}" if value < 0 else f"${text}"


def whole_dollars(value: Decimal) -> str:
    """`$9,000`: rounded half-even to dollars."""
    return dollars(value.quantize(Decimal(1), context=_WIDE))


def cents(value: Decimal) -> str:
    """`$38.50`: rounded half-even to cents."""
    return dollars(value.quantize(_SHOWN_PLACES, context=_WIDE))


def about(value: Decimal) -> str:
    """`$38.50`, `$28,726`: rounded half-even to cents, from $1,000 to whole dollars."""
    return whole_dollars(value) if abs(value) >= _LARGE else cents(value)


def price(value: Decimal) -> str:
    """`$67,510.12`, `$4.94047`: rounded half-even to six digits, never coarser than cents."""
    places = max(2, _PRICE_DIGITS - 1 - value.adjusted())
    return dollars(value.quantize(Decimal(1).scaleb(-places), context=_WIDE))


def coins(value: Decimal) -> str:
    """`1,234.5`: a size with every digit that says something."""
    return _plain(value)


def seconds(value: Decimal) -> str:
    """`10s` below two minutes or with a fraction, else as a duration."""
    is_short = abs(value) < 2 * MINUTE // SECOND
    if is_short or value.is_infinite() or value != value.to_integral_value():
        return f"{_plain(value)}s"
    sign = "-" if value < 0 else ""
    return sign + duration(Millis(int(abs(value)) * SECOND))


def duration(span: Millis) -> str:
    """`0s`, `90s` as `1m30s`, `8h`, `2d`: the literals of a rule file."""
    parts = []
    left: int = span
    for size, suffix in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{suffix}")
    if left or not parts:
        parts.append(f"{_plain(Decimal(left).scaleb(-3))}s")
    return "".join(parts)


def clock(time_of_day: Millis) -> str:
    """`00:00Z`: a time of day in UTC, to the minute."""
    hours, rest = divmod(time_of_day, HOUR)
    return f"{hours:02d}:{rest // MINUTE:02d}Z"


def next_hour(at: Millis) -> str:
    """`23:00Z`: when the hour of a moment ends, and its budgets begin again."""
    return clock(Millis((at - at % HOUR + HOUR) % DAY))


def percent(fraction: Ppm) -> str:
    """A ppm fraction as per cent: `33%`."""
    return exact(Decimal(fraction).scaleb(-6), Unit.RATIO)


def bps(fraction: Ppm) -> str:
    """A ppm fraction in basis points: `60bps`, the word for slippage."""
    return f"{_plain(Decimal(fraction).scaleb(-2))}bps"
