"""How the margin functions of an account are asked what the chain was asked.

An adapter asserts; it raises NotOurs, with the reason, for a case that is no question to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from seawall import margin
from seawall.account import Market, Subaccount
from seawall.errors import MissingParameter
from seawall.margin import Risk, Update
from seawall.simulator.exchange import open_interest_change
from seawall.units import PPM_ONE, BaseQuantums, QuoteQuantums
from tests.conformance.vectors import (
    Adapter,
    Json,
    NotOurs,
    Value,
    flag,
    markets_of,
    names,
    number,
    rows,
    same_account,
    subaccount_of,
    table,
    text,
    ticker,
    updated,
)


def risk_of(nc: Value, imr: Value, mmr: Value) -> Risk:
    return Risk(
        nc=QuoteQuantums(number(nc)), imr=QuoteQuantums(number(imr)), mmr=QuoteQuantums(number(mmr))
    )


def asset_risk(given: Json, expected: Json) -> None:
    held: Json = {"asset_positions": [given]}
    if expected["error"] is not None:
        with pytest.raises(MissingParameter):
            subaccount_of(held)
        return
    found = margin.risk(subaccount_of(held), {})
    assert found == risk_of(expected["nc"], expected["imr"], expected["mmr"])


def is_liquidatable(given: Json, expected: Json) -> None:
    subaccount = subaccount_of(table(given["subaccount"]))
    found = margin.risk(subaccount, markets_of(given["perpetuals"]))
    assert found.is_liquidatable is expected["is_liquidatable"]


def liquidation_daemon(given: Json, expected: Json) -> None:
    markets = markets_of(given["perpetuals"])
    risks = {
        text(one["id"]): margin.risk(subaccount_of(one), markets)
        for one in rows(given["subaccounts"])
    }
    assert [key for key, one in risks.items() if one.is_liquidatable] == names(
        expected["liquidatable"]
    )
    negative = [key for key, one in risks.items() if one.nc < 0]
    assert negative == names(expected["negative_tnc"])


def liquidation_price(given: Json, expected: Json) -> None:
    name = ticker(number(given["perpetual_id"]))
    subaccount = subaccount_of(table(given["subaccount"]))
    found = margin.liquidation_price(subaccount, name, markets_of(given["perpetuals"]))
    position = subaccount.position(name)
    assert position is not None
    assert (position.quantums > 0) is (expected["side"] == "long")
    assert found == expected["last_safe_price"]


def risk_cmp(given: Json, expected: Json) -> None:
    a = risk_of(given["a_nc"], 0, given["a_mmr"])
    b = risk_of(given["b_nc"], 0, given["b_mmr"])
    assert margin.is_riskier(a, b) - margin.is_riskier(b, a) == expected["result"]


def risk_predicates(given: Json, expected: Json) -> None:
    one = risk_of(given["nc"], given["imr"], given["mmr"])
    found = {
        "is_initial_collateralized": one.is_initially_collateralized,
        "is_maintenance_collateralized": one.is_maintained,
        "is_liquidatable": one.is_liquidatable,
    }
    assert found[text(given["predicate"])] is expected["result"]


def subaccount_risk(given: Json, expected: Json) -> None:
    update = table(given["update"])

    def found() -> Risk:
        markets = markets_of(given["perpetuals"])
        before = subaccount_of(table(given["subaccount"]), given["custom_imf_ppm"])
        after = updated(before, markets, update["asset_updates"], update["perpetual_updates"])
        return margin.risk(after, markets)

    if "error" in expected:
        with pytest.raises(MissingParameter):
            found()
        return
    risk = found()
    for word in ("nc", "imr", "mmr"):
        assert getattr(risk, word) == expected.get(word, getattr(risk, word)), word


def undercollateralized_state_transition(given: Json, expected: Json) -> None:
    old = risk_of(given["cur_nc"], given["cur_imr"], given["cur_mmr"])
    # The chain asks only where the new state is below initial margin; the case leaves IMR out.
    new = risk_of(given["new_nc"], number(given["new_nc"]) + 1, given["new_mmr"])
    assert margin.judge_update(old, new) == expected["result"]


def chain_margin(given: Json, expected: Json) -> None:
    markets = markets_of(given["perpetuals"])
    before = subaccount_of(table(given["subaccount"]), given["custom_imf_ppm"])
    old, risk = margin.risk(before, markets), table(expected["risk"])
    assert old == risk_of(risk["nc"], risk["imr"], risk["mmr"])
    assert old.is_initially_collateralized is risk["initial_ok"]
    assert old.is_liquidatable is risk["liquidatable"]
    settled = table(expected["settled"])
    assert same_account(margin.settle(before, markets), table(settled["subaccount"]))
    told = table(settled["funding_payments"])
    assert _payments(before, markets) == {key: amount for key, amount in told.items() if amount}

    update = table(expected["update"])
    after = updated(before, markets, given["asset_updates"], given["perpetual_updates"])
    new = margin.risk(after, markets)
    assert same_account(after, table(update["subaccount"]))
    assert new == risk_of(update["nc"], update["imr"], update["mmr"])
    assert margin.judge_update(old, new) == update["result"]


def _payments(subaccount: Subaccount, markets: Mapping[str, Market]) -> dict[str, int]:
    """Funding paid (> 0) by perpetual, what is received rounded down, as the chain tells it."""
    paid = {
        str(markets[p.ticker].perpetual_id): -(
            margin.settlement_ppm(p, markets[p.ticker]) // PPM_ONE
        )
        for p in subaccount.positions
    }
    return {key: amount for key, amount in paid.items() if amount}


VIOLATES_ISOLATION = "ViolatesIsolatedSubaccountConstraints"
POOLS = "the guard keeps no balances of collateral pools"
TWICE = "the margin functions take one update of one subaccount"
GATE = "the guard reads the gate from the node"


def can_update_subaccounts(given: Json, expected: Json) -> None:
    if expected.get("error") == "ErrInsufficientFunds":
        raise NotOurs(POOLS)
    if expected.get("error") == "ErrNonUniqueUpdatesSubaccount":
        raise NotOurs(TWICE)
    if "WithdrawalsAndTransfersBlocked" in str(expected.get("per_update")):
        raise NotOurs(GATE)
    if "error" in expected:
        with pytest.raises(MissingParameter):
            _verdicts(given)
        return
    found, after = _verdicts(given)
    assert found == names(expected["per_update"])
    assert all(one == Update.SUCCESS for one in found) is expected["success"]
    if flag(expected["success"]):
        _same_after(after, expected)


def _same_after(after: Mapping[str, Subaccount], expected: Json) -> None:
    stored: dict[str, Value] = dict(table(expected.get("subaccounts_after", {})))
    if "subaccount_after" in expected:
        one = table(expected["subaccount_after"])
        stored[text(one["id"])] = one
    for key, account in stored.items():
        if key in after:
            # Some cases leave the balance out.
            usdc: Json = {"asset_positions": [{"asset_id": 0, "quantums": int(after[key].usdc)}]}
            assert same_account(after[key], {**usdc, **table(account)}), key


def _verdicts(given: Json) -> tuple[list[str], dict[str, Subaccount]]:
    markets = markets_of(given["perpetuals"])
    custom = table(given["custom_imf_ppm"])
    stored = {text(one["id"]): one for one in rows(given["subaccounts"])}
    befores, afters, touched = {}, {}, {}
    for update in rows(given["updates"]):
        key = text(update["subaccount_id"])
        before = subaccount_of(stored.get(key, {}), custom.get(key, custom))
        changes = update["perpetual_updates"]
        befores[key] = margin.settle(before, markets)
        afters[key] = updated(before, markets, update["asset_updates"], changes)
        touched[key] = frozenset(ticker(number(one["perpetual_id"])) for one in rows(changes))
    at_match = markets
    if given["update_type"] == "Match":
        at_match = _with_open_interest(markets, befores.values(), afters.values())
    verdicts: list[str] = []
    for key, before in befores.items():
        if margin.violates_isolation(before, markets, touched[key]):
            verdicts.append(VIOLATES_ISOLATION)
            continue
        old, new = margin.risk(before, at_match), margin.risk(afters[key], at_match)
        verdicts.append(margin.judge_update(old, new))
    return verdicts, afters


def _with_open_interest(
    markets: Mapping[str, Market], befores: Iterable[Subaccount], afters: Iterable[Subaccount]
) -> dict[str, Market]:
    """Markets with the open interest that the match leaves (MARGIN.md 2.5, step 3)."""
    changes: dict[str, int] = {}
    for before, after in zip(befores, afters, strict=True):
        for name in markets:
            sizes = [one.position(name) for one in (before, after)]
            old, new = (0 if held is None else int(held.quantums) for held in sizes)
            changes[name] = changes.get(name, 0) + open_interest_change(old, new)
    return {
        name: replace(market, open_interest=BaseQuantums(market.open_interest + changes[name]))
        for name, market in markets.items()
    }


ADAPTERS: tuple[Adapter, ...] = (
    asset_risk,
    is_liquidatable,
    liquidation_daemon,
    liquidation_price,
    risk_cmp,
    risk_predicates,
    subaccount_risk,
    undercollateralized_state_transition,
    chain_margin,
    can_update_subaccounts,
)
