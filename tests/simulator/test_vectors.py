"""The referee's ruler against the chain's own cases, taken from SEAWALL_VECTORS."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import pytest

from seawall.simulator import ruler
from seawall.simulator.markets import LiquidationConfig
from seawall.simulator.ruler import Held, Risk, Terms
from seawall.units import Ppm, QuoteQuantums

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("SEAWALL_VECTORS", ROOT.parent / "shared" / "vectors")) / "margin"

Json = dict[str, "Value"]
Value = int | str | bool | None | list["Json"] | Json


def number(value: Value) -> int:
    assert isinstance(value, int)
    return value


def table(value: Value) -> Json:
    assert isinstance(value, dict)
    return value


def rows(value: Value) -> list[Json]:
    assert isinstance(value, list)
    return value


def shift(perpetual: Json) -> int:
    return number(perpetual["price_exponent"]) + number(perpetual["atomic_resolution"]) + 6


def terms_of(perpetual: Json) -> Terms:
    tier = table(perpetual["liquidity_tier"])
    return ruler.worth_terms(
        perpetual_id=number(perpetual["id"]),
        price=number(perpetual["price"]),
        shift=shift(perpetual),
        funding_index=number(perpetual["funding_index"]),
        open_interest=number(perpetual["open_interest"]),
        initial_ppm=number(tier["initial_margin_ppm"]),
        maintenance_ppm=number(tier["maintenance_fraction_ppm"]),
        lower_cap=number(tier["open_interest_lower_cap"]),
        upper_cap=number(tier["open_interest_upper_cap"]),
    )


class Case:
    """One vector's account and market terms."""

    def __init__(self, given: Json) -> None:
        self.given = given
        self.terms = {number(p["id"]): terms_of(p) for p in rows(given["perpetuals"])}
        account = table(given["subaccount"])
        self.assets = {
            number(a["asset_id"]): number(a["quantums"]) for a in rows(account["asset_positions"])
        }
        self.held = tuple(
            Held(
                number(p["perpetual_id"]),
                number(p["quantums"]),
                number(p["funding_index"]),
                number(p["quote_balance"]),
            )
            for p in rows(account["perpetual_positions"])
        )
        custom = table(given["custom_imf_ppm"]) if "custom_imf_ppm" in given else {}
        self.custom = {int(key): number(ppm) for key, ppm in custom.items()}

    @property
    def usdc(self) -> int:
        return self.assets.get(0, 0)

    def risk(self) -> Risk:
        return ruler.risk(self.usdc, self.held, self.terms, self.custom)

    def liquidation_risk(self) -> Risk:
        """Liquidation ignores custom leverage."""
        return ruler.risk(self.usdc, self.held, self.terms)

    @property
    def market(self) -> Terms:
        return self.terms[number(self.given["perpetual_id"])]

    @property
    def position(self) -> int:
        wanted = number(self.given["perpetual_id"])
        return sum(one.quantums for one in self.held if one.perpetual_id == wanted)

    @property
    def limits(self) -> LiquidationConfig:
        config = table(self.given["liquidation_config"])
        return LiquidationConfig(
            max_fee_ppm=Ppm(number(config["max_liquidation_fee_ppm"])),
            min_position_notional=QuoteQuantums(number(config["min_position_notional_liquidated"])),
            max_position_portion_ppm=Ppm(number(config["max_position_portion_liquidated_ppm"])),
            subaccount_max_notional=QuoteQuantums(
                number(config["subaccount_max_notional_liquidated"])
            ),
            subaccount_max_insurance_lost=QuoteQuantums(
                number(config["subaccount_max_quantums_insurance_lost"])
            ),
            bankruptcy_adjustment_ppm=Ppm(number(config["bankruptcy_adjustment_ppm"])),
            spread_to_maintenance_ppm=Ppm(number(config["spread_to_maintenance_margin_ratio_ppm"])),
        )

    def insurance(self) -> int:
        sign = 1 if self.given["is_buy"] else -1
        size = number(self.given["fill_amount"])
        pair = table(self.given["clob_pair"])
        quote = ruler.fill_quote(
            number(self.given["subticks"]), size, number(pair["quantum_conversion_exponent"])
        )
        bankruptcy = ruler.bankruptcy_quote(
            self.liquidation_risk(), self.market, self.position, sign * size
        )
        return ruler.insurance_delta(-sign * quote, bankruptcy, self.limits.max_fee_ppm)

    def size_delta(self) -> int:
        pair = table(self.given["clob_pair"])
        size = ruler.liquidation_size(
            self.market,
            self.position,
            number(pair["step_base_quantums"]),
            self.limits,
            number(self.given["notional_liquidated_this_block"]),
        )
        return -size if self.position > 0 else size


