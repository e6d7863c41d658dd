"""Exposure at the oracle price, in dollars, summed over the subaccounts and markets in scope.

No data where a market in it has no price, or a price that its own book denies (`price_band`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from seawall import margin, units
from seawall.account import Missing, Observation, Side, Subaccount
from seawall.errors import MissingParameter
from seawall.measures import prices
from seawall.measures.spec import Instance, NoData, Value
from seawall.measures.view import View
from seawall.scenario import Caps
from seawall.units import PPM_ONE


def gross_exposure(view: View, instance: Instance, scenario: str | None) -> Value:
    """Sum of absolute notionals in dollars, >= 0. Source: RULES.md section 2."""
    del scenario
    held = _notionals(view, instance)
    if isinstance(held, NoData):
        return held
    return units.usd(sum(abs(size) for _, size in held))


def net_exposure(view: View, instance: Instance, scenario: str | None) -> Value:
    """Absolute value of the signed sum of notionals in dollars. Source: RULES.md section 2."""
    del scenario
    held = _notionals(view, instance)
    if isinstance(held, NoData):
        return held
    return units.usd(abs(sum(size for _, size in held)))


def cap_use(view: View, instance: Instance, scenario: str | None) -> Value:
    """Gross notional / cap over the markets that have one, a fraction >= 0; 100% is full.

    0 where nothing is held; Infinity where something is while the cap is zero (equity at or below
    the buffer). Source: RULES.md sections 2 and 5.
    """
    del scenario
    held = _notionals(view, instance)
    if isinstance(held, NoData):
        return held
    total = Decimal(0)
    capped = set()
    for ticker in _tickers(instance):
        cap = cap_of(view, ticker)
        if isinstance(cap, NoData):
            return cap
        if cap is not None:
            total += cap
            capped.add(ticker)
    if not capped:
        return NoData(reason=f"{instance}: no market in scope has a cap")
    gross = units.usd(sum(abs(size) for ticker, size in held if ticker in capped))
    if gross == 0:
        return Decimal(0)
    return gross / total if total > 0 else Decimal("Infinity")


def cap_of(view: View, ticker: str) -> Decimal | NoData | None:
    """The cap of a market in dollars, >= 0: the smaller of typed and derived; None for no cap."""
    typed, derived = view.caps.typed.get(ticker), _derived_cap(view, view.caps, ticker)
    if derived is None or isinstance(derived, NoData):
        return typed if derived is None else derived
    return derived if typed is None else min(typed, derived)


def _derived_cap(view: View, caps: Caps, ticker: str) -> Decimal | NoData | None:
    """max_drawdown x (equity - buffer) x share / (|shock| + slippage) in dollars, >= 0."""
    derived = caps.derived
    share = None if derived is None else derived.share(ticker)
    if derived is None or share is None:
        return None
    scenario = view.scenarios.get(derived.scenario)
    if scenario is None:
        return NoData(reason=f"caps are derived from {derived.scenario}, which is no scenario")
    loss = abs(scenario.shock(ticker)) + scenario.slippage
    if loss == 0:
        return None
    equity = 0
    for number, now in view.risks.items():
        if isinstance(now, NoData):
            return now
        equity += now.nc - view.buffer_of(number)
    return units.usd(max(equity, 0)) * derived.max_drawdown * share / (loss * PPM_ONE)


def open_order_risk(view: View, instance: Instance, scenario: str | None) -> Value:
    """What resting orders could add to exposure if one side filled, in dollars at the oracle, >= 0.

    Per position max(|q + buys|, |q - sells|, |q|) - |q|. Reduce-only orders add nothing: the chain
    cuts them to the position. Source: RULES.md section 2.
    """
    del scenario
    seen = view.observation
    orders = seen.advice.orders
    if isinstance(orders, Missing):
        return NoData(reason=f"resting orders: {orders.reason}")
    resting: dict[tuple[int, str, Side], int] = {}
    for order in orders:
        if not order.reduce_only:
            at = (order.subaccount, order.ticker, order.side)
            resting[at] = resting.get(at, 0) + order.quantums
    total = 0
    for subaccount in _subaccounts(seen, instance):
        slots = {ticker for number, ticker, _ in resting if number == subaccount.number}
        for ticker in sorted(slots & set(_tickers(instance))):
            held = subaccount.position(ticker)
            size = 0 if held is None else int(held.quantums)
            buys = resting.get((subaccount.number, ticker, Side.BUY), 0)
            sells = resting.get((subaccount.number, ticker, Side.SELL), 0)
            more = max(abs(size + buys), abs(size - sells), abs(size)) - abs(size)
            worth = _worth(view, ticker, more)
            if isinstance(worth, NoData):
                return worth
            total += worth
    return units.usd(total)


def _notionals(view: View, instance: Instance) -> list[tuple[str, int]] | NoData:
    """Ticker and signed notional in quote quantums of every position in scope."""
    seen = view.observation
    wanted = frozenset(_tickers(instance))
    held = []
    for subaccount in _subaccounts(seen, instance):
        for position in subaccount.positions:
            if position.ticker in wanted:
                worth = _worth(view, position.ticker, position.quantums)
                if isinstance(worth, NoData):
                    return worth
                held.append((position.ticker, worth))
    return held


def _worth(view: View, ticker: str, quantums: int) -> int | NoData:
    """Signed notional at an oracle price that can be believed, in quote quantums."""
    seen = view.observation
    try:
        market = margin.market_of(seen.markets, ticker)
    except MissingParameter as missing:
        return NoData(reason=str(missing))
    if prices.unreliable(seen, (ticker,), view.price_band) is not None:
        return NoData(reason=prices.denial(ticker))
    return margin.notional(market, quantums)


def _tickers(instance: Instance) -> Iterable[str]:
    return instance.markets if instance.market is None else (instance.market,)


def _subaccounts(seen: Observation, instance: Instance) -> Iterator[Subaccount]:
    """The subaccounts in scope; an instance that names none watches all of them."""
    for subaccount in seen.subaccounts:
        if instance.subaccount is not None:
            if subaccount.number == instance.subaccount:
                yield subaccount
        elif not instance.subaccounts or subaccount.number in instance.subaccounts:
            yield subaccount
