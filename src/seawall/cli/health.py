"""`seawall health`: whether the guard is well, for a person, Docker or a cron job."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from seawall.cli.place import JournalOption, journal_path

app = typer.Typer(add_completion=False)


@app.command()
def health(
    journal: JournalOption = None,
    max_age: Annotated[
        int, typer.Option(help="Seconds that the last successful tick may be old.", min=1)
    ] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say whether the guard is well: its last successful tick is at most --max-age old.

    A tick succeeds if the account's state was read and the decision was recorded. Exit code 0 if
    so, 1 if not or if the guard was stopped or killed, 2 if none has ever run with this journal. A
    guard of this machine that was killed is known at once.

    Example: seawall health --max-age 10
    """
    from seawall.journal.lock import is_left
    from seawall.journal.store import wall_clock
    from seawall.notify.pulse import judge, pulse_path, read_pulse, this_boot
    from seawall.units import SECOND, Millis

    path = journal_path(journal)
    pulse = read_pulse(pulse_path(path))
    is_here = pulse.boot != "" and pulse.boot == this_boot()
    verdict = judge(
        pulse, wall_clock(), Millis(max_age * SECOND), is_left=is_here and is_left(path)
    )
    if as_json:
        said = {
            "ok": verdict.is_well,
            "age_ms": verdict.age,
            "tick": pulse.tick,
            "height": pulse.height,
            "pid": pulse.pid,
            "stopped": pulse.is_stopped,
            "reason": pulse.reason,
            "note": pulse.note,
        }
        print(json.dumps(said))
    else:
        print(f"{'well' if verdict.is_well else 'NOT WELL'}: {verdict.words}")
    if not verdict.is_well:
        raise typer.Exit(1)
