"""Many scenarios at once give the verdicts of one at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall import margin
from seawall.account import Subaccount
from seawall.scenario import Scenario
from seawall.stress.headroom import headroom, headroom_of
from seawall.stress.sweep import headrooms, survives, sweep
from seawall.units import HOUR, Millis, QuoteQuantums
from tests.accounts import Account, accounts
from tests.see import scenario
from tests.stress.formula import scenarios, stand_of

NONE = QuoteQuantums(0)


@given(accounts(), st.lists(scenarios(), min_size=1, max_size=6))
def test_verdicts_are_those_of_the_integers(account: Account, feared: list[Scenario]) -> None:
    stand = stand_of(account)
    over = sweep(feared, stand.tickers)

    verdicts = survives(account.subaccount, account.markets, stand, over, NONE)

    assert [bool(one) for one in verdicts] == [
        headroom_of(account.subaccount, account.markets, stand, one, sign=sign, buffer=NONE) >= 0
        for one, sign in over.rows
    ]


@given(accounts(), st.integers(-2, 2))
def test_on_the_line_the_float_does_not_decide(account: Account, above: int) -> None:
    quiet = Scenario(name="quiet", shocks={}, both_signs=True)
    now = margin.risk(account.subaccount, account.markets)
    edge = replace(
        account.subaccount,
        usdc=QuoteQuantums(account.subaccount.usdc - now.nc + now.mmr + above),
    )
    stand = stand_of(Account(subaccount=edge, markets=account.markets))

    verdicts = survives(edge, account.markets, stand, sweep([quiet], stand.tickers), NONE)

    assert [bool(one) for one in verdicts] == [above >= 0] * 2


@given(accounts(), scenarios(), st.integers(0, 10**10))
def test_floats_are_close_to_the_integers(account: Account, feared: Scenario, buffer: int) -> None:
    stand = stand_of(account)
    kept = QuoteQuantums(buffer)

    drawn = headrooms(stand, sweep([feared], stand.tickers), kept).min()

    exact = headroom(account.subaccount, account.markets, stand, feared, kept)
    scale = abs(stand.nc) + buffer + stand.gross
    assert abs(drawn - exact) <= stand.rounding + 1 + 1e-11 * scale


def test_rows_are_scenarios_and_signs_over_the_markets_held() -> None:
    feared = scenario(slippage="0.01", over=Millis(2 * HOUR), both_signs=True)

    over = sweep([feared, scenario("one-way", {"*": "-1.5"})], ("BTC-USD", "SOL-USD"))

    assert [(one.name, sign) for one, sign in over.rows] == [
        ("twin-gap", 1),
        ("twin-gap", -1),
        ("one-way", 1),
    ]
    assert np.array_equal(over.moves, [[-0.1, -0.15], [0.1, 0.15], [-1.0, -1.0]])
    assert over.terms[:, -1].tolist() == [2, 2, 0]


def test_a_sweep_over_other_markets_is_refused() -> None:
    stand = stand_of(Account(subaccount=Subaccount(number=0, usdc=NONE), markets={}))

    with pytest.raises(AssertionError):
        headrooms(stand, sweep([scenario()], ("BTC-USD",)), NONE)
