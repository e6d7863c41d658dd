"""Words for a person: what fired, the number, the limit, what is done, and what would clear it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from seawall import words
from seawall.account import Missing, Observation
from seawall.action import (
    Action,
    Backstop,
    Cancel,
    Leg,
    Plan,
    Reduce,
    Refusal,
    RefusalCode,
    TopUp,
)
from seawall.alarm import clears_after
from seawall.decide.memory import Message, Numbered, PageState, Repeats, Urgency
from seawall.decide.watch import Watched
from seawall.measures import MEASURES
from seawall.measures.spec import NoData, Unit
from seawall.plan.demand import Demand, UntilDemand
from seawall.plan.greedy import slots_of
from seawall.policy import (
    Bound,
    CancelOrders,
    CancelWhich,
    Do,
    Flatten,
    Level,
    Lock,
    Mode,
    Notify,
    Page,
    ReduceAmount,
    ReduceUntil,
    Rule,
    TopUpUntil,
)
from seawall.units import usd

BUDGETS = frozenset(
    {RefusalCode.BUDGET_NOTIONAL, RefusalCode.BUDGET_ORDERS, RefusalCode.BUDGET_COST}
)


def firing(one: Watched, level: Level, done: str, waits: str, mode: Mode) -> Message:
    """The message of a level that began to fire; `waits` is why what it does is not done yet."""
    rule = one.rule
    parts = [
        f"{one.key}/{level.name}: {measure_words(one)}, limit {bound_words(level.trigger, rule)}.",
        rule.why,
        f"{_how(mode, waits)}: {does(rule, level)}.",
        f"{'Would send' if mode is Mode.DRY_RUN else 'Sent'} at once: {done}." if done else "",
        f"Not yet: {waits}." if waits else "",
        clears(rule, level),
    ]
    return Message(
        urgency=Urgency.PAGE if level.pages else Urgency.NOTIFY,
        key=f"{one.key}/{level.name}",
        text=" ".join(part for part in parts if part),
    )


def budget_key(name: str) -> str:
    """What the page is about that says that a budget stops an intervention."""
    return f"{name}/budget"


def out_of_budget(
    refusals: Iterable[Refusal],
    demands: Iterable[Demand],
    pages: Mapping[str, PageState],
    seen: Observation,
) -> Iterator[Message]:
    """A page for each intervention that a budget stops: its target, or a position it wants cut.

    It stands as long as that is wanted: what waits for the next window, too, waits for the budget.
    """
    stopped = [refusal for refusal in refusals if refusal.code in BUDGETS]
    why = wait_words(stopped)
    for demand in demands:
        key, names = budget_key(demand.name), _names(demand, seen)
        if key in pages and names:
            yield _stopped(key, pages[key].text)
        elif any(not names.isdisjoint(refusal.what.split()) for refusal in stopped):
            yield _stopped(
                key,
                f"{demand.name} is stopped by its budget: {why}. The rest waits for the next "
                f"hour or day (UTC); close by hand, or raise `budgets` in the rule file.",
            )


def _names(demand: Demand, seen: Observation) -> frozenset[str]:
    """What refusals call a demand by that wants size: the positions, and its rule for a target."""
    slots = slots_of(demand, seen)
    target = {demand.key} if slots and isinstance(demand, UntilDemand) else set()
    return frozenset(f"{number}/{ticker}" for number, ticker in slots) | target


def _stopped(key: str, text: str) -> Message:
    return Message(urgency=Urgency.PAGE, key=key, repeats=Repeats.WHILE_SO, text=text)


def _how(mode: Mode, waits: str) -> str:
    if mode is Mode.DRY_RUN:
        return "On paper"
    return "Wanted" if waits else "Doing"


def wait_words(refusals: Iterable[Refusal]) -> str:
    """Why things are not done now, each reason once, `reduce 0/BTC-USD: state is 31 s old`."""
    reasons: dict[str, list[str]] = {}
    for refusal in refusals:
        reasons.setdefault(refusal.detail, []).append(refusal.what)
    return "; ".join(f"{', '.join(what)}: {detail}" for detail, what in reasons.items())


def measure_words(one: Watched) -> str:
    """The measure and its value, `drawdown 12.4%`."""
    if isinstance(one.value, NoData):
        return f"{one.rule.measure} has no data ({one.value.reason})"
    return f"{one.rule.measure} {words.show(one.value, MEASURES[one.rule.measure.name].unit)}"


def bound_words(bound: Bound, rule: Rule) -> str:
    """A bound with its unit, `>= 12%`."""
    return f"{bound.operator} {words.exact(bound.value, MEASURES[rule.measure.name].unit)}"


def clears(rule: Rule, level: Level) -> str:
    """What would clear a level."""
    if level.latch is not None:
        if level.latch.until is None:
            # Selling cannot undo a loss: the level fires on until its peak is set anew.
            accepts = "`seawall rebase` (accepts the loss), then " if _is_from_peak(rule) else ""
            return f"Stays until {accepts}`seawall rearm {rule.id}`."
        return f"Stays until {words.clock(level.latch.until)}."
    held = f" for {words.duration(clears_after(level))}" if clears_after(level) else ""
    if level.clear is None:
        return f"Clears once the limit is kept again{held}."
    return f"Clears at {bound_words(level.clear, rule)}{held}."


def _is_from_peak(rule: Rule) -> bool:
    return rule.measure.name == "drawdown"


def does(rule: Rule, level: Level) -> str:
    """What a level does, in the order in which it does it."""
    return ", ".join(words for do in level.do if (words := _do_words(rule, level, do))) or (
        "nothing but this message"
    )


def _do_words(rule: Rule, level: Level, do: Do) -> str:
    target = "" if level.target is None else f" until {bound_words(level.target, rule)}"
    match do:
        case Notify() | Page():
            return ""
        case CancelOrders(which=CancelWhich.ALL):
            return "cancel every order (those that reduce once flat)"
        case CancelOrders():
            return "cancel orders that add risk"
        case TopUpUntil():
            return f"deposit{target}, at most {words.dollars(do.most)}"
        case ReduceUntil():
            return f"reduce{target} within {words.bps(do.max_slippage)}"
        case ReduceAmount():
            share, slippage = words.percent(do.share), words.bps(do.max_slippage)
            return f"cut {share} of each position within {slippage}"
        case Flatten():
            return f"flatten within {words.bps(do.max_slippage)}"
        case Lock():
            return "let no position grow"
        case _:
            assert_never(do)


def action_words(action: Action, seen: Observation) -> str:
    """An action in words, sizes in coins and prices in dollars."""
    match action:
        case Cancel():
            what = _cancelled(action, seen)
            return f"cancel {what} in {action.subaccount}/{action.ticker}"
        case TopUp():
            amount = words.dollars(usd(action.amount))
            return f"deposit {amount} into subaccount {action.subaccount}"
        case Reduce():
            market = seen.markets[action.ticker]
            size, price = market.coins(action.quantums), market.dollars(action.subticks)
            return (
                f"{action.side.lower()} {words.coins(size)} {action.subaccount}/{action.ticker} "
                f"at {words.dollars(price)} or better"
            )
        case Backstop():
            return f"place a stop: {stop_words(action, seen)}"
        case _:
            assert_never(action)


def _cancelled(cancel: Cancel, seen: Observation) -> str:
    """The order by its number, a stop by the price at which it goes off."""
    orders, number = seen.advice.orders, f"order {cancel.client_id}"
    if isinstance(orders, Missing):
        return number
    for order in orders:
        is_it = (order.client_id, order.order_flags) == (cancel.client_id, cancel.order_flags)
        if is_it and order.subaccount == cancel.subaccount and order.trigger_subticks is not None:
            trigger = seen.markets[order.ticker].dollars(order.trigger_subticks)
            return f"the stop at {words.dollars(trigger)}"
    return number


def stop_words(stop: Backstop, seen: Observation) -> str:
    """A stop as a trader says it: `sell 0.5 0/BTC-USD if the oracle reaches $95,200 (4.8% away)`.

    The worst price follows.
    """
    market = seen.markets[stop.ticker]
    trigger, oracle = market.dollars(stop.trigger_subticks), market.oracle_dollars
    away = words.show(abs(trigger / oracle - 1), Unit.RATIO)
    return (
        f"{stop.side.lower()} {words.coins(market.coins(stop.quantums))} "
        f"{stop.subaccount}/{stop.ticker} if the oracle reaches {words.dollars(trigger)} "
        f"({away} away), at {words.dollars(market.dollars(stop.subticks))} or better"
    )


def done_words(actions: tuple[Numbered, ...], plan: Plan | None, key: str) -> str:
    """What a tick's actions do for RULE[/INSTANCE][/LEVEL], `sell BTC-USD, cost about $38`."""
    parts = []
    own = (f"{key}/", f"{key}#", f"{key} ")  # its levels, its interventions, its lock
    for one in actions:
        if not any(name == key or name.startswith(own) for name in one.asked_by):
            continue
        match one.action:
            case Cancel() as cancel:
                parts.append(f"cancel an order in {cancel.ticker}")
            case TopUp() as top_up:
                amount = words.dollars(usd(top_up.amount))
                parts.append(f"deposit {amount} into subaccount {top_up.subaccount}")
            case Reduce() as reduce:
                leg = _leg_of(plan, reduce)
                parts.append(_reduce_words(reduce, leg))
            case Backstop():
                pass  # no rule asks for one
    return ", ".join(parts)


def _leg_of(plan: Plan | None, reduce: Reduce) -> Leg | None:
    slot = (reduce.subaccount, reduce.ticker)
    legs = () if plan is None else plan.legs
    return next((leg for leg in legs if (leg.subaccount, leg.ticker) == slot), None)


def _reduce_words(reduce: Reduce, leg: Leg | None) -> str:
    if leg is None or not leg.expected_quote:  # an empty book promises nothing
        return f"{reduce.side.lower()} {reduce.ticker}"
    size, cost = words.cents(usd(leg.expected_quote)), words.cents(usd(leg.cost_vs_oracle))
    return f"{reduce.side.lower()} {reduce.ticker} for about {size}, cost about {cost}"
