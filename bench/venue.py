"""How fast the simulated venue makes blocks, in process.

    python bench/venue.py [--blocks N] [--json]

Blocks per second of the demo set-up while nobody acts and prices move every block; milliseconds per
block with 1,000 accounts in 30 markets, each market and its price moving in every block.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import replace
from decimal import Decimal
from statistics import median

from seawall.simulator.chain import Chain
from seawall.simulator.markets import BTC_USD, MARKETS, MarketSpec
from seawall.simulator.messages import SubaccountId
from seawall.simulator.prices import Line, Path, Point
from seawall.simulator.serve.launch import Cast, produce
from seawall.units import HOUR, SECOND, BaseQuantums, Millis, QuoteQuantums

START = Millis(1_780_000_000_000)
CALM = {"BTC-USD": 100_000.0, "ETH-USD": 4_000.0, "SOL-USD": 200.0}
ACCOUNTS, SIDES_HELD = 1_000, 3
DOLLAR = 1_000_000


def demo_blocks_per_second(blocks: int, *, moves: bool) -> float:
    """Blocks a second of the demo set-up; `moves`: every price is another one each second."""
    lines = {}
    for ticker, price in CALM.items():
        points = [Point(START, price)]
        if moves:
            dice = random.Random(ticker)
            points += [
                Point(Millis(START + n * SECOND), price * (1 + dice.gauss(0, 0.0005)))
                for n in range(1, blocks + 2)
            ]
        lines[ticker] = Line(points)
    path = Path(lines, start=START, end=Millis(START + 100 * HOUR), name="bench")
    player = produce(path, Cast(accounts=2, leverage=Decimal(3))).player
    start = time.perf_counter()
    for _ in range(blocks):
        assert player.step() is not None
    return blocks / (time.perf_counter() - start)


def markets(count: int) -> tuple[MarketSpec, ...]:
    """Copies of BTC under names of their own."""
    return tuple(
        replace(BTC_USD, ticker=f"M{n}-USD", perpetual_id=n, clob_pair_id=n, market_id=n)
        for n in range(count)
    )


def crowded_block_ms(blocks: int) -> float:
    """Median milliseconds of a block with 1,000 accounts in 30 markets whose prices all move."""
    specs, dice = markets(30), random.Random(1)
    chain = Chain(start=START, mids={s.ticker: Decimal(100_000) for s in specs}, markets=specs)
    for n in range(ACCOUNTS):
        key = SubaccountId(owner=f"dydx1bench{n}", number=0)
        chain.endow(key, QuoteQuantums(10_000 * DOLLAR))
        for spec in dice.sample(specs, SIDES_HELD):
            size = dice.choice((-1, 1)) * dice.randrange(1, 9) * 10**8
            chain.assign(key, spec.ticker, BaseQuantums(size))
    took = []
    for _ in range(blocks):
        mids = {s.ticker: Decimal(round(100_000 * (1 + dice.gauss(0, 0.0005)))) for s in specs}
        start = time.perf_counter()
        chain.advance(Millis(chain.time + SECOND), mids)
        took.append(time.perf_counter() - start)
    return 1_000 * median(took)


def main() -> None:
    """Measure and print; with --json the last line is the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=5_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    assert len(MARKETS) == len(CALM)
    numbers = {
        "demo_idle_blocks_per_second": round(demo_blocks_per_second(asked.blocks, moves=False)),
        "demo_moving_blocks_per_second": round(demo_blocks_per_second(asked.blocks, moves=True)),
        "crowded_block_ms": round(crowded_block_ms(50), 2),
    }
    for name, value in numbers.items():
        print(f"{name}: {value}")
    if asked.json:
        print(json.dumps(numbers))


if __name__ == "__main__":
    main()
