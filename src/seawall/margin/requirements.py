"""What the chain asks of an account: net collateral, initial and maintenance margin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from seawall import units
from seawall.account import Market, Missing, Position, Subaccount, Tier
from seawall.errors import MissingParameter
from seawall.units import PPM_ONE, Ppm, QuoteQuantums

Markets = Mapping[str, Market]

USDC_ASSET = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """Net collateral and margin requirements of one subaccount.

    `imr` is None where the chain would not say which custom leverage applies.
    """

    nc: QuoteQuantums
    imr: QuoteQuantums | None
    mmr: QuoteQuantums

    @property
    def is_initially_collateralized(self) -> bool | None:
        """Whether new risk would be taken: NC >= IMR. None where IMR is not known."""
        return None if self.imr is None else self.nc >= self.imr

    @property
    def is_maintained(self) -> bool:
        """NC >= MMR, whether or not anything is held."""
        return self.nc >= self.mmr

    @property
    def is_liquidatable(self) -> bool:
        """Strictly below maintenance with a position: NC = MMR is safe."""
        return self.mmr > 0 and self.mmr > self.nc


def listed(markets: Markets, ticker: str) -> Market:
    """The market of a position, priced or not; raises MissingParameter where it is absent."""
    market = markets.get(ticker)
    if market is None:
        raise MissingParameter(f"{ticker}: no parameters read for this market")
    return market


def market_of(markets: Markets, ticker: str) -> Market:
    """The market of a position; raises MissingParameter where it is absent or its price is zero."""
    market = listed(markets, ticker)
    if market.oracle_price <= 0:
        raise MissingParameter(f"{ticker}: oracle price is {market.oracle_price}, must be above 0")
    return market


def usdc_of(assets: Iterable[tuple[int, int]]) -> QuoteQuantums:
    """USDC of asset entries (asset id, quantums), a debt < 0.

    Raises MissingParameter where another asset is held: the chain has no margin for it.
    """
    total = 0
    for asset, quantums in assets:
        if asset != USDC_ASSET and quantums != 0:
            raise MissingParameter(f"asset {asset}: the chain has no margin for it, only for USDC")
        total += quantums
    return QuoteQuantums(total)


def held(subaccount: Subaccount, ticker: str) -> Position:
    """The position in a market; raises KeyError where there is none."""
    position = subaccount.position(ticker)
    if position is None:
        raise KeyError(ticker)
    return position


def notional(market: Market, quantums: int) -> QuoteQuantums:
    """Oracle notional, signed as the size, rounded toward zero."""
    return units.base_to_quote(
        quantums, market.oracle_price, market.oracle_exponent, market.atomic_resolution
    )


def settlement_ppm(position: Position, market: Market) -> int:
    """Unsettled funding of a position in 10^-6 quote quantums, > 0 is received."""
    return -(market.funding_index - position.funding_index) * position.quantums


def settle(subaccount: Subaccount, markets: Markets) -> Subaccount:
    """The subaccount with funding settled: one floor over the sum of all positions."""
    positions = tuple(
        replace(p, funding_index=listed(markets, p.ticker).funding_index)
        for p in subaccount.positions
    )
    return replace(subaccount, usdc=settled_usdc(subaccount, markets), positions=positions)


def settled_usdc(subaccount: Subaccount, markets: Markets) -> QuoteQuantums:
    """USDC after settling funding, in quote quantums."""
    total = sum(settlement_ppm(p, listed(markets, p.ticker)) for p in subaccount.positions)
    return QuoteQuantums(subaccount.usdc + total // PPM_ONE)


def open_interest_imf_ppm(market: Market) -> Ppm:
    """Initial margin fraction after scaling with open interest at the current oracle price."""
    tier = market.tier
    lower, upper = tier.open_interest_lower_cap, tier.open_interest_upper_cap
    if upper == 0:
        return tier.initial_margin_ppm
    open_interest = notional(market, market.open_interest)
    if open_interest <= lower:
        return tier.initial_margin_ppm
    if open_interest >= upper:
        return Ppm(PPM_ONE)
    base = tier.initial_margin_ppm
    return Ppm(base + (PPM_ONE - base) * (open_interest - lower) // (upper - lower))


def effective_imf_ppm(market: Market, custom_imf_ppm: int) -> Ppm:
    """Initial margin fraction that the chain applies: the larger of scaled and custom."""
    return Ppm(max(open_interest_imf_ppm(market), custom_imf_ppm))


def maintenance_requirement(market: Market, absolute_notional: int) -> QuoteQuantums:
    """MMR of a notional >= 0: two nested ceilings on the base fraction."""
    initial = units.ppm_up(absolute_notional, market.tier.initial_margin_ppm)
    return QuoteQuantums(units.ppm_up(initial, market.tier.maintenance_fraction_ppm))


def maintenance_margin_ppm(tier: Tier) -> Ppm:
    """Maintenance fraction rounded down to ppm: what the funding clamp sees, never MMR."""
    return Ppm(units.ppm_down(tier.initial_margin_ppm, tier.maintenance_fraction_ppm))


def funding_clamp_ppm(tier: Tier, clamp_factor_ppm: int) -> Ppm:
    """Largest 8-hour funding rate either way, rounded down (MARGIN.md 2.6)."""
    spread = tier.initial_margin_ppm - maintenance_margin_ppm(tier)
    return Ppm(units.ppm_down(spread, clamp_factor_ppm))


def initial_requirement(
    market: Market, absolute_notional: int, custom_imf_ppm: int
) -> QuoteQuantums:
    """IMR of a notional >= 0 at the effective fraction."""
    return QuoteQuantums(units.ppm_up(absolute_notional, effective_imf_ppm(market, custom_imf_ppm)))


def risk(subaccount: Subaccount, markets: Markets) -> Risk:
    """NC, IMR and MMR of a subaccount, funding settled first.

    Raises MissingParameter where a held market has no parameters or a price of zero.
    """
    nc, imr, mmr = int(settled_usdc(subaccount, markets)), 0, 0
    known = subaccount.custom_imf_ppm
    custom = None if isinstance(known, Missing) else known
    for position in subaccount.positions:
        market = market_of(markets, position.ticker)
        signed = notional(market, position.quantums)
        size = abs(signed)
        nc += signed + position.quote_balance
        mmr += maintenance_requirement(market, size)
        if custom is not None:
            imr += initial_requirement(market, size, custom.get(position.ticker, 0))
    return Risk(
        nc=QuoteQuantums(nc),
        imr=None if custom is None else QuoteQuantums(imr),
        mmr=QuoteQuantums(mmr),
    )


def maintenance_fraction_ppt(market: Market) -> int:
    """Base maintenance margin fraction in 10^-12, exact."""
    return market.tier.initial_margin_ppm * market.tier.maintenance_fraction_ppm
