"""What one rule may have of another's: what that one wants itself, and no more."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import plan
from seawall.action import Plan
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan.demand import Means, UntilDemand
from tests.plan.stage import coins, until, with_cash
from tests.see import BTC, ETH, Held, book, quote, scenario, see, view

BTC_SLOT, ETH_SLOT = (0, "BTC-USD"), (0, "ETH-USD")


def dear_bitcoin() -> View:
    """$40,000 of each, for 50 bps from the mid in bitcoin and 2 bps in ether."""
    books = {"BTC-USD": book(BTC, half_spread="0.005"), "ETH-USD": book(ETH)}
    held: Held = {"BTC-USD": ("0.4", 100_000), "ETH-USD": (10, 4_000)}
    return view(see(equity=10_000, positions=held, books=books), scenarios=[scenario()])


def of_bitcoin(on: View, target: str = "<= 0.06", **words: object) -> UntilDemand:
    """Maintenance usage of 9.6%, to be brought down by bitcoin alone: some $30,000 of anything."""
    return until(on, "maintenance_usage", target, slots=[BTC_SLOT], **words)  # type: ignore[arg-type]


def of_ether(on: View, target: int = 35_000) -> UntilDemand:
    market = Instance(market="ETH-USD")
    return until(on, "gross_exposure", f"<= {target}", instance=market, slots=[ETH_SLOT])


def closed(made: Plan, on: View) -> dict[str, float]:
    """Dollars at the oracle by market."""
    prices = {ticker: one.oracle_dollars for ticker, one in on.observation.markets.items()}
    return {ticker: float(size * prices[ticker]) for ticker, size in coins(made, on).items()}


def test_a_rule_is_not_served_by_markets_outside_its_scope_beyond_what_others_want_of_them() -> (
    None
):
    on = dear_bitcoin()

    made = plan.propose(on, [of_bitcoin(on), of_ether(on)], Means())

    assert all(claim.reached for claim in made.claims)
    sold = closed(made, on)
    assert sold["ETH-USD"] == 5_000  # where ether alone would be cheapest for both
    # What ether brings counts: the larger of two demands on one margin, never the sum.
    alone = closed(plan.propose(on, [of_bitcoin(on)], Means()), on)["BTC-USD"]
    assert alone - 5_200 < sold["BTC-USD"] < alone - 4_900


def test_a_rule_that_may_have_both_takes_the_cheaper_and_serves_the_other_by_the_way() -> None:
    on = dear_bitcoin()
    both = until(on, "leverage", "<= 4.2", slots=[BTC_SLOT, ETH_SLOT])  # $38,000 less

    made = plan.propose(on, [of_bitcoin(on), both], Means())

    assert all(claim.reached for claim in made.claims)
    assert closed(made, on).keys() == {"ETH-USD"}


def test_what_a_rule_leans_on_is_there() -> None:
    # $5,000 of anything for the leverage, which it would have of ether; the $30,000 of bitcoin that
    # the other needs would do for it too, and then there is no ether to lean on.
    on = dear_bitcoin()
    both = until(on, "leverage", "<= 7.5", slots=[BTC_SLOT, ETH_SLOT])

    made = plan.propose(on, [of_bitcoin(on), both], Means())

    assert made.solver.startswith("highs")
    assert all(claim.reached for claim in made.claims)
    sold = closed(made, on)
    assert 5_000 < sold["ETH-USD"] < 5_100
    assert 25_000 < sold["BTC-USD"] < 26_000


def test_a_rule_leans_on_several_things_each_as_far_as_it_goes() -> None:
    on = dear_bitcoin()  # free collateral 10000 - 1600; the ether that is sold frees $100
    cash = until(on, "free_collateral", ">= 8800", slippage=None, cash=5_000)

    made = plan.propose(on, [of_bitcoin(on), of_ether(on), cash], with_cash(6_000))

    assert made.solver.startswith("highs")
    assert all(claim.reached for claim in made.claims)
    ((_, amount),) = made.top_ups
    assert quote(200) < amount <= quote(310)
    assert closed(made, on)["ETH-USD"] == 5_000
    assert 20_000 < closed(made, on)["BTC-USD"] < 26_000


def test_cuts_of_fixed_size_count_for_whoever_they_help() -> None:
    on = dear_bitcoin()
    some = until(on, "gross_exposure", "<= 20000", instance=Instance(market="ETH-USD"))

    made = plan.propose(on, [of_bitcoin(on, "<= 0.075"), replace(some, slots=(ETH_SLOT,))], Means())

    assert closed(made, on) == {"ETH-USD": 20_000}


def fed(on: View, target: object, cash: int, **words: object) -> UntilDemand:
    return until(on, "free_collateral", f">= {target}", cash=cash, **words)  # type: ignore[arg-type]


def test_a_rule_that_offers_no_cash_is_not_served_by_another_s_beyond_what_that_wants() -> None:
    on = dear_bitcoin()  # free collateral 10000 - 1600

    made = plan.propose(on, [of_bitcoin(on), fed(on, 8_600, 5_000)], with_cash(6_000))

    assert all(claim.reached for claim in made.claims)
    ((number, amount),) = made.top_ups
    assert (number, amount) <= (0, quote(200))
    assert closed(made, on)["BTC-USD"] > 25_000


def test_the_most_that_a_rule_offers_bounds_what_it_has_of_another_s_cash() -> None:
    on = dear_bitcoin()
    little = of_bitcoin(on, cash=300)

    made = plan.propose(on, [little, fed(on, 8_600, 5_000)], with_cash(6_000))

    assert all(claim.reached for claim in made.claims)
    assert made.top_ups == ((0, quote(300)),)


@pytest.mark.parametrize("cash", [300, 5_000])
def test_whoever_offers_cash_is_fed_for_what_the_cuts_of_others_cost_too(cash: int) -> None:
    # Closing $30,000 of bitcoin for 55 bps takes $165 of the equity that is to be 10,100.
    on = dear_bitcoin()
    equity = until(on, "equity", ">= 10100", slippage=None, cash=cash)

    made = plan.propose(on, [of_bitcoin(on), equity], with_cash(6_000))

    assert all(claim.reached for claim in made.claims)
    ((_, amount),) = made.top_ups
    assert quote(250) < amount < quote(280)


def test_steps_that_a_rounded_plan_lacks_are_added_in_scope_alone() -> None:
    on = dear_bitcoin()
    coarse = replace(BTC, step_base_quantums=100 * BTC.step_base_quantums)
    seen = on.observation
    on = view(replace(seen, markets={**seen.markets, "BTC-USD": coarse}))

    made = plan.propose(on, [of_bitcoin(on), of_ether(on)], Means())

    assert all(claim.reached for claim in made.claims)
    assert coins(made, on)["ETH-USD"] == Decimal("1.25")
