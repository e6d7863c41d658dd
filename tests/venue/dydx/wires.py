"""A venue between fakes of the wires, all in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from seawall.account import Missing, Observation, Seen
from seawall.venue.dydx.connection import Connection, Keys
from seawall.venue.dydx.keys import load_key
from seawall.venue.dydx.venue import DydxVenue
from tests.venue.dydx.fake_indexer import FakeIndexer
from tests.venue.dydx.fake_node import CHAIN_ID, OWNER, TRADING_KEY, FakeNode


def connection_to(indexer: FakeIndexer, *nodes: FakeNode) -> Connection:
    return Connection(
        chain_id=CHAIN_ID,
        owner=OWNER,
        nodes=tuple(node.url for node in nodes),
        indexers=(indexer.url,),
        feeds=(indexer.feed,),
    )


@asynccontextmanager
async def opened(connection: Connection, keys: Keys | None = None) -> AsyncIterator[DydxVenue]:
    venue = DydxVenue(connection, keys)
    try:
        await venue.start()
        yield venue
    finally:
        await venue.close()


async def until(is_so: Callable[[], bool], within_s: float = 3.0) -> None:
    for _ in range(round(within_s / 0.005)):
        if is_so():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not become so")


async def refused(work: Awaitable[object], kind: type[Exception]) -> str:
    """The message of an error that must come."""
    try:
        await work
    except kind as error:
        return str(error)
    raise AssertionError(f"{kind.__name__} did not come")


def seen_well(seen: Seen) -> Observation:
    """The observation that must have been made."""
    assert isinstance(seen, Observation), seen
    return seen


async def with_advice(venue: DydxVenue) -> Observation:
    """An observation once feed and records are in."""
    for _ in range(200):
        observation = seen_well(await venue.observe())
        if not isinstance(observation.advice.transfers, Missing) and observation.advice.books:
            return observation
        await asyncio.sleep(0.01)
    raise AssertionError("no advice came")


def keys(monkeypatch: pytest.MonkeyPatch) -> Keys:
    """A trading and a float key that hold nothing."""
    monkeypatch.setenv("TRADING", TRADING_KEY)
    monkeypatch.setenv("FLOAT", "22" * 32)
    return Keys(
        trading=load_key("env:TRADING", "keys.trading"),
        float_wallet=load_key("env:FLOAT", "keys.float"),
    )
