"""What a block does to the exchange, step by step: orders, cancels, oracle, expiry.

CheckTx runs the same steps on a fork.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from seawall.simulator import matching, ruler, twap
from seawall.simulator.events import OrderEvent, OrderStatus, PriceUpdate, Reason
from seawall.simulator.exchange import Exchange
from seawall.simulator.messages import (
    CONDITIONAL,
    TWAP,
    BatchCancel,
    CancelOrder,
    ClobMessage,
    OrderId,
    PlaceOrder,
    SubaccountId,
    short_term_ids,
)
from seawall.simulator.orders import refuse_in_memory, refuse_status
from seawall.simulator.state import OpenOrder
from seawall.simulator.updates import terms_after
from seawall.units import BaseQuantums

WOULD_INCREASE = 2001


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """An order that a refused one has taken off the book all the same, and why."""

    order_id: OrderId
    reason: Reason


def execute(exchange: Exchange, message: ClobMessage | Dropped) -> None:
    """Run a short-term order or cancel in its block, where it may do nothing any more."""
    if isinstance(message, Dropped):
        matching.remove(exchange, message.order_id, message.reason)
        return
    if message.good_til_block < exchange.height:
        return
    match message:
        case PlaceOrder():
            _place(exchange, message)
        case CancelOrder():
            cancel(exchange, message)
        case BatchCancel():
            cancel_batch(exchange, message)


def _place(exchange: Exchange, order: PlaceOrder) -> None:
    market = exchange.market_of_clob(order.order_id.clob_pair_id)
    assert market is not None
    refused = refuse_status(order, market) or refuse_in_memory(exchange, order)
    if refused is None:
        matching.place(exchange, order)
    elif refused.code == WOULD_INCREASE:
        matching.finish(exchange, order, OrderStatus.CANCELED, Reason.INVALID_REDUCE_ONLY)


def accept(exchange: Exchange, order: PlaceOrder) -> Reason:
    """Place an order that nothing speaks against.

    A short-term one meets the book at once; a long-term one is in state from now on and meets it in
    the next block, a conditional one when it has triggered, a TWAP order never: its legs do.
    """
    order_id = order.order_id
    if order_id.is_short_term:
        return matching.place(exchange, order)
    is_conditional = order_id.order_flags == CONDITIONAL
    placed = OpenOrder(
        order=order,
        filled=BaseQuantums(0),
        placed_height=exchange.height,
        arrival=exchange.next_arrival(),
        is_triggered=not is_conditional,
    )
    if is_conditional:
        exchange.untriggered[order_id] = placed
    else:
        exchange.off_book[order_id] = placed
        if order_id.order_flags == TWAP:
            twap.begin(exchange, order)
        else:
            exchange.due.append(order_id)
    status = OrderStatus.UNTRIGGERED if is_conditional else OrderStatus.OPEN
    exchange.log.orders.append(OrderEvent(order=order, status=status, filled=BaseQuantums(0)))
    return Reason.NONE


def cancel(exchange: Exchange, message: CancelOrder) -> None:
    """Cancel an order; a short-term cancel is remembered and needs the order's good-til-block."""
    if message.order_id.is_short_term:
        _cancel_short_term(exchange, message.order_id, message.good_til_block)
    else:
        matching.remove(exchange, message.order_id, Reason.USER_CANCELED)
        exchange.log.cancelled.add(message.order_id)


def cancel_batch(exchange: Exchange, batch: BatchCancel) -> None:
    """Cancel what a batch names, as far as it is there; nothing where a clob pair is not.

    The chain ends a batch at an unknown pair and answers code 0 all the same (ORDERS.md 2.3).
    """
    if all(pair in exchange.tickers for pair, _ in batch.cancels):
        for order_id in short_term_ids(batch):
            _cancel_short_term(exchange, order_id, batch.good_til_block)


def _cancel_short_term(exchange: Exchange, order_id: OrderId, good_til_block: int) -> None:
    exchange.cancels[order_id] = max(exchange.cancels.get(order_id, 0), good_til_block)
    resting = exchange.resting(order_id)
    if resting is not None and resting.order.good_til_block <= good_til_block:
        matching.remove(exchange, order_id, Reason.USER_CANCELED)


def update_oracle(exchange: Exchange, prices: Mapping[str, int]) -> None:
    """Put new oracle prices in force, for what comes after in this block and for the next."""
    for ticker, market in tuple(exchange.markets.items()):
        price = prices[ticker]
        if price == market.price:
            continue
        known = market.terms
        terms = ruler.terms_of(market.spec, price, known.funding_index, known.open_interest)
        exchange.set_market(replace(market, price=price, terms=terms))
        exchange.log.prices.append(PriceUpdate(ticker=ticker, price=price))


def cancel_stateful(exchange: Exchange, clob_pair_id: int) -> None:
    """Cancel a market's long-term and conditional orders, as final settlement does."""
    for known in everything_open(exchange):
        order_id = known.order.order_id
        if order_id.clob_pair_id == clob_pair_id and not order_id.is_short_term:
            matching.remove(exchange, order_id, Reason.FINAL_SETTLEMENT)


def expire(exchange: Exchange) -> None:
    """Forget what has passed: orders, cancels, fill amounts (ORDERS.md 2.1 to 2.4)."""
    height = exchange.height
    for known in everything_open(exchange):
        order = known.order
        if order.order_id.is_short_term:
            is_over = order.good_til_block <= height
        else:
            is_over = order.good_til_block_time * 1_000 <= exchange.time
        if is_over:
            matching.remove(exchange, order.order_id, Reason.EXPIRED)
    if exchange.cancels:
        exchange.cancels = {i: gtb for i, gtb in exchange.cancels.items() if gtb > height}
    if exchange.fills:
        exchange.fills = {i: m for i, m in exchange.fills.items() if m.forget_height > height}


def assign(exchange: Exchange, subaccount: SubaccountId, ticker: str, quantums: int) -> None:
    """Trade with the house at the oracle price without a fee; net collateral does not change."""
    market = exchange.markets[ticker]
    perpetual = market.spec.perpetual_id
    before = exchange.settled(subaccount)
    held = before.quantums(perpetual)
    cost = ruler.notional(market.terms, held + quantums) - ruler.notional(market.terms, held)
    house = exchange.house[perpetual]
    changes = ((held, held + quantums), (house, house - quantums))
    exchange.store(exchange.with_trade(before, perpetual, quantums, -cost))
    exchange.house_trades(perpetual, -quantums, cost)
    exchange.set_open_interest(market, terms_after(market, changes))


def everything_open(exchange: Exchange) -> tuple[OpenOrder, ...]:
    """Every order that rests or, conditional, is in state."""
    resting = [order for book in exchange.books.values() for order in book.orders.values()]
    return (*resting, *exchange.untriggered.values(), *exchange.off_book.values())


def open_orders(exchange: Exchange) -> dict[SubaccountId, tuple[OpenOrder, ...]]:
    """The same by subaccount."""
    found: dict[SubaccountId, tuple[OpenOrder, ...]] = {}
    for order in everything_open(exchange):
        key = order.order.order_id.subaccount
        found[key] = (*found.get(key, ()), order)
    return found
