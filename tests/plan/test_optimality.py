"""The programme against brute force and against what a trader would do by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from statistics import mean, median

from seawall import plan
from seawall.action import Plan
from seawall.measures.view import View
from seawall.plan import greedy
from seawall.plan.demand import Means, Slot
from tests.plan.by_hand import Ledger
from tests.plan.random_accounts import coarse_view, objective, random_view, random_wants

TICKERS = ("BTC-USD", "ETH-USD", "SOL-USD", "LINK-USD")
LARGER = 1_000


def cuts_of(made: Plan) -> dict[Slot, int]:
    return {(leg.subaccount, leg.ticker): int(leg.quantums) for leg in made.legs}


def steps_of(on: View, cuts: Mapping[Slot, int]) -> dict[str, int]:
    """Cuts as numbers of steps by ticker."""
    markets = on.observation.markets
    return {t: cut // markets[t].step_base_quantums for (_, t), cut in cuts.items()}


def a_step_of_each(by_hand: Ledger, steps: Mapping[str, int]) -> float:
    """What rounding up may add: a step of every position that is cut."""
    return float(
        sum(
            by_hand.places[t].objective[n] - by_hand.places[t].objective[n - 1]
            for t, n in steps.items()
            if n
        )
    )


def test_on_larger_accounts_no_plan_made_by_hand_is_cheaper(
    record_property: Callable[[str, object], None],
) -> None:
    chance = Random(7)
    savings: dict[str, list[float]] = {"greedy": [], "close largest": [], "pro rata": []}

    for _ in range(LARGER):
        on = random_view(chance, TICKERS, 6)
        wanted = random_wants(chance, on, 2, 4)
        made, simple = plan.propose(on, wanted, Means()), greedy.propose(on, wanted, Means())
        cuts, by_hand = cuts_of(made), Ledger.of(on)
        if not cuts or not all(claim.reached for claim in made.claims):
            assert not all(claim.reached for claim in simple.claims) or not cuts
            continue
        cost, slack = objective(on, cuts, wanted), a_step_of_each(by_hand, steps_of(on, cuts))
        others = {
            "greedy": steps_of(on, cuts_of(simple)),
            "close largest": by_hand.close_largest(wanted),
            "pro rata": by_hand.pro_rata(wanted),
        }
        for name, other in others.items():
            # A hand that counts on a book better than its oracle does what no plan may.
            if other is not None and by_hand.holds(other, wanted):
                theirs = by_hand.objective(other)
                assert cost <= theirs + slack + 1e-6
                savings[name].append(1 - cost / theirs)

    assert min(map(len, savings.values())) > LARGER // 2 - 50
    for name, saved in savings.items():
        told = {"median": round(median(saved), 3), "mean": round(mean(saved), 3), "of": len(saved)}
        record_property(f"saved against {name}", str(told))
    # A greedy planner would save nothing against itself.
    assert median(savings["greedy"]) > 0.03
    assert mean(savings["greedy"]) > 0.10
    assert median(savings["close largest"]) > 0.2
    assert median(savings["pro rata"]) > 0.1


SMALL = 1_000


def test_on_small_accounts_the_cost_is_that_of_brute_force_within_a_step() -> None:
    """Mids stand in favour of a close as often as against it."""
    chance = Random(11)
    reached = in_favour = 0

    for _ in range(SMALL):
        on = coarse_view(chance)
        wanted = random_wants(chance, on, 1, 3)
        made = plan.propose(on, wanted, Means())
        steps, by_rule = steps_of(on, cuts_of(made)), Ledger.of(on)
        with_credit = Ledger.of(on, gives_credit=True)
        best, least = by_rule.cheapest(wanted), with_credit.cheapest(wanted)

        is_reached = all(claim.reached for claim in made.claims)
        assert is_reached or best is None  # found where one exists
        assert not is_reached or least is not None  # and none is made up
        if is_reached and least is not None:
            assert least <= by_rule.objective(steps) + 1e-6
        if best is not None:
            slack = a_step_of_each(by_rule, steps)
            assert by_rule.objective(steps) <= best + slack + 1e-6
            reached += bool(steps)
            in_favour += bool(steps) and least != best
        elif not is_reached:
            assert made.dropped  # what binds is named

    assert reached > SMALL // 3
    assert in_favour > SMALL // 50
