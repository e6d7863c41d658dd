"""Our values as JSON and back, exact: Decimals as strings, integers of any size, unions by `kind`.

pydantic reads and writes. Three things it does not do: a mapping that works its values out when
asked is made a dict first; keys that are tuples are JSON arrays, {"[0,\\"BTC-USD\\"]": 5}; and
an infinite Decimal is read back: a usage without equity is one, on the worst of days.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from pydantic import SerializerFunctionWrapHandler, TypeAdapter
from pydantic_core import (
    CoreSchema,
    PydanticSerializationError,
    SchemaSerializer,
    SchemaValidator,
    core_schema,
)

if TYPE_CHECKING:
    from typing_extensions import TypeForm

T = TypeVar("T")
Mapped = Callable[[Mapping[object, object], SerializerFunctionWrapHandler], object]


def to_json(value: object) -> str:
    """A frozen dataclass as compact JSON on one line."""
    assert is_dataclass(value)
    codec = _codec(type(value))
    try:
        return codec.of_dicts.to_json(value, warnings="error").decode()
    except PydanticSerializationError:  # some mapping is none; to ask of each takes a third longer
        return codec.of_mappings.to_json(value).decode()


def from_json(shape: TypeForm[T], text: str) -> T:
    """The value of a dataclass, or of a union of them, that `to_json` wrote; equal to what it was.

    Raises ValueError where the text is none of them.
    """
    value: T = _codec(shape).reads.validate_json(text)
    return value


class _Codec(NamedTuple):
    """What reads one shape, and what writes it: where all mappings are dicts, and anywhere."""

    reads: SchemaValidator
    of_dicts: SchemaSerializer
    of_mappings: SchemaSerializer


_codecs: dict[object, _Codec] = {}  # building one takes 50 ms


def _codec(shape: TypeForm[T]) -> _Codec:
    found = _codecs.get(shape)
    if found is None:
        theirs = TypeAdapter(shape).core_schema
        ours = cast(CoreSchema, _as_we_write(theirs, _whole))
        of_dicts = cast(CoreSchema, _as_we_write(theirs, None))
        found = _codecs[shape] = _Codec(
            reads=SchemaValidator(ours),
            of_dicts=SchemaSerializer(of_dicts),
            of_mappings=SchemaSerializer(ours),
        )
    return found


def _as_we_write(schema: object, mapped: Mapped | None) -> object:
    """The schema with infinite Decimals, and mappings by tuples with their keys as JSON arrays.

    Each mapping is written by `mapped`, where there is one.
    """
    if isinstance(schema, Mapping):
        parts = {name: _as_we_write(part, mapped) for name, part in schema.items()}
        if parts.get("type") == "decimal":
            numbers = cast(CoreSchema, parts | {"allow_inf_nan": True})
            return core_schema.no_info_after_validator_function(_a_number, numbers)
        if parts.get("type") != "dict":
            return parts
        keys = parts.get("keys_schema")
        if mapped is not None:
            parts["serialization"] = core_schema.wrap_serializer_function_ser_schema(mapped)
        if isinstance(keys, Mapping) and keys["type"] == "tuple":
            parts["keys_schema"] = core_schema.no_info_before_validator_function(
                json.loads,
                cast(CoreSchema, keys),
                serialization=core_schema.plain_serializer_function_ser_schema(_key),
            )
        return parts
    if isinstance(schema, list | tuple):
        return type(schema)(_as_we_write(part, mapped) for part in schema)
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
