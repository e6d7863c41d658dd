"""How a market's decimals become the chain's integers, exactly or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from seawall.errors import MalformedAnswer
from seawall.units import QUOTE_RESOLUTION, BaseQuantums, Subticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The resolutions of one market; sizes and prices off the grid raise MalformedAnswer."""

    ticker: str
    perpetual_id: int
    clob_pair_id: int
    atomic_resolution: int
    quantum_conversion_exponent: int

    def quantums(self, size: Decimal) -> BaseQuantums:
        """Base quantums of a size in coins, signed as it is."""
        return BaseQuantums(_exact(size.scaleb(-self.atomic_resolution), f"{size} {self.ticker}"))

    def subticks(self, price: Decimal) -> Subticks:
        """Subticks of a price in dollars per coin (ORDERS.md section 3.1)."""
        return Subticks(_exact(price.scaleb(self._price_shift), f"{price} {self.ticker}"))

    def nearest_subticks(self, price: Decimal) -> Subticks:
        """Subticks nearest to a price; a deleveraging fills between the chain's units."""
        return Subticks(int(price.scaleb(self._price_shift).to_integral_value()))

    @property
    def _price_shift(self) -> int:
        return self.atomic_resolution - self.quantum_conversion_exponent - QUOTE_RESOLUTION


def _exact(value: Decimal, what: str) -> int:
    whole = int(value)
    if whole != value:
        raise MalformedAnswer(f"{what} is finer than the chain's unit")
    return whole
