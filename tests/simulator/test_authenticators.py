"""Permissioned keys: what is registered, what each filter looks at, and the documented holes."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from seawall.account import Side
from seawall.simulator import messages
from seawall.simulator.authenticators import Permissions, Signed
from seawall.simulator.chain import Chain
from seawall.simulator.events import Reason
from seawall.simulator.messages import AddAuthenticator, Deposit, Message, RemoveAuthenticator
from tests.simulator.stage import (
    ALICE,
    BOB,
    START,
    STEP,
    blocks,
    cancel_of,
    chain_of,
    limit,
    next_block,
    order,
    position,
)

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


KEY = ("SignatureVerification", HOT)
UNDEFINED = ("undefined", 1)
INVALID = ("sdk", 18)


@pytest.mark.parametrize(
    ("kind", "data", "answer"),
    [
        ("SignatureVerification", HOT, ("", 0)),
        ("SignatureVerification", HOT[:-1], UNDEFINED),
        ("SpendLimit", HOT, UNDEFINED),
        ("MessageFilter", ORDERS, UNDEFINED),
        ("AllOf", composed(("SubaccountFilter", b"0"), ("ClobPairIdFilter", b"0")), UNDEFINED),
        ("AnyOf", composed(KEY, ("SubaccountFilter", b"0")), UNDEFINED),
        ("AllOf", composed(KEY, ("SignatureVerification", HOT[:-1])), UNDEFINED),
        ("AllOf", b"not json", UNDEFINED),
        ("AllOf", b"[" * 1_000, UNDEFINED),
        ("AllOf", b'{"type": "AllOf"}', UNDEFINED),
        ("AllOf", b'[{"type": 1}, {}]', UNDEFINED),
        ("AllOf", b"[0, {}]", UNDEFINED),
        ("AllOf", b"null", INVALID),
        ("AllOf", composed(), INVALID),
        ("AllOf", composed(KEY), INVALID),
        ("AllOf", composed(KEY, ("AnyOf", composed(KEY))), INVALID),
        ("AllOf", composed(KEY, ("SpendLimit", HOT)), INVALID),
        ("AllOf", b"[{}, null]", INVALID),
        ("AllOf", composed(KEY, ("SubaccountFilter", b"x")), ("", 0)),
    ],
)
def test_what_the_chain_registers(kind: str, data: bytes, answer: tuple[str, int]) -> None:
    said = Permissions().carry_out(AddAuthenticator(sender=ALICE.owner, kind=kind, data=data))

    assert (said.codespace, said.code) == answer


@pytest.mark.parametrize("kind", ["SubaccountFilter", "ClobPairIdFilter"])
@pytest.mark.parametrize("numbers", [b"x", b"", b"0,", b"-1", b"+0", b"0_0", b" 0", b"4294967296"])
def test_a_list_that_cannot_be_read_fails_where_it_is_used(kind: str, numbers: bytes) -> None:
    kept, code = permit("AllOf", composed(KEY, (kind, numbers)))

    refused = kept.refused(ALICE.owner, 0, Signed(message=order(), public_key=HOT))

    assert code == 0
    assert refused is not None
    assert (refused.codespace, refused.code) == UNDEFINED


@pytest.mark.parametrize(("length", "code"), [(1_024, 0), (1_025, 3)])
def test_data_of_more_than_1024_bytes_is_refused_when_it_arrives(length: int, code: int) -> None:
    data = b"0," * (length // 2) + b"0" * (length % 2)
    chain = permitted_chain()

    answer = chain.check(AddAuthenticator(sender=ALICE.owner, kind="SubaccountFilter", data=data))

    assert answer.code == code


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


def test_nothing_is_registered_or_taken_back_while_smart_accounts_are_off() -> None:
    kept, number = permit("SignatureVerification", HOT)
    before = dict(kept.by_owner)
    kept.is_active = False
    add = AddAuthenticator(sender=ALICE.owner, kind="SignatureVerification", data=HOT)
    remove = RemoveAuthenticator(sender=ALICE.owner, id=number)

    answers = [kept.carry_out(add), kept.carry_out(remove)]

    assert [(one.codespace, one.code) for one in answers] == [("sdk", 4), ("sdk", 4)]
    assert kept.by_owner == before


def permitted_chain() -> Chain:
    """Bob may trade; Alice's first key is permitted and will be taken back."""
    chain = chain_of()
    chain.set_quoting("BTC-USD", frozenset())
    add = AddAuthenticator(sender=ALICE.owner, kind="SignatureVerification", data=HOT)
    assert chain.permissions.carry_out(add).is_accepted
    return chain


def test_resting_orders_of_a_revoked_key_are_dropped_when_a_taker_meets_them() -> None:
    chain = permitted_chain()
    bid = limit(Side.BUY, STEP, 99_000)
    chain.check(replace(bid, permission=0))
    chain.check(replace(bid, order_id=replace(bid.order_id, client_id=2)))
    chain.check(RemoveAuthenticator(sender=ALICE.owner, id=0))
    next_block(chain)
    rested = [one.order.order_id.client_id for one in chain.committed.open_orders(ALICE.owner)]

    chain.check(limit(Side.SELL, 2 * STEP, 99_000, who=BOB, client_id=3))
    block = next_block(chain)

    assert rested == [1, 2]  # a key taken back cancels nothing by itself
    gone = [e for e in block.orders if e.reason is Reason.PERMISSIONED_KEY_EXPIRED]
    assert [event.order.order_id.client_id for event in gone] == [1]
    assert position(chain, ALICE) == STEP


def test_resting_orders_of_a_permitted_key_are_dropped_while_smart_accounts_are_off() -> None:
    chain = permitted_chain()
    chain.check(replace(limit(Side.BUY, STEP, 99_000), permission=0))
    next_block(chain)
    chain.set_smart_accounts(is_active=False)

    chain.check(limit(Side.SELL, STEP, 99_000, who=BOB, client_id=3))
    block = next_block(chain)

    assert [e.reason for e in block.orders if e.order.permission == 0] == [
        Reason.PERMISSIONED_KEY_EXPIRED
    ]
    assert position(chain, ALICE) == 0


def test_stateful_orders_survive_the_key_that_placed_them() -> None:
    chain = permitted_chain()
    bid = order(
        Side.BUY,
        STEP,
        99_000,
        flags=messages.LONG_TERM,
        good_til_block_time=START // 1_000 + 3_600,
        time_in_force=messages.GOOD_TIL_TIME,
    )
    chain.check(replace(bid, permission=0))
    chain.check(RemoveAuthenticator(sender=ALICE.owner, id=0))
    blocks(chain, 2)

    chain.check(limit(Side.SELL, STEP, 99_000, who=BOB, client_id=3))
    next_block(chain)

    assert position(chain, ALICE) == STEP
