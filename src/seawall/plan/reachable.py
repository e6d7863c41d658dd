"""Whether a target can be reached at all: the rows at their best, whatever today's book shows.

Closing everything in scope is one point among many: of a hedged book a part may reach what all of
it does not, and the wrong part makes it worse. So the rows themselves are asked.
"""

from __future__ import annotations

import highspy
import numpy as np

from seawall.account import MarketStatus
from seawall.measures.view import View
from seawall.plan import solver, trial
from seawall.plan.demand import Slot, UntilDemand
from seawall.plan.frame import DOLLAR, Column, frame_of, stands_of
from seawall.plan.rows import ask, rows_for
from seawall.plan.solver import Programme
from seawall.policy import HandsOff
from seawall.units import PPM_ONE

HALF_A_QUANTUM = 0.5 / PPM_ONE  # dollars; nearer than that is there


def is_unreachable(view: View, demand: UntilDemand, cash: int, hands_off: HandsOff) -> bool:
    """Whether no cuts in scope, for the fee alone, reach the target with `cash` quote quantums.

    `cash` may come at best, what is under way included. The target has to hold at the oracle and
    once it has caught up with the mids. What is hands-off or in final settlement is never cut; a
    measure without rows says nothing.
    """
    columns = _whole(view, demand, hands_off)
    views = [one for one in (view, trial.caught_up(view)) if one is not None]
    frames = [
        frame_of(view, one, columns, view.observation.taker_fee_ppm / PPM_ONE) for one in views
    ]
    wanted = ask(demand.key, demand.measure, demand.instance, demand.target)
    rows = [(row, frame) for frame in frames for row in rows_for(frame, wanted)]
    if not rows:
        return False
    # The last column is what every row is short by: the least of it is what is missing at best.
    short = len(columns) + 1
    found = solver.solve(
        Programme(
            price=np.array([0.0] * short + [1.0]),
            matrix=np.array(
                [
                    [*row.over(frame), row.cash * (demand.cash_to in row.numbers), 1.0]
                    for row, frame in rows
                ]
            ),
            least=np.array([row.least for row, _ in rows]),
            most=np.array([*(one.room for one in columns), cash / DOLLAR, highspy.kHighsInf]),
        )
    )
    return found is not None and bool(found[short] > HALF_A_QUANTUM)


def _whole(view: View, demand: UntilDemand, hands_off: HandsOff) -> tuple[Column, ...]:
    """Each position in scope that may ever be traded, whole, at a price that adds to no fee.

    Of a level that only tops up too: it deposits the most, and the rest is left to a person.
    """
    stands, _ = stands_of(view)
    markets = view.observation.markets

    def may_be_cut(slot: Slot) -> bool:
        is_over = markets[slot[1]].status is MarketStatus.FINAL_SETTLEMENT
        return slot in stands and not is_over and not hands_off.covers(*slot)

    return tuple(
        Column(slot=slot, room=stands[slot].size, each=1.0, cost=-1.0, price=0.0)
        for slot in demand.slots
        if may_be_cut(slot)
    )
