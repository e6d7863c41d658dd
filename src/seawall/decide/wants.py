"""What running interventions and standing levels still want at this observation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

from seawall import limits, plan, units, words
from seawall.account import Missing, Observation, RestingOrder
from seawall.action import Cancel, Refusal, RefusalCode
from seawall.decide import resting
from seawall.decide.draft import Draft
from seawall.decide.interventions import cool, give_back, go_on
from seawall.decide.locks import locked_to
from seawall.decide.memory import Ended, Memory, Message, Repeats, Urgency
from seawall.decide.watch import Watched
from seawall.intervention import (
    End,
    Intervention,
    fall_back,
    flatten_of,
    in_scope,
    is_resting,
    positions_in_scope,
)
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.plan.demand import CutDemand, Demand, UntilDemand
from seawall.policy import (
    CancelOrders,
    CancelWhich,
    Flatten,
    Level,
    Lock,
    Mode,
    Page,
    Policy,
    ReduceAmount,
    ReduceUntil,
    TopUpUntil,
)
from seawall.units import PPM_ONE, Ppm, QuoteQuantums, quote_down

UNREACHABLE = "unreachable"  # last part of the key of its page


def demands(
    memory: Memory, watched: Sequence[Watched], view: View, mode: Mode, run_mode: Mode
) -> tuple[Demand, ...]:
    """Demands of the interventions and locks that run in `mode`."""
    by_key = {one.key: one for one in watched}
    found: list[Demand] = []
    for running in memory.running:
        one = by_key.get(running.key)
        if one is None or running.mode is not mode:
            continue
        level = one.rule.levels[running.rank]
        found.extend(_of_intervention(running, one, level, view.observation))
    for one in watched:
        if one.rule.mode_in(run_mode) is mode:
            found.extend(_of_locks(memory, one, view.observation))
    return tuple(found)


def frozen(memory: Memory, watched: Sequence[Watched], mode: Mode) -> tuple[Refusal, ...]:
    """Interventions that chase a measure which has no data now: they wait, and are not given up."""
    by_key = {one.key: one for one in watched}
    found = []
    for running in memory.running:
        one = by_key.get(running.key)
        if one is None or running.mode is not mode or not isinstance(one.value, NoData):
            continue
        if running.fallback is None and _chases(one.rule.levels[running.rank]):
            what, why = f"go on with {running.name}", one.value.reason
            found.append(Refusal(code=RefusalCode.NO_DATA, what=what, detail=why))
    return tuple(found)


def _chases(level: Level) -> bool:
    return any(isinstance(do, ReduceUntil | TopUpUntil) for do in level.do)


def _of_intervention(
    running: Intervention, one: Watched, level: Level, seen: Observation
) -> tuple[Demand, ...]:
    rule = one.rule
    found: list[Demand] = []
    if running.keeps:
        cut = _cut(running, one, level, seen)
        if cut is not None:
            found.append(cut)
    if running.fallback is not None or isinstance(one.value, NoData):
        return tuple(found)
    reduce = next((do for do in level.do if isinstance(do, ReduceUntil)), None)
    top_up = next((do for do in level.do if isinstance(do, TopUpUntil)), None)
    if reduce is not None or top_up is not None:
        assert level.target is not None
        held = positions_in_scope(rule, running.instance, seen)
        left = None if top_up is None else quote_down(top_up.most) - running.topped_up
        found.append(
            UntilDemand(
                name=running.name,
                key=running.key,
                measure=rule.measure,
                instance=running.instance,
                target=level.target,
                slots=tuple((number, position.ticker) for number, position in held),
                max_slippage=None if reduce is None else reduce.max_slippage,
                cash_most=None if left is None else QuoteQuantums(max(0, left)),
            )
        )
    return tuple(found)


def _cut(running: Intervention, one: Watched, level: Level, seen: Observation) -> CutDemand | None:
    flatten = flatten_of(level, running)
    if flatten is None:
        amount = running.fallback or next(do for do in level.do if isinstance(do, ReduceAmount))
        slippage = amount.max_slippage
    elif is_resting(running, seen.at):
        return None
    else:
        slippage = Ppm(flatten.max_slippage * (2 if running.is_widened else 1))
    return CutDemand(
        name=running.name,
        key=running.key,
        measure=one.rule.measure,
        instance=running.instance,
        keeps=running.keeps,
        max_slippage=slippage,
        in_proportion=flatten is not None and not running.is_widened,
    )


def _of_locks(memory: Memory, one: Watched, seen: Observation) -> tuple[Demand, ...]:
    """Positions in a lock's scope go back to their size at its start; new risk goes to zero."""
    found = []
    for level in one.rule.levels:
        lock = next((do for do in level.do if isinstance(do, Lock)), None)
        locked = memory.locks.get(f"{one.key}/{level.name}")
        if lock is None or locked is None:
            continue
        keeps = tuple(
            locked_to(locked, number, position)
            for number, position in positions_in_scope(one.rule, one.instance, seen)
        )
        name = f"{one.key}/{level.name} lock"
        found.append(
            CutDemand(
                name=name,
                key=one.key,
                measure=one.rule.measure,
                instance=one.instance,
                keeps=keeps,
                max_slippage=lock.max_slippage,
            )
        )
    return tuple(found)


