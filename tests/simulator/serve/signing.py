"""Transactions built by hand: every field of the envelope is the test's choice."""

from __future__ import annotations

from dataclasses import dataclass, field

from dydx_v4_client.key_pair import KeyPair
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

from seawall.simulator.envelope import USDC_DENOM
from seawall.simulator.keys import DemoKey

GAS = 200_000
ENOUGH_FEE = 5_000


@dataclass(kw_only=True)
class Envelope:
    """What surrounds a message; the defaults are right for a first transaction."""

    key: DemoKey
    account_number: int = 0
    sequence: int = 0
    chain_id: str = "seawall-sim-1"
    timeout_height: int = 0
    fee: int = ENOUGH_FEE
    gas: int = GAS
    memo: str = ""
    authenticators: list[int] = field(default_factory=list)

    def sign(self, *messages: Message) -> bytes:
        """The bytes to broadcast."""
        pair = KeyPair.from_mnemonic(self.key.mnemonic)
        body = TxBody(
            messages=[as_any(message) for message in messages],
            memo=self.memo,
            timeout_height=self.timeout_height,
        )
        if self.authenticators:
            extension = TxExtension(selected_authenticators=self.authenticators)
            body.non_critical_extension_options.append(as_any(extension))
        coins = [Coin(denom=USDC_DENOM, amount=str(self.fee))] if self.fee else []
        public = PubKey(key=pair.public_key_bytes)
        auth = AuthInfo(
            signer_infos=[get_signer_info(public, self.sequence)],
            fee=Fee(amount=coins, gas_limit=self.gas),
        )
        signature = get_signature(pair, body, auth, self.account_number, self.chain_id)
        tx = Tx(body=body, auth_info=auth, signatures=[signature])
        return bytes(tx.SerializeToString())


def deposit(key: DemoKey, quantums: int, number: int = 0) -> Message:
    """A deposit from a key's wallet into its own subaccount."""
    message: Message = MsgDepositToSubaccount(
        sender=key.address,
        recipient=SubaccountId(owner=key.address, number=number),
        quantums=quantums,
    )
    return message


def order(key: DemoKey, client_id: int = 1, good_til_block: int = 20, flags: int = 0) -> Message:
    """A small resting buy of BTC, far from the market."""
    placed = Order(
        order_id=OrderId(
            subaccount_id=SubaccountId(owner=key.address),
            client_id=client_id,
            order_flags=flags,
        ),
        side=Order.Side.SIDE_BUY,
        quantums=10_000_000,
        subticks=5_000_000_000,  # $50,000
    )
    if flags:
        placed.good_til_block_time = good_til_block
    else:
        placed.good_til_block = good_til_block
    message: Message = MsgPlaceOrder(order=placed)
    return message


def cancel(key: DemoKey, client_id: int = 1, good_til_block: int = 20) -> Message:
    """A cancel of a short-term BTC order."""
    name = OrderId(subaccount_id=SubaccountId(owner=key.address), client_id=client_id)
    message: Message = MsgCancelOrder(order_id=name, good_til_block=good_til_block)
    return message
