"""What a block asks of a transaction again: its key, its fee, its sequence."""

from __future__ import annotations

from dydx_v4_client.key_pair import KeyPair
from v4_proto.dydxprotocol.accountplus.tx_pb2 import MsgAddAuthenticator, MsgRemoveAuthenticator
from v4_proto.dydxprotocol.sending.transfer_pb2 import MsgWithdrawFromSubaccount
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId

from seawall.simulator.keys import demo_key
from tests.simulator.serve.running import START
from tests.simulator.serve.signing import Envelope, deposit, order
from tests.simulator.test_transactions import ALICE, BOB, Stand, stand

__all__ = ["stand"]  # fixtures


def test_a_permitted_key_signs_orders_with_the_owners_account_until_it_is_revoked(
    stand: Stand,
) -> None:
    hot = demo_key(1, "stranger")
    public = KeyPair.from_mnemonic(hot.mnemonic).public_key_bytes
    add = MsgAddAuthenticator(
        sender=ALICE.address, authenticator_type="SignatureVerification", data=public
    )
    under = {"key": hot, "authenticators": [0]}
    placed = order(ALICE, good_til_block=10, client_id=7)

    before = stand.send(Envelope(**under, memo="early").sign(placed))  # type: ignore[arg-type]
    added = stand.send(Envelope(key=ALICE).sign(add))
    stand.block()
    after = stand.send(Envelope(**under).sign(placed))  # type: ignore[arg-type]
    other = stand.send(Envelope(key=BOB, authenticators=[0]).sign(placed))
    stand.block()
    remove = MsgRemoveAuthenticator(sender=ALICE.address, id=0)
    stand.send(Envelope(key=ALICE, sequence=1).sign(remove))
    stand.block()
    revoked = stand.send(Envelope(**under, memo="late").sign(placed))  # type: ignore[arg-type]

    assert before == ("dydxaccountplus", 1)
    assert (added, after) == (("", 0), ("", 0))
    assert other == ("dydxaccountplus", 100)
    assert revoked == ("dydxaccountplus", 1)


def test_a_fee_that_the_block_finds_unpaid_runs_nothing_and_is_not_minted(stand: Stand) -> None:
    before, balance = stand.chain.total_money(), stand.balance()

    first = stand.send(Envelope(key=ALICE).sign(deposit(ALICE, balance - 6_000)))
    raw = Envelope(key=ALICE, sequence=1).sign(deposit(ALICE, 1))
    second = stand.admission.broadcast(raw)
    stand.block()

    included = stand.admission.find(second.hash)
    assert (first, second.result.code) == (("", 0), 0)
    assert included is not None
    assert (included.result.codespace, included.result.code) == ("sdk", 5)
    assert (stand.balance(), stand.sequence()) == (1_000, 1)
    assert stand.chain.total_money() == before


def test_a_transaction_after_one_that_used_no_sequence_has_the_wrong_one(stand: Stand) -> None:
    balance = stand.balance()
    for sequence, amount in enumerate((balance - 6_000, 1)):
        stand.send(Envelope(key=ALICE, sequence=sequence).sign(deposit(ALICE, amount)))
    placed = order(ALICE, 1, START // 1_000 + 600, flags=64)
    sent = stand.admission.broadcast(Envelope(key=ALICE, sequence=2, fee=0).sign(placed))
    stand.block()

    included = stand.admission.find(sent.hash)
    assert sent.result.code == 0
    assert included is not None
    assert (included.result.codespace, included.result.code) == ("sdk", 32)
    assert not stand.chain.committed.orders
    assert stand.sequence() == 1


def test_a_key_revoked_earlier_in_the_block_withdraws_nothing(stand: Stand) -> None:
    hot = demo_key(1, "stranger")
    public = KeyPair.from_mnemonic(hot.mnemonic).public_key_bytes
    add = MsgAddAuthenticator(
        sender=ALICE.address, authenticator_type="SignatureVerification", data=public
    )
    stand.send(Envelope(key=ALICE).sign(add))
    stand.block()
    balance = stand.balance()

    remove = MsgRemoveAuthenticator(sender=ALICE.address, id=0)
    stand.send(Envelope(key=ALICE, sequence=1).sign(remove))
    out = MsgWithdrawFromSubaccount(
        sender=SubaccountId(owner=ALICE.address), recipient=BOB.address, quantums=777
    )
    sent = stand.admission.broadcast(Envelope(key=hot, sequence=2, authenticators=[0]).sign(out))
    stand.block()

    included = stand.admission.find(sent.hash)
    assert sent.result.code == 0
    assert included is not None
    assert (included.result.codespace, included.result.code) == ("dydxaccountplus", 1)
    assert not stand.chain.latest.transfers
    assert (stand.balance(), stand.sequence()) == (balance - 5_000, 2)
