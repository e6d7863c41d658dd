"""Simulation of a transaction, and what gas, memo, size and addresses are refused for."""

from __future__ import annotations

import pytest
from dydx_v4_client.key_pair import KeyPair
from google.protobuf.message import Message
from v4_proto.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from v4_proto.cosmos.base.v1beta1.coin_pb2 import Coin
from v4_proto.dydxprotocol.accountplus.tx_pb2 import MsgAddAuthenticator
from v4_proto.dydxprotocol.sending.transfer_pb2 import (
    MsgDepositToSubaccount,
    MsgWithdrawFromSubaccount,
)
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId

from seawall.simulator.authenticators import TYPE_URLS
from seawall.simulator.delivery import GAS_USED
from seawall.simulator.envelope import USDC_DENOM
from seawall.simulator.keys import demo_key
from seawall.simulator.messages import PlaceOrder
from seawall.simulator.transactions import ANTE_GAS
from tests.simulator.serve.signing import Envelope, deposit, order
from tests.simulator.test_authenticators import composed
from tests.simulator.test_transactions import ALICE, DOLLAR, Stand

HOT = demo_key(1, "stranger")


@pytest.fixture
def stand() -> Stand:
    return Stand()


def withdrawal(dollars: int, recipient: str = ALICE.address) -> Message:
    message: Message = MsgWithdrawFromSubaccount(
        sender=SubaccountId(owner=ALICE.address), recipient=recipient, quantums=dollars * DOLLAR
    )
    return message


def permit(stand: Stand) -> None:
    """Let the hot key place orders for Alice, under authenticator 0."""
    data = composed(
        ("SignatureVerification", KeyPair.from_mnemonic(HOT.mnemonic).public_key_bytes),
        ("MessageFilter", TYPE_URLS[PlaceOrder].encode()),
    )
    add = MsgAddAuthenticator(sender=ALICE.address, authenticator_type="AllOf", data=data)
    assert stand.send(Envelope(key=ALICE).sign(add)) == ("", 0)
    stand.block()


def test_a_simulation_judges_the_key_by_its_filters_but_asks_no_signature(stand: Stand) -> None:
    permit(stand)

    def simulated(message: Message, selected: int = 0) -> tuple[str, int]:
        raw = Envelope(key=HOT, authenticators=[selected], sequence=1, fee=0).sign(message)
        result = stand.admission.simulate(raw)
        return result.codespace, result.code

    assert simulated(order(ALICE, flags=64, good_til_block=2_000_000_000)) == ("clob", 3004)
    assert simulated(order(ALICE)) == ("", 0)
    assert simulated(withdrawal(1)) == ("dydxaccountplus", 104)
    assert simulated(order(ALICE), selected=7) == ("dydxaccountplus", 1)
    stand.chain.set_smart_accounts(is_active=False)
    assert simulated(order(ALICE)) == ("dydxaccountplus", 4)


def test_a_simulation_tries_the_message_and_keeps_nothing(stand: Stand) -> None:
    def simulated(message: Message) -> int:
        return stand.admission.simulate(Envelope(key=ALICE, fee=0).sign(message)).code

    before = stand.chain.committed
    codes = [simulated(withdrawal(9_000)), simulated(withdrawal(10_001))]
    stand.chain.record_outage()
    behind_the_gate = simulated(deposit(ALICE, DOLLAR))
    stand.block()

    assert codes == [0, 102]
    assert behind_the_gate == 102
    assert stand.chain.committed.accounts == before.accounts
    assert stand.chain.committed.wallets == before.wallets


@pytest.mark.parametrize(
    ("gas", "expected"),
    [
        (ANTE_GAS - 1, ("sdk", 11)),
        (ANTE_GAS, ("", 0)),
        (GAS_USED - 1, ("", 0)),
        (GAS_USED, ("", 0)),
    ],
)
def test_too_little_gas_fails_at_once_or_in_the_block_and_is_paid(
    stand: Stand, gas: int, expected: tuple[str, int]
) -> None:
    raw = Envelope(key=ALICE, gas=gas).sign(deposit(ALICE, DOLLAR))
    before = stand.balance()

    assert stand.send(raw) == expected
    stand.block()

    spent = before - stand.balance()
    if expected[1]:
        assert (spent, stand.sequence()) == (0, 0)
        return
    lands = gas >= GAS_USED
    assert stand.chain.latest.results[-1].code == (0 if lands else 11)
    assert spent == 5_000 + (DOLLAR if lands else 0)
    assert stand.sequence() == 1


@pytest.mark.parametrize(("length", "expected"), [(256, ("", 0)), (257, ("sdk", 12))])
def test_a_memo_has_256_characters_at_most(
    stand: Stand, length: int, expected: tuple[str, int]
) -> None:
    assert stand.send(Envelope(key=ALICE, memo="m" * length).sign(order(ALICE))) == expected


def test_a_transaction_has_a_mebibyte_at_most(stand: Stand) -> None:
    assert stand.send(b"x" * 1_048_577) == ("sdk", 21)


def test_money_goes_to_addresses_only(stand: Stand) -> None:
    stranger = "cosmos1qqqsyqcyq5rqwzqfpg9scrgwpugpzysn4zz6mc"
    wrong_deposit = MsgDepositToSubaccount(
        sender=ALICE.address, recipient=SubaccountId(owner=stranger), quantums=DOLLAR
    )
    send = MsgSend(
        from_address=ALICE.address,
        to_address=stranger,
        amount=[Coin(denom=USDC_DENOM, amount="1")],
    )

    codes = [
        stand.send(Envelope(key=ALICE).sign(message))
        for message in (wrong_deposit, withdrawal(1, stranger), send)
    ]

    assert codes == [("subaccounts", 201), ("sending", 6), ("sdk", 7)]
    assert stand.sequence() == 0
