"""The interventions of one tick: which end, and which start in whose place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from seawall import intervention
from seawall.account import Observation
from seawall.action import Refusal, RefusalCode
from seawall.alarm import LevelState
from seawall.decide import interlock, others
from seawall.decide.draft import Draft
from seawall.decide.memory import Alarm, Ended, Memory, Message, Repeats, Started, Urgency
from seawall.decide.watch import Watched
from seawall.intervention import End, Intervention
from seawall.measures.spec import NoData
from seawall.policy import Level, Mode, Policy, Rule
from seawall.units import Millis


def follow(
    policy: Policy,
    memory: Memory,
    watched: tuple[Watched, ...],
    seen: Observation,
    draft: Draft,
    *,
    mode: Mode,
) -> Memory:
    """End what is reached or stopped; the cooldown of a level runs from that end.

    In a run on paper a live intervention is only watched. One whose rule was put on paper ends.
    """
    by_key = {one.key: one for one in watched}
    rules = {rule.id: rule for rule in policy.rules}
    running = []
    for each in memory.running:
        level = _level_of(rules, each)
        if level is None:
            gone = NoData(reason="its rule is gone")
            draft.ended.append(Ended(name=each.name, end=End.GIVEN_UP, value=gone))
            continue
        one = by_key.get(each.key)
        if one is None:
            running.append(each)
            continue
        if mode is each.mode is Mode.LIVE and one.rule.mode_in(mode) is Mode.DRY_RUN:
            on_paper = NoData(reason="its rule is on paper now")
            draft.ended.append(Ended(name=each.name, end=End.GIVEN_UP, value=on_paper))
            continue
        if mode is Mode.DRY_RUN and each.mode is Mode.LIVE:
            what, why = f"go on with {each.name}", "the run is on paper"
            draft.refusals.append(Refusal(code=RefusalCode.PAUSED, what=what, detail=why))
        followed = intervention.follow(each, level, seen)
        if followed.has_given_up and not each.has_given_up:
            draft.messages.append(_gave_up(followed))
        end = _end_of(one, followed, level, seen)
        if end is None:
            running.append(followed)
            continue
        draft.ended.append(Ended(name=each.name, end=end, value=one.value))
        memory = cool(memory, followed, level, seen.at)
        if each.is_stopped:
            memory = _stopped(memory, each)
    return replace(memory, running=tuple(running))


def _stopped(memory: Memory, running: Intervention) -> Memory:
    """Memory in which a level sells no more in this firing, for a person has said so."""
    held = memory.alarms.get(running.key)
    if held is None:
        return memory
    stopped = replace(held.levels[running.rank], is_stopped=True)
    return _with_state(memory, running.key, running.rank, stopped)


def _level_of(rules: Mapping[str, Rule], running: Intervention) -> Level | None:
    """The level that an intervention serves; None where the rule file no longer has it."""
    rule = rules.get(running.rule)
    if rule is None or running.rank >= len(rule.levels):
        return None
    level = rule.levels[running.rank]
    return level if level.name == running.level else None


def _gave_up(running: Intervention) -> Message:
    return Message(
        urgency=Urgency.PAGE,
        key=intervention.not_flat_key(running),
        repeats=Repeats.WHILE_SO,
        text=(
            f"{running.name} is not flat in time. It goes on with one try every 30 s until flat; "
            f"`seawall ack` stops this page, `seawall ack --stop` the tries too. Closing by hand "
            f"is safe."
        ),
    )


def _end_of(one: Watched, running: Intervention, level: Level, seen: Observation) -> End | None:
    """How an intervention ends by itself; None where it goes on."""
    if running.is_stopped:
        return End.GIVEN_UP
    if intervention.has_reached(running, level, one.value, seen):
        return End.REACHED
    return None


def cool(memory: Memory, running: Intervention, level: Level, at: Millis) -> Memory:
    """Memory in which the level's next intervention waits for its cooldown."""
    memory = interlock.end(memory, running.name, at)
    held = memory.alarms.get(running.key)
    if held is None:
        return memory
    cooled = replace(held.levels[running.rank], cooled_at=Millis(at + level.cooldown))
    return _with_state(memory, running.key, running.rank, cooled)


def _with_state(memory: Memory, key: str, rank: int, state: LevelState) -> Memory:
    held = memory.alarms[key]
    levels = (*held.levels[:rank], state, *held.levels[rank + 1 :])
    return replace(memory, alarms={**memory.alarms, key: replace(held, levels=levels)})


def start(
    policy: Policy,
    memory: Memory,
    watched: tuple[Watched, ...],
    seen: Observation,
    draft: Draft,
    *,
    mode: Mode,
) -> Memory:
    """Start what the highest level of each instance that may set out to do something does.

    A level that is done, or that waits, keeps none below it from the limit that it was given.
    """
    for one in watched:
        held = memory.alarms.get(one.key)
        if held is None or isinstance(one.value, NoData):
            continue
        for rank in _that_may_start(memory, one, held, seen.at):
            level = one.rule.levels[rank]
            waits = interlock.held(policy.interlock, memory, one.key, level, seen.at)
            if waits is not None and one.rule.mode_in(mode) is Mode.LIVE:
                draft.refusals.append(waits.refusal())
                draft.messages.append(waits.message())
                continue
            memory = _started(policy, memory, one, rank, seen, draft=draft, mode=mode)
            break
    return memory


