"""The last thing a guard wrote down, for verbs that show where rules stand."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seawall.agent import TickRow
    from seawall.measures.view import View
    from seawall.policy import Policy
    from seawall.units import Millis


def last_tick(journal: Path) -> TickRow | None:
    """The newest recorded tick, its levels credited since; None where none can be read here.

    A quiet tick is written whole once a minute. What a level has waited is written more often, so
    `after` may be later than `decision`.
    """
    from seawall import agent
    from seawall.errors import SeawallError
    from seawall.journal.queries import Reader

    if not journal.is_file():
        return None
    try:
        with Reader.open(journal) as reader:
            return agent.last_tick(reader)
    except (sqlite3.DatabaseError, SeawallError):
        return None
    except ValueError:
        return None  # written by a version with other fields


def view_of(row: TickRow, policy: Policy) -> View | None:
    """The account of a recorded tick as measures of a policy look at it; None for a blind one."""
    from seawall.account import Observation

    if not isinstance(row.seen, Observation) or row.after.ledger is None:
        return None
    return policy.view(row.seen, row.after.ledger)


def when(row: TickRow) -> str:
    """When the tick saw what it saw: block time in UTC, or the agent's clock where it was blind."""
    return _clock(row.decision.at if row.decision.at is not None else row.decision.seen_at)


def aged(row: TickRow) -> str:
    """`, ages at TIME` where these were written down later; else empty."""
    later, at = row.after.at, row.decision.at
    return "" if later is None or later == at else f", ages at {_clock(later)}"


def _clock(at: Millis) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(at / 1000, tz=UTC):%Y-%m-%d %H:%M:%SZ}"
