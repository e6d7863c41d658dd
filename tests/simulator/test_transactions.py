"""What a node says to a transaction before the exchange sees it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from google.protobuf.message import Message
from v4_proto.cosmos.bank.v1beta1.tx_pb2 import MsgMultiSend, MsgSend
from v4_proto.cosmos.base.v1beta1.coin_pb2 import Coin
from v4_proto.cosmos.tx.v1beta1.tx_pb2 import AuthInfo, TxBody, TxRaw
from v4_proto.dydxprotocol.clob.order_pb2 import Order, OrderId
from v4_proto.dydxprotocol.clob.tx_pb2 import (
    MsgBatchCancel,
    MsgCancelOrder,
    MsgPlaceOrder,
    OrderBatch,
)
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId

from seawall.simulator.envelope import USDC_DENOM
from seawall.simulator.keys import demo_key
from seawall.simulator.messages import CheckResult
from seawall.simulator.serve.launch import Cast, produce
from seawall.simulator.transactions import Admission
from tests.simulator.serve.running import START, flat_path
from tests.simulator.serve.signing import Envelope, cancel, deposit, order

ALICE = demo_key(1, "trader-1")
BOB = demo_key(1, "trader-2")
DOLLAR = 1_000_000


class Stand:
    """A chain with two traders and a node's admission, without sockets."""

    def __init__(self) -> None:
        self.player = produce(flat_path(), Cast(accounts=2, equity=Decimal(10_000))).player
        self.chain = self.player.chain
        self.admission = Admission(self.chain)

    def send(self, raw: bytes) -> tuple[str, int]:
        result = self.answer(raw)
        return result.codespace, result.code

    def answer(self, raw: bytes) -> CheckResult:
        return self.admission.broadcast(raw).result

    def block(self, count: int = 1) -> None:
        for _ in range(count):
            block = self.player.step()
            assert block is not None
            self.admission.note(block)

    def sequence(self) -> int:
        return self.chain.committed.wallets[ALICE.address].sequence

    def balance(self) -> int:
        return self.chain.committed.wallets[ALICE.address].balance


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_bytes_that_are_no_transaction_are_refused(stand: Stand) -> None:
    assert stand.send(b"\xff\xff") == ("sdk", 2)
    assert stand.send(b"") == ("sdk", 18)


@pytest.mark.parametrize("amount", ["abc", "1_000", "1.5", "9" * 79, "9" * 5_000])
def test_a_fee_that_is_no_amount_cannot_be_read(stand: Stand, amount: str) -> None:
    raw = TxRaw.FromString(Envelope(key=ALICE).sign(deposit(ALICE, 5)))
    auth = AuthInfo.FromString(raw.auth_info_bytes)
    auth.fee.amount[0].amount = amount
    raw.auth_info_bytes = auth.SerializeToString()

    assert stand.send(raw.SerializeToString()) == ("sdk", 2)
    assert stand.admission.simulate(raw.SerializeToString()).code == 2


def test_an_amount_to_send_that_is_no_amount_cannot_be_read(stand: Stand) -> None:
    coin = Coin(denom=USDC_DENOM, amount="x")
    sent = MsgSend(from_address=ALICE.address, to_address=BOB.address, amount=[coin])

    assert stand.send(Envelope(key=ALICE).sign(sent)) == ("sdk", 2)


def test_an_extension_that_is_no_message_cannot_be_read(stand: Stand) -> None:
    raw = TxRaw.FromString(Envelope(key=ALICE).sign(order(ALICE)))
    body = TxBody.FromString(raw.body_bytes)
    body.non_critical_extension_options.add(
        type_url="/dydxprotocol.accountplus.TxExtension", value=b"\xff\xff"
    )
    raw.body_bytes = body.SerializeToString()

    assert stand.send(raw.SerializeToString()) == ("sdk", 2)


