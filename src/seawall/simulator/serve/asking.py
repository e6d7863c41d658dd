"""How REST is asked and how it answers: parameters, pages, refusals, headers.

Bad parameters are 400, unknown accounts 404, both with `{"errors": [{"msg": …}]}` (reference
ORDERS.md section 9.3). With `page` rows come the oldest first, without it the newest first.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from aiohttp import web

from seawall.account import PARENTS
from seawall.simulator.messages import SubaccountId
from seawall.simulator.serve.shapes import Json, Value
from seawall.units import Millis

ROWS_MOST = 1_000
NUMBER_MOST = 128_000
DIGITS_MOST = 15
CACHED_S = 1
CACHED_LONG_S = 10
CACHED_LONG = ("/v4/historicalFunding", "/v4/fundingPayments", "/v4/historical-pnl", "/v4/pnl")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Dated(Protocol):
    """A row with the block that holds it."""

    @property
    def at(self) -> Millis:
        """When the block was made."""

    @property
    def height(self) -> int:
        """Its height."""


Row = TypeVar("Row")
DatedRow = TypeVar("DatedRow", bound=Dated)


class Refused(Exception):
    """A request that gets an error answer instead of data."""

    def __init__(self, status: int, message: str, parameter: str = "", code: str = "") -> None:
        self.status = status
        self.message = message
        self.parameter = parameter
        self.code = code
        super().__init__(message)


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals into the indexer's error bodies; add what stands on every answer."""
    try:
        response = await handler(request)
    except Refused as refused:
        return refusal(refused)
    except web.HTTPException as error:
        return refusal(Refused(error.status, error.reason))
    if isinstance(response, web.Response):
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            response.enable_compression(web.ContentCoding.gzip)
        if request.path.startswith("/v4/"):
            seconds = CACHED_LONG_S if request.path.startswith(CACHED_LONG) else CACHED_S
            response.headers["Cache-Control"] = f"public, max-age={seconds}"
    return response


def refusal(refused: Refused) -> web.Response:
    """The indexer's error body."""
    error: dict[str, Value] = {"msg": refused.message}
    if refused.parameter:
        error |= {"param": refused.parameter, "location": "query"}
    if refused.code:
        error |= {"code": refused.code}
    return answer({"errors": [error]}, refused.status)


def answer(body: Value, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(text=json.dumps(body), status=status, content_type="application/json")


def is_number(words: str) -> bool:
    """Whether words are a whole number of at least 0 that JavaScript counts exactly."""
    return words.isascii() and words.isdecimal() and len(words) <= DIGITS_MOST


def integer(words: str, parameter: str, most: int | None = None) -> int:
    """A number of at least 0; raises Refused."""
    if not is_number(words) or (most is not None and int(words) > most):
        below = "" if most is None else f" less than {most + 1}"
        raise Refused(400, f"{parameter} must be a non-negative integer{below}", parameter)
    return int(words)


def account(request: web.Request) -> SubaccountId:
    """The subaccount that a path or a query names."""
    return SubaccountId(owner=address(request), number=_number(request, "subaccountNumber"))


def address(request: web.Request) -> str:
    """The owner that a path or a query names."""
    named = request.match_info.get("address") or request.query.get("address", "")
    if not named.isalnum():
        raise Refused(400, "address must be a valid dydx address", "address")
    return named


def parent(request: web.Request) -> SubaccountId:
    """The parent that a path or a query names: below 128."""
    number = _number(request, "parentSubaccountNumber", PARENTS - 1)
    return SubaccountId(owner=address(request), number=number)


def _number(request: web.Request, parameter: str, most: int = NUMBER_MOST) -> int:
    words = request.match_info.get("number") or request.query.get(parameter, "")
    return integer(words, parameter, most)


def limit_of(request: web.Request) -> int:
    """How many rows are wanted: a page where nothing is said, never more."""
    words = request.query.get("limit")
    if words is None:
        return ROWS_MOST
    if not is_number(words) or not 0 < int(words) <= ROWS_MOST:
        message = f"limit must be a positive integer that is not greater than max: {ROWS_MOST}"
        raise Refused(400, message, "limit")
    return int(words)


def moment(request: web.Request, parameter: str) -> Millis | None:
    """A moment of a query; None where it names none."""
    words = request.query.get(parameter)
    if words is None:
        return None
    try:
        # A plus sign that was not encoded arrives as a space.
        return Millis(int(datetime.fromisoformat(words.replace(" ", "+")).timestamp() * 1_000))
    except ValueError:
        raise Refused(400, f"{parameter} must be a valid ISO string", parameter) from None


def height(request: web.Request, parameter: str) -> int | None:
    """A block height of a query; None where it names none."""
    words = request.query.get(parameter)
    return None if words is None else integer(words, parameter)


def until(
    request: web.Request, rows: Sequence[DatedRow], prefix: str = "created"
) -> list[DatedRow]:
    """Rows no later than a query asks for, by time or by height."""
    at = moment(request, f"{prefix}BeforeOrAt")
    block = height(request, f"{prefix}BeforeOrAtHeight")
    return [
        row
        for row in rows
        if (at is None or row.at <= at) and (block is None or row.height <= block)
    ]


def since(
    request: web.Request, rows: Sequence[DatedRow], parameter: str = "createdOnOrAfter"
) -> list[DatedRow]:
    """Rows no earlier than a query asks for, by time or by height."""
    at = moment(request, parameter)
    block = height(request, f"{parameter}Height")
    return [
        row
        for row in rows
        if (at is None or row.at >= at) and (block is None or row.height >= block)
    ]


def page(
    request: web.Request, rows: Sequence[Row], key: str, shape: Callable[[Row], Json]
) -> Mapping[str, Value]:
    """A body with the rows that are wanted of those given, the newest first."""
    limit = limit_of(request)
    words = request.query.get("page")
    if words is None:
        return {key: [shape(row) for row in rows[:limit]]}
    if not is_number(words) or int(words) == 0:
        raise Refused(400, "page must be a non-negative integer", "page")
    offset = (int(words) - 1) * limit
    oldest_first = rows[::-1][offset : offset + limit]
    return {
        key: [shape(row) for row in oldest_first],
        "pageSize": limit,
        "totalResults": len(rows),
        "offset": offset,
    }
