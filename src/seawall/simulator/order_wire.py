"""Fields of an order that the installed protobuf package lacks or has under another number.

The v9 chain reads 12 as TWAP parameters, 13 as builder code and 14 as order router; the package
writes builder codes as 12, which the chain then cannot read (reference ORDERS.md section 1.1).

Order      { … TwapParameters twap = 12; BuilderCode builder = 13; string router = 14; }
Twap       { uint32 duration = 1; uint32 interval = 2; uint32 price_tolerance = 3; }
BuilderCode{ string builder_address = 1; uint32 fee_ppm = 2; }
"""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.message import DecodeError

from seawall.simulator.leverage_wire import Field, read_fields
from seawall.simulator.messages import BuilderCode, TwapParameters

TWAP, BUILDER, ROUTER = 12, 13, 14


class Extras(NamedTuple):
    """What an order carries beyond the package's fields."""

    twap: TwapParameters | None = None
    builder: BuilderCode | None = None
    router: str = ""


def read_extras(order: bytes) -> Extras:
    """The extras in an order's bytes; raises DecodeError where the chain could not read them."""
    found = dict(read_fields(order))
    twap = builder = None
    if TWAP in found:
        inner = dict(read_fields(_bytes(found[TWAP], "twap_parameters")))
        duration, interval, tolerance = (
            _number(inner.get(n, 0), "TwapParameters") for n in (1, 2, 3)
        )
        twap = TwapParameters(duration_s=duration, interval_s=interval, tolerance_ppm=tolerance)
    if BUILDER in found:
        inner = dict(read_fields(_bytes(found[BUILDER], "builder_code_parameters")))
        address = _bytes(inner.get(1, b""), "builder_address").decode()
        builder = BuilderCode(address=address, fee_ppm=_number(inner.get(2, 0), "fee_ppm"))
    router = _bytes(found.get(ROUTER, b""), "order_router_address").decode()
    return Extras(twap, builder, router)


def _bytes(value: Field, what: str) -> bytes:
    if not isinstance(value, bytes):
        raise DecodeError(f"proto: wrong wireType = 0 for field {what}")
    return value


def _number(value: Field, what: str) -> int:
    if not isinstance(value, int):
        raise DecodeError(f"proto: wrong wireType = 2 for a field of {what}")
    return value
