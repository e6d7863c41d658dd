"""An account as a trader wants to see it: margins, bands and funding in dollars, rules' distances.

Everything is taken from the measures that the guard itself decides on; what cannot be told is
NoData with its reason, never a zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal

from seawall import margin, stress, units
from seawall.account import Market, Missing, Observation, Position, Subaccount
from seawall.intervention import key_of
from seawall.margin import Band
from seawall.measures import MEASURES, value_of
from seawall.measures.instances import instances
from seawall.measures.ledger import Ledger
from seawall.measures.spec import Instance, NoData, Unit, Value
from seawall.measures.view import View
from seawall.policy import Bound, Policy, Rule
from seawall.units import PPM_ONE

HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionReport:
    """One position: sizes in coins (long > 0), dollars, and the band to its liquidation price.

    `funding_24h` is what is expected to be paid, `funding_worst` the most that the chain's clamp
    allows, `funding_paid` what was paid in the last 24 hours (received < 0).
    """

    market: str
    size: Decimal
    notional: Value
    band: Band | NoData
    funding_24h: Value
    funding_worst: Value
    funding_paid: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class SubaccountReport:
    """One margin account in dollars and ratios; `free_collateral` is after the buffer.

    `is_liquidatable` is None where that cannot be told.
    """

    number: int
    equity: Value
    imr: Value
    mmr: Value
    margin_usage: Value
    maintenance_usage: Value
    leverage: Value
    free_collateral: Value
    free_before_buffer: Value
    buffer: Decimal
    is_liquidatable: bool | None
    positions: tuple[PositionReport, ...]

    def reasons(self) -> tuple[str, ...]:
        """Why numbers are missing, each reason once, in the order in which they are shown."""
        shown: list[object] = [getattr(self, one.name) for one in fields(self)]
        for position in self.positions:
            shown += [getattr(position, one.name) for one in fields(position)]
        return tuple(dict.fromkeys(one.reason for one in shown if isinstance(one, NoData)))


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelReport:
    """One level of a rule: how far the value is from its trigger, in the measure's unit.

    Zero or below where the trigger is met.
    """

    name: str
    trigger: Bound
    distance: Decimal | None

    @property
    def is_met(self) -> bool:
        """Whether the trigger holds now; `for` may still run."""
        return self.distance is not None and (
            self.distance < 0 or (self.distance == 0 and "=" in self.trigger.operator)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """One instance of one rule with its value and levels."""

    rule: str
    key: str
    measure: str
    unit: Unit
    value: Value
    levels: tuple[LevelReport, ...]


def view_of(observation: Observation, policy: Policy, kept: Ledger | None) -> View:
    """What the measures see; a ledger that is not kept leaves NAV measures without data."""
    if kept is None:
        kept = Ledger(at=observation.at, height=observation.height, series={}, holdings={})
    return policy.view(observation, kept)


def subaccount_report(
    view: View, subaccount: Subaccount, paid: Mapping[tuple[int, str], Decimal] | Missing
) -> SubaccountReport:
    """One subaccount with its positions."""
    number = subaccount.number
    instance = Instance(subaccount=number)
    risk = view.risk(number)
    free = value_of(view, "free_collateral", instance, None)
    buffer = units.usd(view.buffer_of(number))
    return SubaccountReport(
        number=number,
        equity=risk if isinstance(risk, NoData) else units.usd(risk.nc),
        imr=_imr(view, number),
        mmr=risk if isinstance(risk, NoData) else units.usd(risk.mmr),
        margin_usage=value_of(view, "margin_usage", instance, None),
        maintenance_usage=value_of(view, "maintenance_usage", instance, None),
        leverage=value_of(view, "leverage", instance, None),
        free_collateral=free,
        free_before_buffer=free if isinstance(free, NoData) else free + buffer,
        buffer=buffer,
        is_liquidatable=None if isinstance(risk, NoData) else risk.is_liquidatable,
        positions=tuple(
            _position(view, subaccount, position, paid) for position in subaccount.positions
        ),
    )


def _imr(view: View, number: int) -> Value:
    risk = view.risk(number)
    if isinstance(risk, NoData):
        return risk
    if risk.imr is None:
        return NoData(reason=f"{number}: custom leverage was not read, so IMR is not known")
    return units.usd(risk.imr)


def _position(
    view: View,
    subaccount: Subaccount,
    position: Position,
    paid: Mapping[tuple[int, str], Decimal] | Missing,
) -> PositionReport:
    number, ticker = subaccount.number, position.ticker
    seen = view.observation
    market = seen.markets.get(ticker)
    received: Value = (
        NoData(reason=f"funding payments: {paid.reason}")
        if isinstance(paid, Missing)
        else paid.get((number, ticker), Decimal(0))
    )
    if market is None or market.oracle_price <= 0:
        unknown = NoData(reason=f"{ticker}: no oracle price")
        return PositionReport(
            market=ticker,
            size=Decimal(0) if market is None else market.coins(position.quantums),
            notional=unknown,
            band=unknown,
            funding_24h=unknown,
            funding_worst=unknown,
            funding_paid=received,
        )
    risk = view.risk(number)
    return PositionReport(
        market=ticker,
        size=market.coins(position.quantums),
        notional=units.usd(margin.notional(market, position.quantums)),
        band=(
            risk
            if isinstance(risk, NoData)
            else margin.band(subaccount, ticker, seen.markets, risk)
        ),
        funding_24h=_funding(view, market, position),
        funding_worst=_a_day(market, position, stress.hourly_clamp_ppt(market)),
        funding_paid=received,
    )


def _funding(view: View, market: Market, position: Position) -> Value:
    rates = view.observation.advice.funding
    if isinstance(rates, Missing):
        return NoData(reason=f"funding rates: {rates.reason}")
    if market.ticker not in rates:
        return NoData(reason=f"{market.ticker}: no funding rate")
    sign = 1 if position.quantums > 0 else -1
    return _a_day(market, position, stress.hourly_rate_ppt(market, sign, rates))


def _a_day(market: Market, position: Position, hourly_ppt: int) -> Decimal:
    """Dollars of 24 hours at an hourly rate in 10^-12 of the notional, rounded up."""
    size = abs(margin.notional(market, position.quantums))
    return units.usd(units.divide_up(HOURS * size * hourly_ppt, PPM_ONE**2))


def rule_reports(view: View, policy: Policy) -> tuple[RuleReport, ...]:
    """Every instance of every rule, in the order of the file."""
    return tuple(
        _rule(view, rule, instance)
        for rule in policy.rules
        for instance in instances(
            rule.measure.name,
            MEASURES[rule.measure.name].family,
            rule.scope,
            view.observation,
            rule=rule.id,
            caps=policy.caps,
        )
    )


def _rule(view: View, rule: Rule, instance: Instance) -> RuleReport:
    value = value_of(view, rule.measure.name, instance, rule.measure.scenario)
    return RuleReport(
        rule=rule.id,
        key=key_of(rule.id, instance),
        measure=str(rule.measure),
        unit=MEASURES[rule.measure.name].unit,
        value=value,
        levels=tuple(
            LevelReport(
                name=level.name,
                trigger=level.trigger,
                distance=None if isinstance(value, NoData) else _distance(level.trigger, value),
            )
            for level in rule.levels
        ),
    )


def _distance(trigger: Bound, value: Decimal) -> Decimal:
    """What is left up to the trigger; below zero beyond it."""
    return trigger.value - value if trigger.operator.is_upward else value - trigger.value
