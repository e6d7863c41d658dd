"""Reading JSON that strangers wrote: every field is checked, a wrong one is named.

All functions raise MalformedAnswer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation

from seawall.errors import MalformedAnswer
from seawall.units import Millis

Fields = Mapping[str, object]


def mapping(value: object, what: str) -> Fields:
    """The value as an object of JSON."""
    if not isinstance(value, dict):
        raise MalformedAnswer(f"{what} is {type(value).__name__}, an object expected")
    return value


def sequence(value: object, what: str) -> Sequence[object]:
    """The value as an array of JSON; an absent one (None) is empty."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise MalformedAnswer(f"{what} is {type(value).__name__}, an array expected")
    return value


def text(fields: Fields, key: str) -> str:
    """A string or number of the object as text."""
    value = fields.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise MalformedAnswer(f"{key} is {type(value).__name__}, text expected")
    return str(value)


def integer(fields: Fields, key: str) -> int:
    """An integer of the object, written as number or as text."""
    written = text(fields, key)
    try:
        return int(written)
    except ValueError:
        raise MalformedAnswer(f"{key} is {written!r}, an integer expected") from None


def maybe_integer(fields: Fields, key: str) -> int | None:
    """An integer of the object; None where it is absent, null or empty."""
    return None if fields.get(key) in (None, "") else integer(fields, key)


def decimal(fields: Fields, key: str) -> Decimal:
    """A finite decimal of the object, written as text."""
    return to_decimal(text(fields, key))


def to_decimal(written: object) -> Decimal:
    """A finite decimal written as text; a JSON float is refused as it may have lost digits."""
    if not isinstance(written, str | int) or isinstance(written, bool):
        raise MalformedAnswer(f"{type(written).__name__} found, a decimal in a string expected")
    try:
        value = Decimal(written)
    except InvalidOperation:
        raise MalformedAnswer(f"{written!r} is not a decimal") from None
    if not value.is_finite():
        raise MalformedAnswer(f"{written!r} is not a finite decimal")
    return value


def moment(fields: Fields, key: str) -> Millis:
    """A moment of the object, written in ISO 8601 with its zone."""
    written = text(fields, key)
    try:
        when = datetime.fromisoformat(written)
    except ValueError:
        raise MalformedAnswer(f"{key} is {written!r}, a time in ISO 8601 expected") from None
    if when.tzinfo is None:
        raise MalformedAnswer(f"{key} has no time zone")
    return Millis(round(when.timestamp() * 1000))
