"""Literals: text to values with a unit. A number without its unit is refused, never guessed.

    $9_000   -$500      dollars          12%  150bps   ratio
    3x  0.6x            multiple         10s 1m30s 8h  duration
    0  30               count            00:00Z        time of day

Underscores may group digits by three: any other place is a slip, and `1_5%` may be fifteen or one
and a half. Commas, exponents and spaces may not be used. Digits are limited, so that no literal can
outgrow the arithmetic behind it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import assert_never

from seawall import words
from seawall.measures.spec import Unit
from seawall.policy import MANUAL, Bound, Latch, Operator
from seawall.rulefile.report import did_you_mean
from seawall.units import DAY, HOUR, MINUTE, PPM_ONE, SECOND, Millis, Ppm

DIGITS = r"(?:\d{1,3}(?:_\d{3}){1,4}|\d{1,15})"  # grouped by three or not at all
_NUMBER = rf"{DIGITS}(?:\.\d{{1,9}})?"
_DOLLARS = re.compile(rf"(-?)\$({_NUMBER})", re.ASCII)
_PERCENT = re.compile(rf"(-?)({_NUMBER})%", re.ASCII)
_BPS = re.compile(rf"(-?)({_NUMBER})bps", re.ASCII)
_MULTIPLE = re.compile(rf"(-?)({_NUMBER})x", re.ASCII)
_COUNT = re.compile(rf"(-?)({DIGITS})()", re.ASCII)
_DURATION = re.compile(
    r"(?=\d)(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?", re.ASCII
)
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)Z", re.ASCII)
_LOOSE_CLOCK = re.compile(
    r"(\d|[01]\d|2[0-4]):([0-5]\d)(?:\s*(?:Z|UTC))?", re.ASCII | re.IGNORECASE
)
_POINT_FOR_THOUSANDS = re.compile(r"^(-?\$[1-9]\d{0,2})\.(\d{3})$", re.ASCII)
_MISGROUPED = re.compile(r"(\D*)(\d[\d_]*)(\.\d+)?(\D*)", re.ASCII)
_UNDERSCORE_FOR_POINT = re.compile(r"\d+_\d{1,2}", re.ASCII)
_COMMA_FOR_POINT = re.compile(r"\d+,\d{1,2}", re.ASCII)
_BOUND = re.compile(r"(>=|<=|>|<)\s*(\S.*)", re.DOTALL)
_LOOSE = re.compile(r"(-?)\$?(-?)([\d,_ ]*\d(?:\.\d+)?)\s*([a-z%$]*)", re.ASCII)
_DURATION_WORDS = {"sec": "s", "second": "s", "min": "m", "minute": "m", "hour": "h", "hr": "h"}
_HALF_SAID = re.compile(r"(?:\d{1,5}[dhm])*\d{1,5}([dhm])\d{1,5}", re.ASCII)
_NEXT_SMALLER = {"d": "h", "h": "m", "m": "s"}
LONGEST = Millis(30 * DAY)
_SPANS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_LOOSE_OPERATORS = {
    "=>": ">=", "=<": "<=", "≥": ">=", "≤": "<=", "==": "", "=": "", "!=": "",
    "above ": ">", "over ": ">", "more than ": ">", "at least ": ">=",
    "below ": "<", "under ": "<", "less than ": "<", "at most ": "<=",
}  # fmt: skip
_JOINED = re.compile(r"\s(and|or|&&|\|\|)\s", re.IGNORECASE)
_MINUS = str.maketrans("−–", "--")

_CURLY = "“”„‘’‚«»"

_EXAMPLE = {
    Unit.DOLLARS: "$9_000",
    Unit.RATIO: "12%",
    Unit.MULTIPLE: "3x",
    Unit.SECONDS: "10s",
    Unit.COUNT: "0",
}
EXAMPLES = {
    Unit.DOLLARS: "dollars like `$9_000`",
    Unit.RATIO: "a ratio like `12%` or `150bps`",
    Unit.MULTIPLE: "a multiple like `3x`",
    Unit.SECONDS: "seconds like `10s`",
    Unit.COUNT: "a count like `0`",
}


class LiteralError(ValueError):
    """A word that is no literal of the kind expected; the message says what is."""


def dollars(text: str) -> Decimal:
    """Dollars, signed; raises LiteralError."""
    return amount(text, Unit.DOLLARS)


def ratio(text: str) -> Decimal:
    """A fraction, 0.12 for `12%` and for `1200bps`; raises LiteralError."""
    return amount(text, Unit.RATIO)


def ppm(text: str) -> Ppm:
    """A ratio in ppm; raises LiteralError, also where it is finer than one ppm."""
    scaled = ratio(text) * PPM_ONE
    if scaled != scaled.to_integral_value():
        raise LiteralError(f"`{text}`: finer than 0.01bps")
    return Ppm(int(scaled))


def count(text: str) -> int:
    """A whole number of at least zero; raises LiteralError."""
    found = _COUNT.fullmatch(text)
    if found is None or found[1]:
        raise LiteralError(f"`{text}`: {_complaint(text, Unit.COUNT, EXAMPLES[Unit.COUNT])}")
    return int(found[2])


def flag(text: str) -> bool:
    """`true` or `false`; raises LiteralError."""
    if text not in ("true", "false"):
        hint = did_you_mean(text, ("true", "false"))
        raise LiteralError(f"`{text}`: expected `true` or `false`, {hint}")
    return text == "true"


def duration(text: str) -> Millis:
    """Milliseconds of `30s`, `1m30s`, `3h`, `2d`; raises LiteralError."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise LiteralError(f"`{text}`: {_complaint(text, Unit.SECONDS, 'a duration like `30s`')}")
    days, hours, minutes, left = (int(part or 0) for part in found.groups())
    return Millis(days * DAY + hours * HOUR + minutes * MINUTE + left * SECOND)


