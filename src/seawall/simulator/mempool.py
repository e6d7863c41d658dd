"""CheckTx and what it let in: messages that run in the next block, tried on a fork first.

The fork is the check state: committed plus everything accepted since, so that a second copy of an
order meets what the first one did. It is thrown away with each block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from seawall.simulator import execution
from seawall.simulator.ante import Ante, timed_out
from seawall.simulator.authenticators import clob_pairs, refuse_data
from seawall.simulator.delivery import GAS_USED, Delivered, deliver_all, out_of_gas, rehearse
from seawall.simulator.events import Reason, TxResult
from seawall.simulator.exchange import Exchange
from seawall.simulator.execution import Dropped
from seawall.simulator.leverage import update_leverage
from seawall.simulator.limits import RateLimiter
from seawall.simulator.messages import (
    ACCEPTED,
    FREE_OF_GAS,
    AddAuthenticator,
    BatchCancel,
    CancelOrder,
    CheckResult,
    ClobMessage,
    Deposit,
    Message,
    OrderId,
    PlaceOrder,
    RemoveAuthenticator,
    Send,
    Transfer,
    UpdateLeverage,
    Withdraw,
    is_short_term,
)
from seawall.simulator.orders import (
    Now,
    clob,
    outside_window,
    refuse_batch,
    refuse_cancel,
    refuse_cancel_form,
    refuse_form,
    refuse_order,
)
from seawall.simulator.state import AccountState
from seawall.simulator.wallets import GateState, Wallets, carry_out, refuse_transfer
from seawall.units import Millis

# What such an order has taken off the book, as its own makers and the one it replaces, stays off.
REFUSED_IN_MATCHING: Mapping[Reason, CheckResult] = {
    Reason.POST_ONLY_WOULD_CROSS_MAKER_ORDER: clob(
        2003, "post-only order would cross a maker order"
    ),
    Reason.VIOLATES_ISOLATED_SUBACCOUNT_CONSTRAINTS: clob(
        2005, "order would violate isolated subaccount constraints"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequenced:
    """A transaction that goes through a block, or a sequence that somebody else uses there.

    `gas` is the limit that the sender set; None is free of gas. `ante` is None for what nobody
    signed.
    """

    messages: tuple[Delivered, ...] = ()
    gas: int | None = None
    tx: str = ""
    ante: Ante | None = None
    user: str = ""  # who uses a sequence without a message


class Mempool:
    """What one node has accepted since the last block, over the committed exchange and wallets."""

    def __init__(
        self,
        exchange: Exchange,
        wallets: Wallets,
        window: int,
    ) -> None:
        self._limiter = RateLimiter(exchange.rules.limits)
        self._exchange = exchange
        self._wallets = wallets
        self._window = window
        self._held: list[tuple[int, ClobMessage | Dropped]] = []  # with the height of each
        self.delay_blocks = 0  # by which short-term messages run later than in the next block
        self.is_starting = False  # books are not built yet: clob messages are answered 47
        self.clear()

    def clear(self) -> None:
        """Forget what has run or was tried: a block was made, or the stage was set anew."""
        self._clob: list[ClobMessage | Dropped] = []
        self._sequenced: list[Sequenced] = []
        self._forked: Exchange | None = None
        self._pending: Wallets | None = None
        self._stateful_cancels: set[OrderId] = set()

    @property
    def is_empty(self) -> bool:
        """Whether no block has anything to run."""
        return not self._clob and not self._sequenced and not self._held

    @property
    def is_tried(self) -> bool:
        """Whether something was accepted since the last block."""
        return bool(self._clob or self._sequenced)

    def check(
        self, message: Message, tx: str, gas: int | None = None, ante: Ante | None = None
    ) -> CheckResult:
        """Judge a message and keep it for the next block if nothing speaks against it."""
        return self._unpaid(ante) or self._signed(self._check(message, tx, gas), ante)

    def _unpaid(self, ante: Ante | None) -> CheckResult | None:
        """The refusal of a fee that the payer's wallet does not hold; nothing is taken yet."""
        if ante is None or not ante.fee:
            return None
        paid = Wallets(self._trial_wallets.known).debit(ante.payer, ante.fee)
        return None if paid.is_accepted else paid

    def _signed(self, result: CheckResult, ante: Ante | None) -> CheckResult:
        """Take fee and sequence of a transaction that was accepted, and let its block do so."""
        if result.is_accepted and ante is not None:
            newest = self._sequenced[-1]
            self._sequenced[-1] = replace(newest, ante=ante)
            return ante.run(self._exchange.permissions, self._trial_wallets, newest.messages)
        return result

    def _check(self, message: Message, tx: str, gas: int | None) -> CheckResult:
        """What `check` says of a message whose fee is there."""
        match message:
            case PlaceOrder():
                return self._check_order(message, tx)
            case CancelOrder():
                return self._check_cancel(message, tx)
            case BatchCancel():
                refused = refuse_batch(message, self._now) or self._barred(message)
                if refused is not None:
                    return refused
                execution.cancel_batch(self._fork, message)
                self._keep(message)
            case Deposit() | Withdraw() | Transfer() | Send():
                refused = refuse_transfer(message)
                if refused is not None:
                    return refused
                self._sequenced.append(Sequenced(messages=(message,), tx=tx, gas=gas))
            case UpdateLeverage():
                taken = self._barred(message) or update_leverage(self._fork, message)
                if not taken.is_accepted:
                    return taken
                self._sequenced.append(Sequenced(messages=(message,), tx=tx))
            case AddAuthenticator() if too_large := refuse_data(message):
                return too_large
            case AddAuthenticator() | RemoveAuthenticator():
                self._sequenced.append(Sequenced(messages=(message,), tx=tx, gas=gas))
            case _:
                assert_never(message)
        return ACCEPTED

    def account(self, address: str) -> AccountState | None:
        """A wallet with its pending sequence and balance; None for an unknown address."""
        return (self._pending or self._wallets).known.get(address)

    def increment_sequence(self, address: str) -> None:
        """Count a sequence here now and in the committed state with the next block."""
        self._trial_wallets.increment_sequence(address)
        self._sequenced.append(Sequenced(user=address))

    def run_clob(self) -> None:
        """Run short-term orders and cancels on the committed exchange, in order of arrival."""
        height = self._exchange.height
        due = [message for at, message in self._held if at <= height]
        self._held = [(at, message) for at, message in self._held if at > height]
        for message in (*due, *self._clob):
            execution.execute(self._exchange, message)

    def _keep(self, message: ClobMessage | Dropped) -> None:
        """Keep a short-term message, or what one did, for the block in which it runs."""
        if self.delay_blocks:
            self._held.append((self._now.next_height + self.delay_blocks, message))
        else:
            self._clob.append(message)

    def run_sequenced(self, time_before: Millis, gate: GateState) -> None:
        """Run what goes through the block, in order of arrival."""
        for step in self._sequenced:
            if step.user:
                self._wallets.increment_sequence(step.user)
            else:
                result = self._run(step, time_before, gate)
                self._exchange.log.results.append(
                    TxResult(
                        tx=step.tx,
                        code=result.code,
                        codespace=result.codespace,
                        log=result.log,
                    )
                )

    @property
    def _fork(self) -> Exchange:
        """The check state: what a block left, and what is still to run replayed on it."""
        if self._forked is None:
            self._forked = self._exchange.fork()
            for _, message in self._held:
                execution.execute(self._forked, message)
        return self._forked

    @property
    def _trial_wallets(self) -> Wallets:
        if self._pending is None:
            self._pending = Wallets(self._wallets.known)
        return self._pending

    @property
    def _now(self) -> Now:
        return Now(
            next_height=self._exchange.height + 1,
            time_s=self._exchange.time // 1_000,
            window=self._window,
        )

    def _barred(self, message: ClobMessage | UpdateLeverage) -> CheckResult | None:
        """What is said before the books are asked: a rate limit, and 47 until there are books."""
        too_many = self._too_many(message)
        if too_many is not None or not self.is_starting:
            return too_many
        return clob(47, "clob keeper is not initialized: wait for the next block")

    def _too_many(self, message: ClobMessage | UpdateLeverage) -> CheckResult | None:
        """Count a message against its owner's block rate limits; 5001 where one is exceeded.

        One for an unknown market, or outside the good-til-block window, is not counted.
        """
        if any(pair not in self._exchange.tickers for pair in clob_pairs(message)):
            return None
        if not isinstance(message, UpdateLeverage) and is_short_term(message):
            late = outside_window(message.good_til_block, self._now)
            if late is not None:
                return late
        broken = self._limiter.refused(message, self._now.next_height)
        return clob(5001, f"block rate limit: {broken}") if broken else None

    def _check_order(self, order: PlaceOrder, tx: str) -> CheckResult:
        refused = (
            refuse_form(order) or self._barred(order) or refuse_order(self._fork, order, self._now)
        )
        if refused is not None:
            return refused
        events = self._fork.log.orders
        tried = len(events)
        refused = REFUSED_IN_MATCHING.get(execution.accept(self._fork, order))
        if refused is not None:
            for event in events[tried:]:
                self._keep(Dropped(order_id=event.order.order_id, reason=event.reason))
            return refused
        if order.order_id.is_short_term:
            self._keep(order)
        else:
            self._sequenced.append(Sequenced(messages=(order,), tx=tx))
        return ACCEPTED

    def _check_cancel(self, cancel: CancelOrder, tx: str) -> CheckResult:
        is_pending = cancel.order_id in self._stateful_cancels
        refused = (
            refuse_cancel_form(cancel)
            or self._barred(cancel)
            or refuse_cancel(self._fork, cancel, self._now, is_pending=is_pending)
        )
        if refused is not None:
            return refused
        execution.cancel(self._fork, cancel)
        if cancel.order_id.is_short_term:
            self._keep(cancel)
        else:
            self._stateful_cancels.add(cancel.order_id)
            self._sequenced.append(Sequenced(messages=(cancel,), tx=tx))
        return ACCEPTED

    def check_all(
        self,
        messages: Sequence[Message],
        tx: str,
        gas: int | None,
        gate: GateState,
        ante: Ante | None = None,
    ) -> CheckResult:
        """Judge the messages of one transaction, which are kept or refused together.

        Beside stateful orders a transfer is carried out in CheckTx too, so that it may fund them.
        """
        unpaid = self._unpaid(ante)
        if unpaid is not None:
            return unpaid
        before, cancels, steps = self._saved(), set(self._stateful_cancels), len(self._sequenced)
        is_clob = any(isinstance(one, FREE_OF_GAS) for one in messages)
        for message in messages:
            if is_clob and isinstance(message, Transfer):
                form = refuse_transfer(message)
                result = form or carry_out(self._fork, self._trial_wallets, message, gate, tx)
            else:
                result = self._check(message, tx, gas)
            if not result.is_accepted:
                self._forked, self._stateful_cancels = before, cancels
                del self._sequenced[steps:]
                return result
        del self._sequenced[steps:]
        kept = tuple(one for one in messages if not isinstance(one, BatchCancel))
        self._sequenced.append(Sequenced(messages=kept, tx=tx, gas=gas))
        return self._signed(ACCEPTED, ante)

    def _saved(self) -> Exchange:
        """The check state as it is now, to go back to."""
        saved = self._fork.fork()
        saved.log.cancelled |= self._fork.log.cancelled
        saved.log.removed |= self._fork.log.removed
        saved.log.matched |= self._fork.log.matched
        return saved

    def _run(self, step: Sequenced, time_before: Millis, gate: GateState) -> CheckResult:
        """Carry out a step's messages in their block, as far as signature, fee and gas go."""
        height = self._exchange.height
        if step.ante is not None:
            if 0 < step.ante.timeout_height < height:
                return timed_out(height, step.ante.timeout_height)
            admitted = step.ante.run(self._exchange.permissions, self._wallets, step.messages)
            if not admitted.is_accepted:
                return admitted
            self._exchange.fee_pool += step.ante.fee
        needed = GAS_USED * len(step.messages)
        if step.gas is not None and step.gas < needed:
            return out_of_gas(step.gas, needed)
        now = Now(next_height=height, time_s=time_before // 1_000, window=self._window)
        return deliver_all(self._exchange, self._wallets, step.messages, now, gate=gate, tx=step.tx)

    def rehearse(self, messages: Sequence[Message], gate: GateState) -> CheckResult:
        """What a block would make of messages on committed state alone; nothing is kept.

        Short-term messages are not tried: the chain's order books take no part in simulations.
        """
        tried = [
            one for one in messages if not isinstance(one, BatchCancel) and not is_short_term(one)
        ]
        return rehearse(self._exchange, self._wallets, tried, self._now, gate=gate)
