"""A plan evaluated once more, from its legs and deposits alone: what fails is not sent.

The planner's own paper is not looked at: a fault between a paper account and the legs that were
made of it is found here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from seawall.action import Claim, Plan, Refusal, RefusalCode
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.plan import acceptance, greedy, trial
from seawall.plan.claims import claims_of, value_of
from seawall.plan.demand import CutDemand, Demand, Means, UntilDemand
from seawall.plan.greedy import Guard
from seawall.plan.trial import carried_out
from seawall.units import BaseQuantums


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
    failed = (
        *_refused_fills(view, made),
        *_failed_claims(after, demands, made),
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


def restated(
    view: View, demands: Sequence[Demand], means: Means, made: Plan, guards: Sequence[Guard]
) -> Plan:
    """The plan with the claims and the triggers let go of what its orders are now.

    For one that was cut short after it was made: it promises what is left of it.
    """
    seen_from = [view, trial.caught_up(view)]
    views = [
        carried_out(each, made, means.cash_in_flight) for each in seen_from if each is not None
    ]
    gone = [one for one in greedy.crossed(view, views[0], guards) if one.key not in made.let_go]
    return replace(
        made,
        claims=claims_of(view, views, demands),
        let_go=(*made.let_go, *(guard.key for guard in gone)),
        dropped=(*made.dropped, *(greedy.not_kept(guard) for guard in gone)),
    )


def _refused_fills(view: View, made: Plan) -> Iterator[Refusal]:
    """Orders of which the chain would refuse a fill, in the sequence that is worst for them."""
    for number, orders in acceptance.orders_of(view, made).items():
        for slot, taken in acceptance.refused(view, number, orders).items():
            size = view.observation.markets[slot[1]].coins(BaseQuantums(taken))
            yield Refusal(
                code=RefusalCode.CHAIN_REFUSES,
                what="send the plan",
                detail=f"of {slot[0]}/{slot[1]} the chain takes {size:f}",
            )


def _failed_claims(after: View, demands: Sequence[Demand], made: Plan) -> Iterator[Refusal]:
    until = [demand for demand in demands if isinstance(demand, UntilDemand)]
    cuts = {demand.key: demand for demand in demands if isinstance(demand, CutDemand)}
    targets = made.targets
    asked: list[tuple[Claim, Demand]] = list(zip(targets, until, strict=True))
    asked += [(claim, cuts[claim.rule]) for claim in made.claims if claim.target is None]
    for claim, demand in asked:
        value = value_of(after, demand.measure, demand.instance)
        holds = not isinstance(value, NoData) and (
            demand.target.holds(value)
            if claim.reached and isinstance(demand, UntilDemand)
            else value == claim.after
        )
        if not holds:
            yield Refusal(
                code=RefusalCode.CLAIM_FAILS,
                what="send the plan",
                detail=f"{claim.rule} claims {claim.measure} {claim.after:f}, its orders make "
                f"{value if isinstance(value, NoData) else format(value, 'f')}",
            )
