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

    `moves` are fractions of a price, along `tickers`. `terms` are everything that a row multiplies,
    so that one product gives all rows: its moves, its moves times slippage, slippage, and hours.
    """

    tickers: tuple[str, ...]
    rows: tuple[tuple[Scenario, int], ...]
    moves: Floats
    terms: Floats


def sweep(scenarios: Sequence[Scenario], tickers: tuple[str, ...]) -> Sweep:
    """The sweep of some scenarios over the markets of a footing."""
    rows = tuple((scenario, sign) for scenario in scenarios for sign in scenario.signs)
    written = [[max(sign * s.shock(ticker), -PPM_ONE) for ticker in tickers] for s, sign in rows]
    moves = np.array(written, dtype=np.float64).reshape(len(rows), len(tickers)) / PPM_ONE
    slippage = np.array([s.slippage for s, _ in rows], dtype=np.float64)[:, None] / PPM_ONE
    hours = np.array([s.over for s, _ in rows], dtype=np.float64)[:, None] / HOUR
    terms = np.hstack((moves, moves * slippage, slippage, hours))
    return Sweep(tickers=tickers, rows=rows, moves=moves, terms=terms)


def headrooms(stand: Footing, over: Sweep, buffer: QuoteQuantums) -> Floats:
    """Equity - buffer - MMR after each row, in quote quantums: to draw, not to decide."""
    assert over.tickers == stand.tickers
    count = len(stand.tickers)
    weights = np.empty(2 * count + 2)
    weights[:count] = stand.signed
    np.abs(weights[:count], out=weights[count:-2])
    weights[:count] -= weights[count:-2] * stand.maintenance / PPT_ONE
    weights[count:-2] *= -1
    weights[-2:] = -stand.gross, -stand.hourly / PPT_ONE
    rooms: Floats = over.terms @ weights
    rooms += stand.nc - buffer - stand.required / PPT_ONE
    return rooms


def survives(
    subaccount: Subaccount, markets: Markets, stand: Footing, over: Sweep, buffer: QuoteQuantums
) -> Flags:
    """Whether each row leaves equity - buffer at or above MMR, as the integers say."""
    rooms = headrooms(stand, over, buffer)
    scale = abs(stand.nc) + abs(buffer) + 3 * stand.gross
    verdicts: Flags = rooms >= 0
    near = np.abs(rooms) <= stand.rounding + scale * FLOAT_ERROR
    for row in np.flatnonzero(near) if near.any() else ():
        scenario, sign = over.rows[row]
        exact = headroom_of(subaccount, markets, stand, scenario, sign=sign, buffer=buffer)
        verdicts[row] = exact >= 0
    return verdicts
