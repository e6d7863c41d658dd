"""Matching: an order meets the book, fill by fill, each judged by the margin rule after its fee.

Sources: reference ORDERS.md sections 1.4 to 1.6 (reduce-only, immediate-or-cancel, self-trade) and
4.4 (the rule is applied per match, so a walk may stop half way). Nothing here raises for an order
that fails: what became of it is in the log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from seawall.account import Side
from seawall.simulator import pools, ruler
from seawall.simulator.book import Maker
from seawall.simulator.events import FillEvent, FillKind, Liquidity, OrderEvent, OrderStatus, Reason
from seawall.simulator.exchange import Exchange, ReduceOnly
from seawall.simulator.messages import (
    IMMEDIATE_OR_CANCEL,
    POST_ONLY,
    TWAP_LEG,
    OrderId,
    PlaceOrder,
    SubaccountId,
)
from seawall.simulator.state import Account, MarketState, OpenOrder
from seawall.simulator.updates import accepts, terms_after
from seawall.units import BaseQuantums, QuoteQuantums, Subticks

NEVER_FORGOTTEN = 2**60  # stateful fill amounts live as long as the order


class Outcome(Enum):
    """What the margin rule said to one match."""

    MATCHED = "matched"
    TAKER_FAILS = "taker fails"
    MAKER_FAILS = "maker fails"
    BOTH_FAIL = "both fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One match as the taker proposes it: both states of the taker, and what is exchanged."""

    market: MarketState
    side: Side  # the taker's
    before: Account  # settled
    after: Account
    maker: Maker
    quantums: int
    quote: int
    maker_fee_floor: int | None = None  # liquidations pay no rebate: 0
    maker_kind: FillKind = FillKind.LIMIT


def opposite(side: Side) -> Side:
    """The other side."""
    return Side.SELL if side is Side.BUY else Side.BUY


def crosses(side: Side, limit: int, maker_subticks: int) -> bool:
    """Whether a maker's price is at least as good as a taker's limit."""
    return maker_subticks <= limit if side is Side.BUY else maker_subticks >= limit


def place(exchange: Exchange, order: PlaceOrder, known: OpenOrder | None = None) -> Reason:
    """Match an order that nothing speaks against and rest what is left of a good-til order.

    `known` is what waited in state for the book. The answer is NONE where it filled or rests, else
    why the remainder is gone.
    """
    side, market = order.side, exchange.market_of_clob(order.order_id.clob_pair_id)
    assert side is not None
    assert market is not None
    book = exchange.books[market.spec.ticker]
    book.drop(order.order_id)  # what it replaces; its place in the queue is lost
    reason = _walk(exchange, Taker(order, side, market))
    filled = exchange.filled(order.order_id)
    left = order.quantums - filled
    if left < market.spec.step_base_quantums:
        finish(exchange, order, OrderStatus.FILLED, Reason.NONE)
        return Reason.NONE
    if reason is Reason.NONE and order.time_in_force == IMMEDIATE_OR_CANCEL:
        reason = Reason.IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK
    if reason is not Reason.NONE:
        finish(exchange, order, OrderStatus.CANCELED, reason)
        return reason
    rested = OpenOrder(
        order=order,
        filled=BaseQuantums(filled),
        placed_height=exchange.height if known is None else known.placed_height,
        arrival=exchange.next_arrival() if known is None else known.arrival,
    )
    book.put(rested)
    exchange.log.orders.append(
        OrderEvent(order=order, status=OrderStatus.OPEN, filled=BaseQuantums(filled))
    )
    return Reason.NONE


def remove(exchange: Exchange, order_id: OrderId, reason: Reason) -> bool:
    """Take an order off the book or out of the conditional ones; whether there was one."""
    known = (
        exchange.book_of(order_id).drop(order_id)
        or exchange.untriggered.pop(order_id, None)
        or exchange.off_book.pop(order_id, None)
    )
    if known is None:
        return False
    finish(exchange, known.order, OrderStatus.CANCELED, reason)
    return True


def finish(exchange: Exchange, order: PlaceOrder, status: OrderStatus, reason: Reason) -> None:
    """Log the end of an order; a stateful one takes its fill amount with it."""
    filled = BaseQuantums(exchange.filled(order.order_id))
    if not order.order_id.is_short_term:
        exchange.fills.pop(order.order_id, None)
        if reason is not Reason.USER_CANCELED:
            exchange.log.removed.add(order.order_id)
    exchange.log.orders.append(OrderEvent(order=order, status=status, filled=filled, reason=reason))


