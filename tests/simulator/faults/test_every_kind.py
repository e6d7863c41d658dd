"""No kind is a word only: a day with it differs, to whoever looks and sends, from one without."""

from __future__ import annotations

import pytest

from seawall.account import Blind, Missing, Seen
from seawall.simulator.faults.kinds import FaultKind, When
from seawall.simulator.faults.schedule import Fault
from seawall.venue import Reply
from tests.simulator.faults.day import Day, day_of

BLOCKS, FIRST, LAST = 40, 16, 30
REDUCTIONS = (2, 8, 18, 25)  # two fills are known before the fault begins
TOP_UP_AT = 20


def told(seen: Seen) -> object:
    """All that an observation says of state and advice, as comparable words."""
    if isinstance(seen, Blind):
        return seen
    advice = seen.advice
    book = advice.books.get("BTC-USD")
    fills = advice.fills if isinstance(advice.fills, Missing) else tuple(advice.fills)
    shown = None if book is None else (book.seen_at, book.bids[:3], book.asks[:3])
    state = (seen.height, seen.seen_at, seen.subaccounts, seen.markets["BTC-USD"].oracle_price)
    money = (seen.transfers_blocked_until, seen.float_wallet, advice.transfers)
    return repr((state, money, advice.orders, fills, advice.indexer_sizes, advice.key_reach, shown))


def played(*faults: Fault) -> list[object]:
    """What is seen and answered, block by block, on a day with two reductions inside the fault."""
    day, found = day_of(*faults), list[object]()
    for block in range(1, BLOCKS + 1):
        found.append(told(day.next()))
        reply = _act(day, block)
        if reply is not None:
            found.append(reply)
    return found


def _act(day: Day, block: int) -> Reply | None:
    if block in REDUCTIONS:
        return day.reduce()
    return day.top_up() if block == TOP_UP_AT else None


def concerned(kind: FaultKind) -> str | None:
    """The market that is meant, where the usual one is not the one that is held here."""
    return "BTC-USD" if kind is FaultKind.MARKET_SETTLED else None


CALM = played()


@pytest.mark.parametrize("kind", list(FaultKind))
def test_a_kind_on_schedule_acts(kind: FaultKind) -> None:
    assert played(Fault(kind=kind, first=FIRST, last=LAST, ticker=concerned(kind))) != CALM


@pytest.mark.parametrize("kind", list(FaultKind))
def test_a_kind_that_waits_for_a_send_acts_when_it_comes_and_not_before(kind: FaultKind) -> None:
    fault = Fault(kind=kind, first=0, last=9, when=When.TOP_UP, ticker=concerned(kind))
    found = played(fault)

    before = next(n for n, (a, b) in enumerate(zip(found, CALM, strict=False)) if a != b)
    replies_before = sum(block <= TOP_UP_AT for block in REDUCTIONS)
    assert before >= TOP_UP_AT + replies_before
