"""What interventions have used of the hour's and the day's budgets (UTC), by fills and deposits."""

from __future__ import annotations

from dataclasses import dataclass, replace

from seawall import units
from seawall.account import FloatWallet
from seawall.policy import Policy
from seawall.units import PPM_ONE, Millis, QuoteQuantums

DEFAULT_TOP_UP_MOST = QuoteQuantums(6_000 * PPM_ONE)
DEFAULT_TOP_UP_SHARE = 200_000  # ppm of the day's equity


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What budgets have been used: fills of this hour, costs and top-ups of this day (UTC)."""

    hour: Millis = Millis(-1)  # start of the hour; -1 before the first observation
    hour_gross: QuoteQuantums = QuoteQuantums(0)
    hour_notional: QuoteQuantums = QuoteQuantums(0)
    hour_orders: int = 0
    day: Millis = Millis(-1)
    day_equity: QuoteQuantums = QuoteQuantums(0)
    day_cost: QuoteQuantums = QuoteQuantums(0)
    day_top_up: QuoteQuantums = QuoteQuantums(0)
    float_wallet: FloatWallet | None = None  # as last seen: another guard may pay from it too


def roll(spent: Spent, at: Millis, gross: int, equity: int) -> Spent:
    """Budgets of the hour and the day that `at` belongs to.

    The hour's base is the largest gross exposure seen in it (an account that was flat at its start
    may be guarded all the same), the day's its first observation.
    """
    hour, day = Millis(at - at % units.HOUR), Millis(at - at % units.DAY)
    if hour != spent.hour:
        spent = replace(
            spent,
            hour=hour,
            hour_gross=QuoteQuantums(gross),
            hour_notional=QuoteQuantums(0),
            hour_orders=0,
        )
    elif gross > spent.hour_gross:
        spent = replace(spent, hour_gross=QuoteQuantums(gross))
    if day != spent.day:
        spent = replace(
            spent,
            day=day,
            day_equity=QuoteQuantums(equity),
            day_cost=QuoteQuantums(0),
            day_top_up=QuoteQuantums(0),
        )
    return spent


def top_up_left(spent: Spent, policy: Policy) -> QuoteQuantums:
    """What the day's budget still allows to deposit."""
    typed = policy.budget.daily_top_up
    if typed is not None:
        most = units.quote_down(typed)
    else:
        share = units.ppm_down(max(0, spent.day_equity), DEFAULT_TOP_UP_SHARE)
        most = QuoteQuantums(min(DEFAULT_TOP_UP_MOST, share))
    return QuoteQuantums(max(0, most - spent.day_top_up))
