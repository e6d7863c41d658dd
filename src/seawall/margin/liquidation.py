"""Where the chain would liquidate: the last safe oracle price of one market, and the band to it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from seawall import units
from seawall.account import Market, Position, Subaccount
from seawall.margin.requirements import (
    Markets,
    Risk,
    held,
    maintenance_fraction_ppt,
    maintenance_requirement,
    market_of,
    notional,
    risk,
)
from seawall.units import PPM_ONE

PRICE_MOST = 2**64 - 1  # oracle prices are unsigned 64-bit integers


class NoPrice(StrEnum):
    """Why a position has no liquidation price: no price of its market alone, or every price."""

    NEVER = "never"
    ALWAYS = "always"


def liquidation_price(
    subaccount: Subaccount, ticker: str, markets: Markets, now: Risk | None = None
) -> int | NoPrice:
    """The last safe oracle price of a held market while all others stand still.

    The lowest safe integer for a long, the highest for a short: exact, by bisection from the
    closed form (MARGIN.md section 7). `now` is the subaccount's risk, where it is known already.
    Raises MissingParameter, and KeyError where nothing is held.
    """
    market = market_of(markets, ticker)
    position = held(subaccount, ticker)
    if now is None:
        now = risk(subaccount, markets)
    signed = notional(market, position.quantums)
    rest = now.nc - signed - now.mmr + maintenance_requirement(market, abs(signed))
    return _last_safe_price(market, position.quantums, rest)


def _last_safe_price(market: Market, quantums: int, rest: int) -> int | NoPrice:
    """The last price at which `rest` (NC - MMR without the market) carries the position."""
    sign = 1 if quantums > 0 else -1
    shift = market.oracle_exponent + market.atomic_resolution - units.QUOTE_RESOLUTION
    factor, divisor = abs(quantums) * int(10 ** max(shift, 0)), int(10 ** max(-shift, 0))

    def is_safe(price: int) -> bool:
        size = price * factor // divisor
        return rest + sign * size >= maintenance_requirement(market, size)

    lowest, highest = 1, PRICE_MOST
    favourable, adverse = (highest, lowest) if sign > 0 else (lowest, highest)
    if is_safe(adverse):
        return NoPrice.NEVER
    if not is_safe(favourable):
        return NoPrice.ALWAYS
    safe, unsafe = favourable, adverse
    guess = _closed_form(market, quantums, rest)
    for reach in (4, 1 << 16):
        inside = min(max(guess + sign * reach, lowest), highest)
        beyond = min(max(guess - sign * reach, lowest), highest)
        if is_safe(inside) and not is_safe(beyond):
            safe, unsafe = inside, beyond
            break
    while abs(safe - unsafe) > 1:
        middle = (safe + unsafe) // 2
        if is_safe(middle):
            safe = middle
        else:
            unsafe = middle
    return safe


def _closed_form(market: Market, quantums: int, rest: int) -> int:
    """P* of MARGIN.md section 7, truncated; real-number arithmetic's answer without rounding."""
    sign = 1 if quantums > 0 else -1
    fraction = maintenance_fraction_ppt(market)
    numerator = -sign * rest * PPM_ONE**2
    denominator = abs(quantums) * (PPM_ONE**2 - sign * fraction)
    assert denominator > 0  # at a fraction of one every price is as safe as any other
    shift = market.oracle_exponent + market.atomic_resolution - units.QUOTE_RESOLUTION
    if shift >= 0:
        denominator *= 10**shift
    else:
        numerator *= 10**-shift
    return int(numerator // denominator)


def move_left(
    subaccount: Subaccount, ticker: str, markets: Markets, now: Risk | None = None
) -> Decimal:
    """Adverse move of a held market to its last safe price, a fraction of the oracle price.

    Negative once it is passed; Infinity where no price of this market liquidates, -Infinity where
    every one does. `now` is the subaccount's risk, where it is known already.
    """
    price = liquidation_price(subaccount, ticker, markets, now)
    return _move(markets[ticker], held(subaccount, ticker), price)


def _move(market: Market, position: Position, price: int | NoPrice) -> Decimal:
    if isinstance(price, NoPrice):
        return Decimal("Infinity" if price is NoPrice.NEVER else "-Infinity")
    return Decimal(_against(market, position, price)) / market.oracle_price


def _against(market: Market, position: Position, price: int) -> int:
    """How far the oracle price is from another, in its own units, > 0 where that is adverse."""
    away = market.oracle_price - price
    return away if position.quantums > 0 else -away


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The room of one position, alone, to its liquidation price; negative once it is passed.

    `move` is a fraction of the oracle price, `band` dollars per coin, `loss` dollars of equity;
    all three are Infinity where no price of this market liquidates, -Infinity where every one does.
    """

    price: int | NoPrice
    price_dollars: Decimal | None
    move: Decimal
    band: Decimal
    loss: Decimal


def band(subaccount: Subaccount, ticker: str, markets: Markets, now: Risk | None = None) -> Band:
    """Distance of the oracle price of a held market to the last safe one, against the position.

    `now` is the subaccount's risk, where it is known already.
    """
    market = market_of(markets, ticker)
    price = liquidation_price(subaccount, ticker, markets, now)
    position = held(subaccount, ticker)
    move = _move(market, position, price)
    if isinstance(price, NoPrice):
        return Band(price=price, price_dollars=None, move=move, band=move, loss=move)
    dollars = units.oracle_dollars(_against(market, position, price), market.oracle_exponent)
    return Band(
        price=price,
        price_dollars=units.oracle_dollars(price, market.oracle_exponent),
        move=move,
        band=dollars,
        loss=dollars * abs(market.coins(position.quantums)),
    )
