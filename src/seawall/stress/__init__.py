"""Scenarios over a subaccount: headroom, contribution by market, and the fatal multiple.

The formula is RULES.md section 2: NC - sum of [(1+e)(m+p) + f - sigma*e]*n with e the move of a
price (never below -100%), m the base maintenance fraction, p slippage, f funding, n >= 0 the oracle
notional, sigma +-1. Everything is an integer: notionals in quote quantums, fractions in 10^-6 or
10^-12, products of the two in 10^-18. Within rounding of zero the chain's own arithmetic decides.
"""

from __future__ import annotations

from seawall.stress.fatal import Nearest, fatal_move, fatal_move_of, nearest_fatal_market
from seawall.stress.footing import (
    PPT_ONE,
    Footing,
    FundingAdvice,
    footing,
    hourly_clamp_ppt,
    hourly_rate_ppt,
)
from seawall.stress.headroom import contributions, headroom, worse_sign

__all__ = [
    "PPT_ONE",
    "Footing",
    "FundingAdvice",
    "Nearest",
    "contributions",
    "fatal_move",
    "fatal_move_of",
    "footing",
    "headroom",
    "hourly_clamp_ppt",
    "hourly_rate_ppt",
    "nearest_fatal_market",
    "worse_sign",
]
