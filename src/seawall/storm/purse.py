"""One guard's budgets, counted from the chain: a lower bound of what it has used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seawall.account import Observation
from seawall.action import Reduce, TopUp
from seawall.policy import Flatten, Level, Policy, ReduceAmount, ReduceUntil
from seawall.simulator.events import Block, FillEvent
from seawall.storm.sends import is_panic
from seawall.units import DAY, HOUR, PPM_ONE, Millis, quote_down, usd

Place = tuple[int, int, int]
Slot = tuple[int, str]
LOCK = " lock"  # ends the name under which a lock asks
DEFAULT_SHARE_PPM = 200_000
DEFAULT_MOST = 6_000 * PPM_ONE
EDGE = Millis(60_000)  # what fills near the end of an hour may count in the next


@dataclass(slots=True)
class _Order:
    """A reduction that went out: when, how large at the oracle, and what came of it."""

    hour: int
    good_til_block: int
    quantums: int
    notional: int
    asked_by: tuple[str, ...]
    filled: int = 0
    hour_filled: int = -1


class Purse:
    """What one guard may spend, and what it has surely spent."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._pages = {
            f"{rule.id}|{level.name}": level
            for rule in policy.rules
            for level in rule.levels
            if level.pages
        }
        self._sizes: dict[Slot, tuple[int, int]] = {}  # least and largest that was ever held
        self._is_long: dict[Slot, bool] = {}  # when it was last held
        self._orders: dict[Place, _Order] = {}
        self._gross: dict[int, int] = {}  # the largest base that the guard may have taken
        self._equity: dict[int, int] = {}
        self._is_new = True
        self._days: dict[int, int] = {}

    def restarted(self) -> None:
        """It may have forgotten a quiet tick, and take its bases anew."""
        self._is_new = True

    def saw(self, seen: Observation) -> None:
        """It has looked: an hour's base is the largest exposure in it, a day's its first equity."""
        hour, day = seen.at // HOUR, seen.at // DAY
        is_first = not self._gross
        gross = equity = 0
        self._sizes = {slot: (0, largest) for slot, (_, largest) in self._sizes.items()} | {
            slot: both for slot, both in self._sizes.items() if _holds(seen, slot)
        }
        for subaccount in seen.subaccounts:
            equity += subaccount.usdc
            for position in subaccount.positions:
                worth = _worth(seen, position.ticker, position.quantums)
                gross += abs(worth)
                equity += worth
                slot, size = (subaccount.number, position.ticker), abs(position.quantums)
                least, largest = self._sizes.get(slot, (size if is_first else 0, size))
                if self._is_long.get(slot) is (position.quantums < 0):
                    least = 0  # all of what has turned round is new
                self._is_long[slot] = position.quantums > 0
                self._sizes[slot] = min(least, size), max(largest, size)
        self._gross[hour] = max(self._gross.get(hour, 0), gross)
        if self._is_new or day not in self._equity:
            self._equity[day] = max(self._equity.get(day, 0), equity)
        self._is_new = False

    @property
    def top_up_most(self) -> int:
        """What all days so far allow to deposit, in quote quantums."""
        return sum(self._top_up_budget(day) for day in self._equity)

    def reduces(self, action: Reduce, seen: Observation, asked_by: Sequence[str]) -> Iterator[str]:
        """What is wrong with the budgets if this goes out now."""
        budget, hour = self._policy.budget, seen.at // HOUR
        place = (action.subaccount, action.clob_pair_id, action.client_id)
        notional = abs(_worth(seen, action.ticker, action.quantums))
        free = min(action.quantums, self._free(action, seen, asked_by))
        bound = notional * (action.quantums - free) // action.quantums
        orders = spent = 0
        for known, order in self._orders.items():
            if known == place:
                continue
            if order.good_til_block > seen.height:  # may still fill
                orders += 1
                spent += order.notional
            elif order.hour == hour == order.hour_filled:
                orders += 1
                spent += order.notional * order.filled // order.quantums
        self._orders.setdefault(
            place,
            _Order(
                hour=hour,
                good_til_block=action.good_til_block,
                quantums=action.quantums,
                notional=notional,
                asked_by=tuple(asked_by),
            ),
        )
        if is_panic(asked_by):
            return
        if orders + 1 > budget.hourly_orders:
            yield f"sends after {orders} orders of this hour, budget {budget.hourly_orders}"
        most = self._gross[hour] * budget.hourly_notional // PPM_ONE
        if bound > 0 and spent + bound > most:
            yield f"sends ${usd(bound)} after ${usd(spent)} this hour, budget ${usd(most)}"

    def tops_up(self, action: TopUp, seen: Observation) -> Iterator[str]:
        """What is wrong with the day's budget if this deposit goes out now."""
        most = self._top_up_budget(seen.at // DAY)
        if action.amount > most:
            yield f"deposits ${usd(action.amount)}, budget of the day ${usd(most)}"

    def filled(self, place: Place, fill: FillEvent, block: Block) -> None:
        """An order of this guard filled in part or whole."""
        order = self._orders.get(place)
        if order is None:
            return
        order.filled = min(order.filled + fill.quantums, order.quantums)
        # What is learned in the next hour counts there: near the edge nobody can say.
        order.hour_filled = block.time // HOUR if block.time % HOUR < HOUR - EDGE else -1

    def _free(self, action: Reduce, seen: Observation, asked_by: Sequence[str]) -> int:
        """Base quantums at most that levels that page can want of this order themselves.

        A share is of what was held when the level fired, and what has been cut of it is done; a
        lock wants no more than what has grown; a target or a flatten may want all.
        """
        slot = (action.subaccount, action.ticker)
        least, largest = self._sizes[slot]
        position = seen.subaccount(action.subaccount).position(action.ticker)
        held = 0 if position is None else abs(position.quantums)
        step = seen.markets[action.ticker].step_base_quantums
        most = 0
        for name in asked_by:
            level = self._level(name)
            if level is None:
                continue
            if name.endswith(LOCK):
                most = max(most, held - least)
            elif any(isinstance(do, ReduceUntil | Flatten) for do in level.do):
                most = max(most, held)
            else:
                shares = (do.share for do in level.do if isinstance(do, ReduceAmount))
                whole = -(-largest * max(shares, default=0) // PPM_ONE) + step
                most = max(most, whole - self._cut(name, action, seen))
        return max(0, most)

    def _cut(self, name: str, action: Reduce, seen: Observation) -> int:
        """What orders that are over have cut for an intervention."""
        return sum(
            order.filled
            for (number, pair, _), order in self._orders.items()
            if (number, pair) == (action.subaccount, action.clob_pair_id)
            and name in order.asked_by
            and order.good_til_block <= seen.height
        )

    def _level(self, name: str) -> Level | None:
        """The level of RULE[/INSTANCE]/LEVEL#NUMBER, or of a lock's name, if it pages."""
        parts = name.removesuffix(LOCK).partition("#")[0].split("/")
        return self._pages.get(f"{parts[0]}|{parts[-1]}")

    def _top_up_budget(self, day: int) -> int:
        typed = self._policy.budget.daily_top_up
        if typed is not None:
            return quote_down(typed)
        equity = max(0, self._equity.get(day, 0))
        return min(DEFAULT_MOST, equity * DEFAULT_SHARE_PPM // PPM_ONE)


def _holds(seen: Observation, slot: Slot) -> bool:
    return any(
        one.number == slot[0] and one.position(slot[1]) is not None for one in seen.subaccounts
    )


def _worth(seen: Observation, ticker: str, quantums: int) -> int:
    """Quote quantums of a signed size at the oracle."""
    market = seen.markets[ticker]
    dollars = market.oracle_dollars * market.coins(quantums)
    return int(dollars * PPM_ONE)
