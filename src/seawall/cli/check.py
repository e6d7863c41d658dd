"""`seawall check`: read a rule file and say everything that is wrong with it, before it matters."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from seawall import words
from seawall.cli.place import JournalOption, journal_path
from seawall.errors import Problem, RuleFileError
from seawall.measures.spec import Unit
from seawall.policy import Policy
from seawall.rulefile import Loaded, book_allowed, load, warnings_for

DEFAULT_FILE = Path("config/rules.yaml")
REFUSED = 2
DIGEST_SHOWN = 12

app = typer.Typer()


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The rule file.")] = DEFAULT_FILE,
    journal: JournalOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a rule file: exit 0 if it would load, 2 with every problem if not.

    Where a guard has run, positions of its last tick that no rule reaches are warned of too.

    Example: seawall check config/rules.yaml
    """
    try:
        loaded = load(file)
    except RuleFileError as error:
        _print_refusal(error, file, as_json=as_json)
        raise typer.Exit(REFUSED) from None
    unreached = warnings_for(loaded.policy, _held(journal_path(journal)))
    if as_json:
        print(json.dumps(_as_object(loaded, file) | {"unreached": unreached}, indent=2))
        return
    for line in (*summary(loaded, file), *(f"warning: {said}" for said in unreached)):
        print(line)


def _held(journal: Path) -> list[tuple[int, str]]:
    """Subaccount and market of each position that a guard last saw; empty where none has run."""
    from seawall.account import Observation
    from seawall.cli.latest import last_tick

    if not journal.is_file():
        return []
    row = last_tick(journal)
    if row is None or not isinstance(row.seen, Observation):
        return []
    return [(s.number, p.ticker) for s in row.seen.subaccounts for p in s.positions]


def summary(loaded: Loaded, file: Path) -> list[str]:
    """What a file that loads holds, with its warnings, one line each."""
    policy = loaded.policy
    counts = (
        f"{_count(len(policy.rules), 'rule')}, {_count(_levels(policy), 'level')}, "
        f"{_count(len(policy.scenarios), 'scenario')}"
    )
    lines = [f"{file}: {counts}, would load as {loaded.digest[:DIGEST_SHOWN]}"]
    book, derived = book_allowed(policy), policy.caps.derived
    if book is not None and derived is not None:
        lines.append(
            f"limits: losing at most {words.percent(derived.max_drawdown)} in {derived.scenario} "
            f"allows a book of {words.show(book, Unit.MULTIPLE)} equity minus buffer, whatever "
            "leverage the venue gives"
        )
    return lines + [f"warning: {warning}" for warning in loaded.warnings]


def _levels(policy: Policy) -> int:
    return sum(len(rule.levels) for rule in policy.rules)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _print_refusal(error: RuleFileError, file: Path, *, as_json: bool) -> None:
    if as_json:
        refused = {
            "file": str(file),
            "loads": False,
            "problems": _objects(error.problems),
            "consequence": error.consequence,
        }
        print(json.dumps(refused, indent=2))
        return
    for problem in error.problems:
        print(problem, file=sys.stderr)
    print(error.consequence, file=sys.stderr)


def _as_object(loaded: Loaded, file: Path) -> dict[str, object]:
    policy = loaded.policy
    book = book_allowed(policy)
    return {
        "file": str(file),
        "loads": True,
        "digest": loaded.digest,
        "rules": len(policy.rules),
        "levels": _levels(policy),
        "scenarios": len(policy.scenarios),
        "book_allowed": None if book is None else f"{book:.4f}",
        "problems": [],
        "warnings": _objects(loaded.warnings),
    }


def _objects(problems: tuple[Problem, ...]) -> list[dict[str, str | int]]:
    return [
        {"file": p.file, "line": p.line, "column": p.column, "message": p.message} for p in problems
    ]
