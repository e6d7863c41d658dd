"""Proving on the chain what a key cannot do: it is tried, with amounts that harm nobody.

Each probe is a real transaction under a permission, signed by the trading key, over a millionth of
a dollar from the owner to the owner. The chain judges the permission when a transaction arrives:
one that it refuses costs nothing and changes nothing. One that it takes proves the contrary, and
costs the owner its fee. What a filter cannot see (new permissions, foreign recipients) follows from
the message type, and is read from the permission itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from google.protobuf.message import Message
from v4_proto.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from v4_proto.cosmos.base.v1beta1.coin_pb2 import Coin
from v4_proto.dydxprotocol.clob.order_pb2 import OrderId
from v4_proto.dydxprotocol.clob.tx_pb2 import MsgCancelOrder
from v4_proto.dydxprotocol.sending.transfer_pb2 import (
    MsgDepositToSubaccount,
    MsgWithdrawFromSubaccount,
    Transfer,
)
from v4_proto.dydxprotocol.sending.tx_pb2 import MsgCreateTransfer
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId

from seawall.account import PARENTS
from seawall.margin import USDC_ASSET
from seawall.venue import Reply
from seawall.venue.dydx.node import USDC_DENOM
from seawall.venue.dydx.orders import (
    CANCEL_BLOCKS_AHEAD,
    DEPOSIT_FEE_QUOTE,
    DEPOSIT_GAS,
    SHORT_TERM,
    Signer,
    Terms,
    sign,
)

CODESPACE = "dydxaccountplus"  # of whatever a permission refuses
LEAST = 1  # quote quantum, a millionth of a dollar
CLIENT_ID = 0x5EA_0000  # of an order that never was

Send = Callable[[bytes], Awaitable[Reply]]


class Verdict(StrEnum):
    """What a probe showed."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    OPEN = "not proven"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One probe: what was tried, and what the chain said."""

    what: str
    verdict: Verdict
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose account the key is tried on; `sequence` is its committed one."""

    owner: str
    subaccount: int
    clob_pair: int
    sequence: int
    height: int


async def prove(send: Send, signer: Signer, account: Account) -> tuple[Finding, ...]:
    """What the chain says to a cancel, and to each way of moving money, by the signer's key."""
    findings = [await _try_cancel(send, signer, account)]
    sequence = account.sequence
    for what, message in _ways_of_moving_money(account):
        terms = Terms(sequence=sequence, gas=DEPOSIT_GAS, fee_quote=DEPOSIT_FEE_QUOTE)
        reply = await send(sign(signer, message, terms))
        finding = Finding(what=what, verdict=_verdict(reply), said=_words(reply))
        sequence += 1 if finding.verdict is Verdict.ACCEPTED else 0
        findings.append(finding)
    return tuple(findings)


async def _try_cancel(send: Send, signer: Signer, account: Account) -> Finding:
    order_id = OrderId(
        subaccount_id=SubaccountId(owner=account.owner, number=account.subaccount),
        client_id=CLIENT_ID,
        order_flags=SHORT_TERM,
        clob_pair_id=account.clob_pair,
    )
    until = account.height + CANCEL_BLOCKS_AHEAD
    message = MsgCancelOrder(order_id=order_id, good_til_block=until)
    reply = await send(sign(signer, message, Terms()))
    return Finding(what="cancel an order", verdict=_verdict(reply), said=_words(reply))


def _ways_of_moving_money(account: Account) -> tuple[tuple[str, Message], ...]:
    here = SubaccountId(owner=account.owner, number=account.subaccount)
    child = SubaccountId(owner=account.owner, number=account.subaccount + PARENTS)
    return (
        (
            "withdraw",
            MsgWithdrawFromSubaccount(
                sender=here, recipient=account.owner, asset_id=USDC_ASSET, quantums=LEAST
            ),
        ),
        (
            "transfer",
            MsgCreateTransfer(
                transfer=Transfer(sender=here, recipient=child, asset_id=USDC_ASSET, amount=LEAST)
            ),
        ),
        (
            "deposit",
            MsgDepositToSubaccount(
                sender=account.owner, recipient=here, asset_id=USDC_ASSET, quantums=LEAST
            ),
        ),
        (
            "send",
            MsgSend(
                from_address=account.owner,
                to_address=account.owner,
                amount=[Coin(denom=USDC_DENOM, amount=str(LEAST))],
            ),
        ),
    )


def with_permission(signer: Signer, number: int) -> Signer:
    """The signer under another permission."""
    return replace(signer, authenticator=number)


def _verdict(reply: Reply) -> Verdict:
    if reply.is_accepted:
        return Verdict.ACCEPTED
    if reply.codespace == CODESPACE and not reply.is_unknown:
        return Verdict.REFUSED
    return Verdict.OPEN


def _words(reply: Reply) -> str:
    verdict = _verdict(reply)
    match verdict:
        case Verdict.ACCEPTED:
            return "the chain took it"
        case Verdict.REFUSED:
            return f"the permission refuses it ({reply.codespace} {reply.code})"
        case Verdict.OPEN:
            said = f"{reply.codespace} {reply.code} {reply.log}".strip()
            return f"the chain stopped before it asked the permission: {said}"
        case _:
            assert_never(verdict)
