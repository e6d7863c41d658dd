"""The rows that keep what is closed within what the chain takes, one to a subaccount."""

from __future__ import annotations

import numpy as np
import pytest

from seawall.measures.spec import Instance
from seawall.plan.demand import Means
from seawall.plan.desk import desk_of
from seawall.plan.model import Model
from tests.plan.stage import until
from tests.see import BTC, SOL, Number, book, see, view

DEAR, GOOD = (
    97_300,
    100_000,
)  # mids of bitcoin: closing at the first costs more than the 2% it frees


def signs(child: Number, bitcoin: Number) -> list[list[int]]:
    """Signs of the columns of bitcoin in the parent and of solana in the child, row by row."""
    seen = see(
        equity=2_000,
        positions={"BTC-USD": ("0.9", 100_000)},
        children={128: (child, {"SOL-USD": (50, 200)})},  # IMR $500
        books={
            "BTC-USD": book(BTC, bitcoin, levels=[("0.0002", 9)]),
            "SOL-USD": book(SOL, 188, levels=[("0.0002", 900)]),  # 6% of cost for 5% freed
        },
    )
    on = view(seen)
    slots = [(0, "BTC-USD"), (128, "SOL-USD")]
    all_of_it = Instance(markets=("BTC-USD", "SOL-USD"))
    wanted = until(
        on, "gross_exposure", "<= 1000", instance=all_of_it, slots=slots, slippage=90_000
    )
    model = Model(desk_of(on, [wanted], Means(), scenarios=(), guards=()))
    assert [column.slot for column in model.columns] == slots
    rows = [line.coefficients[:2] for line in model._lines if line.kind == "chain"]
    return [[int(np.sign(at)) for at in row] for row in rows]


@pytest.mark.parametrize(
    ("child", "bitcoin", "rows"),
    [
        (600, DEAR, [[-1, 0], [0, -1]]),
        (500, DEAR, [[-1, 0], [0, -1]]),  # at initial margin, not below it
        (600, GOOD, [[0, -1]]),
    ],
)
def test_each_subaccount_has_a_row_of_its_own_where_closing_may_cost_more_than_it_frees(
    child: Number, bitcoin: Number, rows: list[list[int]]
) -> None:
    assert signs(child, bitcoin) == rows
