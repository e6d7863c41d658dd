"""What was sent and may still fill has used the hour's orders and the day's cost already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from seawall.account import Book, Observation
from seawall.action import Reduce
from seawall.decide import decide
from seawall.decide.memory import Decision, Memory
from seawall.policy import Mode
from seawall.units import SECOND, Millis
from tests.decide.guarded import codes, ladder, policy_of
from tests.see import AT, BTC, ETH, Number, book, see

START = 1_001  # a window opens
LEVEL = (
    '{name: act, trigger: "> $9_000", clear: "< $100", '
    "do: [notify, {reduce: {amount: 50%, max_slippage: 200bps}}]}"
)


def seen(blocks: int, ether: Number, books: Mapping[str, Book] | None = None) -> Observation:
    """$20,000 of bitcoin, and ether of $4,000 a coin in a subaccount of its own."""
    at = Millis(AT + blocks * SECOND)
    known = None if books is None else {t: replace(b, seen_at=at) for t, b in books.items()}
    return see(
        equity=30_000,
        positions={"BTC-USD": ("0.2", 100_000)},
        children={128: (5_000, {"ETH-USD": (ether, 4_000)})},
        books=known,
        height=START + blocks,
        at=at,
    )


def decisions(budgets: str, books: Mapping[str, Book] | None = None) -> list[Decision]:
    """Bitcoin is cut at once, and before anybody knows what that filled the ether grows."""
    policy = policy_of(ladder(LEVEL, scope="{per: market}", head=f"budgets: {{{budgets}}}\n"))
    memory, found = Memory(), []
    for blocks, ether in ((0, 1), (1, 5)):
        memory, decision = decide(policy, memory, seen(blocks, ether, books), mode=Mode.LIVE)
        found.append(decision)
    return found


def sent(decision: Decision) -> list[tuple[str, int]]:
    return [
        (one.action.ticker, one.action.quantums)
        for one in decision.actions
        if isinstance(one.action, Reduce)
    ]


def test_an_order_that_may_still_fill_counts_against_the_orders_of_the_hour() -> None:
    first, second = decisions("per_hour: {notional: 100%, orders: 1}")
    _, with_two = decisions("per_hour: {notional: 100%, orders: 2}")

    assert [ticker for ticker, _ in sent(first)] == ["BTC-USD"]
    assert not sent(second)
    assert "BUDGET_ORDERS" in codes(second)
    assert [ticker for ticker, _ in sent(with_two)] == ["ETH-USD"]


def test_what_it_is_expected_to_cost_counts_against_the_day() -> None:
    """A dollar costs 1% and the fee: $105 of bitcoin, and $105 of ether, of $175 a day."""
    books = {
        "BTC-USD": book(BTC, levels=[("0.01", 5)]),
        "ETH-USD": book(ETH, levels=[("0.01", 100)]),
    }
    first, second = decisions("per_hour: {notional: 100%}, per_day: {cost: 0.5%}", books)

    assert sent(first) == [("BTC-USD", 1_000_000_000)]
    ((ticker, quantums),) = sent(second)
    assert ticker == "ETH-USD"
    assert 1_650_000_000 < quantums < 1_700_000_000  # $70 worth of the 2.5 wanted
    assert "BUDGET_COST" in codes(second)
