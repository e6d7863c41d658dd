"""What a measure is: its family, unit, instances, and what can move it.

A measure is a plain function `(View, Instance, scenario name or None) -> Decimal | NoData`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seawall.measures.view import View


class Unit(StrEnum):
    """The unit of a measure and of the literals in its bounds."""

    DOLLARS = "dollars"  # $9_000
    RATIO = "ratio"  # 12% or 150bps, held as 0.12
    MULTIPLE = "multiple"  # 3x, held as 3
    SECONDS = "seconds"  # 10s, held as 10
    COUNT = "count"  # 0


class Per(StrEnum):
    """What one instance of a rule is."""

    ACCOUNT = "account"
    SUBACCOUNT = "subaccount"
    MARKET = "market"
    GROUP = "group"


class Family(StrEnum):
    """Measures that share inputs, and so fail together."""

    PROFIT_AND_LOSS = "profit and loss"
    EXPOSURE = "exposure"
    MARGIN = "margin"
    LIQUIDATION = "liquidation"
    TRUST = "trust"


class Move(StrEnum):
    """An action that can bring a measure to a target."""

    REDUCE = "reduce"
    TOP_UP = "top_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoData:
    """A measure that cannot be told now, and why; it never passes a bound."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One thing that a rule watches; the account itself has neither number, market nor group.

    A liquidation or per-market margin instance has both a subaccount and a market.
    """

    subaccount: int | None = None
    market: str | None = None
    group: str | None = None
    markets: tuple[str, ...] = ()  # the markets in scope, where `group` or an account is watched
    subaccounts: tuple[int, ...] = ()  # the subaccounts in scope

    def __str__(self) -> str:
        parts = [
            str(part) for part in (self.subaccount, self.market, self.group) if part is not None
        ]
        return "/".join(parts)


Value = Decimal | NoData
Evaluate = Callable[["View", Instance, str | None], Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One row of the table of measures."""

    name: str
    family: Family
    unit: Unit
    per: tuple[Per, ...]  # first is the default
    moved_by: tuple[Move, ...]  # what `until: target` may use
    worse_up: bool  # whether a larger value is worse
    needs_scenario: bool = False
    needs_or_else: bool = False  # `reduce until: target` wants `or_else`
    needs_rules_of: str = ""  # what must be in the file for it, in words; empty for nothing
    evaluate: Evaluate
