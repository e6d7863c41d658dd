"""An indexer: what it has taken in of the chain, block by block, and how it tells it.

A venue may run two: the one that the websocket tells from, and a replica behind it that REST reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from seawall.simulator.book import Shape
from seawall.simulator.events import Block
from seawall.simulator.messages import CancelOrder, Message, PlaceOrder
from seawall.simulator.serve.chronicle import Chronicle
from seawall.simulator.serve.node import Sealed
from seawall.simulator.serve.records import LateTransfer, Noted, OrderRecord, Records
from seawall.simulator.serve.shapes import Levels, levels
from seawall.simulator.state import State
from seawall.units import oracle_dollars


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A block as an indexer gets to see it."""

    sealed: Sealed
    late: tuple[LateTransfer, ...] = ()  # of earlier blocks, seen only now
    crossed: frozenset[str] = frozenset()  # markets whose book is shown standing on its head


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A block with the state after it and what an indexer makes of it."""

    block: Block
    state: State
    noted: Noted


class Indexer:
    """The state, the records and the books as of the newest block that was taken in."""

    def __init__(self, sealed: Sealed) -> None:
        self.state = sealed.state
        self.records = Records(sealed.state)
        self.chronicle = Chronicle(sealed.state)
        self._shapes = sealed.shapes
        self._crossed: frozenset[str] = frozenset()
        self._shown: dict[str, tuple[Shape, bool, tuple[Levels, Levels]]] = {}  # books as text

    def take(self, seen: Seen) -> News:
        """Take in the next block."""
        block, state, shapes = seen.sealed.block, seen.sealed.state, seen.sealed.shapes
        self.state, self._shapes, self._crossed = state, shapes, seen.crossed
        noted = self.records.note(block, state, seen.late)
        self.chronicle.note(block, state, noted, self._mids(shapes))
        return News(block=block, state=state, noted=noted)

    def hear(self, message: Message) -> OrderRecord | None:
        """Take in a short-term order or a cancel of one that a node took; None for all else."""
        match message:
            case PlaceOrder() if message.order_id.is_short_term:
                return self.records.hear(message, self.state)
            case CancelOrder() if message.order_id.is_short_term:
                return self.records.hear_cancel(message.order_id, self.state)
            case _:
                return None

    def book(self, ticker: str) -> tuple[Levels, Levels]:
        """Bids and asks of a market; the same object while it does not move."""
        shape, is_crossed = self._shapes[ticker], ticker in self._crossed
        shown = self._shown.get(ticker)
        if shown is None or shown[0] is not shape or shown[1] is not is_crossed:
            market = self.state.markets[ticker]
            book = levels(market, shape.bids), levels(market, shape.asks)
            shown = (shape, is_crossed, _crossed(book) if is_crossed else book)
            self._shown[ticker] = shown
        return shown[2]

    def _mids(self, shapes: Mapping[str, Shape]) -> dict[str, Decimal]:
        """The house's mids in dollars per coin."""
        return {
            ticker: oracle_dollars(shape.mid, self.state.markets[ticker].spec.oracle_exponent)
            for ticker, shape in shapes.items()
        }


def _crossed(book: tuple[Levels, Levels]) -> tuple[Levels, Levels]:
    """The book with its best bid moved to its second ask, as missed removals leave it."""
    bids, asks = book
    if not bids or not asks:
        return book
    return [(asks[min(1, len(asks) - 1)][0], bids[0][1]), *bids], asks
