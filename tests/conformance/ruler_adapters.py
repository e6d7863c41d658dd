"""How the venue's own arithmetic (`simulator.ruler`) is asked what the chain was asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import pytest

from seawall.simulator import conditional, funding, ruler
from seawall.simulator.chain import to_price
from seawall.simulator.exchange import Exchange
from seawall.simulator.ruler import Held, Risk, Terms
from seawall.simulator.state import Account, MarketState
from seawall.simulator.updates import verdict
from seawall.units import QuoteQuantums
from tests.conformance.arena import account_of, config_of, exchange_of, market_of
from tests.conformance.vectors import (
    Adapter,
    Json,
    NotOurs,
    Value,
    flag,
    fraction,
    number,
    rows,
    table,
    text,
)

USDC_ONLY = "the venue's accounts hold USDC only"
OF_THE_DELTA = "the chain checks the size asked for; the venue prices the position that it holds"
NO_DEBT = "the venue turns a cap of notional into a size, never a debt"
NAMED: Json = {"id": "it/0"}  # a case of one account does not name it


class Case:
    """A case of one account among its markets."""

    def __init__(self, given: Json) -> None:
        self.given = given
        self.exchange: Exchange = exchange_of(given, [])
        account = table(given["subaccount"])
        if any(one["asset_id"] != 0 for one in rows(account["asset_positions"])):
            raise NotOurs(USDC_ONLY)
        custom = {int(k): number(v) for k, v in table(given.get("custom_imf_ppm", {})).items()}
        self.account: Account = account_of(NAMED | account, custom)

    @property
    def risk(self) -> Risk:
        """Margin of the account; liquidation ignores custom leverage, which changes IMR alone."""
        return self.exchange.risk(self.account)

    @property
    def market(self) -> MarketState:
        pair = table(self.given.get("clob_pair", {}))
        wanted = self.given["perpetual_id"]
        (perpetual,) = (p for p in rows(self.given["perpetuals"]) if p["id"] == wanted)
        return market_of(perpetual, pair)

    @property
    def position(self) -> int:
        return int(self.account.quantums(number(self.given["perpetual_id"])))

    def fillable(self) -> Fraction:
        limits = config_of(table(self.given["liquidation_config"]))
        return ruler.fillable_price(self.risk, self.market.terms, self.position, limits)

    def bankruptcy(self, delta: int) -> int:
        return ruler.bankruptcy_quote(self.risk, self.market.terms, self.position, delta)

    def insurance(self) -> int:
        sign = 1 if self.given["is_buy"] else -1
        size = number(self.given["fill_amount"])
        exponent = self.market.spec.quantum_conversion_exponent
        quote = ruler.fill_quote(number(self.given["subticks"]), size, exponent)
        most = config_of(table(self.given["liquidation_config"])).max_fee_ppm
        return ruler.insurance_delta(-sign * quote, self.bankruptcy(sign * size), most)

    def size_delta(self) -> int:
        size = ruler.liquidation_size(
            self.market.terms,
            self.position,
            self.market.spec.step_base_quantums,
            config_of(table(self.given["liquidation_config"])),
            number(self.given["notional_liquidated_this_block"]),
        )
        return -size if self.position > 0 else size


@contextmanager
def refused(expected: Value) -> Iterator[None]:
    """The venue must not answer where the chain gives an error: it has no such caller."""
    if isinstance(expected, dict) and "error" in expected:
        with pytest.raises(AssertionError):
            yield
        return
    yield


def _terms(given: Json) -> Terms:
    """Terms of a price alone, or of a tier alone at a price of one."""
    tier = table(given.get("liquidity_tier", given))
    shift = number(given.get("price_exponent", 0)) + number(given.get("atomic_resolution", -6)) + 6
    interest = given.get("open_interest", given.get("oi_quote_quantums", 0))
    return ruler.worth_terms(
        perpetual_id=0,
        price=number(given.get("price", 1)),
        shift=shift,
        funding_index=number(given.get("perpetual_funding_index", 0)),
        open_interest=number(interest),
        initial_ppm=number(tier.get("initial_margin_ppm", 0)),
        maintenance_ppm=number(tier.get("maintenance_fraction_ppm", 0)),
        lower_cap=number(tier.get("open_interest_lower_cap", 0)),
        upper_cap=number(tier.get("open_interest_upper_cap", 0)),
    )


def base_to_quote_quantums(given: Json, expected: Json) -> None:
    found = ruler.notional(_terms(given), number(given["base_quantums"]))
    assert found == expected["quote_quantums"]


def quote_to_base_quantums(given: Json, expected: Json) -> None:
    if number(given["price"]) == 0:
        with pytest.raises(AssertionError):
            to_price(market_of({**PLAIN, **given}).spec, 0)
        return
    if number(given["quote_quantums"]) < 0:
        raise NotOurs(NO_DEBT)
    assert (
        ruler.base_for(_terms(given), number(given["quote_quantums"]))
        == (expected["base_quantums"])
    )


def fill_amount_to_quote_quantums(given: Json, expected: Json) -> None:
    exponent = number(given["quantum_conversion_exponent"])
    found = ruler.fill_quote(number(given["subticks"]), number(given["base_quantums"]), exponent)
    assert found == expected["quote_quantums"]


def price_to_subticks(given: Json, expected: Json) -> None:
    exponent = number(given["quantum_conversion_exponent"])
    perpetual: Json = {**PLAIN, **given, "atomic_resolution": given["base_atomic_resolution"]}
    market = market_of(perpetual, {"quantum_conversion_exponent": exponent})
    assert conditional.oracle_subticks(market) == fraction(expected["subticks"])


def adjusted_initial_margin_ppm(given: Json, expected: Json) -> None:
    assert ruler.initial_ppm(_terms(given)) == expected["imf_ppm"]


def initial_margin_quote_quantums(given: Json, expected: Json) -> None:
    custom = number(given["custom_imf_ppm"])
    found = ruler.initial(_terms(given), number(given["quote_quantums"]), custom)
    assert found == expected["initial_margin_quote_quantums"]


def position_margin_requirements(given: Json, expected: Json) -> None:
    terms = _terms(given)
    size = abs(ruler.notional(terms, number(given["quantums"])))
    assert ruler.initial(terms, size, number(given["custom_imf_ppm"])) == expected["imr"]
    assert ruler.maintenance(terms, size) == expected["mmr"]


def max_abs_funding_clamp_ppm(given: Json, expected: Json) -> None:
    found = ruler.clamp_bound(_terms(given), number(given["clamp_factor_ppm"]))
    assert found == expected["upper_bound_ppm"]


def average_price_subticks(given: Json, expected: Json) -> None:
    found = funding.average_price(
        number(given["quote_quantums"]),
        number(given["base_quantums"]),
        number(given["quantum_conversion_exponent"]),
    )
    assert found == fraction(expected["subticks"])


def settlement_ppm(given: Json, expected: Json) -> None:
    held = Held(0, number(given["quantums"]), number(given["position_funding_index"]))
    found = ruler.funding_owed_ppm([held], {0: _terms(given)})
    assert found == expected["net_settlement_ppm"]


def asset_risk(given: Json, expected: Json) -> None:
    if expected["error"] is not None:
        raise NotOurs(USDC_ONLY)
    found = ruler.risk(number(given["quantums"]), (), {})
    assert found == (expected["nc"], expected["imr"], expected["mmr"])


def risk_cmp(given: Json, expected: Json) -> None:
    a = Risk(number(given["a_nc"]), 0, number(given["a_mmr"]))
    b = Risk(number(given["b_nc"]), 0, number(given["b_mmr"]))
    assert ruler.is_riskier(a, b) - ruler.is_riskier(b, a) == expected["result"]


def risk_predicates(given: Json, expected: Json) -> None:
    one = Risk(number(given["nc"]), number(given["imr"]), number(given["mmr"]))
    found = {
        "is_initial_collateralized": one.nc >= one.imr,
        "is_maintenance_collateralized": one.nc >= one.mmr,
        "is_liquidatable": one.is_liquidatable,
    }
    assert found[text(given["predicate"])] is expected["result"]


def subaccount_risk(given: Json, expected: Json) -> None:
    if expected.get("error") == "ErrPerpetualDoesNotExist":
        with pytest.raises(KeyError):
            _ = Case(given).risk
        return
    case, update = Case(given), table(given["update"])
    assert not rows(update["perpetual_updates"])
    if any(one["asset_id"] != 0 for one in rows(update["asset_updates"])):
        raise NotOurs(USDC_ONLY)
    added = sum(number(u["quantums_delta"]) for u in rows(update["asset_updates"]))
    usdc = case.account.usdc + added
    risk = ruler.risk(usdc, case.account.held, case.exchange.terms, case.account.custom_imf_ppm)
    for word in ("nc", "imr", "mmr"):
        assert getattr(risk, word) == expected.get(word, getattr(risk, word)), word


def undercollateralized_state_transition(given: Json, expected: Json) -> None:
    old = Risk(number(given["cur_nc"]), number(given["cur_imr"]), number(given["cur_mmr"]))
    # The chain's function is called only below initial margin, which the new state says here.
    new = Risk(number(given["new_nc"]), number(given["new_nc"]) + 1, number(given["new_mmr"]))
    assert ruler.judge(old, new) == expected["result"]


def is_liquidatable(given: Json, expected: Json) -> None:
    case = Case(given)
    assert case.risk.is_liquidatable is expected["is_liquidatable"]
    nc, mmr = ruler.health(case.account.usdc, case.account.held, case.exchange.terms)
    assert (mmr > 0 and mmr > nc) is expected["is_liquidatable"]


def liquidation_price(given: Json, expected: Json) -> None:
    """Nobody is liquidated at the last safe price, and everybody one unit beyond it."""
    last, is_long = number(expected["last_safe_price"]), expected["side"] == "long"
    for price, is_due in ((last, False), (last - 1 if is_long else last + 1, True)):
        moved = [
            {**p, "price": price if p["id"] == given["perpetual_id"] else p["price"]}
            for p in rows(given["perpetuals"])
        ]
        if price > 0:
            assert Case({**given, "perpetuals": moved}).risk.is_liquidatable is is_due, price


def fillable_price(given: Json, expected: Json) -> None:
    if "error" in expected:
        raise NotOurs(OF_THE_DELTA)
    assert Case(given).fillable() == fraction(expected["fillable_price"])


def fillable_price_to_subticks(given: Json, expected: Json) -> None:
    pair = table(given["clob_pair"])
    found = ruler.subticks_on_tick(
        fraction(given["fillable_price"]),
        number(pair["quantum_conversion_exponent"]),
        number(pair["subticks_per_tick"]),
        is_long=flag(given["is_liquidating_long"]),
    )
    assert found == expected["subticks"]


def bankruptcy_price(given: Json, expected: Json) -> None:
    case, delta = Case(given), number(given["delta_quantums"])
    with refused(expected):
        found = case.bankruptcy(delta)
    if "error" in expected:
        return
    assert found == expected["bankruptcy_price_quote_quantums"]
    perpetual = number(given["perpetual_id"])
    after = case.exchange.with_trade(case.account, perpetual, delta, found)
    is_valid = verdict(case.exchange, case.account, after, (perpetual,)) == "Success"
    assert is_valid is expected["closing_at_it_is_valid_update"]


def insurance_fund_delta(given: Json, expected: Json) -> None:
    with refused(expected):
        assert Case(given).insurance() == expected["insurance_fund_delta"]


def liquidatable_position_size_delta(given: Json, expected: Json) -> None:
    assert Case(given).size_delta() == expected["delta_quantums"]


def funding_index_delta(given: Json, expected: Json) -> None:
    shift = number(given["price_exponent"]) + number(given["atomic_resolution"]) + 6
    found = ruler.funding_index_delta(
        number(given["funding_rate_8h_ppm"]),
        number(given["price"]),
        shift,
        number(given["seconds_since_last_funding"]),
    )
    assert found == expected["funding_index_delta"]


def chain_margin(given: Json, expected: Json) -> None:
    case, risk = Case(given), table(expected["risk"])
    found = case.risk
    assert found == (risk["nc"], risk["imr"], risk["mmr"])
    assert (found.nc >= found.imr) is risk["initial_ok"]
    assert found.is_liquidatable is risk["liquidatable"]
    health = ruler.health(case.account.usdc, case.account.held, case.exchange.terms)
    assert health == (found.nc, found.mmr)
    _judge_update(case, expected)
    _judge_liquidation(case, expected)
    perpetual = next(p for p in rows(given["perpetuals"]) if p["id"] == given["perpetual_id"])
    funding_index_delta({**perpetual, **given}, expected)


def _judge_update(case: Case, expected: Json) -> None:
    case.exchange.store(case.account)
    before, wanted = case.exchange.settled(case.account.id), table(expected["update"])
    settled = table(table(expected["settled"])["subaccount"])
    assert before.usdc == account_of(NAMED | settled).usdc
    usdc = before.usdc + sum(number(u["quantums_delta"]) for u in rows(case.given["asset_updates"]))
    held = {one.perpetual_id: one for one in before.held}
    for update in rows(case.given["perpetual_updates"]):
        key = number(update["perpetual_id"])
        known = held.get(key, Held(key, 0, case.exchange.terms[key].funding_index))
        held[key] = known._replace(
            quantums=known.quantums + number(update["quantums_delta"]),
            quote_balance=known.quote_balance + number(update["quote_balance_delta"]),
        )
    after = Account(
        id=before.id,
        usdc=QuoteQuantums(usdc),
        held=tuple(held.values()),
        custom_imf_ppm=before.custom_imf_ppm,
    )
    assert case.exchange.risk(after) == (wanted["nc"], wanted["imr"], wanted["mmr"])
    assert verdict(case.exchange, before, after) == wanted["result"]


def _judge_liquidation(case: Case, expected: Json) -> None:
    if expected.get("size_delta") is not None:
        assert case.size_delta() == expected["size_delta"]
    if expected["bankruptcy"] is not None:
        with refused(expected["bankruptcy"]):
            assert case.bankruptcy(number(case.given["delta_quantums"])) == expected["bankruptcy"]
    if expected["insurance"] is not None:
        with refused(expected["insurance"]):
            assert case.insurance() == expected["insurance"]
    if expected["fillable"] is None or expected["fillable"] == {"error": True}:
        return
    fillable, spec = case.fillable(), case.market.spec
    assert fillable == fraction(expected["fillable"])
    subticks = ruler.subticks_on_tick(
        fillable,
        spec.quantum_conversion_exponent,
        spec.subticks_per_tick,
        is_long=case.position > 0,
    )
    assert subticks == expected["fillable_subticks"]


PLAIN: Json = {
    "id": 0,
    "funding_index": 0,
    "open_interest": 0,
    "liquidity_tier": {
        "initial_margin_ppm": 0,
        "maintenance_fraction_ppm": 0,
        "open_interest_lower_cap": 0,
        "open_interest_upper_cap": 0,
    },
}
ADAPTERS: tuple[Adapter, ...] = (
    adjusted_initial_margin_ppm,
    asset_risk,
    average_price_subticks,
    bankruptcy_price,
    base_to_quote_quantums,
    chain_margin,
    fill_amount_to_quote_quantums,
    fillable_price,
    fillable_price_to_subticks,
    funding_index_delta,
    initial_margin_quote_quantums,
    insurance_fund_delta,
    is_liquidatable,
    liquidatable_position_size_delta,
    liquidation_price,
    max_abs_funding_clamp_ppm,
    position_margin_requirements,
    price_to_subticks,
    quote_to_base_quantums,
    risk_cmp,
    risk_predicates,
    settlement_ppm,
    subaccount_risk,
    undercollateralized_state_transition,
)
