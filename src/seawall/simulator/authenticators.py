"""Permissioned keys: what an owner lets another key sign, as the chain's accountplus module does.

A permission is a tree of filters stored under a global id. The filters look at little, and their
holes are the chain's: a subaccount or clob pair filter passes every message that is not an order
or a cancel, and none looks at side, size, price, reduce-only or a deposit's recipient. Source:
reference ORDERS.md section 7.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from seawall.simulator.messages import (
    ACCEPTED,
    AddAuthenticator,
    BatchCancel,
    CancelOrder,
    CheckResult,
    Deposit,
    KeyMessage,
    Message,
    PlaceOrder,
    RemoveAuthenticator,
    Send,
    Transfer,
    UpdateLeverage,
    Withdraw,
)

DATA_BYTES_MOST = 1_024
PUBLIC_KEY_BYTES = 33
LEAST_MEMBERS = 2

NOT_FOUND = 1
TOO_LARGE = 3
INACTIVE = 4
UNFIT = 5

TYPE_URLS: Mapping[type[Message], str] = {
    PlaceOrder: "/dydxprotocol.clob.MsgPlaceOrder",
    CancelOrder: "/dydxprotocol.clob.MsgCancelOrder",
    BatchCancel: "/dydxprotocol.clob.MsgBatchCancel",
    UpdateLeverage: "/dydxprotocol.clob.MsgUpdateLeverage",
    Deposit: "/dydxprotocol.sending.MsgDepositToSubaccount",
    Withdraw: "/dydxprotocol.sending.MsgWithdrawFromSubaccount",
    Transfer: "/dydxprotocol.sending.MsgCreateTransfer",
    Send: "/cosmos.bank.v1beta1.MsgSend",
    AddAuthenticator: "/dydxprotocol.accountplus.MsgAddAuthenticator",
    RemoveAuthenticator: "/dydxprotocol.accountplus.MsgRemoveAuthenticator",
}


class Unfit(Exception):
    """A permission that the chain does not register; the text says why."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Passes what the named key has signed."""

    public_key: bytes


@dataclass(frozen=True, slots=True)
class MessageTypes:
    """Passes messages of the named kinds."""

    urls: frozenset[str]


@dataclass(frozen=True, slots=True)
class Subaccounts:
    """Passes orders and cancels of the named subaccounts, and everything that is neither."""

    numbers: frozenset[int]


@dataclass(frozen=True, slots=True)
class ClobPairs:
    """Passes orders and cancels of the named markets, and everything that is neither."""

    ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Passes what every member passes."""

    members: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Passes what one member passes."""

    members: tuple[Filter, ...]


Filter = Signature | MessageTypes | Subaccounts | ClobPairs | AllOf | AnyOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A registered authenticator: its global id, its wire form, and what it means."""

    id: int
    kind: str
    config: bytes
    rule: Filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A message with the key that signed it; a simulation needs no signature."""

    message: Message
    public_key: bytes
    is_simulated: bool = False


class Permissions:
    """The permissions of every owner; `is_active` is governance's switch over all of them."""

    def __init__(self) -> None:
        self.by_owner: dict[str, tuple[Permission, ...]] = {}
        self.is_active = True
        self._next_id = 0

    def carry_out(self, message: KeyMessage) -> CheckResult:
        """Add or remove a permission in its block; while they are switched off, do neither."""
        if not self.is_active:
            log = "smart account authentication flow is not active: unauthorized"
            return CheckResult(code=4, codespace="sdk", log=log)
        match message:
            case AddAuthenticator():
                return self._add(message)
            case RemoveAuthenticator():
                return self._remove(message)
            case _:
                assert_never(message)

    def copy(self) -> Permissions:
        """The same, to try a change on."""
        other = Permissions()
        other.by_owner, other.is_active = dict(self.by_owner), self.is_active
        other._next_id = self._next_id
        return other

    def has(self, owner: str, number: int) -> bool:
        """Whether an owner has the permission of that id, and permissions are switched on."""
        return self.is_active and any(one.id == number for one in self.by_owner.get(owner, ()))

    def refused(self, owner: str, selected: int, signed: Signed) -> CheckResult | None:
        """Why a key may not sign a message under a permission; None where it may."""
        if not self.is_active:
            return _refusal(INACTIVE, "smart account is not active")
        for permission in self.by_owner.get(owner, ()):
            if permission.id == selected:
                code = broken(permission.rule, signed)
                if code == 0:
                    return None
                return _refusal(code, f"authentication failed for authenticator {selected}")
        return _refusal(NOT_FOUND, f"authenticator {selected} not found for {owner}")

    def _add(self, message: AddAuthenticator) -> CheckResult:
        try:
            rule = parse(message.kind, message.data)
        except Unfit as error:
            return _refusal(UNFIT, f"error initializing authenticator: {error}")
        if not needs_signature(rule):
            log = "error initializing authenticator: a path needs no signature"
            return _refusal(UNFIT, log)
        permission = Permission(id=self._next_id, kind=message.kind, config=message.data, rule=rule)
        self._next_id += 1
        known = self.by_owner.get(message.sender, ())
        self.by_owner[message.sender] = (*known, permission)
        return ACCEPTED

    def _remove(self, message: RemoveAuthenticator) -> CheckResult:
        known = self.by_owner.get(message.sender, ())
        left = tuple(one for one in known if one.id != message.id)
        if left == known:
            log = f"authenticator {message.id} not found for {message.sender}"
            return _refusal(NOT_FOUND, log)
        self.by_owner[message.sender] = left
        return ACCEPTED


