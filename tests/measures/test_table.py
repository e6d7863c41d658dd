"""The table of measures is the contract's: names, units, instances, and what can move each."""

from __future__ import annotations

import pytest

from seawall.measures import MEASURES
from seawall.measures.spec import Move, Per, Unit

CONTRACT = {
    # name: unit, default per, moved by, worse up
    "equity": (Unit.DOLLARS, Per.ACCOUNT, {Move.TOP_UP}, False),
    "drawdown": (Unit.RATIO, Per.ACCOUNT, set(), True),
    "day_loss": (Unit.RATIO, Per.ACCOUNT, set(), True),
    "funding_24h": (Unit.DOLLARS, Per.ACCOUNT, {Move.REDUCE}, True),
    "gross_exposure": (Unit.DOLLARS, Per.MARKET, {Move.REDUCE}, True),
    "net_exposure": (Unit.DOLLARS, Per.MARKET, {Move.REDUCE}, True),
    "cap_use": (Unit.RATIO, Per.MARKET, {Move.REDUCE}, True),
    "open_order_risk": (Unit.DOLLARS, Per.MARKET, set(), True),
    "leverage": (Unit.MULTIPLE, Per.SUBACCOUNT, set(Move), True),
    "margin_usage": (Unit.RATIO, Per.SUBACCOUNT, set(Move), True),
    "maintenance_usage": (Unit.RATIO, Per.SUBACCOUNT, set(Move), True),
    "free_collateral": (Unit.DOLLARS, Per.SUBACCOUNT, set(Move), False),
    "stress_headroom": (Unit.DOLLARS, Per.SUBACCOUNT, set(Move), False),
    "fatal_move": (Unit.MULTIPLE, Per.SUBACCOUNT, set(Move), False),
    "liq_move": (Unit.RATIO, Per.MARKET, set(Move), False),
    "input_age": (Unit.SECONDS, Per.ACCOUNT, set(), True),
    "source_gap": (Unit.RATIO, Per.ACCOUNT, set(), True),
    "oracle_gap": (Unit.RATIO, Per.ACCOUNT, set(), True),
    "outside_reach": (Unit.COUNT, Per.ACCOUNT, set(), True),
}


def test_the_table_holds_exactly_the_measures_of_the_contract() -> None:
    found = {
        name: (one.unit, one.per[0], set(one.moved_by), one.worse_up)
        for name, one in MEASURES.items()
    }

    assert found == CONTRACT


def test_scenarios_and_fallbacks_are_asked_for_where_the_contract_does() -> None:
    assert {n for n, one in MEASURES.items() if one.needs_scenario} == {
        "stress_headroom",
        "fatal_move",
    }
    assert {n for n, one in MEASURES.items() if one.needs_or_else} == {
        "free_collateral",
        "stress_headroom",
    }


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_every_measure_says_what_it_is_and_where_it_comes_from(name: str) -> None:
    words = MEASURES[name].evaluate.__doc__ or ""

    assert MEASURES[name].evaluate.__name__ == name
    assert ".md" in words
