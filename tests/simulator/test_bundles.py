"""Several messages in one transaction: which may travel together, and that none lands alone."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message
from v4_proto.dydxprotocol.sending.transfer_pb2 import Transfer
from v4_proto.dydxprotocol.sending.tx_pb2 import MsgCreateTransfer
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId

from seawall.simulator.delivery import GAS_USED
from seawall.simulator.messages import LONG_TERM
from tests.simulator.serve.running import START
from tests.simulator.serve.signing import Envelope, deposit, order
from tests.simulator.test_transactions import ALICE, BOB, DOLLAR, Stand

LATER_S = START // 1_000 + 3_600
CHILD = 128


@pytest.fixture
def stand() -> Stand:
    return Stand()


def resting(client_id: int, number: int = 0) -> Message:
    placed = order(ALICE, client_id, LATER_S, flags=LONG_TERM)
    placed.order.order_id.subaccount_id.number = number  # type: ignore[attr-defined]
    return placed


def transfer(dollars: int) -> Message:
    moved = Transfer(
        sender=SubaccountId(owner=ALICE.address),
        recipient=SubaccountId(owner=ALICE.address, number=CHILD),
        amount=dollars * DOLLAR,
    )
    message: Message = MsgCreateTransfer(transfer=moved)
    return message


def open_ids(stand: Stand) -> list[int]:
    return [
        one.order.order_id.client_id for one in stand.chain.committed.open_orders(ALICE.address)
    ]


def child_usdc(stand: Stand) -> int:
    return stand.chain.committed.subaccount(ALICE.address, CHILD).usdc


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ((order(ALICE, 1), order(ALICE, 2)), ("sdk", 18)),
        ((order(ALICE, 1), resting(2)), ("sdk", 18)),
        ((resting(1), deposit(ALICE, DOLLAR)), ("sdk", 18)),
        ((resting(1), transfer(100), transfer(101)), ("sdk", 18)),
        ((resting(1), deposit(BOB, DOLLAR)), ("sdk", 4)),
        ((resting(1), resting(2)), ("", 0)),
        ((resting(1), transfer(100)), ("", 0)),
    ],
)
def test_what_may_travel_together(
    stand: Stand, messages: tuple[Message, ...], expected: tuple[str, int]
) -> None:
    assert stand.send(Envelope(key=ALICE, fee=0).sign(*messages)) == expected


def test_a_transfer_funds_the_order_beside_it_without_fee_or_gas(stand: Stand) -> None:
    stand.block()
    alone = stand.send(Envelope(key=ALICE, fee=0, gas=0).sign(resting(1, CHILD)))

    together = Envelope(key=ALICE, fee=0, gas=0).sign(transfer(1_000), resting(1, CHILD))
    taken = stand.send(together)
    stand.block(2)

    assert alone == ("clob", 10001)  # a child without money may rest nothing
    assert taken == ("", 0)
    assert child_usdc(stand) == 1_000 * DOLLAR
    assert open_ids(stand) == [1]
    assert stand.sequence() == 1


def test_a_transfer_beside_an_order_fails_when_it_arrives(stand: Stand) -> None:
    refused = stand.answer(Envelope(key=ALICE, fee=0).sign(resting(1), transfer(10_001)))
    after = stand.send(Envelope(key=ALICE, fee=0).sign(resting(1)))
    stand.block(2)

    assert (refused.codespace, refused.code) == ("subaccounts", 102)
    assert after == ("", 0)  # the order of the refused transaction left nothing behind
    assert open_ids(stand) == [1]


def test_in_its_block_all_of_a_transaction_lands_or_none(stand: Stand) -> None:
    raw = Envelope(key=ALICE, fee=0).sign(resting(1), transfer(100))
    assert stand.send(raw) == ("", 0)

    stand.chain._negative_seen[None] = stand.chain.height + 1  # the gate comes up meanwhile
    stand.block(2)

    (result,) = stand.chain.block(stand.chain.height - 1).results  # type: ignore[union-attr]
    assert (result.codespace, result.code) == ("subaccounts", 102)
    assert open_ids(stand) == []
    assert child_usdc(stand) == 0
    assert stand.sequence() == 1


@pytest.mark.parametrize(("gas", "lands"), [(2 * GAS_USED - 1, False), (2 * GAS_USED, True)])
def test_two_deposits_need_the_gas_of_two(stand: Stand, gas: int, *, lands: bool) -> None:
    before = stand.chain.committed.subaccount(ALICE.address, 0).usdc
    raw = Envelope(key=ALICE, gas=gas, fee=6_000).sign(
        deposit(ALICE, DOLLAR), deposit(ALICE, DOLLAR)
    )

    assert stand.send(raw) == ("", 0)
    stand.block()

    after = stand.chain.committed.subaccount(ALICE.address, 0).usdc
    assert after - before == (2 * DOLLAR if lands else 0)