def price(value: Value) -> Fraction:
    ratio = table(value)
    return Fraction(number(ratio["num"]), number(ratio["den"]))


def subaccount_risk(given: Json, expected: Json) -> None:
    case = Case(given)
    if expected.get("error") == "ErrPerpetualDoesNotExist":
        with pytest.raises(KeyError):
            case.risk()
        return
    update = table(given["update"])
    assert not rows(update["perpetual_updates"])
    added = sum(number(u["quantums_delta"]) for u in rows(update["asset_updates"]))
    risk = ruler.risk(case.usdc + added, case.held, case.terms, case.custom)
    for word in ("nc", "imr", "mmr"):
        assert getattr(risk, word) == expected.get(word, getattr(risk, word)), word


def state_transition(given: Json, expected: Json) -> None:
    old = Risk(number(given["cur_nc"]), number(given["cur_imr"]), number(given["cur_mmr"]))
    # The chain's function is called only below initial margin, which the new state says here.
    new = Risk(number(given["new_nc"]), number(given["new_nc"]) + 1, number(given["new_mmr"]))
    assert ruler.judge(old, new) == expected["result"]


def is_liquidatable(given: Json, expected: Json) -> None:
    case = Case(given)
    assert case.risk().is_liquidatable is expected["is_liquidatable"]
    nc, mmr = ruler.health(case.usdc, case.held, case.terms)
    assert (mmr > 0 and mmr > nc) is expected["is_liquidatable"]


def fillable_price(given: Json, expected: Json) -> None:
    case = Case(given)
    found = ruler.fillable_price(case.risk(), case.market, case.position, case.limits)
    assert found == price(expected["fillable_price"])


def fillable_price_to_subticks(given: Json, expected: Json) -> None:
    pair = table(given["clob_pair"])
    found = ruler.subticks_on_tick(
        price(given["fillable_price"]),
        number(pair["quantum_conversion_exponent"]),
        number(pair["subticks_per_tick"]),
        is_long=given["is_liquidating_long"] is True,
    )
    assert found == expected["subticks"]


def bankruptcy_price(given: Json, expected: Json) -> None:
    case = Case(given)
    delta = number(given["delta_quantums"])
    if "error" in expected:
        with pytest.raises(AssertionError):
            ruler.bankruptcy_quote(case.risk(), case.market, case.position, delta)
        return
    found = ruler.bankruptcy_quote(case.risk(), case.market, case.position, delta)
    assert found == expected["bankruptcy_price_quote_quantums"]


def insurance_fund_delta(given: Json, expected: Json) -> None:
    case = Case(given)
    if "error" in expected:
        with pytest.raises(AssertionError):
            case.insurance()
        return
    assert case.insurance() == expected["insurance_fund_delta"]


def liquidatable_size(given: Json, expected: Json) -> None:
    assert Case(given).size_delta() == expected["delta_quantums"]


def funding_index_delta(given: Json, expected: Json) -> None:
    found = ruler.funding_index_delta(
        number(given["funding_rate_8h_ppm"]),
        number(given["price"]),
        shift(given),
        number(given["seconds_since_last_funding"]),
    )
    assert found == expected["funding_index_delta"]


def chain_margin(given: Json, expected: Json) -> None:
    case, risk = Case(given), table(expected["risk"])
    found = case.risk()
    assert found == Risk(number(risk["nc"]), number(risk["imr"]), number(risk["mmr"]))
    assert (found.nc >= found.imr) is risk["initial_ok"]
    assert found.is_liquidatable is risk["liquidatable"]
    nc, mmr = ruler.health(case.usdc, case.held, case.terms)
    assert (nc, mmr) == (found.nc, found.mmr)
    settled = table(table(expected["settled"])["subaccount"])
    usdc = {number(a["asset_id"]): a["quantums"] for a in rows(settled["asset_positions"])}
    assert case.usdc + ruler.funding_owed(case.held, case.terms) == usdc.get(0, 0)
    _judge_update(case, table(expected["update"]))
    _judge_liquidation(case, expected)
    _judge_funding(given, expected)