def match(exchange: Exchange, proposed: Match) -> Outcome:
    """Judge one match and, if both sides may have it, carry it out; the taker's event is not here.

    Open interest changes before either side is judged (MARGIN.md 2.5).
    """
    market, maker = exchange.markets[proposed.market.spec.ticker], proposed.maker
    perpetual = market.spec.perpetual_id
    size = proposed.side.sign * proposed.quantums
    changes: list[tuple[int, int]] = [
        (proposed.before.quantums(perpetual), proposed.after.quantums(perpetual))
    ]
    resting = maker.order
    if resting is None:
        held = exchange.house[perpetual]
        changes.append((held, held - size))
        terms = terms_after(market, changes)
        if not accepts(exchange, terms, proposed.before, proposed.after):
            return Outcome.TAKER_FAILS
        exchange.house_trades(perpetual, -size, proposed.side.sign * proposed.quote)
        exchange.books[market.spec.ticker].take(opposite(proposed.side), maker, proposed.quantums)
    else:
        before = exchange.settled(resting.order.order_id.subaccount)
        fee = ruler.fee(proposed.quote, exchange.rules.fees.maker_ppm)
        if proposed.maker_fee_floor is not None:
            fee = max(fee, proposed.maker_fee_floor)
        fee += builder_fee(resting.order, proposed.quote)
        cash = proposed.side.sign * proposed.quote - fee
        after = exchange.with_trade(before, perpetual, -size, cash)
        changes.append((before.quantums(perpetual), after.quantums(perpetual)))
        terms = terms_after(market, changes)
        takes = accepts(exchange, terms, proposed.before, proposed.after)
        if not accepts(exchange, terms, before, after):
            return Outcome.MAKER_FAILS if takes else Outcome.BOTH_FAIL
        if not takes:
            return Outcome.TAKER_FAILS
        exchange.fee_pool += fee
        exchange.store(after)
        maker_filled(exchange, proposed, before, fee)
        drop_reduce_only(exchange, market.spec.ticker, before, after)
    exchange.set_open_interest(market, terms)
    exchange.store(proposed.after)
    drop_reduce_only(exchange, market.spec.ticker, proposed.before, proposed.after)
    return Outcome.MATCHED


class Taker(NamedTuple):
    """An order that walks the book, with its side and market."""

    order: PlaceOrder
    side: Side
    market: MarketState


def _walk(exchange: Exchange, taker: Taker) -> Reason:
    """Fill an order maker by maker; why it stopped, NONE where makers or the order ran out."""
    order, side, market = taker
    spec = market.spec
    subaccount = order.order_id.subaccount
    left = order.quantums - exchange.filled(order.order_id)
    for maker in exchange.books[spec.ticker].shape.makers(opposite(side)):
        if left < spec.step_base_quantums or not crosses(side, order.subticks, maker.subticks):
            break
        if maker.order is not None and drops(exchange, maker.order, subaccount):
            continue
        size = cut(exchange, order, spec.perpetual_id, min(left, maker.quantums))
        if size == 0:
            return Reason.REDUCE_ONLY_RESIZE
        if maker.order is not None:
            size = cut(exchange, maker.order.order, spec.perpetual_id, size)
            if size == 0:
                remove(exchange, maker.order.order.order_id, Reason.INVALID_REDUCE_ONLY)
                continue
        # A post-only order stops at its first valid match, which then does not happen.
        at_stake = exchange.fork() if order.time_in_force == POST_ONLY else exchange
        outcome = _fill(at_stake, taker, maker, size)
        if maker.order is not None and outcome in (Outcome.MAKER_FAILS, Outcome.BOTH_FAIL):
            remove(exchange, maker.order.order.order_id, Reason.UNDERCOLLATERALIZED)
        if outcome in (Outcome.TAKER_FAILS, Outcome.BOTH_FAIL):
            return _why_taker_fails(exchange, subaccount, spec.perpetual_id)
        if outcome is Outcome.MATCHED:
            if order.time_in_force == POST_ONLY:
                return Reason.POST_ONLY_WOULD_CROSS_MAKER_ORDER
            left -= size
    if left >= spec.step_base_quantums and cut(exchange, order, spec.perpetual_id, left) == 0:
        return Reason.REDUCE_ONLY_RESIZE
    return Reason.NONE


def _why_taker_fails(exchange: Exchange, taker: SubaccountId, perpetual_id: int) -> Reason:
    held = exchange.account(taker).held
    if pools.violates(held, exchange.isolated, (perpetual_id,)):
        return Reason.VIOLATES_ISOLATED_SUBACCOUNT_CONSTRAINTS
    return Reason.UNDERCOLLATERALIZED


def cut(exchange: Exchange, order: PlaceOrder, perpetual_id: int, size: int) -> int:
    """What an order may fill of `size`: reduce-only ones at most the position, on its other side.

    The position is the one of this moment; 0 where the side is gone (ORDERS.md 1.4).
    """
    if not order.reduce_only or exchange.rules.reduce_only is ReduceOnly.IGNORED:
        return size
    assert order.side is not None
    position = exchange.account(order.order_id.subaccount).quantums(perpetual_id)
    return 0 if position * order.side.sign >= 0 else min(size, abs(position))


def drop_reduce_only(exchange: Exchange, ticker: str, before: Account, after: Account) -> None:
    """Remove an account's resting reduce-only orders where a match changed its position's sign."""
    book, perpetual = exchange.books[ticker], exchange.markets[ticker].spec.perpetual_id
    was, now = before.quantums(perpetual), after.quantums(perpetual)
    if not book.orders or (was > 0, was < 0) == (now > 0, now < 0):
        return
    for rested in tuple(book.orders.values()):
        if rested.order.reduce_only and rested.order.order_id.subaccount == before.id:
            remove(exchange, rested.order.order_id, Reason.REDUCE_ONLY_RESIZE)


