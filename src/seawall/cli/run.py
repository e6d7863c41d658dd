"""`seawall run`: guard an account, on paper unless told otherwise."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seawall.policy import Mode
from seawall.units import Millis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seawall.agent import Agent
    from seawall.arming import Armoury
    from seawall.decide.memory import Decision
    from seawall.journal.store import Journal
    from seawall.policy import Policy
    from seawall.rulefile.load import Loaded
    from seawall.settings import Settings
    from seawall.venue import Venue
    from seawall.venue.dydx.connection import Connection, Keys
    from seawall.venue.dydx.keys import Key
    from seawall.venue.dydx.venue import DydxVenue

app = typer.Typer(add_completion=False)

BOOKS_WAIT_S = 1.0  # of the five in which a guard that starts must protect
BOOKS_EVERY = Millis(50)


@dataclass(frozen=True, slots=True, kw_only=True)
class Starting:
    """How a guard is to start, as given on the command line."""

    rules: Path
    mode: Mode
    arms: bool
    allows_wide_key: bool


@app.command()
def run(
    rules: Annotated[Path, typer.Option(help="The rule file.")] = Path("config/rules.yaml"),
    settings: Annotated[
        Path | None, typer.Option(help="The settings file; default config/seawall.toml.")
    ] = None,
    address: Annotated[str, typer.Option(help="Guard this address instead of the file's.")] = "",
    journal: Annotated[
        Path | None, typer.Option(help="Write the journal here instead of where the file says.")
    ] = None,
    *,
    live: Annotated[
        bool, typer.Option("--live/--dry-run", help="Send actions, or only write them down.")
    ] = False,
    allow_wide_key: Annotated[
        bool,
        typer.Option("--allow-wide-key", help="Run --live with a key that can do more than trade."),
    ] = False,
    arm: Annotated[
        bool, typer.Option("--arm", help="With --live: act at once, if the rules say so.")
    ] = False,
) -> None:
    """Guard an account: watch its margin, judge it by the rules, act where one is broken.

    Dry-run is the default: nothing is sent and no key is needed, any address will do. A rule set
    that would act the moment it goes live is shown with its cost and stays out unless --arm.

    Example: seawall run --address dydx1… --rules config/rules.yaml
    """
    from seawall.cli.unguarded import told_of_its_end

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    if address:
        os.environ["SEAWALL_ACCOUNT__ADDRESS"] = address
    if journal is not None:
        os.environ["SEAWALL_JOURNAL__PATH"] = str(journal)
    mode = Mode.LIVE if live else Mode.DRY_RUN
    starting = Starting(rules=rules, mode=mode, arms=arm, allows_wide_key=allow_wide_key)
    with told_of_its_end(settings) if live else nullcontext():
        _run(settings, starting)


def _run(settings: Path | None, starting: Starting) -> None:
    from seawall.notify.messenger import refuse_unknown
    from seawall.rulefile.fields import Known
    from seawall.rulefile.load import load
    from seawall.settings import load_settings

    chosen = load_settings(settings)
    if not chosen.journal.path.exists():  # nothing is made for a broken file or a wrong key
        refuse_unknown(chosen.notify.urls)
        known = Known(owner=chosen.account.address)
        _keys(chosen, load(starting.rules, known=known).policy, starting.mode)
    asyncio.run(_guard(chosen, starting))


async def _guard(settings: Settings, starting: Starting) -> None:
    from seawall.agent import Agent, check_owner, family_of
    from seawall.arming import Armoury, load_or_last
    from seawall.journal.lock import alone
    from seawall.journal.store import Journal
    from seawall.venue.dydx.venue import DydxVenue

    owner, rules, mode = settings.account.address, starting.rules, starting.mode
    if mode is Mode.LIVE:
        await _check_key(settings, starting)
    elif not settings.journal.path.exists():
        await _check_reach(settings)
    chain_id, parent = settings.venue.chain_id, settings.account.parent
    path, spill = settings.journal.path, settings.journal.spill
    with alone(path), Journal.open(path, spill=spill) as journal:
        check_owner(journal, owner, chain_id=chain_id, parent=parent)
        loaded = load_or_last(rules, journal, owner, mode)
        chosen = settings.plan
        policy = replace(loaded.policy, cash_price=chosen.cash_price, is_standby=chosen.standby)
        loaded = replace(loaded, policy=policy)
        for warning in (*loaded.warnings, *_without_float_key(settings, loaded.policy, mode)):
            print(f"warning: {warning}", flush=True)
        keys = _keys(settings, loaded.policy, mode)
        family = family_of(journal, owner)
        venue = DydxVenue(_connection(settings, loaded.policy, family), keys)
        try:
            await venue.start()
            await _preflight(venue, journal)
            if mode is Mode.LIVE:
                loaded = await _admit(venue, journal, loaded, starting, owner)
            agent = Agent.resume(
                venue,
                journal,
                loaded.policy,
                digest=loaded.digest,
                mode=mode,
                owner=owner,
                chain_id=chain_id,
                parent=parent,
            )
            if (ledger := agent.memory.ledger) is not None:
                held = {p.ticker for one in ledger.holdings.values() for p in one.positions}
                venue.go_on_from(ledger.height, held)
            if settings.venue.step_url is None:  # a played venue shows books before its next block
                await hear_books(venue)
            _announce(settings, loaded, agent)
            await _stand_guard(settings, venue, agent, Armoury(rules, agent, owner))
        finally:
            await venue.close()
    print("stopped; orders on the chain stand as they are")


async def hear_books(venue: Venue) -> None:
    """Wait for the books of what is held, about `BOOKS_WAIT_S` at most.

    What is cut without is dearer, and may be another market than a second guard cuts that has them.
    Fills are waited for likewise: what a second guard has cut meanwhile is not to be cut again.
    """
    from seawall.account import Missing, Observation

    loop = asyncio.get_running_loop()
    until = loop.time() + BOOKS_WAIT_S
    while loop.time() < until and isinstance(seen := await venue.observe(), Observation):
        held = {p.ticker for one in seen.subaccounts for p in one.positions}
        if held <= seen.advice.books.keys() and not isinstance(seen.advice.fills, Missing):
            return
        await venue.wait_for_change(BOOKS_EVERY)


async def _stand_guard(
    settings: Settings, venue: DydxVenue, agent: Agent, armoury: Armoury
) -> None:
    """Guard until told to stop, and tell people and watchers what happens."""
    from seawall.cli.outward import outward_of
    from seawall.cli.unreached import Unreached
    from seawall.daemon import guard

    unreached = Unreached()
    async with outward_of(settings, agent.journal) as outward:
        is_first = True

        def heard(decision: Decision) -> None:
            nonlocal is_first
            _say(decision)
            for said in unreached.new(agent.policy, agent.memory):
                print(f"warning: {said}", flush=True)
            outward.note_tick(decision, agent.memory)
            if is_first:
                _forget_what_is_loaded()
            is_first = False

        await guard(
            agent,
            venue,
            keep=settings.journal.keep,
            is_played=settings.venue.step_url is not None,
            heard=heard,
            heartbeat=outward.beat,
            armoury=armoury,
        )


def _forget_what_is_loaded() -> None:
    """Keep the libraries, loaded by the first tick, out of every later collection of garbage.

    The oldest garbage is collected once it is a quarter of what lives: with the libraries among
    that, hours of ticks, which looks like a leak and ends in one long pause.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # counts anew what lives


