"""How long a plan takes: 30 positions x 20 levels x 12 rows, the programme beside the greedy plan.

    python bench/plan.py [--plans N] [--json]

Each account has its own sizes, prices and books; every plan includes rounding and the evaluation
of its claims in the chain's integers. A tenth is made once more for hours that have 2, 5 and
10 orders left: a search in whole numbers, and with 2 and 5 not all targets are reached.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

from seawall import plan
from seawall.measures.view import View
from seawall.plan import greedy
from seawall.plan.demand import Means, UntilDemand
from tests.plan.random_accounts import market_book
from tests.plan.stage import until
from tests.see import BTC, ETH, SOL, Held, scenario, see, view

POSITIONS, LEVELS = 30, 20
FEW = (2, 5, 10)  # orders left in the hour
WANTS = (  # twelve rows: ratios ask for a dollar of equity too, both signs are rows
    ("leverage", "<= 2", None),  # 2
    ("margin_usage", "<= 0.08", None),  # 2
    ("maintenance_usage", "<= 0.05", None),  # 2
    ("free_collateral", ">= 150000", None),  # 1
    ("stress_headroom", ">= 60000", "twin-gap"),  # 2
    ("fatal_move", ">= 3", "twin-gap"),  # 3 or 4
)


def account(chance: Random) -> tuple[View, list[UntilDemand]]:
    """An account of $200,000 with thirty positions, and six demands on it."""
    markets, held = {}, {}
    for at in range(POSITIONS):
        like = (BTC, ETH, SOL)[at % 3]
        ticker = f"M{at}-USD"
        markets[ticker] = replace(like, ticker=ticker, perpetual_id=at, clob_pair_id=at)
        dollars = chance.choice((1, 1, -1)) * chance.randint(10_000, 40_000)
        price = int(like.oracle_dollars)
        held[ticker] = (round(Decimal(dollars) / price, 1 if like is SOL else 3), price)
    positions: Held = held
    books = {ticker: market_book(chance, one, LEVELS) for ticker, one in markets.items()}
    on = view(
        see(equity=200_000, positions=positions, markets=markets, books=books),
        scenarios=[scenario(both_signs=True)],
    )
    return on, [until(on, name, target, scenario=feared) for name, target, feared in WANTS]


def took(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of one call, on the wall and of this thread's own time."""
    start, own = time.perf_counter(), time.thread_time()
    work()
    return (time.perf_counter() - start) * 1_000, (time.thread_time() - own) * 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=300)
    parser.add_argument("--json", action="store_true", help="one line of JSON at the end")
    arguments = parser.parse_args()
    chance = Random(5)
    ours, simple = [], []
    few: dict[int, list[float]] = {orders: [] for orders in FEW}
    for at in range(arguments.plans):
        on, wanted = account(chance)
        ours.append(took(partial(plan.propose, on, wanted, Means())))
        simple.append(took(partial(greedy.propose, on, wanted, Means())))
        for orders in FEW if at % 10 == 0 else ():
            means = Means(orders_left=orders)
            few[orders].append(took(partial(plan.propose, on, wanted, means))[1])
    wall, own = (sorted(each) for each in zip(*ours, strict=True))
    greedy_wall = sorted(each for each, _ in simple)
    figures = {
        "p50_ms": round(wall[len(wall) // 2], 2),
        "p99_ms": round(wall[len(wall) * 99 // 100], 2),
        "greedy_p50_ms": round(greedy_wall[len(greedy_wall) // 2], 2),
        "cpu_p50_ms": round(own[len(own) // 2], 2),  # on a machine that has other work
        "cpu_p99_ms": round(own[len(own) * 99 // 100], 2),
    }
    for orders, times in few.items():
        figures[f"orders_{orders}_cpu_p50_ms"] = round(sorted(times)[len(times) // 2], 2)
        figures[f"orders_{orders}_cpu_max_ms"] = round(max(times), 2)
    print(f"{arguments.plans} plans of {POSITIONS} positions x {LEVELS} levels")
    print(json.dumps(figures) if arguments.json else figures)


if __name__ == "__main__":
    main()
