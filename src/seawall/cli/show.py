"""The demo on a terminal: a live screen while it plays, and the end in words."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.terminal_theme import MONOKAI

from seawall import words
from seawall.account import Market, Observation
from seawall.cli.screen import COLUMNS, Frame, Standing, render
from seawall.cli.tale import Tale
from seawall.cli.theatre import Play
from seawall.decide.memory import Decision
from seawall.units import SECOND, Millis

REFRESH_S = 0.15
SCREENS = ("demo-1-first.svg", "demo-2-middle.svg", "demo-3-last.svg")
WIDTH = 110


class Show:
    """One performance: plays, draws, and keeps the first, middle and last frame."""

    def __init__(self, play: Play, tale: Tale, console: Console) -> None:
        self._play = play
        self._tale = tale
        self._console = console
        self._markets: Mapping[str, Market] = {}
        self._began = time.monotonic()
        self.first: Frame | None = None
        self.middle: Frame | None = None
        self.last: Frame | None = None

    async def run(self) -> Frame:
        """Play to the end and return the last frame."""
        self.first = self._keep(await self._look())
        playing = asyncio.create_task(self._play.perform(self._hear))
        try:
            with Live(console=self._console, auto_refresh=False, transient=True) as live:
                while not playing.done():
                    await asyncio.wait({playing}, timeout=REFRESH_S)
                    self._draw(live, self._keep(await self._look()))
            await playing
        finally:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing
        self.last = await self._look()
        self._console.print(render(self.last, self._markets))
        return self.last

    def tell_end(self, journal: Path) -> None:
        """What each account has left, every intervention in a line, and where to look deeper."""
        assert self.last is not None
        say = self._console.print
        for name, standing in zip(COLUMNS, self.last.standings, strict=True):
            start, now = words.cents(standing.equity_start), words.cents(standing.equity)
            say(f"{name}: {start} -> {now}, {standing.outcome}", style="bold", highlight=False)
        say(f"{len(self._tale.chapters)} interventions:", highlight=False)
        for chapter in self._tale.chapters.values():
            say(f"  {chapter.line()}", highlight=False, soft_wrap=True)
        say("Look deeper:", highlight=False)
        for command in ("list", "show ID", "verify"):
            say(f"  seawall audit {command} --journal {journal}", highlight=False, soft_wrap=True)

    def write_screens(self, folder: Path) -> None:
        """The first, middle and last frame as pictures."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in zip(SCREENS, (self.first, self.middle, self.last), strict=True):
            assert frame is not None
            canvas = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
            canvas.print(render(frame, self._markets))
            canvas.save_svg(str(folder / name), title="make demo", theme=MONOKAI)

    def _hear(self, decision: Decision) -> None:
        self._tale.hear(decision)

    def _keep(self, frame: Frame) -> Frame:
        if self.middle is None or abs(frame.progress - 0.5) < abs(self.middle.progress - 0.5):
            self.middle = frame
        return frame

    def _draw(self, live: Live, frame: Frame) -> None:
        if self._console.is_terminal:
            live.update(render(frame, self._markets), refresh=True)

    async def _look(self) -> Frame:
        said = await self._play.state()
        if not self._markets:
            seen = await self._play.venue.observe()
            assert isinstance(seen, Observation), "the venue has just been reached"
            self._markets = seen.markets
        prices, accounts = said["prices"], said["accounts"]
        assert isinstance(prices, dict)
        assert isinstance(accounts, list)
        by_address = {one["address"]: Standing.of(one) for one in accounts}
        ours, twin = (by_address[trader.address] for trader in self._play.stage.traders)
        at = Millis(int(str(said["at"])))
        played = (at - self._play.stage.begins) / SECOND
        return Frame(
            path=self._play.stage.path,
            at=at,
            progress=float(str(said["progress"])),
            speed=played / max(time.monotonic() - self._began, 0.001),
            prices={ticker: Decimal(price) for ticker, price in prices.items()},
            standings=(ours, twin),
            last_action=self._tale.last,
        )
