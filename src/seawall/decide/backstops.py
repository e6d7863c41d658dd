"""Backstops of one tick: see which rest, place what is missing, cancel what is replaced or flat.

They are moved on fresh state only, not under a pause and not while a panic runs; then they stay as
they rest, as they do when the guard ends. On paper the same is told and nothing is placed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from seawall import limits
from seawall.account import Missing, Observation, RestingOrder
from seawall.action import (
    CONDITIONAL,
    Action,
    Backstop,
    Cancel,
    Ending,
    Outcome,
    Refusal,
    RefusalCode,
)
from seawall.decide import halt, panic, pausing, stop_desk, telling
from seawall.decide.memory import (
    CancelSent,
    Memory,
    Message,
    Numbered,
    Repeats,
    Stops,
    StopSent,
    Urgency,
)
from seawall.decide.stop_desk import Slot, StopDesk
from seawall.limits import Asked, Standing
from seawall.measures.view import View
from seawall.policy import Mode, Policy
from seawall.units import MINUTE, SECOND, Millis

LATE_BLOCKS = 2  # that the indexer may show a stop after its transaction's last block
BARE_MOST = MINUTE  # without a stop, before a person hears of it
ASKED_BY = ("backstop",)
NOT_YET = "none has come to rest on the chain"
RULES_GUARD = "Rules still guard it; if the guard dies nothing closes it. It goes on trying."
NOTHING_GUARDS = "No rule can reduce it either: give the key its market, or close it by hand."


def resolve(memory: Memory, seen: Observation) -> tuple[Memory, tuple[Outcome, ...]]:
    """Memory with every stop whose fate this observation settles, and those outcomes."""
    orders, stops = seen.advice.orders, memory.stops
    if isinstance(orders, Missing) or not stops.sent:
        return memory, ()
    shown = {
        (one.subaccount, one.ticker, one.client_id): one
        for one in orders
        if one.order_flags == CONDITIONAL
    }
    outcomes: list[Outcome] = []
    still: list[StopSent] = []
    unseen, died_at = dict(stops.unseen), stops.died_at
    for sent in stops.sent:
        stop = sent.action
        found = shown.get((stop.subaccount, stop.ticker, stop.client_id))
        if found is None and seen.height <= stop.timeout_height + LATE_BLOCKS:
            still.append(sent)
            continue
        unseen.pop((stop.subaccount, stop.ticker), None)
        if found is None:
            unseen[stop.subaccount, stop.ticker] = stop.client_id
            died_at = seen.height
            ending = Ending.DEAD
        else:
            is_ours = found.good_til_block_time == stop.good_til_block_time
            ending = Ending.LANDED if is_ours else Ending.NOTHING  # another guard was first
        outcomes.append(
            Outcome(action_id=sent.action_id, ending=ending, height=seen.height, at=seen.at)
        )
    stops = replace(stops, sent=tuple(still), unseen=unseen, died_at=died_at)
    return replace(memory, stops=stops), tuple(outcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a tick did about backstops; `numbered` are to be sent, or told on paper."""

    memory: Memory
    numbered: tuple[Numbered, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    messages: tuple[Message, ...] = ()


def keep(policy: Policy, memory: Memory, view: View, *, mode: Mode, first: int) -> Kept:
    """What to place and cancel now; `first` is the number of the tick's next action."""
    orders = _orders(policy, memory, view.observation, mode)
    if orders is None:
        return Kept(memory=memory)
    seen, live = view.observation, mode is Mode.LIVE
    desk = stop_desk.survey(policy, memory, view, orders)
    busy = {(one.action.subaccount, one.action.ticker) for one in memory.stops.sent}
    wanted = stop_desk.places(desk, busy)
    most = stop_desk.capacity(memory.stops, seen.height) if live else len(wanted)
    asked: list[Action] = [*wanted[:most]]
    if live:
        asked = [*stop_desk.cancels(desk, {sent.action for sent in memory.cancels}), *asked]
    standing = Standing(
        stops_placed=memory.stops.placed if live else (),
        resuming=halt.resuming(memory.halt, seen),
    )
    asked_all = [Asked(action=one) for one in asked]
    passed, refused = limits.judge(asked_all, seen, policy, standing)
    numbered = tuple(
        Numbered(
            id=f"{memory.tick}.{first + index}",
            action=one,
            asked_by=ASKED_BY,
            what=telling.action_words(one, seen),
        )
        for index, one in enumerate(passed)
    )
    memory = _remember(memory, desk, numbered, is_waiting=len(wanted) > most, live=live)
    memory, messages = _tell(memory, desk, numbered, live=live)
    return Kept(memory=memory, numbered=numbered, refusals=refused, messages=messages)


def _orders(
    policy: Policy, memory: Memory, seen: Observation, mode: Mode
) -> Sequence[RestingOrder] | None:
    """The orders to judge by; None where stops stay as they are whatever they are."""
    orders = seen.advice.orders
    if not limits.is_fresh(seen):
        return None
    if mode is Mode.LIVE:
        is_held = panic.is_running(memory) or pausing.why(memory) is not None
        return None if is_held or isinstance(orders, Missing) else orders
    if policy.backstop is None:
        return None
    known = () if isinstance(orders, Missing) else orders
    return (*known, *_as_resting(memory.stops.paper, known))


def _as_resting(
    paper: Sequence[Backstop], orders: Sequence[RestingOrder]
) -> Iterator[RestingOrder]:
    """What a run on paper has told, so that it tells a stop again only once it would move."""
    taken = {(one.subaccount, one.ticker, one.client_id) for one in orders}
    for stop in paper:
        if (stop.subaccount, stop.ticker, stop.client_id) not in taken:
            yield RestingOrder(
                subaccount=stop.subaccount,
                ticker=stop.ticker,
                side=stop.side,
                quantums=stop.quantums,
                subticks=stop.subticks,
                client_id=stop.client_id,
                order_flags=CONDITIONAL,
                reduce_only=True,
                good_til_block_time=stop.good_til_block_time,
                trigger_subticks=stop.trigger_subticks,
            )


def _remember(
    memory: Memory, desk: StopDesk, numbered: Sequence[Numbered], *, is_waiting: bool, live: bool
) -> Memory:
    """Memory with what is about to be sent, so that nothing is sent twice."""
    stops, seen = memory.stops, desk.seen
    placed = [(one.id, one.action) for one in numbered if isinstance(one.action, Backstop)]
    if not live:
        fresh = {(stop.subaccount, stop.ticker): stop for _, stop in placed}
        old = {(stop.subaccount, stop.ticker): stop for stop in stops.paper}
        both = {slot: stop for slot, stop in {**old, **fresh}.items() if slot in desk.held}
        return replace(memory, stops=replace(stops, paper=tuple(both.values())))
    cancelled = tuple(
        CancelSent(action_id=one.id, action=one.action, height=seen.height)
        for one in numbered
        if isinstance(one.action, Cancel)
    )
    recent = [height for height in stops.placed if height > seen.height - limits.HUNDRED]
    renewals = [move.renew_at for move in desk.moves.values() if move.renew_at is not None]
    bare = {
        slot: stops.bare.get(slot, seen.at) for slot, move in desk.moves.items() if move.is_bare
    }
    stops = Stops(
        died_at=stops.died_at,
        sent=(*stops.sent, *(StopSent(action_id=name, action=stop) for name, stop in placed)),
        placed=(*recent, *(seen.height for _ in placed)),
        unseen={slot: one for slot, one in stops.unseen.items() if slot in desk.held},
        bare=bare,
        renew_at=min((at for at in renewals if at > seen.at), default=None),
        is_waiting=is_waiting,
        told=stops.told,
    )
    return replace(memory, cancels=(*memory.cancels, *cancelled), stops=stops)


def _tell(
    memory: Memory, desk: StopDesk, numbered: Sequence[Numbered], *, live: bool
) -> tuple[Memory, tuple[Message, ...]]:
    """What a person hears: a first stop, a position that can have none, one that stays without."""
    told = {one for one in memory.stops.told if _slot_of(one) in desk.held}
    news: list[tuple[str, str]] = []
    pages: list[Message] = []
    for one in numbered:
        if isinstance(one.action, Backstop):
            words = telling.stop_words(one.action, desk.seen)
            how = "It closes the position if the guard dies" if live else "On paper"
            news.append((_name("stop", one.action), f"{how}: {words}."))
    for slot, move in desk.moves.items():
        reason = desk.why_not.get(slot)
        if not move.is_bare:
            continue
        if reason is not None and reason[0] is RefusalCode.EQUITY_TIER:
            text = f"{slot[0]}/{slot[1]} has no stop on the chain: {reason[1]}."
            news.append((f"none {slot[0]}/{slot[1]}", text))
        elif live and desk.seen.at - memory.stops.bare.get(slot, desk.seen.at) >= BARE_MOST:
            pages.append(_bare(slot, memory, desk))
    messages = []
    for name, text in news:
        if name not in told:
            key = f"backstop/{name.partition(' ')[2]}"
            messages.append(Message(urgency=Urgency.NOTIFY, key=key, text=text))
            told.add(name)
    memory = replace(memory, stops=replace(memory.stops, told=tuple(sorted(told))))
    return memory, (*messages, *pages)


def _bare(slot: Slot, memory: Memory, desk: StopDesk) -> Message:
    waits_s = Millis(desk.seen.at - memory.stops.bare[slot]) // SECOND
    code, reason = desk.why_not.get(slot, (None, NOT_YET))
    is_reached = code is not RefusalCode.OUTSIDE_KEY_REACH
    return Message(
        urgency=Urgency.PAGE,
        key=f"backstop/{slot[0]}/{slot[1]}",
        repeats=Repeats.WHILE_SO,
        text=(
            f"{slot[0]}/{slot[1]} has been without a stop on the chain for {waits_s} s: {reason}. "
            f"{RULES_GUARD if is_reached else NOTHING_GUARDS}"
        ),
    )


def _name(what: str, stop: Backstop) -> str:
    return f"{what} {stop.subaccount}/{stop.ticker}"


def _slot_of(name: str) -> Slot:
    number, _, ticker = name.partition(" ")[2].partition("/")
    return int(number), ticker
