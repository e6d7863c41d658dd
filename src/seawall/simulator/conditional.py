"""Conditional orders: when they trigger, when they reach a book, and what stays behind.

An order triggers at the end of a block by the new oracle price or by the block's trade prices,
those clamped around the oracle; it reaches its book in the next block. A triggered reduce-only
order whose position is gone is refused by the book and stays in state, triggered, until cancelled
or expired. Source: reference ORDERS.md section 1.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from seawall.account import Side
from seawall.simulator import matching
from seawall.simulator.events import FillKind, OrderEvent, OrderStatus
from seawall.simulator.exchange import Exchange
from seawall.simulator.messages import STOP_LOSS, TWAP, OrderId, PlaceOrder
from seawall.simulator.orders import refuse_in_memory
from seawall.simulator.state import MarketState, OpenOrder
from seawall.units import BaseQuantums

TRADE_BAND = 5  # times the market's least price change, around the oracle
MILLION = 1_000_000


def trigger(exchange: Exchange) -> None:
    """Trigger what the block's prices reach; the orders meet their books in the next block."""
    if not exchange.untriggered:
        return
    traded = _trade_prices(exchange)
    for order_id, waiting in tuple(exchange.untriggered.items()):
        market = exchange.market_of_clob(order_id.clob_pair_id)
        assert market is not None
        if not is_reached(waiting.order, market, traded.get(market.spec.ticker)):
            continue
        del exchange.untriggered[order_id]
        exchange.off_book[order_id] = replace(waiting, is_triggered=True)
        exchange.due.append(order_id)
        exchange.log.orders.append(
            OrderEvent(order=waiting.order, status=OrderStatus.OPEN, filled=BaseQuantums(0))
        )


def is_reached(order: PlaceOrder, market: MarketState, traded: tuple[int, int] | None) -> bool:
    """Whether oracle or trades (lowest and highest subticks) reach an order's trigger."""
    oracle = oracle_subticks(market)
    is_below = (order.condition_type == STOP_LOSS) == (order.side is Side.SELL)
    prices = [oracle]
    if traded is not None:
        band = oracle * TRADE_BAND * market.spec.min_price_change_ppm / MILLION
        lowest, highest = traded
        prices.append(
            min(max(Fraction(lowest if is_below else highest), oracle - band), oracle + band)
        )
    if is_below:
        return min(prices) <= order.trigger_subticks
    return max(prices) >= order.trigger_subticks


def oracle_subticks(market: MarketState) -> Fraction:
    """The oracle price in subticks, exact."""
    return market.price * Fraction(10) ** market.spec.subticks_shift


def place_due(exchange: Exchange) -> None:
    """Put what the last block placed or triggered on its book, once, in order of placement."""
    due, exchange.due = exchange.due, []
    for order_id in sorted(due, key=lambda one: _arrival(exchange, one)):
        waiting = exchange.off_book.get(order_id)
        if waiting is None:
            continue
        if refuse_in_memory(exchange, waiting.order) is None:
            del exchange.off_book[order_id]
            matching.place(exchange, waiting.order, waiting)


def place_again(exchange: Exchange) -> None:
    """Let every order that is in state and on no book meet it again, as a restart does."""
    waiting = [one for one in exchange.off_book if one.order_flags != TWAP]
    exchange.due += [one for one in waiting if one not in exchange.due]


def _arrival(exchange: Exchange, order_id: OrderId) -> int:
    waiting: OpenOrder | None = exchange.off_book.get(order_id)
    return 0 if waiting is None else waiting.arrival


def _trade_prices(exchange: Exchange) -> Mapping[str, tuple[int, int]]:
    """Lowest and highest trade of the block by market, in subticks."""
    found: dict[str, tuple[int, int]] = {}
    for fill in exchange.log.fills:
        if fill.kind in (FillKind.DELEVERAGED, FillKind.OFFSETTING):
            continue
        low, high = found.get(fill.ticker, (fill.subticks, fill.subticks))
        found[fill.ticker] = (min(low, fill.subticks), max(high, fill.subticks))
    return found
