"""From an action to the signed bytes that go out, built from integers only.

The same action always gives the same bytes: short-term orders carry no sequence, and signatures
are deterministic. So a lost answer can be asked for again without a second order.
Wire forms: ORDERS.md sections 1.1, 2.3, 5.3, 5.4, 6.1, 7.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from dydx_v4_client.node.builder import as_any, get_signature, get_signer_info
from google.protobuf.message import Message
from v4_proto.cosmos.base.v1beta1.coin_pb2 import Coin
from v4_proto.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from v4_proto.cosmos.tx.v1beta1.tx_pb2 import AuthInfo, Fee, Tx, TxBody
from v4_proto.dydxprotocol.accountplus.tx_pb2 import TxExtension
from v4_proto.dydxprotocol.clob.order_pb2 import Order, OrderId
from v4_proto.dydxprotocol.clob.tx_pb2 import MsgCancelOrder, MsgPlaceOrder
from v4_proto.dydxprotocol.sending.transfer_pb2 import MsgDepositToSubaccount
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId

from seawall.account import Side
from seawall.action import CONDITIONAL, Backstop, Cancel, Reduce, TopUp
from seawall.margin import USDC_ASSET
from seawall.units import Millis
from seawall.venue.dydx.keys import Key
from seawall.venue.dydx.node import USDC_DENOM

CLIENT_METADATA = 0x5EA  # marks our orders in the indexer's rows
MEMO = "seawall"

SHORT_TERM = 0
CLOB_GAS = 1_000_000  # never charged: order messages are free of gas
DEPOSIT_GAS = 200_000
GAS_PRICE_THOUSANDTHS = 25  # 0.025 uusdc per gas
DEPOSIT_FEE_QUOTE = DEPOSIT_GAS * GAS_PRICE_THOUSANDTHS // 1_000

CANCEL_BLOCKS_AHEAD = 10  # a cancel also stops an order that is still under way
UINT32 = 2**32
UINT64 = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A key with the account whose number it signs for; `authenticator` is a permission's id."""

    chain_id: str
    key: Key
    account_number: int
    authenticator: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a transaction says beside its message; amounts in quote quantums."""

    sequence: int = 0
    gas: int = CLOB_GAS
    fee_quote: int = 0
    timeout_height: int = 0


def reduce_order(owner: str, action: Reduce) -> Order:
    """The immediate-or-cancel, reduce-only order of a reduction."""
    assert 0 < action.quantums < UINT64
    assert 0 < action.subticks < UINT64
    assert 0 < action.good_til_block < UINT32
    return Order(
        order_id=_order_id(owner, action, SHORT_TERM),
        side=Order.Side.SIDE_BUY if action.side is Side.BUY else Order.Side.SIDE_SELL,
        quantums=action.quantums,
        subticks=action.subticks,
        good_til_block=action.good_til_block,
        time_in_force=Order.TimeInForce.TIME_IN_FORCE_IOC,
        reduce_only=True,
        client_metadata=CLIENT_METADATA,
    )


def stop_order(owner: str, action: Backstop) -> Order:
    """The conditional order of a backstop: immediate-or-cancel, reduce-only, at its trigger."""
    assert 0 < action.quantums < UINT64
    assert 0 < action.subticks < UINT64
    assert 0 < action.trigger_subticks < UINT64
    assert 0 < action.good_til_block_time < UINT32
    return Order(
        order_id=_order_id(owner, action, CONDITIONAL),
        side=Order.Side.SIDE_BUY if action.side is Side.BUY else Order.Side.SIDE_SELL,
        quantums=action.quantums,
        subticks=action.subticks,
        good_til_block_time=action.good_til_block_time,
        time_in_force=Order.TimeInForce.TIME_IN_FORCE_IOC,
        reduce_only=True,
        client_metadata=CLIENT_METADATA,
        condition_type=Order.ConditionType.CONDITION_TYPE_STOP_LOSS,
        conditional_order_trigger_subticks=action.trigger_subticks,
    )


def sign_stop(signer: Signer, owner: str, action: Backstop, nonce: Millis) -> bytes:
    """The transaction of a backstop; `nonce` (block time) is its sequence.

    It ends with its timeout: what no block took by then never rests.
    """
    terms = Terms(sequence=nonce, timeout_height=action.timeout_height)
    return sign(signer, MsgPlaceOrder(order=stop_order(owner, action)), terms)


def sign_reduce(signer: Signer, owner: str, action: Reduce) -> bytes:
    """The transaction of a reduction."""
    return sign(signer, MsgPlaceOrder(order=reduce_order(owner, action)), Terms())


def cancel_message(owner: str, action: Cancel, height: int) -> MsgCancelOrder:
    """The cancel of a resting order.

    A cancel whose good-til is before the order's is accepted and does nothing, so it is never set
    before it; for a short-term order it reaches a little beyond, to meet an order under way.
    """
    order_id = _order_id(owner, action, action.order_flags)
    if action.order_flags == SHORT_TERM:
        good_til_block = max(action.good_til_block or height, height + CANCEL_BLOCKS_AHEAD)
        return MsgCancelOrder(order_id=order_id, good_til_block=good_til_block)
    assert action.good_til_block_time is not None
    return MsgCancelOrder(order_id=order_id, good_til_block_time=action.good_til_block_time)


def sign_cancel(signer: Signer, owner: str, action: Cancel, height: int, nonce: Millis) -> bytes:
    """The transaction of a cancel; `nonce` (block time) is the sequence where one is needed."""
    sequence = 0 if action.order_flags == SHORT_TERM else nonce
    return sign(signer, cancel_message(owner, action, height), Terms(sequence=sequence))


def sign_top_up(signer: Signer, owner: str, action: TopUp) -> bytes:
    """The transaction of a deposit: the judged sequence, fixed gas and fee, and an end."""
    assert 0 < action.amount < UINT64
    assert action.timeout_height > 0
    message = MsgDepositToSubaccount(
        sender=signer.key.address,
        recipient=SubaccountId(owner=owner, number=action.subaccount),
        asset_id=USDC_ASSET,
        quantums=action.amount,
    )
    terms = Terms(
        sequence=action.sequence,
        gas=DEPOSIT_GAS,
        fee_quote=DEPOSIT_FEE_QUOTE,
        timeout_height=action.timeout_height,
    )
    return sign(signer, message, terms)


def sign(signer: Signer, message: Message, terms: Terms) -> bytes:
    """A signed transaction of one message in its wire form."""
    body, fee = transaction_parts(message, terms, authenticator=signer.authenticator)
    auth_info = AuthInfo(
        signer_infos=[get_signer_info(PubKey(key=signer.key.public_key), terms.sequence)], fee=fee
    )
    signature = get_signature(signer.key, body, auth_info, signer.account_number, signer.chain_id)
    encoded: bytes = Tx(body=body, auth_info=auth_info, signatures=[signature]).SerializeToString()
    return encoded


def transaction_parts(
    message: Message, terms: Terms, *, authenticator: int | None = None
) -> tuple[TxBody, Fee]:
    """Body and fee of a transaction of one message, which are signed together."""
    extensions = []
    if authenticator is not None:
        extensions.append(as_any(TxExtension(selected_authenticators=[authenticator])))
    body = TxBody(
        messages=[as_any(message)],
        memo=MEMO,
        timeout_height=terms.timeout_height,
        non_critical_extension_options=extensions,
    )
    coins = [Coin(denom=USDC_DENOM, amount=str(terms.fee_quote))] if terms.fee_quote else []
    return body, Fee(amount=coins, gas_limit=terms.gas)


def _order_id(owner: str, action: Reduce | Cancel | Backstop, flags: int) -> OrderId:
    assert 0 <= action.client_id < UINT32
    return OrderId(
        subaccount_id=SubaccountId(owner=owner, number=action.subaccount),
        client_id=action.client_id,
        order_flags=flags,
        clob_pair_id=action.clob_pair_id,
    )
