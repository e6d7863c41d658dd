"""Two guards with the same rules and keys and no coordinator: each cut once, no deposit twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from seawall.action import Reduce
from seawall.rulefile import parse
from seawall.simulator import setup
from seawall.simulator.chain import Chain
from seawall.simulator.events import FillKind
from seawall.units import Millis
from tests.agent.crashes import FLOAT, HALF, OWNER, Guard, Points, advance, stage, written
from tests.simulator.stage import MIDS, START

NEED = 1_500 * 10**6  # quote quantums that are missing while nothing is cut

Pace = Callable[[int], bool]


def every(blocks: int, after: int = 0) -> Pace:
    """A guard that looks at each so many blocks, from a block on."""
    return lambda block: block >= after and (block - after) % blocks == 0


@pytest.mark.parametrize(
    ("paces", "delay"),
    [
        ((every(1), every(1)), 0),
        ((every(1), every(1)), 900),
        ((every(1), every(2)), 0),
        ((every(2), every(2, after=1)), 400),
        ((every(3), every(2)), 0),
        ((every(5), every(1, after=3)), 0),
        ((every(1), every(1, after=7)), 0),
    ],
)
def test_at_any_pace_and_delay_the_chain_carries_out_each_order_once(
    tmp_path: Path, paces: tuple[Pace, Pace], delay: int
) -> None:
    chain = stage()
    paths = [tmp_path / "one.db", tmp_path / "two.db"]
    guards = [
        Guard.over(chain, paths[0], Points()),
        Guard.over(chain, paths[1], Points(), delay=delay),
    ]

    for block in range(60):
        for guard, looks in zip(guards, paces, strict=True):
            if looks(block):
                guard.tick()
        assert len(chain.committed.open_orders(OWNER)) <= 3, "the trader's, and two stops of ours"
        advance(chain, 1 if block < 20 else 5)

    (position,) = chain.committed.subaccount(OWNER, 0).held
    assert position.quantums == HALF
    (stop,) = chain.committed.open_orders(OWNER)
    assert (stop.order.quantums, stop.is_triggered) == (HALF, False)
    assert sum(event.amount for _, event in chain.history.transfers) <= NEED
    sold = Counter[int]()
    for _, fill in chain.history.fills:
        if fill.subaccount.owner == OWNER:
            assert fill.kind is FillKind.LIMIT
            assert fill.order_id is not None
            sold[fill.order_id.client_id] += fill.quantums
    journals = [written(path) for path in paths]
    asked = {
        one.action.client_id: one.action.quantums
        for journal in journals
        for one in journal.sending
        if isinstance(one.action, Reduce)
    }
    assert sum(sold.values()) == HALF
    assert all(sold[number] <= asked[number] for number in sold)
    for journal in journals:
        endings = Counter(one.action_id for one in journal.outcomes)
        assert endings == Counter(one.id for one in journal.sending)
    for guard in guards:
        guard.journal.close()


LOSS = """
budgets: {per_hour: {notional: 100%, orders: 30}, per_day: {cost: 10%}}
rules:
  - id: drawdown
    why: "A loss that no cut takes back."
    measure: drawdown
    trigger: ">= 9%"
    clear: "< 7%"
    for: 30s
    do: [notify, {reduce: {amount: 33%, max_slippage: 100bps}}]
"""
FALL = 80  # block; its book is deep enough again a minute later


def away(first: int, last: int) -> Pace:
    """A guard that does not look in these blocks."""
    return lambda block: not first <= block < last


@pytest.mark.parametrize("is_standby", [False, True])
@pytest.mark.parametrize("hold", ["0s", "30s"])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (every(1), away(FALL - 5, FALL + 80)),
        (every(1), away(FALL + 5, FALL + 80)),
        (away(FALL + 5, FALL + 80), every(1)),
        (every(1), every(7)),
    ],
)
def test_a_share_is_cut_once_where_one_of_them_sees_the_loss_later(
    tmp_path: Path, one: Pace, other: Pace, hold: str, *, is_standby: bool
) -> None:
    policy = parse(LOSS.replace("30s", hold)).policy
    chain = Chain(start=START, mids=MIDS)
    setup.fund(chain, OWNER, 0, Decimal(20_000))
    setup.open_book(chain, OWNER, 0, {"BTC-USD": Decimal(60_000)})
    advance(chain)
    held = chain.committed.subaccount(OWNER, 0).held[0].quantums
    paths = [tmp_path / "one.db", tmp_path / "two.db"]
    policies = [policy, replace(policy, is_standby=is_standby)]
    guards = [
        Guard.over(chain, path, Points(), policy=each)
        for path, each in zip(paths, policies, strict=True)
    ]

    for block in range(FALL + 170):
        for guard, looks in zip(guards, (one, other), strict=True):
            if looks(block):
                guard.tick()
        mid = Decimal(96_500) if block >= FALL else MIDS["BTC-USD"]
        chain.advance(Millis(chain.time + 1_000), {**MIDS, "BTC-USD": mid})

    (left,) = chain.committed.subaccount(OWNER, 0).held
    assert left.quantums == held * 67 // 100
    for guard in guards:
        guard.journal.close()


CASH = f"""
account: {{float: {{address: {FLOAT}, floor: $50}}}}
budgets: {{per_hour: {{notional: 100%, orders: 30}}, per_day: {{cost: 10%, top_up: $1_000}}}}
rules:
  - id: cash
    why: "Cash must not run out."
    measure: free_collateral
    scope: {{subaccounts: [0]}}
    trigger: "< $20_000"
    target: ">= $25_000"
    do: [page, {{top_up: {{until: target, max: $9_000}}}}]
"""


@pytest.mark.parametrize("is_standby", [False, True])
@pytest.mark.parametrize(
    "paces", [(every(1), every(1)), (every(1), every(3)), (every(3), every(1))]
)
def test_what_one_of_them_pays_in_uses_up_the_day_s_cash_of_both(
    tmp_path: Path, paces: tuple[Pace, Pace], *, is_standby: bool
) -> None:
    policy = parse(CASH).policy
    chain = Chain(start=START, mids=MIDS)
    setup.fund(chain, OWNER, 0, Decimal(20_000))
    setup.open_book(chain, OWNER, 0, {"BTC-USD": Decimal(60_000)})
    setup.fund_wallet(chain, FLOAT, Decimal(9_000))
    advance(chain)
    paths = [tmp_path / "one.db", tmp_path / "two.db"]
    policies = [policy, replace(policy, is_standby=is_standby)]
    guards = [
        Guard.over(chain, path, Points(), policy=each)
        for path, each in zip(paths, policies, strict=True)
    ]

    for block in range(120):
        for guard, looks in zip(guards, paces, strict=True):
            if looks(block):
                guard.tick()
        advance(chain)

    assert sum(event.amount for _, event in chain.history.transfers) == 1_000 * 10**6
    for guard in guards:
        guard.journal.close()
