"""What the trading key may reach is read from the owner's permissions, or is not known."""

from __future__ import annotations

import base64
import json

import pytest

from seawall.account import KeyReach
from seawall.venue.dydx.parameters import reach_of

KEY = bytes([2]) * 33
OTHER = bytes([3]) * 33


def member(kind: str, config: bytes) -> dict[str, object]:
    return {"type": kind, "config": base64.b64encode(config).decode()}


def all_of(*members: dict[str, object]) -> bytes:
    return json.dumps(members).encode()


SIGNATURE = member("SignatureVerification", KEY)
MESSAGES = member("MessageFilter", b"/dydxprotocol.clob.MsgPlaceOrder")


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("SignatureVerification", KEY, KeyReach()),
        ("SignatureVerification", OTHER, None),
        ("AllOf", all_of(SIGNATURE, MESSAGES), KeyReach()),
        (
            "AllOf",
            all_of(SIGNATURE, MESSAGES, member("SubaccountFilter", b"0,128")),
            KeyReach(subaccounts=frozenset({0, 128})),
        ),
        (
            "AllOf",
            all_of(
                SIGNATURE,
                member("ClobPairIdFilter", b"0,1,5"),
                member("ClobPairIdFilter", b"1,5,9"),
                member("SubaccountFilter", b"0"),
            ),
            KeyReach(subaccounts=frozenset({0}), clob_pairs=frozenset({1, 5})),
        ),
        # The stock client writes the bytes of a config as numbers.
        (
            "AllOf",
            json.dumps(
                [
                    {"type": "SignatureVerification", "config": list(KEY)},
                    {"type": "SubaccountFilter", "config": list(b"0")},
                ]
            ).encode(),
            KeyReach(subaccounts=frozenset({0})),
        ),
        ("AllOf", all_of(member("SignatureVerification", OTHER), MESSAGES), None),
        ("AnyOf", all_of(SIGNATURE, MESSAGES), None),
        ("AllOf", b"not json", None),
        ("AllOf", b"{}", None),
        ("AllOf", b'[{"type": "SubaccountFilter", "config": "%%"}]', None),
        ("AllOf", all_of(SIGNATURE, member("SubaccountFilter", b"zero")), None),
    ],
)
def test_the_reach_of_a_permission(kind: str, config: bytes, expected: KeyReach | None) -> None:
    assert reach_of(kind, config, KEY) == expected
