"""Which key signs which action; what cannot be signed is a reply that says why."""

from __future__ import annotations

import secrets
from typing import assert_never

from seawall.action import Action, Backstop, Cancel, Reduce, TopUp
from seawall.units import Millis
from seawall.venue import Reply
from seawall.venue.dydx.connection import Connection, Keys
from seawall.venue.dydx.key_state import KeyState, Permit, permit_of
from seawall.venue.dydx.orders import Signer, sign_cancel, sign_reduce, sign_stop, sign_top_up

NONCES_APART = 1_000  # ms
REFUSED_HERE = "seawall"  # the codespace of what never left this machine


class Signatory:
    """Signs actions for one owner with the trading and the float key."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        self._keys = keys
        self._nonce = Millis(0)
        self._apart = secrets.randbelow(NONCES_APART)

    @property
    def permit(self) -> KeyState | Permit:
        """Whose permission to look for on the chain, or the state of what needs none."""
        connection = self._connection
        return permit_of(self._keys.trading, connection.owner, connection.trading_authenticator)

    def sign(
        self,
        action: Action,
        *,
        account_number: int | None,
        authenticator: int | None,
        height: int,
        at: Millis,
    ) -> bytes | Reply:
        """The signed transaction, or a reply where a key, number or permission is missing.

        `height` and `at` are the newest block's; `account_number` is the owner's, `authenticator`
        the permission under which a key that is not the owner's signs.
        """
        match action:
            case TopUp():
                return self._top_up(action)
            case Reduce() | Cancel() | Backstop():
                signer = self._trading(account_number, authenticator)
                if isinstance(signer, Reply):
                    return signer
                owner = self._connection.owner
                if isinstance(action, Reduce):
                    return sign_reduce(signer, owner, action)
                # Within 30 s of the chain's clock, and unique (ORDERS.md section 5.4): two guards
                # that sign with one key at one block time must not pick the same one.
                self._nonce = Millis(max(at + self._apart, self._nonce + 1))
                if isinstance(action, Backstop):
                    return sign_stop(signer, owner, action, self._nonce)
                return sign_cancel(signer, owner, action, height, self._nonce)
            case _:
                assert_never(action)

    def _top_up(self, action: TopUp) -> bytes | Reply:
        key = self._keys.float_wallet
        if key is None:
            return _refused("there is no float key: set keys.float")
        signer = Signer(
            chain_id=self._connection.chain_id, key=key, account_number=action.account_number
        )
        return sign_top_up(signer, self._connection.owner, action)

    def _trading(self, account_number: int | None, authenticator: int | None) -> Signer | Reply:
        key = self._keys.trading
        if key is None:
            return _refused("there is no trading key: set keys.trading")
        if account_number is None:
            return _refused("the owner's account number is not read yet")
        is_owner = key.address == self._connection.owner
        if not is_owner and authenticator is None:
            return _refused("the owner has given the trading key no permission: run keys grant")
        return Signer(
            chain_id=self._connection.chain_id,
            key=key,
            account_number=account_number,
            authenticator=None if is_owner else authenticator,
        )


def _refused(reason: str) -> Reply:
    return Reply(code=1, codespace=REFUSED_HERE, log=reason)
