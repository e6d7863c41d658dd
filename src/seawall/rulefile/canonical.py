"""One text for one policy: what a digest is taken of, so that comments and spelling do not count.

Tables are sorted, decimals are written without exponent or trailing zeros, values carry the name
of their type where a field may hold several. Line numbers are left out: they say where a rule
stands, not what it asks for. So is what the settings, not the file, say.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum

from seawall.policy import Policy, Rule

Json = str | int | bool | None | list["Json"] | dict[str, "Json"]

_NOT_ASKED_FOR = {(Rule, "line"), (Policy, "cash_price"), (Policy, "is_standby")}


def canonical_text(policy: Policy) -> str:
    """The policy as JSON, the same for any two files that ask for the same."""
    return json.dumps(_plain(policy), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest(policy: Policy) -> str:
    """sha256 of the canonical text, in hexadecimal: the name under which a rule set is armed."""
    return hashlib.sha256(canonical_text(policy).encode()).hexdigest()


def _plain(value: object) -> Json:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str | int):
        return value
    if isinstance(value, Decimal):
        return _digits(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    assert dataclasses.is_dataclass(value), f"no canonical form for {type(value).__name__}"
    fields = {
        each.name: _plain(getattr(value, each.name))
        for each in dataclasses.fields(value)
        if (type(value), each.name) not in _NOT_ASKED_FOR
    }
    return {"is": type(value).__name__, **fields}


def _digits(value: Decimal) -> str:
    assert value.is_finite()
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
