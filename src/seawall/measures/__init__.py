"""Measures: what can be known about an account, as numbers with a unit and a sign.

MEASURES is the table: one row per word of the rule file, one module per family.
"""

from __future__ import annotations

from collections.abc import Mapping

from seawall.measures import exposure, liquidation, margin_use, profit_and_loss, trust
from seawall.measures.spec import (
    Evaluate,
    Family,
    Instance,
    Measure,
    Move,
    Per,
    Unit,
    Value,
)
from seawall.measures.view import Override, View

_PER: Mapping[Family, tuple[Per, ...]] = {
    Family.PROFIT_AND_LOSS: (Per.ACCOUNT, Per.SUBACCOUNT),
    Family.EXPOSURE: (Per.MARKET, Per.GROUP, Per.ACCOUNT, Per.SUBACCOUNT),
    Family.MARGIN: (Per.SUBACCOUNT,),
    Family.LIQUIDATION: (Per.MARKET,),
    Family.TRUST: (Per.ACCOUNT, Per.MARKET),
}
_BOTH = (Move.REDUCE, Move.TOP_UP)
_REDUCE = (Move.REDUCE,)
_TOP_UP = (Move.TOP_UP,)


def _row(
    evaluate: Evaluate,
    family: Family,
    unit: Unit,
    moved_by: tuple[Move, ...] = (),
    *,
    worse: str = "up",
    needs: frozenset[str] = frozenset(),
) -> Measure:
    """One measure, named after its function; `needs` may hold "scenario", "or_else" and "caps"."""
    return Measure(
        name=evaluate.__name__,
        family=family,
        unit=unit,
        per=_PER[family],
        moved_by=moved_by,
        worse_up=worse == "up",
        needs_scenario="scenario" in needs,
        needs_or_else="or_else" in needs,
        needs_rules_of="caps: or limits.derive_caps:" if "caps" in needs else "",
        evaluate=evaluate,
    )


_PROFIT_AND_LOSS = (
    _row(profit_and_loss.equity, Family.PROFIT_AND_LOSS, Unit.DOLLARS, _TOP_UP, worse="down"),
    _row(profit_and_loss.drawdown, Family.PROFIT_AND_LOSS, Unit.RATIO),
    _row(profit_and_loss.day_loss, Family.PROFIT_AND_LOSS, Unit.RATIO),
    _row(profit_and_loss.funding_24h, Family.PROFIT_AND_LOSS, Unit.DOLLARS, _REDUCE),
)
_EXPOSURE = (
    _row(exposure.gross_exposure, Family.EXPOSURE, Unit.DOLLARS, _REDUCE),
    _row(exposure.net_exposure, Family.EXPOSURE, Unit.DOLLARS, _REDUCE),
    _row(exposure.cap_use, Family.EXPOSURE, Unit.RATIO, _REDUCE, needs=frozenset({"caps"})),
    _row(exposure.open_order_risk, Family.EXPOSURE, Unit.DOLLARS),
)
_MARGIN = (
    _row(margin_use.leverage, Family.MARGIN, Unit.MULTIPLE, _BOTH),
    _row(margin_use.margin_usage, Family.MARGIN, Unit.RATIO, _BOTH),
    _row(margin_use.maintenance_usage, Family.MARGIN, Unit.RATIO, _BOTH),
    _row(
        margin_use.free_collateral,
        Family.MARGIN,
        Unit.DOLLARS,
        _BOTH,
        worse="down",
        needs=frozenset({"or_else"}),
    ),
    _row(
        margin_use.stress_headroom,
        Family.MARGIN,
        Unit.DOLLARS,
        _BOTH,
        worse="down",
        needs=frozenset({"scenario", "or_else"}),
    ),
    _row(
        margin_use.fatal_move,
        Family.MARGIN,
        Unit.MULTIPLE,
        _BOTH,
        worse="down",
        needs=frozenset({"scenario"}),
    ),
)
_LIQUIDATION = (_row(liquidation.liq_move, Family.LIQUIDATION, Unit.RATIO, _BOTH, worse="down"),)
_TRUST = (
    _row(trust.input_age, Family.TRUST, Unit.SECONDS),
    _row(trust.source_gap, Family.TRUST, Unit.RATIO),
    _row(trust.oracle_gap, Family.TRUST, Unit.RATIO),
    _row(trust.outside_reach, Family.TRUST, Unit.COUNT),
)

MEASURES: Mapping[str, Measure] = {
    measure.name: measure
    for measure in (
        *_PROFIT_AND_LOSS,
        *_EXPOSURE,
        *_MARGIN,
        *_LIQUIDATION,
        *_TRUST,
    )
}


def value_of(view: View, measure: str, instance: Instance, scenario: str | None) -> Value:
    """The value of a measure for one instance: what a rule test says of it, else what is seen."""
    if view.overrides:
        for whose in (str(instance), None):
            said = view.overrides.get(Override(measure=measure, scenario=scenario, instance=whose))
            if said is not None:
                return said
    return MEASURES[measure].evaluate(view, instance, scenario)
