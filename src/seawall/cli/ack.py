"""`seawall ack`: a page has been read, and need not be repeated."""

from __future__ import annotations

from typing import Annotated

import typer

from seawall.cli.place import JournalOption, journal_path

app = typer.Typer(add_completion=False)


@app.command()
def ack(
    key: Annotated[
        str,
        typer.Argument(
            help="RULE, RULE/INSTANCE or RULE/INSTANCE/LEVEL, as the page says; default all.",
            show_default=False,
        ),
    ] = "",
    stop: Annotated[
        bool,
        typer.Option("--stop", help="Also end a flatten that is past its give_up_after."),
    ] = False,
    journal: JournalOption = None,
) -> None:
    """Stop repeating pages; the guard obeys at its next tick and goes on guarding.

    What a page was about may still be true. With --stop, a flatten that did not get flat in time
    ends too; its level stays latched, and closing the rest is up to you: until that level has
    cleared, neither it nor a level below it in the rule begins to close anything.

    Example: seawall ack drawdown --stop
    """
    from seawall.agent import Kind, restore
    from seawall.cli.words import meant
    from seawall.decide.commands import is_about
    from seawall.decide.memory import Acknowledge
    from seawall.errors import OperatorError
    from seawall.journal.codec import to_json
    from seawall.journal.store import Journal

    with Journal.join(journal_path(journal)) as opened:
        memory, _ = restore(opened)
        paged = [name for name, page in memory.pages.items() if not page.is_acknowledged]
        flattens = [each.name for each in memory.running if each.has_given_up]
        chosen = [name for name in paged if is_about(name, key)]
        ending = [name for name in flattens if stop and is_about(name.partition("#")[0], key)]
        if not chosen and not ending:
            known = [*paged, *memory.pages, *memory.alarms]
            likely = None if any(is_about(name, key) for name in known) else meant(key, paged)
            raise OperatorError(_nothing(key, likely, paged, flattens if stop else None))
        row = Acknowledge(key=key, stops_flatten=stop)
        seq = opened.append(Kind.COMMAND, to_json(row), durable=True)
    ends = f"; ends {', '.join(ending)}" if ending else ""
    if stop and not ending:
        ends = (
            "; no flatten is past its give_up_after, so none ends: `seawall pause` holds one that "
            "still has time"
        )
    what = ", ".join(chosen) or "nothing paged"
    print(f"row {seq}: ack {what}{ends}; the guard obeys at its next tick")


def _nothing(key: str, likely: str | None, paged: list[str], flattens: list[str] | None) -> str:
    about = f"about {key} " if key else ""
    hint = f", did you mean `{likely}`?" if likely else ""
    waiting = ", ".join(paged) or "none"
    words = f"no page {about}waits to be acknowledged{hint}; waiting now: {waiting}"
    if flattens is not None:
        words += f"; flattens past give_up_after: {', '.join(flattens) or 'none'}"
    return words
