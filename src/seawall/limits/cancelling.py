"""The gate's word on cancels: no order that protects a position is cancelled while it stands."""

from __future__ import annotations

from collections.abc import Sequence

from seawall import units
from seawall.account import Missing, Observation, RestingOrder
from seawall.action import CONDITIONAL, Cancel, Refusal, RefusalCode, stop_ids
from seawall.limits.refusing import held, is_hands_off, refuse
from seawall.policy import Policy


def judge_cancel(action: Cancel, seen: Observation, policy: Policy) -> Refusal | None:
    """Why a cancel is not sent; None where nothing speaks against it.

    A stop of ours may go while its position stands only once another of ours that closes as much is
    seen to rest, or where the operator wants none there any more.
    """
    slot = (action.subaccount, action.ticker)
    size, orders = held(seen, slot), seen.advice.orders
    if size is None or isinstance(orders, Missing):
        return refuse(action, RefusalCode.NOT_GUARDED, "no such order of this guard's accounts")
    if any(
        (market.clob_pair_id == action.clob_pair_id) is not (ticker == action.ticker)
        for ticker, market in seen.markets.items()
    ):  # the chain goes by the pair, and another market's order may have the same id
        return refuse(action, RefusalCode.NOT_GUARDED, f"pair {action.clob_pair_id} is another's")
    same = [order for order in orders if (order.subaccount, order.ticker) == slot]
    target = next((o for o in same if _is_the_order(o, action)), None)
    if target is None:
        return refuse(action, RefusalCode.NOT_GUARDED, "no such order is resting")
    ids = stop_ids(seen.chain_id, seen.owner, action.subaccount, action.clob_pair_id)
    if _is_stop(target, ids):
        if action.good_til_block_time != target.good_til_block_time:
            return refuse(action, RefusalCode.WRONG_WINDOW, "not the life of the stop that rests")
        is_unwanted = policy.backstop is None or is_hands_off(policy, slot)
        market = seen.markets.get(action.ticker)
        most = units.round_down(abs(size), 1 if market is None else market.step_base_quantums)
        if is_unwanted or _is_replaced(target, same, ids, most):
            return None
    if _protects(target, same, size):
        return refuse(
            action, RefusalCode.CANCELS_PROTECTION, "it reduces a position that still stands"
        )
    return None


def _is_the_order(order: RestingOrder, action: Cancel) -> bool:
    return (order.client_id, order.order_flags) == (action.client_id, action.order_flags)


def _is_stop(order: RestingOrder, ids: Sequence[int]) -> bool:
    is_ours = order.order_flags == CONDITIONAL and order.client_id in ids
    return is_ours and order.good_til_block_time is not None


def _is_replaced(
    target: RestingOrder, same: Sequence[RestingOrder], ids: Sequence[int], most: int
) -> bool:
    """Whether another stop of ours takes its place; one that has gone off holds no place.

    What stays closes as much as what goes of the `most` that there is to close. Of two that close
    the same the one that ends first goes, whoever asks: two guards that each kept another one would
    leave none, and one of two may always go, so that a place is free for what is still missing.
    """
    others = [order for order in same if order is not target and _is_stop(order, ids)]
    if target.is_triggered and others:
        return True
    return any(
        other.reduce_only
        and not other.is_triggered
        and other.side is target.side
        and _rank(other, most) > _rank(target, most)
        for other in others
    )


def _rank(order: RestingOrder, most: int) -> tuple[int, int, int]:
    assert order.good_til_block_time is not None, "a stop has an end"
    return min(order.quantums, most), order.good_til_block_time, -order.client_id


def _protects(target: RestingOrder, orders: Sequence[RestingOrder], held: int) -> bool:
    """Whether an order can only shrink the position, with every one that comes before it.

    Of equal prices the lower client id comes first: judged alone each of two would be one too many,
    and both would go.
    """
    if held * target.side.sign >= 0:
        return False
    if target.reduce_only:
        return True
    ahead = sum(
        order.quantums
        for order in orders
        if order.side is target.side and not order.reduce_only and _comes_first(order, target)
    )
    return ahead + target.quantums <= abs(held)


def _comes_first(order: RestingOrder, target: RestingOrder) -> bool:
    better = (order.subticks - target.subticks) * target.side.sign
    return better > 0 or (better == 0 and order.client_id < target.client_id)
