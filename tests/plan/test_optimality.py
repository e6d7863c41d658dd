"""The programme against brute force and against what a trader would do by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from random import Random

from seawall import plan
from seawall.account import BookLevel
from seawall.action import Plan
from seawall.measures.view import View
from seawall.plan import greedy
from seawall.plan.demand import Means, Slot, UntilDemand
from seawall.plan.trial import caught_up, view_like
from seawall.units import BaseQuantums
from tests.plan.random_accounts import (
    close_largest,
    holds,
    objective,
    pro_rata,
    random_view,
    random_wants,
)

TICKERS = ("BTC-USD", "ETH-USD", "SOL-USD")
LARGER = 1_000


def cuts_of(made: Plan) -> dict[Slot, int]:
    return {(leg.subaccount, leg.ticker): int(leg.quantums) for leg in made.legs}


def a_step_of_each(on: View, wanted: list[UntilDemand], cuts: dict[Slot, int]) -> float:
    """What rounding up may add: a step of every position that is cut."""
    total = 0.0
    quotes = greedy.quotes_for(on, wanted, Means(), [])
    for slot, cut in cuts.items():
        step = quotes[slot].market.step_base_quantums
        total += objective(on, {slot: cut}, wanted) - objective(on, {slot: cut - step}, wanted)
    return total


def test_on_larger_accounts_no_plan_made_by_hand_is_cheaper() -> None:
    chance = Random(7)
    savings: list[float] = []

    for _ in range(LARGER):
        on = random_view(chance, TICKERS, 6)
        wanted = random_wants(chance, on, 3)
        made = plan.propose(on, wanted, Means())
        simple = greedy.propose(on, wanted, Means())
        cuts = cuts_of(made)
        if not cuts or not holds(on, cuts_of(simple), wanted):
            continue
        assert all(claim.reached for claim in made.claims)
        cost, slack = objective(on, cuts, wanted), a_step_of_each(on, wanted, cuts)
        for other in (cuts_of(simple), close_largest(on, wanted), pro_rata(on, wanted)):
            assert other is None or cost <= objective(on, other, wanted) + slack + 1e-6
        by_greed = objective(on, cuts_of(simple), wanted)
        savings.append(1 - cost / by_greed)

    assert len(savings) > LARGER // 3
    assert sum(savings) / len(savings) > 0.02  # and that is on average, greedy being often right


SMALL = 1_000
COARSE = {"BTC-USD": 200_000_000, "SOL-USD": 120_000_000}  # 0.02 BTC, 12 SOL: some $2,000 a step


def coarse_view(chance: Random) -> View:
    """Two positions in steps so large that every combination can be tried."""
    on = random_view(chance, tuple(COARSE), 4)
    seen = on.observation
    markets = {
        ticker: replace(market, step_base_quantums=COARSE.get(ticker, market.step_base_quantums))
        for ticker, market in seen.markets.items()
    }
    books = {
        ticker: replace(
            one,
            bids=tuple(whole(level, COARSE[ticker]) for level in one.bids),
            asks=tuple(whole(level, COARSE[ticker]) for level in one.asks),
        )
        for ticker, one in seen.advice.books.items()
    }
    advice = replace(seen.advice, books=books)
    return view_like(on, replace(seen, markets=markets, advice=advice))


def whole(level: BookLevel, step: int) -> BookLevel:
    return replace(level, quantums=BaseQuantums(-(-level.quantums // step) * step))


def brute_force(on: View, wanted: list[UntilDemand]) -> float | None:
    """The least objective over all combinations of steps, margins worked out anew in floats."""
    seen = on.observation
    account = seen.subaccounts[0]
    quotes = greedy.quotes_for(on, wanted, Means(), [])
    slots = sorted(quotes)
    ladders = [ladder(on, slot, wanted) for slot in slots]
    best: float | None = None
    usdc = account.usdc / 1e6
    moved = caught_up(on) or on
    ratios = {
        ticker: market.oracle_price / seen.markets[ticker].oracle_price
        for ticker, market in moved.observation.markets.items()
    }
    for choice in product(*ladders):
        cost = sum(rung[2] for rung in choice)
        if best is not None and cost >= best:
            continue
        left = {slot[1]: rung[0] for slot, rung in zip(slots, choice, strict=True)}
        cash = usdc + sum(rung[1] for rung in choice)
        at_mid = {ticker: worth * ratios[ticker] for ticker, worth in left.items()}
        if all(
            reaches(one, worths, cash + sum(worths.values()))
            for one in wanted
            for worths in (left, at_mid)
        ):
            best = cost
    return best


def ladder(on: View, slot: Slot, wanted: list[UntilDemand]) -> list[tuple[float, float, float]]:
    """For each number of steps: signed notional left, cash received, and the objective."""
    quote = greedy.quotes_for(on, wanted, Means(), [])[slot]
    held = on.observation.subaccount(slot[0]).position(slot[1])
    assert held is not None
    each = float(quote.market.oracle_dollars) * 10.0**quote.market.atomic_resolution
    rungs = []
    for steps in range(quote.depth // quote.market.step_base_quantums + 1):
        cut = steps * quote.market.step_base_quantums
        done = quote.walk(cut) if cut else None
        cash = 0.0 if done is None else (-quote.side.sign * done.quote - done.fee) / 1e6
        left = (held.quantums + quote.side.sign * cut) * each
        rungs.append((left, cash, objective(on, {slot: cut}, wanted)))
    return rungs


FRACTIONS = {"BTC-USD": (0.02, 0.012), "SOL-USD": (0.05, 0.03)}


def reaches(one: UntilDemand, left: dict[str, float], equity: float) -> bool:
    """Whether a target holds, from the definition of its measure."""
    target = float(one.target.value)
    initial = sum(FRACTIONS[t][0] * abs(n) for t, n in left.items())
    kept = sum(FRACTIONS[t][1] * abs(n) for t, n in left.items())
    match one.measure.name:
        case "leverage":
            return sum(map(abs, left.values())) <= target * equity
        case "margin_usage":
            return initial <= target * equity
        case "maintenance_usage":
            return kept <= target * equity
        case "free_collateral":
            return equity - initial >= target
        case "stress_headroom":
            return min(shocked(left, equity, sign) for sign in (1, -1)) >= target
        case "fatal_move":
            return all(
                shocked(left, equity, sign * k) >= 0 for sign in (1, -1) for k in (0.0, target)
            )
        case other:
            raise AssertionError(other)


def shocked(left: dict[str, float], equity: float, k: float) -> float:
    """Equity less MMR after k times BTC -10%, SOL -15%."""
    moves = {"BTC-USD": -0.1 * k, "SOL-USD": -0.15 * k}
    return equity + sum(
        n * moves[t] - FRACTIONS[t][1] * abs(n) * (1 + moves[t]) for t, n in left.items()
    )


def test_on_small_accounts_the_cost_is_that_of_brute_force_within_a_step() -> None:
    chance = Random(11)
    reached = 0

    for _ in range(SMALL):
        on = coarse_view(chance)
        wanted = random_wants(chance, on, 3)
        made = plan.propose(on, wanted, Means())
        cuts = cuts_of(made)
        best = brute_force(on, wanted)

        is_reached = all(claim.reached for claim in made.claims)
        assert is_reached == (best is not None)
        if best is not None:
            slack = a_step_of_each(on, wanted, cuts)
            assert objective(on, cuts, wanted) <= best + slack + 1e-6
            reached += bool(cuts)
        else:
            assert made.dropped  # what binds is named

    assert reached > SMALL // 10
