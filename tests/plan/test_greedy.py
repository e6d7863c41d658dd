"""The greedy plan: the largest margin released per dollar of cost first, level by level."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from seawall import plan
from seawall.account import Book
from seawall.measures.view import View
from seawall.plan import greedy
from seawall.plan.demand import Means
from seawall.plan.trial import Trial
from tests.plan.random_accounts import random_view, random_wants
from tests.plan.stage import coins, until
from tests.see import BTC, SOL, Held, book, see, view

NOTHING = Means()


def two(btc: Book, sol: Book) -> View:
    """$40,000 of BTC at 1.2% maintenance and $20,000 of SOL at 3%, fee 5 bps."""
    held: Held = {"BTC-USD": ("0.4", 100_000), "SOL-USD": (100, 200)}
    return view(see(equity=20_000, positions=held, books={"BTC-USD": btc, "SOL-USD": sol}))


def test_what_releases_most_margin_for_its_cost_goes_first() -> None:
    wanted = ("maintenance_usage", "<= 0.04")
    # SOL: 3% for 10 bps and the fee is 20 to 1. BTC: 1.2% for 2 bps and the fee is 17 to 1.
    cheap_sol = two(book(BTC, half_spread="0.0002"), book(SOL, half_spread="0.001"))
    # At 20 bps SOL is 12 to 1.
    dear_sol = two(book(BTC, half_spread="0.0002"), book(SOL, half_spread="0.002"))

    first = greedy.propose(cheap_sol, [until(cheap_sol, *wanted)], NOTHING)
    other = greedy.propose(dear_sol, [until(dear_sol, *wanted)], NOTHING)

    assert set(coins(first, cheap_sol)) == {"SOL-USD"}
    assert set(coins(other, dear_sol)) == {"BTC-USD"}
    assert first.claims[0].reached
    assert other.claims[0].reached


def test_a_market_is_left_at_the_level_where_another_becomes_better() -> None:
    stepped = book(SOL, levels=[("0.001", 10), ("0.01", 90)])
    on = two(book(BTC, half_spread="0.0002"), stepped)

    made = greedy.propose(on, [until(on, "maintenance_usage", "<= 0.04")], NOTHING)

    assert coins(made, on)["SOL-USD"] == Decimal(10)
    assert coins(made, on)["BTC-USD"] > 0


def test_it_stops_at_the_step_at_which_the_target_holds() -> None:
    on = two(book(BTC), book(SOL))
    wanted = [until(on, "maintenance_usage", "<= 0.04")]

    made = greedy.propose(on, wanted, NOTHING)

    (leg,) = made.legs
    slot, step = (0, leg.ticker), on.observation.markets[leg.ticker].step_base_quantums
    paper = Trial(before=on, quotes=greedy.quotes_for(on, wanted, NOTHING, []))
    assert greedy.reaches(paper.with_cut(slot, leg.quantums), wanted[0])
    assert not greedy.reaches(paper.with_cut(slot, leg.quantums - step), wanted[0])


def test_the_same_account_has_the_same_plan_every_time() -> None:
    for seed in range(20):
        plans = []
        for _ in range(2):
            chance = Random(seed)
            on = random_view(chance, ("BTC-USD", "ETH-USD", "SOL-USD"), 5)
            wanted = random_wants(chance, on, 1, 3)
            plans.append((plan.propose(on, wanted, NOTHING), greedy.propose(on, wanted, NOTHING)))
        assert plans[0] == plans[1]
