"""Reference prices, worst prices, and what a walk through a book costs.

Slippage is measured from the reference price: the book mid where the book is two-sided, at most
3 s old and within `price_band` of the oracle; else the oracle. Prices are exact rationals in
subticks until they are rounded to the tick inside the bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from seawall import units
from seawall.account import Book, BookLevel, Market, Observation, Side
from seawall.units import PPM_ONE, BaseQuantums, Millis, QuoteQuantums, Subticks

BOOK_AGE_MOST = Millis(3_000)


def oracle_subticks(market: Market) -> Fraction:
    """Oracle price in subticks, exact (MARGIN.md 1.4)."""
    shift = (
        market.oracle_exponent
        - market.quantum_conversion_exponent
        + market.atomic_resolution
        - units.QUOTE_RESOLUTION
    )
    if shift < 0:
        return Fraction(market.oracle_price, 10**-shift)
    return Fraction(market.oracle_price * 10**shift)


def fresh_book(seen: Observation, ticker: str) -> Book | None:
    """The market's book where it is at most 3 s old; None where there is none to rely on."""
    book = seen.advice.books.get(ticker)
    if book is None or seen.seen_at - book.seen_at > BOOK_AGE_MOST:
        return None
    return book


def mid_in_band(seen: Observation, ticker: str, price_band: int) -> Fraction | None:
    """The mid of a fresh two-sided book in subticks, where it is within the band of the oracle."""
    book = fresh_book(seen, ticker)
    twice = None if book is None else book.mid_twice
    if twice is None:
        return None
    parts, whole = oracle_subticks(seen.markets[ticker]).as_integer_ratio()
    is_near = abs(twice * whole - 2 * parts) * PPM_ONE <= 2 * parts * price_band
    return Fraction(twice, 2) if is_near else None


def reference(seen: Observation, ticker: str, price_band: int) -> Fraction:
    """The price that slippage is measured from, in subticks."""
    mid = mid_in_band(seen, ticker, price_band)
    return oracle_subticks(seen.markets[ticker]) if mid is None else mid


def bound(market: Market, side: Side, price: Fraction, slippage: int) -> Subticks:
    """Worst price at most `slippage` ppm beyond `price`, rounded to the tick inside."""
    tick = market.subticks_per_tick
    worst = price * (PPM_ONE + side.sign * slippage) / PPM_ONE / tick
    if side is Side.SELL:
        return Subticks(max(1, -(-worst.numerator // worst.denominator)) * tick)
    return Subticks(max(1, worst.numerator // worst.denominator) * tick)


def is_within(side: Side, subticks: int, worst: int) -> bool:
    """Whether a price is no worse than the bound for that side."""
    return subticks >= worst if side is Side.SELL else subticks <= worst


def levels_for(book: Book | None, side: Side, worst: int) -> tuple[BookLevel, ...]:
    """The levels an order of that side would meet, best first, no worse than the bound."""
    if book is None:
        return ()
    levels = book.bids if side is Side.SELL else book.asks
    return tuple(level for level in levels if is_within(side, level.subticks, worst))


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What an order is expected to exchange: size, quote before fee, and the fee."""

    quantums: BaseQuantums
    quote: QuoteQuantums
    fee: QuoteQuantums


def walk(
    market: Market, levels: tuple[BookLevel, ...], quantums: int, *, fee_ppm: int, step: int
) -> Walk:
    """Fill `quantums` > 0 against levels in order, each fill rounded as the chain rounds it."""
    left, quote, fee = quantums, 0, 0
    for level in levels:
        size = units.round_down(min(left, level.quantums), step)
        if not size:
            continue
        part = units.fill_quote(level.subticks, size, market.quantum_conversion_exponent)
        quote += part
        fee += units.fee_quote(part, fee_ppm)
        left -= size
        if left < step:
            break
    return Walk(
        quantums=BaseQuantums(quantums - left),
        quote=QuoteQuantums(quote),
        fee=QuoteQuantums(fee),
    )
