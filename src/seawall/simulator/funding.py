"""Funding as the chain makes it: a vote a block, a sample a minute, a tick an hour.

A vote is how far the book stands beyond the index price: at the average price of a bid (ask) for
the tier's impact notional, where that is above (below) the index. The index is what validators see,
the newest mid unless the oracle is told another price. A sample is the median of a minute's votes,
at half past the minute; a tick takes the average of an hour's samples. A market whose rate a
scenario names keeps that rate. Sources: reference MARGIN.md 2.6; v4-chain, x/perpetuals/keeper and
x/clob/memclob.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from seawall.account import MarketStatus, Side
from seawall.simulator import ruler
from seawall.simulator.book import Book, Maker
from seawall.simulator.events import FundingUpdate
from seawall.simulator.exchange import Exchange
from seawall.simulator.state import MarketState, Premiums
from seawall.units import HOUR, MINUTE, SECOND, Millis

FUNDING_CLAMP_PPM = 6_000_000  # times what a tier leaves between initial and maintenance
PREMIUM_CLAMP_PPM = 60_000_000  # the same for one vote
FEWEST_VOTES = 15  # of a sample; absent ones count as zero
SAMPLES_OF_TICK = HOUR // MINUTE
SAMPLED_AT = 30 * SECOND  # of the minute


def turn(exchange: Exchange, previous: Millis, index: Mapping[str, int]) -> None:
    """End a block after one at `previous`: count its votes, and sample and pay what is due."""
    at = exchange.time
    _vote(exchange, index)
    minutes = (at - SAMPLED_AT) // MINUTE - (previous - SAMPLED_AT) // MINUTE
    if minutes:
        _sample(exchange, minutes)
    for _ in range(at // HOUR - previous // HOUR):
        _tick(exchange)


def _vote(exchange: Exchange, index: Mapping[str, int]) -> None:
    """Add the block's votes; those of zero are only counted."""
    known = exchange.premiums
    votes = known.votes
    for ticker, book in exchange.books.items():
        if index[ticker] == book.mid and not book.orders:
            continue  # the house quotes on both sides of its mid
        market = exchange.markets[ticker]
        is_active = market.spec.status is MarketStatus.ACTIVE
        vote = premium(market, book, index[ticker]) if is_active else 0
        if vote:
            key = market.spec.perpetual_id
            votes = {**votes, key: (*votes.get(key, ()), vote)}
    exchange.premiums = replace(known, blocks=known.blocks + 1, votes=votes)


def premium(market: MarketState, book: Book, index: int) -> int:
    """A vote in ppm: how far the book stands above (> 0) or below the index, an oracle integer."""
    spec, terms = market.spec, market.terms
    fair = index * Fraction(10) ** spec.subticks_shift
    for side in Side:
        makers = book.shape.makers(side)
        if not makers or (makers[0].subticks - fair) * side.sign <= 0:
            continue
        impact = impact_price(makers, spec.tier.impact_notional, spec.quantum_conversion_exponent)
        if impact is None or (impact - fair) * side.sign <= 0:
            return 0
        most = ruler.clamp_bound(terms, PREMIUM_CLAMP_PPM)
        return min(max(int((impact / fair - 1) * ruler.MILLION), -most), most)
    return 0


def impact_price(makers: Sequence[Maker], notional: int, exponent: int) -> Fraction | None:
    """Average subticks of trading a notional with these makers; None where they are too small.

    A notional of zero trades at the first maker's price.
    """
    if notional == 0:
        return Fraction(makers[0].subticks)
    left, base = notional, Fraction(0)
    for maker in makers:
        quote = ruler.fill_quote(maker.subticks, maker.quantums, exponent)
        if left <= quote:
            base += Fraction(left * maker.quantums, quote)
            return average_price(notional, -(-base.numerator // base.denominator), exponent)
        base += maker.quantums
        left -= quote
    return None


def average_price(quote: int, base: int, exponent: int) -> Fraction:
    """Subticks at which quote quantums exchange for base quantums, exact."""
    return Fraction(quote, base) / Fraction(10) ** exponent


def _sample(exchange: Exchange, minutes: int) -> None:
    """Turn the votes into a sample, and say what the hour comes to as far as it goes.

    Minutes that passed without a block have samples of zero.
    """
    known = exchange.premiums
    length = max(known.blocks, FEWEST_VOTES)
    found = {key: ruler.median(votes, length) for key, votes in known.votes.items()}
    samples = dict(known.samples)
    for key, value in found.items():
        if value:
            samples[key] = (*samples.get(key, ()), value)
    exchange.premiums = Premiums(samples=samples, taken=known.taken + minutes)
    for market in tuple(exchange.markets.values()):
        rate = _rate(market, exchange.premiums, exchange.premiums.taken)
        if rate != market.rate_8h_ppm and not market.is_rate_given:
            exchange.set_market(replace(market, rate_8h_ppm=rate))


def _rate(market: MarketState, premiums: Premiums, samples: int) -> int:
    """Rate of a market in ppm per 8 hours from at least so many samples, or as a scenario says."""
    values: Sequence[int] = premiums.samples.get(market.spec.perpetual_id, ())
    if market.is_rate_given:
        values, samples = (market.rate_8h_ppm,), 1
    return ruler.funding_rate(values, samples, 0, market.terms, FUNDING_CLAMP_PPM)


def _tick(exchange: Exchange) -> None:
    """One hourly tick: indices move, accounts settle when they are touched.

    Of a rate of zero is told like of any other.
    """
    for ticker, market in tuple(exchange.markets.items()):
        rate = _rate(market, exchange.premiums, SAMPLES_OF_TICK)
        spec, terms = market.spec, market.terms
        delta = ruler.funding_index_delta(rate, market.price, spec.notional_shift)
        index = terms.funding_index + delta
        shown = market.rate_8h_ppm if market.is_rate_given else rate
        if (index, shown) != (terms.funding_index, market.rate_8h_ppm):
            exchange.house_funding_ppm -= delta * exchange.house[spec.perpetual_id]
            terms = replace(terms, funding_index=index)
            exchange.set_market(replace(market, terms=terms, rate_8h_ppm=shown))
        exchange.log.funding.append(
            FundingUpdate(ticker=ticker, rate_8h_ppm=rate, funding_index=index)
        )
    exchange.premiums = replace(exchange.premiums, samples={}, taken=0)
