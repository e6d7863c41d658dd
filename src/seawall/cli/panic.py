"""`seawall panic`: cancel every order and close every position, with or without a guard."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seawall.cli.place import JournalOption

if TYPE_CHECKING:
    from seawall.cli.closing import Left
    from seawall.decide.memory import Decision, Numbered
    from seawall.journal.queries import Reader
    from seawall.journal.store import Journal
    from seawall.policy import HandsOff
    from seawall.settings import Settings
    from seawall.units import Millis
    from seawall.venue.dydx.connection import Keys
    from seawall.venue.dydx.venue import DydxVenue

app = typer.Typer(add_completion=False)

UNWRITABLE = (
    "without a trace nothing is sent, so nothing more was: run it again with --journal FILE on a "
    "disk that has room, or close by hand"
)


@app.command()
def panic(
    settings: Annotated[
        Path | None, typer.Option(help="The settings file; default config/seawall.toml.")
    ] = None,
    journal: JournalOption = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done; no key is needed.")
    ] = False,
    give_up_after: Annotated[str, typer.Option(help="How long to try: 90s, 5m.")] = "5m",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Cancel every order, close every position, check both on the chain, and stay latched.

    It needs no running guard and is safe beside one: both use the same order ids, so nothing is
    closed twice. Markets and subaccounts under hands_off of the last rule set stay as they are.
    Until `seawall rearm panic` the guard lets no position open. Ends with 1 where something is
    left: run it again, or close by hand.

    Example: seawall panic --dry-run
    """
    from seawall.errors import JournalUnwritable, OperatorError
    from seawall.rulefile.literals import LiteralError, duration
    from seawall.settings import load_settings

    if journal is not None:
        os.environ["SEAWALL_JOURNAL__PATH"] = str(journal)
    try:
        patience = duration(give_up_after)
    except LiteralError as error:
        raise OperatorError(f"--give-up-after {error}") from None
    chosen = load_settings(settings)
    work = _rehearse(chosen) if dry_run else _carry_out(chosen, patience, is_quiet=as_json)
    try:
        actions, left = asyncio.run(work)
    except JournalUnwritable as error:
        raise JournalUnwritable(f"{error}; {UNWRITABLE}") from error
    is_done = not (left.unverified or left.beyond_reach) if dry_run else left.is_done
    if as_json:
        print(json.dumps(_as_object(actions, left, is_done=is_done, is_rehearsal=dry_run)))
    else:
        _print(actions if dry_run else (), left, is_rehearsal=dry_run)
    if not is_done:
        raise typer.Exit(1)


def _as_object(
    actions: Sequence[Numbered], left: Left, *, is_done: bool, is_rehearsal: bool
) -> dict[str, object]:
    """What was or would be sent, and what stands now."""
    return {
        "dry_run": is_rehearsal,
        "ok": is_done,
        "actions": [{"kind": one.action.kind, "what": one.what} for one in actions],
        "positions": list(left.positions),
        "beyond_reach": list(left.beyond_reach),
        "hands_off": list(left.hands_off),
        "orders": list(left.orders),
        "unverified": left.unverified or None,
    }


def _print(would: Sequence[Numbered], left: Left, *, is_rehearsal: bool) -> None:
    from seawall.cli.closing import words_of

    for one in would:
        print(f"would {one.what}")
    if not is_rehearsal or left.unverified or left.hands_off or left.beyond_reach:
        for line in words_of(left):
            print(line)
    other = "other " if left.hands_off else ""
    if is_rehearsal:
        if left.is_done:
            print(f"nothing to do: no {other}position and no {other}order")
    elif left.is_done:
        print(
            f"flat: the chain shows no {other}position and no {other}order; "
            "release with: seawall rearm panic"
        )
    else:
        print("not done: run seawall panic again, or close by hand; a running guard goes on")


