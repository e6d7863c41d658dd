"""Locks: the sizes that positions in scope may not grow beyond while their level stands."""

from __future__ import annotations

from dataclasses import replace

from seawall.account import Observation
from seawall.decide.memory import Memory
from seawall.intervention import Keep, positions_in_scope
from seawall.measures.spec import Instance
from seawall.policy import Lock, Policy, Rule
from seawall.units import BaseQuantums


def keep_locks(memory: Memory, policy: Policy, seen: Observation) -> Memory:
    """Locks as they stand: sizes at the end of the intervention, gone with their level.

    While the intervention runs there is no lock yet: its own goals shrink what is there.
    """
    locks: dict[str, tuple[Keep, ...]] = {}
    rules = {rule.id: rule for rule in policy.rules}
    for key, held in memory.alarms.items():
        rule = rules[held.rule]
        for level, state in zip(rule.levels, held.levels, strict=True):
            name = f"{key}/{level.name}"
            if not state.phase.is_standing or not any(isinstance(do, Lock) for do in level.do):
                continue
            if any(each.key == key and each.level == level.name for each in memory.running):
                continue
            locks[name] = memory.locks.get(name, _sizes_in_scope(rule, held.instance, seen))
    return replace(memory, locks=locks)


def _sizes_in_scope(rule: Rule, instance: Instance, seen: Observation) -> tuple[Keep, ...]:
    return tuple(
        Keep(
            subaccount=number,
            ticker=position.ticker,
            quantums=BaseQuantums(abs(position.quantums)),
        )
        for number, position in positions_in_scope(rule, instance, seen)
    )
