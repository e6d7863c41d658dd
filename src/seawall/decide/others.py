"""What another guard's orders fill, counted against the same budgets and interlock as one's own.

Budgets and interlocks are the account's. A standby sends nothing while the first guard acts: by its
own orders alone it would find every budget whole once the first has used them up, and go on where
the first was to stop. What such orders cost is not counted, for nothing says at which mid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seawall import margin
from seawall.account import Observation
from seawall.decide import interlock
from seawall.decide.memory import Cause, Change, Memory
from seawall.intervention import in_scope
from seawall.policy import Mode, Policy
from seawall.units import QuoteQuantums


def count(policy: Policy, memory: Memory, changes: Sequence[Change], seen: Observation) -> Memory:
    """Memory in which the orders of another guard that have filled are spent and touch markets."""
    for one in changes:
        market = seen.markets.get(one.ticker)
        if one.cause is not Cause.OTHER_GUARD or market is None:
            continue
        spent = memory.spent
        notional = margin.notional(market, abs(one.quantums))
        spent = replace(
            spent,
            hour_orders=spent.hour_orders + 1,
            hour_notional=QuoteQuantums(spent.hour_notional + notional),
        )
        touched = [(name, one.ticker) for name in _in_whose_scope(policy, memory, one)]
        memory = interlock.touch(replace(memory, spent=spent), touched, seen.at)
    return memory


def _in_whose_scope(policy: Policy, memory: Memory, change: Change) -> list[str]:
    """The live interventions that run and may trade what changed."""
    rules = {rule.id: rule for rule in policy.rules}
    return [
        each.name
        for each in memory.running
        if each.mode is Mode.LIVE
        and each.rule in rules
        and in_scope(rules[each.rule], each.instance, change.subaccount, change.ticker)
    ]
