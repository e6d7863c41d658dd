"""Hourly funding rates: the newest, and what a long and a short paid in nine hours out of ten."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from seawall.account import Funding, Missing
from seawall.errors import NoSuchSubaccount, VenueError
from seawall.units import DAY, HOUR, MINUTE, Millis
from seawall.venue.dydx.indexer import FundingRate, Indexer

log = logging.getLogger(__name__)

AGE_MOST = HOUR  # a rate is set once an hour
RETRY_AFTER = MINUTE
WEEK = 7 * DAY


class FundingRates:
    """The trailing week's rates of the markets asked for, read again once an hour of `clock`."""

    def __init__(self, indexer: Indexer, clock: Callable[[], Millis]) -> None:
        self._indexer = indexer
        self._clock = clock
        self._weeks: dict[str, Funding | None] = {}  # None where no rate was set yet
        self._due_at: dict[str, Millis] = {}

    def due(self, tickers: Iterable[str]) -> list[str]:
        """Those of the markets whose rates are older than an hour."""
        now = self._clock()
        return sorted(ticker for ticker in tickers if self._due_at.get(ticker, now) <= now)

    async def refresh(self, tickers: Iterable[str]) -> None:
        """Read what is due; a market whose rates do not come keeps its old ones for now."""
        due = self.due(tickers)
        await asyncio.gather(*(self._read(ticker) for ticker in due))

    def told(self, next_rates: Mapping[str, Decimal]) -> Mapping[str, Funding] | Missing:
        """Funding by ticker; the current rate is the feed's estimate of this hour, if there is one.

        A market too young for a history is told by that estimate. Missing where no market's rates
        are known.
        """
        found: dict[str, Funding] = {}
        for ticker, week in self._weeks.items():
            now = next_rates.get(ticker)
            known = week if now is None else replace(week or _told_by([now]), rate=now)
            if known is not None:
                found[ticker] = known
        return found if found else Missing(reason="funding rates of no market read yet")

    async def _read(self, ticker: str) -> None:
        try:
            rates = _of_a_week(await self._indexer.funding_rates(ticker))
            self._weeks[ticker] = _told_by(rates) if rates else None
            self._due_at[ticker] = Millis(self._clock() + AGE_MOST)
        except (VenueError, NoSuchSubaccount) as error:
            self._due_at[ticker] = Millis(self._clock() + RETRY_AFTER)
            log.info("event=funding_not_read ticker=%s reason=%s", ticker, error)


def _of_a_week(read: Sequence[FundingRate]) -> list[Decimal]:
    """The rates of the week that ends with the newest: a gap must not let older ones in."""
    since = max((one.at for one in read), default=Millis(0)) - WEEK
    return [one.rate for one in read if one.at > since]


def _told_by(rates: Sequence[Decimal]) -> Funding:
    """What rates tell, the newest first; worked out once an hour, not at each observation."""
    return Funding(
        rate=rates[0],
        p90_long=p90([max(rate, Decimal(0)) for rate in rates]),
        p90_short=p90([max(-rate, Decimal(0)) for rate in rates]),
    )


def p90(values: Sequence[Decimal]) -> Decimal:
    """The smallest value that at least nine in ten do not exceed (nearest rank)."""
    assert values
    return sorted(values)[-(-len(values) * 9 // 10) - 1]
