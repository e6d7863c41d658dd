"""Locks: the sizes that positions in scope may not grow beyond while their level stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seawall.account import Observation, Position
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


def locked_to(locked: Sequence[Keep], number: int, position: Position) -> Keep:
    """What may stay of a position: its size at the lock's start, on the side that it had then.

    A position that was not there, or that has turned from long to short since, is new risk: nothing
    of it may stay.
    """
    for keep in locked:
        if (keep.subaccount, keep.ticker) != (number, position.ticker):
            continue
        if keep.is_long is None or keep.is_long is (position.quantums > 0):
            return keep
    return Keep(subaccount=number, ticker=position.ticker, quantums=BaseQuantums(0))


def _sizes_in_scope(rule: Rule, instance: Instance, seen: Observation) -> tuple[Keep, ...]:
    return tuple(
        Keep(
            subaccount=number,
            ticker=position.ticker,
            quantums=BaseQuantums(abs(position.quantums)),
            is_long=position.quantums > 0,
        )
        for number, position in positions_in_scope(rule, instance, seen)
    )
