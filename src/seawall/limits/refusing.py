"""What the gate's verdicts share: refusals in words, sizes, who may be traded, how old is old."""

from __future__ import annotations

from typing import assert_never

from seawall import units
from seawall.account import Market, MarketStatus, Missing, Observation
from seawall.action import Action, Backstop, Cancel, Reduce, Refusal, RefusalCode, TopUp
from seawall.policy import Policy
from seawall.units import BaseQuantums, Millis

STATE_AGE_MOST = Millis(10_000)

Slot = tuple[int, str]


def refuse(action: Action, code: RefusalCode, detail: str) -> Refusal:
    """A refusal of an action, with the numbers that decided."""
    return Refusal(code=code, what=_what(action), detail=detail, action=action)


def _what(action: Action) -> str:
    match action:
        case TopUp():
            return f"top up {action.subaccount}"
        case Cancel():
            return f"cancel {action.subaccount}/{action.ticker} order {action.client_id}"
        case Reduce():
            return f"{action.side.lower()} {action.subaccount}/{action.ticker}"
        case Backstop():
            return f"backstop {action.subaccount}/{action.ticker}"
        case _:
            assert_never(action)


def coins(market: Market, quantums: int) -> str:
    """Coins without trailing zeros, signed."""
    return f"{market.coins(quantums).normalize():f}"


def notional(market: Market, quantums: int) -> int:
    """Oracle notional in quote quantums, signed like the size."""
    return units.base_to_quote(
        quantums, market.oracle_price, market.oracle_exponent, market.atomic_resolution
    )


def held(seen: Observation, slot: Slot) -> BaseQuantums | None:
    """Signed size; None where the subaccount is not guarded."""
    for subaccount in seen.subaccounts:
        if subaccount.number == slot[0]:
            position = subaccount.position(slot[1])
            return BaseQuantums(0) if position is None else position.quantums
    return None


def is_hands_off(policy: Policy, slot: Slot) -> bool:
    """Whether the operator wants a position left alone."""
    return slot[1] in policy.hands_off.markets or slot[0] in policy.hands_off.subaccounts


def refuse_order(action: Reduce | Backstop, seen: Observation, policy: Policy) -> Refusal | None:
    """Why this account may have no such order at all: market, key, or the side that grows."""
    slot = (action.subaccount, action.ticker)
    size, market = held(seen, slot), seen.markets.get(action.ticker)
    if size is None or market is None or market.clob_pair_id != action.clob_pair_id:
        return refuse(action, RefusalCode.NOT_GUARDED, "not an account and market of this guard")
    if is_hands_off(policy, slot):
        return refuse(action, RefusalCode.HANDS_OFF, "hands_off in the rule file")
    if market.status is not MarketStatus.ACTIVE:
        return refuse(action, RefusalCode.MARKET_CLOSED, f"market is {market.status}")
    reach = seen.advice.key_reach
    if not isinstance(reach, Missing) and not reach.covers(action.subaccount, action.clob_pair_id):
        return refuse(action, RefusalCode.OUTSIDE_KEY_REACH, "the trading key cannot trade it")
    if action.side.sign * size >= 0:
        return refuse(
            action, RefusalCode.WOULD_GROW, f"position {coins(market, size)}, side {action.side}"
        )
    if action.quantums <= 0 or action.quantums % market.step_base_quantums:
        return refuse(
            action,
            RefusalCode.OFF_STEP,
            f"size {action.quantums} is not a multiple of {market.step_base_quantums}",
        )
    return None


def refuse_stale(action: Action, seen: Observation) -> Refusal | None:
    """What moves size or cash is decided on fresh state only."""
    if is_fresh(seen):
        return None
    age = seen.seen_at - seen.at
    how = "old" if age > 0 else "ahead of the clock"
    return refuse(
        action,
        RefusalCode.STALE_STATE,
        f"state is {abs(age)} ms {how}, at most {STATE_AGE_MOST}",
    )


def is_fresh(seen: Observation) -> bool:
    """Whether the block's time is within 10 s of the agent's clock, on either side.

    Ahead of it one of both clocks is wrong, and how old the state is cannot be known.
    """
    return abs(seen.seen_at - seen.at) <= STATE_AGE_MOST
