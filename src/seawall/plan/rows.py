"""The rows of the programme: what each measure asks of closed dollars and cash (RULES.md 4).

A row says: sum over the positions of gain x closed dollars, less `drag` x their cost, plus
`cash` x deposits, is at least `least`. Everything is in dollars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from seawall.measures import exposure
from seawall.measures.spec import Instance
from seawall.plan.demand import Slot
from seawall.plan.frame import Floats, Frame, Margins, Stand
from seawall.policy import Bound, MeasureRef
from seawall.scenario import Scenario
from seawall.units import HOUR, PPM_ONE

# Measures that a hedge holds up: closing one position makes them worse, and another's better. The
# others get worse by nothing but what closing costs.
HELD_BY_HEDGES = frozenset({"net_exposure", "stress_headroom", "fatal_move"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One inequality; `numbers` are the subaccounts whose costs and cash it feels."""

    gain: Mapping[Slot, float] = field(default_factory=dict)
    drag: float = 0.0
    cash: float = 0.0
    numbers: frozenset[int] = frozenset()
    least: float

    def over(self, frame: Frame) -> Floats:
        """Coefficients of the columns, per dollar at the oracle."""
        coefficients: Floats = self.gains_over(frame) - self.costs_over(frame)
        return coefficients

    def gains_over(self, frame: Frame) -> Floats:
        """What of the coefficients is gained, before what closing costs."""
        gains = np.array([self.gain.get(slot, 0.0) for slot in frame.slots])[frame.at]
        worth: Floats = gains * frame.worth
        return worth

    def costs_over(self, frame: Frame) -> Floats:
        """What of the coefficients closing costs, >= 0 where costs are felt."""
        felt = np.array([float(slot[0] in self.numbers) for slot in frame.slots])[frame.at]
        costs: Floats = self.drag * felt * frame.drag
        return costs


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A measure to be kept on the good side of a value."""

    measure: MeasureRef
    instance: Instance
    value: float


def ask(measure: MeasureRef, instance: Instance, bound: Bound) -> Ask:
    """What a bound asks; whether it is strict is for the integers."""
    return Ask(measure=measure, instance=instance, value=float(bound.value))


def rows_for(frame: Frame, wanted: Ask) -> tuple[Row, ...]:
    """The rows of one measure; none where nothing that we may do can move it, or it is no data."""
    of_account = _ACCOUNT.get(wanted.measure.name)
    if of_account is not None:
        return tuple(of_account(frame, wanted))
    of_margin = _MARGIN.get(wanted.measure.name)
    number = wanted.instance.subaccount
    if of_margin is None or number is None or number not in frame.margins:
        return ()
    held = [one for one in frame.stands.values() if one.slot[0] == number]
    return tuple(of_margin(frame, wanted, frame.margins[number], held))


def _of(
    wanted: Ask,
    gain: Mapping[Slot, float],
    least: float,
    *,
    weight: float = 1.0,
) -> Row:
    number = wanted.instance.subaccount
    assert number is not None
    return Row(
        gain=gain,
        drag=weight,
        cash=weight,
        numbers=frozenset({number}),
        least=least,
    )


def _solvent(wanted: Ask, now: Margins) -> Row:
    """NC' >= $1: below it a ratio says nothing."""
    return _of(wanted, {}, 1.0 - now.nc)


def _free_collateral(
    frame: Frame, wanted: Ask, now: Margins, held: Sequence[Stand]
) -> Iterator[Row]:
    del frame
    if now.imr is not None:
        gain = {one.slot: one.initial for one in held}
        yield _of(wanted, gain, wanted.value + now.buffer - (now.nc - now.imr))


def _margin_usage(frame: Frame, wanted: Ask, now: Margins, held: Sequence[Stand]) -> Iterator[Row]:
    del frame
    if now.imr is not None:
        gain = {one.slot: one.initial for one in held}
        yield _of(wanted, gain, now.imr - wanted.value * now.nc, weight=wanted.value)
        yield _solvent(wanted, now)


def _maintenance_usage(
    frame: Frame, wanted: Ask, now: Margins, held: Sequence[Stand]
) -> Iterator[Row]:
    del frame
    gain = {one.slot: one.maintenance for one in held}
    yield _of(wanted, gain, now.mmr - wanted.value * now.nc, weight=wanted.value)
    yield _solvent(wanted, now)


def _leverage(frame: Frame, wanted: Ask, now: Margins, held: Sequence[Stand]) -> Iterator[Row]:
    del frame
    sizes = {one.slot: one.size for one in held}
    gain = dict.fromkeys(sizes, 1.0)
    yield _of(wanted, gain, sum(sizes.values()) - wanted.value * now.nc, weight=wanted.value)
    yield _solvent(wanted, now)


def _liq_move(frame: Frame, wanted: Ask, now: Margins, held: Sequence[Stand]) -> Iterator[Row]:
    del frame
    gain = {one.slot: one.maintenance for one in held}
    for one in held:
        if one.slot[1] == wanted.instance.market:
            alpha = wanted.value * (1 - one.sign * one.maintenance)
            gain[one.slot] += alpha
            yield _of(wanted, gain, alpha * one.size - (now.nc - now.mmr))


def _stressed(one: Stand, scenario: Scenario, move: float) -> float:
    """(1+e)(m+p) + f - sigma e: what a dollar of the position takes under a move e."""
    slippage, hours = scenario.slippage / PPM_ONE, scenario.over / HOUR
    return (1 + move) * (one.maintenance + slippage) + hours * one.hourly - one.sign * move


