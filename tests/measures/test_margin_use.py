"""Margin measures at, just under and just over; long, short, flat and missing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import Missing, Observation, Subaccount
from seawall.measures import MEASURES
from seawall.measures.spec import Instance, NoData, Value
from seawall.scenario import Buffer, Scenario
from tests.see import ETH, MARKETS, Held, Number, priced, scenario, see, view

PARENT = Instance(subaccount=0)
LONG: Held = {"BTC-USD": ("0.1", 100_000)}
SHORT: Held = {"BTC-USD": ("-0.1", 100_000)}
BOTH: Held = {"BTC-USD": ("0.1", 100_000), "ETH-USD": ("-2.5", 4_000)}
INFINITY = Decimal("Infinity")


def measure(
    name: str, equity: Number, held: Held, *, feared: Scenario | None = None, buffer: int = 0
) -> Value:
    seen = view(
        see(equity=equity, positions=held),
        buffer=Buffer(parent=Decimal(buffer)),
        scenarios=() if feared is None else (feared,),
    )
    return MEASURES[name].evaluate(seen, PARENT, None if feared is None else feared.name)


@pytest.mark.parametrize(
    ("name", "held", "equity", "value"),
    [
        ("leverage", LONG, 2_000, "5"),
        ("leverage", SHORT, 2_000, "5"),
        ("leverage", BOTH, 2_000, "10"),
        ("leverage", {}, 2_000, "0"),
        ("margin_usage", LONG, 400, "0.5"),
        ("margin_usage", SHORT, 400, "0.5"),
        ("margin_usage", BOTH, 400, "1"),
        ("margin_usage", {}, 400, "0"),
        ("maintenance_usage", LONG, 240, "0.5"),
        ("maintenance_usage", SHORT, 120, "1"),
        ("maintenance_usage", BOTH, 200, "1.2"),
        ("maintenance_usage", {}, 240, "0"),
        ("free_collateral", LONG, 240, "40"),
        ("free_collateral", SHORT, 199, "-1"),
        ("free_collateral", {}, 240, "240"),
    ],
)
def test_usage_is_a_share_of_equity(name: str, held: Held, equity: int, value: str) -> None:
    assert measure(name, equity, held) == Decimal(value)


@pytest.mark.parametrize(
    ("name", "edge", "bound"),
    [("maintenance_usage", 240, "0.5"), ("margin_usage", 400, "0.5"), ("leverage", 2_000, "5")],
)
def test_usage_tells_a_quantum_on_either_side_of_its_bound(
    name: str, edge: int, bound: str
) -> None:
    quantum = Decimal("0.000001")

    values = [measure(name, edge + more, LONG) for more in (quantum, Decimal(0), -quantum)]

    numbers = [value for value in values if isinstance(value, Decimal)]
    assert numbers[0] < Decimal(bound) == numbers[1] < numbers[2]


@pytest.mark.parametrize("name", ["leverage", "margin_usage", "maintenance_usage"])
@pytest.mark.parametrize("equity", [0, -1])
def test_a_ruined_account_is_beyond_every_bound(name: str, equity: int) -> None:
    assert measure(name, equity, LONG) == INFINITY
    assert measure(name, equity, {}) == 0


def test_the_buffer_is_taken_from_capacity_only() -> None:
    assert measure("free_collateral", 240, LONG, buffer=100) == -60
    assert measure("leverage", 2_000, LONG, buffer=100) == 5
    assert measure("stress_headroom", 2_000, LONG, feared=scenario(), buffer=100) == (
        2_000 - 1_000 - 108 - 100
    )
    assert measure("fatal_move", 2_000, LONG, feared=scenario(), buffer=100) == measure(
        "fatal_move", 2_000, LONG, feared=scenario()
    )


def test_a_child_has_a_buffer_of_its_own() -> None:
    seen = see(equity=1_000, children={128: (500, {"SOL-USD": (1, 200)})})
    looked = view(seen, buffer=Buffer(parent=Decimal(300), child=Decimal(50)))

    free = [
        MEASURES["free_collateral"].evaluate(looked, Instance(subaccount=number), None)
        for number in (0, 128)
    ]

    assert free == [700, 500 - 10 - 50]


@pytest.mark.parametrize(
    ("held", "equity", "headroom"),
    [
        (LONG, 1_108, "0"),
        (LONG, "1107.999999", "-0.000001"),
        (LONG, "1108.000001", "0.000001"),
        (SHORT, 1_132, "0"),
        (SHORT, "1131.999999", "-0.000001"),
        ({}, 0, "0"),
    ],
)
def test_headroom_at_just_under_and_just_over(held: Held, equity: Number, headroom: str) -> None:
    feared = scenario(both_signs=held == SHORT)

    assert measure("stress_headroom", equity, held, feared=feared) == Decimal(headroom)


@pytest.mark.parametrize(
    ("held", "equity", "multiple"),
    [
        (LONG, 1_108, "1"),
        (SHORT, 1_132, "1"),
        (LONG, 120, "0"),
        (LONG, 119, "0"),
        ({}, 100, "Infinity"),
    ],
)
def test_the_fatal_multiple_is_one_where_the_scenario_just_kills(
    held: Held, equity: Number, multiple: str
) -> None:
    feared = scenario(both_signs=held == SHORT)

    assert measure("fatal_move", equity, held, feared=feared) == Decimal(multiple)


@pytest.mark.parametrize("name", ["stress_headroom", "fatal_move"])
@pytest.mark.parametrize("asked", ["no-such", None])
def test_a_scenario_that_is_not_there_is_no_data(name: str, asked: str | None) -> None:
    seen = view(see(positions=LONG), scenarios=(scenario(),))

    value = MEASURES[name].evaluate(seen, PARENT, asked)

    assert isinstance(value, NoData)
    assert str(asked) in value.reason


MARGIN = [m for m in MEASURES.values() if m.family.value == "margin"]


@pytest.mark.parametrize("name", [m.name for m in MARGIN])
def test_a_price_of_zero_is_no_data_for_its_subaccount_and_the_others_stand(name: str) -> None:
    broken = {**MARKETS, "ETH-USD": priced(ETH, 0)}
    seen = see(equity=1_000, positions=LONG, markets=broken)
    child = see(equity=500, positions={"ETH-USD": (1, 4_000)}).subaccounts[0]
    looked = view(
        _with_child(seen, child),
        scenarios=(scenario(),),
    )

    values = [
        MEASURES[name].evaluate(looked, Instance(subaccount=number), "twin-gap")
        for number in (0, 128)
    ]

    assert isinstance(values[0], Decimal)
    assert isinstance(values[1], NoData)
    assert "ETH-USD: oracle price is 0" in values[1].reason


def _with_child(seen: Observation, child: Subaccount) -> Observation:
    return replace(seen, subaccounts=(*seen.subaccounts, replace(child, number=128)))


@pytest.mark.parametrize("name", ["margin_usage", "free_collateral"])
def test_custom_leverage_that_was_not_read_is_no_data_where_it_counts(name: str) -> None:
    unread = view(see(positions=LONG, custom_imf=Missing(reason="deadline")))

    assert isinstance(MEASURES[name].evaluate(unread, PARENT, None), NoData)
    assert isinstance(MEASURES["maintenance_usage"].evaluate(unread, PARENT, None), Decimal)


@pytest.mark.parametrize("name", [m.name for m in MARGIN])
@pytest.mark.parametrize("instance", [Instance(), Instance(subaccount=7)])
def test_margin_is_never_told_of_anything_but_a_guarded_subaccount(
    name: str, instance: Instance
) -> None:
    value = MEASURES[name].evaluate(
        view(see(positions=LONG), scenarios=(scenario(),)), instance, "twin-gap"
    )

    assert isinstance(value, NoData)


def test_custom_leverage_counts_in_usage() -> None:
    braked = view(see(equity=1_000, positions=LONG, custom_imf={"BTC-USD": "0.5"}))

    assert MEASURES["margin_usage"].evaluate(braked, PARENT, None) == 5
