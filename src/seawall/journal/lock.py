"""One guard per journal: a lock beside it, held while the guard lives and gone with its process.

Commands that add a row to the journal of a running guard do not take it.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seawall.errors import OperatorError

log = logging.getLogger(__name__)


@contextmanager
def alone(journal: Path) -> Iterator[None]:
    """Hold the journal for one guard; raises OperatorError where another guard holds it.

    Where no lock can be made (a disk that takes no file) the guard runs all the same: the journal
    goes to its spill file, and an account without a guard is the worse evil.
    """
    place = journal.with_name(f"{journal.name}.lock")
    try:
        held = place.open("a")
    except OSError as error:
        log.debug("no lock beside the journal: %s", error)
        yield
        return
    with held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OperatorError(
                f"{journal} is in use by another guard; stop that one first, or name another file "
                f"under journal.path. Two guards on one account would sell twice."
            ) from error
        yield
