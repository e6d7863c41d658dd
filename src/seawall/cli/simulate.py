"""`seawall simulate`: bad days from seeds, the whole guard against the venue in process."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from seawall.errors import OperatorError

if TYPE_CHECKING:
    from seawall.storm.play import Result

FAILED = 1

app = typer.Typer(add_completion=False)


@app.command()
def simulate(
    *,
    seeds: Annotated[
        str, typer.Option(help="First and last seed, such as 0:199; the last one included.")
    ] = "0:49",
    seed: Annotated[int | None, typer.Option(min=0, help="Play this one seed.")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Tell everything that happens.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one object a line, the sum last.")
    ] = False,
) -> None:
    """Play days of faults, restarts, a second guard and a hostile trader, and judge every step.

    Ten simulated minutes a seed, in virtual time. A seed is always the same day. Exits 1 where an
    invariant broke.

    Example: seawall simulate --seeds 0:199 --json
    """
    from seawall.storm.case import case_of
    from seawall.storm.play import play

    logging.disable(logging.CRITICAL)  # what a guard logs of its bad days is not ours to say
    results = []
    for number in [seed] if seed is not None else _range_of(seeds):
        if trace:
            print(case_of(number).words)
        results.append(play(case_of(number), told=print if trace else None))
        _tell_broken(results[-1], as_json=as_json)
    total = _sum_of(results)
    print(json.dumps(total) if as_json else _in_words(total))
    if total["broken"]:
        raise typer.Exit(FAILED)


def _range_of(words: str) -> range:
    """The seeds of A:B, both included; raises OperatorError."""
    found = re.fullmatch(r"(\d+):(\d+)", words)
    if found is None or int(found[1]) > int(found[2]):
        raise OperatorError(f"--seeds {words!r}: expected FIRST:LAST, such as 0:199")
    return range(int(found[1]), int(found[2]) + 1)


def _tell_broken(result: Result, *, as_json: bool) -> None:
    for broken in result.broken:
        if as_json:
            told = {"seed": result.seed, "broken": broken.what, "words": broken.words}
            print(json.dumps(told | {"height": broken.height}), flush=True)
        else:
            print(f"seed {result.seed}, height {broken.height}: {broken.what}: {broken.words}")


def _sum_of(results: list[Result]) -> dict[str, object]:
    """What was played, in the words of programs."""
    faults: Counter[str] = Counter()
    for result in results:
        faults.update(result.faults)
    return {
        "seeds": len(results),
        "broken": sum(bool(result.broken) for result in results),
        "faults": dict(sorted(faults.items())),
        "simulated_hours": round(sum(result.hours for result in results), 2),
    }


def _in_words(total: dict[str, object]) -> str:
    faults = total["faults"]
    assert isinstance(faults, dict)
    broken = f"{total['broken']} broke an invariant" if total["broken"] else "nothing broke"
    return (
        f"{total['seeds']} days, {total['simulated_hours']} simulated hours, "
        f"{sum(faults.values())} faults of {len(faults)} kinds: {broken}."
    )
