"""A venue in a process of its own and one guard before it: what the demo plays on.

The venue makes a block only when the guard has reported its tick done, so speed changes nothing of
what happens.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import httpx

from seawall.agent import Agent
from seawall.decide.memory import Decision
from seawall.errors import SeawallError, VenueUnreachable
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.rulefile.load import Loaded
from seawall.units import SECOND, Millis
from seawall.venue.dydx.connection import Connection, Keys
from seawall.venue.dydx.keys import load_key
from seawall.venue.dydx.venue import DydxVenue

START_PATIENCE_S = 30.0
LOOK_AGAIN = SECOND  # where nothing is heard: a feed may be silent and a node frozen, as played
LOOKS_MOST = 60  # without a new block, before the venue is given up
KEY_VARIABLE = "SEAWALL_DEMO_KEY"  # the venue's demo keys are public and worth nothing


class VenueEnded(SeawallError):
    """The venue's process did not start; the message is what it said, the code its own."""

    def __init__(self, said: str, exit_code: int) -> None:
        super().__init__(said)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Trader:
    """One of the venue's accounts."""

    name: str
    address: str
    mnemonic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A running venue: where it is reached and who trades on it."""

    chain_id: str
    node: str
    indexer: str
    websocket: str
    step: str
    start: str
    state: str
    path: str
    begins: Millis
    ends: Millis
    traders: tuple[Trader, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, said: Mapping[str, object]) -> Self:
        """The stage that a venue announced."""
        traders, notes, path = said["accounts"], said["notes"], said["path"]
        assert isinstance(traders, list)
        assert isinstance(notes, list)
        assert isinstance(path, dict)
        return cls(
            **{
                name: str(said[name])
                for name in ("chain_id", "node", "indexer", "websocket", "step", "start", "state")
            },
            path=str(path["name"]),
            begins=_millis(path["start"]),
            ends=_millis(path["end"]),
            traders=tuple(
                Trader(name=one["name"], address=one["address"], mnemonic=one["mnemonic"])
                for one in traders
            ),
            notes=tuple(str(note) for note in notes),
        )


def _millis(iso: str) -> Millis:
    return Millis(round(datetime.fromisoformat(iso).timestamp() * 1_000))


@asynccontextmanager
async def raise_curtain(arguments: Sequence[str]) -> AsyncIterator[Stage]:
    """A venue that waits to be started, stopped at the end; raises VenueEnded."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "seawall.cli", "venue", "--json", "--hold", "--speed", "0", "--tied", *arguments),
        stdin=asyncio.subprocess.PIPE,  # never written to: it ends with us, and the venue with it
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # an interrupt is ours to handle, and then we stop the venue
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_PATIENCE_S)
        if not line:
            _, said = await process.communicate()
            lines = [one.removeprefix("seawall: ") for one in said.decode().splitlines()]
            raise VenueEnded("\n".join(lines), process.returncode or 1)
        yield Stage.of(json.loads(line))
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """A guard before a stage, ready to begin."""

    stage: Stage
    agent: Agent
    venue: DydxVenue
    http: httpx.AsyncClient

    async def perform(self, heard: Callable[[Decision], None]) -> None:
        """Play the prices to their end; `heard` gets the decision of every block.

        Raises VenueUnreachable where the venue makes no more blocks before that.
        """
        decision = await self.agent.tick()
        heard(decision)
        await self._post(self.stage.start)
        looks = 0
        while decision.at is None or decision.at + SECOND <= self.stage.ends:
            before = decision.height
            await self.venue.wait_for_change(LOOK_AGAIN)
            decision = await self.agent.tick()
            looks = looks + 1 if decision.height <= before else 0
            if looks > LOOKS_MOST:
                raise VenueUnreachable(f"{self.stage.node} makes no block after {before}")
            heard(decision)

    async def state(self) -> Mapping[str, object]:
        """What the venue says of every account now."""
        answer = await self.http.get(self.stage.state)
        answer.raise_for_status()
        said = answer.json()
        assert isinstance(said, dict)
        return said

    async def _post(self, url: str) -> None:
        answer = await self.http.post(url, json={})
        answer.raise_for_status()


@asynccontextmanager
async def guarded(
    stage: Stage, trader: Trader, loaded: Loaded, journal: Journal
) -> AsyncIterator[Play]:
    """A live guard over one trader of a stage."""
    os.environ[KEY_VARIABLE] = trader.mnemonic
    connection = Connection(
        chain_id=stage.chain_id,
        owner=trader.address,
        nodes=(stage.node,),
        indexers=(stage.indexer,),
        feeds=(stage.websocket,),
        step_url=stage.step,
    )
    venue = DydxVenue(connection, Keys(trading=load_key(f"env:{KEY_VARIABLE}", "demo key")))
    async with httpx.AsyncClient(trust_env=False, timeout=START_PATIENCE_S) as http:
        try:
            await venue.start()
            await venue.preflight()
            agent = Agent.resume(
                venue,
                journal,
                loaded.policy,
                digest=loaded.digest,
                mode=Mode.LIVE,
                owner=trader.address,
            )
            yield Play(stage=stage, agent=agent, venue=venue, http=http)
        finally:
            await venue.close()
