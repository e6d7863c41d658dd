"""Two equal accounts on one played chain, one of them guarded; in process, without sockets."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from seawall.account import Seen, Side
from seawall.agent import Agent
from seawall.decide.memory import Decision
from seawall.journal.store import Journal
from seawall.policy import Flatten, Level, Mode, Policy, ReduceAmount, ReduceUntil
from seawall.rulefile import load
from seawall.simulator.candles import Candles, load_candles
from seawall.simulator.local import LocalVenue
from seawall.simulator.play import NEVER, Player
from seawall.simulator.prices import Path as PricePath
from seawall.simulator.setup import chain_on, equal_parts, fund, open_book
from seawall.units import HOUR, MINUTE, SECOND, Millis, Ppm
from tests.simulation.promises import Promises

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("SEAWALL_DATA", ROOT.parent / "shared" / "data"))
CRASHES = DATA / "crashes"
TICKERS = ("BTC-USD", "ETH-USD", "SOL-USD")
EQUITY = Decimal(30_000)
GUARDED, TWIN = "guarded", "twin"
WINDOW = Millis(4 * HOUR)
LEAD = Millis(10 * MINUTE)
APART = Millis(2 * HOUR)

T = TypeVar("T")


@dataclass(slots=True)
class Result:
    """How a duel ended; money in quote quantums."""

    guarded: int
    twin: int
    liquidated: set[str]
    blocks: int
    decisions: list[Decision] = field(default_factory=list)  # eventful ones
    promises: Promises = field(default_factory=Promises)

    @property
    def interventions(self) -> list[str]:
        return [one.name for decision in self.decisions for one in decision.started]


def demo_policy() -> Policy:
    return load(ROOT / "config" / "demo-rules.yaml").policy


def event_names() -> list[str]:
    """Crashes that are there to play; none where the data is absent."""
    if not CRASHES.is_dir():
        return []
    return sorted(p.name for p in CRASHES.iterdir() if p.is_dir() and "control" not in p.name)


def candles_of(event: str) -> Candles:
    return load_candles(CRASHES / event, TICKERS)


def side_of(event: str) -> Side:
    """Long in crashes, short in the rally."""
    return Side.SELL if event.startswith("2025-03-02") else Side.BUY


def worst_moments(candles: Candles, count: int = 4) -> list[Millis]:
    """Openings of the bars with the largest mean high/low range, at least two hours apart."""
    ranges: dict[Millis, list[float]] = defaultdict(list)
    for series in candles.series:
        for bar in series.bars:
            ranges[bar.at].append(bar.high / bar.low - 1)
    whole = {at: sum(r) / len(r) for at, r in ranges.items() if len(r) == len(candles.series)}
    chosen: list[Millis] = []
    for at in sorted(whole, key=lambda at: (-whole[at], at)):
        if all(abs(at - other) >= APART for other in chosen):
            chosen.append(at)
    return chosen[:count]


def window(candles: Candles, index: int) -> PricePath:
    """Four hours from ten minutes before one of the event's worst bars."""
    path = candles.path()
    start = Millis(max(path.start, worst_moments(candles)[index] - LEAD))
    return path.window(start, Millis(min(path.end, start + WINDOW)))


class BlindToBooks(LocalVenue):
    """A venue whose books nobody reads: prices are bounded from the oracle."""

    async def observe(self) -> Seen:
        seen = self.look()
        return replace(seen, advice=replace(seen.advice, books={}))


def with_slippage(policy: Policy, ppm: int) -> Policy:
    """The same rules with one bound on every reduction."""

    def tightened(level: Level) -> Level:
        do = tuple(
            replace(one, max_slippage=Ppm(ppm))
            if isinstance(one, ReduceAmount | ReduceUntil | Flatten)
            else one
            for one in level.do
        )
        return replace(level, do=do)

    rules = tuple(
        replace(rule, levels=tuple(tightened(level) for level in rule.levels))
        for rule in policy.rules
    )
    return replace(policy, rules=rules)


def at_once(work: Coroutine[object, object, T]) -> T:
    """The result of a coroutine that never waits: no event loop for each of many thousand ticks."""
    try:
        work.send(None)
    except StopIteration as stopped:
        value: T = stopped.value
        return value
    raise AssertionError("it waited")


def duel(
    path: PricePath,
    *,
    side: Side,
    policy: Policy | None = None,
    leverage: Decimal = Decimal(8),
    every: Millis = SECOND,
    venue: type[LocalVenue] = LocalVenue,
) -> Result:
    """Play a path to its end; `every` is how often the guard looks. No policy, no guard."""
    chain = chain_on(path)
    for owner in (GUARDED, TWIN):
        fund(chain, owner, 0, EQUITY)
        open_book(chain, owner, 0, equal_parts(EQUITY, leverage, sorted(path.tickers), side))
    player = Player(chain, path)
    agent = None
    if policy is not None:
        journal = Journal.open(":memory:")
        own = venue(chain, GUARDED)
        agent = Agent.resume(own, journal, policy, digest="demo", mode=Mode.LIVE, owner=GUARDED)
    result = Result(0, 0, set(), 0)
    looked: Millis | None = None
    idle = NEVER
    while (block := player.step(idle)) is not None:
        result.liquidated |= {hit.subaccount.owner for hit in block.liquidations}
        result.liquidated |= {hit.subaccount.owner for hit in block.deleveragings}
        if agent is not None and (looked is None or block.time - looked >= every):
            looked = block.time
            decision = at_once(agent.tick())
            result.promises.note(agent, decision)
            if decision.is_eventful:
                result.decisions.append(decision)
            until = agent.idle_until()
            idle = NEVER if until is None else until
    state = chain.committed
    result.guarded = state.risk(state.subaccount(GUARDED, 0)).nc
    result.twin = state.risk(state.subaccount(TWIN, 0)).nc
    result.blocks = player.blocks
    return result
