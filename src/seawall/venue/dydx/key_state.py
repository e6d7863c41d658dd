"""How the trading key stands on the chain: its permission, what it reaches, and what is wrong.

Read with the slow parameters, every minute. A read that fails is no fault of the key: the reach is
missing then, and the next reading says.
"""

from __future__ import annotations

from dataclasses import dataclass

from v4_proto.dydxprotocol.accountplus.query_pb2 import (
    GetAuthenticatorsRequest,
    GetAuthenticatorsResponse,
    QueryParamsRequest,
    QueryParamsResponse,
)

from seawall.account import KeyReach, Missing
from seawall.errors import VenueError
from seawall.venue.dydx.keys import Key
from seawall.venue.dydx.permission import (
    Permission,
    beyond_trading,
    chosen,
    is_known_shape,
    reach_of,
    tree_of,
)
from seawall.venue.dydx.rpc import Method, Wire

AUTHENTICATORS = Method(
    "/dydxprotocol.accountplus.Query/GetAuthenticators", GetAuthenticatorsResponse
)
ACCOUNTPLUS_PARAMS = Method("/dydxprotocol.accountplus.Query/Params", QueryParamsResponse)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """The trading key at one height; `faults` are words for a person, none where all is well."""

    reach: KeyReach | Missing
    authenticator: int | None = None  # the permission to sign under; None for the owner's own key
    beyond: tuple[str, ...] = ()  # what the key can sign beyond placing and cancelling
    faults: tuple[str, ...] = ()
    is_unread: bool = False  # the chain was not asked, or did not answer


NO_KEY = KeyState(reach=Missing(reason="no trading key"))
OWNERS_OWN = KeyState(
    reach=KeyReach(), beyond=("do everything, because it is the owner's own key",)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Whose permission is looked for; `wanted` is its id where the settings name one."""

    owner: str
    address: str
    key: bytes
    wanted: int | None = None


def permit_of(key: Key | None, owner: str, wanted: int | None) -> KeyState | Permit:
    """Whose permission to look for on the chain, or the state of what needs none."""
    if key is None:
        return NO_KEY
    if key.address == owner:
        return OWNERS_OWN
    return Permit(owner=owner, address=key.address, key=key.public_key, wanted=wanted)


async def read_key_state(wire: Wire, permit: Permit, height: int) -> KeyState:
    """The state of a key that is not the owner's own; never raises for a failed read."""
    try:
        permissions = await read_permissions(wire, permit.owner, height)
        params = await wire.read(ACCOUNTPLUS_PARAMS, QueryParamsRequest(), height)
    except VenueError as error:
        return KeyState(
            reach=Missing(reason=f"permissions of the trading key: {error}"),
            authenticator=permit.wanted,
            is_unread=True,
        )
    return judge(permissions, permit, is_active=params.params.is_smart_account_active)


async def read_permissions(wire: Wire, owner: str, height: int) -> tuple[Permission, ...]:
    """Every permission that an owner has given; raises VenueError."""
    answer = await wire.read(AUTHENTICATORS, GetAuthenticatorsRequest(account=owner), height)
    return tuple(
        Permission(id=each.id, kind=each.type, config=bytes(each.config))
        for each in answer.account_authenticators
    )


def judge(permissions: tuple[Permission, ...], permit: Permit, *, is_active: bool) -> KeyState:
    """The state of a key under its owner's permissions."""
    permission = chosen(permissions, permit.key, permit.wanted)
    faults = [] if is_active else [_switched_off()]
    if permission is None:
        missing = _missing(permit)
        return KeyState(
            reach=Missing(reason=missing),
            authenticator=permit.wanted,
            beyond=beyond_trading(permissions, permit.key),
            faults=(*faults, missing),
        )
    beyond = beyond_trading(permissions, permit.key)
    reach = reach_of(permission.kind, permission.config, permit.key)
    if not is_known_shape(tree_of(permission.kind, permission.config), permit.key):
        faults.append(
            f"permission {permission.id} of the trading key has another shape than `keys grant` "
            "gives it, so what it allows is not certain: grant it anew and revoke this one"
        )
    return KeyState(
        reach=Missing(reason=f"permission {permission.id} is not understood")
        if reach is None
        else reach,
        authenticator=permission.id,
        beyond=beyond,
        faults=tuple(faults),
    )


def _switched_off() -> str:
    return (
        "smart accounts are switched off on this chain by governance, so the trading key cannot "
        "sign: act with the owner's key until they are back"
    )


def _missing(permit: Permit) -> str:
    which = "no permission" if permit.wanted is None else f"no permission {permit.wanted}"
    return (
        f"{permit.owner} has given the trading key {permit.address} {which}: run `keys grant`, or "
        "act with the owner's key"
    )
