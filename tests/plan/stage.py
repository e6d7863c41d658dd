"""Demands and means for the planner, each in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from seawall.action import Plan, RefusalCode
from seawall.intervention import Keep
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan.demand import CutDemand, Means, Reason, Slot, UntilDemand
from seawall.plan.greedy import Guard
from seawall.policy import Bound, MeasureRef, Operator
from seawall.units import Ppm
from tests.see import MARKETS, Number, decimal, quantums, quote

OPERATORS = {one.value: one for one in Operator}


def bound(words: str) -> Bound:
    """ ">= 2000" as a bound."""
    operator, number = words.split()
    return Bound(operator=OPERATORS[operator], value=Decimal(number))


def until(
    view: View,
    measure: str,
    target: str,
    *,
    scenario: str | None = None,
    instance: Instance | None = None,
    slots: Sequence[Slot] | None = None,
    slippage: int | None = 20_000,
    cash: Number | None = None,
) -> UntilDemand:
    """A demand on everything held, of subaccount 0 unless an instance is given."""
    held = [(s.number, p.ticker) for s in view.observation.subaccounts for p in s.positions]
    return UntilDemand(
        name=f"{measure}#1",
        key=measure,
        measure=MeasureRef(name=measure, scenario=scenario),
        instance=instance or Instance(subaccount=0),
        target=bound(target),
        slots=tuple(held if slots is None else slots),
        max_slippage=None if slippage is None else Ppm(slippage),
        cash_most=None if cash is None else quote(cash),
    )


def exposure(view: View, market: str, most: int, *, slippage: int = 20_000) -> UntilDemand:
    """A demand that one market holds at most so many dollars; named after the market."""
    its, slots = Instance(market=market), [(0, market)]
    one = until(view, "gross_exposure", f"<= {most}", instance=its, slots=slots, slippage=slippage)
    return replace(one, name=f"{market}#1", key=market)


def down_to(*left: tuple[str, Number], slippage: int = 20_000) -> CutDemand:
    """A demand that at most so many coins of each market stay."""
    return CutDemand(
        name="loss#1",
        key="loss",
        measure=MeasureRef(name="drawdown"),
        instance=Instance(),
        keeps=tuple(
            Keep(subaccount=0, ticker=ticker, quantums=quantums(MARKETS[ticker], size))
            for ticker, size in left
        ),
        max_slippage=Ppm(slippage),
    )


def guard(measure: str, trigger: str, *, scenario: str | None = None) -> Guard:
    """A trigger of subaccount 0 that is not to be crossed."""
    return Guard(
        key=f"{measure}/act",
        measure=MeasureRef(name=measure, scenario=scenario),
        instance=Instance(subaccount=0),
        trigger=bound(trigger),
    )


def closing(*slots: Slot) -> Mapping[Slot, Reason]:
    """Positions that may not be traded, since their market is paused."""
    return dict.fromkeys(slots, (RefusalCode.MARKET_CLOSED, "market is PAUSED"))


def with_cash(dollars: Number) -> Means:
    """Means with that much in the float."""
    return Means(cash=quote(decimal(dollars)))


def coins(plan: Plan, view: View) -> dict[str, Decimal]:
    """What a plan closes, in coins by ticker."""
    markets = view.observation.markets
    return {leg.ticker: markets[leg.ticker].coins(leg.quantums).normalize() for leg in plan.legs}
