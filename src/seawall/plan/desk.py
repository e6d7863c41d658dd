"""Everything one plan is made from: the account on paper, what is wanted, and what it may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from seawall import margin, units, words
from seawall.account import BookLevel, Side
from seawall.action import Claim, Leg, Refusal, RefusalCode
from seawall.measures import MEASURES
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.plan import acceptance, claims, greedy, pricing, trial
from seawall.plan.demand import Demand, Means, Reason, Slot, UntilDemand
from seawall.plan.greedy import Guard
from seawall.plan.trial import Quote, Trial
from seawall.plan.unbound import unbound
from seawall.units import PPM_ONE, Millis

TOP_UP_LEAST = greedy.TOP_UP_LEAST
NONE: Mapping[int, int] = {}
# What no window changes by itself: a wallet or its budget, the rule file, the venue, the key.
LASTING = frozenset(
    {
        RefusalCode.FLOAT_SHORT,
        RefusalCode.HANDS_OFF,
        RefusalCode.MARKET_CLOSED,
        RefusalCode.OUTSIDE_KEY_REACH,
        RefusalCode.TRANSFERS_BLOCKED,
    }
)


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
    wanted = greedy.fixed_cuts(paper, demands, scenarios)
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


def shortfall(
    desk: Desk,
    paper: Trial,
    demand: UntilDemand,
    claim: Claim,
    later: Mapping[int, int] = NONE,
) -> Refusal:
    """A target that is not reached, with the constraints that bind it, the first one as code.

    `later` are quote quantums that come by subaccount once another deposit has ended.
    """
    slots = [slot for slot in demand.slots if demand.max_slippage is not None]
    reasons = [
        *_budgets(desk, paper, slots),
        *(reason for slot in slots for reason in _of_slot(desk, paper, slot)),
        *_cash(desk, paper, demand, later),
        *_taken_back(demand, claim),
    ]
    code = reasons[0][0] if reasons else RefusalCode.UNREACHABLE
    why = "; ".join(text for _, text in reasons)
    if any(slot in desk.rooms and has_room(desk, paper, slot) for slot in slots):
        nothing = "closing more would take it, or another target, further off"
    else:
        nothing = "everything in scope is used"
    return Refusal(
        code=code,
        what=f"reach the target of {demand.key}",
        detail=f"{why}. The rest follows {_when(desk, reasons)}" if reasons else nothing,
    )


def _when(desk: Desk, reasons: Sequence[Reason]) -> str:
    """When more may be done: a budget frees with its hour or day (UTC), depth with a window."""
    codes = {code for code, _ in reasons}
    if RefusalCode.BUDGET_COST in codes:
        return "from 00:00Z"
    if codes & {RefusalCode.BUDGET_NOTIONAL, RefusalCode.BUDGET_ORDERS}:
        return f"from {_next_hour(desk)}"
    if codes <= LASTING:
        return "once that has changed"
    return "in the next window"


def _next_hour(desk: Desk) -> str:
    at = desk.view.observation.at
    return words.clock(Millis((at - at % units.HOUR + units.HOUR) % units.DAY))


def _taken_back(demand: UntilDemand, claim: Claim) -> list[Reason]:
    """That others come before a target which is out of reach now, where they take it further off.

    A target is an upward bound where larger values reach it.
    """
    old, new = claim.before, claim.after
    if new >= old if demand.target.operator.is_upward else new <= old:
        return []
    unit = MEASURES[demand.measure.name].unit
    taken = f"take it from {words.show(old, unit)} to {words.show(new, unit)}"
    return [(RefusalCode.CROSSES_TRIGGER, f"targets within reach come first and {taken}")]


def _of_slot(desk: Desk, paper: Trial, slot: Slot) -> list[Reason]:
    """What keeps one position from being cut further: closed, the bound, or the depth."""
    name = f"{slot[0]}/{slot[1]}"
    if slot in desk.means.closed:
        code, why = desk.means.closed[slot]
        return [(code, f"{name}: {why}")]
    quote = paper.quotes.get(slot)
    if quote is None:
        return []
    step = quote.market.step_base_quantums
    cut, held = min(paper.cut_of(slot), quote.depth), units.round_down(quote.held, step)
    if has_room(desk, paper, slot):
        return _refused(paper, slot, desk.rooms[slot])
    if cut >= held:
        return []
    size, worst = quote.market.coins(cut), quote.market.dollars(quote.worst).normalize()
    if _has_more(desk.view, quote):
        return [(RefusalCode.BOUND, f"{name}: bound {worst:f} leaves {size.normalize():f}")]
    return [(RefusalCode.NO_DEPTH, f"{name}: depth is {size.normalize():f}")]


def _refused(paper: Trial, slot: Slot, most: int) -> list[Reason]:
    """That the chain takes no more of a position; of each that is cut a step is for rounding."""
    step = paper.quotes[slot].market.step_base_quantums
    more = paper.with_cut(slot, min(most, paper.cut_of(slot) + (1 + len(paper.quotes)) * step))
    if acceptance.accepted(more).cut_of(slot) == more.cut_of(slot):
        return []
    why = acceptance.why(paper, slot)
    return [(RefusalCode.CHAIN_REFUSES, f"{slot[0]}/{slot[1]}: {why}")]


def _has_more(view: View, quote: Quote) -> bool:
    """Whether the book goes on beyond the bound."""
    book = pricing.fresh_book(view.observation, quote.slot[1])
    if book is None:
        side: tuple[BookLevel, ...] = ()
    else:
        side = book.bids if quote.side is Side.SELL else book.asks
    return any(not pricing.is_within(quote.side, one.subticks, quote.worst) for one in side)


def _cash(desk: Desk, paper: Trial, demand: UntilDemand, later: Mapping[int, int]) -> list[Reason]:
    """Cash that waits its turn, or that a level offers and that is all used, or may not move."""
    number = demand.cash_to
    if number in later:
        dollars = f"${later[number] // PPM_ONE:,} into {number}"
        return [(RefusalCode.TOP_UP_IN_FLIGHT, f"{dollars} come once the deposit before has ended")]
    if demand.cash_most is None:
        return []
    if number in desk.means.cash_blocked:
        return [(RefusalCode.TRANSFERS_BLOCKED, f"no deposit into {number} now")]
    flying = sum(amount for to, amount in desk.means.cash_in_flight if to == number)
    used = (paper.cash_of(number) - flying) // PPM_ONE
    most = min(demand.cash_most, desk.means.cash + desk.means.cash_later) // PPM_ONE
    if 0 < used < most:
        return []
    if used == 0 and most >= TOP_UP_LEAST:
        return [(RefusalCode.TOP_UP_IN_FLIGHT, "one deposit at a time")]
    return [(RefusalCode.FLOAT_SHORT, f"cash: ${most:,} is what level, float and budget leave")]


def _budgets(desk: Desk, paper: Trial, slots: Sequence[Slot]) -> list[Reason]:
    """Budgets of the hour and day that leave no room for another step of some position."""
    means, found = desk.means, []
    bound = [slot for slot in desk.rooms if desk.is_budgeted(slot)]
    if not any(slot in slots and has_room(desk, paper, slot) for slot in bound):
        return []
    rounding = sum(step_worth(desk, slot) for slot in bound)
    dear = sum(step_cost(desk, slot) for slot in bound)
    # As the programme counts: no credit for a book that is better than the oracle.
    legs = [
        replace(leg, cost_vs_oracle=max(leg.cost_vs_oracle, leg.fee))
        for leg in greedy.legs_of(paper, desk.demands)
    ]
    notional, cost = used(desk, legs)
    if means.notional_left is not None and notional + 2 * rounding > means.notional_left:
        left = units.usd(means.notional_left)
        found.append(
            (
                RefusalCode.BUDGET_NOTIONAL,
                f"the hour's budget leaves ${left:,.2f} until {_next_hour(desk)}",
            )
        )
    if means.cost_left is not None and cost + 2 * dear > means.cost_left:
        left = units.usd(means.cost_left)
        found.append(
            (RefusalCode.BUDGET_COST, f"the day's budget leaves ${left:,.2f} of cost until 00:00Z")
        )
    return found


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
