"""REST's rate limits: points per caller and window, told on every answer.

A window ends after ten seconds of the venue's clock or of the wall's, whichever comes first, so
that a venue that plays fast does not starve whoever lives by its clock. `Retry-After` and
`RateLimit-Reset` are milliseconds, against the RFC, as the real indexer sends them (reference
ORDERS.md section 9.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from aiohttp import web

from seawall.simulator.serve.asking import ROWS_MOST, Handler, Refused, is_number, refusal
from seawall.simulator.serve.condition import Condition
from seawall.units import Millis

WINDOW_MS = 10_000
POINTS = 100
CANDLE_POINTS = 1_000
OWN_POINTS = {  # paths with a budget of their own
    "orders": POINTS,
    "fills": POINTS,
    "historicalFunding": POINTS,
    "fundingPayments": POINTS,
    "pnl": POINTS,
    "historical-pnl": POINTS,
    "sparklines": POINTS,
    "candles": CANDLE_POINTS,
}
FUNDING = ("historicalFunding", "fundingPayments")  # they share one


@dataclass(slots=True)
class Window:
    """What is left of one budget, and when it is whole again by both clocks."""

    left: int
    ends_at: int
    ends_at_wall: float


class Limiter:
    """Counts requests; `clock` is the venue's."""

    def __init__(self, condition: Condition, clock: Callable[[], Millis]) -> None:
        self._condition = condition
        self._clock = clock
        self._windows: dict[tuple[str, str], Window] = {}

    async def respond(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The handler's answer with what is left, or 429; the venue's own calls are free."""
        if not request.path.startswith("/v4/") or request.path == "/v4/ws":
            return await handler(request)
        bucket = _bucket(request.path)
        points = OWN_POINTS.get(bucket, POINTS)
        window = self._window(f"{request.remote}", bucket, points)
        window.left -= _cost(request)
        is_over = window.left < 0 or self._condition.is_limited
        if is_over:
            response: web.StreamResponse = refusal(Refused(429, "Too many requests"))
            response.headers["Retry-After"] = str(max(window.ends_at - self._clock(), 1))
        else:
            response = await handler(request)
        response.headers["RateLimit-Remaining"] = "0" if is_over else str(window.left)
        response.headers["RateLimit-Reset"] = str(window.ends_at)
        response.headers["RateLimit-Limit"] = str(points)
        return response

    def _window(self, caller: str, bucket: str, points: int) -> Window:
        now, wall = self._clock(), monotonic()
        window = self._windows.get((caller, bucket))
        if window is None or now >= window.ends_at or wall >= window.ends_at_wall:
            window = Window(
                left=points, ends_at=now + WINDOW_MS, ends_at_wall=wall + WINDOW_MS / 1_000
            )
            self._windows[caller, bucket] = window
        return window


def _bucket(path: str) -> str:
    name = path.split("/")[2]
    if name in FUNDING:
        return FUNDING[0]
    return name if name in OWN_POINTS else ""


def _cost(request: web.Request) -> int:
    """One point, and one more for each thousand rows that a page skips."""
    page, limit = request.query.get("page", "1"), request.query.get("limit", str(ROWS_MOST))
    if not (is_number(page) and is_number(limit)):
        return 1
    return 1 + max(int(page) - 1, 0) * int(limit) // ROWS_MOST
