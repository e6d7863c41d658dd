"""What an owner's permissions let another key sign: composed, read, and judged at their worst.

A permission is a tree of filters stored on the chain under an id. The filters look at little: those
of subaccounts and clob pairs pass every message that is not an order or a cancel, and none looks at
side, size, price or reduce-only. So what counts is whether the key passes *any* of the owner's
permissions with a message, not only the one that it was given. Source: ORDERS.md section 7.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seawall.account import KeyReach
from seawall.errors import MalformedAnswer, OperatorError
from seawall.venue.dydx import fields

ALL_OF, ANY_OF = "AllOf", "AnyOf"
SIGNATURE, MESSAGES = "SignatureVerification", "MessageFilter"
SUBACCOUNTS, CLOB_PAIRS = "SubaccountFilter", "ClobPairIdFilter"

PLACE = "/dydxprotocol.clob.MsgPlaceOrder"
CANCEL = "/dydxprotocol.clob.MsgCancelOrder"
BATCH_CANCEL = "/dydxprotocol.clob.MsgBatchCancel"
TRADING = (PLACE, CANCEL, BATCH_CANCEL)
WITHDRAW = "/dydxprotocol.sending.MsgWithdrawFromSubaccount"
TRANSFER = "/dydxprotocol.sending.MsgCreateTransfer"
DEPOSIT = "/dydxprotocol.sending.MsgDepositToSubaccount"
SEND = "/cosmos.bank.v1beta1.MsgSend"
GRANT = "/dydxprotocol.accountplus.MsgAddAuthenticator"
REVOKE = "/dydxprotocol.accountplus.MsgRemoveAuthenticator"
ANYTHING = "any other message"  # no filter names it, so only a permission without one passes it
BEYOND_TRADING = {
    WITHDRAW: "withdraw from subaccounts",
    TRANSFER: "transfer between subaccounts",
    DEPOSIT: "deposit into anybody's subaccount",
    SEND: "send from the wallet",
    GRANT: "permit further keys",
    REVOKE: "remove permissions",
    ANYTHING: "sign any other message",
}

DATA_BYTES_MOST = 1_024
DEPTH_MOST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A permission as the chain keeps it."""

    id: int
    kind: str
    config: bytes


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of a tree; `members` of AllOf and AnyOf, `config` of the others."""

    kind: str
    config: bytes = b""
    members: tuple[Filter, ...] = ()


class PermissionTooLarge(OperatorError):
    """More markets than fit in one permission; the message says how many do."""


def compose(key: bytes, subaccounts: Iterable[int], clob_pairs: Iterable[int]) -> bytes:
    """The config of the AllOf that confines a public key to placing and cancelling there.

    Raises PermissionTooLarge where the chain would refuse it.
    """
    numbers, pairs = sorted(set(subaccounts)), sorted(set(clob_pairs))
    assert numbers
    assert pairs
    config = _compose(key, numbers, pairs)
    if len(config) > DATA_BYTES_MOST:
        fit = _most_that_fit(key, numbers, pairs)
        raise PermissionTooLarge(
            f"{len(pairs)} markets make a permission of {len(config)} bytes, and the chain takes "
            f"{DATA_BYTES_MOST}: the first {fit} fit with these subaccounts; name fewer with "
            "--markets"
        )
    return config


def _compose(key: bytes, subaccounts: Sequence[int], clob_pairs: Sequence[int]) -> bytes:
    members = (
        (SIGNATURE, key),
        (MESSAGES, ",".join(TRADING).encode()),
        (SUBACCOUNTS, _listed(subaccounts)),
        (CLOB_PAIRS, _listed(clob_pairs)),
    )
    wire = [{"type": kind, "config": base64.b64encode(c).decode()} for kind, c in members]
    return json.dumps(wire, separators=(",", ":")).encode()


def _most_that_fit(key: bytes, subaccounts: Sequence[int], clob_pairs: Sequence[int]) -> int:
    count = len(clob_pairs)
    while count and len(_compose(key, subaccounts, clob_pairs[:count])) > DATA_BYTES_MOST:
        count -= 1
    return count


def _listed(numbers: Iterable[int]) -> bytes:
    return ",".join(str(number) for number in numbers).encode()


def tree_of(kind: str, config: bytes, depth: int = 0) -> Filter:
    """The tree of a permission; what cannot be read is a filter of an unknown kind."""
    if kind not in (ALL_OF, ANY_OF):
        return Filter(kind, config)
    try:
        entries = [_member(entry) for entry in fields.sequence(json.loads(config), kind)]
    except (ValueError, MalformedAnswer):
        return Filter("unreadable", config)
    if depth >= DEPTH_MOST:
        return Filter("too deep", config)
    return Filter(kind, members=tuple(tree_of(name, inner, depth + 1) for name, inner in entries))


def passes(tree: Filter, message: str, key: bytes) -> bool:
    """Whether a message signed by the key may pass for some subaccount and market.

    An unknown filter passes: a key is only called confined where that is certain.
    """
    match tree.kind:
        case "SignatureVerification":
            return tree.config == key
        case "MessageFilter":
            return message in _words(tree.config)
        case "AllOf":
            return all(passes(member, message, key) for member in tree.members)
        case "AnyOf":
            return any(passes(member, message, key) for member in tree.members)
        case _:
            return True


def names(tree: Filter, key: bytes) -> bool:
    """Whether a key's signature is among what a permission asks for."""
    if tree.kind == SIGNATURE:
        return tree.config == key
    return any(names(member, key) for member in tree.members)