def test_an_order_router_that_is_no_text_cannot_be_read(stand: Stand) -> None:
    raw = TxRaw.FromString(Envelope(key=ALICE).sign(order(ALICE)))
    body = TxBody.FromString(raw.body_bytes)
    placed = MsgPlaceOrder.FromString(body.messages[0].value).order.SerializeToString()
    placed += b"\x72\x02\xff\xfe"  # field 14, two bytes
    body.messages[0].value = b"\x0a" + bytes([len(placed)]) + placed
    raw.body_bytes = body.SerializeToString()

    assert stand.send(raw.SerializeToString()) == ("sdk", 2)


def fill_or_kill() -> Message:
    placed = order(ALICE)
    placed.order.time_in_force = Order.TimeInForce.TIME_IN_FORCE_FILL_OR_KILL  # type: ignore[attr-defined]
    return placed


def odd_cancel(number: int = 0, flags: int = 0, good_til_block: int = 20) -> Message:
    name = OrderId(subaccount_id=subaccount(number), client_id=1, order_flags=flags)
    sent: Message = MsgCancelOrder(order_id=name, good_til_block=good_til_block)
    return sent


def batch(*cancels: tuple[int, list[int]], number: int = 0) -> Message:
    listed = [OrderBatch(clob_pair_id=pair, client_ids=ids) for pair, ids in cancels]
    sent: Message = MsgBatchCancel(
        subaccount_id=subaccount(number), short_term_cancels=listed, good_til_block=20
    )
    return sent


def subaccount(number: int) -> SubaccountId:
    return SubaccountId(owner=ALICE.address, number=number)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (fill_or_kill(), ("clob", 48)),
        (odd_cancel(number=200_000), ("subaccounts", 200)),
        (odd_cancel(flags=7), ("clob", 3000)),
        (odd_cancel(good_til_block=0), ("clob", 5)),
        (odd_cancel(flags=64), ("clob", 3001)),
        (batch((0, [1]), number=200_000), ("subaccounts", 200)),
        (batch((0, [1]), (1, [])), ("clob", 45)),
        (batch((0, [1, 1])), ("clob", 45)),
        (batch((0, [1]), (0, [2])), ("clob", 45)),
        (batch((0, [1])), ("sdk", 4)),
    ],
)
def test_the_form_of_a_message_is_judged_before_its_signature(
    stand: Stand, message: Message, expected: tuple[str, int]
) -> None:
    assert stand.send(Envelope(key=ALICE, chain_id="another").sign(message)) == expected


def test_the_form_of_every_message_is_judged_before_their_company(stand: Stand) -> None:
    raw = Envelope(key=ALICE).sign(deposit(ALICE, DOLLAR), odd_cancel(flags=7))

    assert stand.send(raw) == ("clob", 3000)


def test_a_message_of_an_unknown_kind_is_refused(stand: Stand) -> None:
    result = stand.answer(Envelope(key=ALICE).sign(MsgMultiSend()))

    assert (result.codespace, result.code) == ("sdk", 2)
    assert "/cosmos.bank.v1beta1.MsgMultiSend" in result.log


def test_the_same_bytes_are_known_for_forty_blocks_even_if_refused(stand: Stand) -> None:
    refused = Envelope(key=ALICE, sequence=9).sign(deposit(ALICE, DOLLAR))

    codes = [stand.send(refused), stand.send(refused)]
    stand.block(40)
    codes.append(stand.send(refused))
    stand.block()
    codes.append(stand.send(refused))

    assert codes == [("sdk", 32), ("sdk", 19), ("sdk", 19), ("sdk", 32)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("", 0)),
        ({"account_number": 1}, ("sdk", 4)),
        ({"chain_id": "dydx-mainnet-1"}, ("sdk", 4)),
        ({"sequence": 1}, ("sdk", 32)),
        ({"key": BOB}, ("sdk", 8)),
        ({"key": demo_key(1, "stranger")}, ("sdk", 8)),
        ({"fee": 4_999}, ("sdk", 13)),
        ({"fee": 0}, ("sdk", 13)),
        ({"fee": 2_000 * DOLLAR}, ("sdk", 5)),
        ({"authenticators": [3]}, ("dydxaccountplus", 1)),
        ({"authenticators": [3], "sequence": 1}, ("sdk", 32)),
        ({"key": BOB, "sequence": 1}, ("sdk", 32)),
    ],
)
def test_a_deposit_is_judged_by_its_envelope(
    stand: Stand, change: dict[str, object], expected: tuple[str, int]
) -> None:
    envelope = Envelope(**{"key": ALICE, **change})  # type: ignore[arg-type]

    assert stand.send(envelope.sign(deposit(ALICE, DOLLAR))) == expected


