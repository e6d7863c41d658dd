"""Cuts of fixed size: what `amount`, `flatten` and `lock` want, each position's largest."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from seawall import units
from seawall.intervention import beyond_goal
from seawall.measures.spec import Instance, NoData
from seawall.measures.view import View
from seawall.plan.claims import value_of
from seawall.plan.demand import CutDemand, Demand, Slot
from seawall.plan.trial import Trial
from seawall.policy import MeasureRef


def cuts(paper: Trial, demands: Sequence[Demand], scenarios: Sequence[str]) -> Trial:
    """Cuts of `amount`, `flatten` and `lock`: the larger demand per position, never the sum."""
    seen = paper.before.observation
    together: set[Slot] = set()
    for demand in demands:
        if not isinstance(demand, CutDemand):
            continue
        for keep in demand.keeps:
            slot = (keep.subaccount, keep.ticker)
            cut = beyond_goal(keep, seen)
            if slot in paper.quotes and cut > paper.cut_of(slot):
                paper = paper.with_cut(slot, cut)
                if demand.in_proportion:
                    together.add(slot)
    return _in_proportion(paper, together, scenarios) if len(together) > 1 else paper


def _in_proportion(paper: Trial, slots: set[Slot], scenarios: Sequence[str]) -> Trial:
    """Legs of a flatten cut back to one common share where filling what is there would hurt."""
    numbers = sorted({number for number, _ in slots})
    before, after = paper.before, paper.after()
    if not any(
        _is_worse(before, after, number, scenario) for number in numbers for scenario in scenarios
    ):
        return paper
    share = min(
        Fraction(min(paper.quotes[slot].depth, paper.cuts[slot]), paper.cuts[slot])
        for slot in slots
    )
    for slot in sorted(slots):
        step = paper.quotes[slot].market.step_base_quantums
        paper = paper.with_cut(slot, units.round_down(int(paper.cuts[slot] * share), step))
    return paper


def _is_worse(before: View, after: View, number: int, scenario: str) -> bool:
    measure = MeasureRef(name="stress_headroom", scenario=scenario)
    instance = Instance(subaccount=number)
    old, new = value_of(before, measure, instance), value_of(after, measure, instance)
    if isinstance(old, NoData) or isinstance(new, NoData):
        return False
    return new < old
