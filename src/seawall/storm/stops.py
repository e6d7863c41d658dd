"""What must hold of stops on the chain, at the moment they go out and block by block.

Its own ids, sums and memory: of what the guard thinks of its stops nothing is asked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256

from seawall.account import Missing, Observation, RestingOrder
from seawall.action import Backstop, Cancel
from seawall.policy import Policy
from seawall.simulator.chain import Chain
from seawall.simulator.events import Block, OrderStatus, Reason
from seawall.simulator.state import OpenOrder
from seawall.storm.case import OWNER
from seawall.units import DAY, SECOND

Complaint = tuple[str, str]
CONDITIONAL = 32
LIFE_S = 14 * DAY // SECOND
PER_BLOCK, PER_HUNDRED = 2, 20
MILLION = 1_000_000
SETTLED = 30  # blocks that a position has kept its side before its stop's absence is judged
FRESH_MS = 10_000
SEEN_LATE = 10  # blocks of a second: what a guard acts on may be as old


def ids_of(chain_id: str, owner: str, subaccount: int, clob_pair: int) -> tuple[int, int]:
    """The two client ids that a market's stops may have."""
    words = f"{chain_id}|{owner}|{subaccount}|{clob_pair}|stop"
    first, second = (int(sha256(f"{words}|{n}".encode()).hexdigest()[:8], 16) for n in (0, 1))
    return first, second


