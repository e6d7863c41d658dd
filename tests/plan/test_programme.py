"""The cheapest safe plan: traps by name, the ladder when nothing fits, and what is carried."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import plan
from seawall.action import RefusalCode
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan import claims, greedy, solver
from seawall.plan.demand import Means
from seawall.plan.trial import carried_out, caught_up
from seawall.policy import MeasureRef
from seawall.units import Ppm
from tests.plan.stage import closing, coins, guard, until, with_cash
from tests.see import BTC, ETH, SOL, Held, Number, book, quote, scenario, see, view

NOTHING = Means()
CRASH = scenario(
    "crash", {"BTC-USD": "-0.1", "ETH-USD": "-0.2", "SOL-USD": "-0.2"}, both_signs=True
)


def account(equity: Number, held: Held, **mids: Number) -> View:
    """An account with deep books, at other mids where a market's name gives one."""
    on = see(equity=equity, positions=held)
    books = dict(on.advice.books)
    for market in (BTC, ETH, SOL):
        if (name := market.ticker.split("-")[0]) in mids:
            books[market.ticker] = book(on.markets[market.ticker], mids[name])
    on = replace(on, advice=replace(on.advice, books=books))
    return view(on, scenarios=[CRASH])


def test_a_met_target_asks_for_nothing() -> None:
    on = account(30_000, {"BTC-USD": ("0.1", 100_000)})

    made = plan.propose(on, [until(on, "leverage", "<= 3")], NOTHING)

    assert (made.legs, made.top_ups) == ((), ())


def test_cash_comes_first_and_is_a_whole_dollar_more_than_needed_at_most() -> None:
    on = account(1_000, {"BTC-USD": ("0.05", 100_000)})  # IMR $100, free $900

    made = plan.propose(
        on, [until(on, "free_collateral", ">= 1000.5", cash=3_000)], with_cash(3_000)
    )

    assert made.legs == ()
    assert made.top_ups == ((0, 101_000_000),)


def test_cash_that_does_not_suffice_is_completed_by_size() -> None:
    on = account(1_000, {"BTC-USD": ("0.05", 100_000)})

    made = plan.propose(on, [until(on, "free_collateral", ">= 1000", cash=60)], with_cash(3_000))

    assert made.top_ups == ((0, 60_000_000),)
    assert made.claims[0].reached
    assert 0 < coins(made, on)["BTC-USD"] < Decimal("0.03")


def test_a_deposit_below_ten_dollars_is_not_proposed() -> None:
    on = account(1_000, {"BTC-USD": ("0.05", 100_000)})

    few = plan.propose(on, [until(on, "free_collateral", ">= 903", cash=9)], with_cash(3_000))

    assert few.top_ups == ()
    for target in (">= 903", ">= 900.5"):
        wanted = until(on, "free_collateral", target, cash=50)
        assert plan.propose(on, [wanted], with_cash(3_000)).top_ups == ((0, 10_000_000),)


def test_one_deposit_per_plan_and_the_largest_first() -> None:
    children: dict[int, tuple[Number, Held]] = {128: (1_000, {"SOL-USD": ("20", 200)})}
    on = view(see(equity=1_000, positions={"BTC-USD": ("0.05", 100_000)}, children=children))
    parent = until(on, "free_collateral", ">= 1000", cash=3_000, slippage=None)
    child = until(
        on,
        "free_collateral",
        ">= 1000",
        cash=3_000,
        slippage=None,
        instance=Instance(subaccount=128),
    )
    child = replace(child, name="child#1")

    made = plan.propose(on, [parent, child], with_cash(3_000))

    assert made.top_ups == ((128, 200_000_000),)
    assert made.solver == solver.version()
    assert [claim.reached for claim in made.claims] == [False, True]


def test_a_child_is_fed_where_positions_might_be_cut_as_well() -> None:
    children: dict[int, tuple[Number, Held]] = {128: (1_000, {"SOL-USD": ("20", 200)})}
    on = view(see(equity=1_000, positions={"BTC-USD": ("0.05", 100_000)}, children=children))
    child = Instance(subaccount=128)
    wanted = until(on, "free_collateral", ">= 1000", cash=3_000, instance=child)

    made = plan.propose(on, [wanted], with_cash(3_000))

    assert (made.legs, made.top_ups) == ((), ((128, 200_000_000),))
    assert made.solver == solver.version()


