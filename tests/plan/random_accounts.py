"""Random accounts with books of several levels, and random targets for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random

from seawall.account import Book, BookLevel, Market, Side
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan import greedy, pricing
from seawall.plan.demand import Means, Slot, UntilDemand
from seawall.units import BaseQuantums, Subticks, round_down
from tests.plan.stage import until
from tests.see import AT, MARKETS, SOL, Held, scenario, see, view

WANTS = (
    ("leverage", "<= 3", None),
    ("margin_usage", "<= 0.15", None),
    ("maintenance_usage", "<= 0.08", None),
    ("free_collateral", ">= 8000", None),
    ("stress_headroom", ">= 1000", "twin-gap"),
    ("fatal_move", ">= 1.5", "twin-gap"),
    ("net_exposure", "<= 15000", None),
    ("gross_exposure", "<= 60000", None),
)
COARSE = {"BTC-USD": 200_000_000, "SOL-USD": 120_000_000}  # 0.02 BTC, 12 SOL: some $2,000 a step
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
    """An account of $5,000 to $20,000 a market or so, at up to several times that.

    Half of the mids are up to 1% off the oracle, as often in favour of a close as against it.
    """
    markets = {ticker: market_named(ticker) for ticker in tickers}
    held: Held = {}
    for ticker, market in markets.items():
        price = int(market.oracle_dollars)
        dollars = chance.choice((1, -1)) * chance.randint(5_000, 60_000)
        held = {**held, ticker: (round(Decimal(dollars) / price, DECIMALS.get(ticker, 1)), price)}
    books = {
        ticker: market_book(
            chance, market, levels, lean=chance.choice((0, chance.randint(-99, 99)))
        )
        for ticker, market in markets.items()
    }
    equity = chance.randint(5_000, 20_000) * max(1, len(tickers) // 3)
    on = see(equity=equity, positions=held, books=books, markets=markets)
    return view(on, scenarios=[scenario(both_signs=True)])


def coarse_view(chance: Random, steps: Mapping[str, int] = COARSE) -> View:
    """Positions in steps so large that every combination can be tried: two, or those given."""
    on = random_view(chance, tuple(steps), 4)
    seen = on.observation
    markets = {
        ticker: replace(market, step_base_quantums=steps[ticker])
        for ticker, market in seen.markets.items()
    }
    books = {
        ticker: replace(
            one,
            bids=tuple(whole(level, steps[ticker]) for level in one.bids),
            asks=tuple(whole(level, steps[ticker]) for level in one.asks),
        )
        for ticker, one in seen.advice.books.items()
    }
    advice = replace(seen.advice, books=books)
    return on.seeing(replace(seen, markets=markets, advice=advice))


def whole(level: BookLevel, step: int) -> BookLevel:
    return replace(level, quantums=BaseQuantums(-(-level.quantums // step) * step))


def market_named(ticker: str) -> Market:
    """A market like one that is known; those that are not are like SOL."""
    if ticker in MARKETS:
        return MARKETS[ticker]
    number = 20 + sum(map(ord, ticker))
    return replace(SOL, ticker=ticker, perpetual_id=number, clob_pair_id=number)


def random_wants(chance: Random, on: View, least: int, most: int) -> list[UntilDemand]:
    """Some demands on everything that is held."""
    held = tuple(p.ticker for p in on.observation.subaccounts[0].positions)
    everywhere = Instance(markets=held)
    return [
        until(
            on,
            name,
            target,
            scenario=feared,
            instance=everywhere if "exposure" in name else None,
        )
        for name, target, feared in chance.sample(WANTS, chance.randint(least, most))
    ]


def objective(on: View, cuts: Mapping[Slot, int], wanted: Sequence[UntilDemand]) -> float:
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
