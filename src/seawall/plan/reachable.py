"""Whether a target can be reached at all: the rows at their best, whatever today's book shows.

Closing everything in scope is one point among many: of a hedged book a part may reach what all of
it does not, and the wrong part makes it worse. So the rows themselves are asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seawall.account import MarketStatus
from seawall.measures.view import View
from seawall.plan import solver, trial
from seawall.plan.demand import Slot, UntilDemand
from seawall.plan.frame import DOLLAR, Frame, stands_of
from seawall.plan.rows import ask, rows_for
from seawall.plan.solver import Programme
from seawall.policy import HandsOff
from seawall.units import PPM_ONE

HALF_A_QUANTUM = 0.5 / PPM_ONE  # dollars; nearer than that is there


def is_unreachable(view: View, demand: UntilDemand, cash: int, hands_off: HandsOff) -> bool:
    """Whether no cuts in scope, for the fee alone, reach the target with `cash` quote quantums."""
    return AtBest.of(view, hands_off).is_short(demand, cash)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtBest:
    """Every position that may ever be traded, whole and for the fee alone.

    What is hands-off or in final settlement is never cut. Frames are at the oracle and, where it
    differs, once the oracle has caught up with the mids.
    """

    rooms: Mapping[Slot, float]  # dollars at the oracle
    frames: tuple[Frame, ...]

    @staticmethod
    def of(view: View, hands_off: HandsOff) -> AtBest:
        """The same for each demand on one view."""
        markets, fee = view.observation.markets, view.observation.taker_fee_ppm / PPM_ONE
        rooms = {
            slot: stand.size
            for slot, stand in stands_of(view)[0].items()
            if markets[slot[1]].status is not MarketStatus.FINAL_SETTLEMENT
            and not hands_off.covers(*slot)
        }
        frames = []
        for one in (view, trial.caught_up(view)):
            if one is not None:
                stands, margins = stands_of(one)
                worth = np.array([stands[slot].size / size for slot, size in rooms.items()])
                frames.append(
                    Frame(
                        view=one,
                        stands=stands,
                        margins=margins,
                        slots=tuple(rooms),
                        at=np.arange(len(rooms)),
                        worth=worth,
                        drag=fee * worth,
                    )
                )
        return AtBest(rooms=rooms, frames=tuple(frames))

    def is_short(self, demand: UntilDemand, cash: int) -> bool:
        """Whether the target is missed at best; a measure without rows says nothing.

        `cash` may come at best, what is under way included. All in scope is counted of a level that
        only tops up too: it deposits the most, and the rest is left to a person.
        """
        wanted = ask(demand.measure, demand.instance, demand.target)
        rows = [(row, frame) for frame in self.frames for row in rows_for(frame, wanted)]
        if not rows:
            return False
        rooms = [size if slot in demand.slots else 0.0 for slot, size in self.rooms.items()]
        matrix = np.array(
            [[*row.over(frame), row.cash * (demand.cash_to in row.numbers)] for row, frame in rows]
        )
        least, most = np.array([row.least for row, _ in rows]), np.array([*rooms, cash / DOLLAR])
        if (matrix @ most >= least).all():  # all of it is one point, and mostly reaches
            return False
        # A last column is what every row is short by: the least of it is missing at best.
        found = solver.solve(
            Programme(
                price=np.append(np.zeros(len(most)), 1.0),
                matrix=np.column_stack((matrix, np.ones(len(least)))),
                least=least,
                most=np.append(most, solver.INFINITE),
            )
        )
        return found is not None and bool(found[-1] > HALF_A_QUANTUM)
