"""A plan cut to what the hour's and the day's budgets still allow; the gate judges it again.

"Reachable but not with today's budget: do the most, say what is left, go on in the next window."
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from seawall import margin, units, words
from seawall.account import Observation
from seawall.action import Leg, Plan, Refusal, RefusalCode
from seawall.intervention import beyond_goal
from seawall.limits import Standing
from seawall.plan.demand import CutDemand, Demand, Slot
from seawall.policy import Budget
from seawall.units import BaseQuantums, QuoteQuantums


def to_budget(
    plan: Plan,
    budget: Budget,
    seen: Observation,
    standing: Standing,
    *,
    unbound: Mapping[Slot, int],
    together: Sequence[frozenset[Slot]],
) -> tuple[Plan, tuple[Refusal, ...]]:
    """The plan with what no level that pages wants itself cut to budget, and what and why.

    Orders come in the sequence in which they use up the budget, and in which the gate judges them.
    Legs of positions that go `together` are cut by one common share: a hedge is not broken by
    what happens to come first. A leg that cannot have even one step stays whole where the gate
    refuses it with the numbers, and is left out where it would pass. The claims of a plan that was
    cut no longer hold: it has to be restated.
    """
    spent = standing.spent
    notional = units.ppm_down(spent.hour_gross, budget.hourly_notional)
    notional -= spent.hour_notional + standing.sent_notional
    cost = units.ppm_down(max(0, spent.day_equity), budget.daily_cost)
    cost -= spent.day_cost + standing.sent_cost
    shares: dict[Slot, Fraction] = {}
    codes: dict[Slot, RefusalCode] = {}
    legs, cut_short = [], []
    plan = replace(plan, legs=_in_turn(plan.legs, seen, unbound))
    for leg in plan.legs:
        market, slot = seen.markets[leg.ticker], _slot(leg)
        if slot not in shares:
            group = next((one for one in together if slot in one), frozenset({slot}))
            bound = [_bound(one, unbound) for one in plan.legs if _slot(one) in group]
            fresh = {*group} - {*shares}
            share, code = _share(bound, seen, notional, cost)
            shares.update(dict.fromkeys(fresh, share))
            codes.update(dict.fromkeys(fresh, code))
        kept, bound_leg = leg, _bound(leg, unbound)
        quantums = leg.quantums - bound_leg.quantums + int(bound_leg.quantums * shares[slot])
        quantums = units.round_down(quantums, market.step_base_quantums)
        if 0 < quantums < leg.quantums:
            kept = _part(leg, BaseQuantums(quantums))
            cut_short.append(_left(leg, quantums, codes[slot], seen))
        elif quantums == 0 and _share([bound_leg], seen, notional, cost)[0] == 1:
            cut_short.append(_left(leg, 0, codes[slot], seen))
            continue
        notional -= margin.notional(market, kept.quantums)
        cost -= kept.cost_vs_oracle
        legs.append(kept)
    if not cut_short:
        return plan, ()
    return replace(plan, legs=tuple(legs), claims=()), tuple(cut_short)


def cut_together(demands: Sequence[Demand], seen: Observation) -> tuple[frozenset[Slot], ...]:
    """Positions that one demand brings down to fixed sizes, demand by demand."""
    return tuple(
        frozenset(
            (keep.subaccount, keep.ticker) for keep in demand.keeps if beyond_goal(keep, seen) > 0
        )
        for demand in demands
        if isinstance(demand, CutDemand)
    )


def _in_turn(
    legs: Sequence[Leg], seen: Observation, unbound: Mapping[Slot, int]
) -> tuple[Leg, ...]:
    """Legs that are expected to fill come first, and of those what the budgets bind most.

    What levels that page overdraw would else leave nothing to the others, and neither would an
    order that nobody takes, window after window.
    """

    def free(leg: Leg) -> int:
        market, part = seen.markets[leg.ticker], min(leg.quantums, unbound.get(_slot(leg), 0))
        return margin.notional(market, part)

    return tuple(sorted(legs, key=lambda leg: (not leg.expected_quantums, free(leg))))


def _slot(leg: Leg) -> Slot:
    return leg.subaccount, leg.ticker


def _bound(leg: Leg, unbound: Mapping[Slot, int]) -> Leg:
    """The part of a leg that the budgets bind."""
    free = min(leg.quantums, unbound.get(_slot(leg), 0))
    return _part(leg, BaseQuantums(leg.quantums - free))


def _share(
    bound: Sequence[Leg], seen: Observation, notional: int, cost: int
) -> tuple[Fraction, RefusalCode]:
    """The share of these parts of legs that the budgets have room for, and which binds."""
    worth = sum(margin.notional(seen.markets[leg.ticker], leg.quantums) for leg in bound)
    notional, cost, share = max(0, notional), max(0, cost), Fraction(1)
    if worth > notional:
        share = Fraction(notional, worth)
    if sum(leg.cost_vs_oracle for leg in bound) > cost:
        share = min(share, cost / sum((_dearest(leg) for leg in bound), Fraction(0)))
    return share, RefusalCode.BUDGET_NOTIONAL if worth > notional else RefusalCode.BUDGET_COST


def _dearest(leg: Leg) -> Fraction:
    """What a leg would cost if all of it filled: a part of it may fill whole where it does not."""
    if leg.cost_vs_oracle <= 0 or not leg.expected_quantums:
        return Fraction(leg.cost_vs_oracle)
    return Fraction(leg.cost_vs_oracle * leg.quantums, leg.expected_quantums)


def _part(leg: Leg, quantums: BaseQuantums) -> Leg:
    """The first part of a leg, its quotes in proportion to what of it is expected to fill."""
    expected = min(leg.expected_quantums, quantums)

    def part(quote: QuoteQuantums) -> QuoteQuantums:
        return QuoteQuantums(quote * expected // max(1, leg.expected_quantums))

    return replace(
        leg,
        quantums=quantums,
        expected_quantums=BaseQuantums(expected),
        expected_quote=part(leg.expected_quote),
        fee=part(leg.fee),
        cost_vs_oracle=part(leg.cost_vs_oracle),
        cost_vs_mid=part(leg.cost_vs_mid),
    )


def _left(leg: Leg, kept: int, code: RefusalCode, seen: Observation) -> Refusal:
    market = seen.markets[leg.ticker]
    budget = "of this hour" if code is RefusalCode.BUDGET_NOTIONAL else "of today's cost"
    return Refusal(
        code=code,
        what=f"{leg.side.lower()} {leg.subaccount}/{leg.ticker} in full",
        detail=(
            f"{words.coins(market.coins(leg.quantums))} wanted, the budget {budget} leaves "
            f"{words.coins(market.coins(kept))}"
        ),
    )
