"""The lines of the programme, each by hand: what is fixed, wallet and budgets, goals and fences.

$40,000 of BTC in two levels of which the first takes 0.1, $20,000 of SOL short in one, equity
$20,000, and a child with $1,000 and one ETH. A level is 10 bps off the oracle, the second 20, and
the fee is 5 bps. Columns: BTC, BTC, SOL, the child's ETH, and cash into either subaccount.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan import solver
from seawall.plan.demand import Demand, Means
from seawall.plan.desk import desk_of
from seawall.plan.greedy import Guard
from seawall.plan.ladder import Ladder
from seawall.plan.model import Model
from seawall.plan.solver import Found
from seawall.units import Ppm
from tests.plan.stage import down_to, exposure, guard, until
from tests.see import BTC, ETH, SOL, Held, Number, book, quote, see, view

CHILD = Instance(subaccount=128)
FIRST, SECOND, BOUGHT = 0.001 + 0.0005 * 0.999, 0.002 + 0.0005 * 0.998, 0.001 + 0.0005 * 1.001

BTC_LEVELS: list[tuple[Number, Number]] = [("0.001", "0.1"), ("0.002", 9)]


def account(*, btc_mid: Number = 100_000, btc_levels: int = 2) -> View:
    held: Held = {"BTC-USD": ("0.4", 100_000), "SOL-USD": (-100, 200)}
    books = {
        "BTC-USD": book(BTC, btc_mid, levels=BTC_LEVELS[:btc_levels]),
        "SOL-USD": book(SOL, levels=[("0.001", 900)]),
        "ETH-USD": book(ETH, levels=[("0.001", 90)]),
    }
    children: dict[int, tuple[Number, Held]] = {128: (1_000, {"ETH-USD": (1, 4_000)})}
    return view(see(equity=20_000, positions=held, books=books, children=children))


ON = account()
WANTED = (
    exposure(ON, "BTC-USD", 30_000),
    exposure(ON, "SOL-USD", 10_000),
    replace(until(ON, "leverage", "<= 2", instance=CHILD, cash=500), name="child#1", key="child"),
)


def model_of(
    *more: Demand, on: View = ON, guards: tuple[Guard, ...] = (), means: Means | None = None
) -> Model:
    return Model(desk_of(on, (*WANTED, *more), means or Means(), scenarios=(), guards=guards))


def lines(model: Model, kind: str, owner: str = "") -> list[tuple[list[float], float]]:
    """Coefficients, and the least of their sum."""
    found = [one for one in model._lines if one.kind == kind and owner in {"", one.owner}]
    return [(list(one.coefficients), one.least) for one in found]


def assert_line(model: Model, kind: str, coefficients: list[float], least: float) -> None:
    ((has, asks),) = lines(model, kind)
    assert has == pytest.approx(coefficients, abs=1e-9)
    assert asks == pytest.approx(least, abs=1e-7)


def test_cash_is_never_free_and_costs_what_the_settings_say() -> None:
    priced = model_of(means=Means(cash_price=Ppm(10_000)))

    assert list(model_of()._price[-2:]) == [1e-7, 1e-7]
    assert list(priced._price[-2:]) == [0.01, 0.01]


def test_all_deposits_together_are_within_the_wallet() -> None:
    assert_line(model_of(means=Means(cash=quote(700))), "cash", [0, 0, 0, 0, -1, -1], -700)


def test_what_is_fixed_is_cut_as_far_as_the_book_goes() -> None:
    shallow = account(btc_levels=1)

    some = model_of(down_to(("BTC-USD", "0.25")))
    most = model_of(down_to(("BTC-USD", "0.25")), on=shallow)

    assert_line(some, "fixed", [1, 1, 0, 0, 0, 0], 15_000)
    assert_line(most, "fixed", [1, 0, 0, 0, 0], 10_000)


def test_the_budgets_bind_what_no_level_that_pages_wants_itself() -> None:
    """Rounding up to a step of BTC, SOL and ETH, $10, $20 and $4, is left room for in the cost."""
    spare = 10 * SECOND + 20 * BOUGHT + 4 * FIRST
    hour = model_of(means=Means(notional_left=quote(9_000)))
    day = model_of(means=Means(cost_left=quote(30)))
    paging = down_to(("BTC-USD", "0.25"))
    free = Means(cost_left=quote(30), overdrawing=frozenset({paging.name}))

    assert_line(hour, "budget", [-1, -1, -1, -1, 0, 0], -9_000)
    drags = [-FIRST, -SECOND, -BOUGHT, -FIRST, 0, 0]
    assert_line(day, "budget", drags, -(30 - spare))
    used = 10_000 * FIRST + 5_000 * SECOND
    assert_line(model_of(paging, means=free), "budget", drags, -(30 - spare + used))


def test_a_budget_that_is_overdrawn_leaves_what_is_fixed_and_no_more() -> None:
    over = Means(notional_left=quote(-5))

    assert_line(model_of(means=over), "spent", [-1, -1, -1, -1, 0, 0], 0)
    fixed = model_of(down_to(("BTC-USD", "0.35")), means=over)
    assert_line(fixed, "spent", [-1, -1, -1, -1, 0, 0], -5_000)


def test_the_budget_of_cost_and_the_fences_are_seen_from_the_oracle() -> None:
    """The mid is 1% lower: from there a level costs 1% less, and a dollar is worth 99 cents."""
    on = account(btc_mid=99_000)
    gross = replace(guard("gross_exposure", "> 61000"), instance=Instance(markets=("BTC-USD",)))

    model = model_of(on=on, guards=(gross,), means=Means(cost_left=quote(900)))

    ((budget, _),) = lines(model, "budget")
    ((fence, _),) = lines(model, "fence")
    ratio = 0.99 * 0.999
    assert budget[0] == pytest.approx(-(1 - ratio + 0.0005 * ratio), abs=1e-6)
    assert fence[:2] == pytest.approx([1, 1])


def test_a_goal_counts_the_cash_that_lands_in_its_subaccount() -> None:
    means = Means(cash_in_flight=((0, quote(70)), (128, quote(50))))

    (child, solvent) = lines(model_of(means=means), "goal", "child#1")

    # $4,000 less twice $1,050; a dollar of cost or of cash counts twice.
    assert child[0] == pytest.approx([0, 0, 0, 1 - 2 * FIRST, 0, 2], abs=1e-9)
    assert child[1] == pytest.approx(4_000 - 2_100)
    assert solvent[1] == pytest.approx(1 - 1_050)


@pytest.mark.parametrize(("limit", "least"), [("41000", -999.98), ("40000.02", -0.01)])
def test_a_fence_keeps_two_cents_away_or_half_of_what_there_is(limit: str, least: float) -> None:
    gross = replace(guard("gross_exposure", f"> {limit}"), instance=Instance(market="BTC-USD"))

    assert_line(model_of(guards=(gross,)), "fence", [1, 1, 0, 0, 0, 0], least)


def test_a_share_is_what_is_not_a_demand_s_own_and_how_much_of_it_is() -> None:
    """$15,000 of BTC are cut anyway, which does for its own demand; the child's level has $500."""
    model = model_of(down_to(("BTC-USD", "0.25")))

    shares = list(model._shares({0: 700.0, 128: 900.0}))

    assert [(one.owner, one.at, round(one.own, 6), one.is_cash) for one in shares] == [
        ("SOL-USD#1", (0, 1), 15_000, False),
        ("SOL-USD#1", (3,), 0, False),
        ("SOL-USD#1", (4,), 0, True),
        ("SOL-USD#1", (5,), 0, True),
        ("child#1", (4,), 0, True),
        ("child#1", (5,), 500, True),
    ]