def test_hands_off_and_closed_markets_have_bound_zero() -> None:
    on = account(10_000, {"BTC-USD": ("0.2", 100_000), "SOL-USD": ("60", 200)})
    means = Means(closed=closing((0, "BTC-USD")))

    made = plan.propose(on, [until(on, "leverage", "<= 1")], means)

    assert coins(made, on) == {"SOL-USD": Decimal(60)}
    assert not made.claims[0].reached


def test_where_no_plan_exists_the_most_is_done_and_the_binding_constraint_is_named() -> None:
    on = account(10_000, {"BTC-USD": ("0.5", 100_000)})
    thin = book(on.observation.markets["BTC-USD"], levels=[("0.0002", "0.1")])
    seen = on.observation
    on = view(replace(seen, advice=replace(seen.advice, books={"BTC-USD": thin})))

    made = plan.propose(on, [until(on, "leverage", "<= 2")], NOTHING)

    assert coins(made, on) == {"BTC-USD": Decimal("0.1")}
    (short,) = made.dropped
    assert short.code is RefusalCode.NO_DEPTH
    assert short.what == "reach the target of leverage"


def test_a_trigger_that_is_not_met_is_not_crossed() -> None:
    held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": ("-5", 4_000)}
    on = account(10_000, held)
    wanted = until(on, "leverage", "<= 4.5")
    hedge = guard("net_exposure", "> 12000")
    calm = replace(hedge, instance=Instance(markets=("BTC-USD", "ETH-USD")))
    cheap_eth = see(equity=10_000, positions=held)
    dear = book(cheap_eth.markets["BTC-USD"], half_spread="0.004")
    books = {**cheap_eth.advice.books, "BTC-USD": dear}
    on = view(replace(cheap_eth, advice=replace(cheap_eth.advice, books=books)))

    free = plan.propose(on, [wanted], NOTHING)
    made = plan.propose(on, [wanted], NOTHING, guards=[calm])

    assert "BTC-USD" not in coins(free, on)
    assert coins(made, on)["BTC-USD"] > 0
    assert made.claims[0].reached
    assert made.dropped == ()


def test_a_trigger_that_has_to_be_crossed_is_named() -> None:
    on = account(10_000, {"BTC-USD": ("0.3", 100_000), "ETH-USD": ("-5", 4_000)})
    calm = replace(
        guard("net_exposure", "> 10100"), instance=Instance(markets=("BTC-USD", "ETH-USD"))
    )
    wanted = until(on, "leverage", "<= 4.5", slots=[(0, "ETH-USD")])

    made = plan.propose(on, [wanted], NOTHING, guards=[calm])

    assert made.claims[0].reached
    assert [one.code for one in made.dropped] == [RefusalCode.CROSSES_TRIGGER]


def test_a_plan_also_holds_once_the_oracle_has_caught_up() -> None:
    on = account(10_000, {"BTC-USD": ("0.4", 100_000)}, BTC=98_000)

    made = plan.propose(on, [until(on, "leverage", "<= 3.5")], NOTHING)

    left = Decimal("0.4") - coins(made, on)["BTC-USD"]
    equity = 10_000 - Decimal("0.4") * 2_000  # and costs
    assert left * 98_000 / equity <= Decimal("3.5")


def test_the_solver_its_version_and_its_raw_proposal_are_in_the_plan() -> None:
    on = account(10_000, {"BTC-USD": ("0.4", 100_000)})

    made = plan.propose(on, [until(on, "leverage", "<= 3")], NOTHING)

    assert made.solver == solver.version()
    assert made.proposal == ((0, "BTC-USD", made.legs[0].quantums),)


def test_without_a_solver_the_greedy_plan_is_proposed_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on = account(10_000, {"BTC-USD": ("0.4", 100_000)})
    wanted = [until(on, "leverage", "<= 3")]
    monkeypatch.setattr(solver, "solve", lambda _: None)

    made = plan.propose(on, wanted, NOTHING)

    assert made.solver.startswith("greedy: ")
    assert made.legs == greedy.propose(on, wanted, NOTHING).legs


def test_the_first_plan_of_a_process_prints_nothing() -> None:
    lines = (
        "import numpy as np",
        "from seawall.plan.solver import Programme, solve",
        "one = np.ones(1)",
        "assert solve(Programme(price=one, matrix=np.ones((1, 1)), least=one, most=one)) == 1",
    )

    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_a_plan_keeps_within_the_hour_s_budget_and_says_so() -> None:
    on = account(10_000, {"BTC-USD": ("0.3", 100_000), "SOL-USD": ("100", 200)})
    wanted = until(on, "leverage", "<= 2")
    left = Means(notional_left=quote(12_000))

    made = plan.propose(on, [wanted], left)
    paging = plan.propose(on, [wanted], replace(left, overdrawing=frozenset({wanted.name})))

    cut = sum(leg.expected_quote for leg in made.legs)
    assert quote(11_900) < cut <= quote(12_000)
    assert [one.code for one in made.dropped] == [RefusalCode.BUDGET_NOTIONAL]
    assert "$12,000.00" in made.dropped[0].detail
    assert paging.claims[0].reached
    assert paging.dropped == ()


