"""Ticks that raised: told once for a run of trouble and then by count, not at every one.

A run ends with five minutes without a failure. Within it a page comes with the first failure of
each kind, and with the 10th, 100th, … of all; in between the ticks that succeed repeat it. Where
none does, nobody else can, so it comes again every five minutes.
"""

from __future__ import annotations

from seawall.decide.pages import REPEAT_AFTER
from seawall.units import Millis


class Failures:
    """What failed in the present run of trouble; moments are the journal's clock."""

    def __init__(self) -> None:
        self._kinds: set[type[Exception]] = set()
        self._count = 0
        self._is_lasting = False  # no tick has succeeded since the last failure
        self._last_at = self._told_at = Millis(0)

    def end(self) -> None:
        """Take in a tick that succeeded."""
        self._is_lasting = False

    def note(self, error: Exception, now: Millis) -> str | None:
        """Take in a failure: the words for a person where one is to be told, None elsewhere."""
        if now - self._last_at >= REPEAT_AFTER:
            self._kinds.clear()
            self._count = 0
        is_new = type(error) not in self._kinds
        nobody_else_repeats = self._is_lasting and now - self._told_at >= REPEAT_AFTER
        self._kinds.add(type(error))
        self._count += 1
        self._last_at, self._is_lasting = now, True
        if not (is_new or nobody_else_repeats or _is_power_of_ten(self._count)):
            return None
        self._told_at = now
        how_many = "A tick" if self._count == 1 else f"{self._count:,} ticks lately"
        return (
            f"{how_many} failed and decided nothing: {error!r}. The next one tries again. This is "
            f"a fault of Seawall or of the venue: report it, and watch the account yourself."
        )


def _is_power_of_ten(count: int) -> bool:
    return str(count).rstrip("0") == "1"
