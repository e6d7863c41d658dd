"""The mid against the oracle, whatever the powers of ten between them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import Market
from seawall.measures import prices
from seawall.units import Ppm
from tests.see import BTC, ETH, MARKETS, PRICE_BAND, SOL, book, priced, see


@pytest.mark.parametrize("market", [BTC, ETH, SOL])
@pytest.mark.parametrize(("factor", "gap"), [("1", "0"), ("1.02", "0.02"), ("0.98", "0.02")])
def test_the_gap_is_a_fraction_of_the_oracle(market: Market, factor: str, gap: str) -> None:
    shown = book(market, market.oracle_dollars * Decimal(factor))
    assert shown.mid_twice is not None

    assert prices.gap(market, shown.mid_twice) == Decimal(gap)


def test_a_book_in_coarser_units_than_the_oracle_is_compared_on_one_scale() -> None:
    # A subtick is 10^3 dollars here, the oracle counts in hundred-thousandths.
    coarse = replace(BTC, quantum_conversion_exponent=-1, subticks_per_tick=1)

    assert prices.gap(coarse, 2 * 103) == Decimal("0.03")
    assert not prices.is_outside(coarse, 2 * 103, PRICE_BAND)
    assert prices.is_outside(coarse, 2 * 103, Ppm(29_999))


def test_a_market_without_a_price_or_a_book_is_not_doubted() -> None:
    seen = see(books={"BTC-USD": book(BTC)})
    broken = replace(seen, markets={**MARKETS, "BTC-USD": priced(BTC, 0)})

    assert prices.unreliable(broken, ["BTC-USD", "DOGE-USD", "ETH-USD"], PRICE_BAND) is None


def test_the_market_in_doubt_is_named() -> None:
    seen = see(books={"BTC-USD": book(BTC), "ETH-USD": book(ETH, 5_000)})

    assert prices.unreliable(seen, ["BTC-USD", "ETH-USD"], PRICE_BAND) == "ETH-USD"
    assert "ETH-USD" in prices.denial("ETH-USD")
