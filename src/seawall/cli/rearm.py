"""`seawall rearm`: release a rule that is latched until you say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from seawall.cli.place import JournalOption, journal_path

if TYPE_CHECKING:
    from seawall.decide.memory import Memory
    from seawall.journal.store import Journal

app = typer.Typer(add_completion=False)


@app.command()
def rearm(
    rule: Annotated[str, typer.Argument(help="RULE, or RULE/INSTANCE such as liq-move/0/BTC-USD.")],
    journal: JournalOption = None,
) -> None:
    """Release what a rule has latched; the guard obeys at its next tick.

    A level whose limit is still broken is not latched yet but firing, and stays so. A drawdown ends
    only with `seawall rebase`, which accepts the loss: rebase first, then rearm.

    Example: seawall rearm account-drawdown
    """
    from seawall.agent import Kind, restore
    from seawall.alarm import Phase
    from seawall.cli.words import meant
    from seawall.decide import panic
    from seawall.decide.commands import is_about
    from seawall.decide.memory import Rearm
    from seawall.errors import OperatorError
    from seawall.journal.codec import to_json
    from seawall.journal.store import Journal

    with Journal.join(journal_path(journal)) as opened:
        memory, through = restore(opened)
        latched = [
            key
            for key, held in memory.alarms.items()
            if any(state.phase is Phase.LATCHED for state in held.levels)
            or (key == panic.KEY and not panic.is_running(memory))
        ]
        if panic.KEY not in latched and _waits_for_panic(opened, through):
            latched.append(panic.KEY)
        chosen = [key for key in latched if is_about(key, rule)]
        if not chosen:
            known = ", ".join(latched) if latched else "nothing is latched"
            firing = ", ".join(key for key in _firing(memory) if is_about(key, rule))
            if firing:
                raise OperatorError(
                    f"{firing} still fires: its limit is broken, so there is no latch to release "
                    f"yet; latched now: {known}. `seawall rules` shows how far it is. It latches "
                    f"once the limit is kept; a drawdown is kept again once you accept the loss "
                    f"with `seawall rebase`. Then rearm"
                )
            is_known = any(is_about(key, rule) for key in memory.alarms)
            likely = None if is_known else meant(rule, latched)
            hint = f", did you mean `{likely}`?" if likely else ""
            raise OperatorError(f"{rule} is not latched{hint}; latched now: {known}")
        seq = opened.append(Kind.COMMAND, to_json(Rearm(key=rule)), durable=True)
    print(f"row {seq}: rearm {', '.join(chosen)}; the guard obeys at its next tick")


def _firing(memory: Memory) -> list[str]:
    """The instances that fire, and so are not latched."""
    return [
        key
        for key, held in memory.alarms.items()
        if any(state.phase.is_firing for state in held.levels)
    ]


def _waits_for_panic(journal: Journal, through: int) -> bool:
    """Whether a panic was asked for that no guard has taken up yet, since none runs."""
    from seawall.agent import Kind
    from seawall.decide.memory import Command, Panic, Rearm
    from seawall.journal.codec import from_json

    waits = False
    for row in journal.rows(Kind.COMMAND, after=through):
        command: Command = from_json(Command, row.body or "")
        match command:
            case Panic():
                waits = True
            case Rearm(key=key) if key == "panic":
                waits = False
            case _:
                pass
    return waits
