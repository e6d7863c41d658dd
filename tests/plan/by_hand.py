"""Accounts, books and targets in plain dollars: a second opinion that shares nothing with the plan.

Margin fractions, fees, bounds and measures are written down here anew, from RULES.md 2 and 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from seawall.account import Book, Market
from seawall.measures.view import View
from seawall.plan.demand import UntilDemand

FEE = 0.0005
Floats = NDArray[np.float64]
MAJORS = ("BTC-USD", "ETH-USD")
SLIPPAGE = 0.02  # of every demand of random_accounts
HAIR = 1e-6  # dollars that floats may be off
BASIS_POINT = 1e-4

Cuts = Mapping[str, int]  # steps closed by ticker


def initial(ticker: str) -> float:
    """Initial margin fraction."""
    return 0.02 if ticker in MAJORS else 0.05


def maintenance(ticker: str) -> float:
    """Maintenance margin fraction."""
    return 0.012 if ticker in MAJORS else 0.03


def shock(ticker: str) -> float:
    """What the twin gap does to a market."""
    return -0.10 if ticker in MAJORS else -0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One position, and what is so by the number of steps that it is closed by, none first."""

    ticker: str
    held: float  # signed dollars at the oracle
    ratio: float  # mid over oracle
    step: float  # dollars
    left: Floats  # signed dollars at the oracle
    lost: Floats  # of equity, from the oracle
    lost_at_mid: Floats  # of equity as it is at the mid
    objective: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One account: places by ticker and equity. `gives_credit` counts books better than oracles."""

    places: Mapping[str, Place]
    equity: float

    @classmethod
    def of(cls, on: View, *, gives_credit: bool = False) -> Ledger:
        """The account of a view, with the depth that its bound and the chain let it use."""
        seen = on.observation
        (account,) = seen.subaccounts
        held = {
            p.ticker: p.quantums * _dollars_each(seen.markets[p.ticker]) for p in account.positions
        }
        equity = account.usdc / 1e6 + sum(held.values())
        mmr = sum(maintenance(t) * abs(n) for t, n in held.items())
        imr = sum(initial(t) * abs(n) for t, n in held.items())
        most = {t: equity / mmr * maintenance(t) if equity < imr else 9.9 for t in held}
        return cls(
            equity=equity,
            places={
                t: _place(
                    seen.markets[t], seen.advice.books[t], n, most[t], gives_credit=gives_credit
                )
                for t, n in held.items()
            },
        )

    def holds(self, cuts: Cuts, wanted: Sequence[UntilDemand], cash: float = 0.0) -> bool:
        """Whether every target holds, at the oracle and once it has caught up with the mids."""
        left, at_mid = dict[str, float](), dict[str, float]()
        equity, moved = self.equity + cash, self.equity + cash
        for ticker, place in self.places.items():
            at = cuts.get(ticker, 0)
            left[ticker], at_mid[ticker] = place.left[at], place.left[at] * place.ratio
            equity -= place.lost[at]
            moved += place.held * (place.ratio - 1) - place.lost_at_mid[at]
        return all(
            reaches(one, worths, worth)
            for one in wanted
            for worths, worth in ((left, equity), (at_mid, moved))
        )

    def objective(self, cuts: Cuts) -> float:
        """Fee and adverse distance from the mid, and a basis point of what is closed."""
        return float(sum(self.places[t].objective[steps] for t, steps in cuts.items()))

    def cheapest(
        self, wanted: Sequence[UntilDemand], cash: float = 0.0, notional: float = float("inf")
    ) -> float | None:
        """The least objective over all combinations of steps; None where none reaches all.

        `cash` comes with all of them; `notional` is the most that may be closed, in dollars.
        """
        best: float | None = None
        names = sorted(self.places)
        for steps in product(*(range(len(self.places[t].left)) for t in names)):
            cuts = dict(zip(names, steps, strict=True))
            closed = sum(self.places[t].step * n for t, n in cuts.items())
            if closed > notional + HAIR:
                continue
            cost = self.objective(cuts)
            if (best is None or cost < best) and self.holds(cuts, wanted, cash):
                best = cost
        return best

    def without(self, ticker: str) -> Ledger:
        """The account with one market that may not be traded."""
        place = self.places[ticker]
        parts = {
            name: getattr(place, name)[:1] for name in ("left", "lost", "lost_at_mid", "objective")
        }
        return replace(self, places={**self.places, ticker: replace(place, **parts)})

    def close_largest(self, wanted: Sequence[UntilDemand]) -> Cuts | None:
        """Positions closed from the largest down, step by step, until every target holds."""
        cuts: dict[str, int] = {}
        for ticker in sorted(self.places, key=lambda t: -abs(self.places[t].held)):
            for steps in self._parts(ticker, 40):
                cuts[ticker] = steps
                if self.holds(cuts, wanted):
                    return cuts
        return None

    def pro_rata(self, wanted: Sequence[UntilDemand]) -> Cuts | None:
        """The same share of every position, as far as depth goes."""
        ladders = {ticker: list(self._parts(ticker, 100)) for ticker in self.places}
        for part in range(100):
            cuts = {ticker: ladder[part] for ticker, ladder in ladders.items()}
            if self.holds(cuts, wanted):
                return cuts
        return None

    def _parts(self, ticker: str, count: int) -> Iterator[int]:
        most = len(self.places[ticker].left) - 1
        for part in range(1, count + 1):
            yield -(-most * part // count)


def _dollars_each(market: Market) -> float:
    """Dollars of one base quantum at the oracle."""
    return float(market.oracle_dollars) * 10.0**market.atomic_resolution


def _place(market: Market, book: Book, held: float, most: float, *, gives_credit: bool) -> Place:
    each, sign = _dollars_each(market), 1 if held > 0 else -1  # a long sells to the bids
    mid = float(market.dollars(book.bids[0].subticks) + market.dollars(book.asks[0].subticks)) / 2
    oracle = float(market.oracle_dollars)
    step = market.step_base_quantums
    parts: list[tuple[float, float]] = []  # of each step: cost from the oracle, and from the mid
    for level in book.bids if sign > 0 else book.asks:
        price = float(market.dollars(level.subticks))
        cost = sign * (1 - price / oracle) + FEE * price / oracle
        if sign * (mid - price) > SLIPPAGE * mid or cost > most:
            break
        away = sign * (mid - price) / oracle + FEE * price / oracle + BASIS_POINT
        parts += [(cost, away)] * (level.quantums // step)
    parts = parts[: int(abs(held) / (step * each) + 1e-9)]
    costs, aways = np.array(parts, dtype=np.float64).reshape(-1, 2).T
    ratio = mid / oracle
    floor, floor_at_mid = (-9.9, -9.9) if gives_credit else (FEE, FEE * ratio)
    gives_up = sign * (ratio - 1)  # what closing a dollar gives up at the mid, before its cost
    counts = np.arange(len(parts) + 1, dtype=np.float64)
    return Place(
        ticker=market.ticker,
        held=held,
        ratio=ratio,
        step=step * each,
        left=held - sign * counts * step * each,
        lost=_summed(np.maximum(costs, floor) * step * each),
        lost_at_mid=_summed(np.maximum(costs + gives_up, floor_at_mid) * step * each),
        objective=_summed(aways * step * each),
    )


def _summed(each: Floats) -> Floats:
    """Sums of the first none, one, two ... of them."""
    return np.concatenate(([0.0], np.cumsum(each)))


def reaches(one: UntilDemand, left: Mapping[str, float], equity: float) -> bool:
    """Whether a target holds, from the definition of its measure."""
    target = float(one.target.value)
    most, at_least = target * equity + HAIR, target - HAIR
    match one.measure.name:
        case "leverage":
            return sum(map(abs, left.values())) <= most
        case "margin_usage":
            return sum(initial(t) * abs(n) for t, n in left.items()) <= most
        case "maintenance_usage":
            return sum(maintenance(t) * abs(n) for t, n in left.items()) <= most
        case "free_collateral":
            return equity - sum(initial(t) * abs(n) for t, n in left.items()) >= at_least
        case "stress_headroom":
            return min(_shocked(left, equity, sign) for sign in (1, -1)) >= at_least
        case "fatal_move":
            return all(
                _shocked(left, equity, sign * k) >= -HAIR for sign in (1, -1) for k in (0.0, target)
            )
        case "gross_exposure":
            return sum(map(abs, left.values())) <= target + HAIR
        case "net_exposure":
            return abs(sum(left.values())) <= target + HAIR
        case other:
            raise AssertionError(other)


def _shocked(left: Mapping[str, float], equity: float, k: float) -> float:
    """Equity less MMR after k times the twin gap."""
    return equity + sum(
        n * k * shock(t) - maintenance(t) * abs(n) * (1 + k * shock(t)) for t, n in left.items()
    )
