"""REST that looks back or across children: candles, funding payments, parent subaccounts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from aiohttp import web

from seawall.account import PARENTS
from seawall.simulator.messages import SubaccountId
from seawall.simulator.serve import shapes
from seawall.simulator.serve.chronicle import RESOLUTIONS, Candle, Payment
from seawall.simulator.serve.node import Node
from seawall.simulator.serve.rest import Refused, answer, asked, limit_of, matches
from seawall.simulator.serve.shapes import Json, iso, text
from seawall.units import Millis


class Histories:
    """Paths that need more than the newest state of one subaccount."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def routes(self) -> list[web.RouteDef]:
        """Every path served; before those of `Rest`, whose /orders/ID would take a word."""
        get = web.get
        return [
            get("/v4/candles/perpetualMarkets/{ticker}", self._candles),
            get("/v4/fundingPayments", self._payments),
            get("/v4/fundingPayments/parentSubaccount", self._parent_payments),
            get("/v4/perpetualPositions/parentSubaccountNumber", self._positions),
            get("/v4/assetPositions/parentSubaccountNumber", self._assets),
            get("/v4/orders/parentSubaccountNumber", self._orders),
            get("/v4/fills/parentSubaccountNumber", self._fills),
            get("/v4/transfers/parentSubaccountNumber", self._transfers),
            get("/v4/screen", self._screen),
        ]

    async def _candles(self, request: web.Request) -> web.Response:
        ticker = request.match_info["ticker"]
        if ticker not in self._node.state.markets:
            raise Refused(400, "ticker must be a valid ticker (BTC-USD, etc)", "ticker")
        resolution = request.query.get("resolution", "")
        if resolution not in RESOLUTIONS:
            known = ",".join(RESOLUTIONS)
            raise Refused(400, f"resolution must be a valid Candle Resolution, one of {known}")
        since, until = _moment(request, "fromISO"), _moment(request, "toISO")
        found = [
            candle(ticker, resolution, one)
            for one in self._node.chronicle.candles(ticker, resolution)
            if (since is None or one.started_at >= since)
            and (until is None or one.started_at < until)
        ]
        return answer({"candles": found[: limit_of(request)]})

    async def _payments(self, request: web.Request) -> web.Response:
        owner, number = asked(request)
        return self._paid(request, (SubaccountId(owner=owner, number=number),))

    async def _parent_payments(self, request: web.Request) -> web.Response:
        return self._paid(request, self._children(request))

    def _paid(self, request: web.Request, accounts: tuple[SubaccountId, ...]) -> web.Response:
        rows = self._node.chronicle.paid_to(accounts, request.query.get("ticker"))
        return answer({"fundingPayments": [payment(one) for one in rows[: limit_of(request)]]})

    async def _positions(self, request: web.Request) -> web.Response:
        if "OPEN" not in request.query.get("status", "OPEN").split(","):
            return answer({"positions": []})
        return answer({"positions": self._parts(request, "openPerpetualPositions")})

    async def _assets(self, request: web.Request) -> web.Response:
        return answer({"positions": self._parts(request, "assetPositions")})

    def _parts(self, request: web.Request, key: str) -> list[shapes.Value]:
        """Positions or assets of every child, each with its subaccount number."""
        found: list[shapes.Value] = []
        state = self._node.state
        for named in self._children(request):
            body = shapes.subaccount(
                state.subaccount(named.owner, named.number), state, self._node.records
            )
            parts = body[key]
            assert isinstance(parts, dict)
            found.extend(parts.values())
        return found

    async def _orders(self, request: web.Request) -> web.Response:
        rows = [
            shapes.order(one, self._node.state)
            for named in self._children(request)
            for one in self._node.records.orders_of(named)
            if matches(request, one)
        ]
        return answer(rows[: limit_of(request)])

    async def _fills(self, request: web.Request) -> web.Response:
        children, market = set(self._children(request)), request.query.get("market")
        rows = [
            shapes.fill(one, self._node.state)
            for one in self._node.records.fills
            if one.event.subaccount in children and market in (None, one.event.ticker)
        ]
        return answer({"fills": rows[: limit_of(request)]})

    async def _transfers(self, request: web.Request) -> web.Response:
        """Transfers of the family with others; those between children are left out."""
        children = set(self._children(request))
        rows = []
        for one in self._node.records.transfers:
            ends = [end for end in (one.event.sender, one.event.recipient) if end in children]
            if len(ends) == 1 and isinstance(ends[0], SubaccountId):
                rows.append(shapes.transfer(one, ends[0]))
        return answer({"transfers": rows[: limit_of(request)]})

    async def _screen(self, _: web.Request) -> web.Response:
        return answer({"restricted": False})

    def _children(self, request: web.Request) -> tuple[SubaccountId, ...]:
        owner, number = asked(request, "parentSubaccountNumber")
        if number >= PARENTS:
            raise Refused(
                400,
                "parentSubaccountNumber must be a non-negative integer less than 128",
                "parentSubaccountNumber",
            )
        own = self._node.state.subaccounts_of(owner)
        return tuple(one.id for one in own if one.id.number % PARENTS == number)


def candle(ticker: str, resolution: str, one: Candle) -> Json:
    """One candle as REST and the v4_candles snapshot show it."""
    return {
        "startedAt": iso(one.started_at),
        "ticker": ticker,
        "resolution": resolution,
        "low": text(one.low),
        "high": text(one.high),
        "open": text(one.open),
        "close": text(one.close),
        "baseTokenVolume": text(one.coins),
        "usdVolume": text(one.dollars),
        "trades": one.trades,
        "startingOpenInterest": text(one.open_interest),
        "orderbookMidPriceOpen": text(one.mid_open),
        "orderbookMidPriceClose": text(one.mid_close),
    }


def payment(one: Payment) -> Json:
    """One funding payment; > 0 is received."""
    return {
        "createdAt": iso(one.at),
        "createdAtHeight": str(one.height),
        "perpetualId": str(one.perpetual_id),
        "ticker": one.ticker,
        "oraclePrice": text(one.price),
        "size": text(abs(one.size)),
        "side": "LONG" if one.size > 0 else "SHORT",
        "rate": text(one.rate),
        "payment": text(one.dollars),
        "subaccountNumber": str(one.subaccount.number),
        "fundingIndex": text(Decimal(one.funding_index).scaleb(-6)),
    }


def _moment(request: web.Request, key: str) -> Millis | None:
    words = request.query.get(key)
    if words is None:
        return None
    try:
        return Millis(int(datetime.fromisoformat(words).timestamp() * 1_000))
    except ValueError:
        raise Refused(400, f"{key} must be a valid ISO string", key) from None
