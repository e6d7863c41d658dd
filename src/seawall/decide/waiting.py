"""Why a position may not be traded now, and why no cash may be moved: reasons for the decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from seawall import action, limits, units
from seawall.account import MarketStatus, Missing, Observation
from seawall.action import Claim, Refusal, RefusalCode
from seawall.budget import top_up_left
from seawall.decide import pausing, standby
from seawall.decide.halt import resuming
from seawall.decide.memory import Memory
from seawall.intervention import beyond_goal, sizes
from seawall.plan.demand import CutDemand, Demand, Reason, Slot, UntilDemand
from seawall.policy import Policy
from seawall.units import SECOND

PACING = frozenset({RefusalCode.ALREADY_SENT, RefusalCode.WINDOW_CLOSING, RefusalCode.RATE_LIMIT})
# Why cash may be refused to one guard, and not to another that sees the same account.
OF_ONE_GUARD = frozenset(
    {
        RefusalCode.PAUSED,
        RefusalCode.STALE_STATE,
        RefusalCode.TOP_UP_IN_FLIGHT,
        RefusalCode.TOP_UP_CLOSED,
    }
)


def why_closed(
    policy: Policy, seen: Observation, slot: Slot, halted: frozenset[str]
) -> Reason | None:
    """Why a position may not be traded in this tick at all; None where it may."""
    number, ticker = slot
    market, reach = seen.markets[ticker], seen.advice.key_reach
    if ticker in policy.hands_off.markets or number in policy.hands_off.subaccounts:
        return RefusalCode.HANDS_OFF, "hands_off in the rule file"
    if not isinstance(reach, Missing) and not reach.covers(number, market.clob_pair_id):
        return RefusalCode.OUTSIDE_KEY_REACH, "the trading key cannot trade it"
    if market.status is not MarketStatus.ACTIVE:
        return RefusalCode.MARKET_CLOSED, f"market is {market.status}"
    if ticker in halted:
        return RefusalCode.AFTER_HALT, "the oracle has not moved since the halt"
    return None


def why_not_now(
    memory: Memory, seen: Observation, number: int, *, live: bool, at_any_age: bool
) -> Reason | None:
    """Why nothing may be sent for a subaccount in this tick; None where it may.

    On paper nothing is out, no window closes and no pause holds; stale state freezes it alike.
    """
    if live and (paused := pausing.why(memory)) is not None:
        return paused
    if not (at_any_age or limits.is_fresh(seen)):
        age = (seen.seen_at - seen.at) // SECOND
        return RefusalCode.STALE_STATE, f"state is {age} s old, at most 10 s"
    if not live:
        return None
    if (left := standby.why_left(memory, seen)) is not None:
        return left
    if any(sent.action.subaccount == number for sent in memory.sent):
        return RefusalCode.ALREADY_SENT, "an order of this window may still fill"
    if not action.may_send(seen.height):
        return RefusalCode.WINDOW_CLOSING, "the next window is nearer"
    return None


def in_time(seen: Observation) -> Observation:
    """The observation where an order may still be sent: the next window is at most 2 blocks off."""
    height = seen.height
    while not action.may_send(height):
        height += 1
    return replace(seen, height=height)


def why_no_cash(policy: Policy, memory: Memory, seen: Observation) -> Reason | None:
    """Why the float wallet gives nothing now; None where it may."""
    source, wallet = policy.float_source, seen.float_wallet
    if (paused := pausing.why(memory)) is not None:
        return paused
    if not limits.is_fresh(seen):
        return RefusalCode.STALE_STATE, "state is older than 10 s"
    if source is None or wallet is None:
        return RefusalCode.FLOAT_SHORT, "there is no float wallet"
    if (left := standby.why_left(memory, seen)) is not None:
        return left
    if memory.top_up is not None:
        return RefusalCode.TOP_UP_IN_FLIGHT, "one deposit at a time"
    if seen.at < memory.top_up_closed_until:
        return RefusalCode.TOP_UP_CLOSED, "the last deposit failed less than 60 s ago"
    if wallet.balance <= units.quote_up(source.floor):
        return RefusalCode.FLOAT_SHORT, f"${units.usd(wallet.balance):,.2f} is at the floor"
    if top_up_left(memory.spent, policy) <= 0:
        return RefusalCode.BUDGET_TOP_UP, "the budget of the day is used up"
    return None


def that_another_could_serve(
    policy: Policy, memory: Memory, seen: Observation, demands: Sequence[Demand]
) -> tuple[Demand, ...]:
    """The demands for which a first guard could sell something or pay something in now.

    A lock whose positions are no larger than they may be asks for nothing, and what is never traded
    or waits for a price after a halt is left alone by every guard.
    """
    halted, held = resuming(memory.halt, seen), sizes(seen)
    no_cash = why_no_cash(policy, replace(memory, left=None), seen)
    is_paid = no_cash is None or no_cash[0] in OF_ONE_GUARD

    def is_open(slot: Slot) -> bool:
        return slot in held and why_closed(policy, seen, slot, halted) is None

    def could(demand: Demand) -> bool:
        if any(is_open(slot) for slot in _wanted(demand, seen, set())):
            return True
        if isinstance(demand, CutDemand) or not demand.cash_most:
            return False
        return is_paid and demand.cash_to not in blocked_for_cash(policy, seen)

    return tuple(demand for demand in demands if could(demand))


def blocked_for_cash(policy: Policy, seen: Observation) -> frozenset[int]:
    """Subaccounts that the chain's transfer gate or the rule file lets nothing into."""
    gated = {n for n, until in seen.transfers_blocked_until.items() if until > seen.height}
    return frozenset(gated | set(policy.hands_off.subaccounts))


def unmet(
    demands: Sequence[Demand],
    claims: Sequence[Claim],
    seen: Observation,
    closed: Mapping[Slot, Reason],
    *,
    cash_blocked: frozenset[int],
    no_cash: Reason | None,
) -> Iterator[Refusal]:
    """What demands want and may not have now, each position and source of cash once."""
    reached = {claim.rule for claim in claims if claim.reached}
    told: set[str] = set()
    for demand in demands:
        for slot in _wanted(demand, seen, reached):
            what = f"reduce {slot[0]}/{slot[1]}"
            reason = closed.get(slot)
            if reason is not None and what not in told:
                told.add(what)
                yield Refusal(code=reason[0], what=what, detail=reason[1])
        if isinstance(demand, CutDemand) or demand.cash_most is None or demand.key in reached:
            continue
        number = demand.cash_to
        reason = no_cash
        if number in cash_blocked:
            reason = RefusalCode.TRANSFERS_BLOCKED, "the chain or the rule file lets nothing in"
        what = f"top up {number}"
        if reason is not None and what not in told:
            told.add(what)
            yield Refusal(code=reason[0], what=what, detail=reason[1])


def _wanted(demand: Demand, seen: Observation, reached: set[str]) -> Iterator[Slot]:
    match demand:
        case CutDemand(keeps=keeps):
            for keep in keeps:
                if beyond_goal(keep, seen) > 0:
                    yield keep.subaccount, keep.ticker
        case UntilDemand(key=key, slots=slots, max_slippage=slippage):
            if key not in reached and slippage is not None:
                yield from slots
