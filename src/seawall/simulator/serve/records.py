"""What an indexer remembers beyond the chain's state: positions, orders, fills, transfers.

The chain stores a size; entry price, sums and realised funding are the indexer's own, kept here
from block to block. Ids are the indexer's uuid5 (reference ORDERS.md section 9.4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID, uuid5

from seawall.account import Side
from seawall.simulator.events import (
    Block,
    FillEvent,
    Liquidity,
    OrderEvent,
    OrderStatus,
    TransferEvent,
)
from seawall.simulator.messages import OrderId, SubaccountId
from seawall.simulator.state import Account, MarketState, State
from seawall.units import Millis, coins, oracle_dollars, subticks_dollars

NAMESPACE = UUID("0f9da948-a6fb-4c45-9edc-4685c3f3317d")
FILLS_KEPT = 5_000
TRANSFERS_KEPT = 2_000
TRADES_KEPT = 100
FUNDING_KEPT = 1_000
ORDERS_KEPT = 5_000
LIVING = (OrderStatus.OPEN, OrderStatus.UNTRIGGERED)
ZERO = Decimal(0)


@lru_cache(maxsize=65_536)
def subaccount_uuid(subaccount: SubaccountId) -> str:
    """The indexer's id of a subaccount."""
    return str(uuid5(NAMESPACE, f"{subaccount.owner}-{subaccount.number}"))


@lru_cache(maxsize=65_536)
def order_uuid(order: OrderId) -> str:
    """The indexer's id of an order; a reused client id has the same one."""
    owner = subaccount_uuid(order.subaccount)
    words = f"{owner}-{order.client_id}-{order.clob_pair_id}-{order.order_flags}"
    return str(uuid5(NAMESPACE, words))


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRecord:
    """A position as the indexer tells it: sizes in coins, signed where a long may differ."""

    id: str
    subaccount: SubaccountId
    ticker: str
    size: Decimal  # > 0 long
    max_size: Decimal  # the largest it has been, signed as the side
    sum_open: Decimal = ZERO
    sum_close: Decimal = ZERO
    entry_price: Decimal = ZERO
    exit_price: Decimal | None = None
    net_funding: Decimal = ZERO  # dollars settled so far, > 0 received
    created_at: Millis
    created_height: int
    closed_at: Millis | None = None

    @property
    def side(self) -> str:
        """LONG or SHORT; a closed one keeps the side it had."""
        return "LONG" if self.max_size > 0 else "SHORT"

    @property
    def realized(self) -> Decimal:
        """Dollars realised by what was closed, funding included."""
        if self.exit_price is None:
            return self.net_funding
        sign = 1 if self.max_size > 0 else -1
        return sign * (self.exit_price - self.entry_price) * self.sum_close + self.net_funding


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


