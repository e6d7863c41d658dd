"""Permissioned keys: what an owner lets another key sign, as the chain's accountplus module does.

A permission is a tree of filters stored under a global id. The filters look at little, and their
holes are the chain's: a subaccount or clob pair filter passes every message that is not an order
or a cancel, and none looks at side, size, price, reduce-only or a deposit's recipient. Source:
reference ORDERS.md section 7.
"""

from __future__ import annotations

import base64
import json
import re
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

KINDS = (
    "SignatureVerification",
    "MessageFilter",
    "SubaccountFilter",
    "ClobPairIdFilter",
    "AllOf",
    "AnyOf",
)
NUMBER = re.compile(r"[0-9]+")
NUMBERS_BELOW = 2**32

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
    """A permission that the chain does not register; `result` is the answer to give."""

    def __init__(self, result: CheckResult) -> None:
        self.result = result
        super().__init__(result.log)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Passes nothing: the chain registers such filters unread and fails where they are used."""

    why: str


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
    rule: Filter | Unreadable


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
                if isinstance(permission.rule, Unreadable):
                    log = f"authenticator {selected} failed to initialize: {permission.rule.why}"
                    return _undefined(log)
                code = broken(permission.rule, signed)
                if code == 0:
                    return None
                return _refusal(code, f"authentication failed for authenticator {selected}")
        return _refusal(NOT_FOUND, f"authenticator {selected} not found for {owner}")

    def _add(self, message: AddAuthenticator) -> CheckResult:
        kind, data = message.kind, message.data
        if kind not in KINDS:
            return _undefined(f"authenticator type {kind} is not registered")
        try:
            is_safe = needs_signature(kind, data)
        except Unfit as unfit:
            return unfit.result
        if not is_safe:
            log = "authenticator tree does not require signature verification all possible paths"
            return _undefined(f"unsafe: {log}, type = {kind}")
        try:
            rule: Filter | Unreadable = parse(kind, data)
        except ValueError as error:
            rule = Unreadable(str(error))
        permission = Permission(id=self._next_id, kind=kind, config=data, rule=rule)
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


def needs_signature(kind: str, data: bytes) -> bool:
    """Whether nothing passes a permission unsigned; raises Unfit where it is not registered.

    Keys and compositions are read here, lists only where they are used (v4-chain,
    OnAuthenticatorAdded).
    """
    match kind:
        case "SignatureVerification":
            if len(data) != PUBLIC_KEY_BYTES:
                log = f"expected {PUBLIC_KEY_BYTES}, got {len(data)}"
                raise Unfit(_undefined(f"invalid secp256k1 public key size, {log}"))
            return True
        case "AllOf":
            return any(_signed_members(data))
        case "AnyOf":
            return all(_signed_members(data))
        case _:
            return False


def parse(kind: str, data: bytes) -> Filter:
    """The meaning of a registered permission; raises ValueError where a list cannot be read."""
    match kind:
        case "SignatureVerification":
            return Signature(data)
        case "MessageFilter":
            return MessageTypes(frozenset(_words(data)))
        case "SubaccountFilter":
            return Subaccounts(_numbers(data))
        case "ClobPairIdFilter":
            return ClobPairs(_numbers(data))
        case "AllOf":
            return AllOf(tuple(parse(*member) for member in _members(data)))
        case "AnyOf":
            return AnyOf(tuple(parse(*member) for member in _members(data)))
        case _:
            raise AssertionError(f"{kind} is never registered")


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


def _undefined(log: str) -> CheckResult:
    """A refusal by an error that the chain has given no code of its own."""
    return CheckResult(code=1, codespace="undefined", log=log)


def _words(data: bytes) -> list[str]:
    return data.decode(errors="surrogateescape").split(",")


def _numbers(data: bytes) -> frozenset[int]:
    words = _words(data)
    for word in words:
        if not NUMBER.fullmatch(word) or int(word) >= NUMBERS_BELOW:
            raise ValueError(f"{word!r} is not a whole number below 2^32")
    return frozenset(map(int, words))


def _signed_members(data: bytes) -> list[bool]:
    """Which members of a composition need a signature; raises Unfit for the first unfit one."""
    try:
        members = _members(data)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Unfit(
            _undefined(
                "failed to unmarshal sub-authenticator init data: members are "
                f"not a list of type and config ({type(error).__name__})"
            )
        ) from error
    if len(members) < LEAST_MEMBERS:
        raise Unfit(_invalid("no sub-authenticators provided"))
    needs = []
    for kind, config in members:
        if kind not in KINDS:
            raise Unfit(_invalid(f"sub-authenticator type {kind!r} is not registered in manager"))
        needs.append(needs_signature(kind, config))
    return needs


def _invalid(log: str) -> CheckResult:
    return CheckResult(code=18, codespace="sdk", log=f"{log}: invalid request")


def _members(data: bytes) -> list[tuple[str, bytes]]:
    """Kind and configuration of a composition's members; what is left out is empty, as in Go."""
    listed = json.loads(data.decode(errors="replace"))
    if not isinstance(listed, list | None):
        raise TypeError("members are not a list")
    named = [({} if one is None else one).get for one in listed or ()]
    return [
        (_text(get("type")), base64.b64decode(_text(get("config")), validate=True)) for get in named
    ]


def _text(value: object) -> str:
    if not isinstance(value, str | None):
        raise TypeError(f"{value!r} is not text")
    return value or ""


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
