"""What a plan is made from, and the words for a target that it does not reach."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import plan
from seawall.account import Market
from seawall.action import Refusal, RefusalCode
from seawall.intervention import Keep
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan import desk as desks
from seawall.plan import shortfall
from seawall.plan.claims import claims_of
from seawall.plan.demand import CutDemand, Demand, Means, UntilDemand
from seawall.plan.desk import Desk, desk_of, fits, used
from seawall.plan.greedy import legs_of
from seawall.plan.trial import Trial
from seawall.policy import MeasureRef
from seawall.units import BaseQuantums, Ppm, QuoteQuantums
from tests.plan.stage import closing, coins, until
from tests.see import BTC, ETH, Held, Number, book, quantums, quote, see, view

HELD: Held = {"BTC-USD": ("0.4", 100_000)}
SLOT = (0, "BTC-USD")


def shown(*levels: tuple[Number, Number], held: Held = HELD, equity: int = 10_000) -> View:
    """A view in which so much of the bitcoin's book is seen: distances from mid, and coins."""
    books = {"BTC-USD": book(BTC, levels=levels)} if levels else {}
    return view(see(equity=equity, positions=held, books=books))


def down_to(coins: Number, *, ticker: str = "BTC-USD", market: Market = BTC) -> CutDemand:
    return CutDemand(
        name="loss#1",
        key="loss",
        measure=MeasureRef(name="drawdown"),
        instance=Instance(),
        keeps=(Keep(subaccount=0, ticker=ticker, quantums=quantums(market, coins)),),
        max_slippage=Ppm(20_000),
    )


def missed(desk: Desk, paper: Trial, wanted: UntilDemand) -> Refusal:
    """What is said of a target that such a paper account misses."""
    return shortfall.of(desk, paper, wanted, claims_of(desk.view, paper.views(), [wanted])[0])


def desk_on(on: View, *demands: Demand, means: Means | None = None) -> Desk:
    return desk_of(on, demands, means or Means(), scenarios=(), guards=())


def said(on: View, demand: UntilDemand, means: Means | None = None) -> list[str]:
    """Codes and words for what is short once the most has been done."""
    made = plan.propose(on, [demand], means or Means())
    return [f"{one.code}: {one.detail}" for one in made.dropped]


def test_the_budgets_bind_what_is_cut_beyond_what_is_free() -> None:
    on = shown(("0.001", 9))
    desk = desk_on(on, until(on, "leverage", "<= 1"))

    def bound(free: int, of: int) -> tuple[int, bool]:
        there = replace(desk, unbound={SLOT: free} if free else {}, rooms={SLOT: of})
        return there.bound_of(SLOT, of), there.is_budgeted(SLOT)

    assert bound(0, 5) == (5, True)
    assert bound(3, 5) == (2, True)
    assert bound(5, 5) == bound(7, 5) == bound(0, 0) == (0, False)


def test_depth_binds_once_not_even_a_step_of_it_is_left() -> None:
    on = shown(("0.001", "0.1"))
    wanted = until(on, "leverage", "<= 1")
    desk = desk_on(on, wanted)
    step = BTC.step_base_quantums

    def code(left: int) -> RefusalCode:
        return missed(desk, desk.paper.with_cut(SLOT, desk.rooms[SLOT] - left), wanted).code

    assert code(step) is RefusalCode.UNREACHABLE
    assert code(step - 1) is code(0) is RefusalCode.NO_DEPTH


def test_what_is_not_said_of_means_and_cuts_is_nothing_and_no_bound() -> None:
    assert (Means().cash, Means().cash_price) == (0, 0)
    assert (Means().notional_left, Means().cost_left) == (None, None)
    assert not down_to(0).in_proportion


def test_a_position_may_be_cut_as_far_as_depth_and_those_who_want_it_say() -> None:
    on = shown(("0.001", "0.3"))
    some = until(on, "leverage", "<= 1")

    def room(*demands: Demand) -> int:
        return desk_on(on, *demands).rooms[SLOT]

    assert room(some) == quantums(BTC, "0.3")  # the depth
    assert room(down_to("0.3")) == quantums(BTC, "0.1")  # what a fixed cut takes
    assert room(down_to(0)) == quantums(BTC, "0.3")
    assert room(down_to("0.3"), some) == quantums(BTC, "0.3")
    assert SLOT not in desk_on(on, down_to("0.5")).rooms  # less is held than may stay


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ((("0.001", "0.3"),), "NO_DEPTH: 0/BTC-USD: depth is 0.3"),
        ((("0.001", "0.3"), ("0.03", 9)), "BOUND: 0/BTC-USD: bound 98000 leaves 0.3"),
        ((("0.001", "0.4"),), None),
    ],
)
def test_a_target_that_is_short_names_depth_or_bound(
    levels: tuple[tuple[str, str], ...], words: str | None
) -> None:
    on = shown(*levels)
    wanted = until(on, "gross_exposure", "<= 5000", instance=Instance(market="BTC-USD"))

    expected = [] if words is None else [f"{words}. The rest follows in the next window"]

    assert said(on, wanted) == expected