async def _admit(
    venue: DydxVenue, journal: Journal, loaded: Loaded, starting: Starting, owner: str
) -> Loaded:
    """The armed rule set to act live by; raises NotArmed where there is none."""
    from seawall.agent import restore
    from seawall.arming import admit

    memory, _ = restore(journal)
    return await admit(venue, journal, memory, loaded, owner=owner, arms=starting.arms)


def _keys(settings: Settings, policy: Policy, mode: Mode) -> Keys:
    """The keys to sign with: none on paper. Raises SettingsError where one is missing or wrong."""
    from seawall.venue.dydx.connection import Keys
    from seawall.venue.dydx.keys import check_float_key, load_key

    if mode is Mode.DRY_RUN:
        return Keys()
    trading = _trading_key(settings)
    wallet = None
    if settings.keys.float_wallet is not None and policy.float_source is not None:
        wallet = load_key(settings.keys.float_wallet, "keys.float")
        check_float_key(wallet, policy.float_source.address)
    return Keys(trading=trading, float_wallet=wallet)


def _without_float_key(settings: Settings, policy: Policy, mode: Mode) -> Iterator[str]:
    """That no top-up can be signed, where the rules ask for one and it would be sent."""
    from seawall.policy import TopUpUntil

    levels = [
        f"{rule.id}/{level.name}"
        for rule in policy.rules
        for level in rule.levels
        if any(isinstance(do, TopUpUntil) for do in level.do)
    ]
    if mode is Mode.LIVE and levels and settings.keys.float_wallet is None:
        yield (
            f"keys.float is missing: {', '.join(levels)} cannot top up, every deposit will be "
            "refused; set SEAWALL_KEYS__FLOAT to the float wallet's key (a file, chmod 600)"
        )


