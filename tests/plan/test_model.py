"""The programme's own lines: fixed cuts, the wallet and budgets, and what takes precedence."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import plan
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan.demand import Means
from seawall.plan.desk import desk_of
from seawall.plan.model import Model
from seawall.units import Ppm
from tests.plan.stage import coins, down_to, exposure, guard, until
from tests.see import BTC, ETH, SOL, Held, Number, book, quantums, quote, see, view

TWO: Held = {"BTC-USD": ("0.4", 100_000), "SOL-USD": (100, 200)}


def two(**depth: Number) -> View:
    """$40,000 of BTC and $20,000 of SOL, in books of one level that is deep unless said."""
    books = {
        market.ticker: book(market, levels=[("0.001", depth.get(market.ticker[:3].lower(), 900))])
        for market in (BTC, SOL)
    }
    return view(see(equity=20_000, positions=TWO, books=books))


def test_a_fixed_cut_counts_towards_a_target_and_is_not_made_again() -> None:
    on = two()

    made = plan.propose(on, [down_to(("BTC-USD", "0.2")), exposure(on, "BTC-USD", 15_000)], Means())
    less = plan.propose(on, [down_to(("BTC-USD", "0.2")), exposure(on, "BTC-USD", 25_000)], Means())

    assert coins(made, on) == {"BTC-USD": Decimal("0.25")}
    assert coins(less, on) == {"BTC-USD": Decimal("0.2")}


def test_fixed_cuts_in_several_markets_each_reach_as_far_as_their_book() -> None:
    on = two(sol=30)
    fixed = down_to(("BTC-USD", "0.3"), ("SOL-USD", 0))

    made = plan.propose(on, [fixed, exposure(on, "BTC-USD", 25_000)], Means())

    assert coins(made, on) == {"BTC-USD": Decimal("0.15"), "SOL-USD": Decimal(100)}
    assert [leg.expected_quantums for leg in made.legs if leg.ticker == "SOL-USD"] == [
        quantums(SOL, 30)
    ]
    assert made.claims[0].reached


def test_what_fixed_cuts_use_of_the_hour_is_taken_off_what_a_target_may() -> None:
    on = two()
    wanted = exposure(on, "SOL-USD", 5_000)

    def sold(left: int) -> dict[str, Decimal]:
        means = Means(notional_left=quote(left))
        return coins(plan.propose(on, [down_to(("BTC-USD", "0.3")), wanted], means), on)

    assert sold(30_000) == {"BTC-USD": Decimal("0.1"), "SOL-USD": Decimal(75)}
    assert sold(20_000) == {"BTC-USD": Decimal("0.1"), "SOL-USD": Decimal(50)}
    # A fixed cut beyond the budget stands, the gate judges it; nothing is added to it.
    assert sold(9_000) == {"BTC-USD": Decimal("0.1")}


def test_what_fixed_cuts_use_of_the_day_s_cost_is_taken_off_too() -> None:
    on = two()
    wanted = exposure(on, "SOL-USD", 5_000)

    def sold(left: Number) -> Decimal:
        means = Means(cost_left=quote(left))
        made = plan.propose(on, [down_to(("BTC-USD", "0.3")), wanted], means)
        return coins(made, on).get("SOL-USD", Decimal(0))

    # 15 bps of either: $15 for the fixed $10,000 of BTC, $22.50 for $15,000 of SOL.
    assert sold(38) == 75
    assert sold(25) == pytest.approx(Decimal(33), abs=1)
    assert sold(15) == 0
    assert sold(10) == 0


def test_a_budget_binds_only_what_no_level_that_pages_asks_for() -> None:
    on = two()
    wanted = [exposure(on, "BTC-USD", 30_000), exposure(on, "SOL-USD", 10_000)]
    means = Means(notional_left=quote(5_000), overdrawing=frozenset({"SOL-USD#1"}))

    made = plan.propose(on, wanted, means)

    assert coins(made, on) == {"BTC-USD": Decimal("0.05"), "SOL-USD": Decimal(50)}


def test_cash_is_taken_before_size_and_never_more_than_the_wallet_has() -> None:
    on = two()
    wanted = until(on, "leverage", "<= 2", cash=5_000)  # $60,000 on $20,000: $10,000 are short

    def made(cash: int, price: int = 0) -> tuple[int, Decimal]:
        means = Means(cash=quote(cash), cash_price=Ppm(price))
        found = plan.propose(on, [wanted], means)
        size = sum((Decimal(leg.expected_quote) for leg in found.legs), Decimal(0))
        return sum(amount for _, amount in found.top_ups), size.scaleb(-6)

    assert made(9_000)[0] == quote(5_000)  # the level's most
    assert made(1_234)[0] == quote(1_234)
    assert made(9_000)[1] == pytest.approx(Decimal(10_000), abs=100)
    assert made(9_000, 10_000)[0] == 0  # dearer than 15 bps of twice as much size
    assert made(9_000, 10_000)[1] == pytest.approx(Decimal(20_000), abs=100)


def test_a_trigger_is_kept_from_at_the_oracle_as_the_next_tick_will_see_it() -> None:
    held: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": (-5, 4_000)}
    for mid in (100_000, 101_500, 98_500):
        on = view(
            see(
                equity=10_000,
                positions=held,
                books={
                    "BTC-USD": book(BTC, mid),
                    "ETH-USD": book(ETH),
                },
            )
        )
        net = replace(
            guard("net_exposure", "> 10000"), instance=Instance(markets=("BTC-USD", "ETH-USD"))
        )

        made = plan.propose(on, [until(on, "leverage", "<= 4")], Means(), guards=[net])

        assert made.claims[0].reached
        sold = coins(made, on)
        left = (Decimal("0.3") - sold.get("BTC-USD", Decimal(0))) * 100_000
        short = (5 - sold.get("ETH-USD", Decimal(0))) * 4_000
        assert abs(left - short) <= 10_000
        assert made.let_go == ()


def test_rows_are_written_at_the_oracle_and_again_where_the_mid_differs() -> None:
    def rows(mid: int) -> int:
        books = {"BTC-USD": book(BTC, mid), "SOL-USD": book(SOL)}
        on = view(see(equity=10_000, positions=TWO, books=books))
        desk = desk_of(on, [until(on, "leverage", "<= 3")], Means(), scenarios=(), guards=())
        return len([one for one in Model(desk)._lines if one.kind == "goal"])

    assert (rows(100_000), rows(101_000)) == (2, 4)  # and each time that something is left
