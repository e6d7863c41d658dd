"""Margin of one subaccount: how much of it is used, and what a scenario would leave.

Ratios are Infinity where equity is at or below zero while something is held: no bound on a ratio
may read a ruined account as a calm one. An account without positions uses none of its margin.
"""

from __future__ import annotations

from decimal import Decimal

from seawall import stress, units
from seawall.measures.spec import Instance, NoData, Value
from seawall.measures.view import View
from seawall.scenario import Scenario


def leverage(view: View, instance: Instance, scenario: str | None) -> Value:
    """Gross oracle notional / equity, a multiple >= 0. Source: RULES.md section 2."""
    del scenario
    stand, now = view.footing(instance.subaccount), view.risk(instance.subaccount)
    if isinstance(stand, NoData):
        return stand
    return now if isinstance(now, NoData) else _ratio(stand.gross, now.nc)


def margin_usage(view: View, instance: Instance, scenario: str | None) -> Value:
    """IMR / equity, a fraction >= 0; beyond 100% the chain takes no new risk. MARGIN.md 2.3."""
    del scenario
    now = view.risk(instance.subaccount)
    if isinstance(now, NoData):
        return now
    return _no_imr(instance) if now.imr is None else _ratio(now.imr, now.nc)


def maintenance_usage(view: View, instance: Instance, scenario: str | None) -> Value:
    """MMR / equity, a fraction >= 0; beyond 100% is liquidation. MARGIN.md 2.3."""
    del scenario
    now = view.risk(instance.subaccount)
    return now if isinstance(now, NoData) else _ratio(now.mmr, now.nc)


def free_collateral(view: View, instance: Instance, scenario: str | None) -> Value:
    """Equity - IMR - buffer in dollars; negative where the buffer is eaten into. MARGIN.md 2.3."""
    del scenario
    now = view.risk(instance.subaccount)
    if isinstance(now, NoData):
        return now
    if now.imr is None:
        return _no_imr(instance)
    assert instance.subaccount is not None
    return units.usd(now.nc - now.imr - view.buffer_of(instance.subaccount))


def stress_headroom(view: View, instance: Instance, scenario: str | None) -> Value:
    """Equity - buffer - MMR after a scenario in dollars, its worse sign; below 0 it kills.

    Source: RULES.md section 2, rounded down to the quantum.
    """
    feared = _scenario(view, scenario)
    stand, number = view.footing(instance.subaccount), instance.subaccount
    if isinstance(feared, NoData):
        return feared
    if isinstance(stand, NoData):
        return stand
    assert number is not None
    seen = view.observation
    room = stress.headroom(
        seen.subaccount(number), seen.markets, stand, feared, view.buffer_of(number)
    )
    return units.usd(room)


def fatal_move(view: View, instance: Instance, scenario: str | None) -> Value:
    """Smallest multiple of a scenario's shocks that liquidates, in its worse sign; >= 0.

    0 where it is below already, Infinity where no multiple does. Source: RULES.md section 2.
    """
    feared = _scenario(view, scenario)
    stand = view.footing(instance.subaccount)
    if isinstance(feared, NoData):
        return feared
    return stand if isinstance(stand, NoData) else stress.fatal_move(stand, feared)


def _scenario(view: View, name: str | None) -> Scenario | NoData:
    found = None if name is None else view.scenarios.get(name)
    return NoData(reason=f"no scenario named {name}") if found is None else found


def _ratio(part: int, equity: int) -> Decimal:
    if part == 0:
        return Decimal(0)
    return Decimal(part) / equity if equity > 0 else Decimal("Infinity")


def _no_imr(instance: Instance) -> NoData:
    return NoData(
        reason=f"{instance.subaccount}: custom leverage was not read, so IMR is not known"
    )
