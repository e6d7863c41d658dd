"""Messages that go through a block, carried out: one, or several that stand and fall together."""

from __future__ import annotations

from collections.abc import Sequence

from seawall.simulator import execution
from seawall.simulator.exchange import Exchange
from seawall.simulator.leverage import update_leverage
from seawall.simulator.messages import (
    ACCEPTED,
    AddAuthenticator,
    CancelOrder,
    CheckResult,
    KeyMessage,
    PlaceOrder,
    RemoveAuthenticator,
    TransferMessage,
    UpdateLeverage,
)
from seawall.simulator.orders import Now, refuse_cancel, refuse_order
from seawall.simulator.wallets import GateState, Wallets, carry_out

GAS_USED = 110_000  # of a money or key message, of the size of a real deposit

Delivered = TransferMessage | KeyMessage | PlaceOrder | CancelOrder | UpdateLeverage


def out_of_gas(limit: int, needed: int = GAS_USED) -> CheckResult:
    """The refusal of a transaction whose gas limit does not reach."""
    log = f"out of gas in location: WriteFlat; gasWanted: {limit}, gasUsed: {needed}: out of gas"
    return CheckResult(code=11, codespace="sdk", log=log)


def deliver(
    exchange: Exchange,
    wallets: Wallets,
    message: Delivered,
    now: Now,
    *,
    gate: GateState,
    tx: str = "",
) -> CheckResult:
    """Carry out a message that goes through a block; the chain's refusal where it fails."""
    match message:
        case PlaceOrder():
            refused = refuse_order(exchange, message, now)
            if refused is None:
                execution.accept(exchange, message)
            return refused or ACCEPTED
        case CancelOrder():
            refused = refuse_cancel(exchange, message, now)
            if refused is None:
                execution.cancel(exchange, message)
            return refused or ACCEPTED
        case UpdateLeverage():
            return update_leverage(exchange, message)
        case AddAuthenticator() | RemoveAuthenticator():
            return exchange.permissions.carry_out(message)
        case _:
            return carry_out(exchange, wallets, message, gate, tx)


def rehearse(
    exchange: Exchange,
    wallets: Wallets,
    messages: Sequence[Delivered],
    now: Now,
    *,
    gate: GateState,
) -> CheckResult:
    """What would come of messages one after the other; the first refusal, and nothing is kept."""
    return _each(_trial_of(exchange, now), Wallets(wallets.known), messages, now, gate=gate)


def deliver_all(
    exchange: Exchange,
    wallets: Wallets,
    messages: Sequence[Delivered],
    now: Now,
    *,
    gate: GateState,
    tx: str,
) -> CheckResult:
    """Carry out all messages of a transaction, or none where one of them fails."""
    if len(messages) > 1:
        trial = _trial_of(exchange, now)
        trial.log.cancelled |= exchange.log.cancelled
        trial.log.removed |= exchange.log.removed
        tried = _each(trial, Wallets(wallets.known), messages, now, gate=gate)
        if not tried.is_accepted:
            return tried
    return _each(exchange, wallets, messages, now, gate=gate, tx=tx)


def _trial_of(exchange: Exchange, now: Now) -> Exchange:
    trial = exchange.fork()
    trial.permissions = exchange.permissions.copy()
    trial.height = now.next_height
    return trial


def _each(
    exchange: Exchange,
    wallets: Wallets,
    messages: Sequence[Delivered],
    now: Now,
    *,
    gate: GateState,
    tx: str = "",
) -> CheckResult:
    for message in messages:
        result = deliver(exchange, wallets, message, now, gate=gate, tx=tx)
        if not result.is_accepted:
            return result
    return ACCEPTED
