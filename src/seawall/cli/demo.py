"""`seawall demo`: a crash over two equal accounts, one of them guarded."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seawall.cli.venue import Direction
from seawall.errors import OperatorError

if TYPE_CHECKING:
    from rich.console import Console

SCENARIO = Path("config/scenarios/double-gap.yaml")
RULES = Path("config/demo-rules.yaml")
JOURNAL = Path("var/demo.db")  # the demo's own, made anew each time
JOURNAL_FILES = ("", "-wal", "-shm")  # what SQLite makes of it
EQUITY = "30_000"

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What to play, as given on the command line."""

    scenario: Path | None
    prices: Path | None
    start: str | None
    end: str | None
    bar: str | None
    leverage: str
    side: Direction
    seed: int
    rules: Path
    journal: Path | None
    screenshots: Path | None

    @property
    def played(self) -> str:
        """The name of the prices."""
        return str(self.prices or self.scenario or SCENARIO)

    def venue_options(self) -> list[str]:
        """The options of `seawall venue` for this run, which refuses what does not fit together."""
        scenario = SCENARIO if self.scenario is None and self.prices is None else self.scenario
        chosen = {
            "--scenario": scenario,
            "--prices": self.prices,
            "--from": self.start,
            "--to": self.end,
            "--bar": self.bar,
        }
        options = ["--accounts", "2", "--equity", EQUITY, "--leverage", self.leverage]
        options += ["--side", self.side.value, "--seed", str(self.seed)]
        for option, value in chosen.items():
            options += [] if value is None else [option, str(value)]
        return options


@app.command()
def demo(
    *,
    scenario: Annotated[
        Path | None, typer.Option(help=f"Play this scenario file; default {SCENARIO}.")
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(help="Play real candles instead: one <MARKET>__*.csv.gz a market."),
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="Start of the candles, UTC.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End of the candles, UTC.")] = None,
    bar: Annotated[
        str | None, typer.Option(help="Merge finer candles to this length; default 30m.")
    ] = None,
    leverage: Annotated[str, typer.Option(help="Both books, in equal parts.")] = "8x",
    side: Annotated[Direction, typer.Option(help="Their side.")] = Direction.LONG,
    seed: Annotated[int, typer.Option(help="Same seed and prices, same result.")] = 1,
    rules: Annotated[Path, typer.Option(help="The guard's rule file.")] = RULES,
    journal: Annotated[
        Path | None, typer.Option(help="Keep the journal here; default var/demo.db, made anew.")
    ] = None,
    screenshots: Annotated[
        Path | None, typer.Option(help="Write first, middle and last screen to this folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play a crash over two equal accounts on a simulated dYdX; Seawall guards one of them.

    No keys, no network: the venue runs on this machine, in a process of its own.

    Example: seawall demo --leverage 5x
    """
    run = Run(
        scenario=scenario,
        prices=prices,
        start=start,
        end=end,
        bar=bar,
        leverage=leverage,
        side=side,
        seed=seed,
        rules=rules,
        journal=journal,
        screenshots=screenshots,
    )
    check_places(run)
    result = perform(run, quiet=as_json)
    if as_json:
        print(json.dumps(result))


def perform(run: Run, *, quiet: bool) -> dict[str, object]:
    """Play a run to its end and say how it ended; raises KeyboardInterrupt where it is stopped."""
    from rich.console import Console

    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(levelname)s %(message)s")
    try:
        return asyncio.run(_play(run, Console(quiet=quiet)))
    except asyncio.CancelledError:  # told to terminate: as good as Ctrl-C, the venue is stopped
        raise KeyboardInterrupt from None


def check_places(run: Run) -> None:
    """Raise OperatorError for a journal that is there, or screens that cannot be written."""
    if run.journal is not None and run.journal.exists():
        raise OperatorError(
            f"{run.journal} exists: the demo begins a journal of its own; name another file or "
            "move it"
        )
    if run.screenshots is None:
        return
    try:
        run.screenshots.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OperatorError(
            f"--screenshots {run.screenshots}: {reason}; name a folder that can be written to"
        ) from None
    if not os.access(run.screenshots, os.W_OK):
        raise OperatorError(
            f"--screenshots {run.screenshots}: not writable; name a folder that can be written to"
        )


def fresh_journal(given: Path | None) -> Path:
    """Where to write; the demo's own file of last time goes, and nothing beside it.

    Called once all that was asked for can be played. Raises OperatorError where it cannot go.
    """
    if given is not None:
        return given
    try:
        JOURNAL.parent.mkdir(exist_ok=True)
        for ending in JOURNAL_FILES:
            JOURNAL.with_name(f"{JOURNAL.name}{ending}").unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OperatorError(
            f"{JOURNAL} cannot be made anew: {reason}; name another file with --journal"
        ) from None
    return JOURNAL


async def _play(run: Run, console: Console) -> dict[str, object]:
    from seawall.cli.show import Show
    from seawall.cli.tale import Tale
    from seawall.cli.theatre import guarded, raise_curtain
    from seawall.journal.store import Journal
    from seawall.rulefile.load import load

    playing = asyncio.current_task()
    assert playing is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    loaded = load(run.rules)
    tale = Tale()
    async with raise_curtain(run.venue_options()) as stage:
        for note in stage.notes:
            console.print(f"note: {note}", style="dim")
        place = fresh_journal(run.journal)
        with Journal.open(place) as journal:
            async with guarded(stage, stage.traders[0], loaded, journal) as play:
                show = Show(play, tale, console)
                last = await show.run()
                blocks = play.venue.block_height
    show.tell_end(place)
    if run.screenshots is not None:
        show.write_screens(run.screenshots)
    alive, twin = last.standings
    return {
        "guarded": alive.as_object(),
        "unguarded": twin.as_object(),
        "interventions": [chapter.as_object() for chapter in tale.chapters.values()],
        "prices": run.played,
        "seed": run.seed,
        "blocks": blocks,
    }