def test_a_sender_the_chain_has_never_seen_has_no_account(stand: Stand) -> None:
    stranger = demo_key(1, "stranger")

    assert stand.send(Envelope(key=stranger).sign(deposit(stranger, DOLLAR))) == ("sdk", 9)


def test_a_tampered_body_breaks_the_signature(stand: Stand) -> None:
    raw = Envelope(key=ALICE, memo="one").sign(deposit(ALICE, DOLLAR))

    assert stand.send(raw.replace(b"one", b"two")) == ("sdk", 4)


def test_the_sequence_mismatch_is_told_in_the_chains_words(stand: Stand) -> None:
    result = stand.answer(Envelope(key=ALICE, sequence=7).sign(deposit(ALICE, DOLLAR)))

    assert result.log.startswith("account sequence mismatch, expected 0, got 7")


def test_sequences_count_within_a_block_and_commit_with_it(stand: Stand) -> None:
    first = stand.send(Envelope(key=ALICE).sign(deposit(ALICE, DOLLAR)))
    again = stand.send(Envelope(key=ALICE, memo="again").sign(deposit(ALICE, DOLLAR)))
    second = stand.send(Envelope(key=ALICE, sequence=1).sign(deposit(ALICE, DOLLAR)))

    assert (first, again, second) == (("", 0), ("sdk", 32), ("", 0))
    assert stand.sequence() == 0
    stand.block()
    assert stand.sequence() == 2


@pytest.mark.parametrize(
    ("timeout_height", "sent", "included"), [(1, 30, None), (2, 0, 30), (3, 0, 0)]
)
def test_what_times_out_with_the_last_block_is_taken_and_fails_in_the_next(
    stand: Stand, timeout_height: int, sent: int, included: int | None
) -> None:
    """A node asks the height it has, and the block that runs a transaction asks its own."""
    stand.block()
    raw = Envelope(key=ALICE, timeout_height=timeout_height).sign(deposit(ALICE, DOLLAR))
    receipt = stand.admission.broadcast(raw)
    stand.block()

    found = stand.admission.find(receipt.hash)
    assert receipt.result.code == sent
    assert (found.result.code if found else None) == included
    assert stand.sequence() == (included == 0)


def test_a_deposit_that_fails_in_its_block_keeps_fee_and_sequence(stand: Stand) -> None:
    raw = Envelope(key=ALICE).sign(deposit(ALICE, 5_000 * DOLLAR))
    receipt = stand.admission.broadcast(raw)
    stand.block()

    included = stand.admission.find(receipt.hash.lower())

    assert receipt.result.code == 0
    assert included is not None
    assert (included.result.code, included.height, included.raw) == (5, 2, raw)
    assert stand.sequence() == 1
    assert stand.balance() == 1_000 * DOLLAR - 5_000


def test_money_is_never_made_where_a_wallet_cannot_pay_fee_and_deposit(stand: Stand) -> None:
    before = stand.chain.total_money()

    stand.send(Envelope(key=ALICE).sign(deposit(ALICE, 1_000 * DOLLAR)))
    stand.block()

    assert stand.chain.total_money() == before
    assert stand.balance() == 1_000 * DOLLAR - 5_000


