"""What Seawall may do: Cancel | TopUp | Reduce | Backstop. No type here can open a position.

A `Reduce` has no reduce-only flag because it is one: immediate-or-cancel, at most the live
position, with a price bound. A `Backstop` is the same with a trigger, and rests on the chain until
a price reaches it. The names of windows and ids are DESIGN.md section 4.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Literal

from seawall import units
from seawall.account import Side
from seawall.units import BaseQuantums, Millis, QuoteQuantums, Subticks

WINDOW_BLOCKS = 6
BLOCKS_AHEAD_LEAST = 3  # good_til_block minus committed height, or wait for the next window
TOP_UP_TIMEOUT_BLOCKS = 20
STOP_TIMEOUT_BLOCKS = 12  # the oldest state to act on, and two: later it never rests
STOP_LIFE = Millis(14 * units.DAY)
STOP_SLOTS = 2  # client ids of a market: one rests while the other takes its place
CONDITIONAL = 32  # order flags


def window_of(height: int) -> int:
    """The sending window of an observation at a committed height."""
    return (height + 1) // WINDOW_BLOCKS


def good_til_block(window: int) -> int:
    """The last height at which an order of the window may fill."""
    return (window + 1) * WINDOW_BLOCKS - 1


def may_send(height: int) -> bool:
    """Whether enough blocks of the window are left for an order to arrive."""
    return good_til_block(window_of(height)) - height >= BLOCKS_AHEAD_LEAST


def client_id(chain_id: str, owner: str, subaccount: int, clob_pair: int, window: int) -> int:
    """The one order id of a subaccount, market and window, for any number of guards."""
    words = f"{chain_id}|{owner}|{subaccount}|{clob_pair}|{window}"
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:4], "big")


def window_named(
    chain_id: str, owner: str, subaccount: int, clob_pair: int, *, client: int, until: int
) -> int | None:
    """The window whose order has this client id and good-til-block; None where it is no guard's."""
    window = (until + 1) // WINDOW_BLOCKS - 1
    is_ours = client == client_id(chain_id, owner, subaccount, clob_pair, window)
    return window if is_ours and until == good_til_block(window) else None