def test_a_cut_of_fixed_size_beyond_the_depth_is_told_as_what_the_depth_takes() -> None:
    on = shown(("0.001", "0.3"))
    wanted = until(on, "gross_exposure", "<= 5000", instance=Instance(market="BTC-USD"))

    made = plan.propose(on, [wanted, down_to(0)], Means())  # all 0.4 are asked for, 0.3 are there

    (short,) = [one for one in made.dropped if one.what == f"reach the target of {wanted.key}"]
    assert (short.code, short.detail) == (
        RefusalCode.NO_DEPTH,
        "0/BTC-USD: depth is 0.3. The rest follows in the next window",
    )


def test_a_short_s_depth_is_on_the_other_side_of_the_book() -> None:
    on = shown(("0.001", "0.3"), ("0.03", 9), held={"BTC-USD": ("-0.4", 100_000)})
    wanted = until(on, "gross_exposure", "<= 5000", instance=Instance(market="BTC-USD"))

    (words,) = said(on, wanted)

    assert words.startswith("BOUND: 0/BTC-USD: bound 102000 leaves 0.3")


def test_of_what_is_held_no_more_nothing_is_said() -> None:
    on = shown(("0.001", "0.3"))
    wanted = until(on, "leverage", "<= 0.5", slots=[SLOT, (0, "ETH-USD")])

    (words,) = said(on, wanted)

    assert words == "NO_DEPTH: 0/BTC-USD: depth is 0.3. The rest follows in the next window"


def test_a_market_that_may_not_be_traded_is_named_with_the_reason() -> None:
    on = shown(("0.001", 9))
    wanted = until(on, "gross_exposure", "<= 5000", instance=Instance(market="BTC-USD"))

    (words,) = said(on, wanted, Means(closed=closing(SLOT)))

    assert words.startswith("MARKET_CLOSED: 0/BTC-USD: market is PAUSED")
    assert "take it from" not in words  # it stays where it is


@pytest.mark.parametrize(
    ("cash", "means", "words"),
    [
        (500, Means(cash=quote(9_000)), "FLOAT_SHORT: cash: $500 is what level, float and"),
        (5_000, Means(cash=quote(300)), "FLOAT_SHORT: cash: $300 is what level, float and"),
        (5_000, Means(cash=quote(9)), "FLOAT_SHORT: cash: $9 is what level, float and"),
        (
            5_000,
            Means(cash=quote(9_000), cash_blocked=frozenset({0})),
            "TRANSFERS_BLOCKED: no deposit into 0 now",
        ),
    ],
)
def test_cash_that_does_not_suffice_or_may_not_move_is_named(
    cash: int, means: Means, words: str
) -> None:
    on = shown(("0.001", 9))
    wanted = until(on, "equity", ">= 30000", cash=cash, slippage=None)

    (found,) = said(on, wanted, means)

    assert found.startswith(words)


def reason(wanted: UntilDemand, on: View, cash: Number, means: Means) -> RefusalCode:
    """The first reason for a target missed with so much cash on paper."""
    desk = desk_on(on, wanted, means=means)
    return missed(desk, desk.paper.with_cash(0, quote(cash)), wanted).code


