"""What is seen: markets, positions, orders, books, and the observation that holds them.

State is all or nothing, from a node at one height. Advice carries its own age and may be missing:
missing advice narrows what may be done, it never blocks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from seawall import units
from seawall.units import BaseQuantums, Millis, Ppm, QuoteQuantums, Subticks

PARENTS = 128  # subaccount numbers below it are parents; parent(n) = n mod 128


class Side(StrEnum):
    """The side of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class MarketType(StrEnum):
    """Whether positions share the cross pool or stand alone in a subaccount."""

    CROSS = "CROSS"
    ISOLATED = "ISOLATED"


class MarketStatus(StrEnum):
    """Status of a clob pair, in the indexer's words."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    CANCEL_ONLY = "CANCEL_ONLY"
    POST_ONLY = "POST_ONLY"
    INITIALIZING = "INITIALIZING"
    FINAL_SETTLEMENT = "FINAL_SETTLEMENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Liquidity tier: fractions in ppm, open-interest caps in quote quantums."""

    initial_margin_ppm: Ppm
    maintenance_fraction_ppm: Ppm
    open_interest_lower_cap: QuoteQuantums = QuoteQuantums(0)
    open_interest_upper_cap: QuoteQuantums = QuoteQuantums(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One perpetual with its clob pair and oracle price, all of one height."""

    ticker: str
    perpetual_id: int
    clob_pair_id: int
    atomic_resolution: int
    step_base_quantums: int
    subticks_per_tick: int
    quantum_conversion_exponent: int
    oracle_price: int
    oracle_exponent: int
    tier: Tier
    funding_index: int = 0  # 10^-6 quote quantums per base quantum
    open_interest: BaseQuantums = BaseQuantums(0)
    market_type: MarketType = MarketType.CROSS
    status: MarketStatus = MarketStatus.ACTIVE
    funding_clamp_factor_ppm: Ppm = Ppm(6_000_000)  # of the perpetuals module; genesis value

    @property
    def oracle_dollars(self) -> Decimal:
        """Oracle price in dollars per coin."""
        return units.oracle_dollars(self.oracle_price, self.oracle_exponent)

    def dollars(self, subticks: int) -> Decimal:
        """Dollars per coin of an order price."""
        return units.subticks_dollars(
            subticks, self.atomic_resolution, self.quantum_conversion_exponent
        )

    def coins(self, quantums: int) -> Decimal:
        """Coins of a size, signed."""
        return units.coins(quantums, self.atomic_resolution)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A position as the chain stores it: funding since `funding_index` is not settled yet."""

    ticker: str
    quantums: BaseQuantums  # long > 0
    funding_index: int = 0
    quote_balance: QuoteQuantums = QuoteQuantums(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What could not be read, and why; never the same as nothing."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subaccount:
    """One margin account of the owner; `usdc` is unsettled, in quote quantums, debt < 0."""

    number: int
    usdc: QuoteQuantums
    positions: tuple[Position, ...] = ()
    custom_imf_ppm: Mapping[str, Ppm] | Missing = field(default_factory=dict)  # by ticker

    def position(self, ticker: str) -> Position | None:
        """The position in a market; None where there is none."""
        for position in self.positions:
            if position.ticker == ticker:
                return position
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatWallet:
    """The wallet that top-ups come from: USDC balance and the sequence of the same state."""

    address: str
    balance: QuoteQuantums
    sequence: int
    account_number: int


@dataclass(frozen=True, slots=True)
class BookLevel:
    """One price of a book: order price and size in base quantums."""

    subticks: Subticks
    quantums: BaseQuantums


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A market's book, best price first on either side; `seen_at` is the agent's clock."""

    seen_at: Millis
    bids: tuple[BookLevel, ...] = ()
    asks: tuple[BookLevel, ...] = ()

    @property
    def mid_twice(self) -> int | None:
        """Best bid plus best ask in subticks (twice the mid); None unless two-sided."""
        if not self.bids or not self.asks:
            return None
        return self.bids[0].subticks + self.asks[0].subticks


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingOrder:
    """An order of the owner that may still fill, as the indexer shows it."""

    subaccount: int
    ticker: str
    side: Side
    quantums: BaseQuantums  # unfilled, > 0
    subticks: Subticks
    client_id: int
    order_flags: int  # 0 short-term, 32 conditional, 64 long-term
    reduce_only: bool
    good_til_block: int | None = None
    good_til_block_time: int | None = None  # Unix seconds
    trigger_subticks: Subticks | None = None
    is_triggered: bool = False  # a conditional order that has had its attempt, or has it now
    ours: bool = False  # carries our client metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One fill of an order of the owner."""

    subaccount: int
    ticker: str
    side: Side
    quantums: BaseQuantums
    subticks: Subticks
    fee: QuoteQuantums
    height: int
    kind: str = "LIMIT"  # LIQUIDATED, DELEVERAGED and OFFSETTING are alarms
    client_id: int | None = None  # where its order is known
    is_foreign: bool = False  # of an order that no guard's windows could have named


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Money that entered (> 0) or left (< 0) a guarded subaccount, from the transfer records."""

    subaccount: int
    amount: QuoteQuantums
    height: int
    counterpart: int | None = None  # another guarded subaccount, where it is one


@dataclass(frozen=True, slots=True, kw_only=True)
class Funding:
    """Hourly funding rate of a market, signed (> 0: longs pay), now and the week's p90."""

    rate: Decimal
    p90_long: Decimal  # p90 of what a long paid per hour over the trailing week, >= 0
    p90_short: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexerSizes:
    """Position sizes as the indexer shows them at its own height."""

    height: int
    quantums: Mapping[tuple[int, str], BaseQuantums]  # by subaccount number and ticker


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReach:
    """What the trading key may place and cancel; None is no limit."""

    subaccounts: frozenset[int] | None = None
    clob_pairs: frozenset[int] | None = None

    def covers(self, subaccount: int, clob_pair: int) -> bool:
        """Whether the key can trade this market for this subaccount."""
        return (self.subaccounts is None or subaccount in self.subaccounts) and (
            self.clob_pairs is None or clob_pair in self.clob_pairs
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityTier:
    """From this net collateral on, a subaccount may have so many stateful orders open."""

    least: QuoteQuantums
    orders: int


# What the chain began with, for a node that does not say what holds now (ORDERS.md 5.2).
EQUITY_TIERS = tuple(
    EquityTier(least=QuoteQuantums(dollars * units.PPM_ONE), orders=orders)
    for dollars, orders in ((20, 1), (100, 5), (1_000, 10), (10_000, 100), (100_000, 200))
)


NOT_READ = Missing(reason="not read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What feed and indexer say; each part may be missing and none is decided on alone."""

    books: Mapping[str, Book] = field(default_factory=dict)
    orders: tuple[RestingOrder, ...] | Missing = NOT_READ
    fills: tuple[Fill, ...] | Missing = NOT_READ
    transfers: tuple[Transfer, ...] | Missing = NOT_READ
    funding: Mapping[str, Funding] | Missing = NOT_READ
    indexer_sizes: IndexerSizes | Missing = NOT_READ
    key_reach: KeyReach | Missing = NOT_READ
    key_faults: tuple[str, ...] = ()  # what is wrong with the trading key, in words
    # The newest window in which an order of any guard was told of, filled or not, by position.
    tried: Mapping[tuple[int, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """State at one height, with advice; `at` is that block's time, `seen_at` the agent's clock."""

    kind: Literal["observation"] = "observation"
    chain_id: str
    owner: str
    height: int
    at: Millis
    seen_at: Millis
    markets: Mapping[str, Market]
    subaccounts: tuple[Subaccount, ...]
    taker_fee_ppm: Ppm
    float_wallet: FloatWallet | None = None
    transfers_blocked_until: Mapping[int, int] = field(default_factory=dict)  # number -> height
    equity_tiers: tuple[EquityTier, ...] = EQUITY_TIERS
    advice: Advice = field(default_factory=Advice)

    def subaccount(self, number: int) -> Subaccount:
        """The guarded subaccount of that number; KeyError where it is not guarded."""
        for subaccount in self.subaccounts:
            if subaccount.number == number:
                return subaccount
        raise KeyError(number)

    def beyond_reach(self) -> tuple[tuple[int, str], ...]:
        """Positions (subaccount, ticker) that the key cannot trade, as far as that is known."""
        reach = self.advice.key_reach
        if isinstance(reach, Missing):
            return ()
        return tuple(
            (one.number, position.ticker)
            for one in self.subaccounts
            for position in one.positions
            if (market := self.markets.get(position.ticker)) is not None
            and not reach.covers(one.number, market.clob_pair_id)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A tick without state: what could not be read, at the agent's clock."""

    kind: Literal["blind"] = "blind"
    seen_at: Millis
    reasons: tuple[str, ...]


Seen = Observation | Blind
