"""How the exchange of the simulated venue is asked what the chain was asked."""

from __future__ import annotations

from fractions import Fraction

import pytest

from seawall.account import MarketStatus, Side
from seawall.simulator import deleveraging, execution, liquidation, pools, ruler
from seawall.simulator.deleveraging import Price
from seawall.simulator.events import FillKind
from seawall.simulator.exchange import Exchange, open_interest_change
from seawall.simulator.liquidation import Order, Spent
from seawall.simulator.messages import GOOD_TIL_TIME, OrderId, PlaceOrder
from seawall.units import Millis
from tests.conformance.arena import (
    SIDES,
    account_of,
    config_of,
    exchange_of,
    held_of,
    is_account,
    market_of,
    subaccount_id,
)
from tests.conformance.vectors import (
    Adapter,
    Json,
    NotOurs,
    number,
    rows,
    table,
    text,
    ticker,
)

ONE_MARKET = "a match of the venue is of one market by its type"
ONCE_A_BLOCK = "a position is tried once a block: the venue never asks again"
A_LOT = 10**15  # quote quantums


def can_deleverage(given: Json, expected: Json) -> None:
    status = MarketStatus.FINAL_SETTLEMENT if given["final_settlement"] else MarketStatus.ACTIVE
    exchange = exchange_of(given, [table(given["subaccount"])])
    account = account_of(table(given["subaccount"]))
    found = deleveraging.price_for(exchange.risk(account), status)
    assert (found is Price.BANKRUPTCY) is expected["at_bankruptcy_price"]
    assert (found is Price.ORACLE) is expected["at_oracle_price"]


def _isolated(given: Json) -> frozenset[int]:
    flags = table(given["perpetuals_isolated"])
    return frozenset(int(key) for key, is_isolated in flags.items() if is_isolated)


def collateral_pool(given: Json, expected: Json) -> None:
    pool = pools.pool_of(held_of(table(given["subaccount"])), _isolated(given))
    name = "subaccounts" if pool is None else f"subaccounts:{pool}"
    assert name == expected["pool_module_account"]


def isolated_state_transition(given: Json, expected: Json) -> None:
    after = account_of(table(given["updated_subaccount"]))
    found = pools.transition(
        after.held,
        after.usdc,
        sum(number(u["quantums_delta"]) for u in rows(given["asset_updates"])),
        {
            number(u["perpetual_id"]): number(u["quantums_delta"])
            for u in rows(given["perpetual_updates"])
        },
        _isolated(given),
    )
    if expected["transition"] is None:
        assert found is None
        return
    wanted = table(expected["transition"])
    assert found is not None
    assert (found.perpetual_id, found.quote, found.moved) == (
        wanted["perpetual_id"],
        wanted["quote_quantums"],
        wanted["transition"],
    )


def delta_open_interest(given: Json, expected: Json) -> None:
    if "panic" in expected:
        raise NotOurs(ONE_MARKET)
    total = 0
    for update in rows(given["updates"]):
        (change,) = rows(update["perpetual_updates"])
        held = held_of(table(update["subaccount"]))
        before = sum(p.quantums for p in held if p.perpetual_id == change["perpetual_id"])
        total += open_interest_change(before, before + number(change["quantums_delta"]))
    delta = expected["delta"]
    wanted = 0 if delta is None else number(table(delta)["base_quantums"])
    assert total == wanted


