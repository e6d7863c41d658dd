"""How long one tick takes: 30 positions, 10 rules, 24 scenarios, nothing firing.

    python bench/evaluate.py [--ticks N] [--json]

Each tick sees other prices than the one before, so that nothing can be remembered; it is the whole
`decide`: ledger, margins, every instance of every rule, alarms, and no plan. Seven of the ten rules
watch no scenario and three watch one each; after the tick the 24 scenarios are all judged, as
`seawall stress` does. Processor time stands beside the clock's, to which a busy machine adds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

from seawall.account import Observation
from seawall.decide import decide
from seawall.decide.memory import Memory
from seawall.measures import value_of
from seawall.measures.spec import Instance, NoData
from seawall.policy import Policy
from seawall.rulefile import parse
from seawall.units import Millis
from tests.see import AT, BTC, ETH, HEIGHT, SOL, Held, see

POSITIONS, SCENARIOS = 30, 24
EQUITY = 2_000_000  # against a book of some $750,000: nothing fires
RULES = (  # measure, trigger; ten rules, the last three over scenarios
    ("drawdown", ">= 50%"),
    ("day_loss", ">= 50%"),
    ("leverage", "> 5x"),
    ("maintenance_usage", "> 50%"),
    ("free_collateral", "< $1_000"),
    ("gross_exposure", "> $2_000_000"),
    ("liq_move", "< 5%"),
    ("{stress_headroom: s0}", "< $0"),
    ("{stress_headroom: s1}", "< $0"),
    ("{fatal_move: s2}", "< 1x"),
)
WARM_UP = 50


def policy() -> Policy:
    """Ten rules of every family over a file of 24 scenarios."""
    chance = Random(3)
    named = [
        f"  s{n}: {{BTC-USD: -{chance.randint(4, 12)}%, M1-USD: {chance.randint(-9, 9)}%, "
        f'"*": -{chance.randint(5, 15)}%, over: 1h, slippage: 150bps, both_signs: true}}'
        for n in range(SCENARIOS)
    ]
    written = [
        f'  - {{id: r{n}, why: "Bench.", measure: {measure}, trigger: "{trigger}", do: [notify]}}'
        for n, (measure, trigger) in enumerate(RULES)
    ]
    return parse("\n".join(["scenarios:", *named, "rules:", *written])).policy


def seen() -> Iterator[Observation]:
    """An account of thirty positions, a second older and at other prices each time."""
    chance = Random(5)
    markets, held = {}, {}
    for at in range(POSITIONS):
        like = (BTC, ETH, SOL)[at % 3]
        ticker = f"M{at}-USD"
        markets[ticker] = replace(like, ticker=ticker, perpetual_id=at, clob_pair_id=at)
        dollars = chance.choice((1, 1, -1)) * chance.randint(10_000, 40_000)
        price = int(like.oracle_dollars)
        held[ticker] = (round(Decimal(dollars) / price, 1 if like is SOL else 3), price)
    positions: Held = held
    first = see(equity=EQUITY, positions=positions, markets=markets)
    tick = 0
    while True:
        moved = {
            ticker: replace(
                one, oracle_price=one.oracle_price * chance.randint(9_990, 10_010) // 10**4
            )
            for ticker, one in first.markets.items()
        }
        at = Millis(AT + 1_000 * tick)
        yield replace(first, markets=moved, height=HEIGHT + tick, at=at, seen_at=at)
        tick += 1


def judge_all(asked: Policy, memory: Memory, now: Observation) -> Decimal:
    """The lowest headroom of all scenarios, each in its worse sign."""
    assert memory.ledger is not None
    view = asked.view(now, memory.ledger)
    whole = Instance(subaccount=0)
    rooms = [value_of(view, "stress_headroom", whole, name) for name in asked.scenarios]
    return min(room for room in rooms if not isinstance(room, NoData))


def quantiles(name: str, took: list[float]) -> dict[str, float]:
    """Median and 99th percentile of milliseconds."""
    took.sort()
    return {
        f"{name}p50_ms": round(took[len(took) // 2], 3),
        f"{name}p99_ms": round(took[len(took) * 99 // 100], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=2_000)
    parser.add_argument("--json", action="store_true", help="one line of JSON at the end")
    arguments = parser.parse_args()
    asked, memory = policy(), Memory()
    assert (len(asked.rules), len(asked.scenarios)) == (len(RULES), SCENARIOS)
    took: list[float] = []
    worked: list[float] = []
    judged: list[float] = []
    story = seen()
    instances = 0
    for tick in range(WARM_UP + arguments.ticks):
        now = next(story)
        start, work = time.perf_counter(), time.thread_time()
        memory, decision = decide(asked, memory, now)
        if tick >= WARM_UP:
            took.append((time.perf_counter() - start) * 1_000)
            worked.append((time.thread_time() - work) * 1_000)
        work = time.thread_time()
        assert judge_all(asked, memory, now) > 0
        judged.append((time.thread_time() - work) * 1_000)
        assert decision.transitions == ()
        instances = len(decision.readings)
    figures = {
        **quantiles("", took),
        **quantiles("cpu_", worked),
        **quantiles("all_scenarios_cpu_", judged),
    }
    print(
        f"{arguments.ticks} ticks of {POSITIONS} positions, {len(RULES)} rules in "
        f"{instances} instances, {SCENARIOS} scenarios"
    )
    print(json.dumps(figures) if arguments.json else figures)


if __name__ == "__main__":
    main()
