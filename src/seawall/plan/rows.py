"""The rows of the programme: what each measure asks of closed dollars and cash (RULES.md 4).

A row says: sum over the positions of gain x closed dollars, less `drag` x their cost, plus
`cash` x deposits, is at least `least`. Everything is in dollars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from seawall.measures import exposure
from seawall.measures.spec import Instance, NoData
from seawall.plan.demand import Slot
from seawall.plan.frame import Floats, Frame, Margins, Stand
from seawall.policy import Bound, MeasureRef
from seawall.scenario import Scenario
from seawall.units import HOUR, PPM_ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One inequality; `numbers` are the subaccounts whose costs and cash it feels."""

    name: str
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

    name: str
    measure: MeasureRef
    instance: Instance
    value: float


def ask(name: str, measure: MeasureRef, instance: Instance, bound: Bound) -> Ask:
    """What a bound asks; whether it is strict is for the integers."""
    return Ask(name=name, measure=measure, instance=instance, value=float(bound.value))


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
    name: str = "",
) -> Row:
    number = wanted.instance.subaccount
    assert number is not None
    return Row(
        name=wanted.name + name,
        gain=gain,
        drag=weight,
        cash=weight,
        numbers=frozenset({number}),
        least=least,
    )


def solvent(number: int, now: Margins) -> Row:
    """NC' >= $1: below it a ratio says nothing."""
    return Row(
        name=f"solvent/{number}",
        drag=1.0,
        cash=1.0,
        numbers=frozenset({number}),
        least=1.0 - now.nc,
    )


def _free_collateral(
    frame: Frame, wanted: Ask, now: Margins, held: Iterable[Stand]
) -> Iterator[Row]:
    del frame
    if now.imr is not None:
        gain = {one.slot: one.initial for one in held}
        yield _of(wanted, gain, wanted.value + now.buffer - (now.nc - now.imr))


def _margin_usage(frame: Frame, wanted: Ask, now: Margins, held: Iterable[Stand]) -> Iterator[Row]:
    del frame
    if now.imr is not None:
        gain = {one.slot: one.initial for one in held}
        yield _of(wanted, gain, now.imr - wanted.value * now.nc, weight=wanted.value)
        yield solvent(wanted.instance.subaccount or 0, now)


def _maintenance_usage(
    frame: Frame, wanted: Ask, now: Margins, held: Iterable[Stand]
) -> Iterator[Row]:
    del frame
    gain = {one.slot: one.maintenance for one in held}
    yield _of(wanted, gain, now.mmr - wanted.value * now.nc, weight=wanted.value)
    yield solvent(wanted.instance.subaccount or 0, now)


def _leverage(frame: Frame, wanted: Ask, now: Margins, held: Iterable[Stand]) -> Iterator[Row]:
    del frame
    sizes = {one.slot: one.size for one in held}
    gain = dict.fromkeys(sizes, 1.0)
    yield _of(wanted, gain, sum(sizes.values()) - wanted.value * now.nc, weight=wanted.value)
    yield solvent(wanted.instance.subaccount or 0, now)


def _liq_move(frame: Frame, wanted: Ask, now: Margins, held: Iterable[Stand]) -> Iterator[Row]:
    del frame
    by_slot = {one.slot: one for one in held}
    one = by_slot.get((wanted.instance.subaccount or 0, wanted.instance.market or ""))
    if one is not None:
        alpha = wanted.value * (1 - one.sign * one.maintenance)
        gain = {slot: each.maintenance for slot, each in by_slot.items()}
        gain[one.slot] += alpha
        yield _of(wanted, gain, alpha * one.size - (now.nc - now.mmr))


def _stressed(one: Stand, scenario: Scenario, move: float) -> float:
    """(1+e)(m+p) + f - sigma e: what a dollar of the position takes under a move e."""
    slippage, hours = scenario.slippage / PPM_ONE, scenario.over / HOUR
    return (1 + move) * (one.maintenance + slippage) + hours * one.hourly - one.sign * move


def _stress_headroom(
    frame: Frame, wanted: Ask, now: Margins, held: Iterable[Stand]
) -> Iterator[Row]:
    scenario = frame.view.scenarios.get(wanted.measure.scenario or "")
    if scenario is None:
        return
    stands = list(held)
    for sign in scenario.signs:
        taken = {
            one.slot: _stressed(
                one, scenario, max(-1.0, sign * scenario.shock(one.slot[1]) / PPM_ONE)
            )
            for one in stands
        }
        lost = sum(taken[one.slot] * one.size for one in stands)
        least = wanted.value - (now.nc - now.buffer - lost)
        yield _of(wanted, taken, least, name=f" {sign:+d}")