class StopVerdicts:
    """Judges the stops of all guards of one case as they go out."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._sent: dict[str, list[int]] = {}

    def of(self, guard: str, action: Backstop, seen: Observation) -> Iterator[Complaint]:
        """Everything that is wrong with a stop."""
        what = f"stop {action.side} {action.quantums} {action.subaccount}/{action.ticker}"
        order, market = self._policy.backstop, seen.markets[action.ticker]
        position = seen.subaccount(action.subaccount).position(action.ticker)
        held = 0 if position is None else position.quantums
        if order is None or action.ticker in self._policy.hands_off.markets:
            yield "hands off", f"{what} is not wanted"
            return
        if held * action.side.sign >= 0 or not 0 < action.quantums <= abs(held):
            yield "grows", f"{what} of a position of {held}"
        if action.quantums % market.step_base_quantums:
            yield "step", f"{what} is off the step {market.step_base_quantums}"
        if abs(seen.seen_at - seen.at) > FRESH_MS:
            yield "stale", f"{what} on state of {seen.seen_at - seen.at} ms ago"
        ids = ids_of(seen.chain_id, seen.owner, action.subaccount, action.clob_pair_id)
        if action.client_id not in ids:
            yield "id", f"{what} as {action.client_id}"
        if action.good_til_block_time != seen.at // SECOND + LIFE_S:
            yield "life", f"{what} until {action.good_til_block_time}"
        trigger, worst = action.trigger_subticks, action.subticks
        beyond = (worst - trigger) * action.side.sign
        if beyond < 0 or beyond * MILLION > trigger * order.slippage:
            yield "price", f"{what} at {worst} for a trigger of {trigger}"
        if (market.dollars(trigger) - market.oracle_dollars) * action.side.sign <= 0:
            yield "at once", f"{what} goes off at {trigger}"
        elif is_late(action, seen) and not is_next_tick(action, seen):
            yield "late", f"{what} goes off at {trigger}, after the venue has liquidated"
        yield from self._numbers(guard, what, seen.height)

    def _numbers(self, guard: str, what: str, height: int) -> Iterator[Complaint]:
        sent = self._sent.setdefault(guard, [])
        sent.append(height)
        lately = sum(one > height - 100 for one in sent)
        if sent.count(height) > PER_BLOCK or lately > PER_HUNDRED:
            yield "rate", f"{what}: {sent.count(height)} in this block, {lately} in a hundred"


def is_next_tick(action: Backstop, seen: Observation) -> bool:
    """Whether no tick lies between the oracle price and the trigger: nearer there is nothing."""
    market = seen.markets[action.ticker]
    away = abs(market.dollars(action.trigger_subticks) - market.oracle_dollars)
    return away <= market.dollars(market.subticks_per_tick)


def is_late(action: Backstop, seen: Observation) -> bool:
    """Whether a safe account would be liquidatable before its market alone reaches the trigger."""
    market = seen.markets[action.ticker]
    equity = Decimal(seen.subaccount(action.subaccount).usdc) / MILLION
    required = lost = relieved = Decimal(0)
    for position in seen.subaccount(action.subaccount).positions:
        one = seen.markets[position.ticker]
        worth = one.oracle_dollars * one.coins(position.quantums)
        tier = one.tier
        fraction = Decimal(tier.initial_margin_ppm * tier.maintenance_fraction_ppm) / MILLION**2
        equity += worth
        required += abs(worth) * fraction
        owed = Decimal(position.quantums) * (one.funding_index - position.funding_index)
        equity -= owed / MILLION**2
        if position.ticker == action.ticker:
            moved = (market.dollars(action.trigger_subticks) - one.oracle_dollars) * one.coins(
                position.quantums
            )
            lost, relieved = -moved, (abs(worth) - abs(worth + moved)) * fraction
    return equity >= required and equity - lost < required - relieved


def may_go(action: Cancel, seen: Observation, policy: Policy) -> bool:
    """Whether a stop of ours may be cancelled: another that closes as much of what is held is seen.

    Of two that close the same, one that ends later.
    """
    orders = seen.advice.orders
    ids = ids_of(seen.chain_id, seen.owner, action.subaccount, action.clob_pair_id)
    if isinstance(orders, Missing) or action.order_flags != CONDITIONAL:
        return False
    ours: list[RestingOrder] = [
        one
        for one in orders
        if one.ticker == action.ticker
        and one.subaccount == action.subaccount
        and one.order_flags == CONDITIONAL
        and one.client_id in ids
    ]
    target = next((one for one in ours if one.client_id == action.client_id), None)
    if target is None:
        return False
    if action.ticker in policy.hands_off.markets:
        return True
    position = seen.subaccount(action.subaccount).position(action.ticker)
    held = 0 if position is None else abs(position.quantums)
    most = held - held % seen.markets[action.ticker].step_base_quantums

    def worth(one: RestingOrder) -> tuple[int, int]:
        return min(one.quantums, most), one.good_til_block_time or 0

    others = [one for one in ours if one is not target]
    return any(
        target.is_triggered or (not one.is_triggered and worth(one) >= worth(target))
        for one in others
    )


class StopWatch:
    """Watches the chain: at most two of our stops a market, none taken away from a position."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._sides: dict[tuple[int, int], tuple[bool, int]] = {}  # place -> is long, since height
        self._went_off: dict[tuple[int, int], int] = {}  # place -> height of the last one

    def saw(self, block: Block) -> Iterator[Complaint]:
        """What the block did to our stops that it should not."""
        state = self._chain.committed
        held = {
            (account.id.number, one.perpetual_id): one.quantums
            for account in state.subaccounts_of(OWNER)
            for one in account.held
            if one.quantums
        }
        for place in [place for place in self._sides if place not in held]:
            del self._sides[place]
        for place, quantums in held.items():
            if place not in self._sides or self._sides[place][0] != (quantums > 0):
                self._sides[place] = (quantums > 0, state.height)
        for ticker, market in state.markets.items():
            pair = market.spec.clob_pair_id
            for number in {place[0] for place in held} | {0}:
                ours = self._ours(number, pair)
                if len(ours) > PER_BLOCK:
                    yield "stops", f"{len(ours)} of ours in {number}/{ticker}"
                place = (number, market.spec.perpetual_id)
                if place in held and self._is_bared(place, number, pair, block, ours):
                    yield "bare", f"the stop of {number}/{ticker} was cancelled, none waits"

    def _ours(self, number: int, pair: int) -> list[OpenOrder]:
        ids = ids_of(self._chain.chain_id, OWNER, number, pair)
        return [
            one
            for one in self._chain.committed.open_orders(OWNER)
            if one.order.order_id.subaccount.number == number
            and one.order.order_id.clob_pair_id == pair
            and one.order.order_id.order_flags == CONDITIONAL
            and one.order.order_id.client_id in ids
        ]

    def _is_bared(
        self, place: tuple[int, int], number: int, pair: int, block: Block, ours: list[OpenOrder]
    ) -> bool:
        """Whether the block cancelled a stop of a settled position and left it none."""
        is_long, since = self._sides[place]
        ids = ids_of(self._chain.chain_id, OWNER, number, pair)
        events = [
            event
            for event in block.orders
            if event.order.order_id.clob_pair_id == pair
            and event.order.order_id.client_id in ids
            and event.order.order_id.subaccount.owner == OWNER
            and event.order.side is not None
            and (event.order.side.sign < 0) == is_long
        ]
        cancelled = [one for one in events if one.reason is Reason.USER_CANCELED]
        over = [one for one in events if one.status is not OrderStatus.UNTRIGGERED]
        if len(cancelled) < len(over) or any(one.is_triggered for one in ours):
            self._went_off[place] = block.height
        if block.height - since < SETTLED or any(not one.is_triggered for one in ours):
            return False
        return bool(cancelled) and not self._went_off_lately(place, block.height)

    def _went_off_lately(self, place: tuple[int, int], height: int) -> bool:
        """Whether one was let do its work that a guard may not have seen to go off yet."""
        return height - self._went_off.get(place, -SEEN_LATE) < SEEN_LATE
