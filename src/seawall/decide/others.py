"""What another guard's orders fill, counted against the same budgets and interlock as one's own.

Budgets and interlocks are the account's. A standby sends nothing while the first guard acts: by its
own orders alone it would find every budget whole once the first has used them up, and go on where
the first was to stop, and pay in the day's cash a second time. What such orders cost is not
counted, for nothing says at which mid.

A share that a level cuts once is the account's, too: a loss stays where it is whatever is sold, so
a guard that sees it later, for it was away, would take the same share of what the other has left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from seawall import margin
from seawall.account import Observation
from seawall.alarm import Phase
from seawall.decide import interlock
from seawall.decide.memory import Cause, Change, Memory
from seawall.intervention import Slot, in_scope, runs_once
from seawall.policy import Mode, Policy
from seawall.units import Millis, QuoteQuantums


def deposited(memory: Memory, seen: Observation) -> int:
    """Quote quantums that another guard has paid in since the last observation.

    They have left the float wallet by a transaction that was not ours, and most of them has come to
    a guarded subaccount: what the owner moves elsewhere is no top-up.
    """
    before, now = memory.spent.float_wallet, seen.float_wallet
    if before is None or now is None or memory.top_up is not None or memory.ledger is None:
        return 0
    held = memory.ledger.holdings
    rises = [a.usdc - held[str(a.number)].usdc for a in seen.subaccounts if str(a.number) in held]
    paid = before.balance - now.balance
    is_ours_to_count = now.sequence > before.sequence and 0 < paid <= 2 * max(rises, default=0)
    return paid if is_ours_to_count else 0


def count(
    policy: Policy,
    memory: Memory,
    changes: Sequence[Change],
    seen: Observation,
    *,
    paid_in: int,
) -> Memory:
    """Memory in which what another guard has sold and paid in is spent, and touches markets."""
    topped_up = QuoteQuantums(memory.spent.day_top_up + paid_in)
    spent = replace(memory.spent, day_top_up=topped_up, float_wallet=seen.float_wallet)
    memory = replace(memory, spent=spent)
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
        memory = replace(memory, by_others=(*memory.by_others, (seen.at, one)))
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


def gone_since(memory: Memory, at: Millis) -> Mapping[Slot, int]:
    """Signed quantums by which another guard has changed each position since a moment."""
    gone: Counter[Slot] = Counter()
    for told_at, one in memory.by_others:
        if told_at >= at:
            gone[one.subaccount, one.ticker] += one.quantums
    return gone


def forget(policy: Policy, memory: Memory) -> Memory:
    """Memory without what no level asks for any more that is still to cut its share once."""
    rules = {rule.id: rule for rule in policy.rules}
    met = [
        state.met_at
        for held in memory.alarms.values()
        for level, state in zip(rules[held.rule].levels, held.levels, strict=True)
        if runs_once(level) and state.phase is not Phase.CLEAR and not state.has_run
    ]
    since = min(met, default=None)
    kept = () if since is None else tuple(one for one in memory.by_others if one[0] >= since)
    return memory if kept == memory.by_others else replace(memory, by_others=kept)
