"""How an indexer is: what the faults in force do to it. Without faults nothing is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.trouble import Trouble
from seawall.units import Millis


class Condition:
    """The health of an indexer at this moment."""

    def __init__(self, trouble: Trouble | None = None) -> None:
        self._trouble = trouble

    @property
    def is_down(self) -> bool:
        """Whether it has crashed."""
        return self._has(FaultKind.INDEXER_CRASH)

    @property
    def is_mute(self) -> bool:
        """Whether the websocket says nothing."""
        return self.is_down or self._has(FaultKind.INDEXER_SILENT)

    @property
    def is_reordering(self) -> bool:
        """Whether messages and records come in the wrong order."""
        return self._has(FaultKind.INDEXER_REORDERED)

    @property
    def is_limited(self) -> bool:
        """Whether REST refuses everything with 429."""
        return self._has(FaultKind.INDEXER_RATE_LIMITED)

    @property
    def is_blocking(self) -> bool:
        """Whether it refuses to speak of any account: 403."""
        return self._has(FaultKind.INDEXER_BLOCKED)

    @property
    def has_gap(self) -> bool:
        """Whether the records of this block are never seen."""
        return self._has(FaultKind.INDEXER_GAP)

    @property
    def lag(self) -> int:
        """How many blocks behind everything is."""
        return self._lag(FaultKind.INDEXER_STALE)

    @property
    def torn_lag(self) -> int:
        """How many blocks behind its height the positions are."""
        return self._lag(FaultKind.INDEXER_TORN)

    @property
    def withdrawal_lag(self) -> int:
        """How many blocks late money that leaves is seen, once it has begun."""
        return 0 if self._trouble is None else self._trouble.lag(FaultKind.WITHDRAWAL_LATE)

    def told(self, time: Millis) -> Millis:
        """A moment as it is told: behind by what the agent's clock is ahead."""
        return time if self._trouble is None else self._trouble.told(time)

    def crossed(self, tickers: Iterable[str]) -> frozenset[str]:
        """Markets whose best bid is shown above their best ask."""
        fault = None if self._trouble is None else self._trouble.of(FaultKind.BOOK_CROSSED)
        if fault is None:
            return frozenset()
        return frozenset(ticker for ticker in tickers if fault.concerns(ticker))

    def _has(self, kind: FaultKind) -> bool:
        return self._trouble is not None and kind in self._trouble.in_force

    def _lag(self, kind: FaultKind) -> int:
        fault = None if self._trouble is None else self._trouble.of(kind)
        return 0 if fault is None else fault.lag
