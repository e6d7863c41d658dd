"""Prices that wander: seeded noise around a straight line, which starts and ends on it.

Floats, as everywhere in price paths (DESIGN.md section 2); the same words give the same prices.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from seawall.simulator.prices import Point
from seawall.units import HOUR, MINUTE, Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """A stretch of a price path: from a price at its start to a price at its end."""

    start: Millis
    end: Millis
    opening: float
    closing: float


def wander(
    bridge: Bridge, volatility: float, correlation: float, common: str, own: str
) -> list[Point]:
    """A point a minute strictly inside a bridge; none where the volatility is zero.

    `volatility` is the standard deviation of an hour; `correlation` the part of the variance that
    everybody with the same `common` words shares, the rest depends on the `own` words too.
    """
    count = (bridge.end - bridge.start - 1) // MINUTE
    if volatility == 0 or count < 1:
        return []
    shared = _pinned(f"{common}", count, bridge)
    alone = _pinned(f"{common}|{own}", count, bridge)
    points = []
    for n in range(1, count + 1):
        at = Millis(bridge.start + n * MINUTE)
        part = (at - bridge.start) / (bridge.end - bridge.start)
        line = bridge.opening + (bridge.closing - bridge.opening) * part
        noise = math.sqrt(correlation) * shared[n - 1] + math.sqrt(1 - correlation) * alone[n - 1]
        points.append(Point(at, line * math.exp(volatility * noise)))
    return points


def _pinned(words: str, count: int, bridge: Bridge) -> list[float]:
    """A walk with a variance of one an hour, pinned to zero at both ends of the bridge."""
    chance = random.Random(words)
    step = math.sqrt(MINUTE / HOUR)
    walk, value = [], 0.0
    for _ in range(count):
        value += chance.gauss(0, step)
        walk.append(value)
    length = (bridge.end - bridge.start) / MINUTE
    last = value + chance.gauss(0, 1) * math.sqrt((length - count) * MINUTE / HOUR)
    return [at - last * (n + 1) / length for n, at in enumerate(walk)]
