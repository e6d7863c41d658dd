"""The indexer's REST interface: one shared client, deadlines, and retries of reads.

What it says is advice. Its equity and freeCollateral are not even parsed: they ignore
open-interest scaling and custom leverage (ORDERS.md section 9.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from urllib.parse import quote

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from seawall.errors import MalformedAnswer, NoSuchSubaccount, VenueUnreachable
from seawall.units import Millis
from seawall.venue.dydx import fields, records
from seawall.venue.dydx.fields import Fields
from seawall.venue.dydx.rpc import is_loopback

VERSION_PATH = "/v4"
TIMEOUT_S = 3.0
ATTEMPTS = 3
PAUSE_S = 0.2  # before the first repetition, twice as long before the second
PAUSE_MOST_S = 2.0
ROWS = 100
PAYMENTS = 1_000  # a day of hours for some forty positions
WEEK_HOURS = 168


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingPayment:
    """Funding that one position paid (< 0) or received, in dollars, at a block's time."""

    ticker: str
    at: Millis
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingRate:
    """One hour's funding rate of a market, > 0 where longs paid, and when it took effect."""

    at: Millis
    rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedSubaccount:
    """A subaccount as the indexer shows it; sizes in coins, long > 0.

    `height` is the indexer's own, 0 where it does not say: then no size is compared with a node's.
    """

    number: int
    height: int
    sizes: Mapping[str, Decimal]  # by ticker


class _Busy(VenueUnreachable):
    """The indexer asked to come back later; a pause in seconds."""

    def __init__(self, message: str, pause_s: float) -> None:
        self.pause_s = pause_s
        super().__init__(message)


class _Down(VenueUnreachable):
    """A host that did not answer; another may."""


