"""No plan for a random account near its initial margin has a fill that the chain refuses."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from seawall import plan
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.plan.demand import Demand, Means
from tests.plan.random_accounts import market_book
from tests.plan.stage import down_to, exposure, until
from tests.plan.test_acceptance import is_taken
from tests.see import MARKETS, Held, see, view

NOTHING = Means()


def test_no_plan_for_a_random_account_near_its_initial_margin_has_a_fill_refused() -> None:
    chance, cut_back, sent = Random(11), 0, 0
    for _ in range(300):
        held: Held = {
            ticker: (chance.choice((1, -1)) * chance.randint(1, 9) * size, price)
            for ticker, size, price in (
                ("BTC-USD", Decimal("0.05"), 100_000),
                ("ETH-USD", 1, 4_000),
                ("SOL-USD", 20, 200),
            )
        }
        books = {
            ticker: market_book(
                chance, MARKETS[ticker], 4, lean=chance.choice((-1, 1)) * chance.randint(200, 290)
            )
            for ticker in held
        }
        start = view(see(equity=1_000, positions=held, books=books)).risk(0)
        assert not isinstance(start, NoData)
        assert start.imr is not None
        equity = start.imr // 10**6 + chance.randint(-200, 600)
        on = view(see(equity=max(50, equity), positions=held, books=books))
        wanted = random_demands(chance, on)

        made = plan.propose(on, wanted, NOTHING)

        sent += bool(made.legs)
        cut_back += any(
            "chain takes" in one.detail and one.what != "send the plan" for one in made.dropped
        )
        assert "send the plan" not in [one.what for one in made.dropped], made.dropped
        assert is_taken(on, made)

    assert sent > 200
    assert cut_back > 20


def random_demands(chance: Random, on: View) -> list[Demand]:
    names = [until(on, "maintenance_usage", "<= 0.3"), until(on, "free_collateral", ">= 800")]
    tickers = sorted(on.observation.markets)
    exposures = [exposure(on, ticker, chance.randint(0, 9_000)) for ticker in tickers]
    fixed = down_to((chance.choice(tickers), 0), slippage=30_000)
    return list(chance.sample([*names, *exposures, fixed], chance.randint(1, 3)))
