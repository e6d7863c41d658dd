"""The house against resting orders: its quotes move with the mid, and take what they cross."""

from __future__ import annotations

from seawall.account import MarketStatus
from seawall.simulator import ruler
from seawall.simulator.book import Maker
from seawall.simulator.events import Reason
from seawall.simulator.exchange import Exchange
from seawall.simulator.matching import (
    Match,
    builder_fee,
    crosses,
    cut,
    drop_reduce_only,
    is_orphaned,
    maker_filled,
    opposite,
    remove,
)
from seawall.simulator.state import MarketState, OpenOrder
from seawall.simulator.updates import accepts, terms_after


def cross_resting(exchange: Exchange) -> None:
    """Let the house trade with users' orders that its moved quotes now cross, at their price.

    A market that is not ACTIVE has no trades.
    """
    for ticker, book in exchange.books.items():
        market = exchange.markets[ticker]
        if not book.orders or market.spec.status is not MarketStatus.ACTIVE:
            continue
        for rested in sorted(book.orders.values(), key=lambda order: order.arrival):
            if is_orphaned(exchange, rested):
                continue  # it goes when a taker meets it
            _takes(exchange, exchange.markets[ticker], rested)


def _takes(exchange: Exchange, market: MarketState, rested: OpenOrder) -> None:
    """The house fills a resting order with whatever its own quotes would give at that price."""
    order, spec = rested.order, market.spec
    side = order.side
    assert side is not None
    book = exchange.books[spec.ticker]
    for quote_level in book.shape.makers(opposite(side)):
        if quote_level.order is not None:
            continue
        if not crosses(side, order.subticks, quote_level.subticks):
            break
        known = book.orders.get(order.order_id)
        if known is None:
            break
        offered = min(known.remaining, quote_level.quantums)
        size = cut(exchange, order, spec.perpetual_id, offered)
        if size == 0:
            remove(exchange, order.order_id, Reason.INVALID_REDUCE_ONLY)
            break
        if not _fills(exchange, market, known, size):
            remove(exchange, order.order_id, Reason.UNDERCOLLATERALIZED)
            break
        book.take(opposite(side), quote_level, size)


def _fills(exchange: Exchange, market: MarketState, rested: OpenOrder, size: int) -> bool:
    """One fill of a resting order by the house at the order's price; whether margin allows it."""
    order, perpetual = rested.order, market.spec.perpetual_id
    side = order.side
    assert side is not None
    quote = ruler.fill_quote(order.subticks, size, market.spec.quantum_conversion_exponent)
    fee = ruler.fee(quote, exchange.rules.fees.maker_ppm) + builder_fee(order, quote)
    before = exchange.settled(order.order_id.subaccount)
    after = exchange.with_trade(before, perpetual, side.sign * size, -side.sign * quote - fee)
    market = exchange.markets[market.spec.ticker]
    held = exchange.house[perpetual]
    changes = [
        (before.quantums(perpetual), after.quantums(perpetual)),
        (held, held - side.sign * size),
    ]
    terms = terms_after(market, changes)
    if not accepts(exchange, terms, before, after):
        return False
    exchange.house_trades(perpetual, -side.sign * size, side.sign * quote)
    exchange.fee_pool += fee
    exchange.set_open_interest(market, terms)
    exchange.store(after)
    proposed = Match(
        market=market,
        side=opposite(side),
        before=before,
        after=after,
        maker=Maker(order.subticks, size, (), rested),
        quantums=size,
        quote=quote,
    )
    maker_filled(exchange, proposed, before, fee)
    drop_reduce_only(exchange, market.spec.ticker, before, after)
    return True
