"""Cuts of fixed size: what `amount`, `flatten` and `lock` want, each position's largest.

Where the hour has fewer orders left than positions want to be cut, those go first that release
the most maintenance margin; the others follow when orders free up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, islice

from seawall import margin, units, words
from seawall.account import Side
from seawall.action import Leg, Refusal, RefusalCode
from seawall.intervention import beyond_goal
from seawall.measures.spec import Instance, NoData
from seawall.measures.view import View
from seawall.plan import acceptance
from seawall.plan.claims import value_of
from seawall.plan.demand import CutDemand, Demand, Means, Slot
from seawall.plan.trial import Trial
from seawall.policy import MeasureRef
from seawall.units import Millis

TRIES = 50  # combinations of so many orders that are looked at for one that breaks no hedge


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


def within_orders(
    paper: Trial, demands: Sequence[Demand], scenarios: Sequence[str], means: Means
) -> tuple[Trial, list[Refusal]]:
    """The paper account with no more positions cut than the hour has orders for, and the others.

    What nobody is expected to take is no order that fills: it is left where it is.
    """
    orders, closing = means.orders, acceptance.accepted(paper).closing()
    if orders is None or len(closing) <= orders:
        return paper, []
    first = _first(paper, closing, orders, demands, scenarios)
    why = "others release more margin" if first else "with so few a scenario would get worse"
    why = f"{few_words(orders, paper.before.observation.at)}, and {why}"
    others = [slot for slot in closing if slot not in first]
    refused = [_left_out(paper.quotes[slot].side, slot, why) for slot in sorted(others)]
    return replace(paper, cuts={s: c for s, c in paper.cuts.items() if s not in others}), refused


def _first(
    paper: Trial,
    closing: Sequence[Slot],
    orders: int,
    demands: Sequence[Demand],
    scenarios: Sequence[str],
) -> tuple[Slot, ...]:
    """The positions to cut: of a flatten those that make no scenario worse, as many as can be."""
    ranked = sorted(closing, key=lambda slot: (-_released(paper, slot), slot))
    if not _proportioned(demands) & set(closing):
        return tuple(ranked[:orders])
    numbers = sorted({number for number, _ in closing})
    for count in range(orders, 0, -1):
        for some in islice(combinations(ranked, count), TRIES):
            others = {slot: 0 for slot in closing if slot not in some}
            after = replace(paper, cuts={**paper.cuts, **others}).after()
            if not any(
                _is_worse(paper.before, after, number, scenario)
                for number in numbers
                for scenario in scenarios
            ):
                return some
    return ()


def _proportioned(demands: Sequence[Demand]) -> set[Slot]:
    """Positions that go in proportion: legs of a flatten that has not widened its bound."""
    return {
        (keep.subaccount, keep.ticker)
        for demand in demands
        if isinstance(demand, CutDemand) and demand.in_proportion
        for keep in demand.keeps
    }


def _released(paper: Trial, slot: Slot) -> int:
    """Maintenance margin that a cut is expected to release, in quote quantums."""
    quote = paper.quotes[slot]
    left = quote.held - min(paper.cut_of(slot), quote.depth)
    held, kept = (margin.notional(quote.market, size) for size in (quote.held, left))
    requirement = margin.maintenance_requirement
    return requirement(quote.market, held) - requirement(quote.market, kept)


def as_orders(
    legs: Sequence[Leg], view: View, means: Means
) -> tuple[tuple[Leg, ...], list[Refusal]]:
    """The legs that are sent, and those that are left out: what nobody is expected to take.

    An order that meets nobody would else take, window after window, the place of one that fills.
    """
    orders = means.orders
    if orders is None or len(legs) <= orders:
        return tuple(legs), []
    spare = orders - sum(bool(leg.expected_quantums) for leg in legs)
    vain = [leg for leg in legs if not leg.expected_quantums][max(0, spare) :]
    why = f"{few_words(orders, view.observation.at)}, and nobody is seen to take it"
    refused = [_left_out(leg.side, (leg.subaccount, leg.ticker), why) for leg in vain]
    return tuple(leg for leg in legs if leg not in vain), refused


def few_words(orders: int, at: Millis) -> str:
    """How many orders the hour of a moment has left, and until when."""
    count = "1 order" if orders == 1 else f"{orders} orders"
    return f"the hour's budget leaves {count} until {words.next_hour(at)}"


def _left_out(side: Side, slot: Slot, why: str) -> Refusal:
    what = f"{side.lower()} {slot[0]}/{slot[1]}"
    return Refusal(code=RefusalCode.BUDGET_ORDERS, what=what, detail=why)
