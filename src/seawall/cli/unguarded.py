"""A guard that ends before anybody can be told by its journal: its messengers hear it at once.

It is a guard that goes live and ends with an error: at its start, as where the disk is full or the
armed set is lost with its journal, or later. At a terminal, what refuses a file or asks for `--arm`
has been read by whoever typed; elsewhere nobody reads it, and for a guard silence is the accident.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr, ValidationError

from seawall.cli.place import owner_here
from seawall.errors import NotArmed, OperatorError, SeawallError, SettingsError
from seawall.journal.store import wall_clock
from seawall.notify.last_word import Mark, say_at_once
from seawall.notify.messenger import Notice, Tone, messengers_of
from seawall.settings import (
    DEFAULT_FILE,
    SECRETS_FOLDER,
    NotifySettings,
    address_fault,
    load_settings,
)

LINES_MOST = 20
READ_BY_WHO_TYPED = (OperatorError, NotArmed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """Who is to be told, and about which account."""

    urls: tuple[SecretStr, ...]
    account: str
    is_known: bool  # whether the settings were taken; where not, their faults may show a secret


@contextmanager
def told_of_its_end(settings: Path | None) -> Iterator[None]:
    """Tell the messengers of the settings why what is inside ended, and let the error go on."""
    try:
        yield
    except Exception as error:
        if not _is_known_to_who_typed(error):
            _tell(error, _whom(settings))
        raise


def _is_known_to_who_typed(error: Exception) -> bool:
    # A compiled module that is interrupted while it loads wraps the interrupt.
    if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
        return True
    return isinstance(error, READ_BY_WHO_TYPED) and sys.stderr.isatty()


def _tell(error: Exception, whom: Whom) -> None:
    mark = Mark(f"{whom.account} {type(error).__name__}")
    messengers, _ = messengers_of(whom.urls)
    if not messengers or mark.is_fresh(wall_clock()):
        return
    title = f"Seawall {whom.account}: 1 page"
    reached = say_at_once(messengers, Notice(tone=Tone.PAGE, title=title, body=_words(error, whom)))
    if reached:
        mark.leave()
    else:
        print(f"seawall: none of {len(messengers)} messengers could be told", file=sys.stderr)


def _words(error: Exception, whom: Whom) -> str:
    code = error.exit_code if isinstance(error, SeawallError) else 1
    return (
        f"PAGE `seawall run --live` ended with exit code {code}: {_reason(error, whom)}\n"
        f"{whom.account} is not guarded by it: nothing is watched, cut or topped up; orders and "
        "stops on the chain stand as they are. Mend what is named and start it again; until then "
        "watch the account yourself, or close everything with `seawall panic`. Repeats every 5 "
        "minutes while each new start ends so."
    )


def _reason(error: Exception, whom: Whom) -> str:
    """Why it ended, in words that hold no secret."""
    if isinstance(error, SettingsError) and not whom.is_known:
        faults = len(str(error).splitlines())
        return f"the settings are refused, {faults} fault{'s' if faults > 1 else ''}: see its log."
    if not isinstance(error, SeawallError):
        return f"{type(error).__name__}, a fault of Seawall: see its log, and report it."
    lines = str(error).splitlines()
    more = len(lines) - LINES_MOST
    return "\n".join(
        [*lines[:LINES_MOST], *([f"and {more} more: see its log"] if more > 0 else [])]
    )


def _whom(settings: Path | None) -> Whom:
    """Who the settings name, also where something else in them is refused."""
    with suppress(SettingsError):
        known = load_settings(settings)
        account = f"{known.account.address}/{known.account.parent}"
        return Whom(urls=known.notify.urls, account=account, is_known=True)
    owner = owner_here()
    account = owner if owner is not None and address_fault(owner) is None else "the account"
    return Whom(urls=_urls_as_written(settings), account=account, is_known=False)


def _urls_as_written(settings: Path | None) -> tuple[SecretStr, ...]:
    """The messengers of the strongest source that names any; none where it cannot be read."""
    file = DEFAULT_FILE if settings is None else settings
    said: object = os.environ.get("SEAWALL_NOTIFY__URLS")
    if said is None:
        with suppress(OSError, UnicodeDecodeError):
            said = (file.parent / SECRETS_FOLDER / "notify__urls").read_text().strip()
    if said is None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            said = tomllib.loads(file.read_text())["notify"]["urls"]
    with suppress(ValidationError):
        return NotifySettings.model_validate({"urls": said}).urls
    return ()
