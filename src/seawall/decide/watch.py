"""Rules over one observation: values, phases of levels, interventions that start and end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from seawall import alarm, intervention
from seawall.account import Observation
from seawall.action import Refusal, RefusalCode
from seawall.alarm import CLEAR, LevelState, Phase
from seawall.decide import interlock
from seawall.decide.draft import Draft
from seawall.decide.memory import (
    Alarm,
    Ended,
    Memory,
    Message,
    Reading,
    Repeats,
    Started,
    Transition,
    Urgency,
)
from seawall.intervention import End, Intervention, key_of
from seawall.measures import MEASURES, value_of
from seawall.measures.instances import instances
from seawall.measures.spec import Instance, NoData, Value
from seawall.measures.view import View
from seawall.policy import Level, Mode, NoDataMode, Policy, Rule
from seawall.units import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """Time that this tick adds to holds: by block time, and by the agent's clock."""

    at: Millis
    seen_at: Millis

    def of(self, rule: Rule) -> Millis:
        """The clock a rule runs on: absence and age are noticed by the agent's clock."""
        by_agent = rule.measure.name == "input_age" or rule.no_data is NoDataMode.FIRE
        return self.seen_at if by_agent else self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One instance of one rule with its value now; `key` is RULE[/INSTANCE]."""

    rule: Rule
    instance: Instance
    value: Value
    key: str


def watch(policy: Policy, memory: Memory, view: View, draft: Draft) -> tuple[Watched, ...]:
    """Every instance of every rule with its value; a rule that fails reports itself alone."""
    watched: list[Watched] = []
    for rule in policy.rules:
        try:
            found = {key_of(rule.id, i): i for i in _instances(policy, rule, view)}
            for key, held in memory.alarms.items():
                if held.rule == rule.id and held.highest is not None:
                    found.setdefault(key, held.instance)
            for each in memory.running:  # cleared and flat by now: its goals are met, it has to end
                if each.rule == rule.id:
                    found.setdefault(each.key, each.instance)
            name, scenario = rule.measure.name, rule.measure.scenario
            watched.extend(
                Watched(rule=rule, instance=i, value=value_of(view, name, i, scenario), key=key)
                for key, i in found.items()
            )
        except Exception as error:  # noqa: BLE001 - one broken rule must not stop the others
            draft.messages.append(
                Message(
                    urgency=Urgency.PAGE,
                    key=f"{rule.id}/failed",
                    repeats=Repeats.WHILE_SO,
                    text=f"{rule.id} failed and guards nothing: {error!r}. The other rules go on.",
                )
            )
    return tuple(watched)


def _instances(policy: Policy, rule: Rule, view: View) -> tuple[Instance, ...]:
    measure = MEASURES[rule.measure.name]
    return instances(
        measure.name,
        measure.family,
        rule.scope,
        view.observation,
        rule=rule.id,
        caps=policy.caps,
    )


def step_alarms(
    memory: Memory,
    watched: tuple[Watched, ...],
    draft: Draft,
    *,
    passed: Credits,
    at: Millis,
    mode: Mode,
) -> Memory:
    """Memory with every level of every instance stepped by one tick.

    What could not be watched (a blind tick, a rule that failed) stays as it was. What fired on
    paper starts anew once its rule is live.
    """
    seen_keys = {one.key for one in watched}
    intervening = {each.key for each in memory.running}  # its end still has a cooldown to note
    alarms = {
        key: held
        for key, held in memory.alarms.items()
        if key not in seen_keys and _is_worth_keeping(held, at)
    }
    for one in watched:
        old = memory.alarms.get(one.key)
        if old is None and one.key not in intervening and alarm.stays_clear(one.rule, one.value):
            # As at most ticks: there is nothing to step and nothing to keep.
            quiet = Reading(key=one.key, value=one.value, level="", phase=Phase.CLEAR)
            draft.readings.append(quiet)
            continue
        its_mode = one.rule.mode_in(mode)
        before = _states(one.rule, old, its_mode)
        after = tuple(
            _stepped(one, level, state, passed=passed, at=at, mode=its_mode)
            for level, state in zip(one.rule.levels, before, strict=True)
        )
        _note_transitions(one, before, after, draft)
        now = Alarm(
            rule=one.rule.id,
            instance=one.instance,
            levels=after,
            names=tuple(level.name for level in one.rule.levels),
        )
        draft.readings.append(_reading(one, now))
        if one.key in intervening or _is_worth_keeping(now, at):
            alarms[one.key] = now
    return replace(memory, alarms=alarms)


def _is_worth_keeping(held: Alarm, at: Millis) -> bool:
    return held.highest is not None or any(state.cooled_at > at for state in held.levels)


def _states(rule: Rule, old: Alarm | None, mode: Mode) -> tuple[LevelState, ...]:
    if old is None:
        return (CLEAR,) * len(rule.levels)
    if mode is Mode.DRY_RUN:
        return old.levels
    return tuple(CLEAR if state.on_paper else state for state in old.levels)


def _stepped(
    one: Watched, level: Level, old: LevelState, *, passed: Credits, at: Millis, mode: Mode
) -> LevelState:
    """The level's next state, marked where it began to fire on paper or live."""
    credited = passed.of(one.rule)
    new = alarm.step(level, old, one.value, credited=credited, at=at, mode=one.rule.no_data)
    if not new.phase.is_firing or old.phase.is_firing:
        return new
    return replace(new, on_paper=mode is Mode.DRY_RUN)


