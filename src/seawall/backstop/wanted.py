"""The stop that a position should have now: where it goes off, and how bad its fill may be.

Its distance from the oracle price is the nearer of `at` x the position's own move to liquidation
and `at` x fatal_move(scenario, adverse sign) x |shock| (RULES.md section 6): a book that falls
together is covered, not only a market that falls alone. Two ends of that formula are rounded off.
A long that no price liquidates counts as one that zero liquidates, so a stop may move away but is
never dropped. And the scenario alone brings no stop nearer than 1%: where its bad fills already
kill the account the formula says zero, which is a sale now, and sales are for rules.

Distances are integers in 10^-12 of the oracle price. Every rounding is towards the oracle, so that
a stop goes off a hair too early and never too late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seawall import stress, units
from seawall.account import Market, Side
from seawall.action import RefusalCode
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.policy import BackstopOrder
from seawall.scenario import Scenario
from seawall.stress import PPT_ONE
from seawall.units import PPM_ONE, BaseQuantums, QuoteQuantums, Subticks

NEAREST = PPT_ONE // 100

Slot = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """What should rest for a position, and what it would lose in the scenario's own move."""

    subaccount: int
    ticker: str
    side: Side
    quantums: BaseQuantums  # > 0, the whole position in steps
    trigger: Subticks
    worst: Subticks
    risk: QuoteQuantums  # oracle notional x |shock|: the largest is placed first


@dataclass(frozen=True, slots=True, kw_only=True)
class NoStop:
    """A position for which no stop can be said, and why."""

    code: RefusalCode
    detail: str


AT_ONCE = NoStop(code=RefusalCode.FIRES_AT_ONCE, detail="the venue may liquidate it at this price")


def wanted(
    asked: BackstopOrder, scenarios: Mapping[str, Scenario], view: View
) -> Mapping[Slot, Stop | NoStop]:
    """The stop of every position, whoever may or may not place it."""
    scenario = scenarios[asked.scenario]
    found: dict[Slot, Stop | NoStop] = {}
    for subaccount in view.observation.subaccounts:
        number = subaccount.number
        now, stand = view.risk(number), view.footing(number)
        if isinstance(now, NoData):
            unknown = NoStop(code=RefusalCode.NO_DATA, detail=now.reason)
            found.update({(number, one.ticker): unknown for one in subaccount.positions})
            continue
        assert not isinstance(stand, NoData), "both are known or neither is"
        if now.nc <= now.mmr:
            found.update({(number, one.ticker): AT_ONCE for one in subaccount.positions})
            continue
        together = {sign: _multiple(stand, scenario, sign) for sign in (1, -1)}
        for at, position in enumerate(subaccount.positions):
            worth, fraction = stand.signed[at], stand.maintenance[at]
            market = view.observation.markets[position.ticker]
            side = Side.SELL if position.quantums > 0 else Side.BUY
            distance = _alone(now.nc - now.mmr, worth, fraction) * asked.at // PPM_ONE
            shock = scenario.shock(position.ticker)
            multiple = together[1 if (shock < 0) == (side is Side.SELL) else -1]
            if shock and multiple is not None:
                joint = multiple * abs(shock) // PPM_ONE * asked.at // PPM_ONE
                distance = min(distance, max(joint, NEAREST))
            size = units.round_down(abs(position.quantums), market.step_base_quantums)
            risk = QuoteQuantums(abs(worth * shock) // PPM_ONE)
            held = _Held(number, market, side, BaseQuantums(size), risk)
            found[number, position.ticker] = _stop(held, distance, asked.slippage)
    return found


@dataclass(frozen=True, slots=True)
class _Held:
    """A position as its stop sees it."""

    subaccount: int
    market: Market
    side: Side
    quantums: BaseQuantums
    risk: QuoteQuantums


def _multiple(stand: stress.Footing, scenario: Scenario, sign: int) -> int | None:
    """The multiple of one sign of the scenario that kills, in 10^-12; None where none does."""
    fatal = stress.fatal_move_of(stand, scenario, sign)
    return int(fatal.scaleb(12)) if fatal.is_finite() else None


def _alone(room: int, worth: int, fraction: int) -> int:
    """How far a market may move against a position, alone, until MMR is NC; in 10^-12 of its price.

    `room` is NC - MMR > 0. room / n(1 - sigma*m): RULES.md section 4, row liq_move; for a long at
    most the whole price.
    """
    if worth < 0:
        return room * PPT_ONE**2 // (-worth * (PPT_ONE + fraction))
    pull = worth * (PPT_ONE - fraction)
    return min(PPT_ONE, room * PPT_ONE**2 // pull) if pull else PPT_ONE


def _stop(held: _Held, distance: int, slippage: int) -> Stop | NoStop:
    if not held.quantums:
        return NoStop(code=RefusalCode.OFF_STEP, detail="less than one step is held")
    trigger = _trigger(held.market, held.side, distance)
    if trigger is None:
        return AT_ONCE
    return Stop(
        subaccount=held.subaccount,
        ticker=held.market.ticker,
        side=held.side,
        quantums=held.quantums,
        trigger=trigger,
        worst=worst_of(held.market, held.side, trigger, slippage),
        risk=held.risk,
    )


def oracle_ratio(market: Market) -> tuple[int, int]:
    """The oracle price in subticks, exact, as numerator and denominator (MARGIN.md 1.4)."""
    shift = (
        market.oracle_exponent
        - market.quantum_conversion_exponent
        + market.atomic_resolution
        - units.QUOTE_RESOLUTION
    )
    return market.oracle_price * 10 ** max(shift, 0), 10 ** max(-shift, 0)


def worst_of(market: Market, side: Side, trigger: int, slippage: int) -> Subticks:
    """The worst price at most `slippage` ppm beyond a trigger, rounded to the tick inside."""
    bound, tick = trigger * (PPM_ONE + side.sign * slippage), market.subticks_per_tick
    if side is Side.SELL:
        return Subticks(units.divide_up(bound, PPM_ONE * tick) * tick)
    return Subticks(bound // (PPM_ONE * tick) * tick)


def _trigger(market: Market, side: Side, distance: int) -> Subticks | None:
    """The tick that far from the oracle, rounded towards it but beyond it; None where none is."""
    (price, parts), tick = oracle_ratio(market), market.subticks_per_tick
    exact, whole = price * (PPT_ONE + side.sign * distance), parts * tick * PPT_ONE
    if side is Side.SELL:
        below = units.divide_up(price, parts * tick) - 1
        ticks = min(units.divide_up(exact, whole), below)
    else:
        ticks = max(exact // whole, price // (parts * tick) + 1)
    return Subticks(ticks * tick) if ticks > 0 else None
