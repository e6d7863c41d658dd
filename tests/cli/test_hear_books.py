"""A guard that starts hears the books of what is held before it decides, and not for ever."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from seawall.account import Blind, Missing, Seen
from seawall.action import Action
from seawall.cli import run
from seawall.cli.run import hear_books
from seawall.units import Millis
from seawall.venue import Reply, Venue
from tests.see import BTC, book, see

HELD = see(equity=23_000, positions={"BTC-USD": (0.06, 100_000)})
BOOKS = {"BTC-USD": book(BTC, "100000", seen_at=HELD.seen_at)}
BARE = replace(HELD, advice=replace(HELD.advice, books={}))
HEARD = replace(HELD, advice=replace(HELD.advice, books=BOOKS))
UNTOLD = replace(HEARD, advice=replace(HEARD.advice, fills=Missing(reason="not read yet")))
BLIND = Blind(seen_at=HELD.seen_at, reasons=("no node",))
FLAT = see(equity=23_000)


class Looks(Venue):
    """A venue that shows these one after another, the last for ever."""

    def __init__(self, *shown: Seen) -> None:
        self._shown = shown
        self.looks = 0

    async def observe(self) -> Seen:
        self.looks += 1
        return self._shown[min(self.looks, len(self._shown)) - 1]

    async def wait_for_change(self, timeout: Millis) -> None:
        await asyncio.sleep(timeout / 1_000)

    async def send(self, action: Action) -> Reply:
        raise AssertionError(action)

    async def tick_done(self, height: int, idle_until: Millis | None) -> None:
        """Play nothing."""

    async def close(self) -> None:
        """Hold nothing."""


@pytest.mark.parametrize(
    ("shown", "looks"),
    [
        ((BARE, BARE, HEARD), 3),
        ((HEARD,), 1),
        ((UNTOLD, UNTOLD, HEARD), 3),
        ((FLAT,), 1),
        ((BARE, BLIND), 2),
        ((BLIND,), 1),
    ],
)
async def test_it_looks_until_every_book_is_there_or_nothing_is_seen(
    shown: tuple[Seen, ...], looks: int
) -> None:
    venue = Looks(*shown)

    await hear_books(venue)

    assert venue.looks == looks


async def test_where_no_book_comes_it_goes_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "BOOKS_WAIT_S", 0.2)
    venue = Looks(BARE)

    async with asyncio.timeout(5):
        await hear_books(venue)

    assert 2 <= venue.looks <= 5
