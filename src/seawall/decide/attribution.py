"""Who changed a position: the guard, the trader, a liquidation, or deleveraging.

The guard's orders are known by their ids alone, which follow from account, market and window, and
those of its stops from account and market. What fills of them in a market where this guard had sent
nothing is another guard's, or of a `seawall panic`. What no record of a fill
explains is the guard's up to what it had sent. Growth beyond that is the trader's at once, who
alone can add; a shrinking waits a few blocks for its record, since a liquidation looks like a sale
until then. While no records are shown at all (an outage, a guard that hung or begins again) it
waits for them: who closed the position meanwhile, a panic perhaps, only they can tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from seawall import action, words
from seawall.account import Fill, Missing, Observation
from seawall.decide import panic
from seawall.decide.memory import Cause, Change, Memory, Message, Unexplained, Urgency
from seawall.decide.watch import Watched
from seawall.intervention import Slot, has_work, in_scope, sizes
from seawall.policy import Interlock, Level, Lock, Mode, Policy
from seawall.units import BaseQuantums

WAIT_BLOCKS = 5  # for the record of a shrinking
BY_VENUE: Mapping[str, Cause] = {
    "LIQUIDATED": Cause.LIQUIDATION,
    "DELEVERAGED": Cause.DELEVERAGING,
    "OFFSETTING": Cause.DELEVERAGING,
}


def attribute(memory: Memory, seen: Observation) -> tuple[Memory, tuple[Change, ...]]:
    """Memory with the sizes of now, and what changed since the last observation, by cause.

    To be asked before outcomes are settled: orders still open explain what no record does yet.
    """
    now = sizes(seen)
    kept = replace(memory, sizes=tuple((*slot, held) for slot, held in now.items()))
    if memory.sizes is None:
        return kept, ()
    before = {(number, ticker): held for number, ticker, held in memory.sizes}
    open_since = {(one.subaccount, one.ticker): one for one in memory.unexplained}
    changes: list[Change] = []
    waiting: list[Unexplained] = []
    for slot in sorted({*before, *now, *open_since}):
        held = now.get(slot, BaseQuantums(0))
        asked = open_since.get(slot)
        if asked is None:
            was = before.get(slot, BaseQuantums(0))
            if was == held:
                continue
            asked = _asked(memory, seen, slot, was)
        told, left = _explain(asked, seen, held)
        changes.extend(_new(asked, told, held))
        if left is not None:
            asked_at = seen.height if isinstance(seen.advice.fills, Missing) else asked.asked_at
            waiting.append(replace(asked, asked_at=asked_at, told=tuple(sorted(told.items()))))
    return replace(kept, unexplained=tuple(waiting)), tuple(changes)


def _asked(memory: Memory, seen: Observation, slot: Slot, was: BaseQuantums) -> Unexplained:
    ours = sum(
        one.action.side.sign * one.action.quantums
        for one in memory.sent
        if (one.action.subaccount, one.action.ticker) == slot
    )
    return Unexplained(
        subaccount=slot[0],
        ticker=slot[1],
        before=was,
        since=memory.height,
        asked_at=seen.height,
        ours=BaseQuantums(ours),
    )


def _explain(asked: Unexplained, seen: Observation, held: int) -> tuple[Counter[Cause], int | None]:
    """Signed quantums by cause, and what still waits for a record; None where nothing does."""
    is_missing = isinstance(seen.advice.fills, Missing)
    told: Counter[Cause] = Counter(dict(asked.told) if is_missing else {})
    for fill in _fills(asked, seen):
        if (cause := _cause(fill, seen)) is not None:
            if cause is Cause.GUARD and not asked.ours:
                cause = Cause.OTHER_GUARD
            told[cause] += fill.side.sign * fill.quantums
    left = held - asked.before - sum(told.values())
    if left == 0:
        return told, None
    by_us = 0
    if left * asked.ours > 0:
        ours = asked.ours - told[Cause.GUARD]
        by_us = max(ours, left) if left < 0 else min(ours, left)
    grows = abs(held) > abs(asked.before) or held * asked.before < 0
    is_late = not is_missing and seen.height - asked.asked_at >= WAIT_BLOCKS
    if not (grows or is_late or (is_missing and by_us == left)):
        return told, left
    told[Cause.GUARD] += by_us
    told[Cause.TRADER] += left - by_us
    return told, None


def _fills(asked: Unexplained, seen: Observation) -> Iterator[Fill]:
    if isinstance(seen.advice.fills, Missing):
        return
    for fill in seen.advice.fills:
        if (fill.subaccount, fill.ticker) != (asked.subaccount, asked.ticker):
            continue
        if asked.since < fill.height <= seen.height:
            yield fill


def _cause(fill: Fill, seen: Observation) -> Cause | None:
    """Who made a fill; None where its market is not read, which names our orders."""
    if fill.kind in BY_VENUE:
        return BY_VENUE[fill.kind]
    if fill.client_id is None:
        return Cause.TRADER
    market = seen.markets.get(fill.ticker)
    if market is None:
        return None
    if fill.client_id in action.stop_ids(
        seen.chain_id, seen.owner, fill.subaccount, market.clob_pair_id
    ):
        return Cause.BACKSTOP
    # An order of ours that fills at this height was decided before it, in this one window.
    window = action.window_of(fill.height - 1)
    ours = action.client_id(seen.chain_id, seen.owner, fill.subaccount, market.clob_pair_id, window)
    return Cause.GUARD if fill.client_id == ours else Cause.TRADER


def _new(asked: Unexplained, told: Mapping[Cause, int], held: BaseQuantums) -> Iterator[Change]:
    """What is explained now and was not said before."""
    said = dict(asked.told)
    for cause in Cause:
        quantums = told.get(cause, 0) - said.get(cause, 0)
        if quantums:
            yield Change(
                subaccount=asked.subaccount,
                ticker=asked.ticker,
                before=asked.before,
                after=held,
                quantums=BaseQuantums(quantums),
                cause=cause,
            )


def messages(
    changes: Sequence[Change],
    memory: Memory,
    watched: Sequence[Watched],
    seen: Observation,
    *,
    policy: Policy,
    mode: Mode,
) -> Iterator[Message]:
    """What a person must hear of: the venue took size, or somebody trades against a rule."""
    for change in changes:
        match change.cause:
            case Cause.GUARD:
                pass
            case Cause.OTHER_GUARD:
                if not (policy.is_standby or panic.is_standing(memory)):
                    yield _by_another(change, seen)
            case Cause.BACKSTOP:
                yield _by_stop(change, seen)
            case Cause.LIQUIDATION | Cause.DELEVERAGING:
                yield _by_venue(change, seen)
            case Cause.TRADER:
                levels = _levels_against(change, memory, watched, mode)
                if levels and change.quantums * change.after > 0:
                    yield _against(change, levels, seen, policy.interlock)
            case _:
                assert_never(change.cause)


def _levels_against(
    change: Change, memory: Memory, watched: Sequence[Watched], mode: Mode
) -> tuple[tuple[str, Level], ...]:
    """Levels that stand, shrink or lock, and have the change in their scope."""
    found = []
    for one in watched:
        held = memory.alarms.get(one.key)
        if held is None or one.rule.mode_in(mode) is not mode:
            continue
        if not in_scope(one.rule, one.instance, change.subaccount, change.ticker):
            continue
        found += [
            (f"{one.key}/{level.name}", level)
            for level, state in zip(one.rule.levels, held.levels, strict=True)
            if state.phase.is_standing and (has_work(level) or _locks(level))
        ]
    return tuple(found)


def _locks(level: Level) -> bool:
    return any(isinstance(do, Lock) for do in level.do)


def _against(
    change: Change,
    levels: Sequence[tuple[str, Level]],
    seen: Observation,
    interlock: Interlock,
) -> Message:
    if any(_locks(level) for _, level in levels):
        then = "It is locked: what was added is cut back."
    else:
        then = (
            f"Rules act again once their cooldown is over, and beyond {interlock.count} times in "
            f"{words.duration(interlock.over)} they slow down; they never loosen."
        )
    pages = any(level.pages for _, level in levels)
    return Message(
        urgency=Urgency.PAGE if pages else Urgency.NOTIFY,
        key=f"trader/{change.subaccount}/{change.ticker}",
        text=(
            f"Somebody trades against {', '.join(name for name, _ in levels)}: "
            f"{_size_words(change, seen)}, not by the guard. {then}"
        ),
    )


def _by_venue(change: Change, seen: Observation) -> Message:
    return Message(
        urgency=Urgency.PAGE,
        key=f"venue/{change.subaccount}/{change.ticker}",
        text=(
            f"{change.cause.capitalize()} by the venue: {_size_words(change, seen)}. Look at the "
            f"account: what the guard could do was not enough, or came too late."
        ),
    )


def _by_another(change: Change, seen: Observation) -> Message:
    return Message(
        urgency=Urgency.NOTIFY,
        key=f"other-guard/{change.subaccount}/{change.ticker}",
        text=(
            f"An order that this guard did not send, and only a guard signs, filled: "
            f"{_size_words(change, seen)}. It is of `seawall panic`, of a standby, which acts"
            " where this guard has sent nothing for 8 blocks, or of a second guard that is none:"
            " set `plan.standby = true` on one, for two that act at once may sell more than one."
        ),
    )


def _by_stop(change: Change, seen: Observation) -> Message:
    return Message(
        urgency=Urgency.PAGE,
        key=f"fired/{change.subaccount}/{change.ticker}",
        text=(
            f"The stop on the chain went off: {_size_words(change, seen)}. Prices outran the "
            f"guard, or it was away; what is left is guarded by the rules, and gets a new stop."
        ),
    )


def _size_words(change: Change, seen: Observation) -> str:
    market = seen.markets.get(change.ticker)
    name = f"{change.subaccount}/{change.ticker}"
    if market is None:
        return f"{name} changed"
    before, after = (words.coins(market.coins(size)) for size in (change.before, change.after))
    return f"{name} went from {before} to {after}"
