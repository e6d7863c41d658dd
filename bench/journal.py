"""How fast the journal is, as ratios to raw sqlite3 in the same run.

    python bench/journal.py [--commits N] [--rows N] [--json]

Durable commits: one row per commit on both sides, WAL, synchronous=FULL, same bodies, in turns so
that a busy disk slows both alike. Verification: a journal of a million rows of 300 bytes.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from pathlib import Path
from statistics import median

from seawall.journal.chain import Row, follow
from seawall.journal.store import INSERT, Journal
from seawall.units import Millis

BODY = json.dumps({"height": 1, "words": "x" * 270})
ROUNDS = 10


def commits_per_second(folder: Path, commits: int) -> tuple[float, float]:
    """Durable commits a second, ours and raw; medians over the rounds."""
    journal = Journal.open(folder / "ours.db")
    raw = sqlite3.connect(folder / "raw.db", isolation_level=None)
    raw.execute("pragma journal_mode = wal")
    raw.execute("pragma synchronous = full")
    raw.execute("create table rows (seq integer primary key, body text)")
    ours_took, raw_took = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(commits // ROUNDS):
            journal.append("sending", BODY, durable=True)
        ours_took.append(time.perf_counter() - start)
        start = time.perf_counter()
        for _ in range(commits // ROUNDS):
            raw.execute("insert into rows (body) values (?)", (BODY,))
        raw_took.append(time.perf_counter() - start)
    journal.close()
    raw.close()
    return commits // ROUNDS / median(ours_took), commits // ROUNDS / median(raw_took)


def appends_per_second(journal: Journal, appends: int) -> float:
    """Appends a second that do not wait for the disk."""
    start = time.perf_counter()
    for _ in range(appends):
        journal.append("tick", BODY)
    return appends / (time.perf_counter() - start)


def fill(path: Path, rows: int) -> None:
    """A journal of that many rows, written in one transaction."""
    journal = Journal.open(path)
    head = journal.head()
    with journal._transaction(durable=False) as database:
        for _ in range(rows):
            row = follow(head, "tick", Millis(0), BODY)
            database.execute(INSERT, columns(row))
            head = row.head
    journal.close()


def columns(row: Row) -> tuple[object, ...]:
    """A row as the database takes it."""
    return row.seq, row.kind, row.at, row.prev_hash, row.body_hash, row.row_hash, row.body


def main() -> None:
    """Measure, and print one line for people or one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, raw = commits_per_second(folder, given.commits)
        memory = appends_per_second(Journal.open(":memory:"), 20_000)
        disk = appends_per_second(Journal.open(folder / "normal.db"), 20_000)
        fill(folder / "large.db", given.rows)
        start = time.perf_counter()
        journal = Journal.open(folder / "large.db")
        opened = time.perf_counter() - start
        verified = journal.verify()
        took = time.perf_counter() - start - opened
    result = {
        "durable_commits_per_s": round(ours),
        "raw_commits_per_s": round(raw),
        "durable_ratio": round(ours / raw, 3),
        "append_us_memory": round(1e6 / memory, 1),
        "append_us_disk": round(1e6 / disk, 1),
        "verify_rows": verified.rows,
        "verify_s": round(took, 2),
        "open_large_ms": round(opened * 1000, 1),
    }
    if given.json:
        print(json.dumps(result))
    else:
        for fact, value in result.items():
            print(f"{fact:22} {value}")


if __name__ == "__main__":
    main()
