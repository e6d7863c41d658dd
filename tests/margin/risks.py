"""Margins written down, and the account that most tests start from."""

from __future__ import annotations

from seawall.account import Subaccount
from seawall.margin import Risk
from seawall.units import QuoteQuantums
from tests.see import MARKETS, subaccount_of


def risk_of(nc: int, mmr: int, imr: int | None = None) -> Risk:
    """A risk in quote quantums; IMR unknown unless given."""
    return Risk(
        nc=QuoteQuantums(nc),
        imr=None if imr is None else QuoteQuantums(imr),
        mmr=QuoteQuantums(mmr),
    )


def long_and_short(equity: int) -> Subaccount:
    """0.06 BTC long and 1 ETH short at 100,000 and 4,000."""
    return subaccount_of(0, equity, {"BTC-USD": "0.06", "ETH-USD": -1}, MARKETS)
