"""Wallets: bank balances, account numbers and sequences, and the messages that move money.

Deposits, withdrawals, transfers and sends are checked for form when they arrive and carried out in
their block, where they may fail (reference ORDERS.md sections 5.3, 5.4 and 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from seawall.simulator.events import TransferEvent, TransferKind
from seawall.simulator.exchange import Exchange
from seawall.simulator.messages import (
    ACCEPTED,
    USDC_ASSET,
    CheckResult,
    Deposit,
    Send,
    SubaccountId,
    Transfer,
    TransferMessage,
    Withdraw,
)
from seawall.simulator.orders import bad_subaccount
from seawall.simulator.ruler import Verdict
from seawall.simulator.state import BLOCKED_FOR_BLOCKS, AccountState
from seawall.simulator.updates import verdict
from seawall.units import QuoteQuantums

FAILED_UPDATE = 102


class Gate(StrEnum):
    """What the transfer gate refuses while it is up.

    That it refuses deposits too is known by reading only, so it can be switched.
    """

    DEPOSITS_TOO = "DEPOSITS_TOO"
    SPARES_DEPOSITS = "SPARES_DEPOSITS"
    OFF = "OFF"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """The gate's rule and the heights that raised it."""

    rule: Gate
    negative: Mapping[int | None, int] = field(default_factory=dict)  # by collateral pool
    outage: int | None = None  # concerns every pool

    def is_up(self, pool: int | None, height: int) -> bool:
        """Whether a pool's money may not move in the block of that height (MARGIN.md 4.6)."""
        seen = (self.negative.get(pool), self.outage)
        return any(at is not None and height - at < BLOCKED_FOR_BLOCKS for at in seen)

    def refuses(self, message: TransferMessage, exchange: Exchange) -> bool:
        """Whether a message may not move money in the block being made; one pool refuses all."""
        if self.rule is Gate.OFF or isinstance(message, Send):
            return False
        if self.rule is Gate.SPARES_DEPOSITS and isinstance(message, Deposit):
            return False
        ends = (message.sender, message.recipient)
        concerned = {exchange.pool_of(one) for one in ends if isinstance(one, SubaccountId)}
        return any(self.is_up(pool, exchange.height) for pool in concerned)


_KINDS = {
    Deposit: TransferKind.DEPOSIT,
    Withdraw: TransferKind.WITHDRAWAL,
    Transfer: TransferKind.TRANSFER,
    Send: TransferKind.SEND,
}


class Wallets:
    """Every address the chain has seen."""

    def __init__(self, known: Mapping[str, AccountState] | None = None) -> None:
        self.known: dict[str, AccountState] = dict(known or {})

    def credit(self, address: str, amount: int) -> AccountState:
        """Add USDC to a wallet; an unknown address becomes an account."""
        wallet = self.known.get(address) or AccountState(
            address=address,
            account_number=len(self.known),
            sequence=0,
            balance=QuoteQuantums(0),
        )
        wallet = replace(wallet, balance=QuoteQuantums(wallet.balance + amount))
        self.known[address] = wallet
        return wallet

    def debit(self, address: str, amount: int) -> CheckResult:
        """Take USDC from a wallet; sdk 5 where it has less."""
        wallet = self.known.get(address)
        balance = wallet.balance if wallet else 0
        if wallet is None or balance < amount:
            log = f"spendable balance {balance} is smaller than {amount}: insufficient funds"
            return CheckResult(code=5, codespace="sdk", log=log)
        self.known[address] = replace(wallet, balance=QuoteQuantums(wallet.balance - amount))
        return ACCEPTED

    def increment_sequence(self, address: str) -> None:
        """Count one sequence of a known address."""
        wallet = self.known[address]
        self.known[address] = replace(wallet, sequence=wallet.sequence + 1)


def refuse_transfer(message: TransferMessage) -> CheckResult | None:
    """What is wrong with the form of a money message; None where nothing is.

    The bank looks at the amount of a send in the block only (cosmos-sdk 0.50, msgServer.Send).
    """
    ends = (message.sender, message.recipient)
    for end in ends:
        if isinstance(end, SubaccountId) and (bad := bad_subaccount(end)):
            return bad
    if ends[0] == ends[1] and isinstance(message, Transfer):
        return CheckResult(code=1, codespace="sending", log="sender is the recipient")
    if not isinstance(message, Send) and message.asset_id != USDC_ASSET:
        log = f"asset {message.asset_id} is not USDC (0)"
        return CheckResult(code=1101, codespace="sending", log=log)
    if not isinstance(message, Send) and amount_of(message) <= 0:
        log = f"amount {amount_of(message)} is not above 0"
        return CheckResult(code=2, codespace="sending", log=log)
    return None


def carry_out(
    exchange: Exchange, wallets: Wallets, message: TransferMessage, gate: GateState, tx: str
) -> CheckResult:
    """Move the money of a message in its block; the chain's refusal where it may not move."""
    if gate.refuses(message, exchange):
        return _failed_update(Verdict.BLOCKED)
    if isinstance(message, Send) and message.amount <= 0:
        return CheckResult(code=10, codespace="sdk", log=f"{message.amount}: invalid coins")
    paid = _debit(exchange, wallets, message)
    if not paid.is_accepted:
        return paid
    amount = amount_of(message)
    recipient = message.recipient
    if isinstance(recipient, str):
        wallets.credit(recipient, amount)
    else:
        before = exchange.settled(recipient)
        exchange.store(replace(before, usdc=QuoteQuantums(before.usdc + amount)))
    exchange.log.transfers.append(
        TransferEvent(
            kind=_KINDS[type(message)],
            sender=message.sender,
            recipient=recipient,
            amount=amount,
            tx=tx,
        )
    )
    return paid


def amount_of(message: TransferMessage) -> QuoteQuantums:
    """What a money message moves, in quote quantums."""
    match message:
        case Deposit() | Withdraw():
            return QuoteQuantums(message.quantums)
        case Transfer() | Send():
            return QuoteQuantums(message.amount)


def _debit(exchange: Exchange, wallets: Wallets, message: TransferMessage) -> CheckResult:
    """Take the money from where it is, if it is there and may leave."""
    amount = amount_of(message)
    if isinstance(message.sender, str):
        return wallets.debit(message.sender, amount)
    return _take(exchange, message.sender, amount)


def _take(exchange: Exchange, subaccount: SubaccountId, amount: int) -> CheckResult:
    """Debit a margin account if the state-transition rule lets the money go."""
    before = exchange.settled(subaccount)
    after = replace(before, usdc=QuoteQuantums(before.usdc - amount))
    judged = verdict(exchange, before, after)
    if judged is not Verdict.SUCCESS:
        return _failed_update(judged)
    exchange.store(after)
    return ACCEPTED


def _failed_update(why: Verdict) -> CheckResult:
    log = f"Subaccount update failed: {why}: failed to apply subaccount updates"
    return CheckResult(code=FAILED_UPDATE, codespace="subaccounts", log=log)
