"""The liquidation band of one position: how far its own market may still move against it."""

from __future__ import annotations

from decimal import Decimal

from seawall import margin
from seawall.measures.spec import Instance, NoData, Value
from seawall.measures.view import View


def liq_move(view: View, instance: Instance, scenario: str | None) -> Value:
    """Adverse move of the oracle price, alone, up to liquidation; a fraction of it, >= 0.

    0 where it is liquidatable already, Infinity where nothing is held or no price of this market
    liquidates. Exact in price units: MARGIN.md section 7.
    """
    del scenario
    number, ticker = instance.subaccount, instance.market
    if number is None or ticker is None:
        return NoData(reason="a liquidation band belongs to one position of one subaccount")
    now = view.risk(number)
    if isinstance(now, NoData):
        return now
    subaccount = view.observation.subaccount(number)
    if subaccount.position(ticker) is None:
        return Decimal("Infinity")
    return max(margin.move_left(subaccount, ticker, view.observation.markets, now), Decimal(0))
