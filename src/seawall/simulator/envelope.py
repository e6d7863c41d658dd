"""A transaction as it arrives: bytes to messages, fee and signature, before any state is asked.

Only SIGN_MODE_DIRECT with one secp256k1 signer is read, as the chain's clients sign. What cannot be
read is answered with the code that the chain gives. Sources: reference ORDERS.md sections 4.3, 5.3
and 5.4; cosmos-sdk x/auth/tx and x/auth/ante.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from bip_utils import AtomAddrDecoder, AtomAddrEncoder
from coincurve import PublicKey
from coincurve.ecdsa import cdata_to_der, deserialize_compact
from google.protobuf.message import DecodeError
from v4_proto.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from v4_proto.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from v4_proto.cosmos.tx.signing.v1beta1.signing_pb2 import SIGN_MODE_DIRECT
from v4_proto.cosmos.tx.v1beta1.tx_pb2 import AuthInfo, SignDoc, TxBody, TxRaw
from v4_proto.dydxprotocol.accountplus.tx_pb2 import (
    MsgAddAuthenticator,
    MsgRemoveAuthenticator,
    TxExtension,
)
from v4_proto.dydxprotocol.clob.order_pb2 import Order as WireOrder
from v4_proto.dydxprotocol.clob.order_pb2 import OrderId as WireOrderId
from v4_proto.dydxprotocol.clob.tx_pb2 import MsgBatchCancel, MsgCancelOrder, MsgPlaceOrder
from v4_proto.dydxprotocol.sending.transfer_pb2 import (
    MsgDepositToSubaccount,
    MsgWithdrawFromSubaccount,
)
from v4_proto.dydxprotocol.sending.tx_pb2 import MsgCreateTransfer
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId as WireSubaccountId

from seawall.account import Side
from seawall.simulator import leverage_wire
from seawall.simulator.messages import (
    FREE_OF_GAS,
    AddAuthenticator,
    BatchCancel,
    CancelOrder,
    CheckResult,
    Deposit,
    Message,
    OrderId,
    PlaceOrder,
    RemoveAuthenticator,
    Send,
    SubaccountId,
    Transfer,
    Withdraw,
    is_short_term,
    signer_of,
)
from seawall.simulator.order_wire import read_extras

ADDRESS_PREFIX = "dydx"
USDC_DENOM = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"
SIGNATURE_BYTES = 64
PUBLIC_KEY_BYTES = 33
AMOUNT = re.compile(r"-?[0-9]{1,78}")
AMOUNT_BITS = 256
AMOUNT_SHOWN = 100
SIDES: Mapping[int, Side] = {1: Side.BUY, 2: Side.SELL}


class CannotDecode(Exception):
    """The bytes are no transaction that this venue knows; `result` is the answer to give."""

    def __init__(self, result: CheckResult) -> None:
        self.result = result
        super().__init__(result.log)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coin:
    """An amount of one denomination in its smallest unit."""

    denom: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A decoded transaction; its signature is read but not yet judged."""

    hash: str  # upper-case hex, as GetTx takes it
    raw: bytes
    messages: tuple[Message, ...]
    signer: str
    body: bytes
    auth_info: bytes
    signature: bytes
    public_key: bytes
    sequence: int
    fee: tuple[Coin, ...]
    gas_limit: int
    timeout_height: int
    memo: str
    authenticators: tuple[int, ...]  # permissioned keys selected by the sender

    @property
    def is_short_term(self) -> bool:
        """Whether every message is a short-term one: no sequence, no place in a block."""
        return all(is_short_term(message) for message in self.messages)

    @property
    def is_clob(self) -> bool:
        """Whether it places or cancels orders: then all of it is free of gas and fee."""
        return any(isinstance(m, FREE_OF_GAS) for m in self.messages)


def refuse(code: int, log: str, codespace: str = "sdk") -> CheckResult:
    """A refusal of the chain's own layers, outside the exchange."""
    return CheckResult(code=code, codespace=codespace, log=log)


def hash_of(raw: bytes) -> str:
    """Name of a transaction: SHA-256 of its bytes in upper-case hex."""
    return hashlib.sha256(raw).hexdigest().upper()


