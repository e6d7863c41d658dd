"""Everything one plan is made from: the account on paper, what is wanted, and what it may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from seawall import margin
from seawall.action import Leg, Refusal
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.plan import acceptance, claims, fixed, greedy, pricing, trial
from seawall.plan.demand import Demand, Means, Slot, UntilDemand
from seawall.plan.greedy import Guard
from seawall.plan.trial import Trial
from seawall.plan.unbound import unbound
from seawall.units import PPM_ONE

TOP_UP_LEAST = greedy.TOP_UP_LEAST


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything one plan is made from."""

    view: View
    demands: tuple[Demand, ...]
    until: tuple[UntilDemand, ...]
    means: Means
    guards: tuple[Guard, ...]  # of triggers that are not met now
    paper: Trial  # cuts of fixed size, and cash in flight
    refused: tuple[Refusal, ...]
    rooms: Mapping[Slot, int]  # the most base quantums that may be cut
    unbound: Mapping[Slot, int]  # of which levels that page want so many themselves

    unmet: tuple[UntilDemand, ...]  # by cuts of fixed size and cash in flight alone

    def failing(self, views: Sequence[View]) -> list[UntilDemand]:
        """Demands that do not hold in every view: at the oracle and at the mid."""
        return [one for one in self.until if not claims.holds(views, one)]

    def crossed(self, after: View, let_go: Sequence[str]) -> list[Guard]:
        """Triggers that are newly met and that are still to be kept from."""
        kept = [guard for guard in self.guards if guard.key not in let_go]
        return [
            guard
            for guard in kept
            if claims.is_met(after, guard.measure, guard.instance, guard.trigger)
        ]

    def is_budgeted(self, slot: Slot) -> bool:
        """Whether the budgets of the hour and day bind what is cut of a position."""
        return bool(self.bound_of(slot, self.rooms[slot]))

    def bound_of(self, slot: Slot, quantums: int) -> int:
        """Base quantums of a cut that the budgets of the hour and day bind."""
        return max(0, quantums - self.unbound.get(slot, 0))

    @property
    def orders_beside(self) -> int | None:
        """How many positions may be cut beside those of fixed size; None for any number."""
        orders = self.means.orders
        return None if orders is None else max(0, orders - len(self.paper.closing()))

    def may_open(self, paper: Trial) -> bool:
        """Whether the hour has an order for one position more."""
        orders = self.means.orders
        return orders is None or len(paper.closing()) < orders

    def most_cash(self, number: int) -> int:
        """Dollars that some failing demand may deposit into a subaccount, whole; now or in turn.

        Size waits for one deposit: none is waited for where one is under way already.
        """
        is_fed = any(to == number for to, _ in self.means.cash_in_flight)
        left = self.means.cash or (0 if is_fed else self.means.cash_later)
        offers = [
            one.cash_most
            for one in self.unmet
            if one.cash_most is not None and one.cash_to == number
        ]
        if not offers or number in self.means.cash_blocked:
            return 0
        dollars = min(max(offers), left) // PPM_ONE
        return dollars if dollars >= TOP_UP_LEAST else 0

    def may_wait(self, number: int) -> bool:
        """Whether a subaccount may wait its turn for cash: not below its initial margin."""
        now = self.view.risks[number]
        return not isinstance(now, NoData) and now.is_initially_collateralized is True


def desk_of(
    view: View,
    demands: Sequence[Demand],
    means: Means,
    *,
    scenarios: Sequence[str],
    guards: Sequence[Guard],
) -> Desk:
    """The desk for a set of demands; cuts of fixed size are already on its paper."""
    refused: list[Refusal] = []
    until = tuple(demand for demand in demands if isinstance(demand, UntilDemand))
    quotes = greedy.quotes_for(view, demands, means, refused)
    paper = Trial(
        before=view,
        caught_up=trial.caught_up(view),
        quotes=quotes,
        cash=dict(means.cash_in_flight),
    )
    whole = fixed.cuts(paper, demands, scenarios)
    wanted, left_out = fixed.within_orders(whole, demands, scenarios, means)
    refused += left_out
    paper = acceptance.accepted(wanted)
    refused += acceptance.cut_back(wanted, paper)
    views = paper.views()
    free = {slot for one in until if one.max_slippage is not None for slot in one.slots}
    return Desk(
        view=view,
        demands=tuple(demands),
        until=until,
        means=means,
        guards=tuple(
            one for one in guards if not claims.is_met(view, one.measure, one.instance, one.trigger)
        ),
        paper=paper,
        unmet=tuple(one for one in until if not claims.holds(views, one)),
        refused=tuple(refused),
        unbound=unbound(view, demands, means) if means.unbound is None else means.unbound,
        rooms={
            slot: quote.depth if slot in free else min(quote.depth, paper.cut_of(slot))
            for slot, quote in quotes.items()
        },
    )


def has_room(desk: Desk, paper: Trial, slot: Slot) -> bool:
    """Whether one step more of a position may be cut."""
    step = paper.quotes[slot].market.step_base_quantums
    return paper.cut_of(slot) + step <= desk.rooms[slot]


def step_worth(desk: Desk, slot: Slot) -> int:
    """Quote quantums of one step at the oracle."""
    return worth(desk, slot, desk.paper.quotes[slot].market.step_base_quantums)


def step_cost(desk: Desk, slot: Slot) -> int:
    """The most quote quantums that closing one step may cost: at the bound, fee included."""
    quote = desk.paper.quotes[slot]
    away = abs(quote.worst / pricing.oracle_subticks(quote.market) - 1)
    return ceil(step_worth(desk, slot) * (away + Fraction(quote.fee_ppm, PPM_ONE)))


def worth(desk: Desk, slot: Slot, quantums: int) -> int:
    """Quote quantums of a size at the oracle."""
    return margin.notional(desk.view.observation.markets[slot[1]], quantums)


def fits(desk: Desk, legs: Sequence[Leg]) -> bool:
    """Whether the budgets of the hour and the day have room for all legs."""
    (notional, cost), means = used(desk, legs), desk.means
    return all(
        left is None or taken <= left
        for taken, left in (
            (notional, means.notional_left),
            (cost, means.cost_left),
            (len(legs), means.orders_left),
        )
    )


def used(desk: Desk, legs: Sequence[Leg]) -> tuple[int, int]:
    """Notional and cost at the oracle of the legs that a budget binds."""
    notional = cost = 0
    for leg in legs:
        slot = (leg.subaccount, leg.ticker)
        bound = desk.bound_of(slot, leg.quantums)
        notional += worth(desk, slot, bound)
        cost += leg.cost_vs_oracle * bound // leg.quantums
    return notional, cost
