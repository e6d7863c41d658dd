"""The operator's panic: a rule of its own that fires by command and closes everything.

It goes the way of every flatten: the same windows and order ids, whoever carries it out, so a
second shell and a running guard cannot close the same position twice. While its intervention runs
nothing else asks for anything, and it acts on the last known state, however old. Once flat it is
latched, and cuts back to nothing what is opened, until `seawall rearm panic`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from seawall import intervention, words
from seawall.account import Observation
from seawall.alarm import LevelState, Phase
from seawall.decide.draft import Draft
from seawall.decide.memory import Alarm, Memory, Message, Started, Urgency
from seawall.decide.watch import Watched
from seawall.intervention import sizes
from seawall.measures.spec import Instance, Per
from seawall.policy import (
    Bound,
    CancelOrders,
    CancelWhich,
    Flatten,
    Latch,
    Level,
    Lock,
    MeasureRef,
    Mode,
    Operator,
    Page,
    Policy,
    Rule,
    Scope,
)
from seawall.units import Millis, Ppm

KEY = "panic"
LEVEL = "flat"
SLIPPAGE = Ppm(20_000)  # doubled once after 30 s without progress, as every flatten's


def with_rule(policy: Policy, memory: Memory) -> Policy:
    """The policy, with the rule of a panic while one stands; `hands_off` holds for it too."""
    if KEY not in memory.alarms:
        return policy
    return replace(policy, rules=(*policy.rules, _rule(policy)))


def asked(memory: Memory) -> Memory:
    """Memory after the operator's word: the rule fires, once per word, and no pause stands."""
    if is_running(memory):
        return replace(memory, pause=None)
    fired_at = memory.at if memory.at is not None else Millis(0)
    state = LevelState(phase=Phase.FIRING, fired_at=fired_at)
    alarm = Alarm(rule=KEY, instance=Instance(), levels=(state,))
    return replace(memory, alarms={**memory.alarms, KEY: alarm}, pause=None)


def rearmed(memory: Memory) -> Memory:
    """Memory without a panic that has ended; one that runs goes on."""
    if is_running(memory):
        return memory
    alarms = {key: held for key, held in memory.alarms.items() if key != KEY}
    return replace(memory, alarms=alarms)


def is_running(memory: Memory) -> bool:
    """Whether a panic still has something to close."""
    return any(each.rule == KEY for each in memory.running)


def is_standing(memory: Memory) -> bool:
    """Whether a panic runs or is latched."""
    return KEY in memory.alarms


def begin(policy: Policy, memory: Memory, seen: Observation, draft: Draft, *, mode: Mode) -> Memory:
    """Memory in which a panic that was asked for runs; a value is not needed to close positions."""
    held = memory.alarms.get(KEY)
    if held is None or held.levels[0].phase is not Phase.FIRING or held.levels[0].has_run:
        return memory
    rule = _rule(policy)
    whole = intervention.start(
        rule,
        held.instance,
        0,
        seen,
        number=memory.interventions + 1,
        mode=mode,
        hands_off=policy.hands_off,
    )
    state = replace(held.levels[0], has_run=True)
    wanted = {(keep.subaccount, keep.ticker) for keep in whole.keeps}
    beyond = [slot for slot in seen.beyond_reach() if slot in wanted]
    left_alone = [slot for slot in sizes(seen) if policy.hands_off.covers(*slot)]
    draft.messages.append(_page(len(wanted) - len(beyond), beyond, left_alone, mode))
    memory = replace(memory, alarms={**memory.alarms, KEY: replace(held, levels=(state,))})
    if not whole.keeps:
        return memory
    draft.started.append(Started(name=whole.name, why=rule.why, mode=mode))
    return replace(
        memory,
        running=(*memory.running, whole),
        interventions=whole.number,
    )


def alone(memory: Memory, watched: Sequence[Watched]) -> Sequence[Watched]:
    """What may ask for something: nothing but the panic while it runs."""
    if not is_running(memory):
        return watched
    return tuple(one for one in watched if one.rule.id == KEY)


def _rule(policy: Policy) -> Rule:
    nothing = Decimal(0)
    return Rule(
        id=KEY,
        why="The operator asked for everything to be closed.",
        measure=MeasureRef(name="gross_exposure"),
        scope=Scope(per=Per.ACCOUNT, excluded=policy.hands_off.markets),
        levels=(
            Level(
                name=LEVEL,
                trigger=Bound(operator=Operator.ABOVE, value=nothing),
                clear=Bound(operator=Operator.AT_MOST, value=nothing),
                latch=Latch(),
                do=(
                    Page(),
                    CancelOrders(which=CancelWhich.ALL),
                    Flatten(max_slippage=SLIPPAGE),
                    Lock(max_slippage=SLIPPAGE),
                ),
            ),
        ),
    )


def _page(
    closes: int,
    beyond: Sequence[tuple[int, str]],
    left_alone: Sequence[tuple[int, str]],
    mode: Mode,
) -> Message:
    what = "On paper" if mode is Mode.DRY_RUN else "Doing"
    stays = ""
    if beyond:
        stays += (
            f"{_count(len(beyond))} beyond the reach of the trading key will stay open, close by "
            f"hand or `seawall keys grant` it: {_listed(beyond)}. "
        )
    if left_alone:
        stays += (
            f"{_count(len(left_alone))} of hands_off in the rule file will stay open, close by "
            f"hand what must go: {_listed(left_alone)}. "
        )
    return Message(
        urgency=Urgency.PAGE,
        key=f"{KEY}/{LEVEL}",
        text=(
            f"Panic, by the operator. {what}: cancel every order (those that reduce once flat), "
            f"close {_count(closes)} within {words.bps(SLIPPAGE)}, then let none open. {stays}"
            f"Stays until `seawall rearm {KEY}`."
        ),
    )


def _listed(slots: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"{number}/{ticker}" for number, ticker in slots)


def _count(positions: int) -> str:
    return "1 position" if positions == 1 else f"{positions or 'no'} positions"