def test_what_is_said_of_cash_counts_whole_dollars_and_not_those_under_way() -> None:
    on = shown(("0.001", 9))
    wanted = until(on, "equity", ">= 30000", cash=100, slippage=None, slots=[])
    means = Means(cash=quote(9_000))
    flying = replace(means, cash_in_flight=((0, quote(40)),))
    unreachable, waits = RefusalCode.UNREACHABLE, RefusalCode.TOP_UP_IN_FLIGHT

    assert reason(wanted, on, 0, means) is waits
    assert reason(wanted, on, 0, Means(cash_later=quote(100))) is waits
    assert reason(wanted, on, 1, means) is unreachable  # something other than cash binds
    assert reason(wanted, on, 99, means) is unreachable
    assert reason(wanted, on, 100, means) is RefusalCode.FLOAT_SHORT
    assert reason(wanted, on, 40, flying) is waits
    assert reason(wanted, on, 140, flying) is RefusalCode.FLOAT_SHORT
    assert reason(wanted, on, 139, flying) is unreachable
    ten = replace(wanted, cash_most=quote(10))
    assert reason(ten, on, 0, means) is waits
    assert reason(replace(ten, cash_most=quote(9)), on, 0, means) is RefusalCode.FLOAT_SHORT


def test_of_several_reasons_the_budget_comes_first() -> None:
    on = shown(("0.001", 9))
    wanted = until(on, "leverage", "<= 1", cash=100)

    (words,) = said(on, wanted, Means(cash=quote(100), notional_left=quote(1_000)))

    assert words == (
        "BUDGET_NOTIONAL: the hour's budget leaves $1,000.00 until 23:00Z; cash: $100 is what "
        "level, float and budget leave. The rest follows from 23:00Z"
    )


def test_what_no_window_changes_is_not_promised_for_the_next_one() -> None:
    on = shown(("0.001", "0.3"))
    fed = until(on, "leverage", "<= 0.1", slippage=None, cash=100)
    wanted = until(on, "leverage", "<= 0.1", cash=100)
    means = Means(cash=quote(100))

    (alone,), (beside,) = said(on, fed, means), said(on, wanted, means)
    (shut,) = said(on, until(on, "leverage", "<= 1"), Means(closed=closing(SLOT)))

    assert alone.endswith("float and budget leave. The rest follows once that has changed")
    assert beside.endswith("float and budget leave. The rest follows in the next window")  # depth
    assert shut.endswith("market is PAUSED. The rest follows once that has changed")


def test_a_budget_of_the_day_frees_at_midnight_whatever_else_waits() -> None:
    on = shown(("0.001", 9))
    little = Means(notional_left=quote(1_000), cost_left=quote("0.1"))

    (words,) = said(on, until(on, "leverage", "<= 1"), little)

    assert "the day's budget leaves $0.10 of cost until 00:00Z" in words
    assert words.endswith("The rest follows from 00:00Z")


def test_orders_that_are_too_many_fit_no_budget() -> None:
    on = shown(("0.001", 9))
    wanted = until(on, "leverage", "<= 1")
    legs = legs_of(desk_on(on, wanted).paper.with_cut(SLOT, int(quantums(BTC, "0.1"))), [wanted])

    assert fits(desk_on(on, wanted, means=Means(orders_left=1)), legs)
    assert not fits(desk_on(on, wanted, means=Means(orders_left=0)), legs)


def test_a_budget_is_not_named_where_depth_binds() -> None:
    on = shown(("0.001", "0.1"), held={**HELD, "ETH-USD": (5, 4_000)})
    wanted = until(on, "gross_exposure", "<= 5000", instance=Instance(market="BTC-USD"))
    wanted = replace(wanted, slots=(SLOT,))
    other = until(on, "leverage", "<= 5.9", slots=[(0, "ETH-USD")])
    made = plan.propose(on, [wanted, other], Means(notional_left=quote(10_010)))

    (mine,) = (one for one in made.dropped if one.what == "reach the target of gross_exposure")

    assert mine.code is RefusalCode.NO_DEPTH


def test_budgets_bind_what_no_level_that_pages_asks_for() -> None:
    on = shown(("0.001", 9))
    mine = until(on, "leverage", "<= 1")
    other = replace(mine, name="other#1", slots=())
    over = Means(overdrawing=frozenset({mine.name}))

    assert desk_on(on, mine).is_budgeted(SLOT)
    assert not desk_on(on, mine, means=over).is_budgeted(SLOT)
    assert not desk_on(on, mine, other, means=over).is_budgeted(SLOT)
    elsewhere = Means(overdrawing=frozenset({other.name}))
    assert desk_on(on, mine, other, means=elsewhere).is_budgeted(SLOT)


