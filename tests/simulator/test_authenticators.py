"""Permissioned keys: what is registered, what each filter looks at, and the documented holes."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from seawall.simulator import messages
from seawall.simulator.authenticators import Permissions, Signed
from seawall.simulator.messages import AddAuthenticator, Deposit, Message, RemoveAuthenticator
from tests.simulator.stage import ALICE, BOB, STEP, cancel_of, order

HOT = bytes([2]) + bytes(32)
STRANGER = bytes([3]) + bytes(32)
ORDERS = b"/dydxprotocol.clob.MsgPlaceOrder,/dydxprotocol.clob.MsgCancelOrder"
DEPOSIT = Deposit(sender=ALICE.owner, recipient=BOB, quantums=STEP)


def composed(*members: tuple[str, bytes]) -> bytes:
    listed = [{"type": kind, "config": base64.b64encode(data).decode()} for kind, data in members]
    return json.dumps(listed).encode()


def permit(kind: str, data: bytes) -> tuple[Permissions, int]:
    kept = Permissions()
    message = AddAuthenticator(sender=ALICE.owner, kind=kind, data=data)
    return kept, kept.carry_out(message).code


def code_of(kept: Permissions, message: Message, key: bytes = HOT, selected: int = 0) -> int:
    refused = kept.refused(ALICE.owner, selected, Signed(message=message, public_key=key))
    return 0 if refused is None else refused.code


GUARD = composed(
    ("SignatureVerification", HOT),
    ("MessageFilter", ORDERS),
    ("SubaccountFilter", b"0,128"),
    ("ClobPairIdFilter", b"0,1"),
)


def test_the_guards_composite_passes_its_orders_and_nothing_else() -> None:
    kept, code = permit("AllOf", GUARD)
    child = messages.SubaccountId(owner=ALICE.owner, number=256)

    assert code == 0
    assert code_of(kept, order()) == 0
    assert code_of(kept, cancel_of(order())) == 0
    assert code_of(kept, order(), STRANGER) == 104
    assert code_of(kept, order(who=child)) == 104
    assert code_of(kept, order(clob_pair_id=5)) == 104
    assert code_of(kept, DEPOSIT) == 104


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        ("SignatureVerification", HOT[:-1], 5),
        ("MessageFilter", ORDERS, 5),
        ("AllOf", composed(("SubaccountFilter", b"0"), ("ClobPairIdFilter", b"0")), 5),
        ("AnyOf", composed(("SignatureVerification", HOT), ("SubaccountFilter", b"0")), 5),
        ("AllOf", composed(("SignatureVerification", HOT)), 5),
        ("AllOf", b"not json", 5),
        ("AllOf", composed(("SignatureVerification", HOT), ("SubaccountFilter", b"x")), 5),
        ("SpendLimit", HOT, 5),
        ("AllOf", b" " * 1_025, 3),
        ("SignatureVerification", HOT, 0),
    ],
)
def test_what_the_chain_registers(kind: str, data: bytes, code: int) -> None:
    assert permit(kind, data)[1] == code


def test_a_filter_without_a_message_filter_is_an_open_door() -> None:
    rule = composed(
        ("SignatureVerification", HOT), ("SubaccountFilter", b"7"), ("ClobPairIdFilter", b"7")
    )
    kept, _ = permit("AllOf", rule)

    assert code_of(kept, order()) == 104
    assert code_of(kept, DEPOSIT) == 0


def test_no_filter_sees_reduce_only_side_size_or_price() -> None:
    kept, _ = permit("AllOf", GUARD)

    assert code_of(kept, replace(order(), reduce_only=False, quantums=10**15, subticks=1)) == 0


def test_a_key_alone_is_told_by_its_own_code() -> None:
    kept, _ = permit("SignatureVerification", HOT)

    assert code_of(kept, order(), STRANGER) == 100


def test_one_of_several_ways_is_enough() -> None:
    ways = composed(("MessageFilter", ORDERS), ("SubaccountFilter", b"0"))
    kept, _ = permit("AllOf", composed(("SignatureVerification", HOT), ("AnyOf", ways)))

    assert code_of(kept, order()) == 0
    assert code_of(kept, DEPOSIT) == 0


def test_a_permission_taken_back_or_switched_off_passes_nothing() -> None:
    kept, _ = permit("SignatureVerification", HOT)
    kept.is_active = False
    switched_off = code_of(kept, order())
    kept.is_active = True

    first = kept.carry_out(RemoveAuthenticator(sender=ALICE.owner, id=0)).code
    second = kept.carry_out(RemoveAuthenticator(sender=ALICE.owner, id=0)).code

    assert (switched_off, first, second) == (4, 0, 1)
    assert code_of(kept, order()) == 1


def test_ids_are_global_and_never_used_again() -> None:
    kept, _ = permit("SignatureVerification", HOT)
    kept.carry_out(RemoveAuthenticator(sender=ALICE.owner, id=0))
    add = AddAuthenticator(sender=BOB.owner, kind="SignatureVerification", data=HOT)

    kept.carry_out(add)

    assert [one.id for one in kept.by_owner[BOB.owner]] == [1]
