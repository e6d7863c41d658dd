"""Several writers and readers at one file, and writers that are killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from seawall.journal.queries import Reader
from seawall.journal.store import Journal
from tests.journal.journals import (
    closed_journal_of,
    journal_of,
    verified,
)

WRITER = """
import sys
from seawall.journal.store import Journal
journal = Journal.open(sys.argv[1]) if sys.argv[2] == "open" else Journal.join(sys.argv[1])
for number in range(int(sys.argv[3])):
    print(journal.append("tick", '{"n":%d}' % number, durable=True), flush=True)
"""


def writer(path: Path, how: str, rows: int) -> subprocess.Popen[str]:
    """Another process that appends and prints the number of each row it was promised."""
    command = [sys.executable, "-c", WRITER, str(path), how, str(rows)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_that_write_at_once_share_one_chain(tmp_path: Path) -> None:
    path = closed_journal_of(tmp_path / "journal.db", "{}")
    processes = [writer(path, "open", 40), writer(path, "join", 40)]

    numbers = [int(line) for process in processes for line in process.communicate()[0].split()]

    assert sorted(numbers) == list(range(2, 82))
    assert verified(path).rows == 81


def test_threads_that_write_at_once_share_one_chain(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal.db")

    def write() -> None:
        for number in range(50):
            journal.append("tick", "{}", durable=number % 25 == 0)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert journal.verify().rows == 200


def test_guards_that_begin_one_journal_at_once_share_it(tmp_path: Path) -> None:
    for attempt in range(5):
        path = tmp_path / f"{attempt}.db"
        together = threading.Barrier(4)

        def begin(path: Path = path, together: threading.Barrier = together) -> None:
            together.wait()
            with Journal.open(path) as journal:
                journal.append("start", "{}")

        with ThreadPoolExecutor(4) as pool:
            for started in [pool.submit(begin) for _ in range(4)]:
                started.result()

        assert verified(path).rows == 4


def test_a_killed_writer_leaves_every_row_it_was_promised(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    process = writer(path, "open", 1_000_000)
    assert process.stdout is not None
    promised = [process.stdout.readline() for _ in range(20)]

    process.kill()
    promised += process.communicate()[0].splitlines(keepends=True)

    last = int([line for line in promised if line.endswith("\n")][-1])
    journal = Journal.open(path)
    assert journal.predecessor() is None
    assert journal.verify().rows >= last
    assert journal.append("tick", "{}") > last


def test_verifying_beside_a_writer_finds_nothing_wrong(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "journal.db", *["{}"] * 200)
    is_over = threading.Event()

    def write() -> None:
        while not is_over.is_set():
            journal.append("tick", "{}")

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        seen = [journal.verify().rows for _ in range(20)]
        is_over.set()
        writing.result()

    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


def test_reading_beside_a_writer_sees_whole_rows_only(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "journal.db", "{}")

    with Reader.open(tmp_path / "journal.db") as reader:
        with journal._transaction(durable=False) as database:
            database.execute("update rows set body = '[]'")
            assert reader.verify().rows == 1
            database.execute("update rows set body = '{}'")
        assert reader.verify().rows == 1
