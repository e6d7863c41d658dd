"""How the functions of units, and those of one position, are asked what the chain was asked."""

from __future__ import annotations

import pytest

from seawall import margin, units
from seawall.account import Market
from seawall.plan import pricing
from tests.conformance.vectors import (
    Adapter,
    Json,
    fraction,
    market_of,
    number,
    positions_of,
    text,
    tier_of,
)


def base_to_quote_quantums(given: Json, expected: Json) -> None:
    market = market_of(given)
    assert margin.notional(market, number(given["base_quantums"])) == expected["quote_quantums"]


def quote_to_base_quantums(given: Json, expected: Json) -> None:
    if "panic" in expected or number(given["price"]) == 0:
        with pytest.raises(AssertionError):
            _to_base(given)
        return
    assert _to_base(given) == expected["base_quantums"]


def _to_base(given: Json) -> int:
    market = market_of(given)
    return units.quote_to_base(
        number(given["quote_quantums"]),
        market.oracle_price,
        market.oracle_exponent,
        market.atomic_resolution,
    )


def big_div_ceil(given: Json, expected: Json) -> None:
    assert units.divide_up(number(given["num"]), number(given["den"])) == expected["result"]


def big_int_round_to_multiple(given: Json, expected: Json) -> None:
    rounded = units.round_up if given["round_up"] else units.round_down
    assert rounded(number(given["n"]), number(given["multiple"])) == expected["result"]


def big_mul_ppm(given: Json, expected: Json) -> None:
    scaled = units.ppm_up if given["round_up"] else units.ppm_down
    assert scaled(number(given["val"]), number(given["ppm"])) == expected["result"]


def big_rat_round(given: Json, expected: Json) -> None:
    value = fraction(given["value"])
    scale = value.denominator
    rounded = units.round_up if given["round_up"] else units.round_down
    assert rounded(value.numerator, scale) // scale == expected["result"]


def fill_amount_to_quote_quantums(given: Json, expected: Json) -> None:
    paid = units.fill_quote(
        number(given["subticks"]),
        number(given["base_quantums"]),
        number(given["quantum_conversion_exponent"]),
    )
    assert paid == expected["quote_quantums"]


def serializable_int(given: Json, expected: Json) -> None:
    value, wire = number(given["value"]), bytes.fromhex(text(expected["bytes_hex"]))
    assert units.encode_serializable_int(value) == wire
    assert units.decode_serializable_int(wire) == value


def min_price_change_amount(given: Json, expected: Json) -> None:
    step = units.ppm_down(number(given["price"]), number(given["min_price_change_ppm"]))
    assert step == expected["amount"]


def _priced_in_subticks(given: Json) -> Market:
    return market_of(
        {
            **given,
            "atomic_resolution": given["base_atomic_resolution"],
            "clob_pair": {"quantum_conversion_exponent": given["quantum_conversion_exponent"]},
        }
    )


def price_to_subticks(given: Json, expected: Json) -> None:
    assert given["quote_atomic_resolution"] == units.QUOTE_RESOLUTION
    found = pricing.oracle_subticks(_priced_in_subticks(given))
    assert found == fraction(expected["subticks"])


def subticks_to_price(given: Json, expected: Json) -> None:
    assert given["quote_atomic_resolution"] == units.QUOTE_RESOLUTION
    market = _priced_in_subticks(given)
    dollars = market.dollars(number(given["subticks"]))
    assert int(dollars.scaleb(-market.oracle_exponent)) == expected["price"]


def adjusted_initial_margin_ppm(given: Json, expected: Json) -> None:
    assert margin.open_interest_imf_ppm(_crowded(given)) == expected["imf_ppm"]


def _crowded(given: Json) -> Market:
    """A market whose price is one, so that its open interest is its own notional."""
    market = market_of({"liquidity_tier": given, "open_interest": given["oi_quote_quantums"]})
    assert int(margin.notional(market, market.open_interest)) == int(market.open_interest)
    return market


def initial_margin_quote_quantums(given: Json, expected: Json) -> None:
    found = margin.initial_requirement(
        _crowded(given), number(given["quote_quantums"]), number(given["custom_imf_ppm"])
    )
    assert found == expected["initial_margin_quote_quantums"]


def maintenance_margin_ppm(given: Json, expected: Json) -> None:
    assert margin.maintenance_margin_ppm(tier_of(given)) == expected["maintenance_margin_ppm"]


def max_abs_funding_clamp_ppm(given: Json, expected: Json) -> None:
    found = margin.funding_clamp_ppm(tier_of(given), number(given["clamp_factor_ppm"]))
    assert found == expected["upper_bound_ppm"]


def position_margin_requirements(given: Json, expected: Json) -> None:
    market = market_of(given)
    size = abs(margin.notional(market, number(given["quantums"])))
    initial = margin.initial_requirement(market, size, number(given["custom_imf_ppm"]))
    assert initial == expected["imr"]
    assert margin.maintenance_requirement(market, size) == expected["mmr"]


def settlement_ppm(given: Json, expected: Json) -> None:
    market = market_of({"funding_index": given["perpetual_funding_index"]})
    (position,) = positions_of(
        [
            {
                "perpetual_id": 0,
                "quantums": given["quantums"],
                "funding_index": given["position_funding_index"],
                "quote_balance": 0,
            }
        ]
    )
    assert margin.settlement_ppm(position, market) == expected["net_settlement_ppm"]


ADAPTERS: tuple[Adapter, ...] = (
    base_to_quote_quantums,
    quote_to_base_quantums,
    big_div_ceil,
    big_int_round_to_multiple,
    big_mul_ppm,
    big_rat_round,
    fill_amount_to_quote_quantums,
    serializable_int,
    min_price_change_amount,
    price_to_subticks,
    subticks_to_price,
    adjusted_initial_margin_ppm,
    initial_margin_quote_quantums,
    maintenance_margin_ppm,
    max_abs_funding_clamp_ppm,
    position_margin_requirements,
    settlement_ppm,
)
