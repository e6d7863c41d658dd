"""TWAP orders: a parent in state, and a leg on the book at every interval.

A leg is an order of flag 256 that the chain makes at the end of a block and puts on the book in the
next one, for 3 seconds: what is left of the parent by what is left of its legs, at most three times
an even share, at the parent's price or at the oracle with the tolerance. A leg that its account may
not have ends the parent. Sources: reference ORDERS.md 1.3; v4-chain, x/clob/keeper.
"""

from __future__ import annotations

from dataclasses import replace

from seawall.simulator import matching
from seawall.simulator.events import OrderEvent, OrderStatus, Reason
from seawall.simulator.exchange import Exchange
from seawall.simulator.messages import GOOD_TIL_TIME, TWAP_LEG, OrderId, PlaceOrder
from seawall.simulator.orders import refuse_status, refuse_unfunded, whole_price
from seawall.simulator.state import MarketState, OpenOrder, Schedule
from seawall.units import BaseQuantums, round_down

LEG_LIVES_S = 3
CATCHES_UP_MOST = 3  # times an even share
ISOLATED = 2005


def begin(exchange: Exchange, order: PlaceOrder) -> None:
    """Schedule the legs of a parent that was taken; the first is made in its own block."""
    assert order.twap is not None
    exchange.schedules[order.order_id] = Schedule(
        legs=order.twap.legs, due_s=exchange.time // 1_000
    )


def make_legs(exchange: Exchange) -> None:
    """Make the legs that are due, and end what has none left; a parent that is gone has none."""
    now_s = exchange.time // 1_000
    for parent_id, schedule in tuple(exchange.schedules.items()):
        parent = exchange.off_book.get(parent_id)
        if parent is None:
            del exchange.schedules[parent_id]
        elif schedule.due_s <= now_s:
            _turn(exchange, parent, schedule, now_s)


def _turn(exchange: Exchange, parent: OpenOrder, schedule: Schedule, now_s: int) -> None:
    """Make one leg of a parent, or end it where nothing is left to do."""
    order, parent_id = parent.order, parent.order.order_id
    left = order.quantums - exchange.filled(parent_id)
    if schedule.legs == 0 or left == 0:
        _end(exchange, parent_id, Reason.NONE if left == 0 else Reason.EXPIRED)
        return
    assert order.twap is not None
    exchange.schedules[parent_id] = Schedule(
        legs=schedule.legs - 1, due_s=now_s + order.twap.interval_s
    )
    market = exchange.market_of_clob(parent_id.clob_pair_id)
    assert market is not None
    leg = _leg(order, market, leg_size(order, market, left, schedule.legs), now_s)
    refused = refuse_status(leg, market) or refuse_unfunded(exchange, leg)
    if refused is not None or leg.quantums == 0:
        is_mixed = refused is not None and refused.code == ISOLATED
        mixed = Reason.VIOLATES_ISOLATED_SUBACCOUNT_CONSTRAINTS
        _end(exchange, parent_id, mixed if is_mixed else Reason.UNDERCOLLATERALIZED)
        return
    exchange.off_book[leg.order_id] = OpenOrder(
        order=leg,
        filled=BaseQuantums(0),
        placed_height=exchange.height,
        arrival=exchange.next_arrival(),
    )
    exchange.due.append(leg.order_id)
    exchange.log.orders.append(
        OrderEvent(order=leg, status=OrderStatus.OPEN, filled=BaseQuantums(0))
    )


def leg_size(order: PlaceOrder, market: MarketState, left: int, legs: int) -> int:
    """Base quantums of the next leg, in whole steps; 0 where a leg is less than one."""
    assert order.twap is not None
    even = -(-order.quantums // order.twap.legs)
    return round_down(min(-(-left // legs), CATCHES_UP_MOST * even), market.spec.step_base_quantums)


def _leg(order: PlaceOrder, market: MarketState, size: int, now_s: int) -> PlaceOrder:
    return PlaceOrder(
        order_id=replace(order.order_id, order_flags=TWAP_LEG),
        side=order.side,
        quantums=size,
        subticks=whole_price(order, market),
        good_til_block_time=now_s + LEG_LIVES_S,
        time_in_force=GOOD_TIL_TIME,
        reduce_only=order.reduce_only,
        client_metadata=order.client_metadata,
    )


def _end(exchange: Exchange, parent_id: OrderId, reason: Reason) -> None:
    """Take a parent out of state; one that has filled is FILLED."""
    del exchange.schedules[parent_id]
    parent = exchange.off_book.pop(parent_id)
    status = OrderStatus.CANCELED if reason is not Reason.NONE else OrderStatus.FILLED
    matching.finish(exchange, parent.order, status, reason)
