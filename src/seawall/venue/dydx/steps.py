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
        except httpx.HTTPError as error:
            reason = f"{self._url}: {type(error).__name__} {error}".rstrip()
            raise VenueUnreachable(reason) from error

    async def close(self) -> None:
        """Detach the guard and close the connection; idempotent."""
        if not self._client.is_closed:
            with suppress(VenueUnreachable):
                await self.tell({"detach": True})
        await self._client.aclose()
