"""What levels that page want themselves: no budget of notional or cost binds that much of it.

A level that only tops up, or a lock that merely stands, wants no cut and frees nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial

from seawall.intervention import beyond_goal, sizes
from seawall.measures.view import View
from seawall.plan import trial
from seawall.plan.claims import holds
from seawall.plan.demand import CutDemand, Demand, Means, Slot
from seawall.plan.trial import Trial


def unbound(view: View, demands: Sequence[Demand], means: Means) -> Mapping[Slot, int]:
    """Base quantums by position that demands in `means.overdrawing` want to be cut."""
    found: dict[Slot, int] = {}
    landed = cache(partial(_landed, view, means))  # most plans ask nothing of it
    for demand in demands:
        if demand.name in means.overdrawing:
            for slot, quantums in _wanted(view, demand, landed):
                found[slot] = max(quantums, found.get(slot, quantums))
    return found


def _wanted(
    view: View, demand: Demand, landed: Callable[[], Sequence[View]]
) -> Iterator[tuple[Slot, int]]:
    """A cut of fixed size as far as it is not done; all in scope for a target not held now.

    A target that cash under way reaches is to be reached by no size.
    """
    if isinstance(demand, CutDemand):
        for keep in demand.keeps:
            cut = beyond_goal(keep, view.observation)
            if cut:
                yield (keep.subaccount, keep.ticker), cut
    elif demand.max_slippage is not None and not holds(landed(), demand):
        for slot, size in sizes(view.observation).items():
            if slot in demand.slots:
                yield slot, abs(size)


def _landed(view: View, means: Means) -> Sequence[View]:
    """What is there once cash under way has landed, at the oracle and at the mids."""
    cash = dict(means.cash_in_flight)
    return Trial(before=view, caught_up=trial.caught_up(view), quotes={}, cash=cash).views()
