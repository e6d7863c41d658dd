"""What a plan promises: every measure of every running intervention, before and after."""

from __future__ import annotations

from collections.abc import Sequence

from seawall.action import Claim
from seawall.measures import MEASURES
from seawall.measures.spec import Instance, NoData, Value
from seawall.measures.view import View
from seawall.plan.demand import CutDemand, Demand, UntilDemand
from seawall.policy import Bound, MeasureRef


def value_of(view: View, measure: MeasureRef, instance: Instance) -> Value:
    """The value of a rule's measure for one instance."""
    return MEASURES[measure.name].evaluate(view, instance, measure.scenario)


def is_met(view: View, measure: MeasureRef, instance: Instance, bound: Bound) -> bool:
    """Whether a bound holds; an absent value meets nothing."""
    value = value_of(view, measure, instance)
    return not isinstance(value, NoData) and bound.holds(value)


def holds(views: Sequence[View], demand: UntilDemand) -> bool:
    """Whether a target holds in each of the views."""
    return all(is_met(view, demand.measure, demand.instance, demand.target) for view in views)


def claims_of(before: View, views: Sequence[View], demands: Sequence[Demand]) -> tuple[Claim, ...]:
    """Claims of targets in the order of their demands, then those of cuts of fixed size.

    `views` are what is left at the oracle and at the mid: a claim's value is the oracle's, and a
    target is reached where it holds in both.
    """
    until = [demand for demand in demands if isinstance(demand, UntilDemand)]
    targets = tuple(_of_target(before, views, demand) for demand in until)
    claimed, others = {demand.key for demand in until}, list[Claim]()
    for demand in demands:
        if isinstance(demand, CutDemand) and demand.key not in claimed:
            claimed.add(demand.key)
            others.extend(_of_cut(before, views[0], demand))
    return (*targets, *others)


def _of_target(before: View, views: Sequence[View], demand: UntilDemand) -> Claim:
    old = value_of(before, demand.measure, demand.instance)
    new = [value_of(view, demand.measure, demand.instance) for view in views]
    known = [value for value in new if not isinstance(value, NoData)]
    assert not isinstance(old, NoData)
    assert len(known) == len(new)
    return Claim(
        rule=demand.key,
        measure=str(demand.measure),
        before=old,
        after=known[0],
        target=demand.target.value,
        reached=all(demand.target.holds(value) for value in known),
    )


def _of_cut(before: View, after: View, demand: CutDemand) -> Sequence[Claim]:
    """What a cut does to its rule's measure; nothing is claimed of what has no data."""
    old, new = (value_of(view, demand.measure, demand.instance) for view in (before, after))
    if isinstance(old, NoData) or isinstance(new, NoData):
        return ()
    measure = str(demand.measure)
    claim = Claim(
        rule=demand.key, measure=measure, before=old, after=new, target=None, reached=False
    )
    return (claim,)
