"""How many orders an owner may send per block, and how many may rest for an account's equity.

All lists are the chain's parameters. The rate is counted by owner on one node when a message
arrives, whether or not it is then taken (clob 5001); the equity tier caps long-term and conditional
orders of one subaccount (clob 10001). Sources: reference ORDERS.md sections 5.1 and 5.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from seawall.simulator.markets import DOLLAR
from seawall.simulator.messages import (
    BatchCancel,
    CancelOrder,
    ClobMessage,
    PlaceOrder,
    UpdateLeverage,
    signer_of,
)

BATCH_WEIGHT = 2


class Counted(Enum):
    """What is counted together."""

    SHORT_TERM = "short-term orders and cancels"
    STATEFUL = "stateful orders"
    LEVERAGE = "leverage updates"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most `most` within `blocks` blocks."""

    blocks: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityTier:
    """From this net collateral in quote quantums on, so many stateful orders may be open."""

    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLimits:
    """The limits in force."""

    short_term: tuple[RateLimit, ...] = (RateLimit(blocks=5, most=4_000),)
    stateful: tuple[RateLimit, ...] = (
        RateLimit(blocks=1, most=2),
        RateLimit(blocks=100, most=20),
    )
    leverage: tuple[RateLimit, ...] = (RateLimit(blocks=1, most=1),)  # assumed
    equity: tuple[EquityTier, ...] = (
        EquityTier(least=0, most=0),
        EquityTier(least=20 * DOLLAR, most=1),
        EquityTier(least=100 * DOLLAR, most=5),
        EquityTier(least=1_000 * DOLLAR, most=10),
        EquityTier(least=10_000 * DOLLAR, most=100),
        EquityTier(least=100_000 * DOLLAR, most=200),
    )

    def stateful_most(self, net_collateral: int) -> int:
        """How many stateful orders an account of that net collateral may have open."""
        return max((tier.most for tier in self.equity if net_collateral >= tier.least), default=0)


class RateLimiter:
    """Counts an owner's messages by height; what the longest window has passed is forgotten."""

    def __init__(self, limits: OrderLimits) -> None:
        self._limits = limits
        self._counts: dict[tuple[Counted, str], dict[int, int]] = {}

    def refused(self, message: ClobMessage | UpdateLeverage, height: int) -> str:
        """Count a message for the block of `height`; which limit it breaks, empty for none."""
        counted, weight = _weight_of(message)
        if weight == 0:
            return ""
        limits = self._limits_of(counted)
        counts = self._counts.setdefault((counted, signer_of(message)), {})
        counts[height] = counts.get(height, 0) + weight
        longest = max((limit.blocks for limit in limits), default=0)
        for old in [h for h in counts if h <= height - longest and h != height]:
            del counts[old]
        return _broken(limits, counts, height)

    def _limits_of(self, counted: Counted) -> tuple[RateLimit, ...]:
        match counted:
            case Counted.SHORT_TERM:
                return self._limits.short_term
            case Counted.STATEFUL:
                return self._limits.stateful
            case Counted.LEVERAGE:
                return self._limits.leverage
            case _:
                assert_never(counted)


def _broken(limits: Sequence[RateLimit], counts: dict[int, int], height: int) -> str:
    for limit in limits:
        sent = sum(count for h, count in counts.items() if h > height - limit.blocks)
        if sent > limit.most:
            return f"{sent} within {limit.blocks} blocks exceed the limit of {limit.most}"
    return ""


def _weight_of(message: ClobMessage | UpdateLeverage) -> tuple[Counted, int]:
    """Which limit counts a message, and how much; stateful cancels are free."""
    match message:
        case PlaceOrder():
            is_short_term = message.order_id.is_short_term
            return Counted.SHORT_TERM if is_short_term else Counted.STATEFUL, 1
        case CancelOrder():
            return Counted.SHORT_TERM, 1 if message.order_id.is_short_term else 0
        case BatchCancel():
            return Counted.SHORT_TERM, BATCH_WEIGHT
        case UpdateLeverage():
            return Counted.LEVERAGE, 1
