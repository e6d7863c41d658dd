"""Interventions: what one firing level of one instance sets out to do, and when it is done.

An intervention starts at firing, owns its goals, and ends reached, given up, superseded or, in
dry-run, as would. Plans, slices and retries are its steps and are not kept here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from seawall import units
from seawall.account import Observation, Position
from seawall.measures.spec import Instance, NoData, Value
from seawall.policy import (
    Flatten,
    HandsOff,
    Level,
    Mode,
    ReduceAmount,
    ReduceUntil,
    Rule,
    TopUpUntil,
)
from seawall.units import PPM_ONE, BaseQuantums, Millis, QuoteQuantums

WIDEN_AFTER = Millis(30_000)  # a flatten without progress widens its bound once
STALLED_AFTER = units.MINUTE  # without progress, a person hears what an intervention waits for
SLOW_RETRY = Millis(30_000)  # pace of a flatten past `give_up_after`


class End(StrEnum):
    """How an intervention ended."""

    REACHED = "reached"
    GIVEN_UP = "given up"
    SUPERSEDED = "superseded"
    WOULD = "would"


Slot = tuple[int, str]  # subaccount number and ticker
NOTHING: Mapping[Slot, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """A fixed goal: at most this much of a position stays."""

    subaccount: int
    ticker: str
    quantums: BaseQuantums  # absolute size, >= 0
    is_long: bool | None = None  # of a lock: the side that may stay; None is either


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """One running intervention; `key` is RULE[/INSTANCE], times are block time."""

    key: str
    rule: str
    instance: Instance
    level: str
    rank: int  # index of the level in its rule
    number: int  # counts interventions of the account, for names
    mode: Mode
    started_at: Millis
    fixed_at: Millis  # when `keeps` were: at firing, or when `or_else` took over
    keeps: tuple[Keep, ...] = ()  # of `amount` and `flatten`
    instead_of: tuple[str, ...] = ()  # lower levels that have their one turn with it
    topped_up: QuoteQuantums = QuoteQuantums(0)
    progress_at: Millis  # when it last got further: a position shrank, an order filled, cash came
    left: BaseQuantums = BaseQuantums(0)  # sum of sizes beyond the goal, to notice progress
    tried_at: Millis | None = None  # last window in which a flatten was tried
    is_widened: bool = False
    is_stalled: bool = False  # no progress for a minute of block time
    fallback: ReduceAmount | Flatten | None = None  # `or_else`, once the target was unreachable
    has_given_up: bool = False  # a flatten past `give_up_after` goes on, slowly
    is_stopped: bool = False  # the operator ended it; the next tick with state says so

    @property
    def name(self) -> str:
        """RULE[/INSTANCE]/LEVEL#NUMBER."""
        return f"{self.key}/{self.level}#{self.number}"


def not_flat_key(running: Intervention) -> str:
    """What the page is about that says a flatten is past its `give_up_after`."""
    return f"{running.key}/{running.level}/not-flat"


def stalled_key(running: Intervention) -> str:
    """What the page is about that says that an intervention gets no further, and why."""
    return f"{running.key}/{running.level}/stalled"


def key_of(rule: str, instance: Instance) -> str:
    """RULE[/INSTANCE], the name of one state machine."""
    words = str(instance)
    return f"{rule}/{words}" if words else rule


def in_scope(rule: Rule, instance: Instance, subaccount: int, ticker: str) -> bool:
    """Whether a position belongs to what this instance of the rule may act on."""
    if instance.subaccount is not None and instance.subaccount != subaccount:
        return False
    if instance.market is not None and instance.market != ticker:
        # A market's distance to liquidation is also moved by its neighbours; a cap is not.
        return instance.subaccount is not None and rule.scope.has_market(ticker)
    return rule.scope.has_subaccount(subaccount) and rule.scope.has_market(ticker)


def positions_in_scope(
    rule: Rule, instance: Instance, seen: Observation
) -> tuple[tuple[int, Position], ...]:
    """The open positions that this instance of the rule may act on, with their subaccounts."""
    return tuple(
        (subaccount.number, position)
        for subaccount in seen.subaccounts
        for position in subaccount.positions
        if in_scope(rule, instance, subaccount.number, position.ticker)
    )


def has_work(level: Level) -> bool:
    """Whether the level starts interventions: it moves cash or size, not only orders or words."""
    return any(isinstance(do, TopUpUntil | ReduceUntil | ReduceAmount | Flatten) for do in level.do)


def runs_once(level: Level) -> bool:
    """Whether the level's intervention runs once per firing."""
    return any(isinstance(do, ReduceAmount | Flatten) for do in level.do)


def flatten_of(level: Level, running: Intervention | None = None) -> Flatten | None:
    """The flatten of a level, or the one an intervention fell back to; None where neither is."""
    if running is not None and isinstance(running.fallback, Flatten):
        return running.fallback
    return next((do for do in level.do if isinstance(do, Flatten)), None)


