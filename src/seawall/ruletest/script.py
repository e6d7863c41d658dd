"""What a test file says, as values: accounts, inputs over time, and what is expected when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from seawall.account import Market, RestingOrder
from seawall.measures.view import Override
from seawall.rulefile.report import Place
from seawall.ruletest.series import Track
from seawall.units import HOUR, SECOND, Millis

NOON = Millis(12 * HOUR)
STEP = Millis(5 * SECOND)


class Fills(StrEnum):
    """What becomes of orders by the next step."""

    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One subaccount at 0s: equity in dollars, signed coins by ticker."""

    equity: Decimal
    positions: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account at 0s; `wallet` is the float in dollars, None where there is none."""

    holdings: Mapping[int, Holding]  # by subaccount number
    oracles: Mapping[str, Decimal] = field(default_factory=dict)
    wallet: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A range of values, both ends included; None is open."""

    least: Decimal | None
    most: Decimal | None

    def holds(self, value: Decimal) -> bool:
        """Whether a value is inside."""
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )


class SizeUnit(StrEnum):
    """How a plan's size is written."""

    COINS = "coins"
    SHARE = "share"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of a position a plan takes: coins, or a fraction of what was held."""

    unit: SizeUnit
    limits: Limits


class PartKind(StrEnum):
    """Parts of a plan, in their order."""

    CANCEL = "cancel_orders"
    TOP_UP = "top_up"
    REDUCE = "reduce"
    FLATTEN = "flatten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a plan that is expected; what belongs to its kind is set."""

    place: Place
    kind: PartKind
    which: str = ""  # of cancel_orders
    dollars: Limits | None = None  # of top_up
    sizes: Mapping[str, Size] = field(default_factory=dict)  # of reduce, by [NUMBER/]TICKER
    markets: tuple[str, ...] | None = None  # of flatten; None is all


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A bound on a measure: `==` or one of the four operators."""

    place: Place
    measure: Override
    operator: str
    value: Decimal
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What must be true at one moment; None is not checked, except that `firing` is exact."""

    place: Place
    at: Millis
    firing: Mapping[str, str]  # RULE[/INSTANCE] -> its highest level
    plan: tuple[Part, ...] | None = None
    after: tuple[Number, ...] = ()
    measures: tuple[Number, ...] = ()
    messages: tuple[str, ...] | None = None
    locked: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """One story: an account, what happens to it, and what the rules must make of it."""

    name: str
    place: Place
    account: Account
    markets: Mapping[str, Market]
    start: Millis = NOON  # time of day at 0s
    step: Millis = STEP
    fills: Fills = Fills.ALL
    series: Mapping[Override, Track] = field(default_factory=dict)
    prices: Mapping[str, Track] = field(default_factory=dict)
    funding: Mapping[str, Track] = field(default_factory=dict)  # signed fraction per hour
    sizes: Mapping[str, Track] = field(default_factory=dict)  # coins, as the trader trades them
    flows: Mapping[Millis, Decimal] = field(default_factory=dict)
    resting: tuple[RestingOrder, ...] = ()
    expect: tuple[Expect, ...] = ()

    @property
    def ends(self) -> Millis:
        """The last moment that is looked at."""
        return max((one.at for one in self.expect), default=Millis(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A test file: which rules it tests, what it requires, and its tests."""

    file: str
    rules: str
    tests: tuple[RuleTest, ...]
    needs_levels: bool = False
    mutation_least: Decimal | None = None  # a fraction
