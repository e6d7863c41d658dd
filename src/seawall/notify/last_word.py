"""A last word past the queue: for a process that ends where no journal can carry what it says.

It waits for nobody longer than a deadline. A service manager that starts the process again every
few seconds must not make it say the same each time, so it leaves a mark where that manager, or the
system, keeps things in memory, which no full disk fills. Where no mark can be left it is said each
time, for one page too many is better than none.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from seawall.decide.pages import REPEAT_AFTER
from seawall.notify.messenger import Messenger, Notice
from seawall.units import Millis

log = logging.getLogger(__name__)

DEADLINE_S = 10.0
MEMORY = Path("/dev/shm")  # noqa: S108 - a mark there is believed only where it is ours
NAMED_BY = ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR")  # by systemd; of a service, of a person
TEMPORARY = Path("/tmp")  # noqa: S108 - likewise


def say_at_once(
    messengers: Sequence[Messenger], notice: Notice, *, deadline_s: float = DEADLINE_S
) -> tuple[str, ...]:
    """Tell all messengers side by side; the names of those that took it before the deadline."""
    reached: list[str] = []
    threads = [
        # One that hangs must not keep the process from ending.
        threading.Thread(target=_say, args=(messenger, notice, reached), daemon=True)
        for messenger in messengers
    ]
    until = time.monotonic() + deadline_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return tuple(reached)


def _say(messenger: Messenger, notice: Notice, reached: list[str]) -> None:
    try:
        if messenger.send(notice):
            reached.append(messenger.name)
    except Exception as error:  # noqa: BLE001 - other people's code: its words may hold the address
        log.warning("messenger=%s reason=it raised %s", messenger.name, type(error).__name__)


class Mark:
    """That something was said lately, for the next process to know; by the machine's clock."""

    def __init__(self, what: str, folders: Sequence[Path] | None = None) -> None:
        """`what` is said once in `REPEAT_AFTER`; it is not shown in the mark's name."""
        digest = hashlib.sha256(what.encode()).hexdigest()[:16]
        chosen = _folders() if folders is None else folders
        self._paths = tuple(folder / f"seawall-said-{digest}" for folder in chosen)

    def is_fresh(self, now: Millis) -> bool:
        """Whether it was said within `REPEAT_AFTER`; a mark of another user's says nothing."""
        return any(0 <= now - at < REPEAT_AFTER for at in self._ours())

    def leave(self) -> None:
        """Leave the mark wherever one can be left."""
        for path in self._paths:
            with suppress(OSError):
                flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                file = os.open(path, flags, 0o600)
                try:
                    os.utime(file)
                finally:
                    os.close(file)

    def _ours(self) -> Iterator[Millis]:
        for path in self._paths:
            with suppress(OSError):
                found = path.lstat()
                if stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid():
                    yield Millis(found.st_mtime_ns // 1_000_000)


def _folders() -> tuple[Path, ...]:
    said = (os.environ.get(name, "").partition(":")[0] for name in NAMED_BY)
    named = tuple(Path(each) for each in said if each and Path(each).is_dir())
    return named or (MEMORY, TEMPORARY)
