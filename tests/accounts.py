"""Random accounts for Hypothesis: markets, sizes, debts and funding of every shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from seawall.account import Market, Position, Subaccount, Tier
from seawall.units import BaseQuantums, Ppm, QuoteQuantums
from tests.see import BTC

TICKERS = ("A-USD", "B-USD", "C-USD", "D-USD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A subaccount with the markets it trades in."""

    subaccount: Subaccount
    markets: Mapping[str, Market]

    def priced(self, ticker: str, price: int) -> Mapping[str, Market]:
        """The markets with one of them at another oracle price."""
        return {**self.markets, ticker: replace(self.markets[ticker], oracle_price=price)}


@st.composite
def markets(draw: st.DrawFn, ticker: str) -> Market:
    """One market: tiers from 1% to 100%, prices of five to twelve digits."""
    lower = draw(st.integers(0, 10**14))
    return replace(
        BTC,
        ticker=ticker,
        perpetual_id=TICKERS.index(ticker),
        clob_pair_id=TICKERS.index(ticker),
        atomic_resolution=draw(st.integers(-11, -5)),
        oracle_exponent=draw(st.integers(-9, -4)),
        oracle_price=draw(st.integers(10**5, 10**12)),
        tier=Tier(
            initial_margin_ppm=Ppm(draw(st.integers(10_000, 1_000_000))),
            maintenance_fraction_ppm=Ppm(draw(st.integers(100_000, 1_000_000))),
            open_interest_lower_cap=QuoteQuantums(lower),
            open_interest_upper_cap=QuoteQuantums(
                draw(st.one_of(st.just(0), st.integers(lower, 10**15)))
            ),
        ),
        funding_index=draw(st.integers(-(10**9), 10**9)),
        open_interest=BaseQuantums(draw(st.integers(0, 10**16))),
    )


@st.composite
def accounts(draw: st.DrawFn, least: int = 1) -> Account:
    """An account with at least `least` positions, healthy or not."""
    tickers = TICKERS[: draw(st.integers(least, len(TICKERS)))]
    known = {ticker: draw(markets(ticker)) for ticker in tickers}
    sizes = st.integers(-(10**13), 10**13).filter(bool)
    positions = tuple(
        Position(
            ticker=ticker,
            quantums=BaseQuantums(draw(sizes)),
            funding_index=draw(st.integers(-(10**9), 10**9)),
        )
        for ticker in tickers
    )
    imf = st.integers(0, 1_000_000).map(Ppm)
    subaccount = Subaccount(
        number=0,
        usdc=QuoteQuantums(draw(st.integers(-(10**14), 10**14))),
        positions=positions,
        custom_imf_ppm={ticker: draw(imf) for ticker in tickers},
    )
    return Account(subaccount=subaccount, markets=known)
