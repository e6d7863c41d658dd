"""What gives way where not all can hold: triggers first, then targets by the same share of each."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import plan
from seawall.action import Plan, RefusalCode
from seawall.intervention import Keep
from seawall.measures.spec import Instance
from seawall.plan.demand import CutDemand, Demand, Means, Slot
from seawall.policy import MeasureRef
from seawall.scenario import Buffer, Caps, DerivedCaps
from seawall.units import BaseQuantums, Ppm
from tests.plan.stage import coins, down_to, exposure, guard, until
from tests.see import (
    BTC,
    ETH,
    SOL,
    Held,
    Number,
    book,
    decimal,
    quantums,
    quote,
    scenario,
    see,
    view,
)

NOTHING = Means()
HEDGED: Held = {"BTC-USD": ("0.5", 100_000), "ETH-USD": (-5, 4_000), "SOL-USD": (-100, 200)}
TWO: Held = {"BTC-USD": ("0.4", 100_000), "SOL-USD": (100, 200)}


def sold(made: Plan, ticker: str) -> Decimal:
    """Dollars at the oracle that a plan closes of a market."""
    legs = [leg for leg in made.legs if leg.ticker == ticker]
    price = {"BTC-USD": 100_000, "ETH-USD": 4_000, "SOL-USD": 200}[ticker]
    scale = {"BTC-USD": -10, "ETH-USD": -9, "SOL-USD": -7}[ticker]
    return sum((Decimal(leg.quantums).scaleb(scale) * price for leg in legs), Decimal(0))


def test_what_is_short_is_short_by_the_same_share_of_what_each_asks() -> None:
    on = view(see(equity=20_000, positions=TWO))
    wanted = [exposure(on, "BTC-USD", 20_000), exposure(on, "SOL-USD", 10_000)]

    made = plan.propose(on, wanted, Means(notional_left=quote(15_000)))

    # $20,000 and $10,000 are asked, $15,000 is in budget: half of each, though BTC is cheaper.
    assert sold(made, "BTC-USD") == pytest.approx(10_000, abs=100)
    assert sold(made, "SOL-USD") == pytest.approx(5_000, abs=100)
    assert {one.code for one in made.dropped} == {RefusalCode.BUDGET_NOTIONAL}


def test_what_a_hedge_takes_from_another_target_counts_in_what_each_is_short() -> None:
    held: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": (-5, 4_000), "SOL-USD": (1, 200)}
    on = view(see(equity=20_000, positions=held))
    pair = Instance(markets=("BTC-USD", "ETH-USD"))
    net = until(on, "net_exposure", "<= 5000", instance=pair)  # 10,000 now

    made = plan.propose(
        on, [net, exposure(on, "ETH-USD", 15_000)], Means(notional_left=quote(7_500))
    )

    # $5,000 of ether and $10,000 of bitcoin reach both, and half of it is in budget.
    assert sold(made, "ETH-USD") == pytest.approx(2_500, abs=100)
    assert sold(made, "BTC-USD") == pytest.approx(5_000, abs=100)


@pytest.mark.parametrize("left", [0, 5, "9.99"])
def test_a_budget_that_leaves_not_a_step_holds_nobody_back(left: Number) -> None:
    on = view(see(equity=20_000, positions=HEDGED))
    everywhere = Instance(markets=tuple(HEDGED))
    net = until(on, "net_exposure", "<= 5000", instance=everywhere, slots=[(0, "BTC-USD")])
    ether = exposure(on, "ETH-USD", 15_000)  # a hedge: closing it takes the net further off
    means = Means(notional_left=quote(left), overdrawing=frozenset({ether.name}))

    made = plan.propose(on, [net, ether], means)

    assert sold(made, "BTC-USD") == 0
    assert sold(made, "ETH-USD") == 5_000


@pytest.mark.parametrize(("left", "closed"), [(5, 0), ("9.99", 0), (10, 10), (15, 10)])
def test_of_a_budget_its_last_whole_step_is_used(left: Number, closed: int) -> None:
    on = view(see(equity=20_000, positions=TWO))  # a step is $10 of bitcoin and $20 of solana
    wanted = until(on, "gross_exposure", "<= 50000", instance=Instance(markets=tuple(TWO)))

    made = plan.propose(on, [wanted], Means(notional_left=quote(left)))

    assert sold(made, "BTC-USD") == closed
    assert sold(made, "SOL-USD") == 0


def test_a_budget_that_a_fixed_cut_uses_up_holds_nobody_back() -> None:
    on = view(see(equity=20_000, positions=HEDGED))
    everywhere = Instance(markets=tuple(HEDGED))
    net = until(on, "net_exposure", "<= 5000", instance=everywhere, slots=[(0, "BTC-USD")])
    fixed, ether = down_to(("SOL-USD", 75)), exposure(on, "ETH-USD", 15_000)
    means = Means(notional_left=quote(5_005), overdrawing=frozenset({ether.name}))

    made = plan.propose(on, [fixed, net, ether], means)

    assert [sold(made, ticker) for ticker in HEDGED] == [0, 5_000, 5_000]


def test_a_target_that_a_fixed_cut_puts_out_of_reach_waits_for_the_others() -> None:
    seen = see(equity=20_000, positions=HEDGED)
    thin = {**seen.advice.books, "BTC-USD": book(BTC, levels=[("0.0002", "0.06")])}
    on = view(replace(seen, advice=replace(seen.advice, books=thin)))
    everywhere = Instance(markets=tuple(HEDGED))
    net = until(on, "net_exposure", "<= 5000", instance=everywhere, slots=[(0, "BTC-USD")])
    wanted: list[Demand] = [
        down_to(("ETH-USD", "3.75")),
        net,
        exposure(on, "SOL-USD", 15_000),
    ]

    made = plan.propose(on, wanted, NOTHING)

    # $6,000 of bitcoin are there: enough for the $5,000 it was off, not beside $5,000 of ether.
    assert [sold(made, ticker) for ticker in HEDGED] == [6_000, 5_000, 5_000]


@pytest.mark.parametrize(
    ("means", "closed"),
    [
        (Means(), 5_000),
        (Means(cash=quote(1_000)), 1_336),
        (Means(cash=quote(1_000), cash_blocked=frozenset({0})), 5_000),
        (Means(cash=quote(5_000)), 5_000),
    ],
)
def test_a_target_that_some_cash_is_there_for_shares_and_one_without_any_waits(
    means: Means, closed: int
) -> None:
    gap = scenario("gap", {"*": "-0.1"})
    on = view(see(equity=20_000, positions=HEDGED), scenarios=[gap])
    # $3,250 of cash reach it beside the ether that is closed, and every dollar of that costs 10%.
    room = until(
        on, "stress_headroom", ">= 21000", scenario="gap", slots=[], slippage=None, cash=10_000
    )

    made = plan.propose(on, [room, exposure(on, "ETH-USD", 15_000)], means)

    assert sold(made, "ETH-USD") == pytest.approx(closed, abs=50)


@pytest.mark.parametrize("slots", [[], [(0, "SOL-USD")]])
def test_what_others_want_of_a_market_ranks_no_target_that_may_not_touch_it(
    slots: list[Slot],
) -> None:
    held: Held = {"BTC-USD": ("0.5", 100_000), "ETH-USD": (-5, 4_000), "SOL-USD": (-100, 200)}
    on = view(see(equity=20_000, positions=held))
    everywhere = Instance(markets=tuple(held))
    net = until(on, "net_exposure", "<= 5000", instance=everywhere, slots=slots)  # 10,000 now
    others = [exposure(on, "ETH-USD", 15_000), exposure(on, "BTC-USD", 45_000)]

    made = plan.propose(on, [net, *others], NOTHING)

    # The $5,000 of bitcoin that another wants bring the net down; of the hedge all is closed.
    assert sold(made, "BTC-USD") == 5_000
    assert sold(made, "ETH-USD") == 5_000


THIN = [("0.0002", "0.625")]  # $2,500 of ether


def test_what_others_want_of_several_markets_ranks_no_target_that_may_touch_none() -> None:
    held: Held = {"BTC-USD": ("0.25", 100_000), "ETH-USD": (-10, 4_000), "SOL-USD": (125, 200)}
    books = {"BTC-USD": book(BTC), "SOL-USD": book(SOL), "ETH-USD": book(ETH, levels=THIN)}
    on = view(see(equity=20_000, positions=held, books=books))
    everywhere = Instance(markets=tuple(held))
    net = until(on, "net_exposure", "<= 5000", instance=everywhere, slots=[])  # 10,000 now
    others = [
        exposure(on, "ETH-USD", 30_000),
        exposure(on, "BTC-USD", 22_500),
        exposure(on, "SOL-USD", 22_500),
    ]

    made = plan.propose(on, [net, *others], NOTHING)

    assert sold(made, "BTC-USD") == sold(made, "SOL-USD") == 2_500
    assert sold(made, "ETH-USD") == 2_500  # all that there is of the hedge that another wants


@pytest.mark.parametrize("sizes", [("0.05", 40), ("0.08", 25)])
def test_of_targets_beyond_their_depth_each_asks_a_budget_for_what_there_is(
    sizes: tuple[Number, Number],
) -> None:
    seen = see(equity=20_000, positions={"BTC-USD": ("0.2", 100_000), "SOL-USD": (100, 200)})
    bitcoin, solana = sizes
    books = {
        "BTC-USD": book(BTC, levels=[("0.0002", bitcoin)]),
        "SOL-USD": book(SOL, levels=[("0.0005", solana)]),
    }
    on = view(replace(seen, advice=replace(seen.advice, books=books)))
    wanted = [exposure(on, "BTC-USD", 10_000), exposure(on, "SOL-USD", 10_000)]

    made = plan.propose(on, wanted, Means(notional_left=quote(6_000)))

    # $5,000 and $8,000 are there of $10,000 that each asks, $6,000 in budget: $3,500 less of each.
    less = {
        market: decimal(size) * price - 3_500
        for market, size, price in (("BTC-USD", bitcoin, 100_000), ("SOL-USD", solana, 200))
    }
    assert {market: sold(made, market) for market in less} == {
        market: pytest.approx(dollars, abs=100) for market, dollars in less.items()
    }


def test_a_target_out_of_reach_takes_no_other_with_it_and_costs_no_more_than_it_must() -> None:
    thin = book(see().markets["BTC-USD"], levels=[("0.0002", "0.1")])
    seen = see(equity=20_000, positions=TWO)
    on = view(
        replace(seen, advice=replace(seen.advice, books={**seen.advice.books, "BTC-USD": thin}))
    )
    wanted = [exposure(on, "BTC-USD", 20_000), exposure(on, "SOL-USD", 10_000)]

    made = plan.propose(on, wanted, NOTHING)

    assert [claim.reached for claim in made.claims] == [False, True]
    assert sold(made, "BTC-USD") == 10_000
    assert sold(made, "SOL-USD") == 10_000
    assert [one.what for one in made.dropped] == ["reach the target of BTC-USD"]


def test_triggers_give_way_before_any_target_does() -> None:
    on = view(see(equity=20_000, positions={"BTC-USD": ("0.3", 100_000), "ETH-USD": (-5, 4_000)}))
    net = replace(
        guard("net_exposure", "> 10100"), instance=Instance(markets=("BTC-USD", "ETH-USD"))
    )

    made = plan.propose(on, [exposure(on, "ETH-USD", 15_000)], NOTHING, guards=[net])

    assert made.claims[0].reached
    assert made.let_go == ("net_exposure/act",)


@pytest.mark.parametrize(
    ("near", "far", "left"),
    [
        ("> 10010", "> 13000", 14_000),  # $1,990 of $10, and $3,000 of $3,000
        ("> 10000.5", "> 10002", 17_000),  # $1,999.50 of a dollar, and $2,998 of two
    ],
)
def test_the_trigger_goes_first_that_is_missed_by_the_largest_share_of_what_it_leaves(
    near: str, far: str, left: int
) -> None:
    held: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": (-5, 4_000), "SOL-USD": (-100, 200)}
    on = view(see(equity=20_000, positions=held))
    guards = [
        replace(guard("net_exposure", trigger), key=other, instance=Instance(markets=both))
        for trigger, other in ((near, "ETH-USD"), (far, "SOL-USD"))
        for both in [("BTC-USD", other)]
    ]
    wanted = [exposure(on, "ETH-USD", 18_000), exposure(on, "SOL-USD", left)]

    for either in (guards, guards[::-1]):
        made = plan.propose(on, wanted, NOTHING, guards=either)

        assert made.let_go == ("ETH-USD", "SOL-USD")
        assert all(claim.reached for claim in made.claims)
        assert made.solver == plan.solver.version()


def test_a_trigger_that_is_met_already_and_one_without_a_row_fence_nothing() -> None:
    on = view(see(equity=20_000, positions=TWO))
    met = guard("leverage", "> 1")
    without = guard("day_loss", ">= 0.0001")

    made = plan.propose(on, [exposure(on, "SOL-USD", 10_000)], NOTHING, guards=[met, without])

    assert made.claims[0].reached
    assert (made.let_go, made.dropped) == ((), ())


def test_a_market_s_bound_is_the_loosest_of_the_levels_that_want_it() -> None:
    seen = see(equity=20_000, positions=TWO)
    deep = book(seen.markets["SOL-USD"], levels=[("0.0005", 20), ("0.008", 200)])
    books = {**seen.advice.books, "SOL-USD": deep}
    on = view(replace(seen, advice=replace(seen.advice, books=books)))
    tight = exposure(on, "SOL-USD", 12_000, slippage=2_000)
    loose = replace(exposure(on, "SOL-USD", 19_900, slippage=10_000), name="other", key="other")

    alone = plan.propose(on, [tight], NOTHING)
    both = plan.propose(on, [tight, loose], NOTHING)

    assert coins(alone, on) == {"SOL-USD": Decimal(20)}
    assert coins(both, on) == {"SOL-USD": Decimal(40)}
    (leg,) = both.legs
    assert on.observation.markets["SOL-USD"].dollars(leg.worst_subticks) == 198


def test_demands_on_one_position_take_the_larger_and_never_the_sum() -> None:
    on = view(see(equity=20_000, positions=TWO))
    third = CutDemand(
        name="amount#1",
        key="amount",
        measure=MeasureRef(name="drawdown"),
        instance=Instance(),
        keeps=(Keep(subaccount=0, ticker="SOL-USD", quantums=BaseQuantums(7 * 10**8)),),
        max_slippage=Ppm(10_000),
    )

    less = plan.propose(on, [third, exposure(on, "SOL-USD", 18_000)], NOTHING)
    more = plan.propose(on, [third, exposure(on, "SOL-USD", 10_000)], NOTHING)

    assert coins(less, on) == {"SOL-USD": Decimal(30)}
    assert coins(more, on) == {"SOL-USD": Decimal(50)}
    assert set(more.legs[0].asked_by) == {"amount#1", "SOL-USD#1"}


@pytest.mark.parametrize("equity", [10_000, 10_004])
def test_a_derived_cap_that_closing_itself_uses_up_closes_everything(equity: int) -> None:
    """Equity less buffer is nothing, or $4 where closing $20,000 costs $14: the cap is 0."""
    derived = DerivedCaps(max_drawdown=Ppm(120_000), scenario="gap", shares={"*": Ppm(500_000)})
    on = view(
        see(equity=equity, positions={"SOL-USD": (100, 200)}),
        caps=Caps(derived=derived),
        buffer=Buffer(parent=Decimal(10_000)),
        scenarios=[scenario("gap", {"SOL-USD": "-0.1"}, slippage="0.01")],
    )
    wanted = until(on, "cap_use", "<= 0.95", instance=Instance(market="SOL-USD"))

    made = plan.propose(on, [wanted], NOTHING)

    assert coins(made, on) == {"SOL-USD": Decimal(100)}
    assert made.claims[0].reached
    assert made.claims[0].after == 0
    assert made.dropped == ()


def test_a_cut_that_is_done_neither_loosens_a_bound_nor_asks_for_anything() -> None:
    on = view(see(equity=10_000, positions={"BTC-USD": ("0.4", 100_000)}))
    wanted = until(on, "leverage", "<= 3", slippage=4_000)
    keep = Keep(subaccount=0, ticker="BTC-USD", quantums=quantums(BTC, "0.4"))
    stands = CutDemand(
        name="day/act lock",
        key="day",
        measure=MeasureRef(name="day_loss"),
        instance=Instance(),
        keeps=(keep,),
        max_slippage=Ppm(50_000),
    )

    for planner in (plan.propose, plan.propose_simply):
        (leg,) = planner(on, [stands, wanted], Means()).legs

        assert leg.asked_by == (wanted.name,)
        assert BTC.dollars(leg.worst_subticks) == 99_600


@pytest.mark.parametrize("cash", [0, 500])
def test_equity_that_no_cash_comes_for_keeps_nothing_from_being_closed(cash: int) -> None:
    on = view(see(equity=20_000, positions={"BTC-USD": (1, 100_000)}))
    feed = until(on, "equity", ">= 22000", slippage=None, cash=3_000)

    made = plan.propose(on, [feed, until(on, "leverage", "<= 3")], Means(cash=quote(cash)))

    assert [claim.reached for claim in made.claims] == [False, True]
    assert made.solver == plan.solver.version()
    assert made.top_ups == (((0, quote(cash)),) if cash else ())
    assert sold(made, "BTC-USD") == pytest.approx(40_000 - 3 * cash, abs=200)


def test_half_a_dollar_that_no_cash_comes_for_keeps_nothing_from_being_closed() -> None:
    on = view(see(equity=20_000, positions={"BTC-USD": (1, 100_000)}))
    feed = until(on, "equity", ">= 20000.5", slippage=None, cash=3_000)

    made = plan.propose(on, [feed, until(on, "leverage", "<= 3")], Means(cash=quote(3)))

    assert [claim.reached for claim in made.claims] == [False, True]


@pytest.mark.parametrize("times", [1, 1_000])
def test_equity_that_cash_reaches_is_reached_beside_a_target_that_nothing_does(times: int) -> None:
    held: Held = {"BTC-USD": (times, 100_000)}
    deep = book(BTC, levels=[("0.0002", 10 * times)])
    on = view(see(equity=20_000 * times, positions=held, books={"BTC-USD": deep}))
    feed = until(on, "equity", f">= {22_000 * times}", slippage=None, cash=3_000 * times)
    wanted = [feed, until(on, "leverage", "<= 3"), exposure(on, "BTC-USD", -times)]

    made = plan.propose(on, wanted, Means(cash=quote(3_000 * times)))

    assert made.solver == plan.solver.version()
    assert [claim.reached for claim in made.claims] == [True, True, False]
    ((_, deposit),) = made.top_ups
    assert quote(2_060 * times) <= deposit <= quote(2_080 * times)  # the costs of closing all too
