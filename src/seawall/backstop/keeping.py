"""Keeping a market's stop in step: place in the free slot, see it rest, cancel the other.

There is never a moment without. Any number of guards decide the same from the same orders: the one
that closes most of the position stays, of equals the one that lives longest, so two guards that
cannot talk never cancel each other's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from seawall import units
from seawall.account import Market, RestingOrder
from seawall.action import CONDITIONAL, STOP_LIFE
from seawall.backstop.wanted import Stop, oracle_ratio, worst_of
from seawall.policy import BackstopOrder
from seawall.units import SECOND, Millis

RENEW_BEFORE = Millis(STOP_LIFE // 2)
SLACK = 10  # a tenth: of the distance for the trigger, of the size for the size


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a market needs now: orders to cancel, and the client id to place a new stop under."""

    cancels: tuple[RestingOrder, ...] = ()
    place_as: int | None = None
    is_bare: bool = False  # no stop protects the position now
    renew_at: Millis | None = None  # when the one that stays is to be renewed


def is_stop(order: RestingOrder, ids: Sequence[int]) -> bool:
    """Whether a resting order is one of our stops, whichever guard placed it."""
    is_ours = order.order_flags == CONDITIONAL and order.client_id in ids
    return is_ours and order.good_til_block_time is not None


def _ends(order: RestingOrder) -> int:
    assert order.good_til_block_time is not None, "a stop has an end"
    return order.good_til_block_time


def stops_of(orders: Sequence[RestingOrder], ids: Sequence[int]) -> tuple[RestingOrder, ...]:
    """Our stops among the orders of one market, the one that lives longest first."""
    ours = [order for order in orders if is_stop(order, ids)]
    return tuple(sorted(ours, key=lambda order: (-_ends(order), order.client_id)))


def is_armed(order: RestingOrder, held: int) -> bool:
    """Whether a stop waits for its trigger and would shrink a position of that signed size."""
    return order.reduce_only and not order.is_triggered and order.side.sign * held < 0


def next_move(
    stop: Stop | None,
    held: int,
    resting: Sequence[RestingOrder],
    *,
    going: Collection[RestingOrder] = (),
    ids: Sequence[int],
    market: Market,
    asked: BackstopOrder | None,
    at: Millis,
) -> Move:
    """What one market needs; `resting` are its stops, the one that lives longest first.

    `going` are those whose cancel is under way: they protect no more and hold their ids still.
    `asked` is None where no stop may stand: the block is gone from the rule file, or it says
    `hands_off`. `stop` is None where none can be said: what rests stays.
    """
    if held == 0 or asked is None:
        return Move(cancels=tuple(resting))
    staying = [order for order in resting if order not in going]
    most = units.round_down(abs(held), market.step_base_quantums)
    armed = [order for order in staying if is_armed(order, held)]
    armed.sort(key=lambda order: -min(order.quantums, most))  # of equals, as they were
    spent = [order for order in staying if order not in armed]
    free = [one for one in ids if one not in {order.client_id for order in resting}]
    if not armed:
        # One that has gone off, or is on the wrong side, protects nothing: the oldest makes room.
        cancels = () if free or going else (spent[-1],)
        return Move(
            cancels=cancels,
            place_as=free[0] if free and stop is not None else None,
            is_bare=True,
        )
    best, *others = armed
    ends = Millis(_ends(best) * SECOND)
    renew_at = Millis(ends - RENEW_BEFORE)
    place_as = None
    if (
        stop is not None
        and free
        and not others
        and (at >= renew_at or _is_off(best, stop, market, asked))
    ):
        place_as = free[0]
    return Move(cancels=(*others, *spent), place_as=place_as, renew_at=renew_at)


def _is_off(order: RestingOrder, stop: Stop, market: Market, asked: BackstopOrder) -> bool:
    """Whether trigger or size are off by more than a tenth, or the bound is not the file's."""
    trigger = order.trigger_subticks
    if trigger is None:
        return True
    price, parts = oracle_ratio(market)
    return (
        abs(trigger - stop.trigger) * SLACK * parts > abs(price - stop.trigger * parts)
        or abs(order.quantums - stop.quantums) * SLACK > stop.quantums
        or order.subticks != worst_of(market, order.side, trigger, asked.slippage)
    )
