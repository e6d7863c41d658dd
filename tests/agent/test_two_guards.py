"""Two guards with the same rules and keys and no coordinator: each cut once, no deposit twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from seawall.action import Reduce
from seawall.simulator.events import FillKind
from tests.agent.crashes import HALF, OWNER, Guard, Points, advance, stage, written

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
