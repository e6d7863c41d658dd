"""Price paths: what each market's mid is at any moment, as straight lines between points.

The only floats of the venue: a path proposes a price, the chain rounds it to its own integer, and
every number after that is exact. The same points give the same prices, whatever the machine.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from seawall.errors import PriceFileError
from seawall.units import MINUTE, Millis

LEG_SPEED = 0.05  # a leg moves at 5% a minute, if that is slower than a minute
SHORTEST_LEG = MINUTE
LEGS = 3
LONGEST_LEG_SHARE = 4  # a leg takes at most a quarter of its bar


class Point(NamedTuple):
    """A moment and the price at it, in dollars per coin."""

    at: Millis
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One candle: `at` is when it opens."""

    at: Millis
    open: float
    high: float
    low: float
    close: float


class Line:
    """One market's prices: straight between points, at rest before the first and after the last."""

    def __init__(self, points: Sequence[Point]) -> None:
        assert points, "a line has at least one point"
        self._times = [point.at for point in points]
        self._prices = [point.price for point in points]
        assert self._times == sorted(set(self._times)), "points are in order of time"

    def price(self, at: Millis) -> float:
        """Dollars per coin at a moment."""
        index = bisect_right(self._times, at)
        if index == 0:
            return self._prices[0]
        if index == len(self._times):
            return self._prices[-1]
        left, right = self._prices[index - 1], self._prices[index]
        if left == right:
            return left
        start = self._times[index - 1]
        return left + (right - left) * ((at - start) / (self._times[index] - start))

    def next_change(self, at: Millis) -> Millis | None:
        """The earliest moment >= `at` from which the price moves; None if it never does again."""
        index = max(bisect_right(self._times, at), 1)
        while index < len(self._times):
            if self._prices[index] != self._prices[index - 1]:
                return Millis(max(at, self._times[index - 1]))
            index += 1
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Funding rates per hour that hold from a moment on, by market; > 0: longs pay."""

    at: Millis
    hourly: Mapping[str, Decimal]


def _iso(at: Millis) -> str:
    return datetime.fromtimestamp(at // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Path:
    """The prices of several markets from `start` to `end`, known in advance and never changed.

    `rates`, in order of time, are what funding rates become on the way.
    """

    def __init__(
        self,
        lines: Mapping[str, Line],
        *,
        start: Millis,
        end: Millis,
        name: str = "",
        rates: Sequence[Rates] = (),
    ) -> None:
        if end <= start:
            raise PriceFileError(
                f"{name or 'price path'}: nothing to play between {_iso(start)} and "
                f"{_iso(end)}: "
                "the markets' files do not overlap, or --to is not after --from"
            )
        self._lines = dict(lines)
        self._rates = tuple(rates)
        self.start = start
        self.end = end
        self.name = name
        self.tickers = tuple(lines)

    def price(self, ticker: str, at: Millis) -> float:
        """Dollars per coin of a market at a moment."""
        return self._lines[ticker].price(at)

    def prices(self, at: Millis) -> dict[str, float]:
        """Dollars per coin of every market at a moment."""
        return {ticker: line.price(at) for ticker, line in self._lines.items()}

    def rates(self, after: Millis, until: Millis) -> tuple[Rates, ...]:
        """Funding rates that come into force after a moment and at latest at another."""
        return tuple(one for one in self._rates if after < one.at <= until)

    def next_change(self, at: Millis) -> Millis | None:
        """The earliest moment >= `at` from which any price moves, or at which a rate changes.

        None if nothing does before the end.
        """
        found = [line.next_change(at) for line in self._lines.values()]
        moments = [moment for moment in found if moment is not None]
        moments += [one.at for one in self._rates if one.at > at]
        first = min(moments, default=self.end)
        return first if first < self.end else None

    def window(self, start: Millis | None, end: Millis | None) -> Path:
        """The same prices over a narrower time; None leaves that end as it is."""
        return Path(
            self._lines,
            start=self.start if start is None else max(start, self.start),
            end=self.end if end is None else min(end, self.end),
            name=self.name,
            rates=self._rates,
        )


def walk(bars: Sequence[Bar], length: Millis) -> Line:
    """A line through candles of one length (DESIGN.md section 6).

    Open-high-low-close when a bar falls, open-low-high-close when it rises; its legs start at 0,
    1/3 and 2/3 of the bar, and the first one starts from wherever the price is.
    """
    assert bars
    price = bars[0].open
    points = [Point(bars[0].at, price)]
    for bar in bars:
        is_falling = bar.close < bar.open
        turns = (bar.high, bar.low) if is_falling else (bar.low, bar.high)
        for leg, target in enumerate((*turns, bar.close)):
            begins = Millis(bar.at + length * leg // LEGS)
            if target == price:
                continue
            if begins > points[-1].at:
                points.append(Point(begins, price))
            points.append(Point(Millis(begins + leg_lasts(price, target, length)), target))
            price = target
    return Line(points)


def leg_lasts(start: float, target: float, bar: Millis) -> Millis:
    """How long a leg moves: min(bar/4, max(60 s, |move| / 5% x 60 s))."""
    move = abs(target / start - 1)
    wanted = max(float(SHORTEST_LEG), move / LEG_SPEED * MINUTE)
    return Millis(round(min(bar / LONGEST_LEG_SHARE, wanted)))
