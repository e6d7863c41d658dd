"""`seawall rebase`: take the value of now as the peak that drawdown is measured from."""

from __future__ import annotations

import typer

from seawall.cli.place import JournalOption, journal_path

app = typer.Typer(add_completion=False)


@app.command()
def rebase(journal: JournalOption = None) -> None:
    """Set the peak of profit and loss to the net asset value of now, at the guard's next tick.

    What was lost so far is no drawdown from then on: use it when you have accepted the loss. The
    losses of the day stay as they are.

    Example: seawall rebase
    """
    from seawall.agent import Kind, restore
    from seawall.decide.memory import Rebase
    from seawall.errors import OperatorError
    from seawall.journal.codec import to_json
    from seawall.journal.store import Journal

    with Journal.join(journal_path(journal)) as opened:
        memory, _ = restore(opened)
        if memory.ledger is None:
            raise OperatorError(
                "there is no peak to rebase: this journal holds no observation of an account yet; "
                "start the guard with seawall run"
            )
        seq = opened.append(Kind.COMMAND, to_json(Rebase()), durable=True)
    print(f"row {seq}: rebase the peak to the value of now; the guard obeys at its next tick")