def _started(
    policy: Policy,
    memory: Memory,
    one: Watched,
    rank: int,
    seen: Observation,
    *,
    draft: Draft,
    mode: Mode,
) -> Memory:
    """Memory in which a level's intervention runs, in the place of a lower one's."""
    memory = _superseded(memory, one, seen, draft)
    begun = intervention.start(
        one.rule,
        one.instance,
        rank,
        seen,
        number=memory.interventions + 1,
        mode=one.rule.mode_in(mode),
        hands_off=policy.hands_off,
        gone=others.gone_since(memory, memory.alarms[one.key].levels[rank].met_at),
    )
    draft.started.append(Started(name=begun.name, why=one.rule.why, mode=begun.mode))
    draft.refusals.extend(_left_alone(policy, one, one.rule.levels[rank], seen))
    lower = _lower_with_a_turn(memory, one, rank)
    for each in (*lower, rank):
        memory = _with_run(memory, one.key, each, has_run=True)
    begun = replace(begun, instead_of=tuple(one.rule.levels[each].name for each in lower))
    return replace(
        memory,
        running=(*memory.running, begun),
        interventions=begun.number,
    )


def _superseded(memory: Memory, one: Watched, seen: Observation, draft: Draft) -> Memory:
    """Memory without the intervention of this instance; a higher level takes its place."""
    for each in memory.running:
        if each.key == one.key:
            draft.displaced[one.key] = each
            draft.ended.append(Ended(name=each.name, end=End.SUPERSEDED, value=one.value))
            memory = cool(memory, each, one.rule.levels[each.rank], seen.at)
    running = tuple(each for each in memory.running if each.key != one.key)
    return replace(memory, running=running)


def _left_alone(policy: Policy, one: Watched, level: Level, seen: Observation) -> Iterator[Refusal]:
    """The positions in scope that a level would cut once and that are never traded."""
    if not intervention.runs_once(level):
        return
    for number, position in intervention.positions_in_scope(one.rule, one.instance, seen):
        if policy.hands_off.covers(number, position.ticker):
            yield Refusal(
                code=RefusalCode.HANDS_OFF,
                what=f"reduce {number}/{position.ticker}",
                detail="hands_off in the rule file",
            )


def _lower_with_a_turn(memory: Memory, one: Watched, rank: int) -> tuple[int, ...]:
    """Lower levels that fire beside one that starts, and have not done what they do once.

    They have their turn with it: later they would fix their goal at what is left then.
    """
    levels = zip(one.rule.levels, memory.alarms[one.key].levels, strict=True)
    return tuple(
        at
        for at, (level, state) in enumerate(levels)
        if at < rank
        and state.phase.is_firing
        and not state.has_run
        and intervention.runs_once(level)
    )


def give_back(memory: Memory, running: Intervention) -> Memory:
    """Memory in which lower levels have the turn back that an intervention took and did not use.

    One that was given up before it sent an order or cash has done nothing in their place, nor
    would it have on paper.
    """
    has_traded = any(
        one.name == running.name for all_of in memory.touched.values() for one in all_of
    )
    under_way = () if memory.top_up is None else memory.top_up.interventions
    if has_traded or running.topped_up or running.name in under_way:
        return memory
    held = memory.alarms[running.key]
    for rank, name in enumerate(held.names):
        if name in (running.level, *running.instead_of):
            memory = _with_run(memory, running.key, rank, has_run=False)
    return memory


def go_on(memory: Memory, lower: Intervention, draft: Draft) -> Memory:
    """Memory in which what was superseded in this tick goes on: the one above it gave up at once.

    The caller keeps it running; that it ended, and its cooldown, are taken back.
    """
    draft.ended = [one for one in draft.ended if one.name != lower.name]
    state = memory.alarms[lower.key].levels[lower.rank]
    return _with_state(memory, lower.key, lower.rank, replace(state, cooled_at=Millis(0)))


def _with_run(memory: Memory, key: str, rank: int, *, has_run: bool) -> Memory:
    state = memory.alarms[key].levels[rank]
    return _with_state(memory, key, rank, replace(state, has_run=has_run))


def _that_may_start(memory: Memory, one: Watched, held: Alarm, at: Millis) -> Iterator[int]:
    """Indices of the levels that may set out now, highest first, down to one whose work runs.

    Nothing below a level that a person stopped starts for him, while it fires or is latched. On
    paper nothing below one that has told what it would do does: that is not done, so nobody can
    tell what would be left.
    """
    working = [each.rank for each in memory.running if each.key == one.key]
    for rank in range(len(one.rule.levels) - 1, max(working, default=-1), -1):
        level, state = one.rule.levels[rank], held.levels[rank]
        if state.is_stopped and state.phase.is_standing:
            return
        if not state.phase.is_firing or not intervention.has_work(level):
            continue
        if _may_start(one, level, state, at):
            yield rank
        if state.on_paper and state.has_run:
            return


def _may_start(one: Watched, level: Level, state: LevelState, at: Millis) -> bool:
    """A new intervention needs the trigger met, the cooldown past, and its turn not had."""
    if at < state.cooled_at or isinstance(one.value, NoData):
        return False
    if state.has_run and intervention.runs_once(level):
        return False
    return level.trigger.holds(one.value)
