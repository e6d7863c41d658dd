"""The referee's own count of a budget: what a level that pages may overdraw is arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.account import Side
from seawall.action import Reduce
from seawall.rulefile.load import parse
from seawall.simulator.events import Block, FillEvent, FillKind, Liquidity
from seawall.simulator.messages import SubaccountId
from seawall.storm.purse import Purse
from seawall.units import BaseQuantums, QuoteQuantums, Subticks
from tests.see import AT, BTC, HEIGHT, Number, quantums, see

RULES = """\
budgets: {per_hour: {notional: 10%, orders: 5}, per_day: {cost: 50%}}
rules:
  - id: calm
    why: "It is bound."
    measure: leverage
    trigger: "> 4x"
    target: "<= 3x"
    do: [notify, {reduce: {until: target, max_slippage: 100bps}}]
  - id: third
    why: "A third, and a person is told."
    measure: drawdown
    trigger: ">= 4%"
    clear: "< 2%"
    do: [page, {reduce: {amount: 33%, max_slippage: 100bps}}, lock]
  - id: target
    why: "As much as it takes."
    measure: leverage
    trigger: "> 6x"
    target: "<= 5x"
    do: [page, {reduce: {until: target, max_slippage: 100bps}}]
  - id: told
    why: "It pages and wants no size."
    measure: equity
    trigger: "< $1"
    do: [page]
"""
THIRD, CALM, TARGET = "third/act#1", "calm/0/act#2", "target/0/act#3"


def cut(coins: Number, **changes: object) -> Reduce:
    action = Reduce(
        subaccount=0,
        ticker="BTC-USD",
        clob_pair_id=0,
        side=Side.SELL,
        quantums=BaseQuantums(quantums(BTC, coins)),
        subticks=Subticks(1),
        window=1,
        good_til_block=HEIGHT + 5,
        client_id=1,
    )
    return replace(action, **changes)  # type: ignore[arg-type]


def purse_of(*sizes: Number) -> Purse:
    """A purse that saw a bitcoin position of these sizes at $100,000, one after the other."""
    purse = Purse(parse(RULES).policy)
    for size in sizes:
        purse.saw(see(positions={"BTC-USD": (size, 100_000)} if size else {}))
    return purse


@pytest.mark.parametrize(
    ("coins", "asked_by", "is_wrong"),
    [
        ("0.1", (CALM,), False),
        ("0.11", (CALM,), True),
        ("0.33", (THIRD,), False),
        ("0.43", (THIRD, CALM), False),  # a third is free, and a tenth within the budget
        ("0.45", (THIRD, CALM), True),
        ("1", (TARGET,), False),
        ("0.11", ("told/act#4", CALM), True),
    ],
)
def test_a_level_that_pages_frees_what_it_can_want_and_no_more(
    coins: Number,
    asked_by: tuple[str, ...],
    is_wrong: bool,  # noqa: FBT001 - a table
) -> None:
    seen = see(positions={"BTC-USD": (1, 100_000)})

    said = list(purse_of(1).reduces(cut(coins), seen, asked_by))

    assert bool(said) is is_wrong, said


def test_what_a_share_has_cut_already_it_does_not_want_again() -> None:
    purse = purse_of(1)
    seen = see(positions={"BTC-USD": (1, 100_000)})
    assert list(purse.reduces(cut("0.33"), seen, (THIRD,))) == []
    fill = FillEvent(
        subaccount=SubaccountId(owner="dydx1", number=0),
        ticker="BTC-USD",
        side=Side.SELL,
        quantums=quantums(BTC, "0.33"),
        subticks=Subticks(1),
        quote=QuoteQuantums(1),
        fee=QuoteQuantums(0),
        liquidity=Liquidity.TAKER,
        kind=FillKind.LIMIT,
        order_id=None,
        client_metadata=0,
        position_before=quantums(BTC, 1),
    )
    purse.filled((0, 0, 1), fill, Block(height=HEIGHT + 1, time=AT, hash=""))
    later = replace(see(positions={"BTC-USD": ("0.67", 100_000)}), height=HEIGHT + 6)
    purse.saw(later)

    said = list(
        purse.reduces(cut("0.33", client_id=2, good_til_block=HEIGHT + 11), later, (THIRD,))
    )

    assert said == ["sends $32990.000000 after $33000.000000 this hour, budget $10000.000000"]


@pytest.mark.parametrize(
    ("sizes", "is_wrong"),
    [((1, 2), False), ((2, 2), True), ((0, 2), False), ((1, 0, 2), False), ((-2, 2), False)],
)
def test_a_lock_wants_what_has_grown(sizes: tuple[Number, ...], is_wrong: bool) -> None:  # noqa: FBT001 - a table
    seen = see(positions={"BTC-USD": (2, 100_000)})

    said = list(purse_of(*sizes).reduces(cut(1), seen, ("third/act lock",)))

    assert bool(said) is is_wrong, said


def test_what_may_still_fill_is_an_order_of_the_hour() -> None:
    purse, on = purse_of("1"), see(positions={"BTC-USD": ("1", 100_000)})
    for number in range(5):
        assert not list(purse.reduces(cut("0.001", client_id=number), on, (CALM,)))

    (wrong,) = purse.reduces(cut("0.001", client_id=5), on, (CALM,))

    assert wrong == "sends after 5 orders of this hour, budget 5"
