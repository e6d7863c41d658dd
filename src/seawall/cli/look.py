"""One look at an address, without a key: how the verbs that only read come to what they show."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from seawall import words
from seawall.errors import OperatorError, RuleFileError, SettingsError, VenueError
from seawall.measures.spec import NoData, Unit, Value

if TYPE_CHECKING:
    from seawall.account import Observation
    from seawall.measures.ledger import Ledger
    from seawall.policy import Policy
    from seawall.settings import Settings
    from seawall.venue.dydx.survey import Survey, Surveyor

AddressArgument = Annotated[
    str | None,
    typer.Argument(metavar="[ADDRESS]", help="Whose account; default account.address."),
]
RulesOption = Annotated[Path | None, typer.Option(help="The rule file; default config/rules.yaml.")]
SettingsOption = Annotated[
    Path | None, typer.Option(help="The settings file; default config/seawall.toml.")
]
NodeOption = Annotated[
    str | None, typer.Option(metavar="URL", help="Ask this node instead of the settings' own.")
]
IndexerOption = Annotated[
    str | None, typer.Option(metavar="URL", help="Ask this indexer instead of the settings' own.")
]
ChainOption = Annotated[
    str | None, typer.Option("--chain-id", help="The chain of that node, dydx-mainnet-1 if unsaid.")
]
WatchOption = Annotated[bool, typer.Option("--watch", help="Look again and again until Ctrl-C.")]
EveryOption = Annotated[int, typer.Option(min=1, help="Seconds between looks with --watch.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one line of JSON per look.")]

RULES_FILE = Path("config/rules.yaml")
CLEAR_SCREEN = "\x1b[2J\x1b[H"


class Shown(Protocol):
    """What one look shows, for people and for programs."""

    def lines(self) -> Iterable[str]:
        """The look as text."""

    def as_object(self) -> Mapping[str, object]:
        """The look as JSON, decimals as strings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the guard's journal knows of an owner: subaccounts seen, and the NAV it keeps."""

    family: tuple[int, ...] = ()
    ledger: Ledger | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A rule file for a look: its policy, or why there is none. `place` is how it is called."""

    policy: Policy | None
    place: str
    note: str = ""


def settings_for(
    file: Path | None,
    address: str | None,
    *,
    node: str | None = None,
    indexer: str | None = None,
    chain_id: str | None = None,
) -> Settings:
    """The settings with what the command line says instead; raises SettingsError."""
    from seawall.settings import address_fault, load_settings

    if address is not None and (fault := address_fault(address)):
        raise SettingsError(fault)
    said = {
        "SEAWALL_ACCOUNT__ADDRESS": address,
        "SEAWALL_VENUE__NODES": node,
        "SEAWALL_VENUE__INDEXERS": indexer,
        "SEAWALL_VENUE__CHAIN_ID": chain_id,
    }
    os.environ.update({name: value for name, value in said.items() if value is not None})
    return load_settings(file)


def rules_for(file: Path | None) -> Rules:
    """The rule file that was named, else the default one where it is there.

    A named file that is refused raises RuleFileError. A default one does not keep anybody from
    looking: the note says that it is refused.
    """
    from seawall.rulefile import load

    if file is not None:
        return Rules(policy=load(file).policy, place=str(file))
    if not RULES_FILE.is_file():
        return Rules(policy=None, place=str(RULES_FILE), note=f"{RULES_FILE}: no such file")
    try:
        return Rules(policy=load(RULES_FILE).policy, place=str(RULES_FILE))
    except RuleFileError as error:
        count = len(error.problems)
        note = f"{RULES_FILE} is refused with {count} problem(s), see seawall check: no rules shown"
        return Rules(policy=None, place=str(RULES_FILE), note=note)


def remembered(settings: Settings) -> Remembered:
    """What the journal of the settings knows of their owner; nothing where there is no journal."""
    from seawall.agent import Kind, family_of, restore
    from seawall.errors import JournalError
    from seawall.journal.queries import Reader

    owner = settings.account.address
    try:
        with Reader.open(settings.journal.path) as reader:
            family = family_of(reader, owner)
            start = reader.last(Kind.START)
            is_his = start is not None and start.body is not None and owner in start.body
            return Remembered(family=family, ledger=restore(reader)[0].ledger if is_his else None)
    except (OperatorError, JournalError):
        return Remembered()


def surveyor(
    settings: Settings,
    *,
    family: Iterable[int] = (),
    markets: Iterable[str] = (),
    float_address: str | None = None,
) -> Surveyor:
    """Who looks at the settings' account; `markets` are read even where nothing is held in them."""
    from seawall.account import PARENTS
    from seawall.venue.dydx.connection import Connection
    from seawall.venue.dydx.survey import Surveyor

    parent = settings.account.parent
    connection = Connection(
        chain_id=settings.venue.chain_id,
        owner=settings.account.address,
        nodes=settings.venue.nodes,
        indexers=settings.venue.indexers,
        feeds=settings.venue.feeds,
        parent=parent,
        children=tuple(number for number in family if number % PARENTS == parent),
        markets=frozenset(markets),
        float_address=float_address,
    )
    return Surveyor(connection, is_played=settings.venue.step_url is not None)


