"""The greedy plan: the largest margin released per dollar of cost first, level by level."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random

from seawall import plan
from seawall.account import Book
from seawall.action import Refusal, RefusalCode
from seawall.intervention import Keep
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan import greedy
from seawall.plan.demand import CutDemand, Means
from seawall.plan.trial import Trial
from seawall.policy import MeasureRef
from seawall.units import BaseQuantums, Ppm
from tests.plan.random_accounts import random_view, random_wants
from tests.plan.stage import closing, coins, guard, until
from tests.see import BTC, SOL, Held, book, see, subticks, view

NOTHING = Means()


def two(btc: Book, sol: Book) -> View:
    """$40,000 of BTC at 1.2% maintenance and $20,000 of SOL at 3%, fee 5 bps."""
    held: Held = {"BTC-USD": ("0.4", 100_000), "SOL-USD": (100, 200)}
    return view(see(equity=20_000, positions=held, books={"BTC-USD": btc, "SOL-USD": sol}))


def test_what_releases_most_margin_for_its_cost_goes_first() -> None:
    wanted = ("maintenance_usage", "<= 0.04")
    # SOL: 3% for 10 bps and the fee is 20 to 1. BTC: 1.2% for 2 bps and the fee is 17 to 1.
    cheap_sol = two(book(BTC, half_spread="0.0002"), book(SOL, half_spread="0.001"))
    # At 20 bps SOL is 12 to 1.
    dear_sol = two(book(BTC, half_spread="0.0002"), book(SOL, half_spread="0.002"))

    first = greedy.propose(cheap_sol, [until(cheap_sol, *wanted)], NOTHING)
    other = greedy.propose(dear_sol, [until(dear_sol, *wanted)], NOTHING)

    assert set(coins(first, cheap_sol)) == {"SOL-USD"}
    assert set(coins(other, dear_sol)) == {"BTC-USD"}
    assert first.claims[0].reached
    assert other.claims[0].reached


def test_a_market_is_left_at_the_level_where_another_becomes_better() -> None:
    stepped = book(SOL, levels=[("0.001", 10), ("0.01", 90)])
    on = two(book(BTC, half_spread="0.0002"), stepped)

    made = greedy.propose(on, [until(on, "maintenance_usage", "<= 0.04")], NOTHING)

    assert coins(made, on)["SOL-USD"] == Decimal(10)
    assert coins(made, on)["BTC-USD"] > 0


def test_it_stops_at_the_step_at_which_the_target_holds() -> None:
    on = two(book(BTC), book(SOL))
    wanted = [until(on, "maintenance_usage", "<= 0.04")]

    made = greedy.propose(on, wanted, NOTHING)

    (leg,) = made.legs
    slot, step = (0, leg.ticker), on.observation.markets[leg.ticker].step_base_quantums
    paper = Trial(before=on, quotes=greedy.quotes_for(on, wanted, NOTHING, []))
    assert greedy.reaches(paper.with_cut(slot, leg.quantums), wanted[0])
    assert not greedy.reaches(paper.with_cut(slot, leg.quantums - step), wanted[0])


def test_the_same_account_has_the_same_plan_every_time() -> None:
    for seed in range(20):
        plans = []
        for _ in range(2):
            chance = Random(seed)
            on = random_view(chance, ("BTC-USD", "ETH-USD", "SOL-USD"), 5)
            wanted = random_wants(chance, on, 1, 3)
            plans.append((plan.propose(on, wanted, NOTHING), greedy.propose(on, wanted, NOTHING)))
        assert plans[0] == plans[1]


def test_what_a_leg_costs_is_told_against_the_oracle_and_the_mid() -> None:
    for size, sign in (("0.4", 1), ("-0.4", -1)):
        held: Held = {"BTC-USD": (size, 100_000)}
        shown = book(BTC, 100_500, levels=[("0.001", 9)])
        on = view(see(equity=10_000, positions=held, books={"BTC-USD": shown}))

        (leg,) = greedy.propose(on, [until(on, "leverage", "<= 1")], NOTHING).legs

        coins_closed = Decimal(leg.quantums).scaleb(-10)
        got = Decimal(leg.expected_quote).scaleb(-6) / coins_closed
        fee = Decimal(leg.fee).scaleb(-6)
        assert got == (Decimal(100_399) if sign > 0 else Decimal(100_601))
        assert Decimal(leg.cost_vs_oracle).scaleb(-6) == sign * (100_000 - got) * coins_closed + fee
        assert Decimal(leg.cost_vs_mid).scaleb(-6) == sign * (100_500 - got) * coins_closed + fee


def test_a_position_without_a_step_of_depth_is_named_and_others_go_on() -> None:
    step = Decimal("0.0001")
    for depth, is_named in ((step / 2, True), (step, False)):
        on = two(book(BTC, levels=[("0.001", depth)]), book(SOL))
        if is_named:  # a level of less than a step
            thin = on.observation.advice.books["BTC-USD"]
            thin = replace(thin, bids=(replace(thin.bids[0], quantums=BaseQuantums(500_000)),))
            books = {**on.observation.advice.books, "BTC-USD": thin}
            seen = on.observation
            on = view(replace(seen, advice=replace(seen.advice, books=books)))

        made = greedy.propose(on, [until(on, "maintenance_usage", "<= 0.04")], NOTHING)

        named = [(one.code, one.what) for one in made.dropped]
        assert named == ([(RefusalCode.NO_DEPTH, "sell 0/BTC-USD")] if is_named else [])
        assert "SOL-USD" in coins(made, on)


def test_a_position_of_one_step_is_closed_and_one_below_it_is_not_named() -> None:
    for size, cut in (("0.0001", Decimal("0.0001")), ("0.00005", None)):
        held: Held = {"BTC-USD": (size, 100_000), "SOL-USD": (100, 200)}
        on = view(see(equity=20_000, positions=held))

        made = greedy.propose(on, [close(on, "BTC-USD")], NOTHING)

        assert coins(made, on).get("BTC-USD") == cut
        assert made.dropped == ()


def close(on: View, *tickers: str, share: int = 0) -> CutDemand:
    """Bring positions down to a share, in per cent, of what they are."""
    held = {p.ticker: p for s in on.observation.subaccounts for p in s.positions}
    return CutDemand(
        name="close#1",
        key="close",
        measure=MeasureRef(name="drawdown"),
        instance=Instance(),
        keeps=tuple(
            Keep(
                subaccount=0,
                ticker=ticker,
                quantums=BaseQuantums(abs(held[ticker].quantums) * share // 100),
            )
            for ticker in tickers
        ),
        max_slippage=Ppm(20_000),
    )


def test_of_two_fixed_cuts_the_larger_is_made_and_never_the_sum() -> None:
    on = two(book(BTC), book(SOL))
    some, more = close(on, "BTC-USD", share=75), close(on, "BTC-USD", "SOL-USD", share=50)

    for wanted in ((some, more), (more, some)):
        made = greedy.propose(on, wanted, NOTHING)

        assert coins(made, on) == {"BTC-USD": Decimal("0.2"), "SOL-USD": Decimal(50)}


def test_a_target_goes_on_from_a_fixed_cut_and_takes_no_more_than_it_needs() -> None:
    on = two(book(BTC), book(SOL))
    wanted = until(on, "maintenance_usage", "<= 0.04")
    fixed = close(on, "SOL-USD", share=90)

    alone = coins(greedy.propose(on, [wanted], NOTHING), on)
    for demands in ((wanted, fixed), (fixed, wanted)):
        both = coins(greedy.propose(on, demands, NOTHING), on)
        assert both.keys() == alone.keys() | {"SOL-USD"}
        assert both["SOL-USD"] >= 10
    deep = close(on, "SOL-USD", "BTC-USD", share=10)
    done = greedy.propose(on, [deep, wanted], NOTHING)
    assert coins(done, on) == {"BTC-USD": Decimal("0.36"), "SOL-USD": Decimal(90)}


def test_a_market_that_is_closed_or_not_held_keeps_no_other_from_being_cut() -> None:
    on = two(book(BTC), book(SOL))
    slots = [(0, "BTC-USD"), (0, "ETH-USD"), (0, "SOL-USD")]
    wanted = until(on, "maintenance_usage", "<= 0.04", slots=slots)
    means = Means(closed=closing((0, "BTC-USD")))

    made = greedy.propose(on, [wanted], means)

    assert set(coins(made, on)) == {"SOL-USD"}
    assert made.claims[0].reached


def test_a_demand_for_cash_alone_keeps_no_other_from_its_size() -> None:
    on = two(book(BTC), book(SOL))
    cash = until(on, "equity", ">= 19000", cash=100, slippage=None)

    made = greedy.propose(on, [cash, until(on, "maintenance_usage", "<= 0.04")], NOTHING)

    assert made.legs
    assert [claim.reached for claim in made.claims] == [True, True]


def test_every_trigger_that_is_newly_met_is_named_and_none_that_was() -> None:
    before = view(see(equity=10_000, positions={"BTC-USD": ("0.3", 100_000)}))
    after = view(see(equity=10_000, positions={"BTC-USD": ("0.2", 100_000)}))
    met, newly, never = (
        replace(guard("leverage", f"< {limit}"), key=name)
        for name, limit in (("met", 4), ("newly", 3), ("never", 2))
    )

    found = greedy.crossed(before, after, [met, never, newly])

    assert [one.key for one in found] == ["newly"]


def test_the_smallest_step_and_a_slippage_of_nothing_are_planned() -> None:
    on = two(book(BTC, half_spread=0), book(SOL))
    wanted = until(on, "leverage", "<= 2.99999", slippage=0, slots=[(0, "BTC-USD")])

    (leg,) = greedy.propose(on, [wanted], NOTHING).legs

    assert leg.worst_subticks == subticks(BTC, 100_000)


def test_a_position_of_one_step_without_depth_is_named() -> None:
    dust = replace(book(BTC).bids[0], quantums=BaseQuantums(BTC.step_base_quantums - 1))
    shown = replace(book(BTC), bids=(dust,))
    held: Held = {"BTC-USD": ("0.0001", 100_000)}
    on = view(see(equity=20_000, positions=held, books={"BTC-USD": shown}))

    made = greedy.propose(on, [close(on, "BTC-USD")], NOTHING)

    assert [one.code for one in made.dropped] == [RefusalCode.NO_DEPTH]


def test_a_target_is_reached_beyond_the_levels_that_a_fixed_cut_takes() -> None:
    shown = book(BTC, levels=[("0.001", "0.1"), ("0.002", 9)])
    on = view(see(equity=20_000, positions={"BTC-USD": ("0.4", 100_000)}, books={"BTC-USD": shown}))
    its = Instance(market="BTC-USD")
    size = until(on, "gross_exposure", "<= 20000", instance=its)

    made = greedy.propose(on, [close(on, "BTC-USD", share=60), size], NOTHING)

    assert coins(made, on) == {"BTC-USD": Decimal("0.2")}
    assert made.claims[0].reached


def test_a_cut_of_nothing_is_no_leg_and_hides_no_other() -> None:
    on = two(book(BTC), book(SOL))
    both = [close(on, "BTC-USD", "SOL-USD", share=50)]
    paper = Trial(before=on, quotes=greedy.quotes_for(on, both, NOTHING, []))
    step = SOL.step_base_quantums

    legs = greedy.legs_of(paper.with_cut((0, "BTC-USD"), 0).with_cut((0, "SOL-USD"), step), both)

    assert [(leg.ticker, leg.quantums) for leg in legs] == [("SOL-USD", step)]


def test_a_position_without_a_price_is_named_and_what_is_not_held_or_not_listed_is_not() -> None:
    seen = see(equity=10_000, positions={"BTC-USD": ("0.4", 100_000), "SOL-USD": (50, 200)})
    markets = {
        **seen.markets,
        "BTC-USD": replace(seen.markets["BTC-USD"], oracle_price=0),
        "ETH-USD": replace(seen.markets["ETH-USD"], oracle_price=1),
    }
    on = view(replace(seen, markets=markets))
    tickers = ("BTC-USD", "SOL-USD", "ETH-USD", "DOGE-USD")
    wanted = until(on, "leverage", "<= 1", slots=[(0, ticker) for ticker in tickers])
    dropped: list[Refusal] = []

    quotes = greedy.quotes_for(on, [wanted], Means(), dropped)

    assert set(quotes) == {(0, "SOL-USD")}
    assert [(one.code, one.what) for one in dropped] == [(RefusalCode.NO_DATA, "close 0/BTC-USD")]


def test_a_target_that_another_one_takes_back_is_named() -> None:
    held: Held = {"BTC-USD": ("0.3", 100_000), "SOL-USD": (-100, 200)}
    on = view(see(equity=10_000, positions=held))
    net = until(on, "net_exposure", "<= 10000", instance=Instance(markets=tuple(held)))
    short = until(
        on,
        "gross_exposure",
        "<= 5000",
        instance=Instance(market="SOL-USD"),
        slots=[(0, "SOL-USD")],
    )

    made = greedy.propose(on, [net, short], Means())

    assert [claim.reached for claim in made.claims] == [False, True]
    (lost,) = made.dropped
    assert (lost.code, lost.what) == (RefusalCode.CROSSES_TRIGGER, "reduce for net_exposure")
    assert lost.detail.startswith("what is closed for other targets takes it back")
    made = greedy.propose(on, [net, short], Means(orders_left=1))
    assert [one.code for one in made.dropped] == [RefusalCode.BUDGET_ORDERS]
    assert made.dropped[0].detail == "the hour's budget leaves 1 order until 23:00Z"
