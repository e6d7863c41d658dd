"""Which resting orders add risk, and which of them a rule cancels.

An order is reducing if it is reduce-only, or opposes the position and, adding opposing orders from
the best price, the sum stays within the position; every other order increases risk.
"""

from __future__ import annotations

from collections.abc import Sequence

from seawall.account import Observation, RestingOrder
from seawall.action import Cancel
from seawall.policy import CancelWhich


def risk_increasing(orders: Sequence[RestingOrder], held: int) -> tuple[RestingOrder, ...]:
    """The orders of one subaccount and market that add risk to a position of signed size `held`."""
    increasing = []
    opposing: list[RestingOrder] = []
    for order in orders:
        if order.reduce_only:
            continue
        if held == 0 or order.side.sign * held > 0:
            increasing.append(order)
        else:
            opposing.append(order)
    best_first = sorted(
        opposing, key=lambda order: (-order.side.sign * order.subticks, order.client_id)
    )
    total = 0
    for order in best_first:
        total += order.quantums
        if total > abs(held):
            increasing.append(order)
    return tuple(increasing)


def cancels(
    orders: Sequence[RestingOrder], seen: Observation, which: CancelWhich
) -> tuple[Cancel, ...]:
    """Cancels for the orders given: the increasing ones, and with `all` the rest once flat."""
    found: list[Cancel] = []
    for subaccount, ticker in sorted({(o.subaccount, o.ticker) for o in orders}):
        same = [o for o in orders if (o.subaccount, o.ticker) == (subaccount, ticker)]
        position = seen.subaccount(subaccount).position(ticker)
        held = 0 if position is None else position.quantums
        doomed = risk_increasing(same, held)
        if which is CancelWhich.ALL and held == 0:
            doomed = tuple(same)
        found.extend(cancel_of(order, seen) for order in doomed)
    return tuple(found)


def cancel_of(order: RestingOrder, seen: Observation) -> Cancel:
    """The cancel of a resting order."""
    return Cancel(
        subaccount=order.subaccount,
        ticker=order.ticker,
        clob_pair_id=seen.markets[order.ticker].clob_pair_id,
        client_id=order.client_id,
        order_flags=order.order_flags,
        good_til_block=order.good_til_block,
        good_til_block_time=order.good_til_block_time,
    )
