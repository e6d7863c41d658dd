"""Signed bytes decode to exactly the order that was asked for, and nothing else can be built."""

from __future__ import annotations

import pytest
from coincurve import PublicKey
from coincurve.ecdsa import cdata_to_der, deserialize_compact
from v4_proto.cosmos.tx.v1beta1.tx_pb2 import SignDoc, Tx
from v4_proto.dydxprotocol.accountplus.tx_pb2 import TxExtension
from v4_proto.dydxprotocol.clob.order_pb2 import Order
from v4_proto.dydxprotocol.clob.tx_pb2 import MsgCancelOrder, MsgPlaceOrder
from v4_proto.dydxprotocol.sending.transfer_pb2 import MsgDepositToSubaccount

from seawall.account import Side
from seawall.action import Cancel, Reduce, TopUp
from seawall.units import BaseQuantums, Millis, QuoteQuantums, Subticks
from seawall.venue.dydx.keys import Key, load_key
from seawall.venue.dydx.orders import (
    DEPOSIT_FEE_QUOTE,
    Signer,
    sign_cancel,
    sign_reduce,
    sign_top_up,
)

OWNER = "dydx1n56z5fhmemtffzkt2eqyf9kuc7ycjfs86mvqy7"
REDUCE = Reduce(
    subaccount=128,
    ticker="BTC-USD",
    clob_pair_id=3,
    side=Side.SELL,
    quantums=BaseQuantums(3_000_000),
    subticks=Subticks(9_985_000_000),
    window=17,
    good_til_block=107,
    client_id=0xFFFF_FFFE,
)
TOP_UP = TopUp(
    subaccount=128,
    amount=QuoteQuantums(250_000_000),
    sequence=7,
    account_number=42,
    timeout_height=120,
)


@pytest.fixture(name="key")
def _key(monkeypatch: pytest.MonkeyPatch) -> Key:
    monkeypatch.setenv("KEY", "11" * 32)
    return load_key("env:KEY", "keys.trading")


def signer(key: Key, authenticator: int | None = None) -> Signer:
    return Signer(
        chain_id="localdydxprotocol", key=key, account_number=42, authenticator=authenticator
    )


def cancel(flags: int, *, block: int | None = None, time: int | None = None) -> Cancel:
    return Cancel(
        subaccount=0,
        ticker="BTC-USD",
        clob_pair_id=0,
        client_id=5,
        order_flags=flags,
        good_til_block=block,
        good_til_block_time=time,
    )


def is_signed(encoded: bytes, key: Key, account_number: int) -> bool:
    tx = Tx.FromString(encoded)
    document = SignDoc(
        body_bytes=tx.body.SerializeToString(),
        auth_info_bytes=tx.auth_info.SerializeToString(),
        account_number=account_number,
        chain_id="localdydxprotocol",
    ).SerializeToString()
    signature = cdata_to_der(deserialize_compact(tx.signatures[0]))
    return PublicKey(key.public_key).verify(signature, document)


def test_a_reduction_is_a_reduce_only_order_that_cannot_rest(key: Key) -> None:
    encoded = sign_reduce(signer(key), OWNER, REDUCE)

    tx = Tx.FromString(encoded)
    (packed,) = tx.body.messages
    assert packed.type_url == "/dydxprotocol.clob.MsgPlaceOrder"
    order = MsgPlaceOrder.FromString(packed.value).order
    assert (order.order_id.subaccount_id.owner, order.order_id.subaccount_id.number) == (OWNER, 128)
    assert (order.order_id.client_id, order.order_id.clob_pair_id) == (0xFFFF_FFFE, 3)
    assert order.order_id.order_flags == 0
    assert order.side == Order.Side.SIDE_SELL
    assert (order.quantums, order.subticks) == (3_000_000, 9_985_000_000)
    assert order.good_til_block == 107
    assert order.time_in_force == Order.TimeInForce.TIME_IN_FORCE_IOC
    assert order.reduce_only is True
    assert order.client_metadata == 0x5EA  # what tells our fills in old rows of the indexer too
    assert order.condition_type == Order.ConditionType.CONDITION_TYPE_UNSPECIFIED
    assert not order.HasField("builder_code_parameters")


def test_a_short_position_is_reduced_by_a_buy(key: Key) -> None:
    bought = Reduce(**{**{f: getattr(REDUCE, f) for f in REDUCE.__slots__}, "side": Side.BUY})

    tx = Tx.FromString(sign_reduce(signer(key), OWNER, bought))

    order = MsgPlaceOrder.FromString(tx.body.messages[0].value).order
    assert order.side == Order.Side.SIDE_BUY


def test_an_order_message_is_free_and_has_no_timeout_height(key: Key) -> None:
    tx = Tx.FromString(sign_reduce(signer(key), OWNER, REDUCE))

    assert list(tx.auth_info.fee.amount) == []
    assert tx.auth_info.fee.gas_limit == 1_000_000
    assert tx.body.timeout_height == 0
    assert tx.auth_info.signer_infos[0].sequence == 0
    assert list(tx.body.non_critical_extension_options) == []
    assert tx.body.memo == "seawall"


