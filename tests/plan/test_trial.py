"""An account on paper: what the market offers for a position, and what cuts and cash leave."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import Observation, Side
from seawall.action import Plan
from seawall.measures.view import Override, View
from seawall.plan import trial
from seawall.plan.greedy import legs_of
from seawall.plan.trial import Quote, Trial
from seawall.units import PPM_ONE, BaseQuantums
from tests.see import BTC, ETH, Held, Number, book, quantums, quote, see, subticks, view

SLOT = (0, "BTC-USD")


def seen(size: Number = "0.4", *, equity: Number = 10_000, mid: Number = 100_000) -> View:
    held: Held = {"BTC-USD": (size, 100_000)}
    books = {"BTC-USD": book(BTC, mid, levels=[("0.001", "0.1"), ("0.01", 9)])}
    return view(
        see(
            equity=equity,
            positions=held,
            books=books,
            children={128: (500, {"ETH-USD": (1, 4_000)})},
        )
    )


def offer(on: View, slippage: int = 20_000) -> Quote:
    found = trial.quote_for(on, SLOT, slippage)
    assert found is not None
    return found


def usdc(on: Observation, number: int = 0) -> Decimal:
    return Decimal(on.subaccount(number).usdc).scaleb(-6)


@pytest.mark.parametrize(
    ("size", "side", "worst"), [("0.4", "SELL", 98_000), ("-0.4", "BUY", 102_000)]
)
def test_a_position_is_closed_on_the_other_side_within_its_bound(
    size: str, side: str, worst: int
) -> None:
    made = offer(seen(size))

    assert (made.side, made.worst) == (Side(side), subticks(BTC, worst))
    assert (made.held, made.depth) == (quantums(BTC, "0.4"), quantums(BTC, "0.4"))
    assert made.is_seen
    assert offer(seen(size), 5_000).depth == quantums(BTC, "0.1")  # the second level is too far
    assert trial.quote_for(seen(size), (128, "BTC-USD"), 20_000) is None


def test_without_a_fresh_book_a_cut_fills_at_its_worst_price() -> None:
    on = view(see(positions={"BTC-USD": ("0.4", 100_000)}, books={}))
    made = offer(on)

    assert not made.is_seen
    assert made.depth == quantums(BTC, "0.4")
    assert made.walk(made.held).quote == quote(39_200)


def test_below_initial_margin_the_bound_is_not_beyond_what_the_chain_takes() -> None:
    rich, poor = offer(seen(equity=10_000), 50_000), offer(seen(equity=500), 50_000)

    # 40,000 held: 500 is below 2% and above 1.2%; it takes what leaves 500 / 480 of each margin.
    assert rich.worst == subticks(BTC, 95_000)
    assert subticks(BTC, 98_700) < poor.worst < subticks(BTC, 98_900)
    assert offer(seen(equity=500), 1_000).worst == subticks(BTC, 99_900)


def test_what_has_no_oracle_price_is_not_offered() -> None:
    on = seen().observation

    def at(price: int) -> Quote | None:
        market = replace(on.markets["BTC-USD"], oracle_price=price)
        there = view(replace(on, markets={**on.markets, "BTC-USD": market}))
        return trial.quote_for(there, SLOT, 20_000)

    assert at(0) is None
    assert at(1) is not None


def test_a_position_beside_one_without_a_price_is_offered_within_its_own_bound() -> None:
    held: Held = {"BTC-USD": ("0.4", 100_000), "ETH-USD": (1, 4_000)}
    on = see(equity=10_000, positions=held)
    unpriced = replace(on.markets["ETH-USD"], oracle_price=0)

    beside = view(replace(on, markets={**on.markets, "ETH-USD": unpriced}))

    assert offer(beside) == offer(view(on))


def test_cuts_and_cash_are_booked_where_they_belong() -> None:
    on = seen()
    paper = Trial(before=on, quotes={SLOT: offer(on)})

    cut = paper.with_cut(SLOT, int(quantums(BTC, "0.2"))).after().observation
    fed = paper.with_cash(128, quote(300)).after().observation

    paid = Decimal("0.1") * 99_900 + Decimal("0.1") * 99_000
    assert usdc(cut) == usdc(on.observation) + paid - paid * Decimal("0.0005")
    assert cut.subaccount(0).positions[0].quantums == quantums(BTC, "0.2")
    assert cut.subaccount(128) == on.observation.subaccount(128)
    assert usdc(fed, 128) == usdc(on.observation, 128) + 300
    assert fed.subaccount(0) == on.observation.subaccount(0)
    assert paper.with_cut(SLOT, 0).after().observation == on.observation


def test_what_is_not_cut_and_not_fed_is_nothing() -> None:
    paper = Trial(before=seen(), quotes={})

    assert (paper.cut_of(SLOT), paper.cash_of(0)) == (0, 0)
    assert (paper.with_cut(SLOT, 5).cut_of(SLOT), paper.with_cash(0, 7).cash_of(0)) == (5, 7)


def test_cuts_of_several_subaccounts_are_booked_each_in_its_own() -> None:
    on, child = seen(), (128, "ETH-USD")
    ether = trial.quote_for(on, child, 20_000)
    assert ether is not None
    paper = Trial(before=on, quotes={SLOT: offer(on), child: ether})
    whole = int(quantums(BTC, "0.4"))

    for cuts in ({SLOT: whole, child: ether.depth}, {child: ether.depth, SLOT: whole}):
        left = replace(paper, cuts=cuts).after().observation
        assert [one.positions for one in left.subaccounts] == [(), ()]
    fed = replace(paper, cuts={SLOT: whole}, cash={128: 7}).after().observation
    assert fed.subaccount(128).positions == on.observation.subaccount(128).positions


def test_what_a_rule_test_says_instead_of_what_is_seen_is_not_true_on_paper() -> None:
    on = seen()
    told = replace(on, overrides={Override(measure="leverage"): Decimal(99)})

    assert Trial(before=told, quotes={}).after() == on
    assert Trial(before=on, quotes={}).after() is on  # nothing is worked out anew


def test_a_position_of_a_quantum_is_sold_like_any_other() -> None:
    on = seen().observation
    (held,) = on.subaccount(0).positions
    dust = replace(on.subaccount(0), positions=(replace(held, quantums=BaseQuantums(1)),))

    assert offer(view(replace(on, subaccounts=(dust, on.subaccount(128))))).side is Side.SELL


@pytest.mark.parametrize("quiet", ["BTC-USD", "ETH-USD"])
def test_a_market_without_a_mid_keeps_no_other_from_catching_up(quiet: str) -> None:
    held: Held = {"BTC-USD": ("0.4", 100_000), "ETH-USD": (1, 4_000)}
    books = {"BTC-USD": book(BTC, 101_000), "ETH-USD": book(ETH, 4_040)}
    del books[quiet]

    moved = trial.caught_up(view(see(equity=10_000, positions=held, books=books)))

    assert moved is not None
    (other,) = books
    assert moved.observation.markets[other].oracle_dollars == held[other][1] * Decimal("1.01")  # type: ignore[operator]
    assert moved.observation.markets[quiet].oracle_dollars == held[quiet][1]


@pytest.mark.parametrize(
    ("mid", "oracle"),
    [(101_000, 101_000), (99_000, 99_000), (103_000, 103_000), (100_000, None), (103_001, None)],
)
def test_the_oracle_catches_up_with_a_mid_within_the_band(mid: int, oracle: int | None) -> None:
    on = seen(mid=mid)
    moved = trial.caught_up(on)

    assert (
        None if moved is None else moved.observation.markets["BTC-USD"].oracle_dollars
    ) == oracle
    paper = Trial(before=on, caught_up=moved, quotes={})
    assert len(paper.views()) == (1 if moved is None else 2)
    assert paper.views()[0].observation == on.observation


def test_a_plan_carried_out_is_what_it_says_with_all_cash_that_comes() -> None:
    on = seen()
    paper = Trial(before=on, quotes={SLOT: offer(on)}).with_cut(SLOT, int(quantums(BTC, "0.2")))
    made = Plan(legs=legs_of(paper, ()), top_ups=((128, quote(300)),))

    done = trial.carried_out(on, made, [(0, quote(50)), (128, quote(7))]).observation

    cut = paper.after().observation
    assert usdc(done) == usdc(cut) + 50
    assert done.subaccount(0).positions == cut.subaccount(0).positions
    assert usdc(done, 128) == usdc(on.observation, 128) + 307


def test_a_position_off_the_step_is_offered_in_whole_steps() -> None:
    on = seen()
    coarse = replace(offer(on).market, step_base_quantums=300 * PPM_ONE)  # 0.03 of 0.4

    made = replace(offer(on), market=coarse)

    assert made.depth == quantums(BTC, "0.39")
    assert replace(made, levels=made.levels[:1]).depth == quantums(BTC, "0.09")


@pytest.mark.parametrize(("shown", "closes"), [("0.0001", True), ("0.00005", False)])
def test_an_order_that_fills_is_one_of_which_a_step_is_taken(shown: str, *, closes: bool) -> None:
    books = {"BTC-USD": book(BTC, 100_000, levels=[("0.001", shown)])}
    on = view(see(equity=10_000, positions={"BTC-USD": ("0.4", 100_000)}, books=books))
    paper = Trial(before=on, caught_up=None, quotes={SLOT: offer(on)}, cuts={SLOT: 10**9})

    assert paper.closing() == ([SLOT] if closes else [])
