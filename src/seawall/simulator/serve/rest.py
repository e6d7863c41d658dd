"""The indexer's REST under /v4, and the venue's own calls under /seawall.

Unknown accounts are 404, bad parameters 400, both with `{"errors": [{"msg": …}]}` as the indexer
answers them (reference ORDERS.md sections 9.1 and 9.3).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal

from aiohttp import web

from seawall.account import PARENTS
from seawall.simulator.messages import SubaccountId
from seawall.simulator.serve import shapes
from seawall.simulator.serve.node import Node
from seawall.simulator.serve.records import OrderRecord
from seawall.simulator.serve.shapes import Json, Value
from seawall.simulator.state import Account, State
from seawall.units import Millis

ROWS_MOST = 1_000
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """A request that gets an error answer instead of data."""

    def __init__(self, status: int, message: str, parameter: str = "") -> None:
        self.status = status
        self.message = message
        self.parameter = parameter
        super().__init__(message)


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals into the indexer's error bodies."""
    try:
        return _zipped(request, await handler(request))
    except Refused as refused:
        error: dict[str, Value] = {"msg": refused.message}
        if refused.parameter:
            error |= {"param": refused.parameter, "location": "params"}
        return answer({"errors": [error]}, refused.status)


def _zipped(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """The answer, compressed for whoever takes it so."""
    takes = request.headers.get("Accept-Encoding", "")
    if isinstance(response, web.Response) and "gzip" in takes:
        response.enable_compression(web.ContentCoding.gzip)
    return response


def answer(body: Value, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(text=json.dumps(body), status=status, content_type="application/json")


class Rest:
    """The indexer's REST over a running venue."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def routes(self) -> list[web.RouteDef]:
        """Every path served."""
        get = web.get
        account = "/v4/addresses/{address}"
        return [
            get(account, self._address),
            get(account + "/subaccountNumber/{number}", self._subaccount),
            get(account + "/parentSubaccountNumber/{number}", self._parent),
            get("/v4/perpetualMarkets", self._markets),
            get("/v4/orderbooks/perpetualMarket/{ticker}", self._orderbook),
            get("/v4/trades/perpetualMarket/{ticker}", self._trades),
            get("/v4/historicalFunding/{ticker}", self._funding),
            get("/v4/perpetualPositions", self._positions),
            get("/v4/assetPositions", self._assets),
            get("/v4/orders", self._orders),
            get("/v4/orders/{order}", self._order),
            get("/v4/fills", self._fills),
            get("/v4/transfers", self._transfers),
            get("/v4/height", self._height),
            get("/v4/time", self._time),
            get("/v4/compliance/screen/{address}", self._compliance),
        ]

    async def _address(self, request: web.Request) -> web.Response:
        address = request.match_info["address"]
        state = self._node.state
        accounts = state.subaccounts_of(address)
        if not accounts:
            raise Refused(404, f"No subaccounts found for address {address}")
        found = [shapes.subaccount(one, state, self._node.records) for one in accounts]
        return answer({"subaccounts": found, "totalTradingRewards": "0"})

    async def _subaccount(self, request: web.Request) -> web.Response:
        named = _named(request)
        state = self._node.state
        account = _known(state, named)
        body = shapes.subaccount(account, state, self._node.records)
        return answer({"subaccount": body})

    async def _parent(self, request: web.Request) -> web.Response:
        named = _named(request)
        body = parent(self._node, named)
        if body is None:
            raise Refused(
                404,
                f"No subaccounts found for address {named.owner} and "
                f"parentSubaccountNumber {named.number}",
            )
        return answer({"subaccount": body})

    async def _markets(self, request: web.Request) -> web.Response:
        ticker = request.query.get("ticker") or request.query.get("market")
        if ticker is not None:
            self._check_ticker(ticker)
        return answer(shapes.markets(self._node.state, ticker))

    async def _orderbook(self, request: web.Request) -> web.Response:
        ticker = self._check_ticker(request.match_info["ticker"])
        return answer(shapes.orderbook(*self._node.book(ticker)))

    async def _trades(self, request: web.Request) -> web.Response:
        ticker = self._check_ticker(request.match_info["ticker"])
        return answer(trades(self._node, ticker, limit_of(request)))

    async def _funding(self, request: web.Request) -> web.Response:
        ticker = self._check_ticker(request.match_info["ticker"])
        records = list(self._node.records.funding[ticker])[: limit_of(request)]
        return answer({"historicalFunding": [shapes.funding(ticker, one) for one in records]})

    async def _positions(self, request: web.Request) -> web.Response:
        state = self._node.state
        account = state.subaccount(*asked(request))
        body = shapes.subaccount(account, state, self._node.records)
        positions = body["openPerpetualPositions"]
        assert isinstance(positions, dict)
        is_open = "OPEN" in request.query.get("status", "OPEN").split(",")
        return answer({"positions": list(positions.values()) if is_open else []})

    async def _assets(self, request: web.Request) -> web.Response:
        state = self._node.state
        account = state.subaccount(*asked(request))
        body = shapes.subaccount(account, state, self._node.records)
        assets = body["assetPositions"]
        assert isinstance(assets, dict)
        return answer({"positions": list(assets.values())})

    async def _orders(self, request: web.Request) -> web.Response:
        owner, number = asked(request)
        named = SubaccountId(owner=owner, number=number)
        found = (o for o in self._node.records.orders_of(named) if matches(request, o))
        rows = [shapes.order(one, self._node.state) for one in found]
        return answer(rows[: limit_of(request)])

    async def _order(self, request: web.Request) -> web.Response:
        record = self._node.records.orders.get(request.match_info["order"])
        if record is None:
            raise Refused(404, f"Unable to find order id {request.match_info['order']}")
        return answer(shapes.order(record, self._node.state))

    async def _fills(self, request: web.Request) -> web.Response:
        named, market = asked(request), request.query.get("market")
        rows = [
            shapes.fill(one, self._node.state)
            for one in self._node.records.fills
            if (one.event.subaccount.owner, one.event.subaccount.number) == named
            and market in (None, one.event.ticker)
        ]
        return answer({"fills": rows[: limit_of(request)]})

    async def _transfers(self, request: web.Request) -> web.Response:
        owner, number = asked(request)
        named = SubaccountId(owner=owner, number=number)
        rows = [
            shapes.transfer(one, named)
            for one in self._node.records.transfers
            if named in (one.event.sender, one.event.recipient)
        ]
        return answer({"transfers": rows[: limit_of(request)]})

    async def _height(self, _: web.Request) -> web.Response:
        return answer(shapes.height(self._node.state))

    async def _time(self, _: web.Request) -> web.Response:
        time = self._node.state.time  # the venue's clock is the chain's
        return web.Response(
            text=f'{{"iso": "{shapes.iso(time)}", "epoch": {_seconds(time)}}}',
            content_type="application/json",
        )

    async def _compliance(self, _: web.Request) -> web.Response:
        return answer({"status": "COMPLIANT", "updatedAt": shapes.iso(self._node.state.time)})

    def _check_ticker(self, ticker: str) -> str:
        if ticker not in self._node.state.markets:
            raise Refused(400, "ticker must be a valid ticker (BTC-USD, etc)", "ticker")
        return ticker


def parent(node: Node, named: SubaccountId) -> Json | None:
    """A parent subaccount with its children; sums only, None where there is nothing."""
    state = node.state
    children = [
        shapes.subaccount(one, state, node.records)
        for one in state.subaccounts_of(named.owner)
        if one.id.number % PARENTS == named.number
    ]
    if not children:
        return None
    return {
        "address": named.owner,
        "parentSubaccountNumber": named.number,
        "equity": _sum(child["equity"] for child in children),
        "freeCollateral": _sum(child["freeCollateral"] for child in children),
        "childSubaccounts": children,
    }


def trades(node: Node, ticker: str, limit: int = 100) -> Json:
    """The newest trades of a market."""
    found = list(node.records.trades[ticker])[:limit]
    return {"trades": [shapes.trade(one, node.state) for one in found]}


def _sum(numbers: Iterable[Value]) -> str:
    return shapes.text(sum((Decimal(str(number)) for number in numbers), Decimal(0)))


def _seconds(time: Millis) -> str:
    return f"{time // 1_000}.{time % 1_000:03d}"


def _integer(words: str, parameter: str) -> int:
    try:
        number = int(words)
    except ValueError:
        number = -1
    if number < 0:
        raise Refused(400, f"{parameter} must be a non-negative integer, got {words!r}", parameter)
    return number


def _named(request: web.Request) -> SubaccountId:
    number = _integer(request.match_info["number"], "subaccountNumber")
    return SubaccountId(owner=request.match_info["address"], number=number)


def asked(request: web.Request, key: str = "subaccountNumber") -> tuple[str, int]:
    """The address and number that a query names."""
    address = request.query.get("address", "")
    if not address:
        raise Refused(400, "address must be a valid dydx address", "address")
    return address, _integer(request.query.get(key, ""), key)


def limit_of(request: web.Request) -> int:
    """How many rows are wanted, at most a page."""
    asked = request.query.get("limit")
    return ROWS_MOST if asked is None else min(_integer(asked, "limit"), ROWS_MOST)


def _known(state: State, named: SubaccountId) -> Account:
    account = state.accounts.get(named)
    if account is None:
        raise Refused(
            404,
            f"No subaccount found with address {named.owner} and subaccountNumber {named.number}",
        )
    return account


def matches(request: web.Request, order: OrderRecord) -> bool:
    """Whether an order is of the ticker, side and status that a query names."""
    query = request.query
    side = order.event.order.side
    return (
        query.get("ticker") in (None, order.ticker)
        and query.get("side") in (None, "" if side is None else side.value)
        and ("status" not in query or order.event.status.value in query["status"].split(","))
    )
