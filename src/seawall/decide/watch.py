"""Rules over one observation: values of their measures, and the phases of their levels."""

from __future__ import annotations

from dataclasses import dataclass, replace

from seawall import alarm
from seawall.alarm import CLEAR, LevelState, Phase
from seawall.decide.draft import Draft
from seawall.decide.memory import (
    Alarm,
    Memory,
    Message,
    Reading,
    Repeats,
    Transition,
    Urgency,
)
from seawall.intervention import key_of
from seawall.measures import MEASURES, value_of
from seawall.measures.instances import instances
from seawall.measures.spec import Instance, Value
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
