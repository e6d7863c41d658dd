"""An account in dollars, as floats, at one set of prices: what the rows of the programme need.

Floats propose and never decide: whatever comes of them is evaluated again in the chain's integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seawall import margin, stress
from seawall.account import Missing
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.plan import pricing
from seawall.plan.demand import Slot
from seawall.plan.trial import Quote
from seawall.units import PPM_ONE

Floats = NDArray[np.float64]
DOLLAR = float(PPM_ONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """One held position: sign, notional in dollars, fractions of it, hourly funding paid."""

    slot: Slot
    sign: int
    size: float
    maintenance: float
    initial: float
    hourly: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """One subaccount in dollars; `imr` is None where it is not known."""

    nc: float
    imr: float | None
    mmr: float
    buffer: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One level of one position's market: a variable, in dollars at the oracle price."""

    slot: Slot
    room: float  # the most that may close here
    each: float  # dollars of one base quantum
    cost: float  # signed, per dollar, fee included, against the oracle
    price: float  # what the objective charges per dollar


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Positions and margins at one set of prices, and the columns as they look from there.

    `worth` is what a dollar at the oracle is worth here, `drag` the cost per dollar at the oracle
    that margins feel: never below the fee, so a book better than the oracle earns nothing.
    """

    view: View
    stands: Mapping[Slot, Stand]
    margins: Mapping[int, Margins]
    slots: tuple[Slot, ...]  # of the columns, each once
    at: NDArray[np.intp]  # of each column, which of the slots
    worth: Floats
    drag: Floats


def stands_of(view: View) -> tuple[Mapping[Slot, Stand], Mapping[int, Margins]]:
    """Positions that have a price, and margins of every subaccount whose margins can be told.

    Exposure can be told of a position beside one without a price, and closed.
    """
    seen = view.observation
    stands: dict[Slot, Stand] = {}
    margins: dict[int, Margins] = {}
    for subaccount in seen.subaccounts:
        number, now = subaccount.number, view.risks[subaccount.number]
        if not isinstance(now, NoData):
            margins[number] = Margins(
                nc=now.nc / DOLLAR,
                imr=None if now.imr is None else now.imr / DOLLAR,
                mmr=now.mmr / DOLLAR,
                buffer=view.buffer_of(number) / DOLLAR,
            )
        known = subaccount.custom_imf_ppm
        custom = {} if isinstance(known, Missing) else known
        for position in subaccount.positions:
            market = seen.markets.get(position.ticker)
            if market is None or market.oracle_price <= 0:
                continue
            sign = 1 if position.quantums > 0 else -1
            imf = margin.effective_imf_ppm(market, custom.get(position.ticker, 0))
            hourly = stress.hourly_rate_ppt(market, sign, seen.advice.funding)
            stands[number, position.ticker] = Stand(
                slot=(number, position.ticker),
                sign=sign,
                size=abs(margin.notional(market, position.quantums)) / DOLLAR,
                maintenance=margin.maintenance_fraction_ppt(market) / stress.PPT_ONE,
                initial=imf / PPM_ONE,
                hourly=hourly / stress.PPT_ONE,
            )
    return stands, margins


def columns_of(view: View, quote: Quote, most: int) -> tuple[Column, ...]:
    """The levels that may take up to `most` base quantums of one position.

    The quote ends where its bound does, and below initial margin where the chain would refuse.
    """
    seen, market = view.observation, quote.market
    oracle = float(pricing.oracle_subticks(market))
    reference = float(pricing.reference(seen, quote.slot[1], view.price_band))
    each = oracle * 10.0**market.quantum_conversion_exponent / DOLLAR
    fee, sign = quote.fee_ppm / PPM_ONE, quote.side.sign
    columns, left = [], most
    for level in quote.levels:
        taken = min(left, level.quantums // market.step_base_quantums * market.step_base_quantums)
        if not taken:
            continue
        ratio = level.subticks / oracle
        cost = sign * (ratio - 1) + fee * ratio
        adverse = max(0.0, sign * (level.subticks - reference) / oracle)
        columns.append(
            Column(
                slot=quote.slot,
                room=taken * each,
                each=each,
                cost=cost,
                price=fee * ratio + adverse + 1e-4,
            )
        )
        left -= taken
    return tuple(columns)


def frame_of(base: View, view: View, columns: tuple[Column, ...], fee: float) -> Frame:
    """How columns, made at the prices of `base`, look at the prices of `view`."""
    stands, margins = stands_of(view)
    before = stands if view is base else stands_of(base)[0]
    worth = np.array([stands[c.slot].size / before[c.slot].size for c in columns])
    signs = np.array([before[c.slot].sign for c in columns], dtype=np.float64)
    costs = np.array([c.cost for c in columns])
    # A long sells: what the oracle gains, the fill has not; a short the other way.
    drag = np.maximum(costs + signs * (worth - 1), fee * worth)
    slots = tuple(dict.fromkeys(c.slot for c in columns))
    places = {slot: at for at, slot in enumerate(slots)}
    return Frame(
        view=view,
        stands=stands,
        margins=margins,
        slots=slots,
        at=np.array([places[c.slot] for c in columns], dtype=np.intp),
        worth=worth,
        drag=drag,
    )
