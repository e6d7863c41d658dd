"""A URL that is called while ticks succeed, so that somebody else notices when they stop.

The call carries the journal's head: written down elsewhere, it proves later that no row at the end
was cut off (`seawall audit verify --head`).
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress

import httpx
from pydantic import SecretStr

from seawall.errors import JournalError
from seawall.journal.store import Journal
from seawall.notify.messenger import shut_outspoken_logs

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Heartbeat:
    """Calls one URL; its address is a secret and appears in no log."""

    def __init__(self, url: SecretStr, journal: Journal) -> None:
        self._url = url
        self._journal = journal
        shut_outspoken_logs()
        is_here = False
        with suppress(httpx.InvalidURL):  # which every beat will say
            is_here = httpx.URL(url.get_secret_value()).host in LOOPBACK
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=not is_here)

    async def beat(self) -> bool:
        """Call the URL with `head=ROW:HASH`; False where that failed, which is logged."""
        try:
            head = self._journal.head()
            url = httpx.URL(self._url.get_secret_value())
            answer = await self._client.get(
                url.copy_merge_params({"head": f"{head.seq}:{head.hash}"})
            )
        except (httpx.HTTPError, httpx.InvalidURL, sqlite3.DatabaseError, JournalError) as error:
            log.warning("event=heartbeat_failed reason=%s", type(error).__name__)
            return False
        if answer.is_error:
            log.warning("event=heartbeat_refused status=%d", answer.status_code)
        return not answer.is_error

    async def close(self) -> None:
        """Release sockets; idempotent."""
        await self._client.aclose()
