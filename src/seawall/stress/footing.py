"""One subaccount as a scenario sees it: integers ready to be shocked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seawall import margin, units
from seawall.account import Funding, Market, Missing, Subaccount
from seawall.margin import Markets
from seawall.units import PPM_ONE, QuoteQuantums

PPT_ONE = PPM_ONE**2  # 10^12

FundingAdvice = Mapping[str, Funding] | Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """One subaccount as a scenario sees it; the sequences run along `tickers`.

    `signed` are oracle notionals in quote quantums (long > 0), `maintenance` exact base fractions
    in 10^-12, `funding` what an hour costs in 10^-12 quote quantums, >= 0, and `hourly` its sum.
    `sizes` are notionals without sign, `required` is what maintenance asks of all of them in 10^-12
    quote quantums, and `pulls` what a rise of each price by all of itself takes, likewise.
    `rounding` is how far the chain's integers may be from a rational result, in quote quantums.
    """

    nc: QuoteQuantums
    tickers: tuple[str, ...]
    signed: tuple[int, ...]
    maintenance: tuple[int, ...]
    funding: tuple[int, ...]
    sizes: tuple[int, ...]
    pulls: tuple[int, ...]
    required: int
    hourly: int
    rounding: int

    @property
    def gross(self) -> QuoteQuantums:
        """Sum of absolute notionals."""
        return QuoteQuantums(sum(self.sizes))


def footing(
    subaccount: Subaccount, markets: Markets, funding: FundingAdvice, nc: QuoteQuantums
) -> Footing:
    """The footing of a subaccount whose net collateral is known.

    Raises MissingParameter where a held market has no parameters or a price of zero.
    """
    tickers, signed, maintenance, hourly = [], [], [], []
    required: list[int] = []
    rounding = 4
    for position in subaccount.positions:
        market = margin.market_of(markets, position.ticker)
        size = margin.notional(market, position.quantums)
        tickers.append(position.ticker)
        signed.append(size)
        fraction = margin.maintenance_fraction_ppt(market)
        maintenance.append(fraction)
        required.append(fraction * abs(size))
        sign = 1 if position.quantums > 0 else -1
        hourly.append(abs(size) * hourly_rate_ppt(market, sign, funding))
        # One price unit, one quantum of notional and two ceilings of MMR; generously.
        rounding += 2 * abs(size) // market.oracle_price + 8
    return Footing(
        nc=nc,
        tickers=tuple(tickers),
        signed=tuple(signed),
        maintenance=tuple(maintenance),
        funding=tuple(hourly),
        sizes=tuple(map(abs, signed)),
        pulls=tuple(asked - PPT_ONE * size for asked, size in zip(required, signed, strict=True)),
        required=sum(required),
        hourly=sum(hourly),
        rounding=rounding,
    )


def hourly_rate_ppt(market: Market, sign: int, funding: FundingAdvice) -> int:
    """Funding rate per hour that a side is expected to pay, in 10^-12, >= 0, rounded up.

    The larger of the current rate and the p90 of the trailing week; a receipt counts as 0. Where
    no rate was read it is the most that the chain can charge: absence must not look like calm.
    """
    rates = None if isinstance(funding, Missing) else funding.get(market.ticker)
    if rates is None:
        return hourly_clamp_ppt(market)
    current, p90 = (rates.rate, rates.p90_long) if sign > 0 else (-rates.rate, rates.p90_short)
    paid = max(current, p90)
    return 0 if paid <= 0 else int((paid * PPT_ONE).to_integral_value("ROUND_CEILING"))


def hourly_clamp_ppt(market: Market) -> int:
    """Largest funding rate of an hour by the chain's clamp, in 10^-12 (MARGIN.md 2.6)."""
    eight_hours = margin.funding_clamp_ppm(market.tier, market.funding_clamp_factor_ppm)
    return units.divide_up(eight_hours * PPM_ONE, 8)
