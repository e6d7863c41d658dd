"""The owner's side of `seawall keys`: whose transaction it is, and how it gets signed and sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from google.protobuf.message import Message

from seawall.errors import OperatorError, SettingsError
from seawall.settings import Settings
from seawall.venue.dydx.desk import Desk, Given
from seawall.venue.dydx.grants import Payer, signed, unsigned_document, written
from seawall.venue.dydx.keys import Key, load_key
from seawall.venue.dydx.orders import Signer
from seawall.venue.dydx.permission import Permission, names, tree_of

PUBLIC_KEY_BYTES = 33


class Owner:
    """The guarded owner with the key to sign with, if it is here, and the account's numbers."""

    def __init__(
        self,
        settings: Settings,
        source: str | None,
        *,
        account_number: int | None,
        sequence: int | None,
    ) -> None:
        """Raise SettingsError for a key that is not the owner's, OperatorError for half a pair."""
        if (account_number is None) is not (sequence is None):
            raise OperatorError("--account-number and --sequence are given together or not at all")
        self.address = settings.account.address
        self._settings = settings
        self._key = None if source is None else _owners_key(source, self.address)
        self._payer: Payer | None = None
        if account_number is not None and sequence is not None:
            self._payer = Payer(
                chain_id=settings.venue.chain_id,
                account_number=account_number,
                sequence=sequence,
            )

    @property
    def is_offline(self) -> bool:
        """Whether everything needed was given, so that no node is asked."""
        return self._payer is not None

    def refuse_offline(self, option: str) -> None:
        """Raise OperatorError where a node would be needed; `option` says it without one."""
        if self.is_offline:
            raise OperatorError(f"without a node say it yourself: {option}")

    def desk(self) -> Desk:
        """The chain to ask and tell."""
        return Desk(self._settings.venue.nodes, self.address)

    async def settle(
        self, desk: Desk, message: Message, *, send: bool, is_done: Callable[[Given], bool]
    ) -> Given | None:
        """Print the transaction unsigned or signed, or broadcast it: then what the chain shows."""
        if self._key is None:
            if send:
                raise OperatorError("--send needs the owner's key: name it with --owner")
            print(unsigned_document(message, self._payer))
            return None
        payer = await self._payer_of(desk)
        signer = Signer(chain_id=payer.chain_id, key=self._key, account_number=payer.account_number)
        encoded = signed(signer, message, payer)
        if not send:
            print(written(encoded))
            return None
        return await desk.carry_out(encoded, is_done)

    async def _payer_of(self, desk: Desk) -> Payer:
        if self._payer is not None:
            return self._payer
        chain_id = self._settings.venue.chain_id
        await desk.check_chain(chain_id)
        account = (await desk.given()).account
        return Payer(chain_id=chain_id, account_number=account.number, sequence=account.sequence)


def trading_key(settings: Settings, public_key: str | None) -> bytes:
    """The public key that is permitted: the one given, else the one of keys.trading."""
    if public_key is not None:
        try:
            key = bytes.fromhex(public_key)
        except ValueError:
            key = b""
        if len(key) != PUBLIC_KEY_BYTES or key[0] not in (2, 3):
            raise OperatorError(
                f"--public-key: {PUBLIC_KEY_BYTES} bytes in hexadecimal that begin with 02 or 03 "
                "expected, as `keys new` prints them"
            )
        return key
    if settings.keys.trading is None:
        raise SettingsError(
            "keys.trading is missing: make a key with `keys new`, then set SEAWALL_KEYS__TRADING "
            "to its file or give its --public-key"
        )
    key_here = load_key(settings.keys.trading, "keys.trading")
    if key_here.address == settings.account.address:
        raise SettingsError(
            "keys.trading is the owner's own key, which can do everything: make another with "
            "`keys new`"
        )
    return key_here.public_key


async def clob_pairs(text: str, desk: Desk | None) -> tuple[int, ...]:
    """The clob pair ids of a list of tickers or ids; tickers need a node."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise OperatorError("--markets is missing: name what the key may trade, BTC-USD,ETH-USD")
    if all(word.isdecimal() for word in words):
        return tuple(int(word) for word in words)
    if desk is None:
        raise OperatorError(
            "--markets: without a node give clob pair ids, such as 0,1 (the venue lists them)"
        )
    known = await desk.markets()
    if unknown := [word for word in words if word not in known and not word.isdecimal()]:
        raise OperatorError(
            f"--markets: {', '.join(unknown)} not listed on this chain; listed are "
            f"{', '.join(sorted(known)[:20])}{', …' if len(known) > 20 else ''}"
        )
    return tuple(int(word) if word.isdecimal() else known[word] for word in words)


def numbers(text: str) -> tuple[int, ...]:
    """The subaccount numbers of a list; raises OperatorError."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if bad := [word for word in words if not word.isdecimal()]:
        raise OperatorError(f"--subaccounts: {', '.join(bad)} is no number; write 0,128")
    return tuple(int(word) for word in words)


def permission_to_revoke(permissions: Iterable[Permission], key: bytes) -> int:
    """The one permission of a key; raises OperatorError where it has none or several."""
    found = [each.id for each in permissions if names(tree_of(each.kind, each.config), key)]
    if not found:
        raise OperatorError("the trading key has no permission: nothing to take back")
    if len(found) > 1:
        ids = ", ".join(str(number) for number in found)
        raise OperatorError(f"the trading key has several permissions ({ids}): say which by --id")
    return found[0]


def _owners_key(source: str, owner: str) -> Key:
    key = load_key(source, "--owner")
    if key.address != owner:
        raise SettingsError(
            f"--owner signs for {key.address}, but account.address is {owner}: name that key"
        )
    return key
