"""What an indexer remembers beyond the chain's state: positions, orders, fills, transfers.

The chain stores a size; entry price, sums and realised funding are the indexer's own, kept here
from block to block. Ids are the indexer's uuid5 (reference ORDERS.md section 9.4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from seawall.account import Side
from seawall.simulator.events import (
    Block,
    FillEvent,
    Liquidity,
    OrderEvent,
    OrderStatus,
    Reason,
    TransferEvent,
)
from seawall.simulator.messages import OrderId, PlaceOrder, SubaccountId
from seawall.simulator.ruler import Held
from seawall.simulator.serve.ids import (
    event_id,
    fill_uuid,
    order_uuid,
    transfer_uuid,
)
from seawall.simulator.serve.positions import Moment, PositionRecord, grown, opened, shrunk
from seawall.simulator.state import Account, MarketState, State
from seawall.units import BaseQuantums, Millis, coins, oracle_dollars, subticks_dollars

FILLS_KEPT = 5_000
POSITIONS_KEPT = 2_000
TRANSFERS_KEPT = 2_000
TRADES_KEPT = 100
FUNDING_KEPT = 1_000
ORDERS_KEPT = 5_000
STAGED = 1 << 16  # events begin here that no block holds: positions set up before it
LIVING = (OrderStatus.OPEN, OrderStatus.UNTRIGGERED)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """An order with its newest state."""

    id: str
    event: OrderEvent
    ticker: str
    created_height: int
    updated_at: Millis
    updated_height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRecord:
    """One fill with the block that holds it."""

    id: str
    event_id: str
    event: FillEvent
    at: Millis
    height: int
    entry_before: Decimal  # dollars; zero where there was no position


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRecord:
    """One transfer with the block that holds it."""

    id: str
    event: TransferEvent
    at: Millis
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LateTransfer:
    """A transfer that is seen later than its block, with its place in that block."""

    event: TransferEvent
    index: int
    at: Millis
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingRecord:
    """One funding tick of a market: the rate of that hour and the oracle price, in dollars."""

    rate: Decimal
    price: Decimal
    at: Millis
    height: int


@dataclass(slots=True)
class Changes:
    """What one block changed for one subaccount."""

    positions: dict[str, PositionRecord] = field(default_factory=dict)  # by record id
    has_new_usdc: bool = False
    orders: list[OrderRecord] = field(default_factory=list)
    fills: list[FillRecord] = field(default_factory=list)
    transfers: list[TransferRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What a block brought: changes by subaccount and trades by ticker."""

    by_subaccount: Mapping[SubaccountId, Changes]
    trades: Mapping[str, tuple[FillRecord, ...]]