def _fill(exchange: Exchange, taker: Taker, maker: Maker, size: int) -> Outcome:
    """One match of a user's order at the maker's price, with the taker's fee."""
    order, side, market = taker
    spec = market.spec
    quote = ruler.fill_quote(maker.subticks, size, spec.quantum_conversion_exponent)
    fee = ruler.fee(quote, exchange.rules.fees.taker_ppm) + builder_fee(order, quote)
    before = exchange.settled(order.order_id.subaccount)
    after = exchange.with_trade(
        before, spec.perpetual_id, side.sign * size, -side.sign * quote - fee
    )
    outcome = match(
        exchange,
        Match(
            market=market,
            side=side,
            before=before,
            after=after,
            maker=maker,
            quantums=size,
            quote=quote,
        ),
    )
    if outcome is not Outcome.MATCHED:
        return outcome
    exchange.fee_pool += fee
    filled = exchange.filled(order.order_id) + size
    exchange.remember_fill(order.order_id, filled, memory_of(order))
    exchange.log.matched[order.order_id] = order
    exchange.log.fills.append(
        FillEvent(
            subaccount=order.order_id.subaccount,
            ticker=spec.ticker,
            side=side,
            quantums=BaseQuantums(size),
            subticks=Subticks(maker.subticks),
            quote=QuoteQuantums(quote),
            fee=QuoteQuantums(fee),
            liquidity=Liquidity.TAKER,
            kind=_kind_of(order.order_id, FillKind.LIMIT),
            order_id=order.order_id,
            client_metadata=order.client_metadata,
            position_before=before.quantums(spec.perpetual_id),
        )
    )
    return outcome


def _kind_of(order_id: OrderId, kind: FillKind) -> FillKind:
    """The kind of a user's fill; that of a TWAP order's leg has a name of its own."""
    is_leg = order_id.order_flags == TWAP_LEG and kind is FillKind.LIMIT
    return FillKind.TWAP_SUBORDER if is_leg else kind


def builder_fee(order: PlaceOrder, quote: int) -> int:
    """What an order's fill pays to its builder, on top of the fee and rounded up like it."""
    return 0 if order.builder is None else ruler.fee(quote, order.builder.fee_ppm)


def is_orphaned(exchange: Exchange, rested: OpenOrder) -> bool:
    """Whether a short-term order was signed by a permissioned key that is no longer permitted.

    The book drops it where a taker meets it; stateful orders survive their key (ORDERS.md 7.4).
    """
    order = rested.order
    if order.permission is None or not order.order_id.is_short_term:
        return False
    return not exchange.permissions.has(order.order_id.subaccount.owner, order.permission)


def drops(exchange: Exchange, rested: OpenOrder, taker: SubaccountId) -> bool:
    """Remove a maker that this taker may not meet: its own, or one whose key is gone."""
    if rested.order.order_id.subaccount == taker:
        return remove(exchange, rested.order.order_id, Reason.INVALID_SELF_TRADE)
    if is_orphaned(exchange, rested):
        return remove(exchange, rested.order.order_id, Reason.PERMISSIONED_KEY_EXPIRED)
    return False


def memory_of(order: PlaceOrder) -> int:
    """Good-til-block from which the memory of an order's fills is counted."""
    return order.good_til_block if order.order_id.is_short_term else NEVER_FORGOTTEN


def maker_filled(exchange: Exchange, proposed: Match, before: Account, fee: int) -> None:
    """Note a user's resting order as filled by a match, and take it off when nothing is left."""
    resting = proposed.maker.order
    assert resting is not None
    order, book = resting.order, exchange.books[proposed.market.spec.ticker]
    filled = exchange.filled(order.order_id) + proposed.quantums
    exchange.remember_fill(order.order_id, filled, memory_of(order))
    exchange.log.matched[order.order_id] = order
    side = opposite(proposed.side)
    exchange.log.fills.append(
        FillEvent(
            subaccount=order.order_id.subaccount,
            ticker=proposed.market.spec.ticker,
            side=side,
            quantums=BaseQuantums(proposed.quantums),
            subticks=Subticks(proposed.maker.subticks),
            quote=QuoteQuantums(proposed.quote),
            fee=QuoteQuantums(fee),
            liquidity=Liquidity.MAKER,
            kind=_kind_of(order.order_id, proposed.maker_kind),
            order_id=order.order_id,
            client_metadata=order.client_metadata,
            position_before=before.quantums(proposed.market.spec.perpetual_id),
        )
    )
    if order.quantums - filled < proposed.market.spec.step_base_quantums:
        book.drop(order.order_id)
        finish(exchange, order, OrderStatus.FILLED, Reason.NONE)
        return
    book.put(replace(resting, filled=BaseQuantums(filled)))
    exchange.log.orders.append(
        OrderEvent(order=order, status=OrderStatus.OPEN, filled=BaseQuantums(filled))
    )