def refuse_data(message: AddAuthenticator) -> CheckResult | None:
    """The refusal of a permission that is too large, before any state is asked."""
    if len(message.data) <= DATA_BYTES_MOST:
        return None
    return _refusal(TOO_LARGE, f"data of {len(message.data)} bytes exceed {DATA_BYTES_MOST}")


def parse(kind: str, data: bytes) -> Filter:
    """The meaning of a permission's wire form; raises Unfit."""
    match kind:
        case "SignatureVerification":
            if len(data) != PUBLIC_KEY_BYTES:
                raise Unfit(f"a public key has {PUBLIC_KEY_BYTES} bytes, got {len(data)}")
            return Signature(data)
        case "MessageFilter":
            return MessageTypes(frozenset(_words(data)))
        case "SubaccountFilter":
            return Subaccounts(_numbers(data))
        case "ClobPairIdFilter":
            return ClobPairs(_numbers(data))
        case "AllOf":
            return AllOf(_members(data))
        case "AnyOf":
            return AnyOf(_members(data))
        case _:
            raise Unfit(f"authenticator type {kind} is not registered")


def needs_signature(rule: Filter) -> bool:
    """Whether nothing passes without a signature, whichever way is taken."""
    match rule:
        case Signature():
            return True
        case AllOf():
            return any(map(needs_signature, rule.members))
        case AnyOf():
            return all(map(needs_signature, rule.members))
        case MessageTypes() | Subaccounts() | ClobPairs():
            return False
        case _:
            assert_never(rule)


def broken(rule: Filter, signed: Signed) -> int:
    """The chain's code for the rule that a message breaks; 0 where it passes."""
    match rule:
        case Signature():
            return 0 if signed.is_simulated or signed.public_key == rule.public_key else 100
        case MessageTypes():
            return 0 if TYPE_URLS[type(signed.message)] in rule.urls else 101
        case ClobPairs():
            return 0 if clob_pairs(signed.message) <= rule.ids else 102
        case Subaccounts():
            number = _subaccount(signed.message)
            return 0 if number is None or number in rule.numbers else 103
        case AllOf():
            return 104 if any(broken(one, signed) for one in rule.members) else 0
        case AnyOf():
            return 105 if all(broken(one, signed) for one in rule.members) else 0
        case _:
            assert_never(rule)


def _refusal(code: int, log: str) -> CheckResult:
    return CheckResult(code=code, codespace="dydxaccountplus", log=log)


def _words(data: bytes) -> list[str]:
    try:
        return data.decode().split(",")
    except UnicodeDecodeError as error:
        raise Unfit("the list is not text") from error


def _numbers(data: bytes) -> frozenset[int]:
    try:
        return frozenset(map(int, _words(data)))
    except ValueError as error:
        raise Unfit("the list is not of whole numbers") from error


def _members(data: bytes) -> tuple[Filter, ...]:
    try:
        listed = json.loads(data)
        wires = [(str(m["type"]), base64.b64decode(m["config"], validate=True)) for m in listed]
    except (ValueError, TypeError, KeyError) as error:
        raise Unfit("members are not a list of type and config") from error
    if len(wires) < LEAST_MEMBERS:
        raise Unfit(f"a composition has two members at least, got {len(wires)}")
    return tuple(parse(kind, config) for kind, config in wires)


def _subaccount(message: Message) -> int | None:
    match message:
        case PlaceOrder() | CancelOrder():
            return message.order_id.subaccount.number
        case BatchCancel():
            return message.subaccount.number
        case _:
            return None


def clob_pairs(message: Message) -> frozenset[int]:
    """The markets that an order or a cancel names; none for any other message."""
    match message:
        case PlaceOrder() | CancelOrder():
            return frozenset({message.order_id.clob_pair_id})
        case BatchCancel():
            return frozenset(pair for pair, _ in message.cancels)
        case _:
            return frozenset()
