"""What holds with nothing to spare is found: the solver's own haste and error lose no point.

Accounts of which a part of the solver said that nothing holds, though it had just found what does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from seawall import plan
from seawall.account import Book, BookLevel, Market
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan import solver
from seawall.plan.demand import Means, UntilDemand
from seawall.units import BaseQuantums
from tests.plan.random_accounts import market_named
from tests.plan.stage import closing, coins, down_to, exposure, guard, until
from tests.see import AT, Held, Number, quantums, quote, scenario, see, subticks, view

Side = Sequence[tuple[Number, Number]]  # price, coins
Books = Mapping[str, tuple[Side, Side]]  # bids, asks


def account(
    equity: Number,
    held: Held,
    steps: Mapping[str, Number],
    books: Books,
    child: tuple[Number, Held] | None = None,
) -> View:
    """An account whose markets have these steps, in coins."""
    markets = {}
    for ticker, size in steps.items():
        market = market_named(ticker)
        markets[ticker] = replace(market, step_base_quantums=quantums(market, size))
    seen = see(
        equity=equity,
        positions=held,
        children=None if child is None else {128: child},
        markets=markets,
        books={
            ticker: Book(
                seen_at=AT, bids=side(markets[ticker], bids), asks=side(markets[ticker], asks)
            )
            for ticker, (bids, asks) in books.items()
        },
    )
    return view(seen, scenarios=[scenario(both_signs=True)])


def side(market: Market, levels: Side) -> tuple[BookLevel, ...]:
    return tuple(
        BookLevel(subticks(market, price), BaseQuantums(quantums(market, size)))
        for price, size in levels
    )


def gross(on: View, target: str) -> UntilDemand:
    held = tuple({p.ticker: 0 for s in on.observation.subaccounts for p in s.positions})
    return until(on, "gross_exposure", target, instance=Instance(markets=held))


def test_all_of_one_position_with_the_only_order_beside_a_trigger_that_it_crosses() -> None:
    on = account(
        15_048,
        {"ETH-USD": ("10.692", 4_000), "SOL-USD": ("-237.6", 200)},
        {"ETH-USD": "0.891", "SOL-USD": "19.8"},
        {
            "ETH-USD": ([("3982.8", "0.891"), ("3982.4", "1.782")], [("4017.2", "0.891")]),
            "SOL-USD": (
                [("199.66", "29.7")],
                [("200.341", "59.4"), ("200.6", "59.4"), ("200.981", "19.8"), ("201.141", "19.8")],
            ),
        },
    )
    wanted = [until(on, "margin_usage", "<= 0.05"), exposure(on, "SOL-USD", 20_000)]
    pair = Instance(markets=("ETH-USD", "SOL-USD"))
    net = replace(guard("net_exposure", "> 4897.04"), instance=pair)

    made = plan.propose(on, wanted, Means(orders_left=1), guards=[net])

    assert made.solver == solver.version()
    assert coins(made, on) == {"SOL-USD": Decimal("158.4")}
    assert [claim.reached for claim in made.claims] == [False, True]


def test_two_of_four_positions_of_which_the_budget_leaves_a_part() -> None:
    on = account(
        13_852,
        {
            "LINK-USD": ("-307.5", 200),
            "BTC-USD": ("0.5144", 100_000),
            "ETH-USD": ("6.395", 4_000),
        },
        {"LINK-USD": "36.9", "BTC-USD": "0.0643", "ETH-USD": "1.279", "SOL-USD": "15.3"},
        {
            "BTC-USD": (
                [(99_900, "0.0643"), (99_640, "0.0643"), (99_590, "0.1929")],
                [(100_100, "0.0643")],
            ),
            "ETH-USD": (
                [("3992.0", "3.837"), ("3983.6", "1.279"), ("3974.8", "1.279")],
                [("4008.1", "7.674")],
            ),
            "LINK-USD": ([("198.8", "55.35")], [("201.2", "36.9")]),
            "SOL-USD": ([("199.62", "15.3")], [("200.381", "15.3"), ("201.481", "45.9")]),
        },
        child=(2_447, {"SOL-USD": ("-122.4", 200)}),
    )
    own = [(0, "LINK-USD"), (0, "BTC-USD"), (0, "ETH-USD")]
    wanted = [until(on, "margin_usage", "<= 0.05", slots=own), gross(on, "<= 30000")]

    made = plan.propose(on, wanted, Means(orders_left=2, notional_left=quote(15_724)))

    assert made.solver == solver.version()
    assert coins(made, on) == {"ETH-USD": Decimal("1.279"), "LINK-USD": Decimal("36.9")}


def test_all_the_cash_beside_a_target_that_nothing_reaches() -> None:
    on = account(
        8_493,
        {
            "LINK-USD": ("-219.6", 200),
            "BTC-USD": ("0.16", 100_000),
            "SOL-USD": (-185, 200),
            "ETH-USD": ("7.62", 4_000),
        },
        {"LINK-USD": "18.3", "BTC-USD": "0.016", "SOL-USD": "18.5", "ETH-USD": "0.635"},
        {
            "BTC-USD": ([(99_820, "0.032")], [(100_181, "0.04")]),
            "ETH-USD": (
                [("4030.7", "1.905"), ("4007.2", "3.81")],
                [("4049.3", "0.635"), ("4072.8", "1.905")],
            ),
            "LINK-USD": ([("201.81", "18.3")], [("203.27", "36.6")]),
            "SOL-USD": ([("199.5", "27.75")], [("200.501", "64.75"), ("200.781", "111.0")]),
        },
    )
    wanted = [
        gross(on, "<= 30000"),
        until(on, "fatal_move", ">= 1.5", scenario="twin-gap", cash=3_052),
        until(on, "stress_headroom", ">= 1000", scenario="twin-gap", cash=3_052),
    ]
    means = Means(cash=quote(3_052), orders_left=1, closed=closing((0, "BTC-USD")))

    made = plan.propose(on, [*wanted, down_to(("ETH-USD", "3.81"))], means)

    assert made.solver == solver.version()
    assert made.top_ups == ((0, quote(3_052)),)
    assert coins(made, on) == {"ETH-USD": Decimal("3.81")}
