"""Each row of the programme by a case worked out by hand.

The book is $100,000 of BTC (m 1.2%, mu 2%) and $20,000 of SOL short (m 3%, mu 5%), equity $20,000:
IMR 2,000 + 1,000 = 3,000 and MMR 1,200 + 600 = 1,800. Fees are 5 bps unless said otherwise.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import Funding
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan.frame import Frame, frame_of
from seawall.plan.rows import Ask, Row, rows_for
from seawall.policy import MeasureRef
from seawall.scenario import Buffer, Caps, DerivedCaps
from seawall.units import HOUR, Millis, Ppm
from tests.see import CALM, Number, scenario, see, view

BTC, SOL = (0, "BTC-USD"), (0, "SOL-USD")
ZERO = Instance(subaccount=0)
ALL = Instance(markets=("BTC-USD", "ETH-USD", "SOL-USD"))
GAP = scenario(
    "gap", {"BTC-USD": "-0.1", "SOL-USD": "-0.2"}, slippage="0.01", over=Millis(2 * HOUR)
)
PAYING = Funding(rate=Decimal("0.001"), p90_long=Decimal(0), p90_short=Decimal(0))


def book(caps: Caps | None = None, buffer: Number = 0) -> View:
    on = see(
        equity=20_000,
        positions={"BTC-USD": (1, 100_000), "SOL-USD": (-100, 200)},
        funding={"BTC-USD": PAYING, "SOL-USD": CALM, "ETH-USD": CALM},
    )
    both = replace(GAP, name="both", both_signs=True)
    return view(on, caps=caps, buffer=Buffer(parent=Decimal(str(buffer))), scenarios=[GAP, both])


def rows(
    name: str, value: float, on: View, *, scenario: str | None = None, instance: Instance = ZERO
) -> tuple[Row, ...]:
    measure = MeasureRef(name=name, scenario=scenario)
    return rows_for(bare(on), Ask(measure=measure, instance=instance, value=value))


def bare(on: View) -> Frame:
    return frame_of(on, on, (), 0.0005)


def assert_row(row: Row, *, btc: float, sol: float, weight: float, least: float) -> None:
    assert row.gain.get(BTC, 0.0) == pytest.approx(btc)
    assert row.gain.get(SOL, 0.0) == pytest.approx(sol)
    assert row.drag == pytest.approx(weight)
    assert row.cash == pytest.approx(weight)
    assert row.least == pytest.approx(least)


def test_free_collateral() -> None:
    (row,) = rows("free_collateral", 18_000, book(buffer=2_000))

    assert_row(row, btc=0.02, sol=0.05, weight=1, least=18_000 + 2_000 - (20_000 - 3_000))


def test_margin_usage_and_a_dollar_of_equity() -> None:
    row, solvent = rows("margin_usage", 0.1, book())

    assert_row(row, btc=0.02, sol=0.05, weight=0.1, least=3_000 - 0.1 * 20_000)
    assert_row(solvent, btc=0, sol=0, weight=1, least=1 - 20_000)


def test_maintenance_usage() -> None:
    row, _ = rows("maintenance_usage", 0.05, book())

    assert_row(row, btc=0.012, sol=0.03, weight=0.05, least=1_800 - 0.05 * 20_000)


def test_leverage() -> None:
    row, _ = rows("leverage", 3, book())

    assert_row(row, btc=1, sol=1, weight=3, least=120_000 - 3 * 20_000)


def test_gross_exposure() -> None:
    (row,) = rows("gross_exposure", 50_000, book(), instance=ALL)

    assert_row(row, btc=1, sol=1, weight=0, least=120_000 - 50_000)


def test_net_exposure_is_bounded_on_both_sides() -> None:
    long, short = rows("net_exposure", 10_000, book(), instance=ALL)

    assert_row(long, btc=1, sol=-1, weight=0, least=80_000 - 10_000)
    assert_row(short, btc=-1, sol=1, weight=0, least=-80_000 - 10_000)


def test_cap_use_of_a_typed_cap() -> None:
    caps = Caps(typed={"SOL-USD": Decimal(10_000)})

    (row,) = rows("cap_use", 0.95, book(caps), instance=Instance(market="SOL-USD"))

    assert_row(row, btc=0, sol=1, weight=0, least=20_000 - 0.95 * 10_000)


@pytest.mark.parametrize(("buffer", "left"), [(5_000, 15_000), (19_949, 51), (19_950, 0)])
def test_cap_use_of_a_derived_cap_shrinks_with_what_closing_costs(
    buffer: Number, left: float
) -> None:
    """Nothing is left of it where there is no more equity than the fee of closing, $50."""
    derived = DerivedCaps(max_drawdown=Ppm(120_000), scenario="gap", shares={"*": Ppm(500_000)})
    rate = 0.12 * 0.5 / (0.1 + 0.01) if left else 0

    (row,) = rows(
        "cap_use",
        0.9,
        book(Caps(derived=derived), buffer=buffer),
        instance=Instance(market="BTC-USD"),
    )

    assert_row(row, btc=1, sol=0, weight=0.9 * rate, least=100_000 - 0.9 * rate * left)


@pytest.mark.parametrize("left", ["0.5", "0"])
def test_cap_use_beside_a_typed_cap_counts_on_any_equity_there_is(left: str) -> None:
    derived = DerivedCaps(
        max_drawdown=Ppm(120_000), scenario="gap", shares={"BTC-USD": Ppm(500_000)}
    )
    caps = Caps(typed={"SOL-USD": Decimal(10_000)}, derived=derived)
    rate = 0.12 * 0.5 / (0.1 + 0.01) if Decimal(left) else 0

    (row,) = rows("cap_use", 0.9, book(caps, buffer=20_000 - Decimal(left)), instance=ALL)

    least = 120_000 - 0.9 * (10_000 + rate * float(left))
    assert_row(row, btc=1, sol=1, weight=0.9 * rate, least=least)


def test_cap_use_of_a_derived_cap_without_equity_closes_everything() -> None:
    derived = DerivedCaps(max_drawdown=Ppm(120_000), scenario="gap", shares={"*": Ppm(500_000)})
    instance = Instance(market="BTC-USD")

    (row,) = rows("cap_use", 0.9, book(Caps(derived=derived), buffer=20_000), instance=instance)

    assert_row(row, btc=1, sol=0, weight=0, least=100_000)


def test_liq_move_of_a_long_and_of_a_short() -> None:
    (long,) = rows("liq_move", 0.2, book(), instance=Instance(subaccount=0, market="BTC-USD"))
    (short,) = rows("liq_move", 0.2, book(), instance=Instance(subaccount=0, market="SOL-USD"))

    a = 0.2 * (1 - 0.012)
    assert_row(long, btc=0.012 + a, sol=0.03, weight=1, least=a * 100_000 - 18_200)
    a = 0.2 * (1 + 0.03)
    assert_row(short, btc=0.012, sol=0.03 + a, weight=1, least=a * 20_000 - 18_200)


def test_stress_headroom() -> None:
    (row,) = rows("stress_headroom", 500, book(buffer=1_000), scenario="gap")

    btc = 0.9 * (0.012 + 0.01) + 2 * 0.001 + 0.1
    sol = 0.8 * (0.03 + 0.01) - 0.2
    lost = btc * 100_000 + sol * 20_000
    assert_row(row, btc=btc, sol=sol, weight=1, least=500 - (20_000 - 1_000 - lost))


def test_stress_headroom_has_a_row_for_each_sign() -> None:
    down, up = rows("stress_headroom", 500, book(), scenario="both")

    assert down.gain[BTC] == pytest.approx(0.9 * 0.022 + 0.002 + 0.1)
    assert up.gain[BTC] == pytest.approx(1.1 * 0.022 + 0.002 - 0.1)


def test_fatal_move_at_zero_at_each_kink_and_at_the_target() -> None:
    still, sol_at_nothing, target = rows("fatal_move", 6, book(), scenario="gap")

    assert_row(
        still, btc=0.022 + 0.002, sol=0.04, weight=1, least=0.024 * 100_000 + 0.04 * 20_000 - 20_000
    )
    assert sol_at_nothing.gain[SOL] == pytest.approx(-1)  # a price that stops at nothing
    assert sol_at_nothing.gain[BTC] == pytest.approx(0.5 * 0.022 + 0.002 + 0.5)  # k = 5
    assert target.gain[BTC] == pytest.approx(0.4 * 0.022 + 0.002 + 0.6)
    assert target.gain[SOL] == pytest.approx(-1)


def test_funding_24h_counts_only_what_is_paid() -> None:
    (row,) = rows("funding_24h", 40, book(), instance=Instance())

    assert_row(row, btc=0.024, sol=0, weight=0, least=2_400 - 40)


def test_equity_is_reached_by_cash_alone() -> None:
    (row,) = rows("equity", 21_000, book(), instance=Instance())

    assert_row(row, btc=0, sol=0, weight=1, least=1_000)


def test_what_no_action_can_move_has_no_row() -> None:
    for name in (
        "drawdown",
        "day_loss",
        "open_order_risk",
        "input_age",
        "source_gap",
        "oracle_gap",
        "outside_reach",
    ):
        assert rows(name, 0.1, book(), instance=Instance()) == ()


def test_exposure_sums_over_subaccounts_and_margins_do_not() -> None:
    on = view(
        see(
            equity=20_000,
            positions={"BTC-USD": (1, 100_000)},
            children={128: (2_000, {"SOL-USD": (-100, 200)})},
        )
    )

    (both,) = rows("gross_exposure", 50_000, on, instance=ALL)
    (paid,) = rows("equity", 25_000, on, instance=Instance())
    (child,) = rows("free_collateral", 1_500, on, instance=Instance(subaccount=128))

    assert (both.gain, both.least) == ({BTC: 1.0, (128, "SOL-USD"): 1.0}, 70_000)
    assert paid.numbers == frozenset({0, 128})
    assert paid.least == pytest.approx(3_000)
    assert child.gain == {(128, "SOL-USD"): 0.05}
    assert child.numbers == frozenset({128})
    assert child.least == pytest.approx(1_500 - (2_000 - 1_000))


def test_fatal_move_has_its_rows_for_each_sign() -> None:
    down, down_target, up, up_target = (
        row.gain[BTC] for row in rows("fatal_move", 1.5, book(), scenario="both")
    )

    assert down == up == pytest.approx(0.022 + 0.002)  # nothing has moved yet
    assert down_target == pytest.approx(0.85 * 0.022 + 0.002 + 0.15)
    assert up_target == pytest.approx(1.15 * 0.022 + 0.002 - 0.15)


def test_a_scope_without_a_market_holds_nothing() -> None:
    nowhere = Instance(markets=(), subaccounts=(0,))

    for name in ("gross_exposure", "net_exposure"):
        assert all(
            not row.gain and row.least < 0 for row in rows(name, 1, book(), instance=nowhere)
        )


def test_a_scenario_that_nobody_wrote_has_no_row() -> None:
    for name in ("stress_headroom", "fatal_move"):
        assert rows(name, 1, book(), scenario="another") == ()


def test_a_subaccount_whose_margins_cannot_be_told_has_no_row_and_hides_no_other() -> None:
    seen = see(
        equity=20_000,
        positions={"BTC-USD": (1, 100_000)},
        children={128: (2_000, {"SOL-USD": (-100, 200)})},
    )
    markets = {**seen.markets, "SOL-USD": replace(seen.markets["SOL-USD"], oracle_price=0)}
    on = view(replace(seen, markets=markets))

    (paid,) = rows("equity", 25_000, on, instance=Instance(subaccounts=(0, 128)))

    assert (paid.numbers, paid.least) == (frozenset({0}), 5_000)
    assert rows("leverage", 1, on, instance=Instance(subaccount=128)) == ()


def test_a_market_without_a_cap_and_one_whose_cap_cannot_be_told_have_no_row() -> None:
    derived = DerivedCaps(max_drawdown=Ppm(120_000), scenario="another", shares={"*": Ppm(500_000)})
    instance = Instance(market="BTC-USD")

    for caps in (Caps(typed={"SOL-USD": Decimal(10_000)}), Caps(derived=derived)):
        assert rows("cap_use", 0.9, book(caps), instance=instance) == ()
