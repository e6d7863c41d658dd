"""The greedy plan as it is sent where the programme finds none: kept from triggers where it can be.

A trigger that the greedy plan would cross is kept from by leaving alone what takes it there, as
long as no target is lost by it; one that cannot be kept from is let go by name (RULES.md 4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seawall.action import Claim, Plan
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.plan import claims, greedy, trial
from seawall.plan.demand import Demand, Means, Slot
from seawall.plan.greedy import Guard


def propose(
    view: View,
    demands: Sequence[Demand],
    means: Means,
    *,
    scenarios: Sequence[str] = (),
    guards: Sequence[Guard] = (),
) -> Plan:
    """The greedy plan for all demands together, with the triggers that it could not keep from."""
    made = greedy.propose(view, demands, means, scenarios=scenarios, guards=guards)
    if not made.let_go:
        return made
    crossed = [guard for guard in guards if guard.key in made.let_go]
    barred = frozenset(_taking_there(view, made, crossed))
    around = greedy.propose(view, demands, means, scenarios=scenarios, guards=guards, barred=barred)
    is_better = set(around.let_go) < set(made.let_go)
    return around if is_better and _reached(made.claims) <= _reached(around.claims) else made


def _taking_there(view: View, made: Plan, crossed: Sequence[Guard]) -> Iterator[Slot]:
    """The positions of which a cut alone brings some trigger nearer."""
    for leg in made.legs:
        after = trial.carried_out(view, Plan(legs=(leg,)))
        if any(_is_nearer(guard, view, after) for guard in crossed):
            yield leg.subaccount, leg.ticker


def _is_nearer(guard: Guard, before: View, after: View) -> bool:
    old, new = (claims.value_of(one, guard.measure, guard.instance) for one in (before, after))
    if isinstance(old, NoData) or isinstance(new, NoData):
        return False
    return new > old if guard.trigger.operator.is_upward else new < old


def _reached(claims: Sequence[Claim]) -> set[str]:
    return {claim.rule for claim in claims if claim.reached}