def cancels(
    memory: Memory, watched: Sequence[Watched], seen: Observation, mode: Mode, run_mode: Mode
) -> tuple[tuple[Cancel, str], ...]:
    """Cancels that standing levels want, each with the level that wants it, none twice."""
    orders = seen.advice.orders
    if isinstance(orders, Missing):
        return ()
    found: dict[Cancel, str] = {}
    waiting = {sent.action for sent in memory.cancels}
    for one in watched:
        held = memory.alarms.get(one.key)
        if held is None or one.rule.mode_in(run_mode) is not mode:
            continue
        for level, state in zip(one.rule.levels, held.levels, strict=True):
            which = _which(level)
            if which is None or not state.phase.is_standing:
                continue
            scoped = _orders_in_scope(one, orders)
            for cancel in resting.cancels(scoped, seen, which):
                if cancel not in waiting:
                    found.setdefault(cancel, f"{one.key}/{level.name}")
    return tuple(found.items())


def _which(level: Level) -> CancelWhich | None:
    """What a level cancels while it stands; `lock` cancels what adds risk."""
    asked = [do.which for do in level.do if isinstance(do, CancelOrders)]
    if CancelWhich.ALL in asked:
        return CancelWhich.ALL
    if asked or any(isinstance(do, Lock) for do in level.do):
        return CancelWhich.RISK_INCREASING
    return None


def _orders_in_scope(one: Watched, orders: Sequence[RestingOrder]) -> tuple[RestingOrder, ...]:
    return tuple(
        order
        for order in orders
        if in_scope(one.rule, one.instance, order.subaccount, order.ticker)
    )


def without_unreachable(
    policy: Policy,
    memory: Memory,
    watched: Sequence[Watched],
    view: View,
    draft: Draft,
    *,
    mode: Mode,
) -> Memory:
    """An unreachable target is never chased: `or_else` takes its place, or a page does.

    What is only missing for now (fresh state, a value, a deposit under way, a gate or a budget)
    makes nothing unreachable.
    """
    seen, hands_off = view.observation, policy.hands_off
    if not limits.is_fresh(seen):
        return memory
    at_best = cache(partial(plan.AtBest.of, view, hands_off))  # most ticks ask nothing of it
    by_key = {one.key: one for one in watched}
    kept: list[Intervention] = []
    for running in memory.running:
        one = by_key.get(running.key)
        if one is None or running.mode is not mode:
            kept.append(running)
            continue
        level = one.rule.levels[running.rank]
        wanted = _of_intervention(running, one, level, seen)
        until = next((demand for demand in wanted if isinstance(demand, UntilDemand)), None)
        cash = None if until is None else _cash_at_best(memory, until, policy, seen)
        if until is None or cash is None or not at_best().is_short(until, cash):
            kept.append(running)
            continue
        fallback = _or_else(level)
        if isinstance(fallback, ReduceAmount | Flatten):
            instead = fall_back(running, one.rule, fallback, seen, hands_off)
            kept.append(instead)
            if instead.left:
                draft.messages.append(_falls_back(running, level, fallback))
            continue
        draft.refusals.append(_out_of_reach(running))
        draft.messages.append(_unreachable(running))
        draft.ended.append(Ended(name=running.name, end=End.GIVEN_UP, value=one.value))
        memory = cool(give_back(memory, running), running, level, seen.at)
        lower = draft.displaced.pop(running.key, None)
        if lower is not None:
            memory = go_on(memory, lower, draft)
            kept.append(lower)
    return replace(memory, running=tuple(kept))


