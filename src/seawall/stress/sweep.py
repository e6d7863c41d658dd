"""Many scenarios at once: a matrix product screens, integers decide wherever it is close to zero.

Floats live here only. What is near zero, within rounding of float and chain together, is taken
again from `headroom`, so that a verdict is always that of the integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seawall.account import Subaccount
from seawall.margin import Markets
from seawall.scenario import Scenario
from seawall.stress.footing import PPT_ONE, Footing
from seawall.stress.headroom import headroom_of
from seawall.units import HOUR, PPM_ONE, QuoteQuantums

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FLOAT_ERROR = 1e-12  # of the largest sum; a product of 50 terms loses far less


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Scenarios over fixed markets, one row per scenario and sign, ready to be multiplied.

    `moves` are fractions of a price, along `tickers`; `slippage` a fraction, `hours` of funding.
    """

    tickers: tuple[str, ...]
    rows: tuple[tuple[Scenario, int], ...]
    moves: Floats
    slippage: Floats
    hours: Floats


def sweep(scenarios: Sequence[Scenario], tickers: tuple[str, ...]) -> Sweep:
    """The sweep of some scenarios over the markets of a footing."""
    rows = tuple((scenario, sign) for scenario in scenarios for sign in scenario.signs)
    moves = [[max(sign * s.shock(ticker), -PPM_ONE) for ticker in tickers] for s, sign in rows]
    return Sweep(
        tickers=tickers,
        rows=rows,
        moves=np.array(moves, dtype=np.float64).reshape(len(rows), len(tickers)) / PPM_ONE,
        slippage=np.array([s.slippage for s, _ in rows], dtype=np.float64) / PPM_ONE,
        hours=np.array([s.over for s, _ in rows], dtype=np.float64) / HOUR,
    )


def headrooms(stand: Footing, over: Sweep, buffer: QuoteQuantums) -> Floats:
    """Equity - buffer - MMR after each row, in quote quantums: to draw, not to decide."""
    assert over.tickers == stand.tickers
    signed = np.array(stand.signed, dtype=np.float64)
    sizes = np.abs(signed)
    required = np.array(stand.maintenance, dtype=np.float64) / PPT_ONE * sizes
    weights = np.column_stack((signed - required, sizes))
    moved = over.moves @ weights
    fixed = stand.nc - buffer - required.sum()
    lost = over.slippage * (sizes.sum() + moved[:, 1]) + over.hours * (stand.hourly / PPT_ONE)
    rooms: Floats = fixed + moved[:, 0] - lost
    return rooms


def survives(
    subaccount: Subaccount, markets: Markets, stand: Footing, over: Sweep, buffer: QuoteQuantums
) -> Flags:
    """Whether each row leaves equity - buffer at or above MMR, as the integers say."""
    rooms = headrooms(stand, over, buffer)
    scale = abs(stand.nc) + abs(buffer) + 3 * stand.gross
    verdicts: Flags = rooms >= 0
    for row in np.flatnonzero(np.abs(rooms) <= stand.rounding + scale * FLOAT_ERROR):
        scenario, sign = over.rows[row]
        exact = headroom_of(subaccount, markets, stand, scenario, sign=sign, buffer=buffer)
        verdicts[row] = exact >= 0
    return verdicts
