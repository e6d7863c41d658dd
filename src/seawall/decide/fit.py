"""A plan cut to what the hour's and the day's budgets still allow; the gate judges it again.

"Reachable but not with today's budget: do the most, say what is left, go on in the next window."
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from seawall import margin, units, words
from seawall.account import Observation
from seawall.action import Leg, Plan, Refusal, RefusalCode
from seawall.limits import Standing
from seawall.policy import Budget
from seawall.units import BaseQuantums, QuoteQuantums


def to_budget(
    plan: Plan,
    budget: Budget,
    seen: Observation,
    standing: Standing,
    unbound: Mapping[tuple[int, str], int],
) -> tuple[Plan, tuple[Refusal, ...]]:
    """The plan with what no level that pages wants itself cut to budget, and what and why.

    A leg that cannot have even one step stays whole: the gate refuses it with the numbers. The
    claims of a plan that was cut no longer hold: it has to be restated.
    """
    spent = standing.spent
    notional = units.ppm_down(spent.hour_gross, budget.hourly_notional)
    notional -= spent.hour_notional + standing.sent_notional
    cost = units.ppm_down(max(0, spent.day_equity), budget.daily_cost) - spent.day_cost
    legs, cut_short = [], []
    for leg in plan.legs:
        market = seen.markets[leg.ticker]
        kept = leg
        free = min(leg.quantums, unbound.get((leg.subaccount, leg.ticker), 0))
        bound = leg.quantums - free
        if bound > 0:
            worth, share = margin.notional(market, bound), int(bound)
            bound_cost = leg.cost_vs_oracle * bound // leg.quantums
            if worth > notional:
                share = bound * max(0, notional) // worth
            if bound_cost > max(0, cost):
                share = min(share, bound * max(0, cost) // bound_cost)
            share = BaseQuantums(units.round_down(free + share, market.step_base_quantums))
            if 0 < share < leg.quantums:
                kept = _part(leg, share)
                code = RefusalCode.BUDGET_NOTIONAL if worth > notional else RefusalCode.BUDGET_COST
                cut_short.append(_left(leg, kept, code, seen))
        notional -= margin.notional(market, kept.quantums)
        cost -= kept.cost_vs_oracle
        legs.append(kept)
    if not cut_short:
        return plan, ()
    return replace(plan, legs=tuple(legs), claims=()), tuple(cut_short)


def _part(leg: Leg, quantums: BaseQuantums) -> Leg:
    """The first part of a leg, its quotes in proportion."""

    def part(quote: QuoteQuantums) -> QuoteQuantums:
        return QuoteQuantums(quote * quantums // leg.quantums)

    return replace(
        leg,
        quantums=quantums,
        expected_quantums=BaseQuantums(min(leg.expected_quantums, quantums)),
        expected_quote=part(leg.expected_quote),
        fee=part(leg.fee),
        cost_vs_oracle=part(leg.cost_vs_oracle),
        cost_vs_mid=part(leg.cost_vs_mid),
    )


def _left(leg: Leg, kept: Leg, code: RefusalCode, seen: Observation) -> Refusal:
    market = seen.markets[leg.ticker]
    budget = "of this hour" if code is RefusalCode.BUDGET_NOTIONAL else "of today's cost"
    return Refusal(
        code=code,
        what=f"{leg.side.lower()} {leg.subaccount}/{leg.ticker} in full",
        detail=(
            f"{words.coins(market.coins(leg.quantums))} wanted, the budget {budget} leaves "
            f"{words.coins(market.coins(kept.quantums))}"
        ),
    )