class Moment(NamedTuple):
    """When and at which price, in dollars, a position changed."""

    price: Decimal
    at: Millis
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What a block brought: changes by subaccount and trades by ticker."""

    by_subaccount: Mapping[SubaccountId, Changes]
    trades: Mapping[str, tuple[FillRecord, ...]]


class Records:
    """The indexer's memory; it grows by one block at a time."""

    def __init__(self, state: State) -> None:
        self.open: dict[tuple[SubaccountId, str], PositionRecord] = {}
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
        self._state = state
        for account in state.accounts.values():
            self._adopt(account, state)

    def note(self, block: Block, state: State) -> Noted:
        """Take in a block and the state after it."""
        changes: dict[SubaccountId, Changes] = {}
        for order in block.orders:
            record = self._note_order(order, block)
            _of(changes, order.order.order_id.subaccount).orders.append(record)
        trades: dict[str, list[FillRecord]] = {}
        for index, event in enumerate(block.fills):
            own = _of(changes, event.subaccount)
            fill = self._note_fill(event, index, block, own)
            own.fills.append(fill)
            if event.liquidity is Liquidity.TAKER:
                trades.setdefault(event.ticker, []).append(fill)
                self.trades[event.ticker].appendleft(fill)
        for index, transfer in enumerate(block.transfers):
            self._note_transfer(transfer, index, block, changes)
        for tick in block.funding:
            self.funding[tick.ticker].appendleft(
                FundingRecord(
                    rate=Decimal(tick.rate_8h_ppm).scaleb(-6) / 8,
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

    def orders_of(self, subaccount: SubaccountId) -> Iterable[OrderRecord]:
        """Every order of the subaccount that is remembered, newest first."""
        own = (o for o in self.orders.values() if o.event.order.order_id.subaccount == subaccount)
        return sorted(own, key=lambda order: order.updated_height, reverse=True)

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
        fill = FillRecord(
            id=str(uuid5(NAMESPACE, f"{block.height}-{index}-{event.liquidity.value}")),
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
        self._trade(key, change, Moment(price, block.time, block.height), own)
        return fill

    def _trade(
        self, key: tuple[SubaccountId, str], change: Decimal, moment: Moment, own: Changes
    ) -> None:
        held = self.open.get(key)
        if held is None or held.size == 0:
            self.open[key] = _opened(key, change, moment)
        elif (held.size > 0) == (change > 0):
            self.open[key] = _grown(held, change, moment.price)
        elif abs(change) <= abs(held.size):
            self.open[key] = _shrunk(held, abs(change), moment.price)
        else:
            closed = _shrunk(held, abs(held.size), moment.price)
            own.positions[held.id] = replace(closed, closed_at=moment.at)
            self.open[key] = _opened(key, change + held.size, moment)

    def _note_transfer(
        self,
        event: TransferEvent,
        index: int,
        block: Block,
        changes: dict[SubaccountId, Changes],
    ) -> None:
        ends = [end for end in (event.sender, event.recipient) if isinstance(end, SubaccountId)]
        if not ends:
            return
        record = TransferRecord(
            id=str(uuid5(NAMESPACE, f"transfer-{block.height}-{index}")),
            event=event,
            at=block.time,
            height=block.height,
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
                touched.append(replace(record, size=ZERO, closed_at=state.time))
        for ticker, quantums in sizes.items():
            market = state.markets[ticker]
            size = coins(quantums, market.spec.atomic_resolution)
            known = self.open.get((account.id, ticker))
            if known is None or (known.size > 0) != (size > 0):
                moment = Moment(_oracle(market), state.time, state.height)
                record = _opened((account.id, ticker), size, moment)
            else:
                record = replace(known, size=size)
            self.open[(account.id, ticker)] = record
            touched.append(record)
        return touched


def _created_height(before: OrderRecord | None, block: Block) -> int:
    if before is None or before.event.status not in LIVING:
        return block.height  # a reused client id is a new order in the old one's row
    return before.created_height


def _of(changes: dict[SubaccountId, Changes], subaccount: SubaccountId) -> Changes:
    return changes.setdefault(subaccount, Changes())


def _oracle(market: MarketState) -> Decimal:
    return oracle_dollars(market.price, market.spec.oracle_exponent)


def _opened(key: tuple[SubaccountId, str], size: Decimal, moment: Moment) -> PositionRecord:
    subaccount, ticker = key
    words = f"{subaccount_uuid(subaccount)}-{ticker}-{moment.height}-{size > 0}"
    return PositionRecord(
        id=str(uuid5(NAMESPACE, words)),
        subaccount=subaccount,
        ticker=ticker,
        size=size,
        max_size=size,
        sum_open=abs(size),
        entry_price=moment.price,
        created_at=moment.at,
        created_height=moment.height,
    )


def _grown(held: PositionRecord, change: Decimal, price: Decimal) -> PositionRecord:
    opened = held.sum_open + abs(change)
    size = held.size + change
    return replace(
        held,
        size=size,
        max_size=size if abs(size) > abs(held.max_size) else held.max_size,
        sum_open=opened,
        entry_price=(held.entry_price * held.sum_open + price * abs(change)) / opened,
    )


def _shrunk(held: PositionRecord, closing: Decimal, price: Decimal) -> PositionRecord:
    closed = held.sum_close + closing
    before = held.exit_price if held.exit_price is not None else ZERO
    return replace(
        held,
        size=held.size - closing if held.size > 0 else held.size + closing,
        sum_close=closed,
        exit_price=(before * held.sum_close + price * closing) / closed,
    )