class Records:
    """The indexer's memory; it grows by one block at a time."""

    def __init__(self, state: State) -> None:
        self.open: dict[tuple[SubaccountId, str], PositionRecord] = {}
        self.closed: deque[PositionRecord] = deque(maxlen=POSITIONS_KEPT)  # newest first
        self.orders: dict[str, OrderRecord] = {}
        self.fills: deque[FillRecord] = deque(maxlen=FILLS_KEPT)
        self.transfers: deque[TransferRecord] = deque(maxlen=TRANSFERS_KEPT)
        self.trades: dict[str, deque[FillRecord]] = {
            ticker: deque(maxlen=TRADES_KEPT) for ticker in state.markets
        }
        self.funding: dict[str, deque[FundingRecord]] = {
            ticker: deque(maxlen=FUNDING_KEPT) for ticker in state.markets
        }
        self._tickers = {m.spec.perpetual_id: ticker for ticker, m in state.markets.items()}
        self._pairs = {m.spec.clob_pair_id: ticker for ticker, m in state.markets.items()}
        self._cancels_heard: set[str] = set()  # ids
        self._heard: dict[str, int] = {}  # good-til-block of orders that no block told of, by id
        self._state = state
        for account in state.accounts.values():
            self._adopt(account, state)

    def note(self, block: Block, state: State, late: Sequence[LateTransfer] = ()) -> Noted:
        """Take in a block, the state after it, and transfers of earlier blocks seen only now."""
        changes: dict[SubaccountId, Changes] = {}
        for order in block.orders:
            is_told = self._was_heard(order)
            record = self._note_order(order, block)
            if not is_told:
                _of(changes, order.order.order_id.subaccount).orders.append(record)
        for record in self._expire_heard(block):
            _of(changes, record.event.order.order_id.subaccount).orders.append(record)
        trades: dict[str, list[FillRecord]] = {}
        for index, event in enumerate(block.fills):
            own = _of(changes, event.subaccount)
            fill = self._note_fill(event, index, block, own)
            own.fills.append(fill)
            if event.liquidity is Liquidity.TAKER:
                trades.setdefault(event.ticker, []).append(fill)
                self.trades[event.ticker].appendleft(fill)
        for index, moved in enumerate(block.transfers):
            self._note_transfer(
                LateTransfer(event=moved, index=index, at=block.time, height=block.height), changes
            )
        for transfer in late:
            self._note_transfer(transfer, changes)
        for tick in block.funding:
            self.funding[tick.ticker].appendleft(
                FundingRecord(
                    rate=tick.hourly,
                    price=_oracle(state.markets[tick.ticker]),
                    at=block.time,
                    height=block.height,
                )
            )
        self._follow_accounts(state, changes)
        self._state = state
        return Noted(
            by_subaccount=changes,
            trades={ticker: tuple(fills) for ticker, fills in trades.items()},
        )

    def position(self, subaccount: SubaccountId, ticker: str) -> PositionRecord | None:
        """The open position of a subaccount in a market."""
        return self.open.get((subaccount, ticker))

    def agreeing(self, subaccount: SubaccountId, market: MarketState, held: Held) -> PositionRecord:
        """The record of a position with the size that some state holds, today's or an older one."""
        ticker = market.spec.ticker
        size = coins(held.quantums, market.spec.atomic_resolution)
        known = self.open.get((subaccount, ticker))
        if known is None or (known.size > 0) != (size > 0):
            named = event_id(0, STAGED + market.spec.perpetual_id)
            moment = Moment(named, _oracle(market), Millis(0), 0)
            return opened((subaccount, ticker), size, moment)
        return known if known.size == size else replace(known, size=size)

    def orders_of(self, subaccount: SubaccountId) -> Iterable[OrderRecord]:
        """Every order of the subaccount that is remembered, newest first."""
        own = (o for o in self.orders.values() if o.event.order.order_id.subaccount == subaccount)
        return sorted(own, key=lambda order: order.updated_height, reverse=True)

    def hear(self, order: PlaceOrder, state: State) -> OrderRecord:
        """Take in a short-term order that a node took, before any block tells of it."""
        name = order_uuid(order.order_id)
        before = self.orders.pop(name, None)
        is_known = before is not None and before.event.status in LIVING
        filled = before.event.filled if before is not None and is_known else BaseQuantums(0)
        record = OrderRecord(
            id=name,
            event=OrderEvent(order=order, status=OrderStatus.OPEN, filled=filled),
            ticker=self._pairs[order.order_id.clob_pair_id],
            created_height=state.height,
            updated_at=state.time,
            updated_height=state.height,
        )
        self.orders[name] = record
        self._heard[name] = order.good_til_block
        return record

    def hear_cancel(self, named: OrderId, state: State) -> OrderRecord | None:
        """Take in that a node took a cancel; None where there is no such order to cancel."""
        name = order_uuid(named)
        known = self.orders.get(name)
        if known is None or known.event.status not in LIVING:
            return None
        event = replace(known.event, status=OrderStatus.CANCELED, reason=Reason.USER_CANCELED)
        self.orders[name] = replace(
            known, event=event, updated_at=state.time, updated_height=state.height
        )
        self._cancels_heard.add(name)
        return self.orders[name]

    def _was_heard(self, event: OrderEvent) -> bool:
        """Whether hearsay has told already what a block now says of an order."""
        name = order_uuid(event.order.order_id)
        was_placed = self._heard.pop(name, None) is not None
        was_cancelled = name in self._cancels_heard
        if event.status is OrderStatus.CANCELED:
            self._cancels_heard.discard(name)
            return was_cancelled and event.reason is Reason.USER_CANCELED
        return was_placed and event.status is OrderStatus.OPEN and event.filled == 0

    def _expire_heard(self, block: Block) -> list[OrderRecord]:
        """Orders that were heard of, and of which no block ever told while they lived."""
        over = [name for name, until in self._heard.items() if until < block.height]
        gone = []
        for name in over:
            del self._heard[name]
            heard = self.orders.get(name)
            if heard is not None:
                event = replace(
                    heard.event, status=OrderStatus.CANCELED, reason=Reason.INDEXER_EXPIRED
                )
                gone.append(self._note_order(event, block))
        return gone

    def _note_order(self, event: OrderEvent, block: Block) -> OrderRecord:
        name = order_uuid(event.order.order_id)
        before = self.orders.pop(name, None)
        record = OrderRecord(
            id=name,
            event=event,
            ticker=self._pairs[event.order.order_id.clob_pair_id],
            created_height=_created_height(before, block),
            updated_at=block.time,
            updated_height=block.height,
        )
        self.orders[name] = record
        while len(self.orders) > ORDERS_KEPT:
            del self.orders[next(iter(self.orders))]
        return record

    def _note_fill(self, event: FillEvent, index: int, block: Block, own: Changes) -> FillRecord:
        key = (event.subaccount, event.ticker)
        held = self.open.get(key)
        spec = self._state.markets[event.ticker].spec
        named = event_id(block.height, index)
        fill = FillRecord(
            id=fill_uuid(named, event.liquidity),
            event_id=named,
            event=event,
            at=block.time,
            height=block.height,
            entry_before=ZERO if held is None else held.entry_price,
        )
        self.fills.appendleft(fill)
        size = coins(event.quantums, spec.atomic_resolution)
        price = subticks_dollars(
            event.subticks, spec.atomic_resolution, spec.quantum_conversion_exponent
        )
        change = size if event.side is Side.BUY else -size
        self._trade(key, change, Moment(named, price, block.time, block.height), own)
        return fill

    def _trade(
        self, key: tuple[SubaccountId, str], change: Decimal, moment: Moment, own: Changes
    ) -> None:
        held = self.open.get(key)
        if held is None or held.size == 0:
            self.open[key] = opened(key, change, moment)
        elif (held.size > 0) == (change > 0):
            self.open[key] = grown(held, change, moment.price)
        elif abs(change) <= abs(held.size):
            self.open[key] = shrunk(held, abs(change), moment.price)
        else:
            reduced = shrunk(held, abs(held.size), moment.price)
            closed = replace(reduced, closed_at=moment.at)
            own.positions[held.id] = closed
            self.closed.appendleft(closed)
            self.open[key] = opened(key, change + held.size, moment)

    def _note_transfer(self, seen: LateTransfer, changes: dict[SubaccountId, Changes]) -> None:
        event = seen.event
        ends = [end for end in (event.sender, event.recipient) if isinstance(end, SubaccountId)]
        if not ends:
            return
        record = TransferRecord(
            id=transfer_uuid(event, event_id(seen.height, seen.index)),
            event=event,
            at=seen.at,
            height=seen.height,
        )
        self.transfers.appendleft(record)
        for end in ends:
            _of(changes, end).transfers.append(record)

    def _follow_accounts(self, state: State, changes: dict[SubaccountId, Changes]) -> None:
        """Find what moved by comparing stored values: whoever did not change is the same object."""
        for key, account in state.accounts.items():
            before = self._state.accounts.get(key)
            if before is account:
                continue
            own = _of(changes, key)
            own.has_new_usdc = before is None or before.usdc != account.usdc
            self._settle(before, account)
            for record in self._adopt(account, state):
                own.positions[record.id] = record

    def _settle(self, before: Account | None, account: Account) -> None:
        """Count funding that the chain settled when the account was touched."""
        if before is None:
            return
        now = {held.perpetual_id: held for held in account.held}
        for held in before.held:
            record = self.open.get((account.id, self._tickers[held.perpetual_id]))
            after = now.get(held.perpetual_id)
            index = None if after is None else after.funding_index
            if record is None or index is None or index == held.funding_index:
                continue
            paid = (index - held.funding_index) * held.quantums
            funding = record.net_funding - Decimal(paid).scaleb(-12)
            self.open[(account.id, record.ticker)] = replace(record, net_funding=funding)

    def _adopt(self, account: Account, state: State) -> list[PositionRecord]:
        """Make the records of an account agree with the chain; the records that changed."""
        touched = []
        sizes = {self._tickers[h.perpetual_id]: h.quantums for h in account.held}
        for (owner, ticker), record in list(self.open.items()):
            if owner == account.id and ticker not in sizes:
                del self.open[(owner, ticker)]
                closed = replace(record, size=ZERO, closed_at=state.time)
                self.closed.appendleft(closed)
                touched.append(closed)
        for ticker, quantums in sizes.items():
            market = state.markets[ticker]
            size = coins(quantums, market.spec.atomic_resolution)
            known = self.open.get((account.id, ticker))
            if known is None or (known.size > 0) != (size > 0):
                named = event_id(state.height, STAGED + market.spec.perpetual_id)
                moment = Moment(named, _oracle(market), state.time, state.height)
                record = opened((account.id, ticker), size, moment)
            else:
                record = replace(known, size=size)
            self.open[(account.id, ticker)] = record
            touched.append(record)
        return touched


def _created_height(before: OrderRecord | None, block: Block) -> int:
    if before is None or before.event.status not in LIVING:
        return block.height  # a reused client id is a new order in the old one's row
    if before.event.order.order_id.is_short_term and before.event.filled == 0:
        return block.height  # hearsay has no row yet
    return before.created_height


def _of(changes: dict[SubaccountId, Changes], subaccount: SubaccountId) -> Changes:
    return changes.setdefault(subaccount, Changes())


def _oracle(market: MarketState) -> Decimal:
    return oracle_dollars(market.price, market.spec.oracle_exponent)