@pytest.mark.parametrize("action", [REDUCE, TOP_UP])
def test_the_same_action_gives_the_same_bytes(key: Key, action: Reduce | TopUp) -> None:
    if isinstance(action, Reduce):
        assert sign_reduce(signer(key), OWNER, action) == sign_reduce(signer(key), OWNER, action)
    else:
        assert sign_top_up(signer(key), OWNER, action) == sign_top_up(signer(key), OWNER, action)


def test_signatures_verify_for_the_account_number_and_no_other(key: Key) -> None:
    encoded = sign_reduce(signer(key), OWNER, REDUCE)

    assert is_signed(encoded, key, 42)
    assert not is_signed(encoded, key, 43)


def test_a_permitted_key_names_its_authenticator(key: Key) -> None:
    tx = Tx.FromString(sign_reduce(signer(key, authenticator=9), OWNER, REDUCE))

    (packed,) = tx.body.non_critical_extension_options
    assert packed.type_url == "/dydxprotocol.accountplus.TxExtension"
    assert list(TxExtension.FromString(packed.value).selected_authenticators) == [9]


def test_a_top_up_ends_at_its_timeout_and_pays_a_fixed_fee(key: Key) -> None:
    encoded = sign_top_up(signer(key), OWNER, TOP_UP)

    tx = Tx.FromString(encoded)
    (packed,) = tx.body.messages
    assert packed.type_url == "/dydxprotocol.sending.MsgDepositToSubaccount"
    deposit = MsgDepositToSubaccount.FromString(packed.value)
    assert (deposit.sender, deposit.asset_id) == (key.address, 0)
    assert (deposit.recipient.owner, deposit.recipient.number) == (OWNER, 128)
    assert deposit.quantums == 250_000_000
    assert tx.body.timeout_height == 120
    assert tx.auth_info.signer_infos[0].sequence == 7
    assert tx.auth_info.fee.gas_limit == 200_000
    (coin,) = tx.auth_info.fee.amount
    assert coin.denom.startswith("ibc/8E27")
    assert coin.amount == "5000" == str(DEPOSIT_FEE_QUOTE)
    assert is_signed(encoded, key, 42)


@pytest.mark.parametrize(
    ("order_until", "height", "expected"),
    [
        (105, 100, 110),  # reaches past an order that ends sooner
        (110, 100, 110),
        (111, 100, 111),
        (140, 100, 140),  # never before the order's own end, or it would do nothing
        (None, 100, 110),
    ],
)
def test_a_short_term_cancel_never_ends_before_its_order(
    key: Key, order_until: int | None, height: int, expected: int
) -> None:
    encoded = sign_cancel(signer(key), OWNER, cancel(0, block=order_until), height, Millis(1))

    tx = Tx.FromString(encoded)
    message = MsgCancelOrder.FromString(tx.body.messages[0].value)
    assert message.good_til_block == expected
    assert (message.order_id.client_id, message.order_id.order_flags) == (5, 0)
    assert tx.auth_info.signer_infos[0].sequence == 0


@pytest.mark.parametrize("flags", [32, 64])
def test_a_stateful_cancel_carries_the_orders_time_and_a_timestamp_nonce(
    key: Key, flags: int
) -> None:
    nonce = Millis(1_700_000_000_000)

    encoded = sign_cancel(signer(key), OWNER, cancel(flags, time=1_700_009_999), 100, nonce)

    tx = Tx.FromString(encoded)
    message = MsgCancelOrder.FromString(tx.body.messages[0].value)
    assert message.good_til_block_time == 1_700_009_999
    assert message.order_id.order_flags == flags
    assert tx.auth_info.signer_infos[0].sequence == nonce >= 2**40


@pytest.mark.parametrize(
    ("name", "bits"),
    [("quantums", 64), ("subticks", 64), ("good_til_block", 32), ("client_id", 32)],
)
def test_a_number_that_its_wire_form_cannot_hold_is_a_programming_error(
    key: Key, name: str, bits: int
) -> None:
    fields = {field: getattr(REDUCE, field) for field in REDUCE.__slots__}

    encoded = sign_reduce(signer(key), OWNER, Reduce(**{**fields, name: 2**bits - 1}))

    order = MsgPlaceOrder.FromString(Tx.FromString(encoded).body.messages[0].value).order
    held = order.order_id if name == "client_id" else order
    assert getattr(held, name) == 2**bits - 1
    with pytest.raises(AssertionError):
        sign_reduce(signer(key), OWNER, Reduce(**{**fields, name: 2**bits}))


@pytest.mark.parametrize("name", ["quantums", "subticks", "good_til_block"])
def test_an_order_of_nothing_is_a_programming_error(key: Key, name: str) -> None:
    changed = Reduce(**{**{f: getattr(REDUCE, f) for f in REDUCE.__slots__}, name: 0})

    with pytest.raises(AssertionError):
        sign_reduce(signer(key), OWNER, changed)
