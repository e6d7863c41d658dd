"""What the chain lets an account do: fills, deposits, and the worst price of a close."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seawall import margin, units
from seawall.account import MarketType, Missing, Position, Subaccount
from seawall.margin import Risk, Update
from seawall.units import BaseQuantums, QuoteQuantums
from tests.accounts import Account, accounts
from tests.margin.risks import long_and_short, risk_of
from tests.see import BTC, ETH, MARKETS, quote, subaccount_of


@given(accounts())
def test_a_top_up_is_always_accepted(account: Account) -> None:
    now = margin.risk(account.subaccount, account.markets)

    assert margin.judge_update(now, replace(now, nc=QuoteQuantums(now.nc + 1))) is Update.SUCCESS


@given(accounts(), st.integers(1, 2_000_000))
def test_a_deposit_for_usage_reaches_it_and_one_quantum_less_does_not(
    account: Account, usage_ppm: int
) -> None:
    now = margin.risk(account.subaccount, account.markets)
    amount = margin.deposit_for_usage(now, usage_ppm)
    assume(amount > 0)

    def usage_is_reached(deposit: int) -> bool:
        richer = replace(account.subaccount, usdc=QuoteQuantums(account.subaccount.usdc + deposit))
        after = margin.risk(richer, account.markets)
        return after.mmr * 1_000_000 <= usage_ppm * after.nc

    assert usage_is_reached(amount)
    assert not usage_is_reached(amount - 1)


@given(accounts(), st.integers(0, 10**12))
def test_a_deposit_for_free_collateral_reaches_it_and_one_quantum_less_does_not(
    account: Account, free: int
) -> None:
    now = margin.risk(account.subaccount, account.markets)
    amount = margin.deposit_for_free_collateral(now, free)
    assert amount is not None
    assume(amount > 0)

    def left_free(deposit: int) -> int:
        richer = replace(account.subaccount, usdc=QuoteQuantums(account.subaccount.usdc + deposit))
        after = margin.risk(richer, account.markets)
        assert after.imr is not None
        return after.nc - after.imr

    assert left_free(amount) == free
    assert left_free(amount - 1) == free - 1


def test_a_deposit_is_not_computed_from_a_margin_that_is_not_known() -> None:
    assert margin.deposit_for_free_collateral(risk_of(0, 1), 100) is None
    assert margin.deposit_for_usage(risk_of(100, 10), 500_000) == 0


@pytest.mark.parametrize(
    ("new", "verdict"),
    [
        (risk_of(200, 50, 200), Update.SUCCESS),
        (risk_of(199, 50, 200), Update.SUCCESS),  # ratio rises: 150/100 to 199/50
        (risk_of(75, 50, 200), Update.SUCCESS),  # ratio equal
        (risk_of(74, 50, 200), Update.STILL_UNDERCOLLATERALIZED),
        (risk_of(500, 101, 600), Update.STILL_UNDERCOLLATERALIZED),  # MMR may not rise
        (risk_of(-1, 0, 0), Update.STILL_UNDERCOLLATERALIZED),
        (risk_of(0, 0, 0), Update.SUCCESS),
    ],
)
def test_below_initial_margin_the_ratio_must_not_fall(new: Risk, verdict: Update) -> None:
    current = risk_of(150, 100, 200)

    assert margin.judge_update(current, new) is verdict


def test_the_refusal_says_whether_the_account_was_sound_before() -> None:
    worse = risk_of(10, 100, 200)

    assert margin.judge_update(risk_of(200, 100, 200), worse) is Update.NEWLY_UNDERCOLLATERALIZED
    assert margin.judge_update(risk_of(199, 100, 200), worse) is Update.STILL_UNDERCOLLATERALIZED


@pytest.mark.parametrize(
    ("held", "touched", "violates"),
    [
        ((), ("BTC-USD", "ETH-USD"), False),
        ((), ("ISO-USD",), False),
        ((), ("ISO-USD", "BTC-USD"), True),
        (("BTC-USD",), ("ISO-USD",), True),
        (("BTC-USD",), ("ETH-USD",), False),
        (("ISO-USD",), ("BTC-USD",), True),
        (("ISO-USD",), ("ISO-USD",), False),
        (("ISO-USD",), ("ISB-USD",), True),
        (("ISO-USD",), (), False),
    ],
)
def test_an_isolated_position_stands_alone(
    held: tuple[str, ...], touched: tuple[str, ...], *, violates: bool
) -> None:
    isolated = {
        name: replace(ETH, ticker=name, market_type=MarketType.ISOLATED)
        for name in ("ISO-USD", "ISB-USD")
    }
    account = Subaccount(
        number=0,
        usdc=QuoteQuantums(0),
        positions=tuple(Position(ticker=t, quantums=BaseQuantums(1)) for t in held),
    )

    found = margin.violates_isolation(account, {**MARKETS, **isolated}, frozenset(touched))

    assert found is violates


def test_a_fill_moves_size_and_money_and_keeps_the_order_of_positions() -> None:
    account = long_and_short(23_000)

    sold = margin.with_fill(account, BTC, -200_000_000, quote(2_000), quote(1))
    closed = margin.with_fill(sold, BTC, -400_000_000, quote(4_000), quote(2))
    opened = margin.with_fill(closed, BTC, 100_000_000, quote(1_000), 0)

    assert sold.usdc == account.usdc + quote(1_999)
    assert [p.ticker for p in sold.positions] == ["BTC-USD", "ETH-USD"]
    assert sold.positions[0].quantums == 400_000_000
    assert [p.ticker for p in closed.positions] == ["ETH-USD"]
    assert opened.usdc == closed.usdc - quote(1_000)
    assert opened.position("BTC-USD") == Position(
        ticker="BTC-USD", quantums=BaseQuantums(100_000_000)
    )


def close_at(account: Subaccount, ticker: str, subticks: int, fee_ppm: int) -> Update:
    market = MARKETS[ticker]
    held = account.position(ticker)
    assert held is not None
    paid = units.fill_quote(subticks, abs(held.quantums), market.quantum_conversion_exponent)
    after = margin.with_fill(account, market, -held.quantums, paid, units.fee_quote(paid, fee_ppm))
    before_risk, after_risk = margin.risk(account, MARKETS), margin.risk(after, MARKETS)
    # Judged by the ratio alone, as a part of the position would be.
    return margin.judge_update(
        before_risk, replace(after_risk, imr=QuoteQuantums(after_risk.nc + 1))
    )


@pytest.mark.parametrize("size", ["0.1", "-0.1"])
@pytest.mark.parametrize("equity", [150, 120, 60, 1, -20])
def test_the_worst_close_is_taken_and_one_tick_beyond_is_not(size: str, equity: int) -> None:
    account = subaccount_of(0, equity, {"BTC-USD": size, "ETH-USD": "0.5"}, MARKETS)

    worst = margin.worst_close_subticks(account, "BTC-USD", MARKETS, 500)

    assert worst is not None
    outward = -BTC.subticks_per_tick if size == "0.1" else BTC.subticks_per_tick
    assert close_at(account, "BTC-USD", worst, 500) is Update.SUCCESS
    assert close_at(account, "BTC-USD", worst + outward, 500) is not Update.SUCCESS


def test_the_worst_close_is_the_reference_formula() -> None:
    # P x (1 - a) / (1 - t) with a = NC/MMR x MMF; here NC = MMR, so a = 1.2%.
    account = subaccount_of(0, 120, {"BTC-USD": "0.1"}, MARKETS)

    worst = margin.worst_close_subticks(account, "BTC-USD", MARKETS, 500)

    assert worst is not None
    exact = Decimal(100_000) * Decimal("0.988") / Decimal("0.9995")
    assert 0 <= BTC.dollars(worst) - exact < 1


def test_a_sound_account_has_no_worst_close_but_an_unknown_one_has() -> None:
    account = subaccount_of(0, 200, {"BTC-USD": "0.1"}, MARKETS)
    below = subaccount_of(0, 199, {"BTC-USD": "0.1"}, MARKETS)
    unread = replace(account, custom_imf_ppm=Missing(reason="deadline"))

    assert margin.worst_close_subticks(account, "BTC-USD", MARKETS, 500) is None
    assert margin.worst_close_subticks(below, "BTC-USD", MARKETS, 500) is not None
    assert margin.worst_close_subticks(unread, "BTC-USD", MARKETS, 500) is not None


def test_below_zero_only_a_price_better_than_the_oracle_is_taken() -> None:
    account = subaccount_of(0, -100, {"BTC-USD": "0.1"}, MARKETS)

    worst = margin.worst_close_subticks(account, "BTC-USD", MARKETS, 500)

    assert worst is not None
    assert BTC.dollars(worst) > BTC.oracle_dollars


def test_a_short_that_no_price_can_close_is_bounded_at_nothing() -> None:
    account = subaccount_of(0, -10_001, {"BTC-USD": "-0.1"}, MARKETS)

    assert margin.worst_close_subticks(account, "BTC-USD", MARKETS, 500) == 0


def test_a_close_of_nothing_has_no_worst_price() -> None:
    with pytest.raises(KeyError):
        margin.worst_close_subticks(long_and_short(1), "SOL-USD", MARKETS, 500)
