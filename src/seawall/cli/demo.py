"""`seawall demo`: a crash over two equal accounts, one of them guarded."""

from __future__ import annotations

import asyncio
import json
import logging
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
EQUITY = "30_000"

app = typer.Typer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What to play, as given on the command line."""

    scenario: Path
    prices: Path | None
    start: str | None
    end: str | None
    bar: str
    leverage: str
    side: Direction
    seed: int
    rules: Path
    journal: Path

    @property
    def played(self) -> str:
        """The name of the prices."""
        return str(self.prices if self.prices is not None else self.scenario)

    def venue_options(self) -> list[str]:
        """The options of `seawall venue` for this run."""
        options = ["--accounts", "2", "--equity", EQUITY, "--leverage", self.leverage]
        options += ["--side", self.side.value, "--seed", str(self.seed), "--bar", self.bar]
        if self.prices is None:
            return [*options, "--scenario", str(self.scenario)]
        options += ["--prices", str(self.prices)]
        options += [] if self.start is None else ["--from", self.start]
        return options + ([] if self.end is None else ["--to", self.end])


@app.command()
def demo(
    *,
    scenario: Annotated[Path, typer.Option(help="Play this scenario file.")] = SCENARIO,
    prices: Annotated[
        Path | None,
        typer.Option(help="Play real candles instead: one <MARKET>__*.csv.gz a market."),
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="Start of the candles, UTC.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End of the candles, UTC.")] = None,
    bar: Annotated[str, typer.Option(help="Merge finer candles to this length.")] = "30m",
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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one object, nothing else.")
    ] = False,
) -> None:
    """Play a crash over two equal accounts on a simulated dYdX; Seawall guards one of them.

    No keys, no network: the venue runs on this machine, in a process of its own.

    Example: seawall demo --leverage 5x
    """
    from rich.console import Console

    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(levelname)s %(message)s")
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
        journal=_fresh_journal(journal),
    )
    console = Console(quiet=as_json)
    try:
        result = asyncio.run(_play(run, console, screenshots))
    except asyncio.CancelledError:  # told to terminate: as good as Ctrl-C, the venue is stopped
        raise KeyboardInterrupt from None
    if as_json:
        print(json.dumps(result))


def _fresh_journal(given: Path | None) -> Path:
    """Where to write: a new file. Raises OperatorError where the one named exists."""
    if given is None:
        JOURNAL.parent.mkdir(exist_ok=True)
        for stale in JOURNAL.parent.glob(f"{JOURNAL.name}*"):
            stale.unlink()
        return JOURNAL
    if given.exists():
        raise OperatorError(
            f"{given} exists: the demo begins a journal of its own; name another file or move it"
        )
    return given


async def _play(run: Run, console: Console, screenshots: Path | None) -> dict[str, object]:
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
        with Journal.open(run.journal) as journal:
            async with guarded(stage, stage.traders[0], loaded, journal) as play:
                show = Show(play, tale, console)
                last = await show.run()
                blocks = play.venue.block_height
    show.tell_end(run.journal)
    if screenshots is not None:
        show.write_screens(screenshots)
    alive, twin = last.standings
    return {
        "guarded": alive.as_object(),
        "unguarded": twin.as_object(),
        "interventions": [chapter.as_object() for chapter in tale.chapters.values()],
        "prices": run.played,
        "seed": run.seed,
        "blocks": blocks,
    }
