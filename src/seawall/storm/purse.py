"""One guard's budgets, counted from the chain: a lower bound of what it has used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seawall.account import Observation
from seawall.action import Reduce, TopUp
from seawall.policy import Policy
from seawall.simulator.events import Block, FillEvent
from seawall.storm.sends import is_panic
from seawall.units import DAY, HOUR, PPM_ONE, Millis, quote_down, usd

Place = tuple[int, int, int]
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
    filled: int = 0
    hour_filled: int = -1


class Purse:
    """What one guard may spend, and what it has surely spent."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._pages = {
            f"{rule.id}|{level.name}"
            for rule in policy.rules
            for level in rule.levels
            if level.pages
        }
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
        gross = equity = 0
        for subaccount in seen.subaccounts:
            equity += subaccount.usdc
            for position in subaccount.positions:
                worth = _worth(seen, position.ticker, position.quantums)
                gross += abs(worth)
                equity += worth
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
        orders = spent = 0
        for known, order in self._orders.items():
            if known == place:
                continue
            if order.good_til_block > seen.height:
                spent += order.notional  # may still fill
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
            ),
        )
        if is_panic(asked_by):
            return
        if orders + 1 > budget.hourly_orders:
            yield f"sends after {orders} orders filled this hour, budget {budget.hourly_orders}"
        most = self._gross[hour] * budget.hourly_notional // PPM_ONE
        if spent + notional > most and not any(self._overdraws(name) for name in asked_by):
            yield f"sends ${usd(notional)} after ${usd(spent)} this hour, budget ${usd(most)}"

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

    def _overdraws(self, name: str) -> bool:
        """Whether RULE[/INSTANCE]/LEVEL#NUMBER, or a lock's name, is of a level that pages."""
        parts = name.removesuffix(" lock").partition("#")[0].split("/")
        return f"{parts[0]}|{parts[-1]}" in self._pages

    def _top_up_budget(self, day: int) -> int:
        typed = self._policy.budget.daily_top_up
        if typed is not None:
            return quote_down(typed)
        equity = max(0, self._equity.get(day, 0))
        return min(DEFAULT_MOST, equity * DEFAULT_SHARE_PPM // PPM_ONE)


def _worth(seen: Observation, ticker: str, quantums: int) -> int:
    """Quote quantums of a signed size at the oracle."""
    market = seen.markets[ticker]
    dollars = market.oracle_dollars * market.coins(quantums)
    return int(dollars * PPM_ONE)
