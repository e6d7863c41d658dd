"""An indexer that has crashed: REST is refused and every websocket is cut."""

from __future__ import annotations

from aiohttp import web

from seawall.simulator.serve.asking import Handler, Refused, refusal
from seawall.simulator.serve.condition import Condition


class Outages:
    """Stands before everything under /v4; the venue's own calls under /seawall never fail."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition

    async def respond(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The handler's answer, or 503 of what stands before the indexer."""
        if self._condition.is_down and request.path.startswith("/v4/"):
            return refusal(Refused(503, "Service Unavailable"))
        return await handler(request)
