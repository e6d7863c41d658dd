"""Cuts of fixed size where the hour has fewer orders left than there are positions to cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import plan
from seawall.account import Observation
from seawall.action import Plan, RefusalCode
from seawall.measures.view import View
from seawall.plan.demand import CutDemand, Demand, Means
from seawall.plan.trial import carried_out
from tests.plan.stage import closing, coins, down_to, until
from tests.plan.test_proportion import GAP, headroom
from tests.see import BTC, ETH, SOL, Held, book, see, view

# Maintenance margin: 1.2% of $30,000, 1.2% of $20,000, 3% of $10,000.
HELD: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": (5, 4_000), "SOL-USD": (50, 200)}
ALL = down_to(("BTC-USD", 0), ("ETH-USD", 0), ("SOL-USD", 0))


def on_paper(held: Held = HELD, **words: object) -> View:
    seen: Observation = see(equity=20_000, positions=held, **words)  # type: ignore[arg-type]
    return view(seen, scenarios=[GAP])


def sent(on: View, orders: int | None, *demands: Demand) -> Plan:
    wanted = demands or (ALL,)
    means = Means(orders_left=orders)
    made = plan.propose(on, wanted, means, scenarios=("twin-gap",))
    assert plan.recompute(on, wanted, means, made, scenarios=("twin-gap",)) == made
    return made


def left_out(made: Plan) -> list[str]:
    assert {refusal.code for refusal in made.dropped} <= {RefusalCode.BUDGET_ORDERS}
    return [refusal.what for refusal in made.dropped]


@pytest.mark.parametrize(
    ("orders", "cut", "others"),
    [
        (1, ["BTC-USD"], ["sell 0/ETH-USD", "sell 0/SOL-USD"]),
        (2, ["BTC-USD", "SOL-USD"], ["sell 0/ETH-USD"]),
        (3, ["BTC-USD", "ETH-USD", "SOL-USD"], []),
        (None, ["BTC-USD", "ETH-USD", "SOL-USD"], []),
        (0, ["BTC-USD", "ETH-USD", "SOL-USD"], []),  # the gate refuses each by name
    ],
)
def test_what_releases_the_most_maintenance_margin_goes_first(
    orders: int | None, cut: list[str], others: list[str]
) -> None:
    on = on_paper()

    made = sent(on, orders)

    assert list(coins(made, on)) == cut
    assert left_out(made) == others


def test_it_is_what_is_expected_to_fill_that_counts() -> None:
    thin = {
        "BTC-USD": book(BTC, levels=[("0.0002", "0.01")]),
        "ETH-USD": book(ETH),
        "SOL-USD": book(SOL),
    }

    made = sent(on_paper(books=thin), 2)

    assert left_out(made) == ["sell 0/BTC-USD"]
    (refusal,) = made.dropped
    assert refusal.detail == (
        "the hour's budget leaves 2 orders until 23:00Z, and others release more margin"
    )


def test_of_two_that_release_the_same_the_first_by_name_goes() -> None:
    on = on_paper({"ETH-USD": (5, 4_000), "BTC-USD": ("0.2", 100_000)})

    assert list(coins(sent(on, 1, down_to(("BTC-USD", 0), ("ETH-USD", 0))), on)) == ["BTC-USD"]


def test_an_order_that_nobody_takes_leaves_its_place_to_one_that_fills() -> None:
    nobody = replace(book(BTC), bids=())
    on = on_paper(books={"BTC-USD": nobody, "ETH-USD": book(ETH), "SOL-USD": book(SOL)})

    made = sent(on, 2)

    assert list(coins(made, on)) == ["ETH-USD", "SOL-USD"]
    of_depth, of_orders = made.dropped
    assert of_depth.code is RefusalCode.NO_DEPTH
    assert (of_orders.code, of_orders.what) == (RefusalCode.BUDGET_ORDERS, "sell 0/BTC-USD")
    assert of_orders.detail == (
        "the hour's budget leaves 2 orders until 23:00Z, and nobody is seen to take it"
    )
    assert len(sent(on, 3).legs) == 3  # it is tried where there is an order for it


def test_it_takes_no_place_from_a_target_either() -> None:
    nobody = replace(book(BTC), bids=())
    on = on_paper(books={"BTC-USD": nobody, "ETH-USD": book(ETH), "SOL-USD": book(SOL)})

    made = sent(on, 1, down_to(("BTC-USD", 0)), until(on, "leverage", "<= 2.5"))

    assert list(coins(made, on)) == ["SOL-USD"] or list(coins(made, on)) == ["ETH-USD"]
    assert all(claim.reached for claim in made.targets)


def test_what_the_chain_refuses_whole_takes_no_place() -> None:
    """Nothing is above initial margin, and a bid so far off costs more than its fill frees."""
    held: Held = {"BTC-USD": (9, 100_000), "SOL-USD": (50, 200)}
    far = {"BTC-USD": book(BTC, levels=[("0.0199", 50)]), "SOL-USD": book(SOL)}
    on = view(see(equity=18_500, positions=held, books=far))
    down = down_to(("BTC-USD", 0), ("SOL-USD", 0))

    made = plan.propose(on, [down], Means(orders_left=1))

    assert list(coins(made, on)) == ["SOL-USD"]


# A long with its hedge, and one that hedges nothing.
PAIRS: Held = {
    "BTC-USD": ("0.3", 100_000),
    "ETH-USD": ("-7.5", 4_000),
    "SOL-USD": (10, 200),
}


def flatten(*tickers: str, widened: bool = False) -> CutDemand:
    down = down_to(*((ticker, 0) for ticker in tickers))
    return replace(down, in_proportion=not widened)


@pytest.mark.parametrize(
    ("orders", "cut"), [(1, ["SOL-USD"]), (2, ["BTC-USD", "ETH-USD"]), (3, [*PAIRS])]
)
def test_a_flatten_of_few_orders_breaks_no_hedge(orders: int, cut: Sequence[str]) -> None:
    on = on_paper(PAIRS)

    made = sent(on, orders, flatten(*PAIRS))

    assert list(coins(made, on)) == cut
    assert headroom(carried_out(on, made)) >= headroom(on)


def test_once_it_has_widened_it_goes_by_margin_alone() -> None:
    on = on_paper(PAIRS)

    made = sent(on, 1, flatten(*PAIRS, widened=True))

    assert coins(made, on) == {"BTC-USD": Decimal("0.3")}


def test_where_no_so_few_leave_the_hedge_none_goes_and_it_is_said() -> None:
    hedged = {ticker: PAIRS[ticker] for ticker in ("BTC-USD", "ETH-USD")}
    on = on_paper(hedged)

    made = sent(on, 1, flatten(*hedged))

    assert not made.legs
    assert left_out(made) == ["sell 0/BTC-USD", "buy 0/ETH-USD"]
    assert {refusal.detail for refusal in made.dropped} == {
        "the hour's budget leaves 1 order until 23:00Z, and with so few a scenario would get worse"
    }


def test_what_is_closed_already_or_may_not_be_traded_takes_no_place() -> None:
    on = on_paper()
    means = Means(orders_left=2, closed=closing((0, "BTC-USD")))

    made = plan.propose(on, [ALL], means)

    assert list(coins(made, on)) == ["ETH-USD", "SOL-USD"]
    assert not made.dropped
