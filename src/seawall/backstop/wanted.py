"""The stop that a position should have now: where it goes off, and how bad its fill may be.

Its distance from the oracle price is the nearer of `at` x the position's own move to liquidation
and `at` x fatal_move(scenario, adverse sign) x |shock| (RULES.md section 6): a book that falls
together is covered, not only a market that falls alone. Two ends of that formula are rounded off.
A long that no price liquidates counts as one that zero liquidates, so a stop may move away but is
never dropped. And the scenario alone brings no stop nearer than 1%: where its bad fills already
kill the account the formula says zero, which is a sale now, and sales are for rules.

Everything is exact: prices are rationals in subticks until they are rounded to the tick, the
trigger towards the oracle and the worst price inside its bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from seawall import margin, stress, units
from seawall.account import Market, Position, Side, Subaccount
from seawall.action import RefusalCode
from seawall.margin import NoPrice, Risk
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.plan import pricing
from seawall.policy import BackstopOrder
from seawall.scenario import Scenario
from seawall.units import PPM_ONE, BaseQuantums, QuoteQuantums, Subticks

NEAREST = Fraction(1, 100)

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


def wanted(
    asked: BackstopOrder, scenarios: Mapping[str, Scenario], view: View
) -> Mapping[Slot, Stop | NoStop]:
    """The stop of every position, whoever may or may not place it."""
    scenario = scenarios[asked.scenario]
    found: dict[Slot, Stop | NoStop] = {}
    for subaccount in view.observation.subaccounts:
        number = subaccount.number
        now, stand = view.risk(number), view.footing(number)
        if isinstance(now, NoData) or isinstance(stand, NoData):
            reason = now.reason if isinstance(now, NoData) else "margins are not known"
            unknown = NoStop(code=RefusalCode.NO_DATA, detail=reason)
            found.update({(number, one.ticker): unknown for one in subaccount.positions})
            continue
        fatal = {sign: stress.fatal_move_of(stand, scenario, sign) for sign in (1, -1)}
        account = _Account(subaccount, view.observation.markets, now, scenario, fatal)
        for position in subaccount.positions:
            found[number, position.ticker] = _stop_of(asked, account, position)
    return found


@dataclass(frozen=True, slots=True)
class _Account:
    """One subaccount with what all its stops are derived from."""

    subaccount: Subaccount
    markets: Mapping[str, Market]
    now: Risk
    scenario: Scenario
    fatal: Mapping[int, Decimal]  # fatal multiple by sign of the scenario


def _stop_of(asked: BackstopOrder, account: _Account, position: Position) -> Stop | NoStop:
    ticker, market = position.ticker, account.markets[position.ticker]
    size = units.round_down(abs(position.quantums), market.step_base_quantums)
    if size == 0:
        return NoStop(code=RefusalCode.OFF_STEP, detail="less than one step is held")
    side = Side.SELL if position.quantums > 0 else Side.BUY
    room = margin.liquidation_price(account.subaccount, ticker, account.markets, account.now)
    distance = _alone(room, market, side) * asked.at / PPM_ONE
    shock = account.scenario.shock(ticker)
    multiple = account.fatal[1 if (shock < 0) == (side is Side.SELL) else -1]
    if shock and multiple.is_finite():
        together = Fraction(multiple) * abs(shock) * asked.at / PPM_ONE**2
        distance = min(distance, max(together, NEAREST))
    trigger = _trigger(market, side, distance)
    if trigger is None or distance <= 0:
        return NoStop(
            code=RefusalCode.FIRES_AT_ONCE, detail="the venue may liquidate it at this price"
        )
    return Stop(
        subaccount=account.subaccount.number,
        ticker=ticker,
        side=side,
        quantums=BaseQuantums(size),
        trigger=trigger,
        worst=pricing.bound(market, side, Fraction(trigger), asked.slippage),
        risk=QuoteQuantums(margin.notional(market, BaseQuantums(size)) * abs(shock) // PPM_ONE),
    )


def _alone(price: int | NoPrice, market: Market, side: Side) -> Fraction:
    """The market's own move to liquidation as a fraction of its oracle price, >= 0."""
    if price is NoPrice.NEVER:
        return Fraction(1)
    if price is NoPrice.ALWAYS:
        return Fraction(0)
    against = side.sign * (price - market.oracle_price)
    return max(Fraction(against, market.oracle_price), Fraction(0))


def _trigger(market: Market, side: Side, distance: Fraction) -> Subticks | None:
    """The tick that far from the oracle, rounded towards it but beyond it; None where none is."""
    oracle, tick = pricing.oracle_subticks(market), market.subticks_per_tick
    exact = oracle * (1 + side.sign * distance) / tick
    if side is Side.SELL:
        last = -(-oracle.numerator // (oracle.denominator * tick)) - 1  # below the oracle
        ticks = min(-(-exact.numerator // exact.denominator), last)
    else:
        first = oracle.numerator // (oracle.denominator * tick) + 1
        ticks = max(exact.numerator // exact.denominator, first)
    return Subticks(ticks * tick) if ticks > 0 else None
