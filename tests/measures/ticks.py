"""A story of observations a second apart, and the ledger that has seen it."""

from __future__ import annotations

from seawall.account import Fill, Missing, Observation, Transfer
from seawall.measures import MEASURES, ledger
from seawall.measures.ledger import Ledger, LedgerEvent, LedgerEventKind
from seawall.measures.spec import Instance
from seawall.units import Millis
from tests.see import (
    AT,
    HEIGHT,
    PRICE_BAND,
    Held,
    Number,
    quote,
    see,
    view,
)

LONG: Held = {"BTC-USD": ("0.1", 100_000)}
WHOLE = Instance()
KIND = LedgerEventKind


def transfer(
    amount: Number, height: int, *, subaccount: int = 0, counterpart: int | None = None
) -> Transfer:
    """A transfer record of subaccount 0."""
    return Transfer(
        subaccount=subaccount, amount=quote(amount), height=height, counterpart=counterpart
    )


def tick(
    number: int,
    equity: Number,
    *,
    held: Held | None = None,
    children: dict[int, tuple[Number, Held]] | None = None,
    transfers: tuple[Transfer, ...] | Missing = (),
    fills: tuple[Fill, ...] | Missing = (),
) -> Observation:
    """The observation `number` blocks, and as many seconds, after the first."""
    return see(
        equity=equity,
        positions=LONG if held is None else held,
        children=children,
        transfers=transfers,
        fills=fills,
        height=HEIGHT + number,
        at=Millis(AT + 1_000 * number),
    )


def after(*seen: Observation) -> tuple[Ledger, tuple[LedgerEvent, ...]]:
    """The ledger after observations, and the events of the last of them."""
    kept, events = ledger.advance(None, seen[0], price_band=PRICE_BAND)
    for one in seen[1:]:
        kept, events = ledger.advance(kept, one, price_band=PRICE_BAND)
    return kept, events


def value(name: str, kept: Ledger, seen: Observation, instance: Instance = WHOLE) -> object:
    """A measure of the account, or of another instance, on a kept ledger."""
    return MEASURES[name].evaluate(view(seen, book_of=kept), instance, None)


def kinds(events: tuple[LedgerEvent, ...]) -> list[LedgerEventKind]:
    """What the events are, in order."""
    return [event.kind for event in events]


FIRST = tick(0, 10_000)