class Indexer:
    """Reads of one or more indexer hosts; all raise VenueError.

    A host that fails is left for the next one, which then stays first.
    """

    def __init__(
        self, urls: Sequence[str], *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        assert urls
        self._bases = [_base(url) for url in urls]
        # A loopback venue must not be asked through the machine's web proxy.
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT_S,
            transport=transport,
            trust_env=not all(is_loopback(url) for url in urls),
        )

    async def height(self) -> int:
        """The newest block that the indexer has written."""
        answer = await self._object("/height", {})
        return fields.integer(answer, "height")

    async def subaccounts(self, address: str) -> Mapping[int, IndexedSubaccount]:
        """All subaccounts of an address by number; raises NoSuchSubaccount where it knows none."""
        try:
            answer = await self._object(f"/addresses/{quote(address, safe='')}", {})
        except NoSuchSubaccount:
            raise NoSuchSubaccount(
                f"the indexer knows no subaccount of {address}: check the address"
            ) from None
        found = [
            _subaccount(fields.mapping(entry, "subaccount"))
            for entry in fields.sequence(answer.get("subaccounts"), "subaccounts")
        ]
        return {subaccount.number: subaccount for subaccount in found}

    async def markets(self) -> Mapping[str, Fields]:
        """All markets by ticker, in the indexer's own fields."""
        answer = await self._object("/perpetualMarkets", {})
        markets = fields.mapping(answer.get("markets"), "markets")
        return {ticker: fields.mapping(market, ticker) for ticker, market in markets.items()}

    async def order_book(self, ticker: str) -> Fields:
        """A market's book: `bids` and `asks`, each a list of price and size."""
        return await self._object(f"/orderbooks/perpetualMarket/{quote(ticker, safe='')}", {})

    async def orders(self, address: str, number: int) -> Sequence[Fields]:
        """The subaccount's orders that may still fill; none for a subaccount it does not know."""
        return await self._rows("/orders", address, number, None, status=",".join(records.ALIVE))

    async def fills(self, address: str, number: int) -> Sequence[Fields]:
        """The subaccount's newest fills; none for a subaccount it does not know."""
        return await self._rows("/fills", address, number, "fills")

    async def transfers(self, address: str, number: int) -> Sequence[Fields]:
        """The subaccount's newest transfers; none for a subaccount it does not know."""
        return await self._rows("/transfers", address, number, "transfers")

    async def funding_payments(self, address: str, number: int) -> Sequence[FundingPayment]:
        """The subaccount's newest funding payments, at most `PAYMENTS`, newest first."""
        rows = await self._rows("/fundingPayments", address, number, "fundingPayments", PAYMENTS)
        return [
            FundingPayment(
                ticker=fields.text(row, "ticker"),
                at=fields.moment(row, "createdAt"),
                amount=fields.decimal(row, "payment"),
            )
            for row in rows
        ]

    async def funding_rates(self, ticker: str) -> Sequence[FundingRate]:
        """The newest week of hourly funding rates, newest first."""
        answer = await self._object(
            f"/historicalFunding/{quote(ticker, safe='')}", {"limit": str(WEEK_HOURS)}
        )
        rows = fields.sequence(answer.get("historicalFunding"), "historicalFunding")
        named = [fields.mapping(row, "funding") for row in rows]
        return [
            FundingRate(at=fields.moment(row, "effectiveAt"), rate=fields.decimal(row, "rate"))
            for row in named
        ]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _rows(
        self,
        path: str,
        address: str,
        number: int,
        key: str | None,
        limit: int = ROWS,
        **more: str,
    ) -> Sequence[Fields]:
        query = {"address": address, "subaccountNumber": str(number), "limit": str(limit), **more}
        try:
            answer = await self._get(path, query)
        except NoSuchSubaccount:
            return []
        rows = answer if key is None else fields.mapping(answer, path).get(key)
        return [fields.mapping(row, path) for row in fields.sequence(rows, path)]

    async def _object(self, path: str, query: Mapping[str, str]) -> Fields:
        return fields.mapping(await self._get(path, query), path)

    async def _get(self, path: str, query: Mapping[str, str]) -> object:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((_Busy, _Down)),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_pause,
            reraise=True,
        )
        return await retrying(self._get_once, path, query)

    async def _get_once(self, path: str, query: Mapping[str, str]) -> object:
        url = self._bases[0] + path
        try:
            answer = await self._client.get(url, params=dict(query))
        except httpx.HTTPError as error:
            self._bases.append(self._bases.pop(0))
            raise _Down(f"{url}: {type(error).__name__} {error}".rstrip()) from error
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise NoSuchSubaccount(f"{url}: nothing found")
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise _Busy(f"{url}: too many requests", _retry_after_s(answer))
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._bases.append(self._bases.pop(0))
            raise _Down(f"{url}: status {answer.status_code}")
        if answer.status_code != HTTPStatus.OK:
            raise VenueUnreachable(f"{url}: status {answer.status_code} {answer.text[:200]}")
        try:
            decoded: object = answer.json()
        except ValueError as error:
            raise MalformedAnswer(f"{url}: {error}") from error
        return decoded


def _base(url: str) -> str:
    trimmed = url.rstrip("/")
    return trimmed if trimmed.endswith(VERSION_PATH) else trimmed + VERSION_PATH


def _subaccount(entry: Fields) -> IndexedSubaccount:
    positions = fields.mapping(entry.get("openPerpetualPositions", {}), "openPerpetualPositions")
    heights = (
        fields.maybe_integer(entry, key)
        for key in ("latestProcessedBlockHeight", "updatedAtHeight")
    )
    return IndexedSubaccount(
        number=fields.integer(entry, "subaccountNumber"),
        height=next((height for height in heights if height is not None), 0),
        sizes={
            ticker: records.signed_size(fields.mapping(position, ticker))
            for ticker, position in positions.items()
        },
    )


def _retry_after_s(answer: httpx.Response) -> float:
    # Milliseconds here, where the standard says seconds (ORDERS.md section 9.3).
    written = str(answer.headers.get("Retry-After", ""))
    return int(written) / 1_000 if written.isdecimal() else PAUSE_S


def _pause(state: RetryCallState) -> float:
    failure = state.outcome.exception() if state.outcome is not None else None
    if isinstance(failure, _Busy):
        return min(failure.pause_s, PAUSE_MOST_S)
    return min(PAUSE_S * state.attempt_number, PAUSE_MOST_S)
