"""Positions that no rule reaches or may reduce, said once each at a guard's terminal."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.decide.memory import Memory
from seawall.policy import Policy
from seawall.rulefile import warnings_for
from seawall.rulefile.reach import Held


class Unreached:
    """What has been said of positions so far; looked at again where they or the rules changed."""

    def __init__(self) -> None:
        self._said: frozenset[str] = frozenset()
        self._looked_at: tuple[tuple[Held, ...], Policy] | None = None

    def new(self, policy: Policy, memory: Memory) -> Iterator[str]:
        """One sentence for each position of the last tick that was not said when it came up."""
        holdings = {} if memory.ledger is None else memory.ledger.holdings
        held = tuple((one.number, p.ticker) for one in holdings.values() for p in one.positions)
        last = self._looked_at
        if last is not None and last[0] == held and last[1] is policy:
            return
        self._looked_at = held, policy
        now = warnings_for(policy, held)
        yield from (said for said in now if said not in self._said)
        self._said = frozenset(now)
