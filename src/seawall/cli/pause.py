"""`seawall pause`: the guard sends nothing for a while, and says so."""

from __future__ import annotations

from typing import Annotated

import typer

from seawall.cli.place import JournalOption, journal_path

app = typer.Typer(add_completion=False)


@app.command()
def pause(
    duration: Annotated[str, typer.Argument(help="How long: 30m, 2h, 1h30m; at most 24h.")],
    journal: JournalOption = None,
) -> None:
    """Let the guard watch and tell, and send nothing: no cancel, no deposit, no reduction.

    It pages at the start, every hour and at the end. Backstops on the chain stay. A later pause
    takes the place of an earlier one, so `seawall pause 1s` ends it; so does `seawall panic`.

    Example: seawall pause 2h
    """
    from seawall import words
    from seawall.agent import Kind
    from seawall.decide.memory import Pause
    from seawall.decide.pausing import LONGEST
    from seawall.errors import OperatorError
    from seawall.journal.codec import to_json
    from seawall.journal.store import Journal
    from seawall.rulefile.literals import LiteralError
    from seawall.rulefile.literals import duration as read_duration

    try:
        asked = read_duration(duration)
    except LiteralError as error:
        raise OperatorError(str(error)) from None
    if not 0 < asked <= LONGEST:
        raise OperatorError(
            f"{duration}: a pause needs a duration above 0s and of at most 24h; "
            "stop the guard if it is to rest for longer, backstops on the chain stay"
        )
    with Journal.join(journal_path(journal)) as opened:
        seq = opened.append(Kind.COMMAND, to_json(Pause(duration=asked)), durable=True)
    print(f"row {seq}: pause for {words.duration(asked)}; the guard obeys at its next tick")
