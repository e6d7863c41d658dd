"""What the operator asked for: rules, levels, scopes, budgets. A rule file becomes one of these.

Bounds are Decimals in the unit of their measure (ratios as fractions, 12% is 0.12); slippages,
shares and shocks are ppm; durations are milliseconds of block time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from seawall import units
from seawall.account import Observation
from seawall.measures.ledger import Ledger
from seawall.measures.spec import Per
from seawall.measures.view import NO_OVERRIDES, Overrides, View
from seawall.scenario import Buffer, Caps, Scenario
from seawall.units import Millis, Ppm


class Operator(StrEnum):
    """Comparison of a bound."""

    AT_LEAST = ">="
    ABOVE = ">"
    AT_MOST = "<="
    BELOW = "<"

    @property
    def is_upward(self) -> bool:
        """Whether larger values satisfy it."""
        return self in (Operator.AT_LEAST, Operator.ABOVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One side of a number line: an operator and the value it compares with."""

    operator: Operator
    value: Decimal

    def holds(self, value: Decimal) -> bool:
        """Whether `value` satisfies the bound; NaN is a programming error."""
        assert not value.is_nan()
        match self.operator:
            case Operator.AT_LEAST:
                return value >= self.value
            case Operator.ABOVE:
                return value > self.value
            case Operator.AT_MOST:
                return value <= self.value
            case Operator.BELOW:
                return value < self.value


class Mode(StrEnum):
    """Whether actions are sent or only written down."""

    DRY_RUN = "dry-run"
    LIVE = "live"


class NoDataMode(StrEnum):
    """What absence of a value does to a level."""

    HOLD = "hold"
    FIRE = "fire"


class CancelWhich(StrEnum):
    """Which resting orders a level cancels."""

    RISK_INCREASING = "risk_increasing"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRef:
    """The measure a rule watches, with its scenario where it takes one."""

    name: str
    scenario: str | None = None

    def __str__(self) -> str:
        return self.name if self.scenario is None else f"{self.name} {self.scenario}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a rule watches; None is everything."""

    per: Per
    markets: tuple[str, ...] | None = None
    excluded: tuple[str, ...] = ()
    subaccounts: tuple[int, ...] | None = None

    def has_market(self, ticker: str) -> bool:
        """Whether the market is in scope."""
        return ticker not in self.excluded and (self.markets is None or ticker in self.markets)

    def has_subaccount(self, number: int) -> bool:
        """Whether the subaccount is in scope."""
        return self.subaccounts is None or number in self.subaccounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """A message once per firing."""

    kind: Literal["notify"] = "notify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A message once per firing, repeated until acknowledged."""

    kind: Literal["page"] = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrders:
    """Cancel resting orders in scope while the level fires or is latched."""

    kind: Literal["cancel_orders"] = "cancel_orders"
    which: CancelWhich


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpUntil:
    """Deposit from the float wallet until the target; at most `most` dollars per intervention."""

    kind: Literal["top_up"] = "top_up"
    most: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceAmount:
    """Reduce each position in scope by a share of its size at firing, once per firing."""

    kind: Literal["reduce_amount"] = "reduce_amount"
    share: Ppm
    max_slippage: Ppm


