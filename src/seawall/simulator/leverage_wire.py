"""Custom leverage on the wire, which the installed protobuf package does not have, by hand.

MsgUpdateLeverage     { SubaccountId subaccount_id = 1; repeated Entry clob_pair_leverage = 2; }
QueryLeverageRequest  { string owner = 1; uint32 number = 2; }
QueryLeverageResponse { repeated Entry clob_pair_leverage = 1; }
Entry                 { uint32 clob_pair_id = 1; uint32 custom_imf_ppm = 2; }
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import DecodeError
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId as WireSubaccountId

from seawall.simulator.messages import SubaccountId, UpdateLeverage

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED = {FIXED64: 8, FIXED32: 4}
Field = int | bytes


def read_update(value: bytes) -> UpdateLeverage:
    """A MsgUpdateLeverage; raises DecodeError."""
    named, entries = WireSubaccountId(), []
    for number, field in read_fields(value):
        if not isinstance(field, bytes):
            raise DecodeError("MsgUpdateLeverage: a field is not a message")
        if number == 1:
            named = WireSubaccountId.FromString(field)
        elif number == 2:
            entry = dict(read_fields(field))
            entries.append((_number(entry.get(1, 0)), _number(entry.get(2, 0))))
    subaccount = SubaccountId(owner=named.owner, number=named.number)
    return UpdateLeverage(subaccount=subaccount, entries=tuple(entries))


def read_request(value: bytes) -> tuple[str, int]:
    """Owner and number of a QueryLeverageRequest; raises DecodeError."""
    fields = dict(read_fields(value))
    owner = fields.get(1, b"")
    if not isinstance(owner, bytes):
        raise DecodeError("QueryLeverageRequest: the owner is not text")
    return owner.decode(), _number(fields.get(2, 0))


def entries_bytes(field: int, entries: Iterable[tuple[int, int]]) -> bytes:
    """Entries of clob pair and ppm as repeated messages of a field."""
    written = b""
    for pair, ppm in entries:
        entry = _numbered(1, pair) + _numbered(2, ppm)
        written += _varint(field << 3 | BYTES) + _varint(len(entry)) + entry
    return written


def _number(value: Field) -> int:
    if not isinstance(value, int):
        raise DecodeError("a number is expected")
    return value


def _numbered(field: int, value: int) -> bytes:
    return _varint(field << 3 | VARINT) + _varint(value) if value else b""


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def read_fields(data: bytes) -> list[tuple[int, Field]]:
    """Number and value of each field of a message; raises DecodeError."""
    found: list[tuple[int, Field]] = []
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _read_varint(data, at)
            found.append((number, value))
            continue
        length = FIXED.get(kind, 0)
        if kind == BYTES:
            length, at = _read_varint(data, at)
        elif not length:
            raise DecodeError(f"field {number}: wire type {kind} is not known")
        if at + length > len(data):
            raise DecodeError(f"field {number}: {length} bytes are cut short")
        piece = data[at : at + length]
        found.append((number, piece if kind == BYTES else int.from_bytes(piece, "little")))
        at += length
    return found


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise DecodeError("a number is cut short")
