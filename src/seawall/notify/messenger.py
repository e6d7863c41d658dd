"""One address that messages go to, spoken to through Apprise.

Addresses hold passwords, and Apprise and what it rests on write them into their logs. So these logs
are shut, and a messenger is known by its kind and place in the settings: `tgram#1`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pydantic import SecretStr

from seawall.errors import SettingsError

OUTSPOKEN = ("apprise", "httpcore", "httpx", "requests", "urllib3")  # they log whole addresses
SILENT = logging.CRITICAL + 1


class Tone(StrEnum):
    """How loud a notice is."""

    NOTIFY = "notify"
    PAGE = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one delivery says."""

    tone: Tone
    title: str
    body: str


class Messenger(Protocol):
    """Somebody who carries notices; `name` holds no secret."""

    @property
    def name(self) -> str:
        """What it is called in the journal and in logs."""

    def send(self, notice: Notice) -> bool:
        """Carry a notice and say whether it arrived; may block, and runs in a thread."""


def shut_outspoken_logs() -> None:
    """Keep libraries that log whole addresses from logging at all."""
    for name in OUTSPOKEN:
        logging.getLogger(name).setLevel(SILENT)


class AppriseMessenger:
    """A messenger behind an Apprise URL."""

    def __init__(self, url: SecretStr, place: int) -> None:
        """Raise SettingsError for an address that Apprise does not know; `place` counts from 1."""
        import apprise  # 100 ms and 20 MB that only those pay who are told

        shut_outspoken_logs()
        written = url.get_secret_value()
        scheme = written.partition("://")[0]
        kind = scheme if scheme.isalnum() and scheme != written else "?"
        self.name = f"{kind}#{place}"
        # Its store on disk would hold what it was given.
        asset = apprise.AppriseAsset(
            app_id="Seawall",
            app_desc="Seawall",
            storage_mode=apprise.PersistentStoreMode.MEMORY,
        )
        self._apprise = apprise.Apprise(asset=asset)
        self._types = {
            Tone.NOTIFY: apprise.NotifyType.WARNING,
            Tone.PAGE: apprise.NotifyType.FAILURE,
        }
        with warnings.catch_warnings():
            # Its modules are loaded here, and some warn about themselves.
            warnings.simplefilter("ignore", DeprecationWarning)
            is_known = self._apprise.add(written)
        if not is_known:
            raise SettingsError(
                f"notify.urls: number {place} ({kind}://…) is no address that Apprise knows: "
                "compare it with the list of services in Apprise's documentation"
            )

    def __repr__(self) -> str:
        return f"AppriseMessenger({self.name})"

    def send(self, notice: Notice) -> bool:
        """Carry a notice and say whether it arrived; blocks as long as the service does."""
        said = self._apprise.notify(
            title=notice.title, body=notice.body, notify_type=self._types[notice.tone]
        )
        return bool(said)


def messengers_of(urls: Sequence[SecretStr]) -> tuple[tuple[Messenger, ...], tuple[str, ...]]:
    """The messengers of the settings, in order, and why the other addresses are none."""
    known, faults = [], []
    for place, url in enumerate(urls, start=1):
        try:
            known.append(AppriseMessenger(url, place))
        except SettingsError as error:
            faults.append(str(error))
    return tuple(known), tuple(faults)


def refuse_unknown(urls: Sequence[SecretStr]) -> None:
    """Raise SettingsError where an address is not known, with every fault."""
    _, faults = messengers_of(urls)
    if faults:
        raise SettingsError("\n".join(faults))
