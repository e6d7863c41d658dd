"""One tick: `decide(policy, memory, seen) -> (memory, decision)`, pure.

No clock, no network, no disk, no chance: live, dry-run, replay, rule tests and the re-execution of
a past decision call this one function. Everything is derived anew from what is true now and from
memory; a missed message costs a tick, never the account.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from seawall import alarm
from seawall.account import Blind, Observation, Seen
from seawall.action import Refusal, RefusalCode
from seawall.budget import Spent, roll
from seawall.decide import (
    attribution,
    backstops,
    blind,
    depth,
    interlock,
    interventions,
    others,
    outcome,
    panic,
    pausing,
    settled,
    stalled,
    standby,
    standing,
    telling,
    watch,
)
from seawall.decide.align import align
from seawall.decide.carry import Carried, carry
from seawall.decide.commands import apply_commands, obey_rebase
from seawall.decide.draft import Draft
from seawall.decide.halt import notice_halt
from seawall.decide.locks import keep_locks
from seawall.decide.memory import Command, Decision, Ended, Memory, Message, Repeats, Urgency
from seawall.decide.pages import repeat_pages
from seawall.decide.waiting import PACING, in_time
from seawall.decide.wants import UNREACHABLE
from seawall.decide.watch import Credits, Watched
from seawall.intervention import End, has_work, not_flat_key, stalled_key
from seawall.limits import is_fresh
from seawall.measures import ledger
from seawall.measures.spec import NoData
from seawall.measures.view import NO_OVERRIDES, Overrides, View
from seawall.policy import Mode, Notify, Page, Policy
from seawall.units import MINUTE, SECOND, Millis

STALE_PAGE_AFTER = MINUTE
PLANNER_ERRORS = frozenset(
    {
        RefusalCode.WOULD_GROW,
        RefusalCode.EXCEEDS_POSITION,
        RefusalCode.OFF_STEP,
        RefusalCode.PRICE_OUTSIDE_BOUND,
        RefusalCode.WRONG_WINDOW,
        RefusalCode.NOT_GUARDED,
        RefusalCode.CANCELS_PROTECTION,
    }
)


def decide(
    policy: Policy,
    memory: Memory,
    seen: Seen,
    *,
    mode: Mode = Mode.DRY_RUN,
    commands: Sequence[Command] = (),
    overrides: Overrides = NO_OVERRIDES,
) -> tuple[Memory, Decision]:
    """The memory and the decision after one input; `mode` says whether actions are to be sent.

    `overrides` are values that a rule test says instead of what is seen.
    """
    draft = Draft()
    memory = replace(apply_commands(memory, commands, seen.seen_at), tick=memory.tick + 1)
    memory = pausing.follow(memory, seen.seen_at, draft)
    policy = panic.with_rule(policy, memory)
    memory = align(policy, memory)
    if isinstance(seen, Blind):
        memory = replace(memory, ledger=obey_rebase(memory.ledger, commands))
        memory = blind.tick(policy, memory, seen, _credits(memory, seen), draft, mode=mode)
        nothing = Carried(memory=memory)
        return _close(
            memory, seen, draft, policy=policy, live=nothing, paper=nothing, commands=commands
        )
    memory, view, watched = evaluate(
        policy, memory, seen, draft, mode=mode, overrides=overrides, commands=commands
    )
    live = Carried(memory=memory)
    if mode is Mode.LIVE:
        live = carry(policy, memory, view, watched, draft, mode=Mode.LIVE, run_mode=mode)
        dropped = () if live.plan is None else live.plan.dropped
        draft.messages.extend(stalled.pages(live.memory, (*live.refusals, *dropped), seen))
    paper = _on_paper(policy, live.memory, view, watched, draft, mode=mode)
    _tell(watched, live, paper, mode, draft)
    draft.messages.extend(
        attribution.messages(
            draft.changes,
            memory,
            watched,
            seen,
            policy=policy,
            mode=mode,
        )
    )
    draft.messages.extend(standing.conditions(policy, memory, seen, mode))
    live, paper = _with_backstops(policy, live, paper, view, draft, mode=mode)
    memory, told = settled.tell(paper.memory, draft.ended, watched)
    draft.messages.extend(told)
    return _close(memory, seen, draft, policy=policy, live=live, paper=paper, commands=commands)


def _credits(memory: Memory, seen: Seen) -> Credits:
    at = Millis(0)
    if isinstance(seen, Observation):
        at = alarm.credit(memory.at, seen.at)
    return Credits(at=at, seen_at=alarm.credit(memory.seen_at, seen.seen_at))


def evaluate(
    policy: Policy,
    memory: Memory,
    seen: Observation,
    draft: Draft,
    *,
    mode: Mode,
    overrides: Overrides,
    commands: Sequence[Command] = (),
) -> tuple[Memory, View, tuple[Watched, ...]]:
    """Outcomes, NAV, budgets, values, phases and interventions of one observation."""
    passed, paid_in = _credits(memory, seen), others.deposited(memory, seen)
    memory, changes = attribution.attribute(memory, seen)
    draft.changes.extend(changes)
    for resolve in (outcome.resolve, backstops.resolve):
        memory, outcomes = resolve(memory, seen)
        draft.outcomes.extend(outcomes)
    book, events = ledger.advance(memory.ledger, seen, price_band=policy.price_band)
    draft.messages.extend(
        Message(
            urgency=Urgency.PAGE if event.pages else Urgency.NOTIFY,
            key=f"ledger/{event.key or 'account'}",
            text=event.text,
        )
        for event in events
    )
    book = obey_rebase(book, commands) or book
    memory = replace(memory, ledger=book, blind_since=None, halt=notice_halt(memory, seen))
    memory = depth.note_mids(memory, seen)
    view = policy.view(seen, book, overrides)
    long_ago = Millis(seen.at - 2 * policy.interlock.over)  # until the last wait is over
    memory = replace(
        memory,
        spent=_rolled(memory, view),
        touched=interlock.forget(memory.touched, long_ago),
    )
    if mode is Mode.LIVE:
        memory = others.count(policy, memory, changes, seen, paid_in=paid_in)
    memory = panic.begin(policy, memory, seen, draft, mode=mode)
    watched = watch.watch(policy, memory, view, draft)
    memory = watch.step_alarms(memory, watched, draft, passed=passed, at=seen.at, mode=mode)
    memory = interventions.follow(policy, memory, watched, seen, draft, mode=mode)
    memory = interventions.start(policy, memory, watched, seen, draft, mode=mode)
    memory = others.forget(policy, memory)
    return keep_locks(memory, policy, seen), view, watched


def _rolled(memory: Memory, view: View) -> Spent:
    """Budgets rolled to this hour and day; their bases are sums over the guarded subaccounts."""
    gross = sum(one.gross for one in view.footings.values() if not isinstance(one, NoData))
    equity = sum(one.nc for one in view.risks.values() if not isinstance(one, NoData))
    return roll(memory.spent, view.observation.at, gross, equity)


def _on_paper(
    policy: Policy,
    memory: Memory,
    view: View,
    watched: Sequence[Watched],
    draft: Draft,
    *,
    mode: Mode,
) -> Carried:
    """What rules on paper would do; their interventions end at once, nothing is imagined done.

    At the end of a window that is what they would send in the next one.
    """
    begins = draft.fired and any(one.rule.mode_in(mode) is Mode.DRY_RUN for one in watched)
    if not (begins or any(each.mode is Mode.DRY_RUN for each in memory.running)):
        return Carried(memory=memory)
    sends = replace(view, observation=in_time(view.observation))
    paper = carry(policy, memory, sends, watched, draft, mode=Mode.DRY_RUN, run_mode=mode)
    if not is_fresh(view.observation):
        return paper  # frozen, as live ones are
    memory = paper.memory
    rules = {one.key: one for one in watched}
    running = []
    for each in memory.running:
        one = rules.get(each.key)
        if each.mode is not Mode.DRY_RUN or one is None:  # its rule failed, or is not watched now
            running.append(each)
            continue
        draft.ended.append(Ended(name=each.name, end=End.WOULD, value=one.value))
        memory = interventions.cool(memory, each, one.rule.levels[each.rank], view.observation.at)
    return replace(paper, memory=replace(memory, running=tuple(running)))


def _with_backstops(
    policy: Policy, live: Carried, paper: Carried, view: View, draft: Draft, *, mode: Mode
) -> tuple[Carried, Carried]:
    """Both with the stops that are kept in step, last of all that is sent."""
    whose = live if mode is Mode.LIVE else paper
    first = len(whose.numbered)
    kept = backstops.keep(policy, paper.memory, view, mode=mode, first=first)
    draft.refusals.extend(kept.refusals)
    draft.messages.extend(kept.messages)
    whose = replace(whose, numbered=(*whose.numbered, *kept.numbered))
    if mode is Mode.LIVE:
        return whose, replace(paper, memory=kept.memory)
    return live, replace(whose, memory=kept.memory)


def _tell(
    watched: Sequence[Watched], live: Carried, paper: Carried, mode: Mode, draft: Draft
) -> None:
    """The message of each level that began to fire, with what is done about it."""
    if not draft.fired:
        return
    for one in watched:
        its_mode = one.rule.mode_in(mode)
        carried = live if its_mode is Mode.LIVE else paper
        for level in one.rule.levels:
            name = f"{one.key}/{level.name}"
            if name not in draft.fired:
                continue
            if any(isinstance(do, Notify | Page) for do in level.do):
                # What a level cuts may be taken over by a higher one; one that cuts nothing tells
                # of its own alone.
                about = one.key if has_work(level) else name
                done = telling.done_words(carried.numbered, carried.plan, about)
                waiting = [*_given_up(draft, name), *carried.waits]
                waits = "" if done or not has_work(level) else telling.wait_words(waiting)
                draft.messages.append(telling.firing(one, level, done, waits, its_mode))


def _given_up(draft: Draft, name: str) -> Iterator[Refusal]:
    """Why what a level set out to do ended in the tick in which it began."""
    for refusal in draft.refusals:
        if refusal.code is RefusalCode.UNREACHABLE and f" {name}#" in refusal.what:
            yield refusal


def _close(
    memory: Memory,
    seen: Seen,
    draft: Draft,
    *,
    policy: Policy,
    live: Carried,
    paper: Carried,
    commands: Sequence[Command],
) -> tuple[Memory, Decision]:
    """The decision as a value, and the memory that the next tick starts from."""
    refusals = (*draft.refusals, *live.refusals, *paper.refusals)
    told = tuple(f"{r.code} {r.what}" for r in refusals if r.code not in PACING)
    new = [
        r for r in refusals if r.code not in PACING and f"{r.code} {r.what}" not in memory.refused
    ]
    draft.messages.extend(_refused(refusal) for refusal in new if refusal.code in PLANNER_ERRORS)
    if isinstance(seen, Observation) and seen.seen_at - seen.at > STALE_PAGE_AFTER:
        draft.messages.append(_stale(seen))
    memory, messages = repeat_pages(
        memory, draft.messages, _true_now(policy, memory, draft), seen.seen_at
    )
    decision = Decision(
        tick=memory.tick,
        height=seen.height if isinstance(seen, Observation) else memory.height,
        at=seen.at if isinstance(seen, Observation) else None,
        seen_at=seen.seen_at,
        blind=seen.reasons if isinstance(seen, Blind) else (),
        readings=tuple(draft.readings),
        transitions=tuple(draft.transitions),
        started=tuple(draft.started),
        ended=tuple(draft.ended),
        plan=live.plan,
        would=paper.plan,
        actions=live.numbered,
        on_paper=paper.numbered,
        refusals=refusals,
        has_new_refusal=bool(new),
        outcomes=tuple(draft.outcomes),
        changes=tuple(draft.changes),
        messages=messages,
        commands=tuple(commands),
    )
    memory = replace(memory, seen_at=seen.seen_at, refused=told)
    if isinstance(seen, Observation):
        memory = replace(memory, at=seen.at, height=seen.height)
    return memory, decision


def _true_now(policy: Policy, memory: Memory, draft: Draft) -> frozenset[str]:
    """Keys of pages that are still true: highest standing levels, conditions told this tick."""
    rules = {rule.id: rule for rule in policy.rules}
    true: set[str] = set()
    for key, held in memory.alarms.items():
        levels = zip(rules[held.rule].levels, held.levels, strict=True)
        names = [level.name for level, state in levels if state.phase.is_standing]
        true.update(f"{key}/{name}" for name in names[-1:])
        true.update(f"{key}/{name}/{UNREACHABLE}" for name in names)
    true.update(telling.budget_key(each.name) for each in memory.running)
    true.update(not_flat_key(each) for each in memory.running if each.has_given_up)
    true.update(stalled_key(each) for each in stalled.standing(memory))
    if memory.left is not None:
        true.add(standby.KEY)
    return frozenset(true | {message.key for message in draft.messages})


def _refused(refusal: Refusal) -> Message:
    return Message(
        urgency=Urgency.PAGE,
        key=f"limits/{refusal.what}",
        text=(
            f"The last gate stopped `{refusal.what}`: {refusal.code}, {refusal.detail}. Nothing "
            f"was sent. This is a fault of Seawall: report it, and watch the account yourself."
        ),
    )


def _stale(seen: Observation) -> Message:
    age = (seen.seen_at - seen.at) // SECOND
    return Message(
        urgency=Urgency.PAGE,
        key="state/stale",
        repeats=Repeats.WHILE_SO,
        text=(
            f"State is {age} s old: the chain or the node stands still at height {seen.height}, or "
            f"this machine's clock is wrong (a simulated venue wants `venue.step_url`). "
            f"Reductions and top-ups wait for fresh state; cancels still go out."
        ),
    )
