"""How long nothing can happen by time alone: a played venue may jump there while prices rest."""

from __future__ import annotations

from collections.abc import Iterator

from seawall import intervention
from seawall.alarm import Phase, latch_release
from seawall.decide import backstops, panic, pausing
from seawall.decide.memory import Alarm, Memory
from seawall.decide.pages import REPEAT_AFTER
from seawall.policy import Policy, Rule
from seawall.units import Millis


def idle_until(policy: Policy, memory: Memory) -> Millis | None:
    """The next block time at which a tick could differ with every input at rest.

    The present block time where something is under way, None where only an input can matter.
    """
    now = memory.at if memory.at is not None else Millis(0)
    if _is_busy(memory):
        return now
    rules = {rule.id: rule for rule in panic.with_rule(policy, memory).rules}
    moments = [
        moment
        for held in memory.alarms.values()
        for moment in _moments(rules[held.rule], held, now)
    ]
    moments += [
        Millis(one.at + policy.interlock.over)
        for touches in memory.touched.values()
        for one in touches
        if one.at + policy.interlock.over > now
    ]
    moments += [
        Millis(page.sent_at + REPEAT_AFTER)
        for page in memory.pages.values()
        if not page.is_acknowledged
    ]
    if memory.stops.renew_at is not None:
        moments.append(memory.stops.renew_at)
    told_at = (Millis(since + backstops.BARE_MOST) for since in memory.stops.bare.values())
    moments += [moment for moment in told_at if moment > now]
    if (pause := memory.pause) is not None:
        heard_at = now if pause.told_at is None else pause.told_at
        moments += [pause.until, Millis(heard_at + pausing.TELL_EVERY)]
    return min(moments, default=None)


def _is_busy(memory: Memory) -> bool:
    is_unexplained = memory.ledger is not None and bool(memory.ledger.unexplained)
    return bool(
        memory.sent
        or memory.cancels
        or memory.stops.sent
        or memory.stops.is_waiting
        or memory.running
        or memory.unexplained
        or memory.top_up is not None
        or memory.halt is not None
        or is_unexplained
    )


def _moments(rule: Rule, held: Alarm, now: Millis) -> Iterator[Millis]:
    for level, state in zip(rule.levels, held.levels, strict=True):
        match state.phase:
            case Phase.PENDING | Phase.CLEARING:
                yield now
            case Phase.COOLING:
                yield state.cooled_at
            case Phase.FIRING:
                restarts = intervention.has_work(level) and not intervention.runs_once(level)
                if state.cooled_at == now + level.cooldown:
                    yield now  # it has just ended; what is left may be for a level below it
                if restarts and state.cooled_at > now:
                    yield state.cooled_at
            case Phase.LATCHED:
                assert state.fired_at is not None
                release = (
                    None if level.latch is None else latch_release(level.latch, state.fired_at)
                )
                if release is not None:
                    yield release
            case Phase.CLEAR:
                pass
