"""What would be done now, or if prices moved: one tick on paper without waiting for any `for`.

A level whose trigger is met fires at once here. What a guard remembers (spent budgets, latches,
cooldowns, a pause, interventions that run, its NAV) counts as it would for that guard's next tick.
Without it profit and loss start at the state that was seen, so without a move there is none, and
with one it is the move's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from seawall import backstop, units, words
from seawall.account import Book, BookLevel, Market, Observation
from seawall.action import Plan, Refusal, RefusalCode, TopUp
from seawall.backstop import Stop
from seawall.decide import depth, panic, pausing, waiting, wants
from seawall.decide.align import align
from seawall.decide.carry import carry, means_of
from seawall.decide.draft import Draft
from seawall.decide.memory import Memory, Numbered
from seawall.decide.tick import decide, evaluate
from seawall.decide.watch import Watched, watch
from seawall.intervention import Intervention, has_work, runs_once
from seawall.measures.spec import NoData, Value
from seawall.measures.view import View
from seawall.plan import naive
from seawall.plan.naive import Alternative
from seawall.plan.trial import carried_out
from seawall.policy import Level, Mode, Policy, ReduceAmount, Rule
from seawall.units import PPM_ONE, Millis, Ppm, QuoteQuantums, Subticks

Moves = Mapping[str, Ppm]  # by ticker; the price keeps 1 + move of itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One instance of one rule before and after the plan; `level` is what it would fire."""

    key: str
    rule: Rule
    level: Level | None
    acts: bool  # an intervention of its own is behind the plan
    before: Value
    after: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """Cash into one subaccount; nobody asked where the last gate lets it not pass."""

    number: int
    amount: QuoteQuantums
    asked_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would be done and what it would change; `plan` is None where nothing is wanted."""

    seen: Observation  # prices moved
    plan: Plan | None
    actions: tuple[Numbered, ...]  # that the last gate lets pass
    refused: tuple[Refusal, ...]  # by the last gate, and targets that nothing reaches
    changes: tuple[Change, ...]
    alternatives: tuple[Alternative, ...]  # the plan first
    stops: tuple[Stop, ...] = ()  # that should rest on the chain once it is done

    @property
    def top_ups(self) -> tuple[Deposit, ...]:
        """The plan's deposits, each with who asked for it."""
        names = {
            one.action.subaccount: one.asked_by
            for one in self.actions
            if isinstance(one.action, TopUp)
        }
        return tuple(
            Deposit(number=number, amount=amount, asked_by=names.get(number, ()))
            for number, amount in (() if self.plan is None else self.plan.top_ups)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a guard remembers, and whether it sends."""

    memory: Memory
    mode: Mode


def preview(policy: Policy, seen: Observation, moves: Moves, kept: Kept | None = None) -> Preview:
    """One tick on paper at the moved prices; the account is the one that was seen.

    A live guard's plan is that of its live rules, a guard's on paper that of all.
    """
    mode = Mode.DRY_RUN if kept is None else kept.mode
    policy, memory = _begun(policy, seen, kept)
    policy, moved, draft = _at_once(policy), with_moves(seen, moves), Draft()
    if not memory.sent:
        moved = waiting.in_time(moved)
    memory, view, watched = evaluate(
        policy, align(policy, memory), moved, draft, mode=mode, overrides={}
    )
    means = means_of(policy, memory, moved, live=mode is Mode.LIVE)
    carried = carry(policy, memory, view, watched, draft, mode=mode, run_mode=mode)
    made = carried.plan
    demands = wants.demands(carried.memory, watched, view, mode, mode)
    others: tuple[Alternative, ...] = ()
    if made is not None:
        thin = replace(view, observation=depth.believed(memory, moved))  # what the plan believed
        others = naive.alternatives(thin, demands, means, made)
    then = view if made is None else carried_out(view, made, means.cash_in_flight)
    waits = (
        *_waiting(memory, watched, moved.at, mode),
        *(_instead(one) for one in carried.memory.running if one.mode is mode and one.fallback),
    )
    return Preview(
        seen=moved,
        plan=made,
        actions=carried.numbered,
        refused=(*draft.refusals, *waits, *carried.refusals),
        changes=_changes(policy, memory, draft, (view, then), mode),
        alternatives=others,
        stops=_stops(policy, then),
    )


def _begun(policy: Policy, seen: Observation, kept: Kept | None) -> tuple[Policy, Memory]:
    """The rules, a panic's among them, and memory, before any price has moved."""
    if kept is None:
        return policy, decide(replace(policy, rules=()), Memory(), seen)[0]
    # Quiet ticks are written once a minute: that long without one is no halt of the chain.
    memory = replace(kept.memory, at=seen.at, seen_at=seen.seen_at)
    memory = pausing.follow(memory, seen.seen_at, Draft())
    return panic.with_rule(policy, memory), memory


def _waiting(
    memory: Memory, watched: Sequence[Watched], at: Millis, mode: Mode
) -> Iterator[Refusal]:
    """Levels whose trigger is met and that set out to do nothing now, and what they wait for."""
    running = {each.key for each in memory.running}
    for one in watched:
        held = memory.alarms.get(one.key)
        is_elsewhere = one.key in running or one.rule.mode_in(mode) is not mode
        if held is None or is_elsewhere or isinstance(one.value, NoData):
            continue
        for level, state in zip(one.rule.levels, held.levels, strict=True):
            if not has_work(level) or not level.trigger.holds(one.value):
                continue
            if state.has_run and runs_once(level):
                why = "it acts once per firing, and has"
            elif at < state.cooled_at:
                left = Millis(-(-(state.cooled_at - at) // units.SECOND) * units.SECOND)
                why = f"its cooldown ends in {words.duration(left)}"
            else:
                continue
            what = f"start {one.key}/{level.name}"
            yield Refusal(code=RefusalCode.COOLING, what=what, detail=why)


def _instead(running: Intervention) -> Refusal:
    """A target that nothing reaches, and what is done in its place."""
    fallback = running.fallback
    share = fallback.share if isinstance(fallback, ReduceAmount) else Ppm(PPM_ONE)
    return Refusal(
        code=RefusalCode.UNREACHABLE,
        what=f"reach the target of {running.key}",
        detail=f"nothing would; {words.percent(share)} is closed instead, as `or_else` says",
    )


def _stops(policy: Policy, then: View) -> tuple[Stop, ...]:
    """The stop of every position that is left, where one can be said and may be traded."""
    if policy.backstop is None:
        return ()
    found = backstop.wanted(policy.backstop, policy.scenarios, then)
    return tuple(
        stop
        for slot, stop in found.items()
        if isinstance(stop, Stop)
        and waiting.why_closed(policy, then.observation, slot, frozenset()) is None
    )


def _at_once(policy: Policy) -> Policy:
    """The policy with nothing to wait for."""
    rules = tuple(
        replace(rule, levels=tuple(replace(level, hold=Millis(0)) for level in rule.levels))
        for rule in policy.rules
    )
    return replace(policy, rules=rules, is_standby=False)


def _changes(
    policy: Policy, memory: Memory, draft: Draft, views: tuple[View, View], mode: Mode
) -> tuple[Change, ...]:
    """Every instance before and after: in the first of the views, and in the second."""
    before, after = views
    acting = {each.key for each in memory.running if each.mode is mode}
    then = {one.key: one.value for one in watch(policy, memory, after, Draft())}
    levels = {reading.key: reading.level for reading in draft.readings}
    gone = NoData(reason="nothing of it is left")
    return tuple(
        Change(
            key=one.key,
            rule=one.rule,
            level=next((each for each in one.rule.levels if each.name == levels[one.key]), None),
            acts=one.key in acting,
            before=one.value,
            after=then.get(one.key, gone),
        )
        for one in watch(policy, memory, before, Draft())
    )


def with_moves(seen: Observation, moves: Moves) -> Observation:
    """The observation with oracle prices moved and books moved along, levels kept on the tick."""
    markets, books = dict(seen.markets), dict(seen.advice.books)
    for ticker, move in moves.items():
        market = markets[ticker]
        price = market.oracle_price * (PPM_ONE + move) // PPM_ONE
        markets[ticker] = replace(market, oracle_price=max(1, price))
        if ticker in books:
            books[ticker] = _moved(books[ticker], market, move)
    return replace(seen, markets=markets, advice=replace(seen.advice, books=books))


def _moved(book: Book, market: Market, move: int) -> Book:
    return replace(
        book, bids=_levels(book.bids, market, move), asks=_levels(book.asks, market, move)
    )


def _levels(levels: Sequence[BookLevel], market: Market, move: int) -> tuple[BookLevel, ...]:
    tick = market.subticks_per_tick
    return tuple(
        replace(
            one,
            subticks=Subticks(max(1, one.subticks * (PPM_ONE + move) // PPM_ONE // tick) * tick),
        )
        for one in levels
    )
