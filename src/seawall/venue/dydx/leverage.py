"""clob.Query/Leverage, which the installed protobuf package does not have yet, by hand.

QueryLeverageRequest  { string owner = 1; uint32 number = 2; }
QueryLeverageResponse { repeated ClobPairLeverageInfo clob_pair_leverage = 1; }
ClobPairLeverageInfo  { uint32 clob_pair_id = 1; uint32 custom_imf_ppm = 2; }
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import grpc
from google.protobuf.empty_pb2 import Empty

from seawall.account import Missing
from seawall.errors import MalformedAnswer, VenueError, VenueUnreachable
from seawall.units import Ppm
from seawall.venue.dydx.rpc import Method, Raw, Wire, status_of

# Empty keeps every field it does not know, so the answer's bytes come back whole.
LEVERAGE = Method("/dydxprotocol.clob.Query/Leverage", Empty)

_VARINT, _LENGTH = 0, 2


async def read_leverage(
    wire: Wire, owner: str, number: int, height: int
) -> Mapping[int, Ppm] | Missing:
    """Custom initial margin fractions by clob pair id; Missing where the node would not say.

    A node without the method has no custom leverage; any other failure is not the same as none.
    """
    try:
        answer = await wire.read(LEVERAGE, Raw(encode_request(owner, number)), height)
        return decode_response(answer.SerializeToString())
    except VenueUnreachable as error:
        if status_of(error) is grpc.StatusCode.UNIMPLEMENTED:
            return {}
        return Missing(reason=f"custom leverage: {error}")
    except VenueError as error:
        return Missing(reason=f"custom leverage: {error}")


def encode_request(owner: str, number: int) -> bytes:
    """The wire form of a QueryLeverageRequest."""
    name = owner.encode()
    encoded = _tag(1, _LENGTH) + _varint(len(name)) + name
    return encoded if number == 0 else encoded + _tag(2, _VARINT) + _varint(number)


def decode_response(encoded: bytes) -> Mapping[int, Ppm]:
    """Custom initial margin fractions by clob pair id; raises MalformedAnswer."""
    found: dict[int, Ppm] = {}
    for number, entry in _fields(encoded):
        if number == 1 and isinstance(entry, bytes):
            numbers = {n: v for n, v in _fields(entry) if isinstance(v, int)}
            found[numbers.get(1, 0)] = Ppm(numbers.get(2, 0))
    return found


def _fields(encoded: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(encoded):
        tag, at = _take_varint(encoded, at)
        number, kind = tag >> 3, tag & 7
        value, at = _take_varint(encoded, at)
        if kind == _VARINT:
            yield number, value
        elif kind == _LENGTH:
            if at + value > len(encoded):
                raise MalformedAnswer("custom leverage: a field is cut short")
            yield number, encoded[at : at + value]
            at += value
        else:
            raise MalformedAnswer(f"custom leverage: wire type {kind} is not expected")


def _take_varint(encoded: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(encoded) and shift < 64:
        byte = encoded[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise MalformedAnswer("custom leverage: a number is cut short")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)
