"""The venue's own calls under /seawall: step, start, state. Not part of any real dYdX.

`POST /seawall/step {"guard": NAME}` attaches a guard; with `"height": H` it reports the tick of H
done, `"idle_until": MS` that nothing is due before that moment of chain time (null: never, absent:
wake at every block); `"detach": true` lets it go. The answer comes at once.
"""

from __future__ import annotations

import json

from aiohttp import web

from seawall.simulator.play import AWAKE, NEVER
from seawall.simulator.serve import shapes
from seawall.simulator.serve.asking import Refused, answer, is_number
from seawall.simulator.serve.node import Node
from seawall.simulator.serve.pace import Pace
from seawall.simulator.serve.shapes import Json
from seawall.units import Millis

NAME_LONGEST = 200


class Stage:
    """Step, start and state of a running venue."""

    def __init__(self, node: Node, pace: Pace) -> None:
        self._node = node
        self._pace = pace

    def routes(self) -> list[web.RouteDef]:
        """Every path served."""
        return [
            web.post("/seawall/step", self._step),
            web.post("/seawall/start", self._start),
            web.get("/seawall/state", self._state),
        ]

    async def _step(self, request: web.Request) -> web.Response:
        said = await _object(request)
        guard = said.get("guard")
        if not isinstance(guard, str) or not 0 < len(guard) <= NAME_LONGEST:
            raise Refused(400, "guard must be a name", "guard")
        if said.get("detach") is True:
            self._pace.detach(guard)
            return answer(self._where())
        height = said.get("height", 0)
        if not isinstance(height, int) or height < 0:
            raise Refused(400, f"height must be a block height, got {height!r}", "height")
        self._pace.report(guard, height, _idle_until(said))
        return answer(self._where())

    async def _start(self, _: web.Request) -> web.Response:
        self._pace.start()
        return answer(self._where())

    async def _state(self, request: web.Request) -> web.Response:
        node, state = self._node, self._node.state
        tally = node.admission.tally
        body = {
            **self._where(),
            "progress": f"{node.player.progress:.6f}",
            "path": {
                "name": node.player.path.name,
                "start": shapes.iso(node.player.path.start),
                "end": shapes.iso(node.player.path.end),
            },
            "prices": {t: shapes.text(shapes.oracle(m)) for t, m in state.markets.items()},
            "transactions": {"received": tally.received, "accepted": tally.accepted},
            "transfers_blocked_until": state.blocked_until(),
            "accounts": node.scores.accounts(state),
        }
        after = request.query.get("after")
        if after is not None:
            if not is_number(after):
                raise Refused(400, f"after must be a block height, got {after!r}", "after")
            body["history"] = node.scores.history(int(after))
        return answer(body)

    def _where(self) -> dict[str, shapes.Value]:
        state = self._node.state
        return {
            "height": state.height,
            "at": state.time,
            "time": shapes.iso(state.time),
            "blocks": self._node.player.blocks,
            "is_playing": self._pace.is_playing,
            "is_over": self._node.player.is_over,
            "guards": dict(self._pace.guards),
        }


async def _object(request: web.Request) -> Json:
    try:
        said = json.loads(await request.text() or "{}")
    except ValueError as error:
        raise Refused(400, f"the body is not JSON: {error}") from error
    if not isinstance(said, dict):
        raise Refused(400, 'the body must be an object, such as {"guard": "mine"}')
    return said


def _idle_until(said: Json) -> Millis:
    if "idle_until" not in said:
        return AWAKE
    moment = said["idle_until"]
    if moment is None:
        return NEVER
    if not isinstance(moment, int) or moment < 0:
        raise Refused(400, "idle_until must be milliseconds of chain time or null", "idle_until")
    return Millis(moment)