def _fatal_move(frame: Frame, wanted: Ask, now: Margins, held: Iterable[Stand]) -> Iterator[Row]:
    """At the target, at zero, and at each kink below it, where a price stops at nothing."""
    scenario = frame.view.scenarios.get(wanted.measure.scenario or "")
    if scenario is None:
        return
    stands = list(held)
    for sign in scenario.signs:
        shocks = {one.slot: sign * scenario.shock(one.slot[1]) / PPM_ONE for one in stands}
        kinks = {-1 / shock for shock in shocks.values() if shock < 0}
        for k in sorted({wanted.value, 0.0} | {kink for kink in kinks if kink < wanted.value}):
            taken = {
                one.slot: _stressed(one, scenario, max(-1.0, k * shocks[one.slot]))
                for one in stands
            }
            lost = sum(taken[one.slot] * one.size for one in stands)
            yield _of(wanted, taken, lost - now.nc, name=f" {sign:+d} k={k:.3g}")


def _in_scope(frame: Frame, instance: Instance) -> list[Stand]:
    tickers = instance.markets if instance.market is None else (instance.market,)
    return [
        one
        for (number, ticker), one in frame.stands.items()
        if ticker in tickers and number in _numbers(frame, instance)
    ]


def _numbers(frame: Frame, instance: Instance) -> frozenset[int]:
    if instance.subaccount is not None:
        return frozenset({instance.subaccount})
    return frozenset(instance.subaccounts or frame.margins)


def _gross_exposure(frame: Frame, wanted: Ask) -> Iterator[Row]:
    held = _in_scope(frame, wanted.instance)
    gross = sum(one.size for one in held)
    yield Row(name=wanted.name, gain={one.slot: 1.0 for one in held}, least=gross - wanted.value)


def _net_exposure(frame: Frame, wanted: Ask) -> Iterator[Row]:
    held = _in_scope(frame, wanted.instance)
    net = sum(one.sign * one.size for one in held)
    for sign in (1, -1):
        gain = {one.slot: float(sign * one.sign) for one in held}
        yield Row(name=f"{wanted.name} {sign:+d}", gain=gain, least=sign * net - wanted.value)


def _cap_use(frame: Frame, wanted: Ask) -> Iterator[Row]:
    """Typed caps are fixed; derived ones shrink with the equity that closing costs."""
    caps, derived = frame.view.caps, frame.view.caps.derived
    held = _in_scope(frame, wanted.instance)
    equity = sum(now.nc - now.buffer for now in frame.margins.values())
    tickers = wanted.instance.markets or tuple(sorted({one.slot[1] for one in held}))
    if wanted.instance.market is not None:
        tickers = (wanted.instance.market,)
    typed, rate, capped = 0.0, 0.0, set()
    for ticker in tickers:
        cap = exposure.cap_of(frame.view, ticker)
        if isinstance(cap, NoData) or cap is None:
            continue
        capped.add(ticker)
        scenario = None if derived is None else frame.view.scenarios.get(derived.scenario)
        share = None if derived is None else derived.share(ticker)
        if derived is None or share is None or scenario is None or caps.typed.get(ticker) == cap:
            typed += float(cap)
        else:
            loss = abs(scenario.shock(ticker)) + scenario.slippage
            rate += derived.max_drawdown * share / (loss * PPM_ONE)
    held = [one for one in held if one.slot[1] in capped]
    gross = sum(one.size for one in held)
    slope = wanted.value * rate
    fee = frame.view.observation.taker_fee_ppm / PPM_ONE
    if equity <= fee * gross and typed == 0:
        slope = 0.0  # less than closing everything takes: no part of it is within any cap
    room = wanted.value * typed + slope * max(equity, 0.0)
    if held:
        yield Row(
            name=wanted.name,
            gain={one.slot: 1.0 for one in held},
            drag=slope,
            cash=slope,
            numbers=frozenset(frame.margins),
            least=gross - room,
        )


def _funding_24h(frame: Frame, wanted: Ask) -> Iterator[Row]:
    numbers = _numbers(frame, wanted.instance)
    paid = {s: 24 * one.hourly for s, one in frame.stands.items() if s[0] in numbers}
    total = sum(each * frame.stands[slot].size for slot, each in paid.items())
    yield Row(name=wanted.name, gain=paid, least=total - wanted.value)


def _equity(frame: Frame, wanted: Ask) -> Iterator[Row]:
    numbers = _numbers(frame, wanted.instance) & frozenset(frame.margins)
    now = sum(frame.margins[number].nc for number in numbers)
    yield Row(name=wanted.name, drag=1.0, cash=1.0, numbers=numbers, least=wanted.value - now)


_OfMargin = Callable[[Frame, Ask, Margins, Iterable[Stand]], Iterator[Row]]
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