def _trading_key(settings: Settings) -> Key:
    from seawall.errors import SettingsError
    from seawall.venue.dydx.keys import load_key

    if settings.keys.trading is None:
        raise SettingsError(
            "keys.trading is missing: `run --live` needs a key that may place and cancel; "
            "set SEAWALL_KEYS__TRADING to a file (chmod 600), or run without --live"
        )
    return load_key(settings.keys.trading, "keys.trading")


def _connection(settings: Settings, policy: Policy, family: tuple[int, ...]) -> Connection:
    from seawall.account import PARENTS
    from seawall.venue.dydx.connection import Connection

    source, parent = policy.float_source, settings.account.parent
    return Connection(
        chain_id=settings.venue.chain_id,
        owner=settings.account.address,
        nodes=settings.venue.nodes,
        indexers=settings.venue.indexers,
        feeds=settings.venue.feeds,
        parent=parent,
        children=tuple(number for number in family if number % PARENTS == parent),
        float_address=None if source is None else source.address,
        trading_authenticator=settings.keys.trading_authenticator,
        step_url=settings.venue.step_url,
    )


async def _check_reach(settings: Settings) -> None:
    """Raise VenueUnreachable or SettingsError before a journal is made for nothing."""
    from seawall.venue.dydx.desk import Desk

    async with Desk(settings.venue.nodes, settings.account.address) as desk:
        await desk.check_chain(settings.venue.chain_id)


async def _check_key(settings: Settings, starting: Starting) -> None:
    """Raise SettingsError for a trading key that can do too much, or nothing.

    A guard that ran before starts without a permission too: it can still top up, and page. So it
    does where no node answers, and is blind until one does.
    """
    from seawall.errors import VenueUnreachable
    from seawall.venue.dydx.desk import Desk
    from seawall.venue.dydx.key_state import KeyState, permit_of
    from seawall.venue.dydx.preflight import refuse_wide_key, refuse_without_permission

    owner, wanted = settings.account.address, settings.keys.trading_authenticator
    is_first = not settings.journal.path.exists()
    permit = permit_of(_trading_key(settings), owner, wanted)
    try:
        async with Desk(settings.venue.nodes, owner) as desk:
            await desk.check_chain(settings.venue.chain_id)
            state = await desk.key_state(permit)
    except VenueUnreachable:
        if is_first:
            raise
        if not isinstance(permit, KeyState):
            return
        state = permit
    is_played = settings.venue.step_url is not None  # there is nothing to steal
    if not starting.allows_wide_key and not is_played:
        refuse_wide_key(state)
    if is_first:
        refuse_without_permission(state)


async def _preflight(venue: DydxVenue, journal: Journal) -> None:
    """Refuse a wrong chain or account; where no node answers only a guard that ran here begins.

    A machine that reboots while the node is down is guarded from the first block it sees, and its
    owner hears that it is blind.
    """
    from seawall.agent import Kind
    from seawall.errors import VenueUnreachable

    try:
        await venue.preflight()
    except VenueUnreachable as error:
        if journal.last(Kind.START) is None:
            raise
        print(f"warning: blind until a node answers: {error}", flush=True)


def _announce(settings: Settings, loaded: Loaded, agent: Agent) -> None:
    from seawall.cli.words import standing
    from seawall.decide.standby import WAIT_BLOCKS

    levels = sum(len(rule.levels) for rule in loaded.policy.rules)
    what = "actions are sent" if agent.mode is Mode.LIVE else "nothing is sent"
    if agent.mode is Mode.LIVE and agent.policy.is_standby:
        what = f"a standby, acts where the first guard has not for {WAIT_BLOCKS} blocks"
    account = f"{settings.account.address}/{settings.account.parent}"
    print(f"seawall guards {account}, {agent.mode}: {what}")
    print(f"rules   {len(loaded.policy.rules)} rules, {levels} levels, set {loaded.digest[:12]}")
    for line in standing(agent.memory, agent.journal.now()):
        print(line)
    print(f"journal {settings.journal.path}  (read it: seawall audit list)", flush=True)


def _say(decision: Decision) -> None:
    """One line for each thing that a person at the terminal would want to see."""
    from seawall.cli.words import lines_of

    for line in lines_of(decision):
        print(line, flush=True)
