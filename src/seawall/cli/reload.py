"""`seawall reload`: have the running guard read its rule file again."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from seawall.cli.place import JournalOption, journal_path

if TYPE_CHECKING:
    from seawall.arming import RulesRow
    from seawall.journal.store import Journal

app = typer.Typer(add_completion=False)

ANSWER_WITHIN = 15  # seconds


@app.command()
def reload(
    arm: Annotated[
        bool, typer.Option("--arm", help="Put it in force even where it would act at once.")
    ] = False,
    journal: JournalOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Put the saved rule file in force; one that would act at once stays out unless --arm.

    Exit 0 in force; 1 no guard answered; 2 the file is refused; 3 it would act and is not armed.

    Example: seawall reload --arm
    """
    from seawall.arming import REQUEST, Reloaded, ReloadRow
    from seawall.errors import NotArmed, OperatorError, SeawallError
    from seawall.journal.codec import to_json
    from seawall.journal.store import Journal

    with Journal.join(journal_path(journal)) as opened:
        seq = opened.append(REQUEST, to_json(ReloadRow(arms=arm)), durable=True)
        row = _answer(opened, seq)
    if row is None:
        raise SeawallError(
            f"row {seq}: no guard answered within {ANSWER_WITHIN} s; is `seawall run` up?"
        )
    if as_json:
        print(json.dumps({"end": row.end, "digest": row.digest, "words": row.words}))
    else:
        print(f"rule set {row.digest[:12]} is in force ({row.end})")
        for line in row.words:
            print(f"  {line}")
    match row.end:
        case Reloaded.REFUSED:
            raise OperatorError("the file is refused; the rule set in force stays in force")
        case Reloaded.KEPT_OUT:
            raise NotArmed("the file stays out; to put it in force: seawall reload --arm")
        case Reloaded.IN_FORCE | Reloaded.UNCHANGED:
            pass


def _answer(opened: Journal, seq: int) -> RulesRow | None:
    """What the guard wrote to a request; None where it wrote nothing in time."""
    from seawall.arming import RULES, RulesRow
    from seawall.journal.codec import from_json

    until = time.monotonic() + ANSWER_WITHIN
    while time.monotonic() < until:
        for row in opened.rows(RULES, after=seq):
            answer = None if row.body is None else from_json(RulesRow, row.body)
            if answer is not None and answer.request == seq:
                return answer
        time.sleep(0.1)
    return None
