"""`seawall test`: play the tests of a rule file, and say how much they would notice."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from seawall.rulefile import Loaded
    from seawall.ruletest.score import Outcome, Score
    from seawall.ruletest.script import Suite

app = typer.Typer(add_completion=False)

DEFAULT_FILE = Path("config/rules.test.yaml")
NO = 1


@app.command("test")
def play_tests(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The test file.")] = DEFAULT_FILE,
    rules: Annotated[
        Path | None, typer.Option(help="Test these rules instead of those the file names.")
    ] = None,
    mutate: Annotated[
        bool, typer.Option("--mutate", help="Change the rules one by one: does a test notice?")
    ] = False,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Print a test for each change that none notices.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play the tests of a rule file: exit 0 if all hold and what the file requires is met, else 1.

    Example: seawall test config/rules.test.yaml --mutate
    """
    from seawall.rulefile import load
    from seawall.ruletest import load_suite, rules_named
    from seawall.ruletest.score import run_suite, score

    file, rules = _meant(file, rules)
    named = rules or file.parent / (rules_named(file) or "rules.yaml")
    loaded = load(named) if file.is_file() else None
    suite = load_suite(file, loaded.policy) if loaded is not None else _missing(file)
    assert loaded is not None
    outcome = run_suite(loaded.policy, suite)
    scored = score(loaded, outcome) if mutate or suggest else None
    suggested = _suggested(loaded, scored) if suggest and scored is not None else None
    if as_json:
        print(json.dumps(_as_object(suite, outcome, scored, suggested), indent=2))
    else:
        for line in (*_lines(suite, outcome, scored), *(suggested or {}).values()):
            print(line)
    if _shortfalls(suite, outcome, scored) or outcome.failed:
        raise typer.Exit(NO)


def _meant(file: Path, rules: Path | None) -> tuple[Path, Path | None]:
    """The test file, and the rules to test: a rule file's own tests where that was named."""
    from seawall.errors import OperatorError
    from seawall.ruletest import is_rule_file

    if not is_rule_file(file):
        return file, rules
    beside = file.with_suffix(f".test{file.suffix}")
    if not beside.is_file():
        raise OperatorError(
            f"{file} is a rule file and there is no {beside} beside it. Name its tests, "
            f"`seawall test TESTS --rules {file}`, or let `seawall init` write some. "
            "Nothing was tested."
        )
    print(f"{file} is a rule file: its tests are {beside}", file=sys.stderr)
    return beside, rules or file


def _missing(file: Path) -> Suite:
    from seawall.policy import Policy
    from seawall.ruletest import load_suite

    return load_suite(file, Policy())  # refuses, and says why


def _lines(suite: Suite, outcome: Outcome, scored: Score | None) -> Iterator[str]:
    for failure in outcome.failures:
        yield f"{suite.file}:{failure.place.line}:{failure.place.column} {failure}"
    count, failed = len(outcome.results), outcome.failed
    tests = f"{count} test{'' if count == 1 else 's'}"
    covered = len(outcome.levels) - len(outcome.silent)
    yield (
        f"{tests}, {failed or 'none'} failed; {covered} of {len(outcome.levels)} levels fire "
        "in some test"
    )
    if outcome.silent:
        yield f"never fired: {', '.join(outcome.silent)}"
    if scored is not None:
        total = len(scored.killed) + len(scored.survived)
        yield f"{len(scored.killed)} of {total} changes noticed ({_percent(scored.share)})"
        for mutant in scored.survived:
            yield f"  line {mutant.place.line}: {mutant.name}"
    yield from _shortfalls(suite, outcome, scored)


def _shortfalls(suite: Suite, outcome: Outcome, scored: Score | None) -> list[str]:
    """What the file requires and does not have."""
    said = []
    if suite.needs_levels and outcome.silent:
        said.append(f"required: every level fires in some test; {len(outcome.silent)} do not")
    least = suite.mutation_least
    if scored is not None and least is not None and scored.share < least:
        said.append(
            f"required: {_percent(least)} of changes noticed; `seawall test --suggest` prints "
            "tests that notice more"
        )
    return said


def _suggested(loaded: Loaded, scored: Score) -> dict[str, str]:
    """For each change that no test noticed a test that does, to paste under `tests:`."""
    from seawall.ruletest.suggest import suggestions

    return {
        one.mutant.name: f"  # {one.mutant.name}: no test; {one.reason}"
        if one.test is None
        else one.test.rstrip()
        for one in suggestions(loaded.policy, scored)
    }


def _as_object(
    suite: Suite, outcome: Outcome, scored: Score | None, suggested: dict[str, str] | None
) -> dict[str, object]:
    found: dict[str, object] = {
        "tests": len(outcome.results),
        "failed": outcome.failed,
        "coverage": _fraction(outcome.coverage),
        "mutation": None,
    }
    if scored is not None:
        found["mutation"] = {
            "score": _fraction(scored.share),
            "killed": len(scored.killed),
            "survived": [mutant.name for mutant in scored.survived],
        }
    found["failures"] = [
        {
            "test": one.test,
            "file": suite.file,
            "line": one.place.line,
            "column": one.place.column,
            "at": one.at,
            "what": one.what,
        }
        for one in outcome.failures
    ]
    if suggested is not None:
        found["suggestions"] = suggested
    return found


def _fraction(value: Decimal) -> str:
    return f"{value:.4f}"


def _percent(value: Decimal) -> str:
    return f"{value * 100:.1f}%"
