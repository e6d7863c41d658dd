"""A small file beside the journal: when the last tick succeeded. `seawall health` reads it.

The journal stores a quiet tick once a minute only, and metrics need a port; this file needs neither
and is there in Docker too. It has one size for ever and is written in place, so that a full disk
does not make a guard that works look dead. Its clock is the machine's.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from seawall.errors import OperatorError
from seawall.units import SECOND, Millis

log = logging.getLogger(__name__)

SUFFIX = ".pulse"
SIZE = 1024
REASON_LONGEST = 200
BOOT = Path("/proc/sys/kernel/random/boot_id")
CLOCK_STEP_MOST = Millis(5 * SECOND)  # a pulse from further ahead means that the clock was set back


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """The last tick, and the last that succeeded: it saw state and its decision was recorded."""

    pid: int
    tick: int
    height: int
    at: Millis
    succeeded_at: Millis | None
    reason: str = ""  # why the last tick did not succeed
    is_stopped: bool = False  # on purpose
    boot: str = ""  # of the machine on which the guard runs; empty where that has no name
    note: str = ""  # what a person should mend although the guard is well


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the guard is well, by the age of its last successful tick in milliseconds."""

    is_well: bool
    age: Millis | None
    words: str


def pulse_path(journal: Path) -> Path:
    """Where the pulse of a journal's guard is."""
    return journal.with_name(journal.name + SUFFIX)


def this_boot() -> str:
    """What names this machine until it starts again, in a container too; empty where nothing."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""


class PulseFile:
    """The pulse to write; a file that cannot be written is told once and never stops the guard."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_failing = False
        self._file: int | None = None

    def write(self, pulse: Pulse) -> None:
        """Put a pulse in the place of the one before."""
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
            os.pwrite(self._file, encode(pulse), 0)
        except OSError as error:
            if not self._is_failing:
                log.warning("event=pulse_unwritten path=%s reason=%s", self._path, error.strerror)
            self._is_failing = True
        else:
            self._is_failing = False

    def close(self) -> None:
        """Release the file; idempotent."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def encode(pulse: Pulse) -> bytes:
    """A pulse as JSON on one line, always of the same size."""
    values = asdict(pulse)
    encoded = json.dumps(values | {"reason": pulse.reason[:REASON_LONGEST]})
    if len(encoded) >= SIZE:
        encoded = json.dumps(values | {"reason": "told in the journal"})
    return f"{encoded:<{SIZE - 1}}\n".encode()


def read_pulse(path: Path) -> Pulse:
    """The pulse that was written last; raises OperatorError where there is none."""
    try:
        return Pulse(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise OperatorError(
            f"{path}: no guard has written here; name its journal with --journal"
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise OperatorError(f"{path}: not the pulse of a guard ({error})") from None


def judge(pulse: Pulse, now: Millis, age_most: Millis, *, is_left: bool = False) -> Health:
    """Whether the guard is well: its last successful tick is at most `age_most` old.

    `is_left` says that its process is known to be gone.
    """
    if is_left and not pulse.is_stopped:
        age = None if pulse.succeeded_at is None else Millis(now - pulse.succeeded_at)
        words = f"no guard runs: process {pulse.pid} is gone and did not stop on purpose"
        return Health(is_well=False, age=age, words=words)
    if pulse.succeeded_at is None:
        return Health(is_well=False, age=None, words=f"no tick has succeeded yet{_why(pulse)}")
    age = Millis(now - pulse.succeeded_at)
    said = f"last successful tick {_seconds(age)} s ago at height {pulse.height}"
    if pulse.is_stopped:
        return Health(is_well=False, age=age, words=f"stopped on purpose; {said}")
    if age < -CLOCK_STEP_MOST:
        words = f"last successful tick {_seconds(Millis(-age))} s in the future: the clock was set"
        return Health(is_well=False, age=age, words=words)
    if age > age_most:
        limit = f"{_seconds(age_most)} s are allowed"
        return Health(is_well=False, age=age, words=f"{said}, {limit}{_why(pulse)}")
    return Health(is_well=True, age=age, words=f"{said}; {pulse.note}" if pulse.note else said)


def _why(pulse: Pulse) -> str:
    return f": {pulse.reason}" if pulse.reason else ""


def _seconds(age: Millis) -> str:
    return f"{age // SECOND}.{age % SECOND // 100}"
