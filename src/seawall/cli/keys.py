"""`seawall keys`: make keys, permit the trading key to trade and no more, prove and revoke it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from seawall.cli.owner import Owner
    from seawall.settings import Settings
    from seawall.venue.dydx.desk import Desk, Given

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Make, permit, prove and revoke the guard's keys.\n\nExample: seawall keys check",
)

SettingsOption = Annotated[
    Path | None, typer.Option("--settings", help="The settings file.", show_default=False)
]
OwnerOption = Annotated[
    str | None,
    typer.Option(
        "--owner",
        help="Where the owner's key is: a 0600 file, env:VARIABLE or keyring:SERVICE/USER. "
        "Without it the transaction is printed unsigned.",
        show_default=False,
    ),
]
SendOption = Annotated[
    bool, typer.Option("--send", help="Broadcast it and wait for the chain to show it.")
]
CarryOption = Annotated[
    Path | None,
    typer.Option(
        "--signed",
        help="Broadcast what an earlier call printed with --owner, signed elsewhere.",
        show_default=False,
    ),
]
NumberOption = Annotated[
    int | None,
    typer.Option("--account-number", help="Of the owner; with --sequence no node is asked."),
]
SequenceOption = Annotated[int | None, typer.Option("--sequence", help="Of the owner.")]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--public-key",
        help="The trading key's public key in hexadecimal, where keys.trading is elsewhere.",
        show_default=False,
    ),
]


@app.command()
def new(
    place: Annotated[
        str, typer.Argument(help="A file that is not there yet, or keyring:SERVICE/USER.")
    ],
) -> None:
    """Make a key of its own, for trading or for the float wallet, and show its address.

    The secret is 24 words in a file that only you can read; it is shown nowhere.

    Example: seawall keys new trading.key
    """
    from seawall.venue.dydx.keys import load_key, new_secret, store_secret

    store_secret(place, new_secret())
    key = load_key(place, "the new key")
    print(f"address     {key.address}")
    print(f"public key  {key.public_key.hex()}")
    print(f"secret      {place}; make a copy on paper if money will be at this address")


@app.command()
def grant(
    *,
    markets: Annotated[
        str, typer.Option(help="Markets to trade, separated by commas: tickers, or clob pair ids.")
    ] = "",
    subaccounts: Annotated[
        str, typer.Option(help="Subaccounts to trade for; default the guarded parent.")
    ] = "",
    owner: OwnerOption = None,
    send: SendOption = False,
    signed: CarryOption = None,
    public_key: KeyOption = None,
    account_number: NumberOption = None,
    sequence: SequenceOption = None,
    settings: SettingsOption = None,
) -> None:
    """Permit the trading key to place and cancel in these subaccounts and markets, and no more.

    The owner signs once. Without --owner the transaction is printed as JSON to be signed elsewhere
    (`dydxprotocold tx sign`); with it the signed transaction is printed, or broadcast by --send. A
    market that is listed later needs a new grant.

    Example: seawall keys grant --markets BTC-USD,ETH-USD --owner owner.key --send
    """
    from seawall.cli.owner import Owner, clob_pairs, numbers, trading_key
    from seawall.venue.dydx.grants import add_message
    from seawall.venue.dydx.permission import compose

    chosen = _settings(settings)
    party = Owner(chosen, owner, account_number=account_number, sequence=sequence)
    encoded = _read(signed, party)

    async def act() -> None:
        async with party.desk() as desk:
            if encoded is not None:
                await _carry(desk, encoded, "permission given")
                return
            pairs = await clob_pairs(markets, None if party.is_offline else desk)
            whose = numbers(subaccounts) or (chosen.account.parent,)
            config = compose(trading_key(chosen, public_key), whose, pairs)
            before = () if party.is_offline else (await desk.given()).permissions
            message = add_message(chosen.account.address, config)
            given = await party.settle(desk, message, send=send, is_done=_has_more(len(before)))
            if given is not None:
                newest = max(each.id for each in given.permissions)
                print(f"permission {newest} given; prove it: seawall keys check")

    asyncio.run(act())


@app.command()
def revoke(
    *,
    number: Annotated[
        int | None, typer.Option("--id", help="The permission; default the trading key's own.")
    ] = None,
    owner: OwnerOption = None,
    send: SendOption = False,
    signed: CarryOption = None,
    public_key: KeyOption = None,
    account_number: NumberOption = None,
    sequence: SequenceOption = None,
    settings: SettingsOption = None,
) -> None:
    """Take a permission back. Orders that are on the chain already stay: cancel them yourself.

    Example: seawall keys revoke --owner owner.key --send
    """
    from seawall.cli.owner import Owner, permission_to_revoke, trading_key
    from seawall.venue.dydx.grants import remove_message

    chosen = _settings(settings)
    party = Owner(chosen, owner, account_number=account_number, sequence=sequence)
    encoded = _read(signed, party)

    async def act() -> None:
        async with party.desk() as desk:
            if encoded is not None:
                await _carry(desk, encoded, "permission taken back")
                return
            found = number
            if found is None:
                party.refuse_offline("--id")
                key = trading_key(chosen, public_key)
                found = permission_to_revoke((await desk.given()).permissions, key)
            message = remove_message(chosen.account.address, found)
            given = await party.settle(desk, message, send=send, is_done=_has_not(found))
            if given is not None:
                print(f"permission {found} taken back; stateful orders that it placed still stand")

    asyncio.run(act())


@app.command()
def check(
    public_only: Annotated[
        bool, typer.Option("--read-only", help="Read the permissions and try nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    settings: SettingsOption = None,
) -> None:
    """Prove on the chain that the trading key can trade, and cannot move money.

    It tries to withdraw, transfer, deposit and send a millionth of a dollar from the owner to the
    owner; the chain must refuse each by its permission, which costs nothing. Exit code 0 if it
    does and the permission names nothing else, 1 if not.

    Example: seawall keys check
    """
    from seawall.cli.keys_report import examine, lines_of, object_of

    report = asyncio.run(examine(_settings(settings), tries=not public_only))
    if as_json:
        print(json.dumps(object_of(report), indent=2))
    else:
        for line in lines_of(report):
            print(line)
    if not report.is_well:
        raise typer.Exit(1)


def _settings(path: Path | None) -> Settings:
    from seawall.settings import load_settings

    return load_settings(path)


async def _carry(desk: Desk, encoded: bytes, words: str) -> None:
    before = (await desk.given()).permissions
    await desk.carry_out(encoded, lambda given: given.permissions != before)
    print(f"{words}; prove it: seawall keys check")


def _read(file: Path | None, party: Owner) -> bytes | None:
    """The signed transaction of a file, `-` for standard input; None where there is no file."""
    from seawall.errors import OperatorError
    from seawall.venue.dydx.grants import read_signed

    if file is None:
        return None
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        return read_signed(text, party.address)
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{file}: cannot be read: {error}") from None
    except OperatorError as error:
        raise OperatorError(f"{file}: {error}") from None


def _has_more(before: int) -> Callable[[Given], bool]:
    return lambda given: len(given.permissions) > before


def _has_not(number: int) -> Callable[[Given], bool]:
    return lambda given: all(each.id != number for each in given.permissions)
