"""The last gate: every action is judged once more, by code that shares nothing with the planner.

It trusts nobody. Each action must shrink risk, on the running total of the tick: two good orders
may not add up to a flip. What does not pass is returned as a refusal with the numbers that decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import assert_never

from seawall import units
from seawall.account import Market, MarketStatus, Missing, Observation, RestingOrder, Side
from seawall.action import (
    TOP_UP_TIMEOUT_BLOCKS,
    Action,
    Cancel,
    Reduce,
    Refusal,
    RefusalCode,
    TopUp,
    client_id,
    good_til_block,
    may_send,
    window_of,
)
from seawall.budget import Spent, top_up_left
from seawall.policy import Budget, Flatten, Lock, Policy, ReduceAmount, ReduceUntil
from seawall.units import PPM_ONE, BaseQuantums, Millis, QuoteQuantums

STATE_AGE_MOST = Millis(10_000)
TOP_UP_LEAST = QuoteQuantums(10 * PPM_ONE)
WIDENING = 2  # a flatten may widen its bound once

Slot = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An action that the plan asks for; `overdraws` where a level that pages asked for it."""

    action: Action
    overdraws: bool = False
    cost: QuoteQuantums = QuoteQuantums(0)  # expected, against the oracle


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What has happened that the gate must know: sends, budgets, and doubts about the chain."""

    sent: Mapping[Slot, int] = field(default_factory=dict)  # base quantums sent in this window
    sent_notional: QuoteQuantums = QuoteQuantums(0)  # sent and not yet known to have filled
    spent: Spent = field(default_factory=Spent)
    top_up_in_flight: bool = False
    resuming: frozenset[str] = frozenset()  # markets that wait after a halt
    by_panic: bool = False  # the operator's own command: acts on the last known state
    paused: str | None = None  # why the operator lets nothing be sent; None while he does


@dataclass(slots=True)
class _Totals:
    """Running totals of the tick."""

    reduced: dict[Slot, int]
    notional: int
    orders: int
    cost: int
    topped_up: int


def judge(
    asked: Sequence[Asked], seen: Observation, policy: Policy, standing: Standing
) -> tuple[tuple[Action, ...], tuple[Refusal, ...]]:
    """The actions that pass, in order, and a refusal for each that does not."""
    totals = _Totals(dict(standing.sent), standing.sent_notional, 0, 0, 0)
    passed: list[Action] = []
    refused: list[Refusal] = []
    for one in asked:
        if standing.paused is not None:
            refused.append(_refuse(one.action, RefusalCode.PAUSED, standing.paused))
            continue
        match one.action:
            case Cancel() as cancel:
                refusal = _judge_cancel(cancel, seen)
            case TopUp() as top_up:
                refusal = _judge_top_up(top_up, seen, policy, standing, totals)
            case Reduce() as reduce:
                refusal = _judge_reduce(reduce, seen, policy, standing, totals)
                refusal = refusal or _judge_budget(
                    one,
                    reduce,
                    seen.markets[reduce.ticker],
                    policy.budget,
                    standing=standing,
                    totals=totals,
                )
            case _:
                assert_never(one.action)
        if refusal is not None:
            refused.append(refusal)
            continue
        _count(one, seen, totals)
        passed.append(one.action)
    return tuple(passed), tuple(refused)


def _count(one: Asked, seen: Observation, totals: _Totals) -> None:
    match one.action:
        case Reduce() as reduce:
            slot = (reduce.subaccount, reduce.ticker)
            totals.reduced[slot] = totals.reduced.get(slot, 0) + reduce.quantums
            totals.notional += _notional(seen.markets[reduce.ticker], reduce.quantums)
            totals.orders += 1
            totals.cost += one.cost
        case TopUp() as top_up:
            totals.topped_up += top_up.amount
        case Cancel():
            pass


def _refuse(action: Action, code: RefusalCode, detail: str) -> Refusal:
    return Refusal(code=code, what=_what(action), detail=detail, action=action)


def _what(action: Action) -> str:
    match action:
        case TopUp():
            return f"top up {action.subaccount}"
        case Cancel():
            return f"cancel {action.subaccount}/{action.ticker} order {action.client_id}"
        case Reduce():
            return f"{action.side.lower()} {action.subaccount}/{action.ticker}"
        case _:
            assert_never(action)


def _coins(market: Market, quantums: int) -> str:
    """Coins without trailing zeros, signed."""
    return f"{market.coins(quantums).normalize():f}"


def _notional(market: Market, quantums: int) -> int:
    return units.base_to_quote(
        abs(quantums), market.oracle_price, market.oracle_exponent, market.atomic_resolution
    )


def _held(seen: Observation, slot: Slot) -> BaseQuantums | None:
    """Signed size; None where the subaccount is not guarded."""
    for subaccount in seen.subaccounts:
        if subaccount.number == slot[0]:
            position = subaccount.position(slot[1])
            return BaseQuantums(0) if position is None else position.quantums
    return None


def _judge_reduce(
    action: Reduce, seen: Observation, policy: Policy, standing: Standing, totals: _Totals
) -> Refusal | None:
    slot = (action.subaccount, action.ticker)
    held, market = _held(seen, slot), seen.markets.get(action.ticker)
    if held is None or market is None or market.clob_pair_id != action.clob_pair_id:
        return _refuse(action, RefusalCode.NOT_GUARDED, "not an account and market of this guard")
    if action.ticker in policy.hands_off.markets or (
        action.subaccount in policy.hands_off.subaccounts
    ):
        return _refuse(action, RefusalCode.HANDS_OFF, "hands_off in the rule file")
    if market.status is not MarketStatus.ACTIVE:
        return _refuse(action, RefusalCode.MARKET_CLOSED, f"market is {market.status}")
    reach = seen.advice.key_reach
    if not isinstance(reach, Missing) and not reach.covers(action.subaccount, action.clob_pair_id):
        return _refuse(action, RefusalCode.OUTSIDE_KEY_REACH, "the trading key cannot trade it")
    if held == 0 or (held > 0) == (action.side is Side.BUY):
        return _refuse(
            action, RefusalCode.WOULD_GROW, f"position {_coins(market, held)}, side {action.side}"
        )
    if action.quantums <= 0 or action.quantums % market.step_base_quantums:
        return _refuse(
            action,
            RefusalCode.OFF_STEP,
            f"size {action.quantums} is not a multiple of {market.step_base_quantums}",
        )
    already = totals.reduced.get(slot, 0)
    if action.quantums + already > abs(held):
        return _refuse(
            action,
            RefusalCode.EXCEEDS_POSITION,
            f"asked {_coins(market, action.quantums)}, sent {_coins(market, already)}, "
            f"position {_coins(market, held)}",
        )
    return _judge_price(action, market, policy) or _judge_moment(
        action, seen, standing, totals, slot
    )


def _judge_price(action: Reduce, market: Market, policy: Policy) -> Refusal | None:
    """Worst price within twice the largest slippage of any level, plus the price band."""
    if action.subticks <= 0 or action.subticks % market.subticks_per_tick:
        return _refuse(
            action, RefusalCode.PRICE_OUTSIDE_BOUND, f"price {action.subticks} is off the tick"
        )
    slack = Decimal(WIDENING * slippage_most(policy) + policy.price_band) / PPM_ONE
    price, oracle = market.dollars(action.subticks), market.oracle_dollars
    worst = oracle * (1 + action.side.sign * slack)
    beyond = price < worst if action.side is Side.SELL else price > worst
    if not beyond:
        return None
    return _refuse(
        action,
        RefusalCode.PRICE_OUTSIDE_BOUND,
        f"price {price:f}, oracle {oracle:f}, worst allowed {worst:f}",
    )


def slippage_most(policy: Policy) -> int:
    """The largest slippage in ppm that any level of the rule file allows."""
    most = 0
    for rule in policy.rules:
        for level in rule.levels:
            for do in level.do:
                match do:
                    case ReduceAmount() | Flatten() | Lock():
                        most = max(most, do.max_slippage)
                    case ReduceUntil(or_else=ReduceAmount() | Flatten() as other):
                        most = max(most, do.max_slippage, other.max_slippage)
                    case ReduceUntil():
                        most = max(most, do.max_slippage)
                    case _:
                        pass
    return most


def _judge_moment(
    action: Reduce, seen: Observation, standing: Standing, totals: _Totals, slot: Slot
) -> Refusal | None:
    """One order id per subaccount, market and window, from fresh state, in time to arrive."""
    window = window_of(seen.height)
    expected = client_id(seen.chain_id, seen.owner, action.subaccount, action.clob_pair_id, window)
    if (action.window, action.good_til_block, action.client_id) != (
        window,
        good_til_block(window),
        expected,
    ):
        return _refuse(action, RefusalCode.WRONG_WINDOW, f"window {action.window}, now {window}")
    if slot in totals.reduced:
        return _refuse(action, RefusalCode.ALREADY_SENT, f"sent in window {window}")
    if not may_send(seen.height):
        return _refuse(
            action, RefusalCode.WINDOW_CLOSING, f"height {seen.height}, next window is nearer"
        )
    if standing.by_panic:
        return None
    age = seen.seen_at - seen.at
    if age > STATE_AGE_MOST:
        return _refuse(
            action, RefusalCode.STALE_STATE, f"state is {age} ms old, at most {STATE_AGE_MOST}"
        )
    if action.ticker in standing.resuming:
        return _refuse(action, RefusalCode.AFTER_HALT, "the oracle has not moved since the halt")
    return None


def _judge_budget(
    one: Asked,
    action: Reduce,
    market: Market,
    budget: Budget,
    *,
    standing: Standing,
    totals: _Totals,
) -> Refusal | None:
    """Budgets of the hour and day; a level that pages may overdraw notional and cost."""
    spent = standing.spent
    orders = spent.hour_orders + totals.orders + 1
    if standing.by_panic:
        return None
    if orders > budget.hourly_orders:
        return _refuse(
            action,
            RefusalCode.BUDGET_ORDERS,
            f"{spent.hour_orders} orders filled this hour, at most {budget.hourly_orders}",
        )
    if one.overdraws:
        return None
    notional = spent.hour_notional + totals.notional + _notional(market, action.quantums)
    most = units.ppm_down(spent.hour_gross, budget.hourly_notional)
    if notional > most:
        return _refuse(
            action,
            RefusalCode.BUDGET_NOTIONAL,
            f"${units.usd(notional):,.2f} this hour, at most ${units.usd(most):,.2f}",
        )
    cost, most = (
        spent.day_cost + totals.cost + one.cost,
        units.ppm_down(max(0, spent.day_equity), budget.daily_cost),
    )
    if cost > most:
        return _refuse(
            action,
            RefusalCode.BUDGET_COST,
            f"${units.usd(cost):,.2f} today, at most ${units.usd(most):,.2f}",
        )
    return None


def _judge_top_up(
    action: TopUp, seen: Observation, policy: Policy, standing: Standing, totals: _Totals
) -> Refusal | None:
    wallet, source = seen.float_wallet, policy.float_source
    if _held(seen, (action.subaccount, "")) is None:
        return _refuse(action, RefusalCode.NOT_GUARDED, "not a subaccount of this guard")
    if action.subaccount in policy.hands_off.subaccounts:
        return _refuse(action, RefusalCode.HANDS_OFF, "hands_off in the rule file")
    if wallet is None or source is None or wallet.address != source.address:
        return _refuse(action, RefusalCode.FLOAT_SHORT, "no float wallet")
    if standing.top_up_in_flight or totals.topped_up:
        return _refuse(action, RefusalCode.TOP_UP_IN_FLIGHT, "one top-up at a time")
    if action.amount < TOP_UP_LEAST:
        return _refuse(
            action, RefusalCode.BELOW_MINIMUM, f"${units.usd(action.amount):,.2f}, at least $10"
        )
    free = wallet.balance - units.quote_up(source.floor)
    if action.amount > free:
        return _refuse(
            action,
            RefusalCode.FLOAT_SHORT,
            f"${units.usd(action.amount):,.2f} asked, ${units.usd(max(0, free)):,.2f} above floor",
        )
    left = top_up_left(standing.spent, policy)
    if action.amount > left:
        return _refuse(
            action,
            RefusalCode.BUDGET_TOP_UP,
            f"${units.usd(action.amount):,.2f} asked, ${units.usd(left):,.2f} left today",
        )
    blocked = seen.transfers_blocked_until.get(action.subaccount, 0)
    if blocked > seen.height:
        return _refuse(
            action, RefusalCode.TRANSFERS_BLOCKED, f"the chain refuses deposits until {blocked}"
        )
    if (action.sequence, action.account_number) != (wallet.sequence, wallet.account_number):
        return _refuse(action, RefusalCode.WRONG_WINDOW, "not the sequence of this state")
    if action.timeout_height != seen.height + TOP_UP_TIMEOUT_BLOCKS:
        return _refuse(action, RefusalCode.WRONG_WINDOW, "not the timeout of this height")
    age = seen.seen_at - seen.at
    if age > STATE_AGE_MOST:
        return _refuse(
            action, RefusalCode.STALE_STATE, f"state is {age} ms old, at most {STATE_AGE_MOST}"
        )
    return None


def _judge_cancel(action: Cancel, seen: Observation) -> Refusal | None:
    """No order that protects a position is cancelled while the position stands."""
    held = _held(seen, (action.subaccount, action.ticker))
    orders = seen.advice.orders
    if held is None or isinstance(orders, Missing):
        return _refuse(action, RefusalCode.NOT_GUARDED, "no such order of this guard's accounts")
    same = [
        order
        for order in orders
        if order.subaccount == action.subaccount and order.ticker == action.ticker
    ]
    target = next((o for o in same if _is_the_order(o, action)), None)
    if target is None:
        return _refuse(action, RefusalCode.NOT_GUARDED, "no such order is resting")
    if held != 0 and _protects(target, same, held):
        return _refuse(
            action, RefusalCode.CANCELS_PROTECTION, "it reduces a position that still stands"
        )
    return None


def _is_the_order(order: RestingOrder, action: Cancel) -> bool:
    return (order.client_id, order.order_flags) == (action.client_id, action.order_flags)


def _protects(target: RestingOrder, orders: Sequence[RestingOrder], held: int) -> bool:
    """Whether an order can only shrink the position, with every better-priced one before it."""
    if (held > 0) == (target.side is Side.BUY):
        return False
    if target.reduce_only:
        return True
    ahead = sum(
        order.quantums
        for order in orders
        if order.side is target.side and (order.subticks - target.subticks) * target.side.sign > 0
    )
    equal = sum(
        order.quantums
        for order in orders
        if order.side is target.side and order.subticks == target.subticks
    )
    return ahead + equal <= abs(held)
