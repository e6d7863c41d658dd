"""The shared blocks of a rule file: money, caps, scenarios, budgets (RULES.md section 5)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from seawall.policy import (
    BackstopOrder,
    Budget,
    FloatSource,
    HandsOff,
    Interlock,
)
from seawall.rulefile import literals
from seawall.rulefile.address import dydx_address
from seawall.rulefile.fields import Fields, Known, choice, market, read, subaccount, words_of
from seawall.rulefile.literals import LiteralError
from seawall.rulefile.report import Report, did_you_mean
from seawall.rulefile.tree import Node, Table, kind_of
from seawall.scenario import ANY_MARKET, Buffer
from seawall.units import PPM_ONE, Millis, Ppm


def read_account(node: Node, report: Report, known: Known) -> tuple[FloatSource | None, HandsOff]:
    """The float wallet and what is never traded."""
    fields = Fields(node, report, what="`account`", known=("float", "hands_off"))
    wallet, hands_off = fields.node("float"), fields.node("hands_off")
    return (
        None if wallet is None else _float(wallet, report, known),
        HandsOff() if hands_off is None else _hands_off(hands_off, report, known),
    )


def _float(node: Node, report: Report, known: Known) -> FloatSource | None:
    fields = Fields(node, report, what="`float`", known=("address", "floor"))
    address = fields.required("address", dydx_address, "the wallet that top-ups come from")
    floor = fields.value("floor", literals.dollars_held, FloatSource(address="").floor)
    if address is None or address.value is None:
        return None
    if known.owner is not None and address.value == known.owner:
        report.refuse(
            address.place,
            f"`{address.value}`: the float wallet is the guarded owner itself; "
            "use a second wallet that holds only what may be topped up",
        )
    return FloatSource(address=address.value, floor=floor)


def _hands_off(node: Node, report: Report, known: Known) -> HandsOff:
    fields = Fields(node, report, what="`hands_off`", known=("markets", "subaccounts"))
    markets, subaccounts = fields.node("markets"), fields.node("subaccounts")
    numbers = (
        subaccount(word, report, known)
        for word in ([] if subaccounts is None else words_of(subaccounts, report, "subaccounts"))
    )
    return HandsOff(
        markets=tuple(
            market(word, report, known)
            for word in ([] if markets is None else words_of(markets, report, "markets"))
        ),
        subaccounts=tuple(number for number in numbers if number is not None),
    )


def read_buffer(node: Node, report: Report) -> Buffer:
    """Equity that is not tradable, of the parent and of its children."""
    fields = Fields(node, report, what="`equity`", known=("buffer", "child_buffer"))
    return Buffer(
        parent=fields.value("buffer", literals.dollars_held, Decimal(0)),
        child=fields.value("child_buffer", literals.dollars_held, Decimal(0)),
    )


def read_typed_caps(node: Node, report: Report, known: Known) -> dict[str, Decimal]:
    """Typed caps by market, in dollars above zero."""
    if not isinstance(node, Table):
        report.refuse(node, f"{kind_of(node)}: `caps` is a table like {{SOL-USD: $5_000}}")
        return {}
    caps = {}
    for entry in node.entries:
        if entry.key.text == ANY_MARKET:
            report.refuse(
                entry.key,
                '`"*"`: a typed cap names its market, like {SOL-USD: $5_000}; `derive_caps` of '
                "`limits` has a share for every other",
            )
            continue
        name = market(entry.key, report, known)
        found = read(entry.value, _cap, report, name)
        if found.value is not None:
            caps[name] = found.value
    return caps


def _cap(text: str) -> Decimal:
    cap = literals.dollars(text)
    if cap <= 0:
        raise LiteralError(f"`{text}`: a cap above $0 is expected")
    return cap


def read_backstop(node: Node, report: Report, scenarios: frozenset[str]) -> BackstopOrder | None:
    """On-chain stops; None where something in it was refused."""
    fields = Fields(node, report, what="`backstop`", known=("scenario", "at", "slippage"))
    named = fields.required("scenario", choice_of(scenarios), "whose shocks place the stops")
    at = fields.required("at", _at, "the part of the way to liquidation, like `60%`")
    slippage = fields.required("slippage", literals.slippage, "like `500bps`")
    if named is None or at is None or slippage is None:
        return None
    if named.value is None or at.value is None or slippage.value is None:
        return None
    return BackstopOrder(scenario=named.value, at=at.value, slippage=slippage.value)


def choice_of(scenarios: frozenset[str]) -> Callable[[str], str]:
    """A literal that is the name of a scenario of the file."""

    def literal(text: str) -> str:
        if text not in scenarios:
            hint = did_you_mean(text, sorted(scenarios))
            raise LiteralError(f"`{text}`: unknown scenario, {hint}")
        return text

    return literal


def _at(text: str) -> Ppm:
    part = literals.share(text)
    if part == PPM_ONE:
        raise LiteralError(f"`{text}`: a stop at the liquidation price comes too late")
    return part


def read_budget(node: Node, report: Report) -> Budget:
    """What interventions may use per hour and per day."""
    fields = Fields(node, report, what="`budgets`", known=("per_hour", "per_day"))
    hour = _inner(fields, "per_hour", ("notional", "orders"))
    day = _inner(fields, "per_day", ("cost", "top_up"))
    usual = Budget()
    notional, orders = usual.hourly_notional, usual.hourly_orders
    cost, top_up = usual.daily_cost, usual.daily_top_up
    if hour is not None:
        notional = hour.value("notional", _above_zero, notional)
        orders = hour.value("orders", _at_least_one, orders)
    if day is not None:
        cost = day.value("cost", _above_zero, cost)
        top_up = day.value("top_up", literals.dollars_held, top_up)
    return Budget(
        hourly_notional=notional, hourly_orders=orders, daily_cost=cost, daily_top_up=top_up
    )


def _inner(fields: Fields, key: str, known: tuple[str, ...]) -> Fields | None:
    node = fields.node(key)
    return None if node is None else Fields(node, fields.report, what=f"`{key}`", known=known)


def _above_zero(text: str) -> Ppm:
    part = literals.ppm(text)
    if part <= 0:
        raise LiteralError(f"`{text}`: above 0% is expected, or nothing could ever be done")
    return part


def _at_least_one(text: str) -> int:
    number = literals.count(text)
    if number < 1:
        raise LiteralError(f"`{text}`: at least 1 is expected")
    return number


def read_interlock(node: Node, report: Report) -> Interlock:
    """How many interventions on one market make its cooldown longer."""
    fields = Fields(node, report, what="`interlocks`", known=("max_interventions",))
    inner = _inner(fields, "max_interventions", ("count", "per", "over"))
    usual = Interlock()
    if inner is None:
        return usual
    inner.read("per", choice("market"))
    return Interlock(
        count=inner.value("count", _at_least_one, usual.count),
        over=inner.value("over", _some_time, usual.over),
    )


def _some_time(text: str) -> Millis:
    span = literals.wait(text)
    if span == 0:
        raise LiteralError(f"`{text}`: more than 0s is expected")
    return span
