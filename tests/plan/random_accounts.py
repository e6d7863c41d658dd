"""Random accounts with books of several levels, and the plans that a trader might make by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from random import Random

from seawall.account import Book, BookLevel, Market, Observation, Side
from seawall.measures.view import View
from seawall.plan import claims, greedy, pricing
from seawall.plan.demand import Means, Slot, UntilDemand
from seawall.plan.trial import Trial, caught_up
from seawall.units import BaseQuantums, Subticks, round_down
from tests.plan.stage import until
from tests.see import AT, MARKETS, Held, decimal, scenario, see, view

WANTS = (
    ("leverage", "<= 3", None),
    ("margin_usage", "<= 0.15", None),
    ("maintenance_usage", "<= 0.08", None),
    ("free_collateral", ">= 8000", None),
    ("stress_headroom", ">= 1000", "twin-gap"),
    ("fatal_move", ">= 1.5", "twin-gap"),
)
DECIMALS = {"BTC-USD": 4, "ETH-USD": 3, "SOL-USD": 1}


def market_book(chance: Random, market: Market, levels: int, *, lean: int = 0) -> Book:
    """Levels of random size, 1 to 30 bps apart, around the oracle price or `lean` bps beside it."""
    price = int(pricing.oracle_subticks(market))
    tick, step = market.subticks_per_tick, market.step_base_quantums
    middle = price * (10_000 + lean) // 10_000
    sides: dict[Side, list[BookLevel]] = {Side.BUY: [], Side.SELL: []}
    away = 0
    for _ in range(levels):
        away += max(tick, price * chance.randint(1, 30) // 10_000)
        dollars = chance.randint(2_000, 20_000)
        size = int(dollars * 10**6 / (price * 10.0**market.quantum_conversion_exponent))
        level = BaseQuantums(max(step, round_down(size, step)))
        for side, orders in sides.items():
            raw = middle - side.sign * away
            orders.append(BookLevel(Subticks(raw - raw % tick), level))
    return Book(seen_at=AT, bids=tuple(sides[Side.BUY]), asks=tuple(sides[Side.SELL]))


def random_view(chance: Random, tickers: Sequence[str], levels: int) -> View:
    """An account of $5,000 to $20,000 at up to several times that.

    Half of the mids are up to 1% off the oracle, against the position: a book better than the
    oracle earns a plan nothing, by rule, while a hand that counts on it may be cheaper.
    """
    held: Held = {}
    for ticker in tickers:
        price = int(MARKETS[ticker].oracle_dollars)
        dollars = chance.choice((1, -1)) * chance.randint(5_000, 60_000)
        size = round(Decimal(dollars) / price, DECIMALS[ticker])
        held = {**held, ticker: (size, price)}
    on: Observation = see(equity=chance.randint(5_000, 20_000), positions=held)
    books = {}
    for ticker in tickers:
        lean = chance.choice((0, chance.randint(0, 99)))
        against = -lean if decimal(held[ticker][0]) > 0 else lean
        books[ticker] = market_book(chance, on.markets[ticker], levels, lean=against)
    on = see(equity=chance.randint(5_000, 20_000), positions=held, books=books)
    return view(on, scenarios=[scenario(both_signs=True)])


def random_wants(chance: Random, on: View, most: int) -> list[UntilDemand]:
    """Up to `most` demands on everything that is held."""
    chosen = chance.sample(WANTS, chance.randint(1, most))
    return [until(on, name, target, scenario=feared) for name, target, feared in chosen]


def objective(on: View, cuts: dict[Slot, int], wanted: Sequence[UntilDemand]) -> float:
    """Fee and adverse distance from the mid, and 1 bp of what is closed, in dollars."""
    quotes = greedy.quotes_for(on, wanted, Means(), [])
    total = 0.0
    for slot, cut in cuts.items():
        if cut > 0:
            done = quotes[slot].walk(cut)
            worth = greedy.reference_quotes(on, slot[1], done.quantums)
            lost = quotes[slot].side.sign * (done.quote - worth.mid) + done.fee
            total += lost / 1e6 + worth.oracle / 1e10
    return total


def holds(on: View, cuts: dict[Slot, int], wanted: Sequence[UntilDemand]) -> bool:
    """Whether these cuts reach every target, in the chain's arithmetic, at oracle and mid."""
    quotes = greedy.quotes_for(on, wanted, Means(), [])
    views = Trial(before=on, caught_up=caught_up(on), quotes=quotes, cuts=cuts).views()
    return all(claims.holds(views, one) for one in wanted)


def _depths(on: View, wanted: Sequence[UntilDemand]) -> dict[Slot, tuple[int, int, float]]:
    """Depth and step of each position, and its dollars per step."""
    quotes = greedy.quotes_for(on, wanted, Means(), [])
    found = {}
    for slot, quote in quotes.items():
        step = quote.market.step_base_quantums
        each = abs(greedy.reference_quotes(on, slot[1], step).oracle) / 1e6
        found[slot] = (quote.depth, step, each)
    return found


def close_largest(on: View, wanted: Sequence[UntilDemand]) -> dict[Slot, int] | None:
    """Positions closed from the largest down until every target holds; the last in 20 parts."""
    depths = _depths(on, wanted)
    order = sorted(depths, key=lambda s: -depths[s][0] / depths[s][1] * depths[s][2])
    cuts: dict[Slot, int] = {}
    for slot in order:
        depth, step, _ = depths[slot]
        for part in range(1, 21):
            cuts[slot] = depth * part // 20 // step * step
            if holds(on, cuts, wanted):
                return cuts
    return None


def pro_rata(on: View, wanted: Sequence[UntilDemand]) -> dict[Slot, int] | None:
    """The same share of every position, in 40 parts."""
    depths = _depths(on, wanted)
    for part in range(1, 41):
        cuts = {s: -(-depth * part // 40 // step) * step for s, (depth, step, _) in depths.items()}
        cuts = {s: min(cut, depths[s][0]) for s, cut in cuts.items()}
        if holds(on, cuts, wanted):
            return cuts
    return None