def wait(text: str) -> Millis:
    """A duration that a rule may wait for, at most 30 days; raises LiteralError."""
    span = duration(text)
    if span > LONGEST:
        raise LiteralError(
            f"`{text}`: at most `{words.duration(LONGEST)}` is expected, a guard that waits longer "
            "does nothing"
        )
    return span


def latch(text: str) -> Latch:
    """`manual` or a time of day in UTC; raises LiteralError."""
    if text == MANUAL:
        return Latch()
    return Latch(until=_clock(text, "`manual` or a time of day in UTC", (MANUAL, "00:00Z")))


def time_of_day(text: str) -> Millis:
    """Milliseconds since 00:00 UTC of `14:30Z`; raises LiteralError."""
    return _clock(text, "a time of day in UTC like `14:30Z`", ())


def _clock(text: str, expected: str, choice: tuple[str, ...]) -> Millis:
    found = _CLOCK.fullmatch(text)
    if found is None:
        loose = _LOOSE_CLOCK.fullmatch(text)
        meant = "" if loose is None else f"{int(loose[1]) % 24:02}:{loose[2]}Z"
        hint = f", did you mean `{meant}`?" if meant else ""
        if not meant and choice:
            hint = f", {did_you_mean(text, choice)}"
        raise LiteralError(f"`{text}`: expected {expected}{hint}")
    return Millis(int(found[1]) * HOUR + int(found[2]) * MINUTE)


def amount(text: str, unit: Unit) -> Decimal:
    """A value in the unit of a measure; raises LiteralError."""
    found = _match(text, unit)
    if found is None:
        raise LiteralError(f"`{text}`: {_complaint(text, unit, EXAMPLES[unit])}")
    if unit is Unit.DOLLARS and (meant := _with_thousands(text)) != text:
        raise LiteralError(
            f"`{text}`: three digits after the point, did you mean `{meant}` or `{text[:-1]}`?"
        )
    return found


def bound(text: str, unit: Unit) -> Bound:
    """An operator and a value, `">= 12%"`; raises LiteralError."""
    found = _BOUND.fullmatch(text)
    if found is None or found[2][0] in "<>=":
        raise LiteralError(_no_operator(text, unit))
    if _JOINED.search(text):
        raise LiteralError(f"`{text}`: one bound, of one measure; another is another rule")
    return Bound(operator=Operator(found[1]), value=amount(found[2], unit))


