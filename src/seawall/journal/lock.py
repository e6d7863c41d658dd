"""One guard per journal: a lock beside it, held while the guard lives and gone with its process.

Commands that add a row to the journal of a running guard do not take it. A panic holds one of its
own, so that what it has sent is followed to its end by it while it lives, and by others after.
"""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from seawall.errors import OperatorError

log = logging.getLogger(__name__)

ATTEMPTS = 20
PAUSE_S = 0.005


@contextmanager
def alone(journal: Path) -> Iterator[None]:
    """Hold the journal for one guard; raises OperatorError where another guard holds it.

    Where no lock can be made (a disk that takes no file) the guard runs all the same: the journal
    goes to its spill file, and an account without a guard is the worse evil.
    """
    place = _guard_lock(journal)
    try:
        held = place.open("a")
    except OSError as error:
        log.debug("no lock beside the journal: %s", error)
        yield
        return
    with held:
        if not _is_taken_soon(held, fcntl.LOCK_EX):
            raise OperatorError(
                f"{journal} is in use by another guard; stop that one first, or name another file "
                f"under journal.path: with one journal each would act on the other's memory"
            )
        yield


@contextmanager
def panicking(journal: Path | None) -> Iterator[bool]:
    """Mark a journal as a panic's; whether no other panic writes into it, which stops neither."""
    if journal is None:
        yield True
        return
    try:
        held = _panic_lock(journal).open("a")
    except OSError as error:
        log.debug("no lock beside the journal: %s", error)
        yield True
        return
    with held:
        is_only = _is_taken(held, fcntl.LOCK_EX)
        _is_taken_soon(held, fcntl.LOCK_SH)
        yield is_only


def is_panicking(journal: Path | None) -> bool:
    """Whether the process of a panic lives that writes into this journal."""
    if journal is None:
        return False
    try:
        with _panic_lock(journal).open("r") as asked:
            return not _is_taken(asked, fcntl.LOCK_EX)
    except OSError:
        return False


def is_left(journal: Path) -> bool:
    """Whether the guard that held a journal is gone; False where its lock cannot be asked for.

    To be asked on the machine of the guard: locks are known nowhere else.
    """
    try:
        with _guard_lock(journal).open("r") as asked:
            return _is_taken(asked, fcntl.LOCK_SH)
    except OSError:
        return False


def _guard_lock(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.lock")


def _panic_lock(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.panic")


def _is_taken_soon(file: IO[str], lock: int) -> bool:
    """The same, tried for a moment: who asks whether it is held holds it that long."""
    for _ in range(ATTEMPTS):
        if _is_taken(file, lock):
            return True
        time.sleep(PAUSE_S)
    return False


def _is_taken(file: IO[str], lock: int) -> bool:
    """Whether the lock of a file is this one's now; it goes with the file."""
    try:
        fcntl.flock(file, lock | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
