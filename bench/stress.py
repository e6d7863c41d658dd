"""The stress product: 1,000 scenarios x 50 positions with verdicts, beside the bare NumPy product.

    python bench/stress.py [--rounds N] [--json]

Ours gives for each row whether equity minus buffer covers maintenance, and takes rows near zero
again in the chain's integers. The bare product is what anybody would write in NumPy for margin and
verdict: moves times notionals and times maintenance, and a comparison; no slippage, no funding.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from seawall import margin, stress
from seawall.scenario import Scenario
from seawall.stress import PPT_ONE
from seawall.stress.sweep import survives, sweep
from seawall.units import HOUR, Ppm, QuoteQuantums
from tests.see import BTC, ETH, SOL, Held, see

SCENARIOS, POSITIONS = 1_000, 50
CALLS = 20  # per sample, so that the clock's own grain does not count


def milliseconds(work: Callable[[], object]) -> float:
    """One call, averaged over a few."""
    start = time.thread_time()
    for _ in range(CALLS):
        work()
    return (time.thread_time() - start) * 1_000 / CALLS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="one line of JSON at the end")
    arguments = parser.parse_args()
    chance = Random(7)
    markets, held = {}, {}
    for at in range(POSITIONS):
        like = (BTC, ETH, SOL)[at % 3]
        ticker = f"M{at}-USD"
        markets[ticker] = replace(like, ticker=ticker, perpetual_id=at, clob_pair_id=at)
        dollars = chance.choice((1, 1, -1)) * chance.randint(10_000, 40_000)
        price = int(like.oracle_dollars)
        held[ticker] = (round(Decimal(dollars) / price, 1 if like is SOL else 3), price)
    positions: Held = held
    seen = see(equity=60_000, positions=positions, markets=markets)
    subaccount = seen.subaccounts[0]
    now = margin.risk(subaccount, seen.markets)
    stand = stress.footing(subaccount, seen.markets, seen.advice.funding, now.nc)
    scenarios = [
        Scenario(
            name=str(n),
            shocks={ticker: Ppm(chance.randint(-200_000, 150_000)) for ticker in markets},
            slippage=Ppm(15_000),
            over=HOUR,
        )
        for n in range(SCENARIOS)
    ]
    over = sweep(scenarios, stand.tickers)
    buffer = QuoteQuantums(3_000 * 10**6)
    signed = np.array(stand.signed, dtype=np.float64)
    asked = np.abs(signed) * np.array(stand.maintenance, dtype=np.float64) / PPT_ONE
    weights = np.column_stack((signed, asked))

    def product() -> object:
        moved = over.moves @ weights
        return now.nc + moved[:, 0] >= now.mmr + moved[:, 1]

    ours, bare = [], []
    verdicts = survives(subaccount, seen.markets, stand, over, buffer)
    for _ in range(arguments.rounds):
        bare.append(milliseconds(product))
        ours.append(milliseconds(lambda: survives(subaccount, seen.markets, stand, over, buffer)))
    figures = {
        "ours_ms": round(sorted(ours)[len(ours) // 2], 4),
        "bare_ms": round(sorted(bare)[len(bare) // 2], 4),
        "ratio": round(sorted(ours)[len(ours) // 2] / sorted(bare)[len(bare) // 2], 2),
    }
    print(
        f"{SCENARIOS} scenarios x {POSITIONS} positions, {int(verdicts.sum())} survived, "
        f"median of {arguments.rounds}"
    )
    print(json.dumps(figures) if arguments.json else figures)


if __name__ == "__main__":
    main()