def share(text: str) -> Ppm:
    """A part of a whole in ppm, above 0% and at most 100%; raises LiteralError."""
    part = ppm(text)
    if not 0 < part <= PPM_ONE:
        raise LiteralError(f"`{text}`: above 0% and at most 100% is expected")
    return part


def basis_points(text: str) -> Ppm:
    """A ratio in ppm where people think in basis points; raises LiteralError."""
    if re.fullmatch(_NUMBER, text, re.ASCII):
        # `0.5` may be half a percent, half the price, or half a basis point.
        hint = "" if text.startswith("0") else f", did you mean `{text}bps`?"
        raise LiteralError(f"`{text}`: the unit is missing, expected a slippage like `60bps`{hint}")
    return ppm(text)


def slippage(text: str) -> Ppm:
    """A slippage cap in ppm, above 0bps and below 100%; raises LiteralError."""
    cap = basis_points(text)
    if not 0 < cap < PPM_ONE:
        raise LiteralError(f"`{text}`: a slippage cap above 0bps and below 100% is expected")
    return cap


def dollars_held(text: str) -> Decimal:
    """Dollars of at least zero; raises LiteralError."""
    held = dollars(text)
    if held < 0:
        raise LiteralError(f"`{text}`: at least $0 is expected")
    return held


def _no_operator(text: str, unit: Unit) -> str:
    choice = "expected an operator (>=, >, <=, <) and a value"
    plain = text.strip(_CURLY)
    if plain != text and _BOUND.fullmatch(plain):
        return f'`{text}`: curly quotes belong to the word, write straight ones: "{plain}"'
    value = text
    for loose, right in _LOOSE_OPERATORS.items():
        if text.startswith(loose):
            value = text.removeprefix(loose).strip()
            if right:
                return f"`{text}`: {choice}, did you mean `{right} {value}`?"
            break
    if _match(value, unit) is None:
        value = _EXAMPLE[unit]
    return f'`{text}`: {choice}, like ">= {value}" or "<= {value}"'


def _match(text: str, unit: Unit) -> Decimal | None:
    match unit:
        case Unit.DOLLARS:
            return _signed(_DOLLARS.fullmatch(text), 0)
        case Unit.RATIO:
            percent = _signed(_PERCENT.fullmatch(text), -2)
            return percent if percent is not None else _signed(_BPS.fullmatch(text), -4)
        case Unit.MULTIPLE:
            return _signed(_MULTIPLE.fullmatch(text), 0)
        case Unit.SECONDS:
            if _DURATION.fullmatch(text) is None:
                return None
            return Decimal(duration(text)).scaleb(-3)
        case Unit.COUNT:
            return _signed(_COUNT.fullmatch(text), 0)
        case _:
            assert_never(unit)


def _signed(found: re.Match[str] | None, exponent: int) -> Decimal | None:
    if found is None:
        return None
    return Decimal(f"{found[1]}{found[2].replace('_', '')}").scaleb(exponent)


def _complaint(text: str, unit: Unit, expected: str) -> str:
    """What is wrong with a literal, and what was probably meant."""
    likely = meant(text, unit)
    hint = f", did you mean `{likely}`?" if likely is not None else ""
    grouped = regrouped(text)
    if any(_match(each, other) is not None for each in grouped for other in Unit):
        right = [f"`{each}`" for each in grouped if _match(each, unit) is not None]
        hint = f", did you mean {' or '.join(right)}?" if right else hint
        return f"underscores group digits by three, expected {expected}{hint}"
    if not text:
        return f"a value is missing, expected {expected}"
    if _COUNT.fullmatch(text) or re.fullmatch(rf"-?{_NUMBER}", text, re.ASCII):
        if unit is Unit.COUNT:
            return f"expected {expected}"
        return f"the unit is missing, expected {expected}{hint}"
    for other in Unit:
        if other is not unit and _match(text, other) is not None:
            return f"wrong unit, expected {expected}{hint}"
    return f"expected {expected}{hint}"


