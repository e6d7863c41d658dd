"""Profit and loss of the account or of one subaccount, adjusted for deposits and withdrawals.

No data while a change is unexplained, or an oracle price is one that its own book denies: what
looks like a loss then may be a withdrawal or a bad price.
"""

from __future__ import annotations

from seawall import margin, stress, units
from seawall.account import Missing
from seawall.measures import prices
from seawall.measures.ledger import ACCOUNT
from seawall.measures.series import Series
from seawall.measures.spec import Instance, NoData, Value
from seawall.measures.view import View
from seawall.stress import PPT_ONE


def equity(view: View, instance: Instance, scenario: str | None) -> Value:
    """Net collateral in dollars, unsettled funding included; a debt is negative. MARGIN.md 2.3."""
    del scenario
    total = 0
    for number in _numbers(view, instance):
        now = view.risk(number)
        if isinstance(now, NoData):
            return now
        total += now.nc
    return _doubted(view, instance) or units.usd(total)


def drawdown(view: View, instance: Instance, scenario: str | None) -> Value:
    """1 - NAV / peak, a fraction; 100% after ruin, below 0 on the way to a new peak.

    Source: RULES.md section 2; of the last observation, so a plan on paper does not move it.
    """
    del scenario
    wealth = _series(view, instance)
    return wealth if isinstance(wealth, NoData) else 1 - wealth.nav / wealth.peak


def day_loss(view: View, instance: Instance, scenario: str | None) -> Value:
    """NAV lost since 00:00 UTC, as a fraction; a gain is negative. Source: RULES.md section 2."""
    del scenario
    wealth = _series(view, instance)
    return wealth if isinstance(wealth, NoData) else 1 - wealth.nav / wealth.day_nav


def funding_24h(view: View, instance: Instance, scenario: str | None) -> Value:
    """Dollars expected to be paid as funding in 24 hours, >= 0; receipts are never netted.

    Per position the larger of the current rate and the p90 of the trailing week. Source: RULES.md
    section 2.
    """
    del scenario
    seen = view.observation
    rates = seen.advice.funding
    if isinstance(rates, Missing):
        return NoData(reason=f"funding rates: {rates.reason}")
    hourly = 0
    for number in _numbers(view, instance):
        now = view.risk(number)
        if isinstance(now, NoData):
            return now
        for position in seen.subaccount(number).positions:
            if position.ticker not in rates:
                return NoData(reason=f"{position.ticker}: no funding rate")
            market = seen.markets[position.ticker]
            sign = 1 if position.quantums > 0 else -1
            size = abs(margin.notional(market, position.quantums))
            hourly += size * stress.hourly_rate_ppt(market, sign, rates)
    return _doubted(view, instance) or units.usd(units.divide_up(24 * hourly, PPT_ONE))


def _numbers(view: View, instance: Instance) -> tuple[int, ...]:
    """The subaccounts of an instance; one that names none is the whole account."""
    if instance.subaccount is not None:
        return (instance.subaccount,)
    return instance.subaccounts or tuple(s.number for s in view.observation.subaccounts)


def _keys(view: View, instance: Instance) -> tuple[str, ...]:
    """The series of an instance: the account's own where it covers every guarded subaccount."""
    numbers = _numbers(view, instance)
    if instance.subaccount is None and set(numbers) >= set(view.risks):
        return (ACCOUNT,)
    return tuple(str(number) for number in numbers)


def _series(view: View, instance: Instance) -> Series | NoData:
    """The series of an instance where it can be believed now."""
    keys = _keys(view, instance)
    if len(keys) != 1:
        return NoData(reason="NAV is kept per subaccount and for the whole account, not for a part")
    for number in _numbers(view, instance):
        now = view.risk(number)
        if isinstance(now, NoData):
            return now
    series = view.ledger.series.get(keys[0])
    if series is None:
        return NoData(reason="no NAV yet: it begins with the guard's first tick")
    return _doubted(view, instance) or series


def _doubted(view: View, instance: Instance) -> NoData | None:
    """Why profit and loss cannot be told now; None where it can."""
    for key in _keys(view, instance):
        doubt = view.ledger.doubt(key)
        if doubt is not None:
            amount = units.usd(doubt.residual)
            return NoData(reason=f"{amount:+,.2f} dollars moved and no record explains it yet")
    for number in _numbers(view, instance):
        held = (p.ticker for p in view.observation.subaccount(number).positions)
        denied = prices.unreliable(view.observation, held, view.price_band)
        if denied is not None:
            return NoData(reason=prices.denial(denied))
    return None
