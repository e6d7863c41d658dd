"""What every market needs of its stop in one tick, and which of it goes out now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from seawall import action, backstop, limits
from seawall.account import EquityTier, Observation, RestingOrder
from seawall.action import (
    CONDITIONAL,
    STOP_LIFE,
    STOP_TIMEOUT_BLOCKS,
    Backstop,
    Cancel,
    RefusalCode,
)
from seawall.backstop import Move, NoStop, Stop
from seawall.decide import halt, resting, waiting
from seawall.decide.memory import Memory, Stops
from seawall.intervention import sizes
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.plan.demand import Reason
from seawall.policy import Policy
from seawall.units import SECOND

STATEFUL_FLAGS = (CONDITIONAL, 64, 128)
LITTLE = "the chain lets a subaccount of so little equity have no more stateful orders"

Slot = tuple[int, str]


@dataclass(slots=True)
class StopDesk:
    """What each market needs, and why one that needs a stop gets none now."""

    seen: Observation
    held: Mapping[Slot, int]
    wanted: Mapping[Slot, Stop | NoStop]
    room: dict[int, int]  # how many more stateful orders each subaccount may have open
    moves: dict[Slot, Move] = field(default_factory=dict)
    why_not: dict[Slot, Reason] = field(default_factory=dict)


def survey(policy: Policy, memory: Memory, view: View, orders: Sequence[RestingOrder]) -> StopDesk:
    """Every market in which something is held, or a stop of ours rests."""
    seen = view.observation
    wanted: Mapping[Slot, Stop | NoStop] = {}
    if policy.backstop is not None:
        wanted = backstop.wanted(policy.backstop, policy.scenarios, view)
    desk = StopDesk(seen, sizes(seen), wanted, room(view, orders))
    halted = halt.resuming(memory.halt, seen)
    under_way = {sent.action for sent in memory.cancels}
    ordered: dict[Slot, list[RestingOrder]] = {}
    for order in orders:
        if order.order_flags == CONDITIONAL:
            ordered.setdefault((order.subaccount, order.ticker), []).append(order)
    for slot in sorted({*desk.held, *ordered}):
        market = seen.markets.get(slot[1])
        if market is None:
            continue
        ids = action.stop_ids(seen.chain_id, seen.owner, slot[0], market.clob_pair_id)
        if memory.stops.unseen.get(slot) == ids[0]:
            ids = ids[::-1]  # what never came to rest under it may hold its place, unseen
        stop, reason = wanted.get(slot), waiting.why_closed(policy, seen, slot, halted)
        is_unwanted = reason is not None and reason[0] is RefusalCode.HANDS_OFF
        if reason is None and isinstance(stop, NoStop):
            reason = (stop.code, stop.detail)
        if reason is not None:
            desk.why_not[slot] = reason
        ours = backstop.stops_of(ordered.get(slot, ()), ids)
        desk.moves[slot] = backstop.next_move(
            stop if isinstance(stop, Stop) else None,
            desk.held.get(slot, 0),
            ours,
            going=[one for one in ours if resting.cancel_of(one, seen) in under_way],
            ids=ids,
            market=market,
            asked=None if is_unwanted else policy.backstop,
            at=seen.at,
        )
    return desk


def room(view: View, orders: Sequence[RestingOrder]) -> dict[int, int]:
    """How many more stateful orders each subaccount may have open, by its net collateral."""
    left = {}
    for number, now in view.risks.items():
        tiers = view.observation.equity_tiers
        most = 0 if isinstance(now, NoData) else stateful_most(tiers, now.nc)
        rests = [one for one in orders if one.subaccount == number]
        left[number] = most - sum(one.order_flags in STATEFUL_FLAGS for one in rests)
    return left


def stateful_most(tiers: Sequence[EquityTier], net_collateral: int) -> int:
    """How many stateful orders the chain lets a subaccount of that net collateral have open."""
    return max((one.orders for one in tiers if net_collateral >= one.least), default=0)


def places(desk: StopDesk, busy: Collection[Slot]) -> list[Backstop]:
    """Stops to place, positions without one first, then the largest risk.

    None in a `busy` market, where one is under way. What finds no room in the chain's equity tier
    is noted on the desk.
    """
    found: list[tuple[bool, int, Slot]] = []
    for slot, move in desk.moves.items():
        stop = desk.wanted.get(slot)
        is_wanted = move.place_as is not None and slot not in desk.why_not and slot not in busy
        if not is_wanted or not isinstance(stop, Stop):
            continue
        found.append((not move.is_bare, -stop.risk, slot))
    chosen = []
    for _, _, slot in sorted(found):
        if desk.room.get(slot[0], 0) <= 0:
            desk.why_not[slot] = (RefusalCode.EQUITY_TIER, LITTLE)
            continue
        desk.room[slot[0]] -= 1
        stop, place_as = desk.wanted[slot], desk.moves[slot].place_as
        assert isinstance(stop, Stop)
        assert place_as is not None
        chosen.append(_order(stop, place_as, desk.seen))
    return chosen


def capacity(stops: Stops, height: int) -> int:
    """How many stops the chain's rate limit lets this guard send now.

    The chain counts by owner, and what it refuses too. So once a stop did not come to rest, half of
    the limit is left to whoever else signs for the owner: two guards that both insist would keep
    each other out for ever.
    """
    lately_died = stops.died_at is not None and stops.died_at > height - limits.HUNDRED
    share = 2 if lately_died else 1
    now = sum(one >= height for one in stops.placed)
    lately = sum(one > height - limits.HUNDRED for one in stops.placed)
    room = limits.STOPS_PER_BLOCK // share - now, limits.STOPS_PER_HUNDRED // share - lately
    return max(0, min(room))


def _order(stop: Stop, place_as: int, seen: Observation) -> Backstop:
    return Backstop(
        subaccount=stop.subaccount,
        ticker=stop.ticker,
        clob_pair_id=seen.markets[stop.ticker].clob_pair_id,
        side=stop.side,
        quantums=stop.quantums,
        trigger_subticks=stop.trigger,
        subticks=stop.worst,
        good_til_block_time=(seen.at + STOP_LIFE) // SECOND,
        timeout_height=seen.height + STOP_TIMEOUT_BLOCKS,
        client_id=place_as,
    )


def cancels(desk: StopDesk, under_way: Collection[Cancel]) -> list[Cancel]:
    """Cancels of stops that another has replaced, that have gone off, or whose position is flat."""
    wanted = [
        resting.cancel_of(order, desk.seen)
        for move in desk.moves.values()
        for order in move.cancels
    ]
    return [one for one in wanted if one not in under_way]