@lru_cache(maxsize=1_024)
def stop_ids(chain_id: str, owner: str, subaccount: int, clob_pair: int) -> tuple[int, ...]:
    """The client ids that stops of a subaccount and market ever have, for any number of guards.

    There are two, so the chain itself keeps any number of guards to two stops in a market.
    """
    words = f"{chain_id}|{owner}|{subaccount}|{clob_pair}|stop"
    digests = (hashlib.sha256(f"{words}|{slot}".encode()) for slot in range(STOP_SLOTS))
    return tuple(int.from_bytes(digest.digest()[:4], "big") for digest in digests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Cancel one resting order."""

    kind: Literal["cancel"] = "cancel"
    subaccount: int
    ticker: str
    clob_pair_id: int
    client_id: int
    order_flags: int
    good_til_block: int | None = None  # short-term
    good_til_block_time: int | None = None  # stateful, Unix seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUp:
    """Deposit USDC from the float wallet into a guarded subaccount."""

    kind: Literal["top_up"] = "top_up"
    subaccount: int
    amount: QuoteQuantums
    sequence: int  # of the float wallet, from the state that was judged
    account_number: int
    timeout_height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduce:
    """One reduce-only immediate-or-cancel order, never worse than `subticks`."""

    kind: Literal["reduce"] = "reduce"
    subaccount: int
    ticker: str
    clob_pair_id: int
    side: Side
    quantums: BaseQuantums  # > 0, a multiple of the step
    subticks: Subticks  # worst price, on the tick
    window: int
    good_til_block: int
    client_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backstop:
    """A reduce-only stop that rests on the chain: one immediate-or-cancel attempt at its trigger.

    `good_til_block_time` is also its version: a cancel that names an older one of the same client
    id does nothing (ORDERS.md 2.3), so no late cancel takes a newer stop away.
    """

    kind: Literal["backstop"] = "backstop"
    subaccount: int
    ticker: str
    clob_pair_id: int
    side: Side
    quantums: BaseQuantums  # > 0, a multiple of the step
    trigger_subticks: Subticks  # oracle price at which it goes off, on the tick
    subticks: Subticks  # worst price, on the tick
    good_til_block_time: int  # Unix seconds
    timeout_height: int
    client_id: int  # one of `stop_ids`


Action = Cancel | TopUp | Reduce | Backstop


class RefusalCode(StrEnum):
    """Why something that was wanted is not done; the codes are stable."""

    WOULD_GROW = "WOULD_GROW"
    EXCEEDS_POSITION = "EXCEEDS_POSITION"
    OFF_STEP = "OFF_STEP"
    PRICE_OUTSIDE_BOUND = "PRICE_OUTSIDE_BOUND"
    STALE_STATE = "STALE_STATE"
    AFTER_HALT = "AFTER_HALT"
    NOT_GUARDED = "NOT_GUARDED"
    HANDS_OFF = "HANDS_OFF"
    MARKET_CLOSED = "MARKET_CLOSED"
    OUTSIDE_KEY_REACH = "OUTSIDE_KEY_REACH"
    CANCELS_PROTECTION = "CANCELS_PROTECTION"
    ALREADY_SENT = "ALREADY_SENT"
    WINDOW_CLOSING = "WINDOW_CLOSING"
    WRONG_WINDOW = "WRONG_WINDOW"
    TRANSFERS_BLOCKED = "TRANSFERS_BLOCKED"
    FLOAT_SHORT = "FLOAT_SHORT"
    TOP_UP_IN_FLIGHT = "TOP_UP_IN_FLIGHT"
    TOP_UP_CLOSED = "TOP_UP_CLOSED"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    BUDGET_NOTIONAL = "BUDGET_NOTIONAL"
    BUDGET_ORDERS = "BUDGET_ORDERS"
    BUDGET_COST = "BUDGET_COST"
    BUDGET_TOP_UP = "BUDGET_TOP_UP"
    NO_DEPTH = "NO_DEPTH"
    BOUND = "BOUND"
    CHAIN_REFUSES = "CHAIN_REFUSES"
    UNREACHABLE = "UNREACHABLE"
    CROSSES_TRIGGER = "CROSSES_TRIGGER"
    CLAIM_FAILS = "CLAIM_FAILS"
    PAUSED = "PAUSED"
    INTERLOCK = "INTERLOCK"
    COOLING = "COOLING"
    LEFT_TO_FIRST = "LEFT_TO_FIRST"
    NO_DATA = "NO_DATA"
    RATE_LIMIT = "RATE_LIMIT"
    EQUITY_TIER = "EQUITY_TIER"
    FIRES_AT_ONCE = "FIRES_AT_ONCE"
    SLOT_TAKEN = "SLOT_TAKEN"
    NOT_ASKED_FOR = "NOT_ASKED_FOR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something wanted and not done: a stable code and the numbers that decided."""

    code: RefusalCode
    what: str  # "reduce 0/BTC-USD"
    detail: str  # "asked 0.2, position 0.1"
    action: Action | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a plan promises of one measure: before, after, and the target it is held to, if any."""

    rule: str  # RULE[/INSTANCE]
    measure: str
    before: Decimal
    after: Decimal
    target: Decimal | None  # None: of a cut of fixed size
    reached: bool  # the target


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One reduction of a plan, with what it is expected to do."""

    subaccount: int
    ticker: str
    side: Side
    quantums: BaseQuantums
    worst_subticks: Subticks
    expected_quantums: BaseQuantums  # what is expected to fill, at most `quantums`
    expected_quote: QuoteQuantums  # what the fill is expected to exchange
    fee: QuoteQuantums
    cost_vs_oracle: QuoteQuantums  # fee and slippage, > 0 is a loss
    cost_vs_mid: QuoteQuantums
    asked_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The cheapest thing found that serves every running intervention, with its claims."""

    legs: tuple[Leg, ...] = ()
    top_ups: tuple[tuple[int, QuoteQuantums], ...] = ()  # subaccount, amount
    claims: tuple[Claim, ...] = ()
    dropped: tuple[Refusal, ...] = ()
    solver: str = "greedy"  # what proposed it, with its version
    proposal: tuple[tuple[int, str, int], ...] = ()  # subaccount, ticker or "USDC", quantums
    let_go: tuple[str, ...] = ()  # acting levels whose trigger the plan could not keep from
    short: tuple[str, ...] = ()  # interventions whose target the solver could not reach

    @property
    def targets(self) -> tuple[Claim, ...]:
        """The claims that are held to a target."""
        return tuple(claim for claim in self.claims if claim.target is not None)

    @property
    def cost(self) -> QuoteQuantums:
        """Fee and slippage against the oracle over all legs, > 0 is a loss."""
        return QuoteQuantums(sum(leg.cost_vs_oracle for leg in self.legs))


class Ending(StrEnum):
    """How an action ended, read from the chain."""

    FILLED = "filled"
    PARTIAL = "partial"
    NOTHING = "nothing"
    LANDED = "landed"  # the deposit is there; the stop rests
    FAILED = "failed"
    DEAD = "dead"
    GONE = "gone"  # a cancelled order is no longer there


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an action, from position, fills, balance or sequence."""

    action_id: str
    ending: Ending
    height: int
    at: Millis
    filled: BaseQuantums = BaseQuantums(0)
    quote: QuoteQuantums = QuoteQuantums(0)
    fee: QuoteQuantums = QuoteQuantums(0)
    cost_vs_oracle: QuoteQuantums = QuoteQuantums(0)  # against the oracle when it was decided
    cost_vs_mid: QuoteQuantums = QuoteQuantums(0)
