"""`seawall explain`: one rule in words, with the numbers of now where a guard has run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seawall.cli.place import JournalOption, journal_path

if TYPE_CHECKING:
    from seawall.agent import TickRow
    from seawall.measures.view import View
    from seawall.policy import Policy, Rule

app = typer.Typer(add_completion=False)

BACKSTOP = "backstop"  # the block of the rule file, explained as a rule is
NO_NUMBERS = "no numbers: no guard has written a tick that can be read here"


@app.command()
def explain(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule's id, or backstop.")],
    rules: Annotated[Path, typer.Option(help="The rule file.")] = Path("config/rules.yaml"),
    journal: JournalOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what a rule does, what it leaves alone, how far it is from acting, what would clear it.

    `seawall explain backstop` says the same of the stops on the chain.

    Example: seawall explain account-drawdown
    """
    from seawall.cli.latest import last_tick
    from seawall.errors import OperatorError
    from seawall.rulefile import load
    from seawall.rulefile.explain import describe
    from seawall.rulefile.report import did_you_mean

    policy = load(rules).policy
    found = next((one for one in policy.rules if one.id == rule), None)
    if found is None and rule == BACKSTOP:
        _explain_stops(policy, last_tick(journal_path(journal)), as_json=as_json)
        return
    if found is None:
        known = [*(one.id for one in policy.rules), BACKSTOP]
        raise OperatorError(f"{rules}: no rule `{rule}`, {did_you_mean(rule, known)}")
    row = last_tick(journal_path(journal))
    words, now = list(describe(found, policy)), list(_now(found, policy, row))
    if as_json:
        said = {"rule": rule, "why": found.why, "words": words, "now": now}
        print(json.dumps(said | _numbers(found, policy, row), indent=2))
        return
    for line in (*words, *now):
        print(line)


def _explain_stops(policy: Policy, row: TickRow | None, *, as_json: bool) -> None:
    """What the stops on the chain are for, and which rest as of the last recorded tick."""
    from seawall.cli.latest import view_of, when
    from seawall.cli.stops import describe, stop_lines, stop_objects, stop_reports

    said = list(describe(policy))
    view = None if row is None else view_of(row, policy)
    reports = () if view is None else stop_reports(view, policy)
    now, at = [NO_NUMBERS], None
    if row is not None and view is not None:
        at = when(row)
        shown = stop_lines(reports, view.observation, policy) if policy.backstop else ()
        now = [f"at {at}:", *(f"{place}  {what}" for place, what in shown)]
    if as_json:
        objects = None if view is None else stop_objects(reports, view.observation)
        print(json.dumps({"words": said, "at": at, "backstops": objects}, indent=2))
        return
    for line in (*said, *now):
        print(line)


def _now(rule: Rule, policy: Policy, row: TickRow | None) -> Iterator[str]:
    """The numbers of the last recorded tick; only caps and buffer where there is none."""
    from seawall.cli.latest import view_of, when
    from seawall.rulefile.explain import capacity, distance, value_words, values

    view = None if row is None else view_of(row, policy)
    held = _held(view)
    yield from capacity(rule, policy, view, held)
    if row is None or view is None:
        yield NO_NUMBERS
        return
    yield f"at {when(row)}:"
    found = values(rule, policy, view)
    if not found:
        yield f"{rule.id}: nothing in its scope"
    for key, value in found.items():
        yield f"{key}: {value_words(rule, value)}"
        for level in rule.levels:
            yield f"  {level.name}: {distance(rule, level, value)}"


def _held(view: View | None) -> tuple[str, ...]:
    """Markets with a position, each once."""
    if view is None:
        return ()
    every = (p.ticker for one in view.observation.subaccounts for p in one.positions)
    return tuple(dict.fromkeys(every))


def _numbers(rule: Rule, policy: Policy, row: TickRow | None) -> dict[str, object]:
    """The same for programs: the rule as written, what stands behind it, its instances now."""
    from seawall.cli.latest import view_of, when
    from seawall.cli.rule_object import capacity_object, instance_object, rule_object
    from seawall.rulefile.explain import needs_capacity, untouched, values

    view = None if row is None else view_of(row, policy)
    found = rule_object(rule) | {"leaves_alone": list(untouched(rule, policy))}
    if needs_capacity(rule):
        found["capacity"] = capacity_object(policy, view, _held(view))
    if row is None or view is None:
        return found | {"at": None, "instances": []}
    now = row.after.at or view.observation.at
    return found | {
        "at": when(row),
        "instances": [
            instance_object(rule, key, value, row.after.alarms.get(key), now)
            for key, value in values(rule, policy, view).items()
        ],
    }
