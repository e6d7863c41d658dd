"""A plan evaluated once more, from its legs and deposits alone: what fails is not sent.

The planner's own paper is not looked at: a fault between a paper account and the legs that were
made of it is found here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from seawall.action import Plan, Refusal, RefusalCode
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.plan import greedy
from seawall.plan.demand import Demand, Means, UntilDemand
from seawall.plan.greedy import Guard
from seawall.plan.trial import carried_out


def proved(
    view: View, demands: Sequence[Demand], means: Means, made: Plan, guards: Sequence[Guard]
) -> Plan:
    """The plan; without its orders and deposits where it does not hold, and why.

    It does not hold where a claim fails, or where an acting level would be newly met that it has
    not let go by name.
    """
    if not made.legs and not made.top_ups:
        return made
    after = carried_out(view, made, means.cash_in_flight)
    until = [demand for demand in demands if isinstance(demand, UntilDemand)]
    failed = (
        *_failed_claims(after, until, made),
        *(
            Refusal(
                code=RefusalCode.CLAIM_FAILS,
                what="send the plan",
                detail=f"it takes {guard.measure} beyond {guard.trigger.value:f}, which would fire "
                f"{guard.key}, and does not say so",
            )
            for guard in greedy.crossed(view, after, guards)
            if guard.key not in made.let_go
        ),
    )
    if not failed:
        return made
    return replace(made, legs=(), top_ups=(), claims=(), dropped=(*made.dropped, *failed))


def _failed_claims(after: View, until: Sequence[UntilDemand], made: Plan) -> Iterator[Refusal]:
    for demand, claim in zip(until, made.claims, strict=True):
        value = greedy.value_of(after, demand.measure, demand.instance)
        holds = not isinstance(value, NoData) and (
            demand.target.holds(value) if claim.reached else value == claim.after
        )
        if not holds:
            yield Refusal(
                code=RefusalCode.CLAIM_FAILS,
                what="send the plan",
                detail=f"{claim.rule} claims {claim.measure} {claim.after:f}, its orders make "
                f"{value if isinstance(value, NoData) else format(value, 'f')}",
            )