def regrouped(text: str) -> tuple[str, ...]:
    """The words that a number with underscores in odd places may stand for; none without."""
    found = _MISGROUPED.fullmatch(text)
    if found is None or "_" not in found[2] or re.fullmatch(DIGITS, found[2], re.ASCII):
        return ()
    before, digits, fraction, unit = found.groups(default="")
    whole = f"{before}{_by_three(digits)}{fraction}{unit}"
    if fraction or not _UNDERSCORE_FOR_POINT.fullmatch(digits):
        return (whole,)
    return whole, f"{before}{digits.replace('_', '.')}{unit}"


def _by_three(digits: str) -> str:
    return f"{int(digits.replace('_', '')):_}"


def meant(text: str, unit: Unit) -> str | None:
    """The same number written as a literal of the unit; None where the text says too little."""
    text = text.translate(_MINUS)
    together = "".join(text.split())
    if unit is Unit.SECONDS and (span := _whole_span(together)) is not None:
        return span
    found = _LOOSE.fullmatch(text.lower())
    if found is None or ("$" in text and unit is not Unit.DOLLARS):
        return None
    digits = found[3].replace(" ", "")
    is_point = _COMMA_FOR_POINT.fullmatch(digits)  # `1,5` is not fifteen
    digits = digits.replace(",", "." if is_point else "_")
    if "_" in digits:
        whole, point, fraction = digits.partition(".")
        digits = f"{_by_three(whole)}{point}{fraction}"
    suffix = found[4].rstrip("s") if len(found[4]) > 2 else found[4]  # `ms` is no minute
    sign = "-" if found[1] or found[2] else ""
    candidate = _respelled(sign, digits, suffix, unit)
    if candidate is None or _match(candidate, unit) is None:
        return None
    return _with_thousands(candidate)


def _with_thousands(text: str) -> str:
    """`$20_000` for `$20.000`, which half the world writes for twenty thousand; else the text."""
    return _POINT_FOR_THOUSANDS.sub(r"\1_\2", text)


def _whole_span(text: str) -> str | None:
    """A duration as it stands, or with the unit that its end leaves out: `1h30m` for `1h30`."""
    if _DURATION.fullmatch(text):
        return text
    found = _HALF_SAID.fullmatch(text)
    return None if found is None else f"{text}{_NEXT_SMALLER[found[1]]}"


def _span(digits: str, unit: str) -> str | None:
    """A duration of a number and its unit, in whole ones: `1h30m` for 1.5 of `h`."""
    if unit not in _SPANS or "." not in digits:
        return f"{digits}{unit}"
    span = Decimal(digits.replace("_", "")) * _SPANS[unit]
    return None if span % SECOND else words.duration(Millis(int(span)))


def _respelled(sign: str, digits: str, suffix: str, unit: Unit) -> str | None:
    match unit:
        case Unit.DOLLARS if suffix in ("", "$", "usd", "usdc"):
            return f"{sign}${digits}"
        case Unit.DOLLARS if suffix == "k":
            return f"{sign}${digits}_000"
        case Unit.RATIO if suffix == "bp":
            return f"{sign}{digits}bps"
        case Unit.RATIO if suffix == "" and digits.startswith("0."):
            return None  # `0.12` may be 12% or 0.12%
        case Unit.RATIO if suffix in ("", "%", "pct", "percent"):
            return f"{sign}{digits}%"
        case Unit.MULTIPLE if suffix in ("", "x"):
            return f"{sign}{digits}x"
        case Unit.MULTIPLE if suffix in ("%", "pct", "percent"):
            times = Decimal(digits.replace("_", "")).scaleb(-2).normalize()
            return f"{sign}{times:f}x"
        case Unit.SECONDS:
            return _span(digits, _DURATION_WORDS.get(suffix, suffix or "s"))
        case Unit.COUNT if suffix in ("", "x", "%"):
            return f"{sign}{digits}"
        case _:
            return None
