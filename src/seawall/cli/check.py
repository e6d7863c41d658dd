"""`seawall check`: read a rule file and say everything that is wrong with it, before it matters."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from seawall import words
from seawall.cli.look import ChainOption, IndexerOption, NodeOption, SettingsOption
from seawall.cli.place import JournalOption, journal_path, owner_here
from seawall.errors import OperatorError, Problem, RuleFileError
from seawall.measures.spec import Unit
from seawall.policy import Policy
from seawall.rulefile import Known, Loaded, book_allowed, load, warnings_for

DEFAULT_FILE = Path("config/rules.yaml")
REFUSED = 2
DIGEST_SHOWN = 12

app = typer.Typer(add_completion=False)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The rule file.")] = DEFAULT_FILE,
    *,
    account: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Ask a node: names that this account or the venue has not."
        ),
    ] = None,
    settings: SettingsOption = None,
    node: NodeOption = None,
    indexer: IndexerOption = None,
    chain_id: ChainOption = None,
    journal: JournalOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a rule file: exit 0 if it would load, 2 with every problem if not.

    With --account a node is asked, and a market or subaccount that is not there is refused. Held
    markets that no rule reaches are warned of: of that account, else of a guard's last tick. So are
    addresses in notify.urls of the settings that no messenger knows.

    Example: seawall check config/rules.yaml --account dydx1…
    """
    if account is None:
        there = _written_down(journal_path(journal))
    else:
        there = _asked(settings, account, node=node, indexer=indexer, chain_id=chain_id)
    try:
        loaded = load(file, known=there.known)
    except RuleFileError as error:
        _print_refusal(error, file, as_json=as_json)
        raise typer.Exit(REFUSED) from None
    unreached, unknown = warnings_for(loaded.policy, there.held), _unknown_messengers(settings)
    if as_json:
        more = {"unreached": unreached, "unknown_messengers": unknown}
        print(json.dumps(_as_object(loaded, file) | more, indent=2))
        return
    for line in (*summary(loaded, file), *(f"warning: {said}" for said in (*unreached, *unknown))):
        print(line)


def _unknown_messengers(settings: Path | None) -> list[str]:
    """Why addresses in `notify.urls` are none; what else is wrong with settings `run` says."""
    from contextlib import suppress

    from seawall.settings import load_settings

    with suppress(OperatorError):
        urls = load_settings(settings).notify.urls
        if urls:  # Apprise is slow to load
            from seawall.notify.messenger import messengers_of

            return list(messengers_of(urls)[1])
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class _There:
    """What is known of the account: names that exist, and positions by subaccount and market."""

    known: Known
    held: Sequence[tuple[int, str]] = ()


def _asked(
    settings: Path | None,
    account: str,
    *,
    node: str | None,
    indexer: str | None,
    chain_id: str | None,
) -> _There:
    """The account and the venue as a node shows them now; raises VenueUnreachable."""
    import asyncio

    from seawall.cli.look import remembered, settings_for, surveyor

    chosen = settings_for(settings, account, node=node, indexer=indexer, chain_id=chain_id)
    family = remembered(chosen).family

    async def look() -> _There:
        async with surveyor(chosen, family=family) as looking:
            survey = await looking.look()
        seen = survey.observation
        numbers = frozenset((chosen.account.parent, *family, *(s.number for s in seen.subaccounts)))
        known = Known(markets=survey.markets, subaccounts=numbers, owner=seen.owner)
        held = [(s.number, p.ticker) for s in seen.subaccounts for p in s.positions]
        return _There(known=known, held=held)

    return asyncio.run(look())


def _written_down(journal: Path) -> _There:
    """The account as a guard last saw it; only its address, as the settings say, without one."""
    from seawall.account import Observation
    from seawall.cli.latest import last_tick

    row = last_tick(journal)
    if row is None or not isinstance(row.seen, Observation):
        return _There(known=Known(owner=owner_here()))
    held = [(s.number, p.ticker) for s in row.seen.subaccounts for p in s.positions]
    return _There(known=Known(owner=row.seen.owner), held=held)


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
    if (stops := _stops(policy)) is not None:
        lines.append(f"backstop: {stops}")
    return lines + [f"warning: {warning}" for warning in loaded.warnings]


def _stops(policy: Policy) -> str | None:
    """What rests on the chain if the guard dies; None without the block."""
    order = policy.backstop
    if order is None:
        return None
    return (
        f"a stop on the chain closes each position if the guard dies, at {words.percent(order.at)} "
        f"of the way to liquidation, alone or in {order.scenario}, within "
        f"{words.bps(order.slippage)}; none in a subaccount below the chain's equity tier"
    )


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
        "backstop": _stops(policy),
        "book_allowed": None if book is None else f"{book:.4f}",
        "problems": [],
        "warnings": _objects(loaded.warnings),
    }


def _objects(problems: tuple[Problem, ...]) -> list[dict[str, str | int]]:
    return [
        {"file": p.file, "line": p.line, "column": p.column, "message": p.message} for p in problems
    ]
