"""Whether what is seen can be believed, and whether what is held can be reached.

Over several markets or subaccounts the worst counts; one that cannot be told makes the whole no
data, because a worst that is not known must neither clear an alarm nor raise one.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from seawall.account import Missing, Position, Subaccount
from seawall.measures import prices
from seawall.measures.spec import Instance, NoData, Value
from seawall.measures.view import View

COMPARABLE_BLOCKS = 120  # sizes that agree this far apart in height are taken as agreeing


def input_age(view: View, instance: Instance, scenario: str | None) -> Value:
    """Seconds between the block time of the state and its receipt, >= 0. RULES.md section 1."""
    del instance, scenario
    seen = view.observation
    return Decimal(max(seen.seen_at - seen.at, 0)).scaleb(-3)


def source_gap(view: View, instance: Instance, scenario: str | None) -> Value:
    """Largest difference of a position's size, node against indexer, as a fraction of the larger.

    Sizes that differ are compared only at one height: before that the difference may be a fill
    that one of them has not shown. Source: RULES.md section 2.
    """
    del scenario
    seen = view.observation
    shown = seen.advice.indexer_sizes
    if isinstance(shown, Missing):
        return NoData(reason=f"indexer's positions: {shown.reason}")
    sizes: dict[tuple[int, str], int] = {}
    for subaccount in _subaccounts(view, instance):
        for position in subaccount.positions:
            sizes[(subaccount.number, position.ticker)] = position.quantums
    numbers = {subaccount.number for subaccount in _subaccounts(view, instance)}
    slots = sizes.keys() | {slot for slot in shown.quantums if slot[0] in numbers}
    worst = Decimal(0)
    for slot in sorted(slots):
        if _has(instance, slot[1]):
            ours, theirs = sizes.get(slot, 0), shown.quantums.get(slot, 0)
            larger = max(abs(ours), abs(theirs))
            if ours != theirs:
                worst = max(worst, Decimal(abs(ours - theirs)) / larger)
    apart = abs(shown.height - seen.height)
    if apart > COMPARABLE_BLOCKS or (worst > 0 and apart > 0):
        return NoData(reason=f"indexer at height {shown.height}, node at {seen.height}")
    return worst


def oracle_gap(view: View, instance: Instance, scenario: str | None) -> Value:
    """Largest |book mid / oracle - 1| of the held markets, a fraction >= 0. RULES.md section 2."""
    del scenario
    seen = view.observation
    worst = Decimal(0)
    tickers = [instance.market] if instance.market is not None else _held(view, instance)
    for ticker in tickers:
        market, mid_twice = seen.markets.get(ticker), prices.fresh_mid(seen, ticker)
        if market is None or market.oracle_price <= 0:
            return NoData(reason=f"{ticker}: no oracle price")
        if mid_twice is None:
            return NoData(reason=f"{ticker}: no two-sided book of the last 3 s")
        worst = max(worst, prices.gap(market, mid_twice))
    return worst


def outside_reach(view: View, instance: Instance, scenario: str | None) -> Value:
    """How many positions the trading key cannot close; no data without one. RULES.md section 2."""
    del scenario
    seen = view.observation
    reach = seen.advice.key_reach
    if isinstance(reach, Missing):
        return NoData(reason=f"reach of the trading key: {reach.reason}")
    count = 0
    for subaccount, position in _positions(view, instance):
        market = seen.markets.get(position.ticker)
        if market is None:
            return NoData(reason=f"{position.ticker}: no parameters read for this market")
        if not reach.covers(subaccount.number, market.clob_pair_id):
            count += 1
    return Decimal(count)


def _subaccounts(view: View, instance: Instance) -> Iterator[Subaccount]:
    for subaccount in view.observation.subaccounts:
        if not instance.subaccounts or subaccount.number in instance.subaccounts:
            yield subaccount


def _positions(view: View, instance: Instance) -> Iterator[tuple[Subaccount, Position]]:
    for subaccount in _subaccounts(view, instance):
        for position in subaccount.positions:
            if _has(instance, position.ticker):
                yield subaccount, position


def _held(view: View, instance: Instance) -> list[str]:
    return sorted({position.ticker for _, position in _positions(view, instance)})


def _has(instance: Instance, ticker: str) -> bool:
    if instance.market is not None:
        return ticker == instance.market
    return not instance.markets or ticker in instance.markets
