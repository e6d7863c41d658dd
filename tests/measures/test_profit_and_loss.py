"""Profit and loss of account and subaccount; what it needs, and what it refuses to guess."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import Funding, Missing
from seawall.measures import MEASURES, ledger
from seawall.measures.spec import Instance, NoData, Value
from seawall.units import Millis
from tests.see import AT, BTC, ETH, HEIGHT, PRICE_BAND, Held, Number, book, priced, see, view

LONG: Held = {"BTC-USD": ("0.1", 100_000)}
CHILD: Held = {"ETH-USD": (-1, 4_000)}
WHOLE = Instance(subaccounts=(0, 128), markets=("BTC-USD", "ETH-USD"))
PARENT = Instance(subaccount=0)
FAMILY = ["equity", "drawdown", "day_loss", "funding_24h"]


def calm(equity: Number = 10_000) -> dict[str, Value]:
    looked = view(see(equity=equity, positions=LONG))
    return {name: MEASURES[name].evaluate(looked, PARENT, None) for name in FAMILY}


def test_a_calm_account_has_lost_nothing() -> None:
    assert calm() == {"equity": 10_000, "drawdown": 0, "day_loss": 0, "funding_24h": 0}


@pytest.mark.parametrize("equity", ["0.000001", "-5"])
def test_equity_is_net_collateral_at_either_sign(equity: str) -> None:
    assert calm(equity)["equity"] == Decimal(equity)


def test_equity_counts_unsettled_funding() -> None:
    seen = see(equity=10_000, positions=LONG)
    owing = replace(BTC, funding_index=1_000_000)  # a quantum per base quantum: $1,000

    looked = view(replace(seen, markets={**seen.markets, "BTC-USD": owing}))

    assert MEASURES["equity"].evaluate(looked, PARENT, None) == 9_000


def test_equity_is_summed_over_the_subaccounts_in_scope() -> None:
    looked = view(see(equity=10_000, positions=LONG, children={128: (500, CHILD)}))

    found = [
        MEASURES["equity"].evaluate(looked, one, None)
        for one in (WHOLE, Instance(), Instance(subaccounts=(128,)), Instance(subaccount=128))
    ]

    assert found == [10_500, 10_500, 500, 500]


@pytest.mark.parametrize(
    ("price", "equity", "lost"),
    [(100_000, 10_000, "0"), (88_000, 8_800, "0.12"), (110_000, 11_000, "-0.1")],
)
@pytest.mark.parametrize("name", ["drawdown", "day_loss"])
def test_losses_are_fractions_of_where_they_started(
    name: str, price: int, equity: int, lost: str
) -> None:
    kept, _ = ledger.advance(None, see(equity=10_000, positions=LONG), price_band=PRICE_BAND)
    now = see(
        equity=equity,
        positions={"BTC-USD": ("0.1", price)},
        height=HEIGHT + 1,
        at=Millis(AT + 1_000),
    )
    kept, _ = ledger.advance(kept, now, price_band=PRICE_BAND)

    assert MEASURES[name].evaluate(view(now, book_of=kept), PARENT, None) == Decimal(lost)


def test_a_plan_on_paper_does_not_move_a_loss() -> None:
    seen = see(equity=10_000, positions=LONG)
    kept, _ = ledger.advance(None, seen, price_band=PRICE_BAND)
    imagined = see(equity=9_000, positions={})

    looked = view(imagined, book_of=kept)

    assert MEASURES["drawdown"].evaluate(looked, PARENT, None) == 0
    assert MEASURES["equity"].evaluate(looked, PARENT, None) == 9_000


@pytest.mark.parametrize("name", ["drawdown", "day_loss"])
def test_there_is_no_nav_of_a_part_of_the_account(name: str) -> None:
    looked = view(
        see(equity=1, children={128: (1, CHILD), 256: (1, CHILD)}),
    )

    part = MEASURES[name].evaluate(looked, Instance(subaccounts=(0, 128)), None)
    one = MEASURES[name].evaluate(looked, Instance(subaccounts=(128,)), None)

    assert isinstance(part, NoData)
    assert one == 0


@pytest.mark.parametrize(
    ("held", "rate", "p90_long", "p90_short", "paid"),
    [
        (LONG, "0.0001", "0", "0", "24"),
        (LONG, "0.0001", "0.0002", "0", "48"),
        (LONG, "-0.0001", "0", "0.0005", "0"),
        ({"BTC-USD": ("-0.1", 100_000)}, "-0.0001", "0.0005", "0", "24"),
        ({"BTC-USD": ("-0.1", 100_000)}, "0.0001", "0", "0.0003", "72"),
        ({}, "0.0001", "0", "0", "0"),
    ],
)
def test_funding_is_what_a_day_is_expected_to_cost(
    held: Held, rate: str, p90_long: str, p90_short: str, paid: str
) -> None:
    week = Funding(rate=Decimal(rate), p90_long=Decimal(p90_long), p90_short=Decimal(p90_short))

    looked = view(see(positions=held, funding={"BTC-USD": week}))

    assert MEASURES["funding_24h"].evaluate(looked, PARENT, None) == Decimal(paid)


def test_receipts_of_one_market_do_not_pay_for_another() -> None:
    rates = {
        "BTC-USD": Funding(rate=Decimal("0.0001"), p90_long=Decimal(0), p90_short=Decimal(0)),
        "ETH-USD": Funding(rate=Decimal("0.0009"), p90_long=Decimal(0), p90_short=Decimal(0)),
    }
    looked = view(see(positions={**LONG, **CHILD}, funding=rates))

    assert MEASURES["funding_24h"].evaluate(looked, PARENT, None) == 24


@pytest.mark.parametrize("funding", [Missing(reason="indexer down"), {}])
def test_a_rate_that_was_not_read_is_no_data(funding: Missing | dict[str, Funding]) -> None:
    looked = view(see(positions=LONG, funding=funding))

    assert isinstance(MEASURES["funding_24h"].evaluate(looked, PARENT, None), NoData)


# ---- what cannot be told


@pytest.mark.parametrize("name", FAMILY)
def test_a_price_of_zero_is_no_data(name: str) -> None:
    seen = see(positions=CHILD)
    looked = view(replace(seen, markets={**seen.markets, "ETH-USD": priced(ETH, 0)}))

    assert isinstance(MEASURES[name].evaluate(looked, PARENT, None), NoData)


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize(("mid", "believed"), [(103_000, True), (103_001, False)])
def test_a_price_that_its_own_book_denies_is_no_data(
    name: str, mid: int, *, believed: bool
) -> None:
    looked = view(see(positions=LONG, books={"BTC-USD": book(BTC, mid)}))

    value = MEASURES[name].evaluate(looked, PARENT, None)

    assert isinstance(value, Decimal) is believed


@pytest.mark.parametrize("name", FAMILY)
def test_a_bad_price_of_one_subaccount_leaves_the_other_alone(name: str) -> None:
    looked = view(
        see(
            positions=LONG,
            children={128: (500, CHILD)},
            books={"BTC-USD": book(BTC, 90_000), "ETH-USD": book(ETH)},
        )
    )

    child = MEASURES[name].evaluate(looked, Instance(subaccount=128), None)

    assert isinstance(child, Decimal)
    assert isinstance(MEASURES[name].evaluate(looked, WHOLE, None), NoData)


@pytest.mark.parametrize("name", ["drawdown", "day_loss"])
def test_a_subaccount_without_a_series_is_no_data(name: str) -> None:
    kept, _ = ledger.advance(None, see(positions=LONG), price_band=PRICE_BAND)
    grown = see(positions=LONG, children={128: (500, CHILD)})

    value = MEASURES[name].evaluate(view(grown, book_of=kept), Instance(subaccount=128), None)

    assert value == NoData(reason="no NAV yet: it begins with the guard's first tick")
