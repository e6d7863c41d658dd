"""What a node does with a transaction before and after the exchange sees it.

Admission in the chain's order: bytes seen before, decoding, shape, timeout, account, fee, sequence,
key, signature, and last `Chain.check`. Sources: reference ORDERS.md sections 2.4, 4.3, 5.3,
5.4 and 7.1.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from seawall.simulator.ante import Ante, timed_out
from seawall.simulator.authenticators import Signed, refuse_data
from seawall.simulator.chain import Chain
from seawall.simulator.delivery import out_of_gas
from seawall.simulator.envelope import (
    USDC_DENOM,
    CannotDecode,
    Transaction,
    address_of,
    decode,
    hash_of,
    is_address,
    is_signed,
    refuse,
)
from seawall.simulator.events import Block, TxResult
from seawall.simulator.messages import (
    ACCEPTED,
    FREE_OF_GAS,
    AddAuthenticator,
    BatchCancel,
    CancelOrder,
    CheckResult,
    Deposit,
    Message,
    PlaceOrder,
    Send,
    SubaccountId,
    Transfer,
    TransferMessage,
    Withdraw,
    is_short_term,
    signer_of,
)
from seawall.simulator.orders import refuse_batch_form, refuse_cancel_form, refuse_form
from seawall.simulator.state import AccountState
from seawall.simulator.wallets import refuse_transfer
from seawall.units import Millis, QuoteQuantums

KNOWN_BYTES_BLOCKS = 40  # how long bytes are remembered, also those that were refused
NONCE_FROM = 2**40  # a sequence this large is a time in milliseconds
NONCE_WINDOW_MS = 30_000
NONCES_KEPT = 20
GAS_PRICE_MILLIONTHS = 25_000  # uusdc per gas
ANTE_GAS = 60_000  # used up before the message of a transaction runs
MEMO_MOST = 256  # characters
TX_BYTES_MOST = 1_048_576
INCLUDED_KEPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The answer to a broadcast: the transaction's hash and what CheckTx said."""

    hash: str
    result: CheckResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Included:
    """A transaction that a block holds; short-term orders never get here."""

    raw: bytes
    height: int
    time: Millis
    result: TxResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many broadcasts this node has answered, and how many with code 0."""

    received: int = 0
    accepted: int = 0


class Admission:
    """Admits transactions to a chain and remembers what blocks made of them."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._chain_id = chain.chain_id
        self._known: dict[str, int] = {}  # hash -> height at which it was first seen
        self._raw: dict[str, bytes] = {}
        self._included: dict[str, Included] = {}
        self._nonces: dict[str, _Nonces] = {}
        self.tally = Tally()

    def broadcast(self, raw: bytes, *, is_lost: bool = False) -> Receipt:
        """Run CheckTx on the bytes; code 0 says that they were taken, not what becomes of them.

        What is lost is judged up to its signature and known from now on, and no block gets it.
        """
        name = hash_of(raw)
        height = self._chain.committed.height
        if len(raw) > TX_BYTES_MOST:
            result = refuse(21, f"tx too large; {len(raw)} bytes, at most {TX_BYTES_MOST}")
        elif name in self._known:
            result = refuse(19, "tx already in mempool")
        else:
            self._known[name] = height
            result = self._admit(raw, is_lost=is_lost)
        self.tally = Tally(
            received=self.tally.received + 1,
            accepted=self.tally.accepted + int(result.is_accepted),
        )
        return Receipt(hash=name, result=result)

    def simulate(self, raw: bytes) -> CheckResult:
        """Whether the transaction would pass on committed state; signature and fee are not asked.

        A permissioned key's filters are, and the message is tried. Like the real node it reads
        committed state, so the second transaction of a sender within a block fails here.
        """
        try:
            tx = decode(raw)
        except CannotDecode as refusal:
            return refusal.result
        refused = self._refused_by_shape(tx)
        if refused is not None:
            return refused
        wallet = self._chain.committed.wallets.get(tx.signer)
        if wallet is None:
            return _unknown_address(tx.signer)
        if not tx.is_short_term and tx.sequence < NONCE_FROM and tx.sequence != wallet.sequence:
            return _wrong_sequence(wallet.sequence, tx.sequence)
        refused = self._refused_by_permission(tx, is_simulated=True)
        return refused or self._chain.rehearse(tx.messages)

    def _refused_by_permission(
        self, tx: Transaction, *, is_simulated: bool = False
    ) -> CheckResult | None:
        """What the selected authenticator says; None where none is selected."""
        if not tx.authenticators:
            return None
        for message, selected in zip(tx.messages, tx.authenticators, strict=True):
            signed = Signed(message=message, public_key=tx.public_key, is_simulated=is_simulated)
            refused = self._chain.permissions.refused(tx.signer, selected, signed)
            if refused is not None:
                return refused
        return None

    def find(self, name: str) -> Included | None:
        """The included transaction of that hash; None where no block holds one."""
        return self._included.get(name.upper())

    def note(self, block: Block) -> None:
        """Remember what a block did with its transactions and forget what has grown old."""
        for result in block.results:
            raw = self._raw.pop(result.tx, b"")
            self._included[result.tx] = Included(
                raw=raw, height=block.height, time=block.time, result=result
            )
        while len(self._included) > INCLUDED_KEPT:
            del self._included[next(iter(self._included))]
        oldest = block.height - KNOWN_BYTES_BLOCKS
        while self._known and (first := next(iter(self._known))) and self._known[first] < oldest:
            del self._known[first]

    def _admit(self, raw: bytes, *, is_lost: bool) -> CheckResult:
        try:
            tx = decode(raw)
        except CannotDecode as refusal:
            return refusal.result
        refused = self._refused_by_shape(tx)
        if refused is not None:
            return refused
        wallet = self._chain.pending_account(tx.signer)
        if wallet is None:
            return _unknown_address(tx.signer)
        fee = _fee(tx)
        refused = self._refused_by_account(tx, wallet, fee)
        if refused is not None or is_lost:
            return refused or ACCEPTED
        gas = None if tx.is_clob else tx.gas_limit
        ante = None if tx.is_short_term else _ante(tx, fee)
        messages = _under(tx)
        if len(messages) == 1:
            result = self._chain.check(messages[0], tx.hash, gas, ante)
        else:
            result = self._chain.check_all(messages, tx.hash, gas, ante)
        assert tx.is_clob or result.is_accepted, result.log
        if result.is_accepted and not tx.is_short_term:
            self._raw[tx.hash] = raw
            if tx.sequence >= NONCE_FROM:
                self._nonces[tx.signer].remember(tx.sequence)
        return result

    def _refused_by_shape(self, tx: Transaction) -> CheckResult | None:
        malformed = next(filter(None, map(_refuse_form, tx.messages)), None) or _refuse_bundle(tx)
        if malformed is not None:
            return malformed
        message = tx.messages[0]
        good_til = message.good_til_block if isinstance(message, PlaceOrder) else 0
        if tx.is_short_term and 0 < tx.timeout_height < good_til:
            log = f"timeout height {tx.timeout_height} is below good til block {good_til}"
            return refuse(18, f"{log}: invalid request")
        if tx.timeout_height and self._chain.committed.height > tx.timeout_height:
            return timed_out(self._chain.committed.height, tx.timeout_height)
        if len(tx.memo) > MEMO_MOST:
            log = f"maximum number of characters is {MEMO_MOST} but received {len(tx.memo)}"
            return refuse(12, f"{log} characters: memo too large")
        if tx.authenticators and len(tx.authenticators) != len(tx.messages):
            log = f"{len(tx.authenticators)} authenticators for {len(tx.messages)} messages"
            return refuse(18, f"{log}: invalid request")
        return None

    def _refused_by_account(
        self, tx: Transaction, wallet: AccountState, fee: QuoteQuantums
    ) -> CheckResult | None:
        if not tx.is_clob:
            least = -(-tx.gas_limit * GAS_PRICE_MILLIONTHS // 1_000_000)
            if fee < least or tx.gas_limit == 0:
                log = f"insufficient fees; got: {fee}{USDC_DENOM} required: {least}{USDC_DENOM}"
                return refuse(13, f"{log}: insufficient fee")
            if fee > wallet.balance:
                return _insufficient(wallet.balance, fee)
            if tx.gas_limit < ANTE_GAS:
                return out_of_gas(tx.gas_limit)
        refused = self._refused_by_sequence(tx, wallet) or self._refused_by_permission(tx)
        if refused is not None:
            return refused
        if not tx.authenticators and address_of(tx.public_key) != tx.signer:
            log = f"pubKey does not match signer address {tx.signer} with signer index: 0"
            return refuse(8, f"{log}: invalid pubkey")
        if not is_signed(tx, self._chain_id, wallet.account_number):
            log = (
                "signature verification failed; please verify account number "
                f"({wallet.account_number}), sequence ({tx.sequence}) and chain-id "
                f"({self._chain_id})"
            )
            return refuse(4, f"{log}: unauthorized")
        return None

    def _refused_by_sequence(self, tx: Transaction, wallet: AccountState) -> CheckResult | None:
        if tx.is_short_term:
            return None
        if tx.sequence >= NONCE_FROM:
            nonces = self._nonces.setdefault(wallet.address, _Nonces())
            return nonces.refused(tx.sequence, self._chain.committed.time)
        if tx.sequence != wallet.sequence:
            return _wrong_sequence(wallet.sequence, tx.sequence)
        return None


class _Nonces:
    """Timestamp nonces of one account: the largest twenty, and the largest one let go."""

    def __init__(self) -> None:
        self._kept: deque[int] = deque()
        self._ejected = 0

    def refused(self, nonce: int, block_time: Millis) -> CheckResult | None:
        if abs(nonce - block_time) > NONCE_WINDOW_MS:
            log = f"timestamp nonce {nonce} not within valid time window"
            return refuse(32, f"{log}: incorrect account sequence")
        is_too_old = len(self._kept) == NONCES_KEPT and nonce < min(self._kept)
        if nonce in self._kept or nonce <= self._ejected or is_too_old:
            return refuse(32, f"timestamp nonce {nonce} rejected: incorrect account sequence")
        return None

    def remember(self, nonce: int) -> None:
        self._kept.append(nonce)
        if len(self._kept) > NONCES_KEPT:
            smallest = min(self._kept)
            self._kept.remove(smallest)
            self._ejected = max(self._ejected, smallest)


def _ante(tx: Transaction, fee: QuoteQuantums) -> Ante:
    """What the block judges again; what places or cancels orders is free of fee."""
    return Ante(
        payer=tx.signer,
        fee=QuoteQuantums(0) if tx.is_clob else fee,
        sequence=tx.sequence if tx.sequence < NONCE_FROM else None,
        timeout_height=tx.timeout_height,
        public_key=tx.public_key,
        authenticators=tx.authenticators,
    )


def _under(tx: Transaction) -> list[Message]:
    """The messages, orders with the permission that they were signed under."""
    if not tx.authenticators:
        return list(tx.messages)
    return [
        replace(message, permission=selected) if isinstance(message, PlaceOrder) else message
        for message, selected in zip(tx.messages, tx.authenticators, strict=True)
    ]


def _refuse_bundle(tx: Transaction) -> CheckResult | None:
    """What is wrong with messages that travel together (ORDERS.md 5.3); None where nothing is."""
    if len(tx.messages) == 1:
        return None
    if any(map(is_short_term, tx.messages)):
        return refuse(18, "a short-term tx takes one message: invalid request")
    if any(signer_of(message) != tx.signer for message in tx.messages):
        return refuse(4, "wrong number of signers; expected 1: unauthorized")
    if not tx.is_clob:
        return None
    others = [one for one in tx.messages if not isinstance(one, FREE_OF_GAS)]
    if len(others) > 1 or not all(isinstance(one, Transfer) for one in others):
        log = "stateful orders can only be accompanied by 1 transfer msg"
        return refuse(18, f"a transaction containing {log}: invalid request")
    return None


def _refuse_form(message: Message) -> CheckResult | None:
    """What a message's own form says, before any state is asked (cosmos-sdk ValidateBasic)."""
    refused = refuse_message(message)
    if refused is None and isinstance(message, TransferMessage):
        return _refuse_recipient(message.recipient, message)
    return refused


def refuse_message(message: Message) -> CheckResult | None:
    """The same without a look at addresses, which in process are bare names."""
    match message:
        case PlaceOrder():
            return refuse_form(message)
        case CancelOrder():
            return refuse_cancel_form(message)
        case BatchCancel():
            return refuse_batch_form(message)
        case Deposit() | Withdraw() | Transfer() | Send():
            return refuse_transfer(message)
        case AddAuthenticator():
            return refuse_data(message)
        case _:
            return None


def _refuse_recipient(
    recipient: SubaccountId | str, message: TransferMessage
) -> CheckResult | None:
    """The refusal of money for an address that the chain does not have."""
    named = recipient if isinstance(recipient, str) else recipient.owner
    if is_address(named):
        return None
    log = f"{named!r} is not an address"
    match message:
        case Send():
            return refuse(7, f"{log}: invalid address")
        case Withdraw():
            return refuse(6, f"{log}: account address is invalid", "sending")
        case _:
            return refuse(201, f"{log}: subaccount owner is invalid", "subaccounts")


def _fee(tx: Transaction) -> QuoteQuantums:
    return QuoteQuantums(sum(coin.amount for coin in tx.fee if coin.denom == USDC_DENOM))


def _unknown_address(address: str) -> CheckResult:
    return refuse(9, f"account {address} does not exist: unknown address")


def _wrong_sequence(expected: int, got: int) -> CheckResult:
    log = f"account sequence mismatch, expected {expected}, got {got}"
    return refuse(32, f"{log}: incorrect account sequence")


def _insufficient(balance: int, needed: int) -> CheckResult:
    log = f"spendable balance {balance}{USDC_DENOM} is smaller than {needed}{USDC_DENOM}"
    return refuse(5, f"{log}: insufficient funds")
