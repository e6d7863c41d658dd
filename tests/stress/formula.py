"""The scenario formula of the rule file's contract in plain fractions, for comparison."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from hypothesis import strategies as st

from seawall import margin, stress
from seawall.account import Funding, Missing
from seawall.scenario import Scenario
from seawall.stress import Footing
from seawall.units import Millis, Ppm
from tests.accounts import TICKERS, Account

MILLION = 1_000_000
NO_FUNDING: Mapping[str, Funding] | Missing = Missing(reason="not read")


def stand_of(account: Account) -> Footing:
    """The footing of an account, funding unknown and so at the chain's clamp."""
    now = margin.risk(account.subaccount, account.markets)
    return stress.footing(account.subaccount, account.markets, NO_FUNDING, now.nc)


def room(account: Account, scenario: Scenario, sign: int, k: Fraction) -> Fraction:
    """NC - sum of [(1+e)(m+p) + f - sigma*e]*n at a multiple of the shocks, in quote quantums."""
    left = Fraction(margin.risk(account.subaccount, account.markets).nc)
    for position in account.subaccount.positions:
        market = account.markets[position.ticker]
        signed = margin.notional(market, position.quantums)
        n, sigma = abs(signed), 1 if position.quantums > 0 else -1
        tier = market.tier
        m = Fraction(tier.initial_margin_ppm * tier.maintenance_fraction_ppm, MILLION**2)
        p = Fraction(scenario.slippage, MILLION)
        hourly = Fraction(stress.hourly_clamp_ppt(market), MILLION**2)
        f = hourly * Fraction(scenario.over, 3_600_000)
        e = max(k * sign * Fraction(scenario.shock(position.ticker), MILLION), Fraction(-1))
        left -= ((1 + e) * (m + p) + f - sigma * e) * n
    return left


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """A scenario of up to three named markets and perhaps all others."""
    shock = st.integers(-1_200_000, 1_200_000).map(Ppm)
    names = draw(st.lists(st.sampled_from([*TICKERS[:3], "*"]), unique=True))
    return Scenario(
        name="drawn",
        shocks={name: draw(shock) for name in names},
        slippage=Ppm(draw(st.integers(0, 50_000))),
        over=Millis(draw(st.integers(0, 8 * 3_600_000))),
        both_signs=draw(st.booleans()),
    )
