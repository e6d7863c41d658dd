"""From what is wanted to what is sent: plan, actions of this window, and the last gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import assert_never

from seawall import plan, units
from seawall.account import Observation
from seawall.action import Action, Backstop, Cancel, Leg, Plan, Reduce, Refusal, RefusalCode, TopUp
from seawall.budget import top_up_left
from seawall.decide import (
    depth,
    fit,
    interlock,
    panic,
    pausing,
    standby,
    telling,
    waiting,
    wants,
)
from seawall.decide.draft import Draft
from seawall.decide.halt import resuming
from seawall.decide.judged import Judged, Proposed, judge
from seawall.decide.memory import CancelSent, Memory, Message, Numbered, Sent, TopUpSent, Urgency
from seawall.decide.watch import Watched
from seawall.intervention import sizes
from seawall.limits import Standing
from seawall.measures import MEASURES
from seawall.measures.spec import Family, NoData
from seawall.measures.view import View
from seawall.plan.demand import CutDemand, Demand, Means, Reason, Slot, UntilDemand
from seawall.plan.greedy import Guard
from seawall.policy import Bound, Level, Mode, Operator, Policy
from seawall.units import BaseQuantums, QuoteQuantums


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What one mode made of its demands."""

    memory: Memory
    plan: Plan | None = None
    numbered: tuple[Numbered, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def waits(self) -> tuple[Refusal, ...]:
        """What is wanted and not done, and what the plan leaves out for want of orders."""
        dropped = () if self.plan is None else self.plan.dropped
        few = (one for one in dropped if one.code is RefusalCode.BUDGET_ORDERS)
        return (*self.refusals, *few)


def carry(
    policy: Policy,
    memory: Memory,
    view: View,
    watched: Sequence[Watched],
    draft: Draft,
    *,
    mode: Mode,
    run_mode: Mode,
) -> Carried:
    """Plan and judge everything that runs in `mode`; on paper nothing has been sent before."""
    seen, live = view.observation, mode is Mode.LIVE
    watched = panic.alone(memory, watched)
    memory = wants.without_unreachable(policy, memory, watched, view, draft, mode=mode)
    demands = wants.demands(memory, watched, view, mode, run_mode)
    memory = _left_to_another(policy, memory, demands, draft, seen) if live else memory
    closed, standing = _closed(policy, memory, seen, live=live), _standing(memory, seen, live=live)
    means = _means(policy, memory, seen, closed, standing)
    cancels = wants.cancels(memory, watched, seen, mode, run_mode)
    heeded = wants.of_mode(policy, mode, run_mode)
    thin = cache(partial(depth.believed, memory, seen))  # most ticks ask nothing of it

    def judged(means: Means) -> Judged:
        by = replace(view, observation=thin())
        made = _proposed(heeded, by, demands, means, watched, standing=standing, draft=draft)
        return judge(view, demands, made, policy=policy, cancels=cancels, standing=standing)

    if demands and _can_do_anything(demands, means):
        done = judged(means)
        while stopped := done.stopped(seen, means.closed):  # what comes instead may not pass either
            means = replace(means, closed={**means.closed, **stopped})
            refused, done = done.refused_orders, judged(means)
            done = replace(done, refused=(*refused, *done.refused))
    else:
        done = judge(view, demands, Proposed(), policy=policy, cancels=cancels, standing=standing)
    proposed = done.plan
    claims = () if proposed is None else proposed.claims
    no_cash, blocked = waiting.why_no_cash(policy, memory, seen), means.cash_blocked
    refusals = [
        *wants.frozen(memory, watched, mode),
        *done.cut_short,
        *waiting.unmet(demands, claims, seen, closed, cash_blocked=blocked, no_cash=no_cash),
        *done.refused,
    ]
    numbered = _number(memory.tick, done.passed, done.names, seen)
    carried = Carried(memory=memory, plan=proposed, numbered=numbered, refusals=tuple(refusals))
    if live:
        draft.messages.extend(telling.out_of_budget(carried.waits, demands, memory.pages, seen))
        draft.messages.extend(standby.takes_over(memory, numbered))
    return replace(carried, memory=_remember(carried, view, thin)) if live else carried


def _left_to_another(
    policy: Policy, memory: Memory, demands: Sequence[Demand], draft: Draft, seen: Observation
) -> Memory:
    """Memory with how long a standby has left what is wanted to the first guard."""
    asked = demands if policy.is_standby else ()
    asked = waiting.that_another_could_serve(policy, memory, seen, asked)
    return standby.follow(memory, asked, draft.changes, seen)


def _proposed(
    policy: Policy,
    view: View,
    demands: Sequence[Demand],
    means: Means,
    watched: Sequence[Watched],
    *,
    standing: Standing,
    draft: Draft,
) -> Proposed:
    """The plan as far as the budgets go, and what they cut from it.

    The simpler planner's where the planner fails; none where both do, and a page.
    """
    ours = {rule.id for rule in policy.rules}
    scenarios = wants.scenarios_named(policy)
    chased = frozenset(demand.key for demand in demands)
    by_hand = "Nothing is sold, cancels still go out: close by hand"
    for planner, key, then in (
        (plan.propose, "planner/first", "The simpler planner takes its place"),
        (plan.propose_simply, "planner/both", by_hand),
    ):
        try:
            guards = _guards(view, [one for one in watched if one.rule.id in ours], chased)
            free = plan.unbound(view, demands, means)
            means = replace(means, unbound=free)
            made = planner(view, demands, means, scenarios=scenarios, guards=guards)
            cut, cut_short = fit.to_budget(
                made,
                policy.budget,
                view.observation,
                standing,
                unbound=free,
                together=fit.cut_together(demands, view.observation),
            )
            if cut_short:
                cut = plan.restated(view, demands, means, cut, guards)
            return Proposed(plan=cut, cut_short=cut_short, unbound=free)
        except Exception as error:  # noqa: BLE001 - a tick that dies guards nothing at all
            text = f"The planner failed: {error!r}. {then}. This is a fault of Seawall: report it."
            draft.messages.append(Message(urgency=Urgency.PAGE, key=key, text=text))
    return Proposed()


def _can_do_anything(demands: Iterable[Demand], means: Means) -> bool:
    """Whether some position may be traded now, or some cash moved."""
    for demand in demands:
        match demand:
            case CutDemand(keeps=keeps):
                if {(keep.subaccount, keep.ticker) for keep in keeps} - means.closed.keys():
                    return True
            case UntilDemand(slots=slots, cash_most=cash_most):
                has_cash = cash_most is not None and means.cash + means.cash_later > 0
                if set(slots) - means.closed.keys() or has_cash:
                    return True
            case _:
                assert_never(demand)
    return False


def means_of(policy: Policy, memory: Memory, seen: Observation, *, live: bool) -> Means:
    """What may be used now: positions that may be traded, and cash above floor and in budget."""
    closed, standing = _closed(policy, memory, seen, live=live), _standing(memory, seen, live=live)
    return _means(policy, memory, seen, closed, standing)


def _closed(policy: Policy, memory: Memory, seen: Observation, *, live: bool) -> dict[Slot, Reason]:
    """Positions that may not be traded in this tick, and why."""
    by_panic = panic.is_running(memory)
    halted = frozenset() if by_panic else resuming(memory.halt, seen)
    closed = {}
    for slot in sizes(seen):
        reason = waiting.why_closed(policy, seen, slot, halted)
        if reason is None:
            reason = waiting.why_not_now(memory, seen, slot[0], live=live, at_any_age=by_panic)
        if reason is not None:
            closed[slot] = reason
    return closed


def _means(
    policy: Policy,
    memory: Memory,
    seen: Observation,
    closed: Mapping[Slot, Reason],
    standing: Standing,
) -> Means:
    """What may be used now: positions that may be traded, and cash above floor and in budget."""
    in_flight, no_cash = memory.top_up, waiting.why_no_cash(policy, memory, seen)
    whole = QuoteQuantums(_cash_in_the_end(policy, memory, seen))
    is_later = no_cash is not None and no_cash[0] is RefusalCode.TOP_UP_IN_FLIGHT
    return Means(
        closed=closed,
        cash=whole if no_cash is None else QuoteQuantums(0),
        cash_later=whole if is_later else QuoteQuantums(0),
        cash_blocked=waiting.blocked_for_cash(policy, seen),
        cash_in_flight=() if in_flight is None else ((in_flight.before.number, in_flight.amount),),
        cash_price=policy.cash_price,
        notional_left=_notional_left(policy, standing),
        cost_left=_cost_left(policy, standing),
        orders_left=_orders_left(policy, standing),
        overdrawing=_paging(policy, memory),
    )


def _notional_left(policy: Policy, standing: Standing) -> QuoteQuantums:
    """What the hour's budget leaves; what is sent counts whether or not it will have filled."""
    most = units.ppm_down(standing.spent.hour_gross, policy.budget.hourly_notional)
    return QuoteQuantums(max(0, most - standing.spent.hour_notional - standing.sent_notional))


def _cost_left(policy: Policy, standing: Standing) -> QuoteQuantums:
    most = units.ppm_down(max(0, standing.spent.day_equity), policy.budget.daily_cost)
    return QuoteQuantums(max(0, most - standing.spent.day_cost - standing.sent_cost))


def _orders_left(policy: Policy, standing: Standing) -> int | None:
    """Orders that the hour's budget leaves beside those that may still fill; none for a panic."""
    if standing.by_panic:
        return None
    used = standing.spent.hour_orders + len(standing.sent)
    return max(0, policy.budget.hourly_orders - used)


def _cash_in_the_end(policy: Policy, memory: Memory, seen: Observation) -> int:
    """What the float wallet may give beside what is under way, once nothing transient holds it."""
    source, wallet = policy.float_source, seen.float_wallet
    if source is None or wallet is None:
        return 0
    in_flight = 0 if memory.top_up is None else memory.top_up.amount
    above_floor = wallet.balance - units.quote_up(source.floor) - in_flight
    return max(0, min(above_floor, top_up_left(memory.spent, policy)))


def _guards(view: View, watched: Sequence[Watched], chased: frozenset[str]) -> tuple[Guard, ...]:
    """What selling is to keep from; a loss is what a cut always takes.

    The triggers of acting levels that are not met. Where one is met and the plan `chased` nothing
    for it (its target was given up, or waits), its measure is to get no worse than it is.
    """
    return tuple(
        _guard(view, one, level, is_chased=one.key in chased)
        for one in watched
        if MEASURES[one.rule.measure.name].family is not Family.PROFIT_AND_LOSS
        for level in one.rule.levels
        if level.acts
    )


def _guard(view: View, one: Watched, level: Level, *, is_chased: bool) -> Guard:
    guard = Guard(
        key=f"{one.key}/{level.name}",
        measure=one.rule.measure,
        instance=one.instance,
        trigger=level.trigger,
    )
    if is_chased or guard.measure.name not in plan.HELD_BY_HEDGES:
        return guard
    now = plan.value_of(view, guard.measure, guard.instance)
    if isinstance(now, NoData) or not level.trigger.holds(now):
        return guard
    worse = Operator.ABOVE if level.trigger.operator.is_upward else Operator.BELOW
    return replace(guard, trigger=Bound(operator=worse, value=now), is_met=True)


def _paging(policy: Policy, memory: Memory) -> frozenset[str]:
    """Interventions and locks of levels that page: they may overdraw notional and cost."""
    rules = {rule.id: rule for rule in policy.rules}
    running = {each.name for each in memory.running if rules[each.rule].levels[each.rank].pages}
    locks = {
        f"{key}/{level.name} lock"
        for key, held in memory.alarms.items()
        for level in rules[held.rule].levels
        if level.pages
    }
    return frozenset(running | locks)


def _standing(memory: Memory, seen: Observation, *, live: bool) -> Standing:
    """What the gate must know; on paper nothing has been sent."""
    by_panic, halted = panic.is_running(memory), resuming(memory.halt, seen)
    if not live:
        return Standing(spent=memory.spent, resuming=halted, by_panic=by_panic)
    return Standing(
        sent={(s.action.subaccount, s.action.ticker): s.action.quantums for s in memory.sent},
        sent_notional=QuoteQuantums(sum(s.oracle_quote for s in memory.sent)),
        sent_cost=QuoteQuantums(sum(s.cost for s in memory.sent)),
        spent=memory.spent,
        top_up_in_flight=memory.top_up is not None,
        resuming=halted,
        by_panic=by_panic,
        paused=None if (paused := pausing.why(memory)) is None else paused[1],
    )


def _number(
    tick: int,
    passed: Sequence[Action],
    names: Mapping[Action, tuple[str, ...]],
    seen: Observation,
) -> tuple[Numbered, ...]:
    return tuple(
        Numbered(
            id=f"{tick}.{index}",
            action=one,
            asked_by=names[one],
            what=telling.action_words(one, seen),
        )
        for index, one in enumerate(passed)
    )


def _remember(carried: Carried, view: View, thin: Callable[[], Observation]) -> Memory:
    """Memory with what is about to be sent, so that nothing is sent twice."""
    memory, seen = standby.note_acts(carried.memory, carried.numbered), view.observation
    legs: dict[Slot, Leg] = {}
    if carried.plan is not None:
        legs = {(leg.subaccount, leg.ticker): leg for leg in carried.plan.legs}
    held = sizes(seen)
    for one in carried.numbered:
        match one.action:
            case Reduce() as reduce:
                slot = (reduce.subaccount, reduce.ticker)
                quotes = plan.reference_quotes(view, reduce.ticker, reduce.quantums)
                sent = Sent(
                    action_id=one.id,
                    action=reduce,
                    market=seen.markets[reduce.ticker],
                    height=seen.height,
                    held=BaseQuantums(held[slot]),
                    oracle_quote=quotes.oracle,
                    mid_quote=quotes.mid,
                    interventions=legs[slot].asked_by,
                    cost=QuoteQuantums(max(0, legs[slot].cost_vs_oracle)),
                    levels=depth.met(reduce, thin()),
                )
                memory = replace(memory, sent=(*memory.sent, sent))
            case TopUp() as top_up:
                memory = _remember_top_up(memory, one, top_up, seen)
            case Backstop():
                pass  # remembered where they are kept in step
            case Cancel() as cancel:
                sent_cancel = CancelSent(action_id=one.id, action=cancel, height=seen.height)
                memory = replace(memory, cancels=(*memory.cancels, sent_cancel))
    tried = {name for one in carried.numbered for name in one.asked_by}
    running = tuple(
        replace(each, tried_at=seen.at) if each.name in tried else each for each in memory.running
    )
    touched = [
        (name, one.action.ticker)
        for one in carried.numbered
        if isinstance(one.action, Reduce)
        for name in one.asked_by
    ]
    return interlock.touch(replace(memory, running=running), touched, seen.at)


def _remember_top_up(memory: Memory, one: Numbered, top_up: TopUp, seen: Observation) -> Memory:
    before, wallet = seen.subaccount(top_up.subaccount), seen.float_wallet
    assert wallet is not None  # it told the sequence
    sent = TopUpSent(
        action_id=one.id,
        before=before,
        markets={one.ticker: seen.markets[one.ticker] for one in before.positions},
        amount=top_up.amount,
        sequence=top_up.sequence,
        timeout_height=top_up.timeout_height,
        interventions=one.asked_by,
        float_before=wallet.balance,
    )
    spent = replace(memory.spent, day_top_up=QuoteQuantums(memory.spent.day_top_up + top_up.amount))
    return replace(memory, top_up=sent, spent=spent)
