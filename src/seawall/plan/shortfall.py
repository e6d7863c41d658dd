"""Why a plan does not reach a target: the constraints that bind it, and when they let go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from seawall import units, words
from seawall.account import BookLevel, Side
from seawall.action import Claim, Refusal, RefusalCode
from seawall.measures import MEASURES
from seawall.measures.view import View
from seawall.plan import acceptance, fixed, greedy, pricing
from seawall.plan import desk as desks
from seawall.plan.demand import Reason, Slot, UntilDemand
from seawall.plan.desk import TOP_UP_LEAST, Desk
from seawall.plan.frame import frame_of
from seawall.plan.greedy import Guard
from seawall.plan.rows import ask, rows_for
from seawall.plan.trial import Quote, Trial
from seawall.units import PPM_ONE

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


def of(
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
        *_orders(desk, paper, demand),
        *(reason for slot in slots for reason in _of_slot(desk, paper, slot)),
        *_cash(desk, paper, demand, later),
        *_taken_back(demand, claim),
    ]
    code = reasons[0][0] if reasons else RefusalCode.UNREACHABLE
    why = "; ".join(text for _, text in reasons)
    if any(slot in desk.rooms and desks.has_room(desk, paper, slot) for slot in slots):
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
        return f"from {words.next_hour(desk.view.observation.at)}"
    if codes <= LASTING:
        return "once that has changed"
    return "in the next window"


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
    if desks.has_room(desk, paper, slot):
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
    """Budgets of notional and cost that leave no room for another step of some position."""
    means, found, hour = desk.means, [], words.next_hour(desk.view.observation.at)
    bound = [slot for slot in desk.rooms if desk.is_budgeted(slot)]
    if not any(slot in slots and desks.has_room(desk, paper, slot) for slot in bound):
        return []
    rounding = sum(desks.step_worth(desk, slot) for slot in bound)
    dear = sum(desks.step_cost(desk, slot) for slot in bound)
    # As the programme counts: no credit for a book that is better than the oracle.
    legs = [
        replace(leg, cost_vs_oracle=max(leg.cost_vs_oracle, leg.fee))
        for leg in greedy.legs_of(paper, desk.demands)
    ]
    notional, cost = desks.used(desk, legs)
    if means.notional_left is not None and notional + 2 * rounding > means.notional_left:
        left = units.usd(means.notional_left)
        found.append(
            (
                RefusalCode.BUDGET_NOTIONAL,
                f"the hour's budget leaves ${left:,.2f} until {hour}",
            )
        )
    if means.cost_left is not None and cost + 2 * dear > means.cost_left:
        left = units.usd(means.cost_left)
        found.append(
            (RefusalCode.BUDGET_COST, f"the day's budget leaves ${left:,.2f} of cost until 00:00Z")
        )
    return found


def _orders(desk: Desk, paper: Trial, demand: UntilDemand) -> list[Reason]:
    """That all orders of the hour are used where one more would help."""
    left = desk.means.orders
    if left is None or desk.may_open(paper) or demand.max_slippage is None:
        return []
    helpful = {slot for slot, gain in gains(desk, demand, paper.views()).items() if gain > 0}
    if not any(
        slot in helpful and not paper.cut_of(slot) and desks.has_room(desk, paper, slot)
        for slot in demand.slots
        if slot in desk.rooms
    ):
        return []
    return [(RefusalCode.BUDGET_ORDERS, fixed.few_words(left, desk.view.observation.at))]


def gains(desk: Desk, wanted: UntilDemand | Guard, views: Sequence[View]) -> Mapping[Slot, float]:
    """What closing helps, by position: from the row that is missed most in what is left.

    A hedge has one sign in one row of a measure and the other in the next.
    """
    bound = wanted.target if isinstance(wanted, UntilDemand) else wanted.trigger
    fee = desk.view.observation.taker_fee_ppm / PPM_ONE
    row = max(
        (
            row
            for view in views
            for row in rows_for(
                frame_of(view, view, (), fee),
                ask(wanted.measure, wanted.instance, bound),
            )
        ),
        key=lambda row: row.least,
        default=None,
    )
    return {} if row is None else row.gain
