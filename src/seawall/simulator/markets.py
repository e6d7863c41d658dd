"""The markets of the simulated venue and the chain parameters that go with them.

Resolutions, steps and ticks are mainnet's; BTC and ETH are in the 2% / 1.2% tier, SOL in the
5% / 3% tier with open-interest caps. Depths are assumed, dYdX-like, and settable (DESIGN.md 6).
"""

from __future__ import annotations

from dataclasses import dataclass

from seawall.account import MarketStatus, MarketType
from seawall.units import PPM_ONE, QUOTE_RESOLUTION, Ppm, QuoteQuantums

DOLLAR = 1_000_000  # quote quantums


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidityTier:
    """A tier of the venue: fractions in ppm, caps and impact notional in quote quantums."""

    id: int
    name: str
    initial_margin_ppm: Ppm
    maintenance_fraction_ppm: Ppm
    impact_notional: QuoteQuantums
    open_interest_lower_cap: QuoteQuantums = QuoteQuantums(0)
    open_interest_upper_cap: QuoteQuantums = QuoteQuantums(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """The book's calm shape: quote quantums per 10 bps beyond the touch, half-spread in ppm."""

    per_ten_bps: QuoteQuantums
    half_spread_ppm: Ppm


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSpec:
    """Everything about a market that does not change from block to block."""

    ticker: str
    perpetual_id: int
    clob_pair_id: int
    market_id: int
    atomic_resolution: int
    step_base_quantums: int
    subticks_per_tick: int
    quantum_conversion_exponent: int
    oracle_exponent: int
    min_price_change_ppm: Ppm
    tier: LiquidityTier
    depth: Depth
    open_interest: int  # base quantums at the start
    market_type: MarketType = MarketType.CROSS
    status: MarketStatus = MarketStatus.ACTIVE

    @property
    def notional_shift(self) -> int:
        """Power of ten from quantums times price to quote quantums."""
        return self.oracle_exponent + self.atomic_resolution - QUOTE_RESOLUTION

    @property
    def subticks_shift(self) -> int:
        """Power of ten from an oracle price to subticks."""
        return (
            self.oracle_exponent
            - self.quantum_conversion_exponent
            + self.atomic_resolution
            - QUOTE_RESOLUTION
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidationConfig:
    """Limits of liquidations, as the chain's LiquidationsConfiguration names them."""

    max_fee_ppm: Ppm = Ppm(15_000)
    min_position_notional: QuoteQuantums = QuoteQuantums(1_000 * DOLLAR)
    max_position_portion_ppm: Ppm = Ppm(100_000)
    subaccount_max_notional: QuoteQuantums = QuoteQuantums(100_000 * DOLLAR)
    subaccount_max_insurance_lost: QuoteQuantums = QuoteQuantums(1_000_000 * DOLLAR)
    bankruptcy_adjustment_ppm: Ppm = Ppm(PPM_ONE)
    spread_to_maintenance_ppm: Ppm = Ppm(1_500_000)
    attempts_per_block_max: int = 50
    deleveraging_attempts_per_block_max: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """Trading fees in ppm of what is exchanged; a maker's is a rebate."""

    taker_ppm: Ppm = Ppm(500)
    maker_ppm: Ppm = Ppm(-110)


LARGE_CAP = LiquidityTier(
    id=0,
    name="Large-Cap",
    initial_margin_ppm=Ppm(20_000),
    maintenance_fraction_ppm=Ppm(600_000),
    impact_notional=QuoteQuantums(10_000 * DOLLAR),
)
MID_CAP = LiquidityTier(
    id=5,
    name="Mid-Cap",
    initial_margin_ppm=Ppm(50_000),
    maintenance_fraction_ppm=Ppm(600_000),
    impact_notional=QuoteQuantums(5_000 * DOLLAR),
    open_interest_lower_cap=QuoteQuantums(40_000_000 * DOLLAR),
    open_interest_upper_cap=QuoteQuantums(100_000_000 * DOLLAR),
)

BTC_USD = MarketSpec(
    ticker="BTC-USD",
    perpetual_id=0,
    clob_pair_id=0,
    market_id=0,
    atomic_resolution=-10,
    step_base_quantums=1_000_000,
    subticks_per_tick=100_000,
    quantum_conversion_exponent=-9,
    oracle_exponent=-5,
    min_price_change_ppm=Ppm(1_000),
    tier=LARGE_CAP,
    depth=Depth(per_ten_bps=QuoteQuantums(400_000 * DOLLAR), half_spread_ppm=Ppm(200)),
    open_interest=3_817_348_000_000,  # 381.7348 BTC
)
ETH_USD = MarketSpec(
    ticker="ETH-USD",
    perpetual_id=1,
    clob_pair_id=1,
    market_id=1,
    atomic_resolution=-9,
    step_base_quantums=1_000_000,
    subticks_per_tick=100_000,
    quantum_conversion_exponent=-9,
    oracle_exponent=-6,
    min_price_change_ppm=Ppm(1_000),
    tier=LARGE_CAP,
    depth=Depth(per_ten_bps=QuoteQuantums(250_000 * DOLLAR), half_spread_ppm=Ppm(300)),
    open_interest=7_457_108_000_000,  # 7,457.108 ETH
)
SOL_USD = MarketSpec(
    ticker="SOL-USD",
    perpetual_id=5,
    clob_pair_id=5,
    market_id=5,
    atomic_resolution=-7,
    step_base_quantums=1_000_000,
    subticks_per_tick=1_000_000,
    quantum_conversion_exponent=-9,
    oracle_exponent=-8,
    min_price_change_ppm=Ppm(2_500),
    tier=MID_CAP,
    depth=Depth(per_ten_bps=QuoteQuantums(80_000 * DOLLAR), half_spread_ppm=Ppm(500)),
    open_interest=419_179_000_000,  # 41,917.9 SOL
)

MARKETS: tuple[MarketSpec, ...] = (BTC_USD, ETH_USD, SOL_USD)
TICKERS: tuple[str, ...] = tuple(spec.ticker for spec in MARKETS)
