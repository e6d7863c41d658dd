"""The last thing a guard wrote down, for verbs that show where rules stand."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seawall.agent import TickRow
    from seawall.measures.view import View
    from seawall.policy import Policy


def last_tick(journal: Path) -> TickRow | None:
    """The newest recorded tick; None where there is no journal, or none that can be read here."""
    from seawall.agent import Kind, TickRow
    from seawall.errors import SeawallError
    from seawall.journal.codec import from_json
    from seawall.journal.queries import Reader

    if not journal.is_file():
        return None
    try:
        with Reader.open(journal) as reader:
            row = reader.last(Kind.TICK)
    except (sqlite3.DatabaseError, SeawallError):
        return None
    if row is None or row.body is None:
        return None
    try:
        return from_json(TickRow, row.body)
    except ValueError:
        return None  # written by a version with other fields


def view_of(row: TickRow, policy: Policy) -> View | None:
    """The account of a recorded tick as measures of a policy look at it; None for a blind one."""
    from seawall.account import Observation
    from seawall.measures.view import View

    if not isinstance(row.seen, Observation) or row.after.ledger is None:
        return None
    return View.of(
        row.seen,
        buffer=policy.buffer,
        caps=policy.caps,
        scenarios=policy.scenarios,
        price_band=policy.price_band,
        ledger=row.after.ledger,
    )


def when(row: TickRow) -> str:
    """When the tick saw what it saw: block time in UTC, or the agent's clock where it was blind."""
    from datetime import UTC, datetime

    at = row.decision.at if row.decision.at is not None else row.decision.seen_at
    return f"{datetime.fromtimestamp(at / 1000, tz=UTC):%Y-%m-%d %H:%M:%SZ}"