def beyond_trading(permissions: Iterable[Permission], key: bytes) -> tuple[str, ...]:
    """What a key can sign beyond placing and cancelling, under any permission of its owner."""
    trees = [tree_of(each.kind, each.config) for each in permissions]
    named = {word for tree in trees for word in _all_words(tree)} - {*TRADING, *BEYOND_TRADING}
    catalogue = {**BEYOND_TRADING, **{word: f"sign {word}" for word in sorted(named)}}
    return tuple(
        what
        for message, what in catalogue.items()
        if any(passes(tree, message, key) for tree in trees)
    )


def is_known_shape(tree: Filter, key: bytes) -> bool:
    """Whether a permission is one that `seawall keys grant` makes, for whatever it names."""
    if tree.kind != ALL_OF:
        return False
    kinds = sorted(member.kind for member in tree.members)
    if kinds != sorted((SIGNATURE, MESSAGES, SUBACCOUNTS, CLOB_PAIRS)):
        return False
    words = next(_words(member.config) for member in tree.members if member.kind == MESSAGES)
    return names(tree, key) and {PLACE, CANCEL} <= words <= set(TRADING)


def reach_of(kind: str, config: bytes, key: bytes) -> KeyReach | None:
    """What an authenticator lets a public key trade; None where it does not name the key.

    Only one signature with filters, all of which hold, is understood.
    """
    tree = tree_of(kind, config)
    if tree.kind == SIGNATURE:
        return KeyReach() if tree.config == key else None
    if tree.kind != ALL_OF or Filter(SIGNATURE, key) not in tree.members:
        return None
    try:
        return KeyReach(
            subaccounts=_allowed(tree.members, SUBACCOUNTS),
            clob_pairs=_allowed(tree.members, CLOB_PAIRS),
        )
    except ValueError:
        return None


def chosen(permissions: Iterable[Permission], key: bytes, wanted: int | None) -> Permission | None:
    """The permission to sign under: the one that was named, else the newest for the key.

    One of the known shape goes before any other, because its reach is certain.
    """
    trees = [(each, tree_of(each.kind, each.config)) for each in permissions]
    if wanted is not None:
        return next((each for each, tree in trees if each.id == wanted and names(tree, key)), None)
    found = [(is_known_shape(tree, key), each.id, each) for each, tree in trees if names(tree, key)]
    return max(found, key=lambda one: one[:2])[2] if found else None


def _member(entry: object) -> tuple[str, bytes]:
    member = fields.mapping(entry, "authenticator")
    config = member.get("config")
    if isinstance(config, str):
        try:
            return fields.text(member, "type"), base64.b64decode(config, validate=True)
        except binascii.Error as error:
            raise MalformedAnswer(f"authenticator config: {error}") from error
    numbers = fields.sequence(config, "config")  # the stock client writes bytes as numbers
    return fields.text(member, "type"), bytes(n for n in numbers if isinstance(n, int))


def _words(config: bytes) -> frozenset[str]:
    return frozenset(config.decode(errors="replace").split(","))


def _all_words(tree: Filter) -> frozenset[str]:
    if tree.kind == MESSAGES:
        return _words(tree.config)
    return frozenset().union(*(_all_words(member) for member in tree.members))


def _allowed(members: Iterable[Filter], kind: str) -> frozenset[int] | None:
    allowed: frozenset[int] | None = None
    for member in members:
        if member.kind == kind:
            words = member.config.decode().split(",")
            named = frozenset(int(number) for number in words if number)
            allowed = named if allowed is None else allowed & named
    return allowed
