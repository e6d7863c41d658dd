"""Below initial margin: what the chain would refuse of a reduction is not planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import permutations
from random import Random

import pytest

from seawall import margin, plan
from seawall.action import Plan, RefusalCode
from seawall.measures.spec import Instance, NoData
from seawall.measures.view import View
from seawall.plan.demand import Demand, Means
from seawall.plan.proof import proved
from seawall.plan.trial import carried_out
from seawall.units import BaseQuantums, Millis, QuoteQuantums
from tests.plan.random_accounts import market_book
from tests.plan.stage import coins, down_to, exposure, until
from tests.see import BTC, ETH, MARKETS, SOL, Held, Number, book, quote, see, view

Planner = Callable[..., Plan]

NOTHING = Means()


def test_below_initial_margin_only_levels_that_the_chain_takes_are_planned() -> None:
    seen = see(equity=900, positions={"BTC-USD": ("0.5", 100_000)})  # IMR $1,000, MMR $600
    market = seen.markets["BTC-USD"]
    deep = book(market, levels=[("0.001", "0.1"), ("0.01", "0.1"), ("0.03", "0.3")])
    on = view(replace(seen, advice=replace(seen.advice, books={"BTC-USD": deep})))

    made = plan.propose(on, [until(on, "maintenance_usage", "<= 0.01", slippage=50_000)], NOTHING)

    # c <= (NC/MMR) m = 900/600 x 1.2% = 1.8%: the second level, at 1% and the fee, is the last.
    assert coins(made, on) == {"BTC-USD": Decimal("0.2")}
    (leg,) = made.legs
    assert Decimal("0.98") < market.dollars(leg.worst_subticks) / 100_000 < Decimal("0.99")
    assert made.dropped[0].code is RefusalCode.BOUND


def test_cash_that_is_not_landed_does_not_widen_what_the_chain_takes() -> None:
    seen = see(equity=900, positions={"BTC-USD": ("0.5", 100_000)})
    deep = book(seen.markets["BTC-USD"], levels=[("0.001", "0.1"), ("0.03", "0.4")])
    on = view(replace(seen, advice=replace(seen.advice, books={"BTC-USD": deep})))
    wanted = until(on, "maintenance_usage", "<= 0.01", slippage=50_000)
    flying = Means(cash_in_flight=((0, quote(5_000)),))

    made = plan.propose(on, [wanted], flying)

    assert coins(made, on) == {"BTC-USD": Decimal("0.1")}


@pytest.mark.parametrize(("second", "sold"), [("0.0114", "0.1"), ("0.0117", "0.05")])
def test_the_last_position_closes_only_where_its_cost_is_within_net_collateral(
    second: str, sold: str
) -> None:
    seen = see(equity=120, positions={"BTC-USD": ("0.1", 100_000)})  # IMR $200, MMR $120
    market = seen.markets["BTC-USD"]
    deep = book(market, levels=[("0.001", "0.05"), (second, "0.05")])
    on = view(replace(seen, advice=replace(seen.advice, books={"BTC-USD": deep})))

    made = plan.propose(on, [until(on, "maintenance_usage", "<= 0", slippage=50_000)], NOTHING)

    # NC $120 over $10,000 leaves 1.2%: 1.14% and the fee pass, 1.17% and the fee do not.
    assert coins(made, on) == {"BTC-USD": Decimal(sold)}


def test_the_whole_plan_below_initial_margin_is_taken_by_the_chain_s_rule() -> None:
    for equity in (650, 800, 950):
        on = view(
            see(equity=equity, positions={"BTC-USD": ("0.3", 100_000), "SOL-USD": ("50", 200)})
        )

        made = plan.propose(on, [until(on, "maintenance_usage", "<= 0.3")], NOTHING)

        before = on.risk(0)
        after = carried_out(on, made).risk(0)
        assert not isinstance(before, NoData)
        assert not isinstance(after, NoData)
        assert not before.is_initially_collateralized
        assert made.legs
        assert after.nc * before.mmr >= before.nc * after.mmr  # NC/MMR does not fall


# Above initial margin: 0.9 BTC on $2,000 has IMR $1,800, and a book 2.7% below its oracle.
def beside(equity: Number = 2_000, held: Held | None = None, mid: Number = 97_300) -> View:
    seen = see(
        equity=equity,
        positions=held or {"BTC-USD": ("0.9", 100_000)},
        books={"BTC-USD": book(BTC, mid), "ETH-USD": book(ETH), "SOL-USD": book(SOL)},
    )
    return view(seen)


def is_taken(on: View, made: Plan) -> bool:
    """Whether the chain takes every order whole, whichever of them comes first."""
    (account,) = on.observation.subaccounts
    for legs in permutations(made.legs):
        after = account
        for leg in legs:
            old = margin.risk(after, on.observation.markets)
            market = on.observation.markets[leg.ticker]
            signed = leg.side.sign * leg.expected_quantums
            after = margin.with_fill(after, market, signed, leg.expected_quote, leg.fee)
            new = margin.risk(after, on.observation.markets)
            if margin.judge_update(old, new) is not margin.Update.SUCCESS:
                return False
    return True


def test_above_initial_margin_no_fill_is_planned_that_the_chain_would_refuse() -> None:
    on = beside()
    wanted = until(on, "gross_exposure", "<= 10000", instance=Instance(market="BTC-USD"))

    made = plan.propose(on, [wanted], NOTHING)

    # Each dollar costs 2.77% and frees 2%: the $200 above IMR last for some $26,000 of them.
    assert is_taken(on, made)
    assert Decimal("0.24") < coins(made, on)["BTC-USD"] < Decimal("0.27")
    assert not made.claims[0].reached
    assert made.dropped[0].code is RefusalCode.CHAIN_REFUSES


def test_another_market_is_found_where_the_chain_refuses_the_first() -> None:
    on = beside(held={"BTC-USD": ("0.4", 100_000), "ETH-USD": ("12.5", 4_000)})
    books = {**on.observation.advice.books, "ETH-USD": book(ETH, half_spread="0.0004")}
    on = view(replace(on.observation, advice=replace(on.observation.advice, books=books)))
    both = Instance(markets=("BTC-USD", "ETH-USD"))

    made = plan.propose(on, [until(on, "gross_exposure", "<= 50000", instance=both)], NOTHING)

    # Bitcoin is the cheaper one at its mid, for $26,000; the other $14,000 come of ether.
    assert is_taken(on, made)
    assert made.claims[0].reached
    assert made.solver == plan.solver.version()
    assert Decimal("0.25") < coins(made, on)["BTC-USD"] < Decimal("0.27")
    assert coins(made, on)["ETH-USD"] > 3


@pytest.mark.parametrize("planner", [plan.propose, plan.propose_simply])
def test_cuts_of_fixed_size_go_as_far_as_the_chain_takes_them(planner: Planner) -> None:
    on = beside()

    made = planner(on, [down_to(("BTC-USD", 0), slippage=60_000)], NOTHING)

    assert is_taken(on, made)
    assert Decimal("0.25") < coins(made, on)["BTC-USD"] < Decimal("0.27")
    (said,) = made.dropped
    assert said.code is RefusalCode.CHAIN_REFUSES
    assert said.detail.startswith("0.9 wanted; the chain takes 0.260")


def test_where_no_fresh_book_or_no_fresh_state_is_seen_the_chain_has_its_say() -> None:
    flat, on = down_to(("BTC-USD", 0), slippage=60_000), beside()
    unseen = view(replace(on.observation, advice=replace(on.observation.advice, books={})))
    later = {
        ticker: replace(one, seen_at=Millis(one.seen_at + 11_000))
        for ticker, one in on.observation.advice.books.items()
    }
    seen = replace(on.observation, seen_at=Millis(on.observation.seen_at + 11_000))
    old = view(replace(seen, advice=replace(seen.advice, books=later)))  # a panic's

    for one in (unseen, old):
        made = plan.propose(one, [flat], NOTHING)

        assert coins(made, one) == {"BTC-USD": Decimal("0.9")}
        assert made.dropped == ()


def test_a_cut_of_fixed_size_leaves_the_rest_of_what_is_free_to_the_targets() -> None:
    on = beside(held={"BTC-USD": ("0.6", 100_000), "SOL-USD": (60, 200)})
    wanted = until(on, "gross_exposure", "<= 10000", instance=Instance(market="BTC-USD"))
    half = down_to(("BTC-USD", "0.55"))

    made = plan.propose(on, [half, wanted], NOTHING)

    assert made.solver == plan.solver.version()
    assert is_taken(on, made)
    assert coins(made, on)["BTC-USD"] > Decimal("0.2")


def test_what_the_chain_leaves_of_a_cut_of_fixed_size_is_named_beside_a_target() -> None:
    on = beside(held={"BTC-USD": ("0.9", 100_000), "SOL-USD": (5, 200)})
    wanted = until(on, "gross_exposure", "<= 500", instance=Instance(market="SOL-USD"))

    made = plan.propose(on, [down_to(("BTC-USD", 0), slippage=60_000), wanted], NOTHING)

    assert made.solver == plan.solver.version()
    assert is_taken(on, made)
    named = [one.what for one in made.dropped if one.code is RefusalCode.CHAIN_REFUSES]
    assert "sell 0/BTC-USD in full" in named


def test_a_target_is_not_claimed_where_the_greedy_plan_goes_beyond_what_the_chain_takes() -> None:
    on = beside()
    wanted = until(on, "gross_exposure", "<= 10000", instance=Instance(market="BTC-USD"))

    made = plan.propose_simply(on, [wanted], NOTHING)

    assert is_taken(on, made)
    assert not made.claims[0].reached
    assert [one.code for one in made.dropped] == [RefusalCode.CHAIN_REFUSES]


def test_a_plan_with_a_fill_that_the_chain_would_refuse_is_not_sent() -> None:
    on = beside()
    wanted = down_to(("BTC-USD", "0.8"))
    good = plan.propose(on, [wanted], NOTHING)
    (leg,) = good.legs
    ten = replace(
        leg,
        quantums=BaseQuantums(8 * leg.quantums),
        expected_quantums=BaseQuantums(8 * leg.expected_quantums),
        expected_quote=QuoteQuantums(8 * leg.expected_quote),
        fee=QuoteQuantums(8 * leg.fee),
    )

    assert proved(on, [wanted], NOTHING, good, ()) == good
    made = proved(on, [wanted], NOTHING, replace(good, legs=(ten,), claims=()), ())

    assert made.legs == ()
    (said,) = made.dropped
    assert said.code is RefusalCode.CHAIN_REFUSES
    assert said.detail.startswith("of 0/BTC-USD the chain takes 0.26")


def test_no_plan_for_a_random_account_near_its_initial_margin_has_a_fill_refused() -> None:
    chance, cut_back, sent = Random(11), 0, 0
    for _ in range(300):
        held: Held = {
            ticker: (chance.choice((1, -1)) * chance.randint(1, 9) * size, price)
            for ticker, size, price in (
                ("BTC-USD", Decimal("0.05"), 100_000),
                ("ETH-USD", 1, 4_000),
                ("SOL-USD", 20, 200),
            )
        }
        books = {
            ticker: market_book(
                chance, MARKETS[ticker], 4, lean=chance.choice((-1, 1)) * chance.randint(200, 290)
            )
            for ticker in held
        }
        start = view(see(equity=1_000, positions=held, books=books)).risk(0)
        assert not isinstance(start, NoData)
        assert start.imr is not None
        equity = start.imr // 10**6 + chance.randint(-200, 600)
        on = view(see(equity=max(50, equity), positions=held, books=books))
        wanted = random_demands(chance, on)

        made = plan.propose(on, wanted, NOTHING)

        sent += bool(made.legs)
        cut_back += any(
            "chain takes" in one.detail and one.what != "send the plan" for one in made.dropped
        )
        assert "send the plan" not in [one.what for one in made.dropped], made.dropped
        assert is_taken(on, made)

    assert sent > 200
    assert cut_back > 20


def random_demands(chance: Random, on: View) -> list[Demand]:
    names = [until(on, "maintenance_usage", "<= 0.3"), until(on, "free_collateral", ">= 800")]
    tickers = sorted(on.observation.markets)
    exposures = [exposure(on, ticker, chance.randint(0, 9_000)) for ticker in tickers]
    fixed = down_to((chance.choice(tickers), 0), slippage=30_000)
    return list(chance.sample([*names, *exposures, fixed], chance.randint(1, 3)))
