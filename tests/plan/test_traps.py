"""The traps of RULES.md 4 by name: what a programme that is nearly right walks into."""

from __future__ import annotations

from dataclasses import replace

from seawall import plan
from seawall.account import Book
from seawall.measures.view import View
from seawall.plan import greedy
from seawall.plan.demand import Means
from seawall.policy import HandsOff
from tests.plan.stage import coins, until
from tests.see import BTC, ETH, Held, Number, book, scenario, see, view

NOTHING = Means()
CRASH = scenario(
    "crash", {"BTC-USD": "-0.1", "ETH-USD": "-0.2", "SOL-USD": "-0.2"}, both_signs=True
)
HEDGED: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": ("-5", 4_000)}


def account(equity: Number, held: Held, **books: Book) -> View:
    """An account with deep books, others where a market's name gives one."""
    on = see(equity=equity, positions=held)
    shown = {**on.advice.books, **{f"{name}-USD": one for name, one in books.items()}}
    return view(replace(on, advice=replace(on.advice, books=shown)), scenarios=[CRASH])


def test_a_small_need_never_sells_a_whole_book() -> None:
    on = account(10_000, {"BTC-USD": ("0.2", 100_000), "SOL-USD": ("60", 200)})

    made = plan.propose(on, [until(on, "leverage", "<= 3.1")], NOTHING)

    assert made.claims[0].reached
    assert sum(leg.expected_quote for leg in made.legs) < 1_100 * 10**6  # $1,000 and the costs


def test_a_small_need_never_sells_a_whole_book_that_is_better_than_its_oracle() -> None:
    far = book(BTC, 105_000)  # beyond the band: nothing but the oracle is left to measure from
    on = account(10_000, {"BTC-USD": ("0.2", 100_000), "SOL-USD": ("60", 200)}, BTC=far)

    made = plan.propose(on, [until(on, "leverage", "<= 3.1")], NOTHING)

    assert made.claims[0].reached
    assert sum(leg.expected_quote for leg in made.legs) < 1_100 * 10**6


def test_a_lagging_oracle_never_closes_a_hedge_for_profit() -> None:
    # The asks of ETH stand 1.2% below its oracle: buying the hedge back looks like a gift of $240,
    # and $100 of free collateral like 40% less of a trade there than in BTC, which costs less.
    behind = book(ETH, 3_950, half_spread="0.0003")
    on = account(10_000, HEDGED, ETH=behind)

    freed = plan.propose(on, [until(on, "free_collateral", ">= 9100")], NOTHING)

    assert set(coins(freed, on)) == {"BTC-USD"}
    assert freed.claims[0].reached
    assert sum(leg.expected_quote for leg in freed.legs) < 5_300 * 10**6  # $100 / (2% - 7 bps)


def test_a_correlated_book_keeps_its_hedge() -> None:
    held = {"BTC-USD": ("0.5", 100_000), "ETH-USD": ("-5", 4_000), "SOL-USD": ("50", 200)}
    on = account(8_000, held)
    wanted = until(on, "stress_headroom", ">= 3000", scenario="crash")

    made = plan.propose(on, [wanted], NOTHING)

    assert made.claims[0].reached
    assert "ETH-USD" not in coins(made, on)
    assert made.cost <= greedy.propose(on, [wanted], NOTHING).cost


def test_an_unreachable_target_is_not_chased() -> None:
    on = account(1_000, {"BTC-USD": ("0.05", 100_000)})

    assert plan.is_unreachable(on, until(on, "free_collateral", ">= 2000"), 0, HandsOff())
    assert not plan.is_unreachable(on, until(on, "free_collateral", ">= 950"), 0, HandsOff())
