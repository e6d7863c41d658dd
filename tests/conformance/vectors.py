"""The chain's own cases as typed values, and accounts built from them.

A file is a list of `{name, source, input, expected}`; formulas and units are those of the core.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from seawall import margin
from seawall.account import Market, MarketType, Position, Subaccount, Tier
from seawall.units import BaseQuantums, Ppm, QuoteQuantums

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("SEAWALL_VECTORS", ROOT.parent / "shared" / "vectors"))
ABSENT = f"no vectors: {FOLDER} is absent; set SEAWALL_VECTORS to the folder that holds margin/"

Json = dict[str, "Value"]
Value = int | str | bool | None | list["Json"] | Json
Adapter = Callable[[Json, Json], None]  # input, expected


class NotOurs(Exception):
    """A case that asks something that the judged code does not answer, and why it need not."""


def number(value: Value) -> int:
    """An integer of a case, also where it is written as text."""
    assert isinstance(value, int | str)
    return int(value)


def text(value: Value) -> str:
    """A word of a case."""
    assert isinstance(value, str)
    return value


def names(value: Value) -> list[str]:
    """A list of words of a case."""
    assert isinstance(value, list)
    return [str(one) for one in value]


def flag(value: Value) -> bool:
    """A yes or no of a case."""
    assert isinstance(value, bool)
    return value


def table(value: Value) -> Json:
    """An object of a case."""
    assert isinstance(value, dict)
    return value


def rows(value: Value) -> list[Json]:
    """A list of objects of a case."""
    assert isinstance(value, list)
    return value


def fraction(value: Value) -> Fraction:
    """An exact rational of a case."""
    ratio = table(value)
    return Fraction(number(ratio["num"]), number(ratio["den"]))


def files() -> tuple[str, ...]:
    """Every case file, as folder/name without its ending."""
    found = [p for part in ("margin", "reduce_only") for p in (FOLDER / part).glob("*.json")]
    return tuple(sorted(f"{path.parent.name}/{path.stem}" for path in found))


def read(file: str) -> Value:
    """The content of one case file."""
    content: Value = json.loads((FOLDER / f"{file}.json").read_text())
    return content


def ticker(perpetual_id: int) -> str:
    """The name that a perpetual goes by here."""
    return f"P{perpetual_id}-USD"


def tier_of(given: Json) -> Tier:
    """A liquidity tier; what a case leaves out is zero."""
    return Tier(
        initial_margin_ppm=Ppm(number(given.get("initial_margin_ppm", 0))),
        maintenance_fraction_ppm=Ppm(number(given.get("maintenance_fraction_ppm", 0))),
        open_interest_lower_cap=QuoteQuantums(number(given.get("open_interest_lower_cap", 0))),
        open_interest_upper_cap=QuoteQuantums(number(given.get("open_interest_upper_cap", 0))),
    )


def market_of(given: Json) -> Market:
    """A perpetual with its price; what a case leaves out is neutral."""
    pair = table(given.get("clob_pair", {}))
    perpetual_id = number(given.get("id", 0))
    return Market(
        ticker=ticker(perpetual_id),
        perpetual_id=perpetual_id,
        clob_pair_id=perpetual_id,
        atomic_resolution=number(given.get("atomic_resolution", -6)),
        step_base_quantums=number(pair.get("step_base_quantums", 1)),
        subticks_per_tick=number(pair.get("subticks_per_tick", 1)),
        quantum_conversion_exponent=number(pair.get("quantum_conversion_exponent", 0)),
        oracle_price=number(given.get("price", 1)),
        oracle_exponent=number(given.get("price_exponent", 0)),
        tier=tier_of(table(given.get("liquidity_tier", {}))),
        funding_index=number(given.get("funding_index", 0)),
        open_interest=BaseQuantums(number(given.get("open_interest", 0))),
        market_type=MarketType.ISOLATED if given.get("isolated") else MarketType.CROSS,
    )


def markets_of(given: Value) -> dict[str, Market]:
    """Perpetuals by ticker."""
    return {market.ticker: market for market in map(market_of, rows(given))}


def assets_of(given: Value) -> tuple[tuple[int, int], ...]:
    """Asset entries as (asset id, quantums)."""
    return tuple((number(a["asset_id"]), number(a["quantums"])) for a in rows(given))


def positions_of(given: Value) -> tuple[Position, ...]:
    """Perpetual positions."""
    return tuple(
        Position(
            ticker=ticker(number(p["perpetual_id"])),
            quantums=BaseQuantums(number(p["quantums"])),
            funding_index=number(p["funding_index"]),
            quote_balance=QuoteQuantums(number(p["quote_balance"])),
        )
        for p in rows(given)
    )


def subaccount_of(given: Json, custom_imf_ppm: Value = None) -> Subaccount:
    """A subaccount as it is stored; raises MissingParameter for an asset that is not USDC."""
    custom = table(custom_imf_ppm or {})
    return Subaccount(
        number=0,
        usdc=margin.usdc_of(assets_of(given.get("asset_positions", []))),
        positions=positions_of(given.get("perpetual_positions", [])),
        custom_imf_ppm={ticker(int(key)): Ppm(number(ppm)) for key, ppm in custom.items()},
    )


def updated(
    subaccount: Subaccount, markets: Mapping[str, Market], assets: Value, perpetuals: Value
) -> Subaccount:
    """A subaccount settled and then changed as an update says.

    Raises MissingParameter for a touched market without a price.
    """
    after = margin.settle(subaccount, markets)
    usdc = sum(number(a["quantums_delta"]) for a in rows(assets))
    after = replace(after, usdc=QuoteQuantums(after.usdc + usdc))
    for change in rows(perpetuals):
        market = margin.market_of(markets, ticker(number(change["perpetual_id"])))
        size, balance = number(change["quantums_delta"]), number(change["quote_balance_delta"])
        after = margin.with_update(after, market, size, 0, balance)
    return after


def same_account(ours: Subaccount, given: Json) -> bool:
    """Whether a subaccount is the expected one; entries of zero on either side are nothing."""
    usdc = dict(assets_of(given.get("asset_positions", []))).get(0, 0)
    return ours.usdc == usdc and _ordered(ours.positions) == _ordered(
        positions_of(given.get("perpetual_positions", []))
    )


def _ordered(positions: Sequence[Position]) -> list[Position]:
    material = (one for one in positions if one.quantums != 0 or one.quote_balance != 0)
    return sorted(material, key=lambda position: position.ticker)
