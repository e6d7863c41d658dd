"""What a guard's journal remembers, for a verb that shows what that guard would do next."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seawall.agent import TickRow
    from seawall.decide.preview import Kept
    from seawall.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """The newest tick that was written whole; without one, why there is none."""

    row: TickRow | None
    why_none: str = ""
    runs_others: bool = False  # the guard runs other rules than those that are asked about

    @property
    def kept(self) -> Kept | None:
        """The same as the preview takes it."""
        from seawall.decide.preview import Kept

        return None if self.row is None else Kept(memory=self.row.after, mode=self.row.mode)

    def line(self) -> str:
        """One line for people: what counts as remembered."""
        from seawall import units, words
        from seawall.cli.latest import when

        if self.row is None:
            return f"nothing counts as spent, running, latched or paused: {self.why_none}"
        guard = "other rules" if self.runs_others else "these rules"
        said = [f"as the {self.row.mode} guard ({guard}) remembers at {when(self.row)}"]
        for many, what in ((len(self._running), "running"), (len(self._latched), "latched")):
            said += [f"{many} {what}"] if many else []
        if self.row.after.pause is not None:
            until = units.Millis(self.row.after.pause.until % units.DAY)
            said.append(f"paused until {words.clock(until)}")
        return ", ".join(said)

    def as_object(self) -> dict[str, object] | None:
        """The same for programs: moments in Unix milliseconds, dollars as strings."""
        from seawall.units import usd

        if self.row is None:
            return None
        memory = self.row.after
        return {
            "at": memory.at,
            "mode": str(self.row.mode),
            "same_rules": not self.runs_others,
            "running": self._running,
            "latched": self._latched,
            "paused_until": None if memory.pause is None else memory.pause.until,
            "spent": {
                "hour_notional": f"{usd(memory.spent.hour_notional):f}",
                "hour_orders": memory.spent.hour_orders,
                "day_cost": f"{usd(memory.spent.day_cost):f}",
                "day_top_up": f"{usd(memory.spent.day_top_up):f}",
            },
        }

    @property
    def _running(self) -> list[str]:
        return [] if self.row is None else [each.name for each in self.row.after.running]

    @property
    def _latched(self) -> list[str]:
        from seawall.alarm import Phase

        if self.row is None:
            return []
        return [
            f"{key}/{name}"
            for key, held in self.row.after.alarms.items()
            for name, state in zip(held.names, held.levels, strict=False)
            if state.phase is Phase.LATCHED
        ]


def recall(place: Path, settings: Settings, digest: str) -> Recalled:
    """What the journal at a place remembers of the settings' account; it is only read."""
    from seawall import agent
    from seawall.errors import OperatorError, SeawallError
    from seawall.journal.queries import Reader

    if not place.is_file():
        return Recalled(row=None, why_none=f"no journal at {place}")
    account, chain_id = settings.account, settings.venue.chain_id
    try:
        with Reader.open(place) as reader:
            agent.check_owner(reader, account.address, chain_id=chain_id, parent=account.parent)
            row = agent.last_tick(reader) or agent.last_tick(reader.predecessor())
    except OperatorError:
        return Recalled(row=None, why_none=f"{place} is no journal of this account")
    except (sqlite3.DatabaseError, SeawallError, ValueError):
        return Recalled(row=None, why_none=f"{place} cannot be read here")
    if row is None:
        return Recalled(row=None, why_none=f"no guard has written a tick into {place}")
    return Recalled(row=row, runs_others=row.digest != digest)
