"""A position as an indexer keeps it: entry, exit and sums, which the chain does not store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from seawall.simulator.messages import SubaccountId
from seawall.simulator.serve.ids import position_uuid
from seawall.units import Millis

ZERO = Decimal(0)


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


class Moment(NamedTuple):
    """By which event, when and at which price, in dollars, a position changed."""

    event_id: str
    price: Decimal
    at: Millis
    height: int


def opened(key: tuple[SubaccountId, str], size: Decimal, moment: Moment) -> PositionRecord:
    """A position that begins."""
    subaccount, ticker = key
    return PositionRecord(
        id=position_uuid(subaccount, moment.event_id),
        subaccount=subaccount,
        ticker=ticker,
        size=size,
        max_size=size,
        sum_open=abs(size),
        entry_price=moment.price,
        created_at=moment.at,
        created_height=moment.height,
    )


def grown(held: PositionRecord, change: Decimal, price: Decimal) -> PositionRecord:
    """The position with more of the same side; its entry is the average."""
    opened = held.sum_open + abs(change)
    size = held.size + change
    return replace(
        held,
        size=size,
        max_size=size if abs(size) > abs(held.max_size) else held.max_size,
        sum_open=opened,
        entry_price=(held.entry_price * held.sum_open + price * abs(change)) / opened,
    )


def shrunk(held: PositionRecord, closing: Decimal, price: Decimal) -> PositionRecord:
    """The position with a part of it closed; its exit is the average."""
    closed = held.sum_close + closing
    before = held.exit_price if held.exit_price is not None else ZERO
    return replace(
        held,
        size=held.size - closing if held.size > 0 else held.size + closing,
        sum_close=closed,
        exit_price=(before * held.sum_close + price * closing) / closed,
    )
