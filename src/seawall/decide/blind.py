"""A tick without state: nothing that acts fires, nothing clears, and a person is told."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from seawall.account import Blind
from seawall.decide.draft import Draft
from seawall.decide.memory import Memory, Message, Repeats, Urgency
from seawall.decide.watch import Credits, Watched, step_alarms
from seawall.intervention import key_of
from seawall.measures.spec import Instance, NoData, Value
from seawall.policy import Mode, NoDataMode, Policy, Rule
from seawall.units import MINUTE, SECOND, Millis

PAGE_AFTER = MINUTE
KEY = "state/blind"


def tick(
    policy: Policy, memory: Memory, seen: Blind, passed: Credits, draft: Draft, *, mode: Mode
) -> Memory:
    """Memory after a blind tick: only ages and absences move, by the agent's clock."""
    since = memory.blind_since if memory.blind_since is not None else seen.seen_at
    memory = replace(memory, blind_since=since)
    reason = NoData(reason="; ".join(seen.reasons) or "no state")
    watched = tuple(
        one for rule in policy.rules for one in _instances_of(rule, memory, seen, reason)
    )
    at = memory.at if memory.at is not None else seen.seen_at
    memory = step_alarms(memory, watched, draft, passed=passed, at=at, mode=mode)
    blind_for = Millis(seen.seen_at - since)
    if blind_for >= PAGE_AFTER:
        draft.messages.append(
            Message(
                urgency=Urgency.PAGE,
                key=KEY,
                repeats=Repeats.WHILE_SO,
                text=(
                    f"Blind for {blind_for // SECOND} s: {reason.reason}. Nothing that sells or "
                    f"deposits can act; backstops and orders on the chain stand. Check the node, "
                    f"or close by hand."
                ),
            )
        )
    return memory


def _instances_of(rule: Rule, memory: Memory, seen: Blind, reason: NoData) -> tuple[Watched, ...]:
    """The instances of a rule that a blind tick may still move."""
    if rule.measure.name == "input_age":
        value: Value = reason
        if memory.at is not None:
            value = Decimal(seen.seen_at - memory.at) / SECOND
        return (Watched(rule=rule, instance=Instance(), value=value, key=rule.id),)
    if rule.no_data is not NoDataMode.FIRE:
        return ()
    held = [alarm.instance for alarm in memory.alarms.values() if alarm.rule == rule.id]
    whole = Instance()
    found = {key_of(rule.id, one): one for one in (held or [whole])}
    return tuple(
        Watched(rule=rule, instance=one, value=reason, key=key) for key, one in found.items()
    )
