"""How far the book's mid is from the oracle price, and which markets cannot be believed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from seawall import units
from seawall.account import Book, Market, Observation
from seawall.units import PPM_ONE, Millis, Ppm

BOOK_AGE_MOST = Millis(3_000)


def fresh_mid(observation: Observation, ticker: str) -> int | None:
    """Twice the mid in subticks; None unless the book is two-sided and at most 3 s old."""
    book: Book | None = observation.advice.books.get(ticker)
    if book is None or observation.seen_at - book.seen_at > BOOK_AGE_MOST:
        return None
    return book.mid_twice


def gap(market: Market, mid_twice: int) -> Decimal:
    """|mid / oracle - 1| as a fraction; the oracle price is above zero."""
    top, bottom = _mid_over_oracle(market, mid_twice)
    return Decimal(abs(top - bottom)) / bottom


def is_outside(market: Market, mid_twice: int, band: Ppm) -> bool:
    """Whether the mid is further than `band` from the oracle price, exactly."""
    top, bottom = _mid_over_oracle(market, mid_twice)
    return abs(top - bottom) * PPM_ONE > band * bottom


def unreliable(observation: Observation, tickers: Iterable[str], band: Ppm) -> str | None:
    """The first of these markets whose oracle price is outside the band; None where none is.

    A market without a fresh two-sided book is not doubted: there is nothing to doubt it with.
    """
    for ticker in tickers:
        market = observation.markets.get(ticker)
        if market is None or market.oracle_price <= 0:
            continue
        mid_twice = fresh_mid(observation, ticker)
        if mid_twice is not None and is_outside(market, mid_twice, band):
            return ticker
    return None


def denial(ticker: str) -> str:
    """Why a market's oracle price is not believed, in words."""
    return f"{ticker}: the oracle price is further from the book's mid than price_band allows"


def _mid_over_oracle(market: Market, mid_twice: int) -> tuple[int, int]:
    """Mid and oracle price on one scale, both integers, the oracle's second."""
    shift = (
        market.quantum_conversion_exponent
        - market.atomic_resolution
        + units.QUOTE_RESOLUTION
        - market.oracle_exponent
    )
    oracle_twice = 2 * market.oracle_price
    if shift >= 0:
        return int(mid_twice * 10**shift), oracle_twice
    return mid_twice, int(oracle_twice * 10**-shift)
