"""What levels that page want themselves: no budget of notional or cost binds that much of it.

A level that only tops up, or a lock that merely stands, wants no cut and frees nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from seawall.intervention import beyond_goal, sizes
from seawall.measures.view import View
from seawall.plan import trial
from seawall.plan.claims import holds
from seawall.plan.demand import CutDemand, Demand, Means, Slot, UntilDemand
from seawall.plan.trial import Trial


def unbound(view: View, demands: Sequence[Demand], means: Means) -> Mapping[Slot, int]:
    """Base quantums by position that demands in `means.overdrawing` want to be cut."""
    found: dict[Slot, int] = {}
    for demand in demands:
        if demand.name in means.overdrawing:
            for slot, quantums in _wanted(view, demand, means):
                found[slot] = max(quantums, found.get(slot, quantums))
    return found


def _wanted(view: View, demand: Demand, means: Means) -> Iterator[tuple[Slot, int]]:
    """A cut of fixed size as far as it is not done; all in scope for a target not held now."""
    if isinstance(demand, CutDemand):
        for keep in demand.keeps:
            cut = beyond_goal(keep, view.observation)
            if cut:
                yield (keep.subaccount, keep.ticker), cut
    elif _reduces(view, demand, means):
        for slot, size in sizes(view.observation).items():
            if slot in demand.slots:
                yield slot, abs(size)


def _reduces(view: View, demand: UntilDemand, means: Means) -> bool:
    """Whether a target is to be reached by size, and cash under way does not reach it."""
    if demand.max_slippage is None:
        return False
    landed = Trial(
        before=view,
        caught_up=trial.caught_up(view),
        quotes={},
        cash=dict(means.cash_in_flight),
    )
    return not holds(landed.views(), demand)