def _judge_update(case: Case, expected: Json) -> None:
    usdc = case.usdc + ruler.funding_owed(case.held, case.terms)
    usdc += sum(number(u["quantums_delta"]) for u in rows(case.given["asset_updates"]))
    held = {
        one.perpetual_id: one._replace(funding_index=case.terms[one.perpetual_id].funding_index)
        for one in case.held
    }
    for update in rows(case.given["perpetual_updates"]):
        key = number(update["perpetual_id"])
        known = held.get(key, Held(key, 0, case.terms[key].funding_index))
        held[key] = known._replace(
            quantums=known.quantums + number(update["quantums_delta"]),
            quote_balance=known.quote_balance + number(update["quote_balance_delta"]),
        )
    new = ruler.risk(usdc, held.values(), case.terms, case.custom)
    assert new == Risk(number(expected["nc"]), number(expected["imr"]), number(expected["mmr"]))
    assert ruler.judge(case.risk(), new) == expected["result"]


def _judge_liquidation(case: Case, expected: Json) -> None:
    risk = case.liquidation_risk()
    given = case.given
    pair = table(given["clob_pair"])
    if expected.get("size_delta") is not None:
        assert case.size_delta() == expected["size_delta"]
    if expected["bankruptcy"] == IS_ERROR:
        with pytest.raises(AssertionError):
            _bankruptcy(case, risk)
        with pytest.raises(AssertionError):
            case.insurance()
        return
    if expected["bankruptcy"] is not None:
        assert _bankruptcy(case, risk) == expected["bankruptcy"]
    if expected["fillable"] is not None:
        fillable = ruler.fillable_price(risk, case.market, case.position, case.limits)
        assert fillable == price(expected["fillable"])
        subticks = ruler.subticks_on_tick(
            fillable,
            number(pair["quantum_conversion_exponent"]),
            number(pair["subticks_per_tick"]),
            is_long=case.position > 0,
        )
        assert subticks == expected["fillable_subticks"]
    if expected["insurance"] is not None:
        assert case.insurance() == expected["insurance"]


def _bankruptcy(case: Case, risk: Risk) -> int:
    delta = number(case.given["delta_quantums"])
    return ruler.bankruptcy_quote(risk, case.market, case.position, delta)


def _judge_funding(given: Json, expected: Json) -> None:
    perpetual = next(p for p in rows(given["perpetuals"]) if p["id"] == given["perpetual_id"])
    found = ruler.funding_index_delta(
        number(given["funding_rate_8h_ppm"]),
        number(perpetual["price"]),
        shift(perpetual),
        number(given["seconds_since_last_funding"]),
    )
    assert found == expected["funding_index_delta"]


IS_ERROR: Json = {"error": True}

ADAPTERS: Mapping[str, Callable[[Json, Json], None]] = {
    "subaccount_risk": subaccount_risk,
    "chain_margin": chain_margin,
    "undercollateralized_state_transition": state_transition,
    "is_liquidatable": is_liquidatable,
    "fillable_price": fillable_price,
    "fillable_price_to_subticks": fillable_price_to_subticks,
    "bankruptcy_price": bankruptcy_price,
    "insurance_fund_delta": insurance_fund_delta,
    "liquidatable_position_size_delta": liquidatable_size,
    "funding_index_delta": funding_index_delta,
}

OUT_OF_SCOPE = {
    "ErrNotImplementedMulticollateral": "the venue's accounts hold USDC only",
    "ErrNotImplementedMargin": "the venue's accounts hold USDC only",
}


def cases() -> Iterator[tuple[str, Json]]:
    for name in ADAPTERS:
        file = FOLDER / f"{name}.json"
        if file.exists():
            for case in json.loads(file.read_text()):
                yield name, case


def test_the_vectors_are_there() -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"no vectors: {FOLDER} is absent (set SEAWALL_VECTORS)")

    absent = [name for name in ADAPTERS if not (FOLDER / f"{name}.json").exists()]

    assert absent == []


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_the_ruler_says_what_the_chain_says(name: str) -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"no vectors: {FOLDER} is absent (set SEAWALL_VECTORS)")
    judged = 0

    for adapter, case in cases():
        given, expected = table(case["input"]), table(case["expected"])
        error = expected.get("error")
        is_foreign = error in OUT_OF_SCOPE
        is_about_delta = name == "fillable_price" and error is not None  # we pass no delta
        if adapter != name or is_foreign or is_about_delta:
            continue
        try:
            ADAPTERS[name](given, expected)
        except AssertionError as failure:
            raise AssertionError(f"{name}: {case['name']}") from failure
        judged += 1

    assert judged > 0
