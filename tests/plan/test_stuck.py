"""A target that cannot move now stays where it is where it can, and holds nobody back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from random import Random

import numpy as np
import pytest

from seawall import plan
from seawall.account import Book
from seawall.action import RefusalCode
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan.demand import Means, UntilDemand
from seawall.plan.ladder import Ladder, Line
from tests.plan.random_accounts import random_view, random_wants
from tests.plan.stage import closing, coins, exposure, until
from tests.see import BTC, ETH, Held, book, scenario, see, view

NOTHING = Means()
HELD: Held = {"BTC-USD": ("0.5", 100_000), "ETH-USD": (-5, 4_000), "SOL-USD": (-100, 200)}
NO_BIDS = replace(book(BTC), bids=())
BEYOND = book(BTC, levels=[("0.0300", 1)])  # nothing within the bound of 2%
ONE_STEP = book(BTC, levels=[("0.0002", "0.0001"), ("0.0300", 1)])


def hedged(bitcoin: Book, **others: Book) -> View:
    """$50,000 of bitcoin that has no market now, against $20,000 of ether and of solana."""
    seen = see(equity=20_000, positions=HELD)
    shown: Mapping[str, Book] = {
        **seen.advice.books,
        "BTC-USD": bitcoin,
        **{f"{name}-USD": one for name, one in others.items()},
    }
    gap = scenario("gap", {"*": "-0.1"})
    return view(replace(seen, advice=replace(seen.advice, books=shown)), scenarios=[gap])


Stuck = Callable[[View], UntilDemand]


def net(on: View, most: int = 5_000) -> UntilDemand:
    """$10,000 net long, that only selling bitcoin brings down."""
    everywhere = Instance(markets=tuple(HELD))
    return until(on, "net_exposure", f"<= {most}", instance=everywhere)


def headroom(on: View) -> UntilDemand:
    """20,000 - 1,000 of the net and the margin on what is left: more than there is."""
    return until(on, "stress_headroom", ">= 19000", scenario="gap", slots=[(0, "BTC-USD")])


@pytest.mark.parametrize("bitcoin", [NO_BIDS, BEYOND, ONE_STEP])
@pytest.mark.parametrize("stuck", [net, headroom])
def test_a_target_that_cannot_move_now_vetoes_no_other(bitcoin: Book, stuck: Stuck) -> None:
    on = hedged(bitcoin)

    made = plan.propose(on, [stuck(on), exposure(on, "ETH-USD", 15_000)], NOTHING)

    assert [claim.reached for claim in made.targets] == [False, True]
    assert coins(made, on)["ETH-USD"] == Decimal("1.25")
    assert made.solver == plan.solver.version()
    why = next(one for one in made.dropped if one.what.startswith("reach the target of"))
    assert why.code in {RefusalCode.NO_DEPTH, RefusalCode.BOUND}
    assert "targets within reach come first and take it from $" in why.detail


def test_what_cannot_move_now_is_made_no_worse_where_the_others_can_go_round_it() -> None:
    # Leverage comes down cheapest by ether, which is the hedge; solana is held long here.
    cheap = hedged(NO_BIDS, ETH=book(ETH, half_spread="0.0001"))
    long = see(equity=20_000, positions={**HELD, "SOL-USD": (100, 200)})
    seen = replace(cheap.observation, subaccounts=long.subaccounts)
    on = view(seen, scenarios=[*cheap.scenarios.values()])
    other = until(on, "leverage", "<= 4.4", slots=[(0, "ETH-USD"), (0, "SOL-USD")])

    alone = plan.propose(on, [other], NOTHING)
    made = plan.propose(on, [headroom(on), other], NOTHING)

    assert set(coins(alone, on)) == {"ETH-USD"}
    assert "SOL-USD" in coins(made, on)
    stuck, reached = made.targets
    assert reached.reached
    assert not stuck.reached
    assert stuck.before <= stuck.after


def test_of_several_that_are_out_of_reach_those_that_get_somewhere_come_first() -> None:
    on = hedged(NO_BIDS, ETH=book(ETH, levels=[("0.0002", 1), ("0.03", 100)]))

    made = plan.propose(on, [net(on), exposure(on, "ETH-USD", 15_000)], NOTHING)

    assert coins(made, on) == {"ETH-USD": Decimal(1)}  # all that is within the bound
    assert made.solver == plan.solver.version()


def test_of_random_accounts_no_target_is_lost_to_one_whose_market_is_closed() -> None:
    chance, missed = Random(3), 0
    for _ in range(150):
        on = random_view(chance, tuple(HELD), 4)
        closed = chance.choice(tuple(HELD))
        first, *rest = random_wants(chance, on, 2, 4)
        stuck = replace(first, name="stuck#1", key="stuck", slots=((0, closed),))
        others = [replace(one, slots=tuple((0, t) for t in HELD if t != closed)) for one in rest]
        means = Means(closed=closing((0, closed)))
        if plan.is_met(on, stuck.measure, stuck.instance, stuck.target):
            continue

        alone = plan.propose(on, others, means)
        made = plan.propose(on, [stuck, *others], means)

        missed += not made.targets[0].reached
        for before, after in zip(alone.targets, made.targets[1:], strict=True):
            assert after.reached or not before.reached, (on, stuck, before, after)

    assert missed > 50


def test_what_a_target_that_does_not_move_holds_already_it_goes_on_holding() -> None:
    def line(owner: str, least: float, *coefficients: float) -> Line:
        its = np.array(coefficients, dtype=np.float64)
        return Line(coefficients=its, gains=its, least=float(least), kind="goal", owner=owner)

    stuck = [line("stuck", 10, 0, 0, 1), line("stuck", -5, -1, 0, 0)]  # two rows of one measure
    ladder = Ladder([*stuck, line("other", 20, 1, 1, 0)], np.array([1.0, 2.0, 1.0]))

    found = ladder.best((), np.array([100.0, 100.0, 0.0]))

    assert found is not None
    assert found.values == pytest.approx([5, 15, 0], abs=1e-4)
    assert found.short == ("stuck",)
