"""How far a subaccount is from its death: multiples of a scenario, and one market alone."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from seawall import margin
from seawall.account import Subaccount
from seawall.margin import Band, Markets
from seawall.scenario import Scenario
from seawall.stress.footing import PPT_ONE, Footing
from seawall.stress.headroom import FINE, funding
from seawall.units import PPM_ONE


def fatal_move(stand: Footing, scenario: Scenario) -> Decimal:
    """Smallest multiple of a scenario's shocks that takes NC below MMR, in the worse sign.

    Slippage and funding are not scaled. 0 where it is below already, Infinity where no multiple is.
    """
    return min(fatal_move_of(stand, scenario, sign) for sign in scenario.signs)


def fatal_move_of(stand: Footing, scenario: Scenario, sign: int) -> Decimal:
    """The same in one sign of the scenario: +1 as written, -1 mirrored.

    The first root of a piecewise linear function: NC - loss = level + k * slope, in 10^-18.

    A falling price stops at zero, so its market leaves the slope at the kink k = 1/|r|.
    """
    slippage = scenario.slippage * PPM_ONE
    level = stand.nc * FINE - funding(stand.hourly, scenario)
    slope = 0
    kinks: list[tuple[int, int, int]] = []  # |r|, then what leaves level and slope there
    for ticker, signed, maintenance in zip(
        stand.tickers, stand.signed, stand.maintenance, strict=True
    ):
        shock = sign * scenario.shock(ticker)
        kept = (maintenance + slippage) * abs(signed)
        pull = shock * (PPT_ONE * signed - kept)
        level -= PPM_ONE * kept
        slope += pull
        if shock < 0:
            kinks.append((-shock, FINE * signed - PPM_ONE * kept, pull))
    if level < 0:
        return Decimal(0)
    for size, kept, pull in sorted(kinks, reverse=True):
        if level * size + slope * PPM_ONE < 0:
            break
        level -= kept
        slope -= pull
    return Decimal(level) / -slope if slope < 0 else Decimal("Infinity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The single market whose own move liquidates a subaccount soonest, and its band."""

    ticker: str
    band: Band


def nearest_fatal_market(subaccount: Subaccount, markets: Markets) -> Nearest | None:
    """The held market with the smallest move to liquidation; None where no single one is fatal."""
    nearest: Nearest | None = None
    now = margin.risk(subaccount, markets)
    for position in subaccount.positions:
        room = margin.band(subaccount, position.ticker, markets, now)
        if room.move == Decimal("Infinity"):
            continue
        if nearest is None or room.move < nearest.band.move:
            nearest = Nearest(ticker=position.ticker, band=room)
    return nearest
