"""Giving and taking permissions: the owner's transactions, signed here or carried elsewhere.

The owner's key need never be where the guard is. A transaction is either signed with it, on a
machine without a network if wished, or printed unsigned as the JSON document that
`dydxprotocold tx sign` and other Cosmos wallets take.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from v4_proto.cosmos.tx.v1beta1.tx_pb2 import AuthInfo, Fee, Tx, TxBody
from v4_proto.dydxprotocol.accountplus.tx_pb2 import MsgAddAuthenticator, MsgRemoveAuthenticator

from seawall.errors import OperatorError
from seawall.venue.dydx.orders import Signer, Terms, sign, transaction_parts
from seawall.venue.dydx.permission import ALL_OF

GRANT_GAS = 300_000
GAS_PRICE_THOUSANDTHS = 25  # 0.025 uusdc per gas
GRANT_FEE_QUOTE = GRANT_GAS * GAS_PRICE_THOUSANDTHS // 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """The owner's account as a transaction names it."""

    chain_id: str
    account_number: int
    sequence: int

    @property
    def terms(self) -> Terms:
        """What a transaction of the owner says beside its message."""
        return Terms(sequence=self.sequence, gas=GRANT_GAS, fee_quote=GRANT_FEE_QUOTE)


def add_message(owner: str, config: bytes) -> MsgAddAuthenticator:
    """The message that gives a permission composed by `permission.compose`."""
    return MsgAddAuthenticator(sender=owner, authenticator_type=ALL_OF, data=config)


def remove_message(owner: str, number: int) -> MsgRemoveAuthenticator:
    """The message that takes a permission back."""
    return MsgRemoveAuthenticator(sender=owner, id=number)


def signed(signer: Signer, message: Message, payer: Payer) -> bytes:
    """The owner's signed transaction."""
    return sign(signer, message, payer.terms)


def unsigned_document(message: Message, payer: Payer | None) -> str:
    """A transaction to be signed elsewhere, as JSON; numbers of the account are the signer's."""
    terms = Terms(gas=GRANT_GAS, fee_quote=GRANT_FEE_QUOTE) if payer is None else payer.terms
    body, fee = transaction_parts(message, terms)
    return json.dumps(
        {
            "body": _as_json(body),
            "auth_info": {"signer_infos": [], "fee": _as_json(fee)},
            "signatures": [],
        },
        indent=2,
    )


def _as_json(message: TxBody | Fee | AuthInfo) -> object:
    shown: object = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return shown


def written(encoded: bytes) -> str:
    """A signed transaction as text that a file or a terminal can carry."""
    return base64.b64encode(encoded).decode()


def read_signed(text: str, owner: str) -> bytes:
    """The signed transaction of a text; raises OperatorError where it is none of ours.

    Only permissions of the owner are carried: a file from elsewhere must not move money.
    """
    try:
        encoded = base64.b64decode("".join(text.split()), validate=True)
        transaction = Tx.FromString(encoded)
    except (binascii.Error, DecodeError):
        raise OperatorError(
            "not a signed transaction: the base64 text that `keys grant --owner` prints is expected"
        ) from None
    for packed in transaction.body.messages:
        message = MsgAddAuthenticator(), MsgRemoveAuthenticator()
        if not any(packed.Is(each.DESCRIPTOR) for each in message):
            raise OperatorError(
                f"holds {packed.type_url}: only permissions are given and taken by this command"
            )
        sender = next(each.sender for each in message if packed.Unpack(each))
        if sender != owner:
            raise OperatorError(f"is of {sender}, but account.address is {owner}")
    if not transaction.body.messages or not transaction.signatures:
        raise OperatorError("has no message or no signature: sign it first")
    return encoded