def test_only_what_is_soft_and_missed_gives_way_and_by_a_hair_more_than_it_must(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = model_of()
    ladder = Ladder(model._lines, model._price)
    owners = [one.owner for one in model._lines]
    dust = {"": 1e-9, "BTC-USD#1": 0.5, "SOL-USD#1": 0.0, "child#1": 3.0}
    short = np.array([dust[owner] for owner in owners])
    found = Found(values=model._price, short=short)
    monkeypatch.setattr(solver, "nearest", lambda *_: found)

    goals = ladder._of_kind("goal")
    missed = ladder._nearest(goals, ladder._least, model._price, ladder._without(()))

    hair = {"": 0, "BTC-USD#1": 0.500001, "SOL-USD#1": 0, "child#1": 3.000001}
    assert missed is not None
    assert list(missed) == pytest.approx([hair[owner] for owner in owners], rel=0, abs=1e-12)


def test_a_goal_counts_as_missed_beyond_four_millionths_of_it_or_of_a_dollar() -> None:
    model = model_of()
    ladder = Ladder(model._lines, model._price)
    owners = [one.owner for one in model._lines]
    large, small = owners.index("BTC-USD#1"), owners.index("SOL-USD#1")
    ladder._least[large], ladder._least[small] = -10_000, 0.5

    def named(line: int, by: float) -> tuple[str, ...]:
        missed = np.zeros(len(owners))
        missed[line] = by
        return ladder._short(missed)

    assert named(large, 0.04) == ()
    assert named(large, 0.0401) == ("BTC-USD#1",)
    assert named(small, 4e-6) == ()
    assert named(small, 4.1e-6) == ("SOL-USD#1",)
    goals = np.array([float(one.kind == "goal") for one in model._lines])
    assert ladder._short(goals) == ("BTC-USD#1", "SOL-USD#1", "child#1")
