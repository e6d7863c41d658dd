"""An exchange of the simulated venue as a case describes it: its markets, accounts and limits.

The house has no depth here, so that only the orders of a case meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from seawall.account import MarketStatus, MarketType, Side
from seawall.simulator import ruler
from seawall.simulator.exchange import Exchange, ReduceOnly, Rules
from seawall.simulator.limits import OrderLimits
from seawall.simulator.markets import Depth, Fees, LiquidationConfig, LiquidityTier, MarketSpec
from seawall.simulator.messages import SubaccountId
from seawall.simulator.ruler import Held
from seawall.simulator.state import Account, MarketState
from seawall.units import Millis, Ppm, QuoteQuantums
from tests.conformance.vectors import Json, assets_of, number, rows, table, text, ticker

START = Millis(1_700_000_000_000)
STATUSES = {1: MarketStatus.ACTIVE, 6: MarketStatus.FINAL_SETTLEMENT}
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
NO_DEPTH = Depth(per_ten_bps=QuoteQuantums(0), half_spread_ppm=Ppm(100))


def spec_of(perpetual: Json, pair: Json) -> MarketSpec:
    tier = table(perpetual["liquidity_tier"])
    key = number(perpetual["id"])
    return MarketSpec(
        ticker=ticker(key),
        perpetual_id=key,
        clob_pair_id=key,
        market_id=key,
        atomic_resolution=number(perpetual["atomic_resolution"]),
        step_base_quantums=number(pair.get("step_base_quantums", 1)),
        subticks_per_tick=number(pair.get("subticks_per_tick", 1)),
        quantum_conversion_exponent=number(pair.get("quantum_conversion_exponent", -8)),
        oracle_exponent=number(perpetual["price_exponent"]),
        min_price_change_ppm=Ppm(1_000),
        tier=LiquidityTier(
            id=0,
            name="case",
            initial_margin_ppm=Ppm(number(tier["initial_margin_ppm"])),
            maintenance_fraction_ppm=Ppm(number(tier["maintenance_fraction_ppm"])),
            impact_notional=QuoteQuantums(0),
            open_interest_lower_cap=QuoteQuantums(number(tier["open_interest_lower_cap"])),
            open_interest_upper_cap=QuoteQuantums(number(tier["open_interest_upper_cap"])),
        ),
        depth=NO_DEPTH,
        open_interest=number(perpetual["open_interest"]),
        market_type=MarketType.ISOLATED if perpetual.get("isolated") else MarketType.CROSS,
        status=STATUSES[number(pair.get("status", 1))],
    )


def market_of(perpetual: Json, pair: Json | None = None) -> MarketState:
    spec, price = spec_of(perpetual, pair or {}), number(perpetual["price"])
    index = number(perpetual["funding_index"])
    terms = ruler.terms_of(spec, price, index, spec.open_interest)
    return MarketState(spec=spec, price=price, terms=terms)


def config_of(given: Json) -> LiquidationConfig:
    return LiquidationConfig(
        max_fee_ppm=Ppm(number(given["max_liquidation_fee_ppm"])),
        min_position_notional=QuoteQuantums(number(given["min_position_notional_liquidated"])),
        max_position_portion_ppm=Ppm(number(given["max_position_portion_liquidated_ppm"])),
        subaccount_max_notional=QuoteQuantums(number(given["subaccount_max_notional_liquidated"])),
        subaccount_max_insurance_lost=QuoteQuantums(
            number(given["subaccount_max_quantums_insurance_lost"])
        ),
        bankruptcy_adjustment_ppm=Ppm(number(given["bankruptcy_adjustment_ppm"])),
        spread_to_maintenance_ppm=Ppm(number(given["spread_to_maintenance_margin_ratio_ppm"])),
    )


def subaccount_id(name: str) -> SubaccountId:
    owner, number_text = name.split("/")
    return SubaccountId(owner=owner, number=int(number_text))


def held_of(given: Json) -> tuple[Held, ...]:
    return tuple(
        Held(
            number(p["perpetual_id"]),
            number(p["quantums"]),
            number(p["funding_index"]),
            number(p["quote_balance"]),
        )
        for p in rows(given["perpetual_positions"])
    )


def account_of(given: Json, custom_imf_ppm: Mapping[int, int] | None = None) -> Account:
    usdc = dict(assets_of(given["asset_positions"])).get(0, 0)
    key = subaccount_id(text(given["id"]))
    return Account(
        id=key,
        usdc=QuoteQuantums(usdc),
        held=held_of(given),
        custom_imf_ppm=custom_imf_ppm or {},
    )


def exchange_of(
    given: Json, accounts: Iterable[Json], maker_ppm: int = 0, taker_ppm: int = 0
) -> Exchange:
    pairs = {number(pair["perpetual_id"]): pair for pair in rows(given.get("clob_pairs", []))}
    states = [market_of(p, pairs.get(number(p["id"]))) for p in rows(given["perpetuals"])]
    limits = table(given["liquidation_config"]) if "liquidation_config" in given else None
    rules = Rules(
        fees=Fees(taker_ppm=Ppm(taker_ppm), maker_ppm=Ppm(maker_ppm)),
        liquidation=LiquidationConfig() if limits is None else config_of(limits),
        reduce_only=ReduceOnly.HONOURED,
        limits=OrderLimits(),
    )
    prices = {one.spec.ticker: one.price for one in states}
    exchange = Exchange([one.spec for one in states], prices, START, rules)
    exchange.height = 1
    for state in states:
        exchange.set_market(state)
    for account in accounts:
        exchange.store(account_of(account))
    return exchange


def is_account(exchange: Exchange, given: Json) -> bool:
    """Whether an account is what the chain left; what a case leaves out is zero."""
    expected = account_of(given)
    found = exchange.settled(expected.id)
    return (found.usdc, found.held) == (expected.usdc, expected.held)
