"""The journal's tables. Each migration and its record are one transaction."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("seawall.journal")
MIGRATIONS = frozenset({"rows"})
MIGRATIONS_TABLE = migrations.migrations_table
COLUMNS = frozenset({"seq", "kind", "at", "prev_hash", "body_hash", "row_hash", "body"})


@migrations()
def rows(database: Database) -> None:
    """The chain. AUTOINCREMENT remembers the last number given, so that a cut tail shows."""
    database.execute("""
        create table rows (
            seq integer primary key autoincrement,
            kind text not null,
            at integer not null,
            prev_hash text not null,
            body_hash text not null,
            row_hash text not null,
            body text
        )
    """)
    database.execute("create index rows_by_kind on rows (kind, seq)")
