"""A venue in process, without sockets: what the agent sees and sends, straight on the chain.

Observations come from committed state at the newest height, advice included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from seawall.account import (
    Advice,
    Book,
    EquityTier,
    IndexerSizes,
    KeyReach,
    Observation,
    Seen,
    Subaccount,
)
from seawall.action import Action, Backstop, Cancel, Reduce, TopUp
from seawall.simulator import messages, pools
from seawall.simulator.ante import Ante, timed_out
from seawall.simulator.book import Shape
from seawall.simulator.chain import Chain
from seawall.simulator.messages import CheckResult, Message, OrderId, SubaccountId
from seawall.simulator.play import AWAKE, NEVER
from seawall.simulator.seen import OWN_METADATA, View
from seawall.simulator.state import State
from seawall.units import Millis, QuoteQuantums
from seawall.venue import Reply

KNOWN_BYTES_BLOCKS = 40  # how long a node remembers a transaction, refused or not


class Books(Mapping[str, Book]):
    """Books of one moment, each worked out when it is first asked for."""

    def __init__(self, shapes: Mapping[str, Shape], seen_at: Millis) -> None:
        self._shapes = shapes
        self._seen_at = seen_at
        self._known: dict[str, Book] = {}

    def __getitem__(self, ticker: str) -> Book:
        if ticker not in self._known:
            shape = self._shapes[ticker]
            self._known[ticker] = Book(seen_at=self._seen_at, bids=shape.bids, asks=shape.asks)
        return self._known[ticker]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    def __repr__(self) -> str:
        return f"Books({', '.join(self._shapes)} at {self._seen_at})"


class LocalVenue:
    """One owner's view of a chain: the parent subaccount, its children, and a float wallet.

    `delay` is how much later than the block the agent sees it. `gas_fee` is what a top-up costs.
    """

    def __init__(
        self,
        chain: Chain,
        owner: str,
        *,
        parent: int = 0,
        float_address: str | None = None,
        delay: Millis = Millis(0),
        gas_fee: QuoteQuantums = QuoteQuantums(0),
    ) -> None:
        self._chain = chain
        self._owner = owner
        self._parent = parent
        self._float = float_address
        self._delay = delay
        self._gas_fee = gas_fee
        self._said = (0, AWAKE)
        self._known: dict[tuple[Message, int], int] = {}
        self._view = View(owner=owner, parent=parent)
        self._tiers = tuple(
            EquityTier(least=QuoteQuantums(tier.least), orders=tier.most)
            for tier in chain.settings.limits.equity
        )

    async def observe(self) -> Seen:
        """State at the newest height with all advice; never Blind."""
        return self.look()

    def look(self) -> Observation:
        """What `observe` gives, for callers without an event loop."""
        chain, view = self._chain, self._view
        state = chain.committed
        seen_at = Millis(state.time + self._delay)
        view.follow(chain, state)
        return Observation(
            chain_id=chain.chain_id,
            owner=self._owner,
            height=state.height,
            at=state.time,
            seen_at=seen_at,
            markets=view.markets,
            subaccounts=view.subaccounts,
            taker_fee_ppm=chain.settings.fees.taker_ppm,
            float_wallet=None if self._float is None else view.float_wallet(state, self._float),
            transfers_blocked_until=_blocked(state, self._owner, view.subaccounts),
            equity_tiers=self._tiers,
            advice=Advice(
                books=Books({ticker: chain.book(ticker) for ticker in state.markets}, seen_at),
                orders=view.orders,
                fills=view.fills,
                transfers=view.transfers,
                funding=view.funding,
                indexer_sizes=IndexerSizes(height=state.height, quantums=view.sizes),
                key_reach=UNLIMITED,
                tried=view.tried,
            ),
        )

    async def send(self, action: Action) -> Reply:
        """Hand one action to CheckTx as the message that the wires would carry."""
        return self.submit(action)

    def submit(self, action: Action) -> Reply:
        """What `send` does, for callers without an event loop."""
        match action:
            case Cancel():
                return self._submit(self._cancel(action))
            case Reduce():
                return self._submit(self._place(action))
            case Backstop():
                return self._rest(action)
            case TopUp():
                return self._top_up(action)
            case _:
                assert_never(action)

    async def wait_for_change(self, timeout: Millis) -> None:  # noqa: ARG002 (protocol)
        """Let others run; whoever steps the player decides when the next block comes."""
        await asyncio.sleep(0)

    async def tick_done(self, height: int, idle_until: Millis | None) -> None:
        """Note what the guard said of its tick, for whoever steps the player."""
        self._said = (height, NEVER if idle_until is None else idle_until)

    @property
    def idle_until(self) -> Millis:
        """The moment before which the guard has nothing to do; AWAKE until its tick is done."""
        height, moment = self._said
        return moment if height == self._chain.height else AWAKE

    async def close(self) -> None:
        """Nothing to release."""

    def _cancel(self, action: Cancel) -> messages.CancelOrder:
        latest = self._chain.height + 1 + self._chain.settings.short_block_window
        is_short_term = action.order_flags == messages.SHORT_TERM
        wanted = latest if action.good_til_block is None else action.good_til_block
        return messages.CancelOrder(
            order_id=OrderId(
                subaccount=SubaccountId(owner=self._owner, number=action.subaccount),
                client_id=action.client_id,
                order_flags=action.order_flags,
                clob_pair_id=action.clob_pair_id,
            ),
            good_til_block=wanted if is_short_term else 0,
            good_til_block_time=0 if is_short_term else action.good_til_block_time or 0,
        )

    def _place(self, action: Reduce) -> messages.PlaceOrder:
        return messages.PlaceOrder(
            order_id=OrderId(
                subaccount=SubaccountId(owner=self._owner, number=action.subaccount),
                client_id=action.client_id,
                order_flags=messages.SHORT_TERM,
                clob_pair_id=action.clob_pair_id,
            ),
            side=action.side,
            quantums=action.quantums,
            subticks=action.subticks,
            good_til_block=action.good_til_block,
            time_in_force=messages.IMMEDIATE_OR_CANCEL,
            reduce_only=True,
            client_metadata=OWN_METADATA,
        )

    def _rest(self, action: Backstop) -> Reply:
        """A stop, unless the block that its transaction must be in by is past."""
        if self._chain.height > action.timeout_height:
            return _reply(timed_out(self._chain.height, action.timeout_height))
        ante = Ante(payer=self._owner, timeout_height=action.timeout_height)
        return self._submit(
            messages.PlaceOrder(
                order_id=OrderId(
                    subaccount=SubaccountId(owner=self._owner, number=action.subaccount),
                    client_id=action.client_id,
                    order_flags=messages.CONDITIONAL,
                    clob_pair_id=action.clob_pair_id,
                ),
                side=action.side,
                quantums=action.quantums,
                subticks=action.subticks,
                good_til_block_time=action.good_til_block_time,
                time_in_force=messages.IMMEDIATE_OR_CANCEL,
                reduce_only=True,
                client_metadata=OWN_METADATA,
                condition_type=messages.STOP_LOSS,
                trigger_subticks=action.trigger_subticks,
            ),
            ante,
        )

    def _top_up(self, action: TopUp) -> Reply:
        """A deposit from the float wallet, with the sequence and timeout it was signed for."""
        if self._float is None:
            return Reply(code=9, codespace="sdk", log="no float wallet: unknown address")
        deposit = messages.Deposit(
            sender=self._float,
            recipient=SubaccountId(owner=self._owner, number=action.subaccount),
            quantums=action.amount,
        )
        if self._is_known(deposit, action.sequence):
            return ALREADY_KNOWN
        refused = self._refuse_envelope(action)
        if refused is not None:
            return refused
        ante = Ante(
            payer=self._float,
            fee=self._gas_fee,
            sequence=action.sequence,
            timeout_height=action.timeout_height,
        )
        return _reply(self._check(deposit, ante))

    def _refuse_envelope(self, action: TopUp) -> Reply | None:
        """What the chain would say to the signature, the sequence and the timeout."""
        assert self._float is not None
        wallet = self._chain.pending_account(self._float)
        if wallet is None:
            return Reply(code=9, codespace="sdk", log=f"account {self._float} does not exist")
        if 0 < action.timeout_height < self._chain.height:
            return _reply(timed_out(self._chain.height, action.timeout_height))
        if action.account_number != wallet.account_number:
            log = f"signature verification failed; account number {wallet.account_number}"
            return Reply(code=4, codespace="sdk", log=log)
        if action.sequence != wallet.sequence:
            log = (
                f"account sequence mismatch, expected {wallet.sequence}, got {action.sequence}"
                ": incorrect account sequence"
            )
            return Reply(code=32, codespace="sdk", log=log)
        return None

    def _submit(self, message: Message, ante: Ante | None = None) -> Reply:
        # Stateful ones go out with a nonce of their own: no node has seen their bytes.
        if messages.is_short_term(message) and self._is_known(message, 0):
            return ALREADY_KNOWN
        return _reply(self._check(message, ante))

    def _check(self, message: Message, ante: Ante | None = None) -> CheckResult:
        """CheckTx of a message that the node has not seen yet."""
        return self._chain.check(message, ante=ante)

    def _is_known(self, message: Message, sequence: int) -> bool:
        """Whether the node has seen these bytes; it remembers refused ones too."""
        height = self._chain.height
        key = (message, sequence)
        seen = self._known.get(key)
        if seen is not None and height - seen < KNOWN_BYTES_BLOCKS:
            return True
        self._known[key] = height
        return False


UNLIMITED = KeyReach()
ALREADY_KNOWN = Reply(code=19, codespace="sdk", log="tx already in mempool")


def _blocked(state: State, owner: str, subaccounts: Sequence[Subaccount]) -> dict[int, int]:
    """The height at which the transfer gate opens, for each subaccount behind one."""
    if not state.negative_seen and state.outage_seen is None:
        return {}
    isolated, found = state.isolated, {}
    for one in subaccounts:
        held = state.subaccount(owner, one.number).held
        until = state.blocked_until(pools.pool_of(held, isolated))
        if until is not None:
            found[one.number] = until
    return found


def _reply(result: CheckResult) -> Reply:
    return Reply(code=result.code, codespace=result.codespace, log=result.log)
