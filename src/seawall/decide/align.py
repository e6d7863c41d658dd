"""Memory under a rule file that has changed: states follow the names of their levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from seawall.alarm import CLEAR
from seawall.decide.memory import Alarm, Memory
from seawall.intervention import Intervention
from seawall.policy import Policy, Rule


def align(policy: Policy, memory: Memory) -> Memory:
    """Memory whose states and interventions stand at the levels of today's rules.

    A level keeps its state under its name; one that is new starts clear. Alarms of a rule that is
    gone go with it; an intervention whose level is gone keeps its old place and is ended by name.
    """
    rules = {rule.id: rule for rule in policy.rules}
    alarms = {
        key: _alarm(held, rules[held.rule])
        for key, held in memory.alarms.items()
        if held.rule in rules
    }
    running = tuple(_intervention(each, rules) for each in memory.running)
    return replace(memory, alarms=alarms, running=running)


def _alarm(held: Alarm, rule: Rule) -> Alarm:
    names = tuple(level.name for level in rule.levels)
    if held.names == names:
        return held
    if not held.names and len(held.levels) == len(names):
        return replace(held, names=names)  # written before names were
    states = dict(zip(held.names, held.levels, strict=False))
    return replace(held, names=names, levels=tuple(states.get(name, CLEAR) for name in names))


def _intervention(running: Intervention, rules: Mapping[str, Rule]) -> Intervention:
    rule = rules.get(running.rule)
    names = [] if rule is None else [level.name for level in rule.levels]
    if running.level not in names:
        return running
    return replace(running, rank=names.index(running.level))
