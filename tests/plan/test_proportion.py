"""Legs of a flatten go in proportion where one alone would break a hedge on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from seawall import plan
from seawall.action import Plan
from seawall.intervention import Keep
from seawall.measures.spec import Instance, NoData
from seawall.measures.view import View
from seawall.plan.claims import value_of
from seawall.plan.demand import CutDemand, Demand, Means
from seawall.plan.trial import carried_out
from seawall.policy import MeasureRef
from seawall.units import BaseQuantums, Ppm
from tests.plan.stage import coins, down_to, until
from tests.see import BTC, ETH, Held, Number, book, scenario, see, view

GAP = scenario(both_signs=True)
HEDGED: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": ("-7.5", 4_000)}
LONGS: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": ("7.5", 4_000)}


def thin(held: Held, *, eth: Number, equity: int = 20_000) -> View:
    """All of the bitcoin may go at once, and so much of the ether."""
    books = {
        "BTC-USD": book(BTC, levels=[("0.0002", 5)]),
        "ETH-USD": book(ETH, levels=[("0.0002", eth)]),
    }
    return view(see(equity=equity, positions=held, books=books), scenarios=[GAP])


def flatten(on: View, scenarios: Sequence[str] = ("twin-gap",), *, widened: bool = False) -> Plan:
    demand = CutDemand(
        name="panic#1",
        key="panic",
        measure=MeasureRef(name="drawdown"),
        instance=Instance(),
        keeps=tuple(
            Keep(subaccount=0, ticker=ticker, quantums=BaseQuantums(0))
            for ticker in ("BTC-USD", "ETH-USD")
        ),
        max_slippage=Ppm(20_000),
        in_proportion=not widened,
    )
    return plan.propose(on, [demand], Means(), scenarios=scenarios)


def headroom(on: View) -> Decimal:
    feared = MeasureRef(name="stress_headroom", scenario="twin-gap")
    value = value_of(on, feared, Instance(subaccount=0))
    assert not isinstance(value, NoData)
    return value


def test_a_hedge_is_closed_in_equal_shares_and_no_named_scenario_gets_worse() -> None:
    for equity in (2_000, 20_000):  # with headroom left and without
        on = thin(HEDGED, eth="1.5", equity=equity)

        made = flatten(on)

        assert coins(made, on) == {"BTC-USD": Decimal("0.06"), "ETH-USD": Decimal("1.5")}
        assert headroom(carried_out(on, made)) >= headroom(on)


def test_what_is_at_its_goal_already_has_no_part_in_the_share() -> None:
    on = thin({**HEDGED, "SOL-USD": (1, 200)}, eth="1.5")
    down = down_to(("BTC-USD", 0), ("ETH-USD", 0), ("SOL-USD", 1))

    wanted: list[Demand] = [replace(down, in_proportion=True), until(on, "leverage", "<= 9")]

    made = plan.propose(on, wanted, Means(), scenarios=("twin-gap",))

    assert coins(made, on) == {"BTC-USD": Decimal("0.06"), "ETH-USD": Decimal("1.5")}


def test_a_common_share_is_rounded_down_to_whole_steps() -> None:
    on = thin(HEDGED, eth="1.333")  # of 7.5: of 0.3 bitcoin 0.05332

    assert coins(flatten(on), on) == {"BTC-USD": Decimal("0.0533"), "ETH-USD": Decimal("1.333")}


def test_legs_that_hedge_nothing_go_as_far_as_each_may() -> None:
    on = thin(LONGS, eth="1.5")

    made = flatten(on)

    assert coins(made, on)["BTC-USD"] == Decimal("0.3")
    assert headroom(carried_out(on, made)) > headroom(on)


def test_without_a_scenario_or_once_widened_nothing_is_held_back() -> None:
    on = thin(HEDGED, eth="1.5")

    assert coins(flatten(on, ()), on)["BTC-USD"] == Decimal("0.3")
    assert coins(flatten(on, widened=True), on)["BTC-USD"] == Decimal("0.3")


def test_where_depth_is_there_a_hedge_goes_whole() -> None:
    on = thin(HEDGED, eth=50)

    assert coins(flatten(on), on) == {"BTC-USD": Decimal("0.3"), "ETH-USD": Decimal("7.5")}


def test_a_leg_that_has_nothing_to_close_holds_no_other_back() -> None:
    books = {"BTC-USD": book(BTC, levels=[("0.0002", "0.1")]), "ETH-USD": book(ETH)}
    on = view(see(equity=20_000, positions=HEDGED, books=books), scenarios=[GAP])
    keeps = (("BTC-USD", 0), ("ETH-USD", 7_500_000_000))
    demand = CutDemand(
        name="panic#1",
        key="panic",
        measure=MeasureRef(name="drawdown"),
        instance=Instance(),
        keeps=tuple(
            Keep(subaccount=0, ticker=ticker, quantums=BaseQuantums(left)) for ticker, left in keeps
        ),
        max_slippage=Ppm(20_000),
        in_proportion=True,
    )

    made = plan.propose(on, [demand], Means(), scenarios=("twin-gap",))

    assert coins(made, on) == {"BTC-USD": Decimal("0.3")}
