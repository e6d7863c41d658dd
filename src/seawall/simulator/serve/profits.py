"""Each account at the beginning of every hour: what it is worth, and what was paid into it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid5

from seawall.simulator.messages import SubaccountId
from seawall.simulator.serve.ids import NAMESPACE, subaccount_uuid
from seawall.simulator.serve.records import Changes
from seawall.simulator.state import State
from seawall.units import HOUR, Millis, QuoteQuantums, usd

TICKS_KEPT = 20_000
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One account at one moment, in dollars; profit is equity less net transfers."""

    id: str
    subaccount: SubaccountId
    equity: Decimal
    net_transfers: Decimal
    at: Millis
    height: int


class Profits:
    """Hourly ticks since the venue was started; what an account began with counts as paid in."""

    def __init__(self, state: State) -> None:
        self._paid_in = {key: _equity(state, key) for key in state.accounts}
        self._ticks: deque[Tick] = deque(maxlen=TICKS_KEPT)  # newest first
        self._hour = state.time // HOUR
        self._tell(state)

    def note(self, state: State, changes: Mapping[SubaccountId, Changes]) -> None:
        """Take in a block."""
        for key, own in changes.items():
            for record in own.transfers:
                moved = usd(record.event.amount)
                sign = (record.event.recipient == key) - (record.event.sender == key)
                self._paid_in[key] = self._paid_in.get(key, ZERO) + sign * moved
        if state.time // HOUR != self._hour:
            self._hour = state.time // HOUR
            self._tell(state)

    def ticks_of(self, accounts: Iterable[SubaccountId]) -> list[Tick]:
        """Ticks of some accounts, the newest first."""
        wanted = set(accounts)
        return [one for one in self._ticks if one.subaccount in wanted]

    def _tell(self, state: State) -> None:
        for key in state.accounts:
            words = f"{subaccount_uuid(key)}-{state.time}"
            self._ticks.appendleft(
                Tick(
                    id=str(uuid5(NAMESPACE, words)),
                    subaccount=key,
                    equity=_equity(state, key),
                    net_transfers=self._paid_in.get(key, ZERO),
                    at=state.time,
                    height=state.height,
                )
            )


def _equity(state: State, key: SubaccountId) -> Decimal:
    """Net collateral at the oracle, funding included."""
    return usd(QuoteQuantums(int(state.risk(state.accounts[key]).nc)))
