"""The committed state of the chain at one height, as values that never change.

The exchange replaces values, it does not edit them, so a state of an older height stays readable
and whoever holds an unchanged account or market holds the very same object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from seawall.account import MarketType
from seawall.simulator.authenticators import Permission
from seawall.simulator.markets import MarketSpec
from seawall.simulator.messages import PlaceOrder, SubaccountId
from seawall.simulator.ruler import Held, Risk, Terms, risk
from seawall.units import BaseQuantums, Millis, QuoteQuantums

BLOCKED_FOR_BLOCKS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A subaccount as stored: unsettled USDC (debt < 0) and positions in order of perpetual."""

    id: SubaccountId
    usdc: QuoteQuantums = QuoteQuantums(0)
    held: tuple[Held, ...] = ()
    custom_imf_ppm: Mapping[int, int] = field(default_factory=dict)  # by perpetual id
    updated_height: int = 0

    def quantums(self, perpetual_id: int) -> BaseQuantums:
        """Signed size of the position in a perpetual; zero where there is none."""
        for one in self.held:
            if one.perpetual_id == perpetual_id:
                return BaseQuantums(one.quantums)
        return BaseQuantums(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketState:
    """A market at one height: its oracle price at the spec's exponent, and its terms."""

    spec: MarketSpec
    price: int
    terms: Terms
    rate_8h_ppm: int = 0  # funding rate per 8 hours, > 0: longs pay; an eighth falls due each hour
    is_rate_given: bool = False  # by a scenario, so that premiums do not change it

    @property
    def funding_index(self) -> int:
        """Funding index in 10^-6 quote quantums per base quantum."""
        return self.terms.funding_index

    @property
    def hourly_rate(self) -> Decimal:
        """Funding rate per hour as a fraction, > 0: longs pay."""
        return Decimal(self.rate_8h_ppm).scaleb(-6) / 8

    @property
    def open_interest(self) -> BaseQuantums:
        """Open interest in base quantums."""
        return BaseQuantums(self.terms.open_interest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Premiums:
    """Premiums that funding is made of, in ppm by perpetual, those of zero left out."""

    blocks: int = 0  # since the last sample, each with a vote
    votes: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    taken: int = 0  # samples since the last tick
    samples: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """A wallet: its account number, next sequence and USDC in quote quantums."""

    address: str
    account_number: int
    sequence: int
    balance: QuoteQuantums


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """An order that rests: what was placed, what has filled, whether it is on the book."""

    order: PlaceOrder
    filled: BaseQuantums
    placed_height: int
    arrival: int  # rank in time, unique
    is_triggered: bool = True

    @property
    def remaining(self) -> BaseQuantums:
        """What may still fill, in base quantums."""
        return BaseQuantums(self.order.quantums - self.filled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When the next leg of a TWAP order is made, and how many there are still to make."""

    legs: int
    due_s: int  # Unix seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything a query can ask of the chain at one height."""

    height: int
    time: Millis
    hash: str
    markets: Mapping[str, MarketState]
    terms: Mapping[int, Terms]  # by perpetual id
    accounts: Mapping[SubaccountId, Account]
    wallets: Mapping[str, AccountState]
    orders: Mapping[SubaccountId, tuple[OpenOrder, ...]]
    premiums: Premiums = field(default_factory=Premiums)
    negative_seen: Mapping[int | None, int] = field(default_factory=dict)  # height, by pool
    outage_seen: int | None = None
    insurance: Mapping[int | None, int] = field(default_factory=dict)  # quote quantums, by pool
    permissions: Mapping[str, tuple[Permission, ...]] = field(default_factory=dict)  # by owner
    is_smart_account_active: bool = True

    def subaccount(self, owner: str, number: int) -> Account:
        """The subaccount of that owner and number; an empty one where the chain has none."""
        key = SubaccountId(owner=owner, number=number)
        return self.accounts.get(key) or Account(id=key)

    def subaccounts_of(self, owner: str) -> tuple[Account, ...]:
        """Every subaccount the owner has, in order of number."""
        own = (account for key, account in self.accounts.items() if key.owner == owner)
        return tuple(sorted(own, key=lambda account: account.id.number))

    def open_orders(self, owner: str) -> tuple[OpenOrder, ...]:
        """Every resting or untriggered order of the owner, in order of arrival."""
        own = [o for key, orders in self.orders.items() if key.owner == owner for o in orders]
        return tuple(sorted(own, key=lambda order: order.arrival))

    def risk(self, account: Account) -> Risk:
        """NC, IMR and MMR of an account at this height, funding settled."""
        return risk(account.usdc, account.held, self.terms, account.custom_imf_ppm)

    @property
    def isolated(self) -> frozenset[int]:
        """Perpetuals whose positions stand alone, each with a pool of its own."""
        found = (m.spec for m in self.markets.values())
        return frozenset(s.perpetual_id for s in found if s.market_type is MarketType.ISOLATED)

    def gate_seen(self, pool: int | None) -> tuple[int, ...]:
        """Heights that raised the transfer gate of a collateral pool; an outage raises all."""
        seen = (self.negative_seen.get(pool), self.outage_seen)
        return tuple(height for height in seen if height is not None)

    def blocked_until(self, pool: int | None = None) -> int | None:
        """Height from which a pool's money moves again; None while it does (MARGIN.md 4.6)."""
        until = max(self.gate_seen(pool), default=-BLOCKED_FOR_BLOCKS) + BLOCKED_FOR_BLOCKS
        return until if until > self.height else None