@dataclass(frozen=True, slots=True, kw_only=True)
class Flatten:
    """Close every position in scope; page after `give_up_after` and go on slowly."""

    kind: Literal["flatten"] = "flatten"
    max_slippage: Ppm = Ppm(20_000)
    give_up_after: Millis = Millis(90_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceUntil:
    """Reduce in scope until the target; `or_else` where even everything would not reach it."""

    kind: Literal["reduce_until"] = "reduce_until"
    max_slippage: Ppm
    or_else: Page | ReduceAmount | Flatten | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Keep positions in scope from growing while the level fires or is latched."""

    kind: Literal["lock"] = "lock"
    max_slippage: Ppm


Do = Notify | Page | CancelOrders | TopUpUntil | ReduceUntil | ReduceAmount | Flatten | Lock


def word_of(do: Do) -> str:
    """What the rule file calls an action."""
    return "reduce" if isinstance(do, ReduceAmount | ReduceUntil) else do.kind


MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latch:
    """Holds a level after firing: until `rearm`, or until a time of day (ms after 00:00 UTC)."""

    until: Millis | None = None  # None is manual


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One rung of a rule; rungs are in order of severity, the last is the highest."""

    name: str
    trigger: Bound
    target: Bound | None = None
    clear: Bound | None = None
    hold: Millis = Millis(0)
    clear_hold: Millis = Millis(0)
    cooldown: Millis = units.MINUTE
    latch: Latch | None = None
    do: tuple[Do, ...]

    @property
    def acts(self) -> bool:
        """Whether it does more than send messages."""
        return any(not isinstance(do, Notify | Page) for do in self.do)

    @property
    def pages(self) -> bool:
        """Whether it pages."""
        return any(isinstance(do, Page) for do in self.do)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: a measure over a scope, with its levels from mild to severe."""

    id: str
    why: str
    measure: MeasureRef
    scope: Scope
    levels: tuple[Level, ...]
    no_data: NoDataMode = NoDataMode.HOLD
    mode: Mode | None = None  # None is the mode of the run
    line: int = 0  # where it stands in the rule file, for messages

    def mode_in(self, run: Mode) -> Mode:
        """The mode of the rule in a run: nothing is live in a run on paper."""
        return run if self.mode is None or run is Mode.DRY_RUN else self.mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What interventions may use; None for `top_up` is the smaller of $6,000 and 20% of equity."""

    hourly_notional: Ppm = Ppm(600_000)  # of gross exposure at the hour's first observation
    hourly_orders: int = 30  # orders with a fill
    daily_cost: Ppm = Ppm(10_000)  # of equity at 00:00Z
    daily_top_up: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interlock:
    """Beyond `count` interventions on one market within `over`, its cooldown becomes `over`."""

    count: int = 3
    over: Millis = Millis(30 * 60_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatSource:
    """The wallet that top-ups come from; `floor` dollars stay in it for gas."""

    address: str
    floor: Decimal = Decimal(50)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsOff:
    """Counted in margin, never traded."""

    markets: tuple[str, ...] = ()
    subaccounts: tuple[int, ...] = ()

    def covers(self, subaccount: int, ticker: str) -> bool:
        """Whether a position there is never traded."""
        return subaccount in self.subaccounts or ticker in self.markets


@dataclass(frozen=True, slots=True, kw_only=True)
class BackstopOrder:
    """On-chain stops kept in step with the book (RULES.md section 6)."""

    scenario: str
    at: Ppm
    slippage: Ppm


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A whole rule file, checked."""

    rules: tuple[Rule, ...] = ()
    scenarios: Mapping[str, Scenario] = field(default_factory=dict)
    buffer: Buffer = field(default_factory=Buffer)
    caps: Caps = field(default_factory=Caps)
    price_band: Ppm = Ppm(30_000)
    budget: Budget = field(default_factory=Budget)
    interlock: Interlock = field(default_factory=Interlock)
    float_source: FloatSource | None = None
    hands_off: HandsOff = field(default_factory=HandsOff)
    backstop: BackstopOrder | None = None
    # Of the settings, not of a rule file:
    cash_price: Ppm = Ppm(0)  # what a dollar of cash costs beside size
    is_standby: bool = False  # it leaves what is wanted to another guard first

    def with_settings_of(self, other: Policy) -> Policy:
        """This rule file under the settings of another policy."""
        return replace(self, cash_price=other.cash_price, is_standby=other.is_standby)

    def view(
        self, observation: Observation, ledger: Ledger, overrides: Overrides = NO_OVERRIDES
    ) -> View:
        """What its measures look at, of an observation seen or hypothetical."""
        return View.of(
            observation,
            buffer=self.buffer,
            caps=self.caps,
            scenarios=self.scenarios,
            price_band=self.price_band,
            ledger=ledger,
            overrides=overrides,
        )
