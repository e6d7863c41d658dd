"""The gate's word on backstops: a stop may only shrink what is held, later, and never at once."""

from __future__ import annotations

from collections.abc import Sequence

from seawall.account import Missing, Observation, RestingOrder
from seawall.action import (
    CONDITIONAL,
    STOP_LIFE,
    STOP_TIMEOUT_BLOCKS,
    Backstop,
    Refusal,
    RefusalCode,
    stop_ids,
)
from seawall.limits.refusing import coins, held, refuse, refuse_order, refuse_stale
from seawall.policy import Policy
from seawall.units import PPM_ONE, SECOND

STOPS_PER_BLOCK = 2
STOPS_PER_HUNDRED = 20
HUNDRED = 100


def judge_backstop(
    action: Backstop,
    seen: Observation,
    policy: Policy,
    placed: Sequence[int],
    this_tick: Sequence[Backstop],
) -> Refusal | None:
    """Why a stop is not placed; None where nothing speaks against it.

    `placed` are the heights of earlier placements, `this_tick` those that have passed in this tick.
    """
    refusal = refuse_order(action, seen, policy)
    if refusal is not None:
        return refusal
    return (
        _judge_size(action, seen)
        or _judge_prices(action, seen, policy)
        or _judge_identity(action, seen, this_tick)
        or _judge_numbers(action, seen, placed, this_tick)
        or refuse_stale(action, seen)
    )


def _judge_size(action: Backstop, seen: Observation) -> Refusal | None:
    size = held(seen, (action.subaccount, action.ticker))
    assert size is not None
    if action.quantums <= abs(size):
        return None
    market = seen.markets[action.ticker]
    return refuse(
        action,
        RefusalCode.EXCEEDS_POSITION,
        f"asked {coins(market, action.quantums)}, position {coins(market, size)}",
    )


def _judge_prices(action: Backstop, seen: Observation, policy: Policy) -> Refusal | None:
    """The trigger lies beyond the oracle, the worst price within the file's slippage of it."""
    order, market = policy.backstop, seen.markets[action.ticker]
    if order is None:
        return refuse(action, RefusalCode.NOT_ASKED_FOR, "the rule file has no `backstop`")
    tick, sign = market.subticks_per_tick, action.side.sign
    trigger, worst = action.trigger_subticks, action.subticks
    if worst <= 0 or trigger % tick or worst % tick:
        return refuse(
            action, RefusalCode.PRICE_OUTSIDE_BOUND, f"trigger {trigger}, price {worst}: off tick"
        )
    at, oracle = market.dollars(trigger), market.oracle_dollars
    if (at - oracle) * sign <= 0:
        return refuse(action, RefusalCode.FIRES_AT_ONCE, f"trigger {at:f}, oracle {oracle:f}")
    beyond = (worst - trigger) * sign
    if beyond >= 0 and beyond * PPM_ONE <= trigger * order.slippage:
        return None
    return refuse(
        action,
        RefusalCode.PRICE_OUTSIDE_BOUND,
        f"price {market.dollars(worst):f}, trigger {at:f}, slippage {order.slippage} ppm",
    )


def _judge_identity(
    action: Backstop, seen: Observation, this_tick: Sequence[Backstop]
) -> Refusal | None:
    """One of the market's two client ids, free, with the life and the end that this block gives."""
    orders = seen.advice.orders
    if isinstance(orders, Missing):
        return refuse(action, RefusalCode.NO_DATA, f"resting orders: {orders.reason}")
    ids = stop_ids(seen.chain_id, seen.owner, action.subaccount, action.clob_pair_id)
    expected = (seen.at + STOP_LIFE) // SECOND, seen.height + STOP_TIMEOUT_BLOCKS
    if action.client_id not in ids or (
        (action.good_til_block_time, action.timeout_height) != expected
    ):
        return refuse(action, RefusalCode.WRONG_WINDOW, "not an id, life or end of this block")
    slot = (action.subaccount, action.ticker)
    taken = any(_is_same(order, action) for order in orders)
    if taken or any((one.subaccount, one.ticker) == slot for one in this_tick):
        return refuse(action, RefusalCode.SLOT_TAKEN, f"order {action.client_id} rests already")
    return None


def _is_same(order: RestingOrder, action: Backstop) -> bool:
    return (order.subaccount, order.ticker, order.client_id, order.order_flags) == (
        action.subaccount,
        action.ticker,
        action.client_id,
        CONDITIONAL,
    )


def _judge_numbers(
    action: Backstop, seen: Observation, placed: Sequence[int], this_tick: Sequence[Backstop]
) -> Refusal | None:
    """The chain's own rate limit for stateful orders; it counts by owner."""
    heights = [*placed, *(seen.height for _ in this_tick)]
    now = sum(height >= seen.height for height in heights)
    lately = sum(height > seen.height - HUNDRED for height in heights)
    if now < STOPS_PER_BLOCK and lately < STOPS_PER_HUNDRED:
        return None
    return refuse(
        action,
        RefusalCode.RATE_LIMIT,
        f"{now} stops in this block, {lately} in {HUNDRED}; at most {STOPS_PER_BLOCK} and "
        f"{STOPS_PER_HUNDRED}",
    )