def test_a_plan_keeps_within_the_day_s_budget_of_cost() -> None:
    on = account(10_000, {"BTC-USD": ("0.5", 100_000)})
    wanted = until(on, "leverage", "<= 2")

    made = plan.propose(on, [wanted], Means(cost_left=quote(10)))

    assert quote("9.8") < made.cost <= quote(10)
    assert [one.code for one in made.dropped] == [RefusalCode.BUDGET_COST]


def test_what_binds_is_named_bound_before_depth() -> None:
    on = account(10_000, {"BTC-USD": ("0.5", 100_000)})
    market = on.observation.markets["BTC-USD"]
    deep = book(market, levels=[("0.0002", "0.1"), ("0.05", "5")])
    seen = on.observation
    on = view(replace(seen, advice=replace(seen.advice, books={"BTC-USD": deep})))

    made = plan.propose(on, [until(on, "leverage", "<= 2")], NOTHING)

    (short,) = made.dropped
    assert short.code is RefusalCode.BOUND
    assert "0/BTC-USD: bound 98000 leaves 0.1" in short.detail


def test_cash_that_is_all_used_is_named() -> None:
    on = account(1_000, {"BTC-USD": ("0.05", 100_000)})

    made = plan.propose(
        on,
        [until(on, "free_collateral", ">= 2000", cash=3_000, slippage=None)],
        with_cash(500),
    )

    assert made.top_ups == ((0, 500_000_000),)
    assert [one.code for one in made.dropped] == [RefusalCode.FLOAT_SHORT]
    assert "cash: $500" in made.dropped[0].detail


def test_cash_that_has_a_price_gives_way_to_size_that_is_cheaper() -> None:
    on = account(10_000, {"BTC-USD": ("0.4", 100_000)})
    wanted = until(on, "leverage", "<= 3.9", cash=3_000)

    free = plan.propose(on, [wanted], with_cash(3_000))
    dear = plan.propose(on, [wanted], replace(with_cash(3_000), cash_price=Ppm(50_000)))

    assert (free.legs, len(free.top_ups)) == ((), 1)
    assert (len(dear.legs), dear.top_ups) == (1, ())


def test_the_greedy_plan_holds_at_the_mid_as_well() -> None:
    on = account(10_000, {"BTC-USD": ("0.4", 100_000)}, BTC=98_000)

    made = greedy.propose(on, [until(on, "leverage", "<= 3.5")], NOTHING)

    left = Decimal("0.4") - coins(made, on)["BTC-USD"]
    equity = 10_000 - Decimal("0.4") * 2_000  # and costs
    assert left * 98_000 / equity <= Decimal("3.5")
    assert made.claims[0].reached


def test_a_target_that_holds_at_the_oracle_alone_is_not_reached() -> None:
    on = account(10_000, {"BTC-USD": ("0.4", 100_000)}, BTC=98_000)
    market = on.observation.markets["BTC-USD"]
    thin = book(market, 98_000, levels=[("0.0002", "0.055")])
    seen = on.observation
    on = view(replace(seen, advice=replace(seen.advice, books={"BTC-USD": thin})))
    wanted = [until(on, "leverage", "<= 3.5")]

    for made in (plan.propose(on, wanted, NOTHING), greedy.propose(on, wanted, NOTHING)):
        assert made.claims[0].after <= Decimal("3.5")
        assert not made.claims[0].reached
        assert made.dropped


def test_a_target_is_aimed_at_from_where_the_mid_is_whatever_the_sign() -> None:
    for mid in (98_500, 101_500):
        for coins_held in ("0.4", "-0.4"):
            on = account(10_000, {"BTC-USD": (coins_held, 100_000)}, BTC=mid)

            made = plan.propose(on, [until(on, "leverage", "<= 3.5")], NOTHING)

            assert made.claims[0].reached
            for seen_from in (on, caught_up(on)):
                assert seen_from is not None
                after = carried_out(seen_from, made)
                leverage = claims.value_of(
                    after, MeasureRef(name="leverage"), Instance(subaccount=0)
                )
                assert isinstance(leverage, Decimal)
                assert leverage <= Decimal("3.5")
