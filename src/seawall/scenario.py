"""Scenario, buffer and caps as values: what the trader fears, keeps back and allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from seawall.units import Millis, Ppm

ANY_MARKET = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A joint move of oracle prices, in ppm of each price, with bad fills and funding.

    `shocks` may hold "*" for every market not named; a market that neither names does not move.
    `slippage` is lost on every position at its shocked notional. `over` is charged as funding.
    `both_signs` judges the mirrored shocks too and keeps the worse.
    """

    name: str
    shocks: Mapping[str, Ppm]
    slippage: Ppm = Ppm(0)
    over: Millis = Millis(0)
    both_signs: bool = False

    def shock(self, ticker: str) -> Ppm:
        """Move of one market's oracle price in ppm; zero where the scenario is silent."""
        named = self.shocks.get(ticker)
        return named if named is not None else self.shocks.get(ANY_MARKET, Ppm(0))

    @property
    def signs(self) -> tuple[int, ...]:
        """The signs to judge: +1 as written, -1 mirrored."""
        return (1, -1) if self.both_signs else (1,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """Dollars of equity that capacity measures may not see; children have their own."""

    parent: Decimal = Decimal(0)
    child: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedCaps:
    """Caps from the account's worst acceptable loss.

    cap = max_drawdown x (equity - buffer) x share / (|shock| + slippage), fractions in ppm.
    """

    max_drawdown: Ppm
    scenario: str
    shares: Mapping[str, Ppm]

    def share(self, ticker: str) -> Ppm | None:
        """Share of one market; None where neither it nor "*" is written."""
        return self.shares.get(ticker, self.shares.get(ANY_MARKET))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Largest notional per market in dollars; the smaller of typed and derived holds."""

    typed: Mapping[str, Decimal] = field(default_factory=dict)
    derived: DerivedCaps | None = None