def _stress_headroom(
    frame: Frame, wanted: Ask, now: Margins, held: Sequence[Stand]
) -> Iterator[Row]:
    scenario = frame.view.scenarios.get(wanted.measure.scenario or "")
    if scenario is None:
        return
    for sign in scenario.signs:
        taken = {
            one.slot: _stressed(
                one, scenario, max(-1.0, sign * scenario.shock(one.slot[1]) / PPM_ONE)
            )
            for one in held
        }
        lost = sum(taken[one.slot] * one.size for one in held)
        least = wanted.value - (now.nc - now.buffer - lost)
        yield _of(wanted, taken, least)


def _fatal_move(frame: Frame, wanted: Ask, now: Margins, held: Sequence[Stand]) -> Iterator[Row]:
    """At the target, at zero, and at each kink below it, where a price stops at nothing."""
    scenario = frame.view.scenarios.get(wanted.measure.scenario or "")
    if scenario is None:
        return
    for sign in scenario.signs:
        shocks = {one.slot: sign * scenario.shock(one.slot[1]) / PPM_ONE for one in held}
        kinks = {-1 / shock for shock in shocks.values() if shock < 0}
        for k in sorted(k for k in {0.0, wanted.value, *kinks} if k <= wanted.value):
            taken = {
                one.slot: _stressed(one, scenario, max(-1.0, k * shocks[one.slot])) for one in held
            }
            lost = sum(taken[one.slot] * one.size for one in held)
            yield _of(wanted, taken, lost - now.nc)


def _in_scope(frame: Frame, instance: Instance) -> list[Stand]:
    return [
        one
        for (number, ticker), one in frame.stands.items()
        if ticker in _tickers(instance) and number in _numbers(frame, instance)
    ]


def _tickers(instance: Instance) -> tuple[str, ...]:
    return instance.markets if instance.market is None else (instance.market,)


def _numbers(frame: Frame, instance: Instance) -> frozenset[int]:
    if instance.subaccount is not None:
        return frozenset({instance.subaccount})
    return frozenset(
        instance.subaccounts or (one.number for one in frame.view.observation.subaccounts)
    )


def _gross_exposure(frame: Frame, wanted: Ask) -> Iterator[Row]:
    held = _in_scope(frame, wanted.instance)
    gross = sum(one.size for one in held)
    yield Row(gain={one.slot: 1.0 for one in held}, least=gross - wanted.value)


def _net_exposure(frame: Frame, wanted: Ask) -> Iterator[Row]:
    held = _in_scope(frame, wanted.instance)
    net = sum(one.sign * one.size for one in held)
    for sign in (1, -1):
        gain = {one.slot: float(sign * one.sign) for one in held}
        yield Row(gain=gain, least=sign * net - wanted.value)


def _cap_use(frame: Frame, wanted: Ask) -> Iterator[Row]:
    """Typed caps are fixed; derived ones shrink with the equity that closing costs."""
    caps = {
        ticker: cap
        for ticker in _tickers(wanted.instance)
        if isinstance(cap := exposure.cap_of(frame.view, ticker), Decimal)
    }
    typed = frame.view.caps.typed
    fixed = float(sum(cap for ticker, cap in caps.items() if cap == typed.get(ticker)))
    derived = float(sum(cap for ticker, cap in caps.items() if cap != typed.get(ticker)))
    held = [one for one in _in_scope(frame, wanted.instance) if one.slot[1] in caps]
    gross = sum(one.size for one in held)
    equity = sum(now.nc - now.buffer for now in frame.margins.values())
    fee = frame.view.observation.taker_fee_ppm / PPM_ONE
    # Less than closing everything takes: no part of it is within any cap.
    is_enough = equity > (0 if fixed else fee * gross)
    slope = wanted.value * derived / equity if is_enough else 0.0
    if held:
        yield Row(
            gain={one.slot: 1.0 for one in held},
            drag=slope,
            cash=slope,
            numbers=frozenset(frame.margins),
            least=gross - wanted.value * fixed - slope * equity,
        )


def _funding_24h(frame: Frame, wanted: Ask) -> Iterator[Row]:
    numbers = _numbers(frame, wanted.instance)
    paid = {s: 24 * one.hourly for s, one in frame.stands.items() if s[0] in numbers}
    total = sum(each * frame.stands[slot].size for slot, each in paid.items())
    yield Row(gain=paid, least=total - wanted.value)


def _equity(frame: Frame, wanted: Ask) -> Iterator[Row]:
    numbers = _numbers(frame, wanted.instance) & frozenset(frame.margins)
    now = sum(frame.margins[number].nc for number in numbers)
    yield Row(drag=1.0, cash=1.0, numbers=numbers, least=wanted.value - now)


_OfMargin = Callable[[Frame, Ask, Margins, Sequence[Stand]], Iterator[Row]]
_MARGIN: Mapping[str, _OfMargin] = {
    "free_collateral": _free_collateral,
    "margin_usage": _margin_usage,
    "maintenance_usage": _maintenance_usage,
    "leverage": _leverage,
    "liq_move": _liq_move,
    "stress_headroom": _stress_headroom,
    "fatal_move": _fatal_move,
}
_ACCOUNT: Mapping[str, Callable[[Frame, Ask], Iterator[Row]]] = {
    "gross_exposure": _gross_exposure,
    "net_exposure": _net_exposure,
    "cap_use": _cap_use,
    "funding_24h": _funding_24h,
    "equity": _equity,
}
