"""What people do by hand when limits break: close the largest, or a share of everything.

Shown beside a plan, with what each would cost and reach; nothing here is ever sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from seawall import units
from seawall.action import Plan
from seawall.measures.view import View
from seawall.plan import claims, fixed, greedy
from seawall.plan import desk as desks
from seawall.plan.demand import Demand, Means, Slot, UntilDemand
from seawall.plan.desk import Desk
from seawall.plan.greedy import legs_of
from seawall.plan.trial import Trial, caught_up
from seawall.units import QuoteQuantums

PARTS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Another way to serve the same demands: what it costs against the mid, and what it reaches."""

    name: str
    cost: QuoteQuantums  # > 0 is a loss
    closed: QuoteQuantums  # expected to be exchanged
    reached: int  # targets
    wanted: int
    is_in_budget: bool  # of the hour and the day; by hand nobody looks


def alternatives(
    view: View, demands: Sequence[Demand], means: Means, made: Plan
) -> tuple[Alternative, ...]:
    """The plan, then greedy, close largest and pro rata with its cash; none without targets."""
    until = [demand for demand in demands if isinstance(demand, UntilDemand)]
    if not until:
        return ()
    quotes = greedy.quotes_for(view, demands, means, [])
    cash = dict(means.cash_in_flight)
    paper = Trial(before=view, caught_up=caught_up(view), quotes=quotes, cash=cash)
    for number, amount in made.top_ups:
        paper = paper.with_cash(number, paper.cash_of(number) + amount)
    base = fixed.cuts(paper, demands, ())
    desk = desks.desk_of(view, demands, means, scenarios=(), guards=())
    simple = greedy.propose(view, demands, means)
    return (
        _of_plan("this plan", made, desk),
        _of_plan("greedy", simple, desk),
        _stated("close largest", _until_met(base, until, _largest_first(base)), desk),
        _stated("pro rata", _until_met(base, until, _pro_rata(base)), desk),
    )


def _of_plan(name: str, made: Plan, desk: Desk) -> Alternative:
    return Alternative(
        is_in_budget=desks.fits(desk, made.legs),
        name=name,
        cost=QuoteQuantums(sum(leg.cost_vs_mid for leg in made.legs)),
        closed=QuoteQuantums(sum(leg.expected_quote for leg in made.legs)),
        reached=sum(claim.reached for claim in made.targets),
        wanted=len(made.targets),
    )


def _stated(name: str, paper: Trial, desk: Desk) -> Alternative:
    views = paper.views()
    met = sum(claims.holds(views, one) for one in desk.until)
    told = _of_plan(name, Plan(legs=legs_of(paper, desk.demands)), desk)
    return replace(told, reached=met, wanted=len(desk.until))


def _until_met(base: Trial, until: Sequence[UntilDemand], ladder: Iterator[Trial]) -> Trial:
    """The first rung that reaches every target, else the last."""
    paper = base
    for paper in ladder:
        views = paper.views()
        if all(claims.holds(views, one) for one in until):
            break
    return paper


def _largest_first(base: Trial) -> Iterator[Trial]:
    paper = base
    for slot in sorted(base.quotes, key=lambda one: (-_worth(base, one), one)):
        for part in range(PARTS + 1):
            paper = paper.with_cut(slot, _share(base, slot, part))
            yield paper


def _pro_rata(base: Trial) -> Iterator[Trial]:
    for part in range(PARTS + 1):
        yield replace(base, cuts={slot: _share(base, slot, part) for slot in base.quotes})


def _worth(base: Trial, slot: Slot) -> int:
    return greedy.reference_quotes(base.before, slot[1], base.quotes[slot].held).oracle


def _share(base: Trial, slot: Slot, part: int) -> int:
    quote = base.quotes[slot]
    cut = units.round_down(quote.depth * part // PARTS, quote.market.step_base_quantums)
    return max(cut, base.cut_of(slot))