@lru_cache(maxsize=1024)
def address_of(public_key: bytes) -> str:
    """The dYdX address of a compressed public key; empty for bytes that are no key."""
    if len(public_key) != PUBLIC_KEY_BYTES:
        return ""
    try:
        return str(AtomAddrEncoder.EncodeKey(public_key, hrp=ADDRESS_PREFIX))
    except ValueError:  # not a point of the curve
        return ""


@lru_cache(maxsize=1024)
def is_address(words: str) -> bool:
    """Whether the words are an address of the chain."""
    try:
        AtomAddrDecoder.DecodeAddr(words, hrp=ADDRESS_PREFIX)
    except ValueError:
        return False
    return True


def decode(raw: bytes) -> Transaction:
    """The transaction in `raw`; raises CannotDecode with the chain's answer where it has none."""
    try:
        wire = TxRaw.FromString(raw)
        body = TxBody.FromString(wire.body_bytes)
        auth = AuthInfo.FromString(wire.auth_info_bytes)
        messages = tuple(_message(any_.type_url, any_.value) for any_ in body.messages)
        authenticators = _authenticators(body)
        fee = tuple(Coin(denom=c.denom, amount=_amount(c.amount)) for c in auth.fee.amount)
    except (DecodeError, ValueError) as error:  # ValueError: text that is not UTF-8
        raise CannotDecode(refuse(2, f"tx parse error: {error}")) from error
    if not messages:
        raise CannotDecode(refuse(18, "must contain at least one message: invalid request"))
    if len(auth.signer_infos) != 1 or len(wire.signatures) != 1:
        counts = f"expected 1, got {len(auth.signer_infos)}; signatures {len(wire.signatures)}"
        raise CannotDecode(refuse(4, f"wrong number of signers; {counts}: unauthorized"))
    signer_info = auth.signer_infos[0]
    if signer_info.mode_info.single.mode != SIGN_MODE_DIRECT:
        raise CannotDecode(refuse(4, "only SIGN_MODE_DIRECT is supported: unauthorized"))
    return Transaction(
        hash=hash_of(raw),
        raw=raw,
        messages=messages,
        signer=signer_of(messages[0]),
        body=wire.body_bytes,
        auth_info=wire.auth_info_bytes,
        signature=wire.signatures[0],
        public_key=_public_key(signer_info.public_key.value),
        sequence=signer_info.sequence,
        fee=fee,
        gas_limit=auth.fee.gas_limit,
        timeout_height=body.timeout_height,
        memo=body.memo,
        authenticators=authenticators,
    )


def is_signed(tx: Transaction, chain_id: str, account_number: int) -> bool:
    """Whether the signature covers these bytes for this chain and account."""
    if len(tx.signature) != SIGNATURE_BYTES or len(tx.public_key) != PUBLIC_KEY_BYTES:
        return False
    document = SignDoc(
        body_bytes=tx.body,
        auth_info_bytes=tx.auth_info,
        chain_id=chain_id,
        account_number=account_number,
    ).SerializeToString()
    try:
        signature = cdata_to_der(deserialize_compact(tx.signature))
        return bool(PublicKey(tx.public_key).verify(signature, document))
    except ValueError:  # not a point of the curve, or not a signature
        return False


def subaccount_id(wire: WireSubaccountId) -> SubaccountId:
    """A subaccount's name from the wire."""
    return SubaccountId(owner=wire.owner, number=wire.number)


def order_id(wire: WireOrderId) -> OrderId:
    """An order's name from the wire."""
    return OrderId(
        subaccount=subaccount_id(wire.subaccount_id),
        client_id=wire.client_id,
        order_flags=wire.order_flags,
        clob_pair_id=wire.clob_pair_id,
    )


def _public_key(wire: bytes) -> bytes:
    try:
        return bytes(PubKey.FromString(wire).key)
    except DecodeError:
        return b""


def _amount(words: str) -> int:
    """An amount as the chain's integers are written: decimal digits, at most 256 bits."""
    if not AMOUNT.fullmatch(words or "0") or int(words or "0").bit_length() > AMOUNT_BITS:
        raise DecodeError(f"{words[:AMOUNT_SHOWN]!r} is not an amount")
    return int(words or "0")


def _authenticators(body: TxBody) -> tuple[int, ...]:
    for option in body.non_critical_extension_options:
        if option.type_url == "/dydxprotocol.accountplus.TxExtension":
            return tuple(TxExtension.FromString(option.value).selected_authenticators)
    return ()


