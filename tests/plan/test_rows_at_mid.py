"""Each row a second time at the mid, by a case worked out by hand (RULES.md 4).

The book of test_rows: $100,000 of BTC and $20,000 of SOL short at the oracle, equity $20,000. The
mids are 2% off against both: BTC 98,000 and SOL 204. There NC is 20,000 - 2,000 - 400 = 17,600,
notionals are 98,000 and 20,400, IMR 1,960 + 1,020 = 2,980 and MMR 1,176 + 612 = 1,788. A dollar of
BTC at the oracle is worth 0.98. Its best bid is 97,902: closing it loses 2.098% and the fee of
0.0489510% against the oracle, 2% less against the mid.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import Funding
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan.frame import Frame, columns_of, frame_of
from seawall.plan.rows import Ask, Row, rows_for
from seawall.plan.trial import caught_up, quote_for
from seawall.policy import MeasureRef
from seawall.scenario import Buffer, Caps, DerivedCaps
from seawall.units import HOUR, Millis, Ppm
from tests.see import BTC, CALM, SOL, Number, book, scenario, see, view

SLOT = (0, "BTC-USD")
ZERO = Instance(subaccount=0)
ALL = Instance(markets=("BTC-USD", "ETH-USD", "SOL-USD"))
ONE = Instance(subaccount=0, market="BTC-USD")
GAP = scenario(
    "gap", {"BTC-USD": "-0.1", "SOL-USD": "-0.2"}, slippage="0.01", over=Millis(2 * HOUR)
)
PAYING = Funding(rate=Decimal("0.001"), p90_long=Decimal(0), p90_short=Decimal(0))
DRAG_AT_ORACLE, DRAG_AT_MID = 0.02146951, 0.00146951
RATE = 0.12 * 0.5 / (0.1 + 0.01)  # of a derived cap
DERIVED = DerivedCaps(max_drawdown=Ppm(120_000), scenario="gap", shares={"*": Ppm(500_000)})
ALPHA = 0.2 * (1 - 0.012)


def frames(
    btc_mid: Number = 98_000, *, caps: Caps | None = None, buffer: Number = 0
) -> tuple[Frame, Frame]:
    """The frames at the oracle and at the mid, with the one level of BTC as their column."""
    held = {"BTC-USD": (1, 100_000), "SOL-USD": (-100, 200)}
    books = {
        "BTC-USD": book(BTC, btc_mid, levels=[("0.001", 5)]),
        "SOL-USD": book(SOL, 204, levels=[("0.001", 500)]),
    }
    on: View = view(
        see(
            equity=20_000,
            positions=held,
            books=books,
            funding={"BTC-USD": PAYING, "SOL-USD": CALM, "ETH-USD": CALM},
        ),
        caps=caps,
        buffer=Buffer(parent=Decimal(str(buffer))),
        scenarios=[GAP],
    )
    quote, moved = quote_for(on, SLOT, 50_000), caught_up(on)
    assert quote is not None
    assert moved is not None
    columns = columns_of(on, quote, quote.depth)
    return frame_of(on, on, columns, 0.0005), frame_of(on, moved, columns, 0.0005)


def rows(frame: Frame, name: str, value: float, instance: Instance) -> tuple[Row, ...]:
    feared = "gap" if name in {"stress_headroom", "fatal_move"} else None
    measure = MeasureRef(name=name, scenario=feared)
    return rows_for(frame, Ask(measure=measure, instance=instance, value=value))


@pytest.mark.parametrize(
    ("name", "value", "instance", "gain", "weight", "least"),
    [
        ("free_collateral", 18_000, ZERO, 0.02, 1, 18_000 + 2_000 - (17_600 - 2_980)),
        ("margin_usage", 0.1, ZERO, 0.02, 0.1, 2_980 - 1_760),
        ("maintenance_usage", 0.05, ZERO, 0.012, 0.05, 1_788 - 880),
        ("leverage", 3, ZERO, 1, 3, 118_400 - 52_800),
        ("gross_exposure", 50_000, ALL, 1, 0, 118_400 - 50_000),
        ("net_exposure", 10_000, ALL, 1, 0, 77_600 - 10_000),
        ("liq_move", 0.2, ONE, 0.012 + ALPHA, 1, ALPHA * 98_000 - (17_600 - 1_788)),
        ("stress_headroom", 500, ZERO, 0.1218, 1, 500 - (17_600 - 2_000 - 8_509.2)),
        ("funding_24h", 40, Instance(), 0.024, 0, 2_352 - 40),
        ("equity", 21_000, Instance(), 0, 1, 21_000 - 17_600),
    ],
)
def test_a_row_at_the_mid(  # noqa: PLR0917 - one row of a table
    name: str, value: float, instance: Instance, gain: float, weight: float, least: float
) -> None:
    _, at_mid = frames(buffer=2_000)

    row = rows(at_mid, name, value, instance)[0]

    assert row.over(at_mid)[0] == pytest.approx(0.98 * gain - weight * DRAG_AT_MID)
    assert row.cash == pytest.approx(weight)
    assert row.least == pytest.approx(least)


def test_caps_at_the_mid() -> None:
    typed = Caps(typed={"BTC-USD": Decimal(90_000)})
    _, fixed = frames(caps=typed)
    _, moving = frames(caps=Caps(derived=DERIVED), buffer=5_000)

    (of_typed,) = rows(fixed, "cap_use", 0.9, Instance(market="BTC-USD"))
    (of_derived,) = rows(moving, "cap_use", 0.9, Instance(market="BTC-USD"))

    assert of_typed.over(fixed)[0] == pytest.approx(0.98)
    assert of_typed.least == pytest.approx(98_000 - 81_000)
    assert of_derived.over(moving)[0] == pytest.approx(0.98 - 0.9 * RATE * DRAG_AT_MID)
    assert of_derived.least == pytest.approx(98_000 - 0.9 * RATE * 12_600)


def test_fatal_move_at_the_mid() -> None:
    _, at_mid = frames()

    still, kink, target = rows(at_mid, "fatal_move", 6, ZERO)

    assert still.least == pytest.approx(0.024 * 98_000 + 0.04 * 20_400 - 17_600)
    assert kink.least == pytest.approx(0.513 * 98_000 - 20_400 - 17_600)  # k = 5: SOL at nothing
    assert target.least == pytest.approx(0.6108 * 98_000 - 20_400 - 17_600)
    assert target.over(at_mid)[0] == pytest.approx(0.98 * 0.6108 - DRAG_AT_MID)


def test_the_same_level_costs_more_from_the_oracle() -> None:
    at_oracle, _ = frames()

    (row,) = rows(at_oracle, "free_collateral", 18_000, ZERO)

    assert row.over(at_oracle)[0] == pytest.approx(0.02 - DRAG_AT_ORACLE)
    assert row.least == pytest.approx(18_000 - (20_000 - 3_000))


def test_a_book_better_than_the_oracle_earns_nothing_anywhere() -> None:
    at_oracle, at_mid = frames(101_000)  # best bid 100,899

    assert at_oracle.drag[0] == pytest.approx(0.0005)  # the fee, not -0.00899 and the fee
    assert at_mid.drag[0] == pytest.approx(0.00101 + 0.0005 * 1.00899)
    assert at_mid.worth[0] == pytest.approx(1.01)


def test_a_mid_beyond_the_band_writes_no_second_row() -> None:
    on = view(
        see(
            equity=20_000,
            positions={"BTC-USD": (1, 100_000)},
            books={"BTC-USD": book(BTC, 96_900)},
        )
    )

    assert caught_up(on) is None
    assert caught_up(replace(on, price_band=Ppm(31_000))) is not None