def fall_back(
    running: Intervention,
    rule: Rule,
    fallback: ReduceAmount | Flatten,
    seen: Observation,
    hands_off: HandsOff,
) -> Intervention:
    """The intervention with `or_else` as its goal, fixed at this observation."""
    share = PPM_ONE if isinstance(fallback, Flatten) else fallback.share
    keeps = amount_keeps(rule, running.instance, seen, share, hands_off)
    return replace(
        running,
        fallback=fallback,
        keeps=keeps,
        fixed_at=seen.at,
        progress_at=seen.at,
        left=_left(keeps, seen),
    )


def amount_keeps(
    rule: Rule,
    instance: Instance,
    seen: Observation,
    share: int,
    hands_off: HandsOff,
    *,
    gone: Mapping[Slot, int] = NOTHING,
) -> tuple[Keep, ...]:
    """Goals of `amount`: each position in scope less that share, kept up to the next step.

    What is never traded is no goal: an intervention would wait for it for ever. The share is of the
    position with what is `gone` from it, in signed quantums: another guard has begun the same cut.
    """
    keeps = []
    for number, position in positions_in_scope(rule, instance, seen):
        if hands_off.covers(number, position.ticker):
            continue
        step = seen.markets[position.ticker].step_base_quantums
        taken = -gone.get((number, position.ticker), 0)
        was = abs(position.quantums)
        if taken * position.quantums > 0:
            was += abs(taken)
        keep = BaseQuantums(was - units.round_down(was * share // PPM_ONE, step))
        keeps.append(Keep(subaccount=number, ticker=position.ticker, quantums=keep))
    return tuple(keeps)


def start(
    rule: Rule,
    instance: Instance,
    rank: int,
    seen: Observation,
    *,
    number: int,
    mode: Mode,
    hands_off: HandsOff,
    gone: Mapping[Slot, int] = NOTHING,
) -> Intervention:
    """A new intervention of a rule's level with its goals fixed at this observation.

    `gone` is what another guard, in signed quantums, has cut since the level's trigger was met.
    """
    level = rule.levels[rank]
    share: int | None = next((do.share for do in level.do if isinstance(do, ReduceAmount)), None)
    if flatten_of(level) is not None:
        share = PPM_ONE
    keeps: tuple[Keep, ...] = ()
    if share is not None:
        keeps = amount_keeps(rule, instance, seen, share, hands_off, gone=gone)
    return Intervention(
        key=key_of(rule.id, instance),
        rule=rule.id,
        instance=instance,
        level=level.name,
        rank=rank,
        number=number,
        mode=mode,
        started_at=seen.at,
        fixed_at=seen.at,
        progress_at=seen.at,
        keeps=keeps,
        left=_left(keeps, seen),
    )


def beyond_goal(keep: Keep, seen: Observation) -> BaseQuantums:
    """How much of a position is beyond its goal, in whole steps."""
    held = sizes(seen).get((keep.subaccount, keep.ticker), 0)
    step = seen.markets[keep.ticker].step_base_quantums if held else 1
    return BaseQuantums(units.round_down(max(0, abs(held) - keep.quantums), step))


def _left(keeps: tuple[Keep, ...], seen: Observation) -> BaseQuantums:
    return BaseQuantums(sum(beyond_goal(keep, seen) for keep in keeps))


def sizes(seen: Observation) -> Mapping[tuple[int, str], BaseQuantums]:
    """Signed sizes by subaccount number and ticker."""
    return {
        (subaccount.number, position.ticker): position.quantums
        for subaccount in seen.subaccounts
        for position in subaccount.positions
    }


def follow(running: Intervention, level: Level, seen: Observation) -> Intervention:
    """The intervention with its progress noted, and its patience spent."""
    running = _follow_goals(running, level, seen)
    is_stalled = seen.at - running.progress_at >= STALLED_AFTER
    return running if is_stalled is running.is_stalled else replace(running, is_stalled=is_stalled)


def _follow_goals(running: Intervention, level: Level, seen: Observation) -> Intervention:
    if not running.keeps:
        return running
    left = _left(running.keeps, seen)
    if left < running.left:
        running = replace(running, left=left, progress_at=seen.at)
    flatten = flatten_of(level, running)
    if flatten is None or left == 0:
        return running
    return replace(
        running,
        is_widened=running.is_widened or seen.at - running.progress_at >= WIDEN_AFTER,
        has_given_up=running.has_given_up or seen.at - running.fixed_at >= flatten.give_up_after,
    )


def has_reached(running: Intervention, level: Level, value: Value, seen: Observation) -> bool:
    """Whether every goal is met now; an absent value never counts as met."""
    if running.keeps and any(beyond_goal(keep, seen) > 0 for keep in running.keeps):
        return False
    if running.fallback is not None:
        return True
    if any(isinstance(do, TopUpUntil | ReduceUntil) for do in level.do):
        assert level.target is not None
        return not isinstance(value, NoData) and level.target.holds(value)
    return True


def is_resting(running: Intervention, at: Millis) -> bool:
    """Whether a flatten past its patience waits for its next slow try."""
    return (
        running.has_given_up and running.tried_at is not None and at - running.tried_at < SLOW_RETRY
    )