async def _carry_out(
    settings: Settings, patience: Millis, *, is_quiet: bool
) -> tuple[Sequence[Numbered], Left]:
    from seawall.cli.closing import close_everything
    from seawall.cli.words import lines_of
    from seawall.errors import SettingsError

    actions: list[Numbered] = []

    def heard(decision: Decision) -> None:
        actions.extend(decision.actions)
        for line in () if is_quiet else lines_of(decision):
            print(line, flush=True)

    keys = _trading(settings)
    if keys is None:
        raise SettingsError(
            "keys.trading is missing: `seawall panic` needs the key that the guard trades with; "
            "set SEAWALL_KEYS__TRADING to a file (chmod 600), or close by hand"
        )
    with _journal(settings) as journal:
        venue = _venue(settings, keys, _family(settings, journal))
        try:
            await venue.start()
            left = await close_everything(
                venue, journal, _hands_off(journal), patience=patience, heard=heard
            )
        finally:
            await venue.close()
    return actions, _with_family(left, venue)


async def _rehearse(settings: Settings) -> tuple[Sequence[Numbered], Left]:
    from seawall.cli.closing import left_of, rehearse
    from seawall.errors import OperatorError
    from seawall.journal.queries import Reader
    from seawall.policy import HandsOff
    from seawall.venue.dydx.connection import Keys

    hands_off, family = HandsOff(), frozenset[int]()
    with suppress(OperatorError), Reader.open(settings.journal.path) as journal:
        hands_off, family = _hands_off(journal), _family(settings, journal)
    # No key is needed; one that is there tells what its permission reaches.
    venue = _venue(settings, _trading(settings) or Keys(), family)
    try:
        await venue.start()
        seen, decision = await rehearse(venue, hands_off)
    finally:
        await venue.close()
    return decision.on_paper, _with_family(left_of(seen, hands_off), venue)


def _trading(settings: Settings) -> Keys | None:
    """The key that the guard trades with; None where the settings name none."""
    from seawall.venue.dydx.connection import Keys
    from seawall.venue.dydx.keys import load_key

    if settings.keys.trading is None:
        return None
    return Keys(trading=load_key(settings.keys.trading, "keys.trading"))


def _family(settings: Settings, journal: Reader) -> frozenset[int]:
    """The guarded children that the journal remembers, to be closed even where nobody lists them.

    Rows that another version wrote tell nothing: a panic must work on its journal too.
    """
    from seawall.account import PARENTS
    from seawall.agent import family_of

    account = settings.account
    with suppress(ValueError):
        numbers = family_of(journal, account.address)
        return frozenset(number for number in numbers if number % PARENTS == account.parent)
    return frozenset()


def _with_family(left: Left, venue: DydxVenue) -> Left:
    """What is left, not verified where children may be held that nobody has told of."""
    if left.unverified or venue.knows_family:
        return left
    return replace(
        left,
        unverified="the indexer lists no subaccounts and no guard remembers any, so isolated "
        "positions may be open in children that were not looked at",
    )


def _venue(settings: Settings, keys: Keys, family: frozenset[int]) -> DydxVenue:
    from seawall.venue.dydx.connection import Connection
    from seawall.venue.dydx.venue import DydxVenue

    return DydxVenue(
        Connection(
            chain_id=settings.venue.chain_id,
            owner=settings.account.address,
            nodes=settings.venue.nodes,
            indexers=settings.venue.indexers,
            feeds=settings.venue.feeds,
            parent=settings.account.parent,
            children=tuple(family),
            trading_authenticator=settings.keys.trading_authenticator,
            step_url=settings.venue.step_url,
            at_any_age=True,
            guard="panic",
        ),
        keys,
    )


def _journal(settings: Settings) -> Journal:
    """The guard's journal, joined beside it; a new one where there is none."""
    from seawall.journal.store import Journal

    place, spill = settings.journal.path, settings.journal.spill
    if place.exists():
        return Journal.join(place, spill=spill)
    return Journal.open(place, spill=spill)


def _hands_off(journal: Reader) -> HandsOff:
    """What the last rule set keeps its hands off; nothing where no guard has ever started.

    Read by itself, because a panic must work on a journal of another version too.
    """
    from seawall.agent import Kind
    from seawall.arming import RULES
    from seawall.journal.codec import from_json
    from seawall.policy import HandsOff

    rows = [row for kind in (Kind.START, RULES) if (row := journal.last(kind)) is not None]
    row = max(rows, key=lambda one: one.seq, default=None)
    if row is None or row.body is None:
        return HandsOff()
    return from_json(HandsOff, json.dumps(json.loads(row.body)["policy"]["hands_off"]))
