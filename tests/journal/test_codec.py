"""What is written as JSON is read back equal, whatever it was."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.account import (
    NOT_READ,
    Advice,
    Blind,
    IndexerSizes,
    Missing,
    Observation,
    Position,
    Seen,
    Subaccount,
)
from seawall.action import Action, Cancel, Claim, Outcome, Plan, Reduce, Refusal, TopUp
from seawall.journal.codec import from_json, to_json
from seawall.units import BaseQuantums, Millis, Ppm, QuoteQuantums


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """One of each shape that our values are made of."""

    exact: Decimal
    big: int
    colour: Colour
    maybe: Position | None
    parts: tuple[Position | Blind, ...]
    slots: frozenset[tuple[int, str]]
    by_slot: Mapping[tuple[int, str], Decimal]
    by_number: Mapping[int, tuple[int, str]]
    value: Decimal | Missing


EVERYTHING = Everything(
    exact=Decimal("1E+2"),
    big=-(10**40),
    colour=Colour.RED,
    maybe=None,
    parts=(Blind(seen_at=Millis(1), reasons=("node",)),),
    slots=frozenset({(0, "BTC-USD")}),
    by_slot={(0, "A,B"): Decimal("0.10"), (128, '"'): Decimal(0)},
    by_number={-1: (3, "x")},
    value=Missing(reason="5"),
)


@given(st.from_type(Observation))
@settings(max_examples=60)
def test_an_observation_comes_back_equal(seen: Observation) -> None:
    assert from_json(Observation, to_json(seen)) == seen
    assert from_json(Seen, to_json(seen)) == seen


@pytest.mark.parametrize("shape", [Cancel, TopUp, Reduce])
def test_an_action_comes_back_equal_and_of_its_kind(shape: type[Action]) -> None:
    @given(st.from_type(shape))
    @settings(max_examples=30)
    def holds(action: Action) -> None:
        again = from_json(Action, to_json(action))
        assert again == action
        assert type(again) is type(action)

    holds()


@pytest.mark.parametrize("shape", [Plan, Refusal, Claim, Outcome])
def test_a_plan_and_what_became_of_it_come_back_equal(shape: type[Plan]) -> None:
    @given(st.from_type(shape))
    @settings(max_examples=30)
    def holds(value: Plan) -> None:
        assert from_json(shape, to_json(value)) == value

    holds()


def test_every_shape_comes_back_equal_and_as_exact_as_it_was() -> None:
    again = from_json(Everything, to_json(EVERYTHING))

    assert again == EVERYTHING
    assert str(again.exact) == "1E+2"
    assert str(again.by_slot[(0, "A,B")]) == "0.10"
    assert isinstance(again.colour, Colour)
    assert isinstance(again.parts[0], Blind)


def test_money_is_never_a_float_on_the_way() -> None:
    written = json.loads(to_json(EVERYTHING))

    assert written["exact"] == "1E+2"
    assert written["by_slot"] == {'[0,"A,B"]': "0.10", '[128,"\\""]': "0"}
    assert written["big"] == -(10**40)


def test_a_mapping_that_is_no_dict_is_written_as_what_it_holds() -> None:
    lazy = replace(EVERYTHING, by_number=ChainMap({1: (2, "a")}, {3: (4, "b")}))

    assert from_json(Everything, to_json(lazy)).by_number == {1: (2, "a"), 3: (4, "b")}


def test_where_all_mappings_are_dicts_it_is_written_as_where_they_are_not() -> None:
    lazy = replace(EVERYTHING, by_number=ChainMap(dict(EVERYTHING.by_number)))

    assert to_json(EVERYTHING) == to_json(lazy)


def test_missing_is_not_empty() -> None:
    unknown = Subaccount(number=0, usdc=QuoteQuantums(0), custom_imf_ppm=NOT_READ)
    none = Subaccount(number=0, usdc=QuoteQuantums(0), custom_imf_ppm={})
    some = Subaccount(number=0, usdc=QuoteQuantums(0), custom_imf_ppm={"reason": Ppm(5)})

    for value in (unknown, none, some):
        assert from_json(Subaccount, to_json(value)) == value
    assert from_json(Advice, to_json(Advice())) == Advice()


def test_keys_of_number_and_ticker_come_back() -> None:
    sizes = IndexerSizes(height=3, quantums={(128, "BTC-USD"): BaseQuantums(-(10**30))})

    assert from_json(IndexerSizes, to_json(sizes)) == sizes


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", '{"kind":"observation"}', '{"kind":"sell"}', '{"kind":"blind","seen_at":"x"}'],
)
def test_text_that_is_no_such_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        from_json(Seen, text)


def test_a_number_that_is_none_is_refused() -> None:
    text = to_json(EVERYTHING).replace('"1E+2"', '"NaN"')

    with pytest.raises(ValueError, match="NaN is no number"):
        from_json(Everything, text)


@pytest.mark.parametrize("value", [Decimal("Infinity"), Decimal("-Infinity")])
def test_a_usage_without_equity_is_read_back(value: Decimal) -> None:
    infinite = replace(EVERYTHING, exact=value, value=value)

    assert from_json(Everything, to_json(infinite)) == infinite
