"""Scenarios drawn from a seed: a whole price path of calms, drifts, gaps, bounces and storms.

The same seed is the same scenario. Markets fall together: each follows the first one's move times
its own beta, and wanders with a shared part.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from seawall.simulator.script import Leg, Script
from seawall.units import MINUTE, SECOND, Millis

PRICES: Mapping[str, Decimal] = {
    "BTC-USD": Decimal(100_000),
    "ETH-USD": Decimal(4_000),
    "SOL-USD": Decimal(200),
}
BETAS: Mapping[str, Decimal] = {
    "BTC-USD": Decimal(1),
    "ETH-USD": Decimal("1.2"),
    "SOL-USD": Decimal("1.6"),
}
START = Millis(1_773_316_800_000)  # 2026-03-12T12:00:00Z
FEWEST, MOST = 4, 9  # legs
WORST = Decimal("-0.9")  # no market falls further in one leg

Drawn = tuple[Leg, Decimal]  # with the first market's move


def drawn_script(seed: int) -> Script:
    """The scenario of a seed."""
    chance = random.Random(f"scenario|{seed}")
    way = chance.choice((-1, -1, 1))  # more paths fall than rise
    legs: list[Leg] = []
    last = Decimal(0)
    for _ in range(chance.randint(FEWEST, MOST)):
        draw = chance.choice((_calm, _drift, _gap, _gap, _bounce, _storm))
        leg, last = draw(chance, way, last)
        legs.append(leg)
    return Script(
        name=f"seed:{seed}",
        why="Drawn from a seed.",
        start=START,
        prices=PRICES,
        legs=tuple(legs),
        seed=seed,
    )


def _calm(chance: random.Random, way: int, last: Decimal) -> Drawn:
    del way
    over = chance.randint(5, 60) * MINUTE
    return _leg(chance, "calm", over, Decimal(0), volatility=chance.randint(0, 4)), last


def _drift(chance: random.Random, way: int, last: Decimal) -> Drawn:
    del last
    move = way * _permille(chance, 5, 60)
    over = chance.randint(30, 240) * MINUTE
    return _leg(chance, "drift", over, move, volatility=chance.randint(2, 12)), move


def _gap(chance: random.Random, way: int, last: Decimal) -> Drawn:
    del last
    move = way * chance.choice((1, 1, 1, -1)) * _permille(chance, 15, 120)
    return _leg(chance, "gap", chance.randint(5, 120) * SECOND, move), move


def _bounce(chance: random.Random, way: int, last: Decimal) -> Drawn:
    del way
    move = -last * chance.randint(20, 80) / 100
    return _leg(chance, "bounce", chance.randint(1, 15) * MINUTE, move), move


def _storm(chance: random.Random, way: int, last: Decimal) -> Drawn:
    del last
    move = way * _permille(chance, 0, 40)
    over = chance.randint(20, 120) * MINUTE
    leg = _leg(chance, "storm", over, move, volatility=chance.randint(20, 50))
    hourly = chance.choice((-1, 1)) * Decimal(chance.randint(0, 30)) / 100_000
    return _with_funding(leg, hourly), move


def _leg(chance: random.Random, name: str, over: int, move: Decimal, *, volatility: int = 0) -> Leg:
    """A leg whose markets move by their betas; `volatility` in permille of an hour."""
    return Leg(
        name=name,
        over=Millis(over),
        moves={ticker: max(move * beta, WORST) for ticker, beta in BETAS.items()},
        volatility=Decimal(volatility) / 1_000,
        correlation=Decimal(chance.randint(50, 95)) / 100,
    )


def _with_funding(leg: Leg, hourly: Decimal) -> Leg:
    return replace(leg, funding=dict.fromkeys(PRICES, hourly))


def _permille(chance: random.Random, least: int, most: int) -> Decimal:
    return Decimal(chance.randint(least, most)) / 1_000
