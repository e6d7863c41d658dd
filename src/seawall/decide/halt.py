"""After a halt of the chain: reductions wait until the oracle has shown that it lives.

RULES.md section 2: after a block gap over 60 s, reductions in a market wait until its oracle price
has changed once, or 20 blocks have passed, or a fresh book mid is within 3% of the oracle.
"""

from __future__ import annotations

from seawall.account import Observation
from seawall.decide.memory import Halt, Memory
from seawall.plan import pricing
from seawall.units import MINUTE

GAP_MOST = MINUTE
BLOCKS_TO_WAIT = 20
BAND_PPM = 30_000


def notice_halt(memory: Memory, seen: Observation) -> Halt | None:
    """The halt that still matters at this observation; None where there is none."""
    if memory.at is not None and seen.at - memory.at > GAP_MOST:
        prices = {ticker: market.oracle_price for ticker, market in seen.markets.items()}
        return Halt(height=seen.height, oracle_prices=prices)
    return memory.halt if resuming(memory.halt, seen) else None


def resuming(halt: Halt | None, seen: Observation) -> frozenset[str]:
    """Markets in which reductions still wait."""
    if halt is None or seen.height - halt.height >= BLOCKS_TO_WAIT:
        return frozenset()
    return frozenset(
        ticker
        for ticker, price in halt.oracle_prices.items()
        if ticker in seen.markets
        and seen.markets[ticker].oracle_price == price
        and pricing.mid_in_band(seen, ticker, BAND_PPM) is None
    )
