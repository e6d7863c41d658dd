"""The command line: a table of verbs, each imported only when it is called.

A verb's module has an `app` of typer: one command, or several where the verb is a group. Everything
raised on purpose ends here as a line on stderr and the exit code of its kind (errors.py).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from seawall import __version__
from seawall.errors import SeawallError

INTERRUPTED = 130
REFUSED = 2


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb, the module that carries it out, and its line in `seawall --help`."""

    name: str
    module: str
    help: str


VERBS = (
    Verb("demo", "seawall.cli.demo", "Play a crash over a guarded and an unguarded account."),
    Verb("check", "seawall.cli.check", "Check a rule file and list everything that is wrong."),
    Verb("init", "seawall.cli.init", "Write rules and their tests from three answers."),
    Verb("explain", "seawall.cli.explain", "Say in words what a rule does, and how far it is."),
    Verb("test", "seawall.cli.test", "Play the tests of a rule file."),
    Verb("rules", "seawall.cli.rules", "List rules with state, distance and age."),
    Verb("plan", "seawall.cli.plan", "Show what would be done now, or if prices moved."),
    Verb("status", "seawall.cli.status", "Show margins, liquidation bands and rules; no key."),
    Verb("stress", "seawall.cli.stress", "Show what your scenarios would leave; no key."),
    Verb("run", "seawall.cli.run", "Guard an account; on paper unless told --live."),
    Verb("reload", "seawall.cli.reload", "Put the saved rule file in force."),
    Verb("panic", "seawall.cli.panic", "Cancel every order and close every position, now."),
    Verb("pause", "seawall.cli.pause", "Let the guard send nothing for a while."),
    Verb("rearm", "seawall.cli.rearm", "Release a rule that is latched until you say so."),
    Verb("ack", "seawall.cli.ack", "Stop repeating a page that you have read."),
    Verb("health", "seawall.cli.health", "Say whether the guard is well."),
    Verb("rebase", "seawall.cli.rebase", "Measure drawdown from the value of now."),
    Verb("keys", "seawall.cli.keys", "Make, permit, prove and revoke the guard's keys."),
    Verb("audit", "seawall.cli.audit", "Read the journal, and prove that nobody changed it."),
    Verb("venue", "seawall.cli.venue", "Run a small dYdX of your own on this machine."),
    Verb("simulate", "seawall.cli.simulate", "Play bad days from seeds and judge the guard."),
)

app = typer.Typer(
    name="seawall",
    help="An unattended risk guard for accounts on dYdX v4.",
    add_completion=False,
    no_args_is_help=True,
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"seawall {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """An unattended risk guard for accounts on dYdX v4."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one verb and end the process with its exit code."""
    if sys.flags.optimize:
        fail(
            "Python runs with -O, which takes out the assertions that are part of the program; "
            "start it without -O and without PYTHONOPTIMIZE",
            REFUSED,
        )
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        command_line(given)(args=given, prog_name="seawall")
    except SeawallError as error:
        fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except ImportError as error:
        # A compiled module that is interrupted while it loads wraps the interrupt.
        if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
            sys.exit(INTERRUPTED)
        raise
    sys.exit(0)


def fail(message: str, exit_code: int) -> NoReturn:
    """Say what went wrong on stderr, each line with our name, and end the process."""
    for line in message.splitlines():
        print(f"seawall: {line}", file=sys.stderr)
    sys.exit(exit_code)


def command_line(arguments: Sequence[str]) -> TyperGroup:
    """Every verb by name and help, and the one that is called with its module."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    called = next((word for word in arguments if not word.startswith("-")), None)
    for verb in VERBS:
        if verb.name == called:
            command = typer.main.get_command(import_module(verb.module).app)
            command.name = verb.name
        else:
            command = TyperCommand(name=verb.name, help=verb.help)
        group.add_command(command)
    return group
