"""The guard, unattended: ticks when something changed, periodic jobs, and a clean end.

APScheduler owns every periodic job. A tick is due when the feed says that a price, position or
order changed, when a block came and nothing else did, and at the latest after `TICK_AT_LATEST`.
Ticks never overlap and due ticks coalesce, because one loop makes them all.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from seawall.agent import Agent
from seawall.arming import Armoury
from seawall.decide.memory import Decision
from seawall.errors import JournalError, VenueError
from seawall.journal.store import Journal
from seawall.notify.outward import HEARTBEAT_EVERY
from seawall.units import DAY, MINUTE, SECOND, Millis
from seawall.venue import Venue

log = logging.getLogger(__name__)

TICK_AT_LATEST = SECOND
RECONCILE_EVERY = Millis(10 * SECOND)
PARAMETERS_EVERY = MINUTE
PRUNE_EVERY = DAY
LOOK_AT_FILE_EVERY = Millis(5 * SECOND)
QUIET_KINDS = ("tick", "holds", "message")  # whose bodies are dropped after `journal.keep`

Heard = Callable[[Decision], None]


class LiveVenue(Venue, Protocol):
    """A venue that a daemon can look after between ticks."""

    async def refresh_parameters(self) -> None:
        """Read slow parameters and the list of subaccounts again; raises VenueError."""

    async def reconcile(self) -> None:
        """Renew what the feed shows where it differs from the node; raises VenueError."""


async def guard(
    agent: Agent,
    venue: LiveVenue,
    *,
    keep: Millis,
    is_played: bool,
    heard: Heard,
    heartbeat: Callable[[], Awaitable[None]] | None = None,
    armoury: Armoury | None = None,
) -> None:
    """Guard until SIGINT or SIGTERM; `heard` gets every decision, `armoury` every SIGHUP.

    In a played venue its blocks are the only clock, so nothing runs by ours.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    if armoury is not None:
        loop.add_signal_handler(signal.SIGHUP, armoury.signal)
    scheduler = _scheduler()
    if not is_played:
        _schedule(scheduler, venue, agent.journal, keep)
        if heartbeat is not None:
            _add(scheduler, "heartbeat", HEARTBEAT_EVERY, heartbeat)
    if armoury is not None:
        look = partial(_look_at_file, armoury)
        scheduler.add_job(look, "interval", seconds=LOOK_AT_FILE_EVERY / SECOND, id="rules")
    scheduler.start()
    try:
        await _tick_until(stop, agent, venue, heard, armoury)
    finally:
        scheduler.shutdown(wait=False)


async def _tick_until(
    stop: asyncio.Event, agent: Agent, venue: Venue, heard: Heard, armoury: Armoury | None
) -> None:
    """Tick until told to stop; a tick that raises is told and followed by the next one."""
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            if armoury is not None:
                await _obey(armoury)
            try:
                heard(await agent.tick())
            except Exception as error:  # one tick is lost; the next sees everything anew
                log.exception("tick failed")
                agent.note_failure(error)
            due = asyncio.create_task(_wait_for_change(venue))
            await asyncio.wait({due, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not due.done():
                due.cancel()
                with suppress(asyncio.CancelledError):
                    await due
    finally:
        stopping.cancel()


async def _wait_for_change(venue: Venue) -> None:
    """Wait until a tick is due; where the venue cannot say, until one is due at the latest."""
    try:
        await venue.wait_for_change(TICK_AT_LATEST)
    except Exception:  # a wait that fails must not make ticks without a pause
        log.exception("wait for a change failed")
        await asyncio.sleep(TICK_AT_LATEST / SECOND)


def _scheduler() -> AsyncIOScheduler:
    # Its default drops a job that is a second late; a guard on a busy machine must not lose one.
    defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": 60}
    return AsyncIOScheduler(timezone="UTC", job_defaults=defaults)


def _schedule(
    scheduler: AsyncIOScheduler, venue: LiveVenue, journal: Journal, keep: Millis
) -> None:
    """Every periodic job of the guard; the tick's own latest time is its wait."""
    jobs: tuple[tuple[str, Millis, Callable[[], Awaitable[None]]], ...] = (
        ("parameters", PARAMETERS_EVERY, venue.refresh_parameters),
        ("reconcile", RECONCILE_EVERY, venue.reconcile),
        ("prune", PRUNE_EVERY, partial(_prune, journal, keep)),
    )
    for name, every, job in jobs:
        _add(scheduler, name, every, job)


def _add(
    scheduler: AsyncIOScheduler, name: str, every: Millis, job: Callable[[], Awaitable[None]]
) -> None:
    scheduler.add_job(_told, "interval", (name, job), seconds=every / SECOND, id=name, name=name)


async def _told(name: str, job: Callable[[], Awaitable[None]]) -> None:
    """Run a job; a venue or journal that fails it is told and asked again next time."""
    try:
        await job()
    except (VenueError, JournalError) as error:
        log.warning("job=%s failed: %s", name, error)


async def _obey(armoury: Armoury) -> None:
    """Carry out reloads; a journal that fails must cost a reload, never the next tick."""
    try:
        await armoury.obey()
    except JournalError as error:
        log.warning("event=reload_failed reason=%s", error)
    except Exception:  # whatever it was: the tick that follows is what protects
        log.exception("reload failed")


async def _look_at_file(armoury: Armoury) -> None:
    armoury.look_at_file()


async def _prune(journal: Journal, keep: Millis) -> None:
    before = Millis(journal.now() - keep)
    dropped = journal.prune(before=before, kinds=QUIET_KINDS)
    log.info("job=prune rows=%d", dropped)
