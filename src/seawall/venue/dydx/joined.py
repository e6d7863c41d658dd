"""What a node's answers say together: markets and subaccounts as values of the account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from v4_proto.dydxprotocol.perpetuals.perpetual_pb2 import Perpetual
from v4_proto.dydxprotocol.prices.market_price_pb2 import MarketPrice

from seawall import units
from seawall.account import IndexerSizes, Market, Missing, Position, Subaccount
from seawall.errors import MalformedAnswer, MissingParameter
from seawall.units import BaseQuantums, Ppm, QuoteQuantums
from seawall.venue.dydx.parameters import Listing, Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A position as the chain stores it."""

    perpetual_id: int
    quantums: int
    funding_index: int
    quote_balance: int


def differing(subaccounts: Iterable[Subaccount], shown: IndexerSizes) -> Iterator[int]:
    """The subaccounts whose positions the indexer shows otherwise."""
    for subaccount in subaccounts:
        held = {p.ticker: p.quantums for p in subaccount.positions}
        told = {t: q for (n, t), q in shown.quantums.items() if n == subaccount.number}
        if held != told:
            yield subaccount.number


def integer(encoded: bytes) -> int:
    """A SerializableInt; raises MalformedAnswer."""
    try:
        return units.decode_serializable_int(encoded)
    except ValueError as error:
        raise MalformedAnswer(str(error)) from error


def listing_of(perpetual_id: int, parameters: Parameters) -> Listing:
    """The listing of a perpetual; raises MissingParameter."""
    listing = parameters.listings.get(perpetual_id)
    if listing is None:
        raise MissingParameter(f"perpetual {perpetual_id}: not among the markets read")
    return listing


def market_from(
    listing: Listing,
    terms: Mapping[int, Perpetual],
    prices: Mapping[int, MarketPrice],
    parameters: Parameters,
) -> Market:
    """A market from its parts; raises MissingParameter for one that the node did not give."""
    ticker = listing.grid.ticker
    perpetual = terms.get(listing.grid.perpetual_id)
    if perpetual is None:
        raise MissingParameter(f"{ticker}: the node gave no perpetual")
    price = prices.get(perpetual.params.market_id)
    if price is None:
        raise MissingParameter(f"{ticker}: the node gave no oracle price")
    tier = parameters.tiers.get(perpetual.params.liquidity_tier)
    if tier is None:
        raise MissingParameter(f"{ticker}: liquidity tier {perpetual.params.liquidity_tier} unread")
    return Market(
        ticker=ticker,
        perpetual_id=perpetual.params.id,
        clob_pair_id=listing.grid.clob_pair_id,
        atomic_resolution=perpetual.params.atomic_resolution,
        step_base_quantums=listing.step_base_quantums,
        subticks_per_tick=listing.subticks_per_tick,
        quantum_conversion_exponent=listing.grid.quantum_conversion_exponent,
        # Zero stays zero: who needs the price raises MissingParameter and names the market.
        oracle_price=price.price,
        oracle_exponent=price.exponent,
        tier=tier,
        funding_index=integer(perpetual.funding_index),
        open_interest=BaseQuantums(integer(perpetual.open_interest)),
        market_type=listing.market_type,
        status=listing.status,
        funding_clamp_factor_ppm=parameters.funding_clamp_factor_ppm,
    )


def subaccount_from(
    number: int, usdc: QuoteQuantums, positions: Iterable[Held], parameters: Parameters
) -> Subaccount:
    """A subaccount with its custom leverage by ticker; raises MissingParameter."""
    held = tuple(
        Position(
            ticker=listing_of(position.perpetual_id, parameters).grid.ticker,
            quantums=BaseQuantums(position.quantums),
            funding_index=position.funding_index,
            quote_balance=QuoteQuantums(position.quote_balance),
        )
        for position in positions
    )
    custom = parameters.custom_by_ticker(number)
    if isinstance(custom, Missing):
        return Subaccount(number=number, usdc=usdc, positions=held, custom_imf_ppm=custom)
    return Subaccount(
        number=number,
        usdc=usdc,
        positions=held,
        custom_imf_ppm={ticker: Ppm(ppm) for ticker, ppm in custom.items()},
    )