def test_a_malformed_deposit_costs_nothing(stand: Stand) -> None:
    assert stand.send(Envelope(key=ALICE).sign(deposit(ALICE, 0))) == ("sending", 2)
    stand.block()

    assert (stand.sequence(), stand.balance()) == (0, 1_000 * DOLLAR)


def test_short_term_orders_need_no_sequence_and_use_none(stand: Stand) -> None:
    sent = [
        stand.send(Envelope(key=ALICE, sequence=77, fee=0, gas=0).sign(order(ALICE, n)))
        for n in (1, 2)
    ]
    sent.append(stand.send(Envelope(key=ALICE, sequence=5, fee=0).sign(cancel(ALICE, 1))))
    stand.block()

    assert sent == [("", 0)] * 3
    assert stand.sequence() == 0
    assert not stand.admission.find("00")


def test_a_refused_stateful_order_uses_no_sequence(stand: Stand) -> None:
    late = START // 1_000 - 10
    refused = stand.send(Envelope(key=ALICE, fee=0).sign(order(ALICE, 1, late, flags=64)))
    taken = stand.send(Envelope(key=ALICE, fee=0).sign(order(ALICE, 1, late + 600, flags=64)))
    stand.block()

    assert (refused, taken) == (("clob", 3003), ("", 0))
    assert stand.sequence() == 1


@pytest.mark.parametrize(("timeout", "expected"), [(19, ("sdk", 18)), (20, ("", 0))])
def test_a_short_term_order_may_not_outlive_its_timeout(
    stand: Stand, timeout: int, expected: tuple[str, int]
) -> None:
    raw = Envelope(key=ALICE, fee=0, timeout_height=timeout).sign(order(ALICE, 1, 20))

    assert stand.send(raw) == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (0, ("", 0)),
        (30_000, ("", 0)),
        (-30_000, ("", 0)),
        (30_001, ("sdk", 32)),
        (-30_001, ("sdk", 32)),
    ],
)
def test_a_timestamp_nonce_is_within_thirty_seconds_of_the_block(
    stand: Stand, after: int, expected: tuple[str, int]
) -> None:
    raw = Envelope(key=ALICE, sequence=START + after).sign(deposit(ALICE, DOLLAR))

    assert stand.send(raw) == expected


def test_timestamp_nonces_are_unique_and_leave_the_sequence(stand: Stand) -> None:
    def nonce(after: int, memo: str = "") -> tuple[str, int]:
        envelope = Envelope(key=ALICE, sequence=START + after, memo=memo)
        return stand.send(envelope.sign(deposit(ALICE, DOLLAR)))

    taken = [nonce(after) for after in range(100, 120)]
    twice = nonce(105, "twice")
    too_old = nonce(99)
    newer = nonce(200)
    ejected = nonce(100, "ejected")
    stand.block()

    assert taken == [("", 0)] * 20
    assert (twice, too_old, newer, ejected) == (("sdk", 32), ("sdk", 32), ("", 0), ("sdk", 32))
    assert stand.sequence() == 0


def test_simulation_reads_committed_state_and_needs_no_signature(stand: Stand) -> None:
    first = Envelope(key=ALICE, fee=0, account_number=99).sign(deposit(ALICE, DOLLAR))
    second = Envelope(key=ALICE, fee=0, sequence=1).sign(deposit(ALICE, DOLLAR))
    beyond = Envelope(key=ALICE, fee=0).sign(deposit(ALICE, 2_000 * DOLLAR))

    stand.send(Envelope(key=ALICE).sign(deposit(ALICE, DOLLAR)))
    codes = [stand.admission.simulate(raw).code for raw in (first, second, beyond)]

    assert codes == [0, 32, 5]


def test_every_broadcast_is_counted(stand: Stand) -> None:
    stand.send(Envelope(key=ALICE).sign(deposit(ALICE, DOLLAR)))
    stand.send(b"nonsense")

    assert (stand.admission.tally.received, stand.admission.tally.accepted) == (2, 1)
