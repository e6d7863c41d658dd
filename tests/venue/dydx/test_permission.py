"""A permission confines where that is certain, and is called wide where it is not."""

from __future__ import annotations

import base64
import json

import pytest

from seawall.account import KeyReach
from seawall.venue.dydx.permission import (
    BEYOND_TRADING,
    DATA_BYTES_MOST,
    DEPOSIT,
    TRADING,
    WITHDRAW,
    Permission,
    PermissionTooLarge,
    beyond_trading,
    chosen,
    compose,
    is_known_shape,
    passes,
    reach_of,
    tree_of,
)

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


def permission(kind: str, config: bytes, number: int = 1) -> Permission:
    return Permission(id=number, kind=kind, config=config)


CONFINED = permission("AllOf", compose(KEY, [0, 128], [0, 1]), 7)
TRADING_WORDS = ",".join(TRADING).encode()
DEPOSITING = all_of(
    SIGNATURE,
    member(
        "AnyOf",
        all_of(member("MessageFilter", TRADING_WORDS), member("MessageFilter", DEPOSIT.encode())),
    ),
)


def test_what_we_compose_is_confined_to_what_it_names() -> None:
    tree = tree_of(CONFINED.kind, CONFINED.config)

    assert is_known_shape(tree, KEY)
    assert not is_known_shape(tree, OTHER)
    assert beyond_trading([CONFINED], KEY) == ()
    assert all(passes(tree, message, KEY) for message in TRADING)
    assert reach_of(CONFINED.kind, CONFINED.config, KEY) == KeyReach(
        subaccounts=frozenset({0, 128}), clob_pairs=frozenset({0, 1})
    )


@pytest.mark.parametrize(
    ("kind", "config", "beyond"),
    [
        ("SignatureVerification", KEY, set(BEYOND_TRADING.values())),
        ("SignatureVerification", OTHER, set()),
        # A subaccount filter alone is an open door: it passes whatever is no order.
        (
            "AllOf",
            all_of(SIGNATURE, member("SubaccountFilter", b"0")),
            set(BEYOND_TRADING.values()),
        ),
        ("AllOf", DEPOSITING, {BEYOND_TRADING[DEPOSIT]}),
        ("AllOf", all_of(SIGNATURE, member("MessageFilter", WITHDRAW.encode())), {"withdraw"}),
        (
            "AnyOf",
            all_of(SIGNATURE, member("SignatureVerification", OTHER)),
            set(BEYOND_TRADING.values()),
        ),
        (
            "AllOf",
            all_of(
                member("AnyOf", all_of(SIGNATURE, member("SignatureVerification", OTHER))),
                member("MessageFilter", TRADING_WORDS),
            ),
            set(),
        ),
        (
            "AllOf",
            all_of(SIGNATURE, member("MessageFilter", b"/dydxprotocol.clob.MsgUpdateLeverage")),
            {"sign /dydxprotocol.clob.MsgUpdateLeverage"},
        ),
        # What is not understood is not called confined.
        ("AllOf", all_of(SIGNATURE, member("NewFilter", b"0")), set(BEYOND_TRADING.values())),
        ("AllOf", b"not json", set(BEYOND_TRADING.values())),
    ],
)
def test_what_a_key_can_do_beyond_trading(kind: str, config: bytes, beyond: set[str]) -> None:
    found = beyond_trading([CONFINED, permission(kind, config)], KEY)

    assert len(found) == len(beyond)
    assert all(any(one.startswith(word) for one in found) for word in beyond)


@pytest.mark.parametrize(
    "config",
    [
        all_of(SIGNATURE, member("MessageFilter", TRADING_WORDS)),
        all_of(
            SIGNATURE,
            member("MessageFilter", TRADING_WORDS + b"," + WITHDRAW.encode()),
            member("SubaccountFilter", b"0"),
            member("ClobPairIdFilter", b"0"),
        ),
        all_of(
            SIGNATURE,
            member("MessageFilter", TRADING[1].encode()),  # may cancel and not place
            member("SubaccountFilter", b"0"),
            member("ClobPairIdFilter", b"0"),
        ),
    ],
)
def test_another_shape_is_not_ours(config: bytes) -> None:
    assert not is_known_shape(tree_of("AllOf", config), KEY)


def test_the_key_is_found_by_its_signature_and_the_newest_of_our_shape_is_used() -> None:
    older = permission("AllOf", compose(KEY, [0], [0]), 3)
    strangers = permission("AllOf", compose(OTHER, [0], [0]), 9)
    wide = permission("SignatureVerification", KEY, 12)
    all_given = (older, CONFINED, strangers, wide)

    assert chosen(all_given, KEY, None) == CONFINED
    assert chosen((strangers, wide), KEY, None) == wide
    assert chosen((strangers,), KEY, None) is None
    assert chosen(all_given, KEY, 12) == wide
    assert chosen(all_given, KEY, 9) is None


def test_more_markets_than_fit_are_refused_with_how_many_do() -> None:
    fit = next(n for n in range(1, 400) if _is_too_large(range(n + 1)))

    assert len(compose(KEY, [0], range(fit))) <= DATA_BYTES_MOST
    with pytest.raises(PermissionTooLarge, match=f"the first {fit} fit"):
        compose(KEY, [0], range(fit + 20))


def _is_too_large(pairs: range) -> bool:
    try:
        compose(KEY, [0], pairs)
    except PermissionTooLarge:
        return True
    return False


def test_a_tree_without_end_is_not_understood() -> None:
    config = KEY
    kind = "SignatureVerification"
    for _ in range(40):
        kind, config = "AllOf", all_of(member(kind, config), MESSAGES)

    assert reach_of("AllOf", config, KEY) is None