async def observe(
    settings: Settings,
    address: str | None = None,
    *,
    markets: Iterable[str] = (),
    float_address: str | None = None,
) -> Observation:
    """The newest state of an address (default: the settings' own) with its children.

    The feed is not opened and no step is taken in a venue that plays prices; books of held markets
    and resting orders are asked of the indexer. Raises as `Surveyor.look`, and SettingsError for a
    malformed address.
    """
    from seawall.settings import address_fault

    owner = settings.account.address if address is None else address
    if fault := address_fault(owner):
        raise SettingsError(fault)
    account = settings.account.model_copy(update={"address": owner})
    chosen = settings.model_copy(update={"account": account})
    family = remembered(chosen).family
    async with surveyor(
        chosen, family=family, markets=markets, float_address=float_address
    ) as looking:
        return (await looking.look()).observation


async def show(
    make: Callable[[], Surveyor],
    portray: Callable[[Survey], Shown],
    *,
    as_json: bool,
    every_s: int | None,
) -> None:
    """Look and print, once or every so many seconds until interrupted; `make` needs the loop.

    A look that fails ends it; with `every_s` it is said instead of numbers, and tried again.
    """
    async with make() as looking:
        while True:
            try:
                survey = await looking.look()
                _print(portray(survey), as_json=as_json, clears=every_s is not None)
            except VenueError as error:
                if every_s is None:
                    raise
                _print(_Blind(str(error)), as_json=as_json, clears=True)
            if every_s is None:
                return
            await asyncio.sleep(every_s)


@dataclass(frozen=True, slots=True)
class _Blind:
    """A look that failed: nothing but the reason."""

    reason: str

    def lines(self) -> Iterable[str]:
        """The reason, first and alone."""
        return (f"BLIND: {self.reason}",)

    def as_object(self) -> Mapping[str, object]:
        """The reason as JSON."""
        return {"blind": self.reason}


def _print(shown: Shown, *, as_json: bool, clears: bool) -> None:
    if as_json:
        print(json.dumps(shown.as_object()), flush=True)
        return
    if clears and sys.stdout.isatty():
        print(CLEAR_SCREEN, end="")
    for line in shown.lines():
        print(line)
    if clears and not sys.stdout.isatty():
        print()
    sys.stdout.flush()


def number(value: Value) -> str | None:
    """A value for JSON, every digit of it; None where there is no data."""
    if isinstance(value, NoData):
        return None
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def shown(value: Value, unit: Unit) -> str:
    """A value for people, rounded."""
    return "no data" if isinstance(value, NoData) else words.show(value, unit)


def table(rows: Iterable[Iterable[str]], *, is_left: bool = False) -> list[str]:
    """Rows of cells as indented lines: the first column to the left, the others to the right."""
    cells = [list(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if at == 0 or is_left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