def _cash_at_best(
    memory: Memory, demand: UntilDemand, policy: Policy, seen: Observation
) -> int | None:
    """Cash that may ever come for a demand, what is under way included; None where unknown."""
    sent, wallet, source = memory.top_up, seen.float_wallet, policy.float_source
    is_here = sent is not None and sent.before.number == demand.cash_to
    under_way = sent.amount if sent is not None and is_here else 0
    is_left_alone = demand.cash_to in policy.hands_off.subaccounts
    if demand.cash_most is None or source is None or is_left_alone:
        return under_way
    if wallet is None:
        return None
    left = demand.cash_most
    if sent is not None and demand.name in sent.interventions:
        left = QuoteQuantums(left - sent.amount)
    above_floor = wallet.balance - units.quote_up(source.floor)
    above_floor -= 0 if sent is None else sent.amount
    return under_way + max(0, min(above_floor, left))


def _or_else(level: Level) -> Page | ReduceAmount | Flatten | None:
    return next((do.or_else for do in level.do if isinstance(do, ReduceUntil)), None)


def _falls_back(running: Intervention, level: Level, fallback: ReduceAmount | Flatten) -> Message:
    share = Ppm(PPM_ONE) if isinstance(fallback, Flatten) else fallback.share
    return Message(
        urgency=Urgency.PAGE if level.pages else Urgency.NOTIFY,
        key=f"{running.key}/{running.level}/or-else",
        text=(
            f"{running.name}: the target cannot be reached, whatever part of what is in scope is "
            f"closed and with all admissible cash. Instead, as `or_else` says: "
            f"{words.percent(share)} of each position in scope is closed within "
            f"{words.bps(fallback.max_slippage)}."
        ),
    )


def _out_of_reach(running: Intervention) -> Refusal:
    return Refusal(
        code=RefusalCode.UNREACHABLE,
        what=f"reach the target of {running.name}",
        detail="no part of what is in scope, closed with all admissible cash, would",
    )


def _unreachable(running: Intervention) -> Message:
    return Message(
        urgency=Urgency.PAGE,
        key=f"{running.key}/{running.level}/{UNREACHABLE}",
        repeats=Repeats.WHILE_SO,
        text=(
            f"{running.name}: the target cannot be reached, whatever part of what is in scope is "
            f"closed and with all admissible cash. Nothing more is done for it; add collateral or "
            f"close by hand."
        ),
    )


def of_mode(policy: Policy, mode: Mode, run_mode: Mode) -> Policy:
    """The policy whose rules a plan heeds: one on paper never shapes a live plan."""
    if mode is Mode.DRY_RUN:
        return policy
    live = tuple(rule for rule in policy.rules if rule.mode_in(run_mode) is Mode.LIVE)
    return replace(policy, rules=live)


def scenarios_named(policy: Policy) -> tuple[str, ...]:
    """Scenarios that some rule watches."""
    names = {rule.measure.scenario for rule in policy.rules} - {None}
    return tuple(sorted(name for name in names if name is not None))
