"""Our values as JSON and back, exact: Decimals as strings, integers of any size, unions by `kind`.

pydantic reads and writes. Three things it does not do: a mapping that works its values out when
asked is made a dict first; keys that are tuples are JSON arrays, {"[0,\\"BTC-USD\\"]": 5}; and
an infinite Decimal is read back: a usage without equity is one, on the worst of days.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import is_dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar, cast

from pydantic import SerializerFunctionWrapHandler, TypeAdapter
from pydantic_core import CoreSchema, SchemaSerializer, SchemaValidator, core_schema

if TYPE_CHECKING:
    from typing_extensions import TypeForm

T = TypeVar("T")


def to_json(value: object) -> str:
    """A frozen dataclass as compact JSON on one line."""
    assert is_dataclass(value)
    return _codec(type(value))[1].to_json(value).decode()


def from_json(shape: TypeForm[T], text: str) -> T:
    """The value of a dataclass, or of a union of them, that `to_json` wrote; equal to what it was.

    Raises ValueError where the text is none of them.
    """
    value: T = _codec(shape)[0].validate_json(text)
    return value


_codecs: dict[object, tuple[SchemaValidator, SchemaSerializer]] = {}  # building one takes 50 ms


def _codec(shape: TypeForm[T]) -> tuple[SchemaValidator, SchemaSerializer]:
    found = _codecs.get(shape)
    if found is None:
        schema = cast(CoreSchema, _as_we_write(TypeAdapter(shape).core_schema))
        found = _codecs[shape] = SchemaValidator(schema), SchemaSerializer(schema)
    return found


def _as_we_write(schema: object) -> object:
    """The schema with infinite Decimals, and mappings by tuples with their keys as JSON arrays."""
    if isinstance(schema, Mapping):
        parts = {name: _as_we_write(part) for name, part in schema.items()}
        if parts.get("type") == "decimal":
            numbers = cast(CoreSchema, parts | {"allow_inf_nan": True})
            return core_schema.no_info_after_validator_function(_a_number, numbers)
        if parts.get("type") != "dict":
            return parts
        keys = parts.get("keys_schema")
        parts["serialization"] = core_schema.wrap_serializer_function_ser_schema(_whole)
        if isinstance(keys, Mapping) and keys["type"] == "tuple":
            parts["keys_schema"] = core_schema.no_info_before_validator_function(
                json.loads,
                cast(CoreSchema, keys),
                serialization=core_schema.plain_serializer_function_ser_schema(_key),
            )
        return parts
    if isinstance(schema, list | tuple):
        return type(schema)(_as_we_write(part) for part in schema)
    return schema


def _a_number(value: Decimal) -> Decimal:
    """An infinite Decimal is a number; NaN is none."""
    if value.is_nan():
        raise ValueError("NaN is no number")
    return value


def _whole(mapping: Mapping[object, object], go_on: SerializerFunctionWrapHandler) -> object:
    """A mapping that works its values out when asked is written as what it holds."""
    return go_on(mapping if isinstance(mapping, dict) else dict(mapping))


def _key(key: tuple[object, ...]) -> str:
    return json.dumps(key, separators=(",", ":"))