def funding_tick(given: Json, expected: Json) -> None:
    seconds = number(given["funding_tick_seconds"])
    samples = -(-seconds // number(given["funding_sample_seconds"]))
    premiums = given["funding_samples"]
    assert isinstance(premiums, list)
    for perpetual, wanted in zip(rows(given["perpetuals"]), rows(expected["updates"]), strict=True):
        market = market_of(perpetual)
        rate = ruler.funding_rate(
            [int(str(one)) for one in premiums],
            samples,
            number(perpetual["default_funding_ppm"]),
            market.terms,
            number(given["funding_rate_clamp_factor_ppm"]),
        )
        delta = ruler.funding_index_delta(rate, market.price, market.spec.notional_shift, seconds)
        assert (rate, delta) == (wanted["funding_rate_8h_ppm"], wanted["funding_index_delta"])


def is_valid_insurance_fund_delta(given: Json, expected: Json) -> None:
    balance, delta = number(given["insurance_fund_balance"]), number(given["insurance_fund_delta"])
    assert ruler.covers(balance, delta) is expected["result"]


def max_min_position_notional_liquidatable(given: Json, expected: Json) -> None:
    exchange, perpetual = exchange_of(given, []), number(given["perpetual_id"])
    if "error" in expected:
        with pytest.raises(AssertionError):
            exchange.market_of_perpetual(perpetual)
        return
    found = ruler.liquidation_bounds(
        exchange.market_of_perpetual(perpetual).terms,
        number(given["quantums"]),
        config_of(table(given["liquidation_config"])),
    )
    assert found == (expected["min"], expected["max"])


def subaccount_block_limits(given: Json, expected: Json) -> None:
    limits = config_of(table(given["liquidation_config"]))
    spent = Spent(
        notional=number(given["notional_liquidated_this_block"]),
        insurance_lost=-number(given["insurance_fund_delta_this_block"]),
    )
    if given["already_liquidated_perpetual_ids"] == [given["perpetual_id"]]:
        raise NotOurs(ONCE_A_BLOCK)
    for left, word in (
        (spent.notional_left(limits), "max_notional_liquidatable"),
        (spent.insurance_left(limits), "max_insurance_lost"),
    ):
        if isinstance(expected[word], int):
            assert left == expected[word]
        else:
            assert left < 0, word


def sort_liquidation_orders(given: Json, expected: Json) -> None:
    market = market_of(table(given["perpetual"]), table(given["clob_pair"]))
    scale = Fraction(10) ** market.spec.quantum_conversion_exponent

    def order_of(one: Json) -> Order:
        side = Side.BUY if one["is_buy"] else Side.SELL
        return Order(
            subaccount=subaccount_id(text(one["id"])),
            market=market,
            side=side,
            position=-side.sign * number(one["quantums"]),
            quantums=number(one["quantums"]),
            limit=number(one["subticks"]),
            fillable=number(one["subticks"]) * scale,
        )

    ranked = sorted(map(order_of, rows(given["orders"])), key=lambda order: order.rank)
    assert ranked == [order_of(one) for one in rows(expected["orders"])]


def process_deleveraging(given: Json, expected: Json) -> None:
    liquidated, other = table(given["liquidated"]), table(given["offsetting"])
    exchange = exchange_of(given, [liquidated, other])
    mode = Price.BANKRUPTCY if given["mode"] == "bankruptcy_price" else Price.ORACLE

    def offset() -> bool:
        return deleveraging.offset(
            exchange,
            subaccount_id(text(liquidated["id"])),
            subaccount_id(text(other["id"])),
            ticker=ticker(number(given["perpetual_id"])),
            size=number(given["delta_quantums"]),
            at=mode,
        )

    if expected.get("error") == "ErrInvalidPerpetualPositionSizeDelta":
        with pytest.raises(AssertionError):
            offset()
        return
    assert offset() is ("error" not in expected)
    if "error" in expected:
        assert is_account(exchange, liquidated)
        assert is_account(exchange, other)
    for word in ("liquidated_after", "offsetting_after"):
        if word in expected:
            left = table(expected[word])
            assert is_account(exchange, left), left


def offset_subaccount(given: Json, expected: Json) -> None:
    exchange = exchange_of(given, rows(given["subaccounts"]))
    perpetual = number(given["perpetual_id"])
    left = deleveraging.deleverage(
        exchange, subaccount_id(text(given["liquidated"])), perpetual, Price.BANKRUPTCY, 0
    )
    assert abs(left) == expected["quantums_remaining"]
    for account in rows(expected["subaccounts_after"]):
        assert is_account(exchange, account), account
    oi = exchange.markets[ticker(perpetual)].open_interest
    assert oi == expected["open_interest_after"]
    fills = [
        (f"{fill.subaccount.owner}/{fill.subaccount.number}", fill.quantums)
        for fill in exchange.log.fills
        if fill.kind is FillKind.OFFSETTING
    ]
    assert fills == [(one["offsetting"], one["fill_amount"]) for one in rows(expected["fills"])]


def _rest(exchange: Exchange, name: str, order: Json, client_id: int) -> None:
    execution.accept(
        exchange,
        PlaceOrder(
            order_id=OrderId(
                subaccount=subaccount_id(name), client_id=client_id, order_flags=0, clob_pair_id=0
            ),
            side=SIDES[text(order["side"])],
            quantums=number(order["quantums"]),
            subticks=number(order["subticks"]),
            good_til_block=20,
            time_in_force=GOOD_TIL_TIME,
        ),
    )


def liquidation_fills(given: Json, expected: Json) -> None:
    exchange = exchange_of(
        given, rows(given["subaccounts"]), maker_ppm=number(given["maker_fee_ppm"])
    )
    exchange.insurance = dict.fromkeys((None, *exchange.isolated), A_LOT)
    (attempt,) = rows(given["liquidations"])
    side = "SELL" if attempt["is_buy"] else "BUY"
    for client_id, fill in enumerate(rows(attempt["fills"])):
        order: Json = {"side": side, "quantums": fill["amount"], "subticks": fill["subticks"]}
        _rest(exchange, text(fill["maker"]), order, client_id)
    liquidated = subaccount_id(text(attempt["liquidated"]))
    spent = Spent()
    order_ = liquidation.next_order(exchange, liquidated, 0)
    assert order_ is not None
    assert order_.quantums == attempt["total_size"]
    liquidation.attempt(exchange, order_, spent)
    for name, balance in table(expected["quote_balances"]).items():
        assert exchange.settled(subaccount_id(name)).usdc == balance, name
    for name, positions in table(expected["perpetual_positions"]).items():
        held = held_of({"perpetual_positions": positions})
        assert exchange.settled(subaccount_id(name)).held == held, name
    info = table(table(expected["liquidation_info"])[text(attempt["liquidated"])])
    assert (spent.notional, spent.insurance_lost) == (
        info["notional_liquidated"],
        info["quantums_insurance_lost"],
    )


def liquidation_e2e(given: Json, expected: Json) -> None:
    exchange = exchange_of(given, rows(given["subaccounts"]))
    balance = number(given["insurance_fund_balance"])
    exchange.insurance = dict.fromkeys((None, *exchange.isolated), balance)
    for client_id, order in enumerate(rows(given["orders"])):
        _rest(exchange, text(order["subaccount"]), order, client_id)
    exchange.time = Millis(0)
    liquidation.liquidate(exchange, liquidation.marked(exchange), 0)
    for account in rows(expected["subaccounts_after"]):
        assert is_account(exchange, account), account


ADAPTERS: tuple[Adapter, ...] = (
    can_deleverage,
    collateral_pool,
    delta_open_interest,
    funding_tick,
    is_valid_insurance_fund_delta,
    isolated_state_transition,
    liquidation_e2e,
    liquidation_fills,
    max_min_position_notional_liquidatable,
    offset_subaccount,
    process_deleveraging,
    sort_liquidation_orders,
    subaccount_block_limits,
)
