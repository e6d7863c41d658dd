"""`seawall rules`: every rule with where it stands, how far it is from acting, and since when."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seawall.cli.place import JournalOption, journal_path

if TYPE_CHECKING:
    from seawall.agent import TickRow
    from seawall.policy import Policy, Rule

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One instance of a rule: its level and phase, value, distance, and how long it stands so."""

    rule: str
    state: str
    value: str
    distance: str
    age: str
    numbers: dict[str, object] = field(default_factory=dict)  # the same for programs


@app.command("rules")
def list_rules(
    rules: Annotated[Path, typer.Option(help="The rule file.")] = Path("config/rules.yaml"),
    journal: JournalOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the rules with state, distance and age, as the guard last wrote them down.

    Example: seawall rules --rules config/rules.yaml
    """
    from seawall.cli.latest import aged, last_tick, when
    from seawall.cli.stops import NOT_ASKED_FOR
    from seawall.rulefile import load

    loaded = load(rules)
    row = last_tick(journal_path(journal))
    lines = [line for rule in loaded.policy.rules for line in _lines(rule, loaded.policy, row)]
    stops, stop_objects = _stops(loaded.policy, row)
    if as_json:
        at = None if row is None else when(row)
        said = {"at": at, "rules": [_as_object(line) for line in lines], "backstops": stop_objects}
        print(json.dumps(said, indent=2))
        return
    for text in _columns([*lines, *stops]):
        print(text)
    if loaded.policy.backstop is None and not stops:
        print(f"backstop: {NOT_ASKED_FOR}")
    if row is None:
        print("no numbers: no guard has written a tick that can be read here")
    elif row.digest != loaded.digest:
        print(f"at {when(row)}{aged(row)}, by a guard that runs other rules than {rules}")
    else:
        print(f"at {when(row)}{aged(row)}")


def _lines(rule: Rule, policy: Policy, row: TickRow | None) -> Iterator[Line]:
    """The instances of a rule; the rule alone where nothing is known of it."""
    from seawall.cli.latest import view_of
    from seawall.cli.rule_object import instance_object
    from seawall.rulefile.explain import distance, value_words, values

    view = None if row is None else view_of(row, policy)
    found = {} if view is None else values(rule, policy, view)
    if row is None or not found:
        state = "unknown" if view is None else "nothing in scope"
        yield Line(rule=rule.id, state=state, value="", distance="", age="")
        return
    for key, value in found.items():
        state, age = _state(rule, row, key)
        level = next((one for one in rule.levels if _is_ahead(rule, row, key, one.name)), None)
        yield Line(
            rule=key,
            state=state,
            value=value_words(rule, value),
            distance=distance(rule, level or rule.levels[-1], value),
            age=age,
            numbers=instance_object(
                rule, key, value, row.after.alarms.get(key), row.after.at or row.seen.seen_at
            ),
        )


def _stops(
    policy: Policy, row: TickRow | None
) -> tuple[list[Line], list[dict[str, object]] | None]:
    """The stops on the chain as lines, and for programs; None where nothing is known of them."""
    from seawall.cli.latest import view_of
    from seawall.cli.stops import stop_objects, stop_reports, stop_rows

    view = None if row is None else view_of(row, policy)
    if view is None:
        return [], None
    reports = stop_reports(view, policy)
    lines = [
        Line(rule=name, state=state, value=what, distance=away, age=age)
        for name, state, what, away, age in stop_rows(reports, view.observation, policy)
    ]
    return lines, stop_objects(reports, view.observation)


def _columns(lines: Sequence[Line]) -> Iterator[str]:
    rows = [(line.rule, line.state, line.value, line.distance, line.age) for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, widths, strict=True)
        yield "  ".join(cell.ljust(width) for cell, width in cells).rstrip()


def _as_object(line: Line) -> dict[str, object]:
    """The sentences of a line, and its numbers beside them; `number` is the value's own."""
    said: dict[str, object] = asdict(line)
    del said["numbers"]
    more = {name: one for name, one in line.numbers.items() if name not in ("instance", "value")}
    return said | {"number": line.numbers.get("value")} | more


def _state(rule: Rule, row: TickRow, key: str) -> tuple[str, str]:
    """The highest level that is not clear with its phase, and for how long it has fired."""
    from seawall import words
    from seawall.units import SECOND, Millis

    held = row.after.alarms.get(key)
    rank = None if held is None else held.highest
    if held is None or rank is None or rank >= len(rule.levels):
        return "clear", ""
    state = held.levels[rank]
    now = row.after.at
    said = f"{rule.levels[rank].name} {state.phase}"
    if not state.phase.is_standing or state.fired_at is None or now is None:
        return said, f"for {words.duration(Millis(state.held // SECOND * SECOND))}"
    return said, f"for {words.duration(Millis((now - state.fired_at) // SECOND * SECOND))}"


def _is_ahead(rule: Rule, row: TickRow, key: str, level: str) -> bool:
    """Whether a level does not fire yet."""
    held = row.after.alarms.get(key)
    if held is None:
        return True
    rank = [one.name for one in rule.levels].index(level)
    return rank >= len(held.levels) or not held.levels[rank].phase.is_standing
