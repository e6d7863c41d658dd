"""Orders of guards that the feed has told of, filled or not: signs of life of another guard."""

from __future__ import annotations

from collections.abc import Mapping

from seawall import action
from seawall.venue.dydx import fields
from seawall.venue.dydx.fields import Fields
from seawall.venue.dydx.grid import Grid
from seawall.venue.dydx.orders import SHORT_TERM


class Tries:
    """The newest window of such an order, by subaccount and market."""

    def __init__(self, chain_id: str, owner: str) -> None:
        self._chain_id = chain_id
        self._owner = owner
        self._newest: dict[tuple[int, str], int] = {}

    def note(self, number: int, grid: Grid, order: Fields) -> None:
        """Take an order's message; raises MalformedAnswer."""
        until = fields.maybe_integer(order, "goodTilBlock")
        if until is None or fields.maybe_integer(order, "orderFlags") != SHORT_TERM:
            return  # messages of what is over leave out this and that
        window = action.window_named(
            self._chain_id,
            self._owner,
            number,
            grid.clob_pair_id,
            client=fields.integer(order, "clientId"),
            until=until,
        )
        if window is not None:
            self._newest[number, grid.ticker] = window

    def told(self) -> Mapping[tuple[int, str], int]:
        """A copy that does not change."""
        return dict(self._newest)