def _message(type_url: str, value: bytes) -> Message:
    read = _READERS.get(type_url)
    if read is None:
        log = f"unable to resolve type URL {type_url}: tx parse error (not served by this venue)"
        raise CannotDecode(refuse(2, log))
    return read(value)


def _place_order(value: bytes) -> Message:
    wire: WireOrder = MsgPlaceOrder.FromString(value).order
    extras = read_extras(wire.SerializeToString())
    return PlaceOrder(
        twap=extras.twap,
        builder=extras.builder,
        router=extras.router,
        order_id=order_id(wire.order_id),
        side=SIDES.get(wire.side),
        quantums=wire.quantums,
        subticks=wire.subticks,
        good_til_block=wire.good_til_block,
        good_til_block_time=wire.good_til_block_time,
        time_in_force=wire.time_in_force,
        reduce_only=wire.reduce_only,
        client_metadata=wire.client_metadata,
        condition_type=wire.condition_type,
        trigger_subticks=wire.conditional_order_trigger_subticks,
    )


def _cancel_order(value: bytes) -> Message:
    wire = MsgCancelOrder.FromString(value)
    return CancelOrder(
        order_id=order_id(wire.order_id),
        good_til_block=wire.good_til_block,
        good_til_block_time=wire.good_til_block_time,
    )


def _batch_cancel(value: bytes) -> Message:
    wire = MsgBatchCancel.FromString(value)
    return BatchCancel(
        subaccount=subaccount_id(wire.subaccount_id),
        cancels=tuple((b.clob_pair_id, tuple(b.client_ids)) for b in wire.short_term_cancels),
        good_til_block=wire.good_til_block,
    )


def _deposit(value: bytes) -> Message:
    wire = MsgDepositToSubaccount.FromString(value)
    return Deposit(
        sender=wire.sender,
        recipient=subaccount_id(wire.recipient),
        quantums=wire.quantums,
        asset_id=wire.asset_id,
    )


def _withdraw(value: bytes) -> Message:
    wire = MsgWithdrawFromSubaccount.FromString(value)
    return Withdraw(
        sender=subaccount_id(wire.sender),
        recipient=wire.recipient,
        quantums=wire.quantums,
        asset_id=wire.asset_id,
    )


def _transfer(value: bytes) -> Message:
    wire = MsgCreateTransfer.FromString(value).transfer
    return Transfer(
        sender=subaccount_id(wire.sender),
        recipient=subaccount_id(wire.recipient),
        amount=wire.amount,
        asset_id=wire.asset_id,
    )


def _send(value: bytes) -> Message:
    wire = MsgSend.FromString(value)
    if len(wire.amount) != 1 or wire.amount[0].denom != USDC_DENOM:
        denoms = ", ".join(coin.denom for coin in wire.amount) or "none"
        raise CannotDecode(refuse(5, f"this venue holds USDC only, got {denoms}"))
    return Send(
        sender=wire.from_address,
        recipient=wire.to_address,
        amount=_amount(wire.amount[0].amount),
    )


def _add_authenticator(value: bytes) -> Message:
    wire = MsgAddAuthenticator.FromString(value)
    return AddAuthenticator(sender=wire.sender, kind=wire.authenticator_type, data=wire.data)


def _remove_authenticator(value: bytes) -> Message:
    wire = MsgRemoveAuthenticator.FromString(value)
    return RemoveAuthenticator(sender=wire.sender, id=wire.id)


_READERS: Mapping[str, Callable[[bytes], Message]] = {
    "/dydxprotocol.clob.MsgPlaceOrder": _place_order,
    "/dydxprotocol.clob.MsgCancelOrder": _cancel_order,
    "/dydxprotocol.clob.MsgBatchCancel": _batch_cancel,
    "/dydxprotocol.clob.MsgUpdateLeverage": leverage_wire.read_update,
    "/dydxprotocol.sending.MsgDepositToSubaccount": _deposit,
    "/dydxprotocol.sending.MsgWithdrawFromSubaccount": _withdraw,
    "/dydxprotocol.sending.MsgCreateTransfer": _transfer,
    "/cosmos.bank.v1beta1.MsgSend": _send,
    "/dydxprotocol.accountplus.MsgAddAuthenticator": _add_authenticator,
    "/dydxprotocol.accountplus.MsgRemoveAuthenticator": _remove_authenticator,
}