def test_legs_fit_a_budget_to_its_last_quantum() -> None:
    on = shown(("0.001", 9))
    cut = down_to("0.3")
    legs = legs_of(desk_on(on, cut).paper, [cut])
    notional, cost = used(desk_on(on, cut), legs)
    assert (notional, cost) == (quote(10_000), legs[0].cost_vs_oracle)

    def has_room(notional_left: int | None, cost_left: int | None) -> bool:
        left = [None if one is None else QuoteQuantums(one) for one in (notional_left, cost_left)]
        means = Means(notional_left=left[0], cost_left=left[1])
        return fits(desk_on(on, cut, means=means), legs)

    assert has_room(None, None)
    assert has_room(notional, cost)
    assert has_room(notional, None)
    assert has_room(None, cost)
    assert not has_room(notional - 1, None)
    assert not has_room(None, cost - 1)


@pytest.mark.parametrize("left", ["0", "0.001", "0.02", "0.5"])
def test_a_cost_budget_that_leaves_not_a_step_or_few_is_named(left: str) -> None:
    on = shown(("0.001", 9))
    wanted = until(on, "leverage", "<= 1")

    (told,) = plan.propose(on, [wanted], Means(cost_left=quote(left))).dropped

    assert told.code is RefusalCode.BUDGET_COST
    assert "the day's budget leaves $0." in told.detail


def test_what_is_not_closed_since_it_would_do_harm_is_not_told_as_used_up() -> None:
    seen = shown(("0.001", 9)).observation
    lagging = book(BTC, 97_400)  # 2.6% below the oracle: closing costs more than the 2% it frees
    on = view(replace(seen, advice=replace(seen.advice, books={"BTC-USD": lagging})))

    made = plan.propose(on, [until(on, "free_collateral", ">= 9900")], Means())

    (told,) = made.dropped
    assert made.legs == ()
    assert (told.code, told.detail) == (
        RefusalCode.UNREACHABLE,
        "closing more would take it, or another target, further off",
    )


def test_what_is_not_closed_is_not_told_as_used_up_where_something_else_is() -> None:
    # Without a book bitcoin is reckoned at its bound: 2% and a fee for the 2% that it frees.
    seen = see(
        equity=10_000, positions={**HELD, "ETH-USD": (1, 4_000)}, books={"ETH-USD": book(ETH)}
    )
    on = view(seen)

    made = plan.propose(on, [until(on, "free_collateral", ">= 9900")], Means())

    (told,) = made.dropped
    assert coins(made, on) == {"ETH-USD": Decimal(1)}
    assert told.detail == "closing more would take it, or another target, further off"


def test_a_target_that_only_cash_may_reach_names_no_budget_of_cuts_and_no_depth() -> None:
    on = shown(("0.001", "0.1"))
    feed = until(on, "free_collateral", ">= 9900", slippage=None, cash=5_000)
    size = until(on, "leverage", "<= 1")

    for means in (Means(cost_left=quote(0)), Means(notional_left=quote(0)), Means()):
        told = plan.propose(on, [feed, size], means).dropped[0]

        assert (told.what, told.code) == (
            "reach the target of free_collateral",
            RefusalCode.FLOAT_SHORT,
        )


def test_a_step_costs_at_most_its_fee_and_the_way_to_its_bound() -> None:
    on = shown(("0.001", 9))
    desk = desk_on(on, until(on, "leverage", "<= 1"))

    assert desks.step_cost(desk, SLOT) == quote("0.205")  # 2% and 5 bps of $10


def test_a_step_is_worth_what_the_oracle_says_for_longs_and_shorts() -> None:
    on = shown(("0.001", 9))
    desk = desk_on(on, until(on, "leverage", "<= 1"))

    assert desks.step_worth(desk, SLOT) == quote(10)
    assert desks.worth(desk, SLOT, int(quantums(BTC, "0.1"))) == quote(10_000)


def test_a_position_off_the_step_is_used_up_at_the_step_below() -> None:
    on = shown(("0.001", 9))
    coarse = replace(BTC, step_base_quantums=300_000_000)  # 0.03: of 0.4 only 0.39 can go
    seen = replace(on.observation, markets={**on.observation.markets, "BTC-USD": coarse})
    on = view(seen)
    wanted = until(on, "gross_exposure", "<= 100", instance=Instance(market="BTC-USD"))
    desk = desk_on(on, wanted)
    most = desk.rooms[SLOT]

    assert most == quantums(BTC, "0.39")
    spent = missed(desk, desk.paper.with_cut(SLOT, most), wanted)
    assert (spent.code, spent.detail) == (
        RefusalCode.UNREACHABLE,
        "everything in scope is used",
    )
    assert BaseQuantums(most) < quantums(BTC, "0.4")
