"""What a scenario leaves of a subaccount, and what each market does to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import mul

from seawall import margin, units
from seawall.account import Subaccount
from seawall.margin import Markets
from seawall.scenario import ANY_MARKET, Scenario
from seawall.stress.footing import PPT_ONE, Footing
from seawall.units import HOUR, PPM_ONE, QuoteQuantums

FINE = PPM_ONE**3  # 10^18


def moves(stand: Footing, scenario: Scenario, sign: int) -> tuple[int, ...]:
    """Price moves of the held markets in ppm under one sign of a scenario, never below -100%."""
    named, other = scenario.shocks, scenario.shocks.get(ANY_MARKET, 0)
    shocks = [sign * named.get(ticker, other) for ticker in stand.tickers]
    if shocks and min(shocks) < -PPM_ONE:
        return tuple(max(shock, -PPM_ONE) for shock in shocks)
    return tuple(shocks)


def headroom(
    subaccount: Subaccount,
    markets: Markets,
    stand: Footing,
    scenario: Scenario,
    buffer: QuoteQuantums,
) -> QuoteQuantums:
    """Equity - buffer - MMR after a scenario, in its worse sign; rounded down, below 0 is broken.

    Exact in rationals; where it is within rounding of zero, by the chain's integers at prices
    shocked and rounded against each position.
    """
    return min(
        headroom_of(subaccount, markets, stand, scenario, sign=sign, buffer=buffer)
        for sign in scenario.signs
    )


def headroom_of(
    subaccount: Subaccount,
    markets: Markets,
    stand: Footing,
    scenario: Scenario,
    *,
    sign: int,
    buffer: QuoteQuantums,
) -> QuoteQuantums:
    """The same under one sign of the scenario."""
    shocks = moves(stand, scenario, sign)
    room = ((stand.nc - buffer) * FINE - _loss(stand, scenario, shocks)) // FINE
    if abs(room) <= stand.rounding:
        room = _chain_headroom(subaccount, markets, stand, scenario, shocks) - buffer
    return QuoteQuantums(room)


def worse_sign(stand: Footing, scenario: Scenario) -> int:
    """The sign of a scenario that leaves less: +1 as written, -1 mirrored."""
    return min(
        scenario.signs, key=lambda sign: -_loss(stand, scenario, moves(stand, scenario, sign))
    )


def _loss(stand: Footing, scenario: Scenario, shocks: Sequence[int]) -> int:
    """What a scenario takes of NC, and asks as MMR afterwards, in 10^-18 quote quantums."""
    # Sum of (1+e)(m+p)n - sigma*e*n, multiplied out so that each shock meets one integer.
    slippage = scenario.slippage * PPM_ONE
    loss: int = funding(stand.hourly, scenario)
    loss += PPM_ONE * (stand.required + slippage * stand.gross)
    loss += sum(map(mul, shocks, stand.pulls))
    if slippage:
        loss += slippage * sum(map(mul, shocks, stand.sizes))
    return loss


def _chain_headroom(
    subaccount: Subaccount,
    markets: Markets,
    stand: Footing,
    scenario: Scenario,
    shocks: Sequence[int],
) -> int:
    """NC - MMR after shocks by the chain's integers, prices rounded against each position."""
    room = stand.nc - units.divide_up(funding(stand.hourly, scenario), FINE)
    for position, before, shock in zip(subaccount.positions, stand.signed, shocks, strict=True):
        market = markets[position.ticker]
        moved = market.oracle_price * (PPM_ONE + shock)
        price = moved // PPM_ONE if position.quantums > 0 else units.divide_up(moved, PPM_ONE)
        signed = units.base_to_quote(
            position.quantums, price, market.oracle_exponent, market.atomic_resolution
        )
        room += signed - before - units.ppm_up(abs(signed), scenario.slippage)
        room -= margin.maintenance_requirement(market, abs(signed))
    return room


def funding(hourly: int, scenario: Scenario) -> int:
    """Funding over the scenario's hours in 10^-18 quote quantums, rounded up."""
    return units.divide_up(hourly * PPM_ONE * scenario.over, HOUR)


def contributions(stand: Footing, scenario: Scenario, sign: int) -> Mapping[str, QuoteQuantums]:
    """What each market does to the headroom under one sign, rounded down; a loss is negative.

    NC - buffer plus their sum is the headroom, up to one quantum per position.
    """
    slippage = scenario.slippage * PPM_ONE
    parts = {}
    shocks = moves(stand, scenario, sign)
    for at, ticker in enumerate(stand.tickers):
        signed = stand.signed[at]
        kept = (PPM_ONE + shocks[at]) * (stand.maintenance[at] + slippage) * abs(signed)
        paid = funding(stand.funding[at], scenario)
        parts[ticker] = QuoteQuantums((shocks[at] * PPT_ONE * signed - kept - paid) // FINE)
    return parts
