"""The indexer's REST that is about no account: markets, books, trades, the clock."""

from __future__ import annotations

from aiohttp import web

from seawall.simulator.serve import asking, history_shapes, shapes
from seawall.simulator.serve.asking import Refused, answer
from seawall.simulator.serve.chronicle import RESOLUTIONS
from seawall.simulator.serve.condition import Condition
from seawall.simulator.serve.indexer import Indexer
from seawall.simulator.serve.shapes import Json, Value

SPARKLINES = {"ONE_DAY": ("1HOUR", 24), "SEVEN_DAYS": ("4HOURS", 42)}  # resolution, how many


class Rest:
    """Public paths over an indexer; books come from where the websocket has them."""

    def __init__(self, shown: Indexer, told: Indexer, condition: Condition) -> None:
        self._shown = shown
        self._told = told
        self._condition = condition

    def routes(self) -> list[web.RouteDef]:
        """Every path served."""
        get = web.get
        return [
            get("/v4/perpetualMarkets", self._markets),
            get("/v4/orderbooks/perpetualMarket/{ticker}", self._orderbook),
            get("/v4/trades/perpetualMarket/{ticker}", self._trades),
            get("/v4/candles/perpetualMarkets/{ticker}", self._candles),
            get("/v4/sparklines", self._sparklines),
            get("/v4/historicalFunding/{ticker}", self._funding),
            get("/v4/height", self._height),
            get("/v4/time", self._time),
            get("/v4/compliance/screen/{address}", self._compliance),
            get("/v4/screen", self._screen),
        ]

    async def _markets(self, request: web.Request) -> web.Response:
        ticker = request.query.get("ticker") or request.query.get("market")
        if ticker is not None:
            self._check_ticker(ticker)
        return answer(shapes.markets(self._shown.state, ticker))

    async def _orderbook(self, request: web.Request) -> web.Response:
        ticker = self._check_ticker(request.match_info["ticker"])
        return answer(shapes.orderbook(*self._told.book(ticker)))

    async def _trades(self, request: web.Request) -> web.Response:
        ticker = self._check_ticker(request.match_info["ticker"])
        rows = list(self._shown.records.trades[ticker])
        state = self._shown.state
        found = asking.until(request, rows, "starting")
        return answer(asking.page(request, found, "trades", lambda one: shapes.trade(one, state)))

    async def _candles(self, request: web.Request) -> web.Response:
        ticker = self._check_ticker(request.match_info["ticker"])
        resolution = request.query.get("resolution", "")
        if resolution not in RESOLUTIONS:
            known = ",".join(RESOLUTIONS)
            raise Refused(400, f"resolution must be a valid Candle Resolution, one of {known}")
        start, end = asking.moment(request, "fromISO"), asking.moment(request, "toISO")
        rows = [
            one
            for one in self._shown.chronicle.candles(ticker, resolution)
            if (start is None or one.started_at >= start) and (end is None or one.started_at < end)
        ]
        return answer(
            asking.page(
                request, rows, "candles", lambda one: history_shapes.candle(ticker, resolution, one)
            )
        )

    async def _sparklines(self, request: web.Request) -> web.Response:
        period = request.query.get("timePeriod", "")
        if period not in SPARKLINES:
            known = ",".join(SPARKLINES)
            raise Refused(400, f"timePeriod must be a valid Time Period ({known})", "timePeriod")
        resolution, most = SPARKLINES[period]
        lines: dict[str, Value] = {
            ticker: [
                shapes.text(one.close)
                for one in self._shown.chronicle.candles(ticker, resolution)[:most]
            ]
            for ticker in self._shown.state.markets
        }
        return answer(lines)

    async def _funding(self, request: web.Request) -> web.Response:
        ticker = self._check_ticker(request.match_info["ticker"])
        rows = list(self._shown.records.funding[ticker])
        found = asking.until(request, rows, "effective")
        return answer(
            asking.page(
                request, found, "historicalFunding", lambda one: history_shapes.funding(ticker, one)
            )
        )

    async def _height(self, _: web.Request) -> web.Response:
        state = self._shown.state
        return answer(shapes.height(state.height, self._condition.told(state.time)))

    async def _time(self, _: web.Request) -> web.Response:
        # The venue's clock is the chain's; to an agent whose clock is ahead it is behind.
        time = self._condition.told(self._told.state.time)
        seconds = f"{time // 1_000}.{time % 1_000:03d}"
        return web.Response(
            text=f'{{"iso": "{shapes.iso(time)}", "epoch": {seconds}}}',
            content_type="application/json",
        )

    async def _compliance(self, _: web.Request) -> web.Response:
        time = shapes.iso(self._shown.state.time)
        if self._condition.is_blocking:
            return answer({"status": "BLOCKED", "reason": "COMPLIANCE_PROVIDER", "updatedAt": time})
        return answer({"status": "COMPLIANT", "updatedAt": time})

    async def _screen(self, _: web.Request) -> web.Response:
        return answer({"restricted": self._condition.is_blocking})

    def _check_ticker(self, ticker: str) -> str:
        if ticker not in self._shown.state.markets:
            raise Refused(400, "ticker must be a valid ticker (BTC-USD, etc)", "ticker")
        return ticker


def trades(indexer: Indexer, ticker: str, limit: int = 100) -> Json:
    """The newest trades of a market."""
    found = list(indexer.records.trades[ticker])[:limit]
    return {"trades": [shapes.trade(one, indexer.state) for one in found]}
