"""The query of custom leverage, a method that older nodes do not have."""

from __future__ import annotations

from seawall.simulator import leverage_wire
from seawall.simulator.serve.queries.answer import Answerer, Constants
from seawall.simulator.state import State

LEVERAGE = "/dydxprotocol.clob.Query/Leverage"


class LeverageQuery:
    """clob.Query/Leverage: an account's own initial fractions, by clob pair."""

    @property
    def path(self) -> str:
        """Full name of the method."""
        return LEVERAGE

    def respond(self, constants: Constants, state: State, request: bytes) -> bytes:
        """The serialized answer, empty for an account without custom leverage."""
        del constants
        owner, number = leverage_wire.read_request(request)
        kept = state.subaccount(owner, number).custom_imf_ppm
        entries = sorted(
            (market.spec.clob_pair_id, kept[market.spec.perpetual_id])
            for market in state.markets.values()
            if market.spec.perpetual_id in kept
        )
        return leverage_wire.entries_bytes(1, entries)


QUERIES: tuple[Answerer, ...] = (LeverageQuery(),)