def _reading(one: Watched, now: Alarm) -> Reading:
    highest = now.highest
    return Reading(
        key=one.key,
        value=one.value,
        level="" if highest is None else one.rule.levels[highest].name,
        phase=Phase.CLEAR if highest is None else now.levels[highest].phase,
    )


def _note_transitions(
    one: Watched, before: tuple[LevelState, ...], after: tuple[LevelState, ...], draft: Draft
) -> None:
    for level, old, new in zip(one.rule.levels, before, after, strict=True):
        if old.phase is new.phase:
            continue
        draft.transitions.append(
            Transition(
                key=one.key,
                level=level.name,
                before=old.phase,
                after=new.phase,
                value=one.value,
            )
        )
        if new.phase is Phase.FIRING and old.phase is not Phase.CLEARING:
            draft.fired.append(f"{one.key}/{level.name}")


def follow_interventions(
    policy: Policy,
    memory: Memory,
    watched: tuple[Watched, ...],
    seen: Observation,
    draft: Draft,
    *,
    mode: Mode,
) -> Memory:
    """End what is reached or superseded; the cooldown of a level runs from that end.

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
        end = _end_of(memory, one, followed, level, seen)
        if end is None:
            running.append(followed)
            continue
        draft.ended.append(Ended(name=each.name, end=end, value=one.value))
        memory = cool(memory, followed, level, seen.at)
    return replace(memory, running=tuple(running))


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


def _is_superseded(memory: Memory, one: Watched, running: Intervention) -> bool:
    """Whether a higher level of the same instance has fired."""
    states = memory.alarms[one.key].levels if one.key in memory.alarms else ()
    names = [level.name for level in one.rule.levels]
    above = names.index(running.level) + 1
    return any(
        state.phase.is_firing and intervention.has_work(level)
        for level, state in zip(one.rule.levels[above:], states[above:], strict=False)
    )


def _end_of(
    memory: Memory, one: Watched, running: Intervention, level: Level, seen: Observation
) -> End | None:
    """How an intervention ends now; None where it goes on."""
    if _is_superseded(memory, one, running):
        return End.SUPERSEDED
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


def start_interventions(
    policy: Policy,
    memory: Memory,
    watched: tuple[Watched, ...],
    seen: Observation,
    draft: Draft,
    *,
    mode: Mode,
) -> Memory:
    """Start what the highest firing level of each instance sets out to do."""
    for one in watched:
        held = memory.alarms.get(one.key)
        if held is None or isinstance(one.value, NoData):
            continue
        rank = _acting_rank(one.rule, held)
        if rank is None:
            continue
        level, state = one.rule.levels[rank], held.levels[rank]
        if not _may_start(memory, one, level, state, seen.at):
            continue
        waits = interlock.held(policy.interlock, memory, one.key, level, seen.at)
        if waits is not None and one.rule.mode_in(mode) is Mode.LIVE:
            draft.refusals.append(waits.refusal())
            draft.messages.append(waits.message())
            continue
        begun = intervention.start(
            one.rule,
            one.instance,
            rank,
            seen,
            number=memory.interventions + 1,
            mode=one.rule.mode_in(mode),
            hands_off=policy.hands_off,
        )
        memory = replace(
            _with_run(memory, one, rank),
            running=(*memory.running, begun),
            interventions=begun.number,
        )
        draft.started.append(Started(name=begun.name, why=one.rule.why, mode=begun.mode))
        draft.refusals.extend(_left_alone(policy, one, level, seen))
    return memory


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


def _with_run(memory: Memory, one: Watched, rank: int) -> Memory:
    """Memory in which a level's intervention has begun, and with it what lower ones would do once.

    A lower level that fires beside it would fix its goal later, at what is left then.
    """
    held = memory.alarms[one.key]
    for at in range(rank + 1):
        level, state = one.rule.levels[at], held.levels[at]
        is_lower_once = state.phase.is_firing and intervention.runs_once(level)
        if at == rank or is_lower_once:
            memory = _with_state(memory, one.key, at, replace(state, has_run=True))
    return memory


def _acting_rank(rule: Rule, held: Alarm) -> int | None:
    """Index of the highest firing level that starts interventions."""
    for rank in range(len(rule.levels) - 1, -1, -1):
        if held.levels[rank].phase.is_firing and intervention.has_work(rule.levels[rank]):
            return rank
    return None


def _may_start(memory: Memory, one: Watched, level: Level, state: LevelState, at: Millis) -> bool:
    """A new intervention needs the trigger met, the cooldown past, and none running."""
    if any(each.key == one.key for each in memory.running):
        return False
    if at < state.cooled_at or isinstance(one.value, NoData):
        return False
    if state.has_run and intervention.runs_once(level):
        return False
    return level.trigger.holds(one.value)
