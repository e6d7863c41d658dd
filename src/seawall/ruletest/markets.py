"""The markets of rule tests: mainnet's resolutions and tiers, prices to think in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from seawall.account import Market, Tier
from seawall.units import Ppm

LARGE = Tier(initial_margin_ppm=Ppm(20_000), maintenance_fraction_ppm=Ppm(600_000))
MIDDLE = Tier(initial_margin_ppm=Ppm(50_000), maintenance_fraction_ppm=Ppm(600_000))
OTHER_RESOLUTION = -10  # of a market that a test describes: steps down to 10^-10 coins
OTHER_EXPONENT = -9

BTC = Market(
    ticker="BTC-USD",
    perpetual_id=0,
    clob_pair_id=0,
    atomic_resolution=-10,
    step_base_quantums=1_000_000,
    subticks_per_tick=100_000,
    quantum_conversion_exponent=-9,
    oracle_price=100_000 * 10**5,
    oracle_exponent=-5,
    tier=LARGE,
)
ETH = Market(
    ticker="ETH-USD",
    perpetual_id=1,
    clob_pair_id=1,
    atomic_resolution=-9,
    step_base_quantums=1_000_000,
    subticks_per_tick=100_000,
    quantum_conversion_exponent=-9,
    oracle_price=4_000 * 10**6,
    oracle_exponent=-6,
    tier=LARGE,
)
SOL = Market(
    ticker="SOL-USD",
    perpetual_id=5,
    clob_pair_id=5,
    atomic_resolution=-7,
    step_base_quantums=1_000_000,
    subticks_per_tick=1_000_000,
    quantum_conversion_exponent=-9,
    oracle_price=200 * 10**8,
    oracle_exponent=-8,
    tier=MIDDLE,
)
FIXTURE: Mapping[str, Market] = {market.ticker: market for market in (BTC, ETH, SOL)}


def other(
    ticker: str,
    number: int,
    *,
    oracle: Decimal,
    initial: Ppm,
    maintenance: Ppm,
    step: Decimal,
    tick: Decimal,
) -> Market:
    """A market that a test describes: margins in ppm of the notional, step in coins, tick in $."""
    market = Market(
        ticker=ticker,
        perpetual_id=1_000 + number,
        clob_pair_id=1_000 + number,
        atomic_resolution=OTHER_RESOLUTION,
        step_base_quantums=max(1, int(step.scaleb(-OTHER_RESOLUTION))),
        subticks_per_tick=max(1, int(tick.scaleb(OTHER_RESOLUTION + 9 + 6))),
        quantum_conversion_exponent=-9,
        oracle_price=0,
        oracle_exponent=OTHER_EXPONENT,
        tier=Tier(
            initial_margin_ppm=initial,
            maintenance_fraction_ppm=Ppm(int(Decimal(maintenance) / initial * 1_000_000)),
        ),
    )
    return priced(market, oracle)


def priced(market: Market, dollars: Decimal) -> Market:
    """The market at another oracle price, rounded to what the oracle can say."""
    price = int(dollars.scaleb(-market.oracle_exponent).to_integral_value("ROUND_HALF_EVEN"))
    return market if price == market.oracle_price else replace(market, oracle_price=price)
