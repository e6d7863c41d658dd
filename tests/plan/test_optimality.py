"""The programme against brute force and against what a trader would do by hand."""

from __future__ import annotations

from random import Random

from seawall import plan
from seawall.action import Plan
from seawall.measures.view import View
from seawall.plan import greedy
from seawall.plan.demand import Means, Slot, UntilDemand
from tests.plan.random_accounts import (
    close_largest,
    holds,
    objective,
    pro_rata,
    random_view,
    random_wants,
)

TICKERS = ("BTC-USD", "ETH-USD", "SOL-USD")
LARGER = 250


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
