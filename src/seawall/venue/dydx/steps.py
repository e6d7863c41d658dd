"""Telling a venue that plays prices how far this guard is: it makes the next block when all are."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import httpx

from seawall.errors import VenueUnreachable

TIMEOUT_S = 30.0


class Steps:
    """The step call of a played venue; without a URL every call does nothing."""

    def __init__(self, url: str | None, guard: str) -> None:
        self._url = url
        self._guard = guard
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)

    async def tell(self, said: Mapping[str, int | None]) -> None:
        """Say it under the guard's name; raises VenueUnreachable."""
        if self._url is None:
            return
        try:
            answer = await self._client.post(self._url, json={"guard": self._guard, **said})
            answer.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise VenueUnreachable(f"{self._url}: {_words(error)}") from error

    async def close(self) -> None:
        """Detach the guard and close the connection; idempotent."""
        if not self._client.is_closed:
            with suppress(VenueUnreachable):
                await self.tell({"detach": True})
        await self._client.aclose()


def _words(error: httpx.HTTPError | httpx.InvalidURL) -> str:
    status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None
    if status is not None and status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return f"the venue that plays prices failed (HTTP {status})"
    why = type(error).__name__ if status is None else f"HTTP {status}"
    return (
        f"nothing there makes blocks ({why}): correct venue.step_url, which `seawall venue "
        "--json` prints as `step`, or take it out before a venue that plays no prices"
    )
