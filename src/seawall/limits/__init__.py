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
from seawall.account import Market, Observation, Side
from seawall.action import (
    TOP_UP_TIMEOUT_BLOCKS,
    Action,
    Backstop,
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
from seawall.limits.cancelling import judge_cancel
from seawall.limits.refusing import (
    STATE_AGE_MOST,
    Slot,
    coins,
    held,
    is_fresh,
    notional,
    refuse,
    refuse_order,
    refuse_stale,
)
from seawall.limits.stopping import HUNDRED, STOPS_PER_BLOCK, STOPS_PER_HUNDRED, judge_backstop
from seawall.policy import Budget, Flatten, Lock, Policy, ReduceAmount, ReduceUntil
from seawall.units import PPM_ONE, BaseQuantums, QuoteQuantums

__all__ = [
    "HUNDRED",
    "STATE_AGE_MOST",
    "STOPS_PER_BLOCK",
    "STOPS_PER_HUNDRED",
    "TOP_UP_LEAST",
    "Asked",
    "Standing",
    "is_fresh",
    "judge",
    "slippage_most",
]

TOP_UP_LEAST = QuoteQuantums(10 * PPM_ONE)
WIDENING = 2  # a flatten may widen its bound once


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An action that the plan asks for.

    `free` are the base quantums of a reduction that levels that page want themselves; where they
    want all of it, it may overdraw notional and cost.
    """

    action: Action
    free: BaseQuantums = BaseQuantums(0)
    cost: QuoteQuantums = QuoteQuantums(0)  # expected, against the oracle


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What has happened that the gate must know: sends, budgets, and doubts about the chain."""

    sent: Mapping[Slot, int] = field(default_factory=dict)  # base quantums sent in this window
    sent_notional: QuoteQuantums = QuoteQuantums(0)  # sent and not yet known to have filled
    sent_cost: QuoteQuantums = QuoteQuantums(0)  # what that is expected to cost, >= 0
    spent: Spent = field(default_factory=Spent)
    top_up_in_flight: bool = False
    resuming: frozenset[str] = frozenset()  # markets that wait after a halt
    by_panic: bool = False  # the operator's own command: acts on the last known state
    stops_placed: tuple[int, ...] = ()  # heights, of the last 100 blocks
    paused: str | None = None  # why the operator lets nothing be sent; None while he does


@dataclass(slots=True)
class _Totals:
    """Running totals of the tick, with what was sent before and may still fill."""

    reduced: dict[Slot, int]
    notional: int
    orders: int
    cost: int
    topped_up: bool
    stops: list[Backstop] = field(default_factory=list)


def judge(
    asked: Sequence[Asked], seen: Observation, policy: Policy, standing: Standing
) -> tuple[tuple[Action, ...], tuple[Refusal, ...]]:
    """The actions that pass, in order, and a refusal for each that does not."""
    totals = _Totals(
        reduced=dict(standing.sent),
        notional=standing.sent_notional,
        orders=len(standing.sent),
        cost=standing.sent_cost,
        topped_up=False,
    )
    passed: list[Action] = []
    refused: list[Refusal] = []
    for one in asked:
        if standing.paused is not None:
            refused.append(refuse(one.action, RefusalCode.PAUSED, standing.paused))
            continue
        match one.action:
            case Cancel() as cancel:
                refusal = judge_cancel(cancel, seen, policy)
            case TopUp() as top_up:
                refusal = _judge_top_up(top_up, seen, policy, standing, totals)
            case Backstop() as stop:
                refusal = judge_backstop(stop, seen, policy, standing.stops_placed, totals.stops)
                refusal = refusal or _judge_halt(stop, standing)
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
            totals.notional += notional(seen.markets[reduce.ticker], reduce.quantums)
            totals.orders += 1
            totals.cost += one.cost
        case TopUp():
            totals.topped_up = True
        case Backstop() as stop:
            totals.stops.append(stop)
        case Cancel():
            pass


def _judge_reduce(
    action: Reduce, seen: Observation, policy: Policy, standing: Standing, totals: _Totals
) -> Refusal | None:
    refusal = refuse_order(action, seen, policy)
    if refusal is not None:
        return refusal
    slot = (action.subaccount, action.ticker)
    size, market = held(seen, slot), seen.markets[action.ticker]
    assert size is not None
    already = totals.reduced.get(slot, 0)
    if action.quantums + already > abs(size):
        return refuse(
            action,
            RefusalCode.EXCEEDS_POSITION,
            f"asked {coins(market, action.quantums)}, sent {coins(market, already)}, "
            f"position {coins(market, size)}",
        )
    return _judge_price(action, market, policy) or _judge_moment(
        action, seen, standing, totals, slot
    )


def _judge_price(action: Reduce, market: Market, policy: Policy) -> Refusal | None:
    """Worst price within twice the largest slippage of any level, from a mid at the band's edge."""
    if action.subticks <= 0 or action.subticks % market.subticks_per_tick:
        return refuse(
            action, RefusalCode.PRICE_OUTSIDE_BOUND, f"price {action.subticks} is off the tick"
        )
    sign, slippage = action.side.sign, WIDENING * slippage_most(policy)
    price, oracle = market.dollars(action.subticks), market.oracle_dollars
    edge = oracle * (1 + sign * Decimal(policy.price_band) / PPM_ONE)
    worst = edge * (1 + sign * Decimal(slippage) / PPM_ONE)
    beyond = price < worst if action.side is Side.SELL else price > worst
    if not beyond:
        return None
    return refuse(
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
        return refuse(action, RefusalCode.WRONG_WINDOW, f"window {action.window}, now {window}")
    if slot in totals.reduced:
        return refuse(action, RefusalCode.ALREADY_SENT, f"sent in window {window}")
    if not may_send(seen.height):
        return refuse(
            action, RefusalCode.WINDOW_CLOSING, f"height {seen.height}, next window is nearer"
        )
    if standing.by_panic:
        return None
    return refuse_stale(action, seen) or _judge_halt(action, standing)


def _judge_halt(action: Reduce | Backstop, standing: Standing) -> Refusal | None:
    if action.ticker not in standing.resuming:
        return None
    return refuse(action, RefusalCode.AFTER_HALT, "the oracle has not moved since the halt")


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
        return refuse(
            action,
            RefusalCode.BUDGET_ORDERS,
            f"{spent.hour_orders} orders filled this hour, {totals.orders} more may fill now, "
            f"at most {budget.hourly_orders}",
        )
    bound = action.quantums - one.free
    if bound <= 0:
        return None
    worth = spent.hour_notional + totals.notional + notional(market, bound)
    most = units.ppm_down(spent.hour_gross, budget.hourly_notional)
    if worth > most:
        return refuse(
            action,
            RefusalCode.BUDGET_NOTIONAL,
            f"${units.usd(worth):,.2f} this hour, at most ${units.usd(most):,.2f}",
        )
    cost, most = (
        spent.day_cost + totals.cost + one.cost * bound // action.quantums,
        units.ppm_down(max(0, spent.day_equity), budget.daily_cost),
    )
    if cost > most:
        return refuse(
            action,
            RefusalCode.BUDGET_COST,
            f"${units.usd(cost):,.2f} today, at most ${units.usd(most):,.2f}",
        )
    return None


def _judge_top_up(
    action: TopUp, seen: Observation, policy: Policy, standing: Standing, totals: _Totals
) -> Refusal | None:
    wallet, source = seen.float_wallet, policy.float_source
    if held(seen, (action.subaccount, "")) is None:
        return refuse(action, RefusalCode.NOT_GUARDED, "not a subaccount of this guard")
    if action.subaccount in policy.hands_off.subaccounts:
        return refuse(action, RefusalCode.HANDS_OFF, "hands_off in the rule file")
    if wallet is None or source is None or wallet.address != source.address:
        return refuse(action, RefusalCode.FLOAT_SHORT, "no float wallet")
    if standing.top_up_in_flight or totals.topped_up:
        return refuse(action, RefusalCode.TOP_UP_IN_FLIGHT, "one top-up at a time")
    if action.amount < TOP_UP_LEAST:
        return refuse(
            action, RefusalCode.BELOW_MINIMUM, f"${units.usd(action.amount):,.2f}, at least $10"
        )
    free = wallet.balance - units.quote_up(source.floor)
    if action.amount > free:
        return refuse(
            action,
            RefusalCode.FLOAT_SHORT,
            f"${units.usd(action.amount):,.2f} asked, ${units.usd(max(0, free)):,.2f} above floor",
        )
    left = top_up_left(standing.spent, policy)
    if action.amount > left:
        return refuse(
            action,
            RefusalCode.BUDGET_TOP_UP,
            f"${units.usd(action.amount):,.2f} asked, ${units.usd(left):,.2f} left today",
        )
    blocked = seen.transfers_blocked_until.get(action.subaccount, seen.height)
    if blocked > seen.height:
        return refuse(
            action, RefusalCode.TRANSFERS_BLOCKED, f"the chain refuses deposits until {blocked}"
        )
    if (action.sequence, action.account_number) != (wallet.sequence, wallet.account_number):
        return refuse(action, RefusalCode.WRONG_WINDOW, "not the sequence of this state")
    if action.timeout_height != seen.height + TOP_UP_TIMEOUT_BLOCKS:
        return refuse(action, RefusalCode.WRONG_WINDOW, "not the timeout of this height")
    return refuse_stale(action, seen)
