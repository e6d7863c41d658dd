"""The book: depth by the formula, thin after a move, refilled a fifth a block."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall.account import Side
from seawall.simulator.book import ROWS_PPM, Book, row_sizes
from seawall.simulator.markets import BTC_USD, ETH_USD, MARKETS, SOL_USD, Depth, MarketSpec
from seawall.units import Millis, Ppm, QuoteQuantums
from tests.simulator.stage import COIN, MIDS, START, STEP, TICK, blocks, chain_of, limit, next_block

MID = 100_000 * 10**5


def within(book: Book, side: Side, bps: int) -> Decimal:
    """Dollars of base, at the mid, between the touch and `bps` from the mid."""
    sign = 1 if side is Side.SELL else -1
    bound = book.mid * (10_000 + sign * bps) // 10_000
    usable = (
        maker.quantums for maker in book.shape.makers(side) if sign * maker.subticks <= sign * bound
    )
    return Decimal(sum(usable)) / COIN * 100_000


@pytest.mark.parametrize("side", Side)
def test_a_calm_book_offers_what_the_formula_says(side: Side) -> None:
    book = Book(BTC_USD, MID, START)

    # D0 x (d - h) / 10 with D0 = $400,000 and h = 2 bps
    assert within(book, side, 12) == Decimal(400_000)
    assert within(book, side, 102) == Decimal(4_000_000)


@pytest.mark.parametrize("bps", [3, 5, 7, 11, 20, 50, 75, 130, 300])
@pytest.mark.parametrize("side", Side)
def test_a_book_never_offers_more_than_the_formula(side: Side, bps: int) -> None:
    book = Book(BTC_USD, MID + 33_333, START)

    assert within(book, side, bps) <= Decimal(400_000) * (bps - 2) / 10


@pytest.mark.parametrize("spec", MARKETS, ids=lambda spec: spec.ticker)
def test_every_level_stands_on_tick_and_step_in_order(spec: MarketSpec) -> None:
    price = int(MIDS[spec.ticker].scaleb(-spec.oracle_exponent)) + 77
    shape = Book(spec, price, START).shape

    asks = [level.subticks for level in shape.asks]
    bids = [level.subticks for level in shape.bids]
    assert asks == sorted(set(asks))
    assert bids == sorted(set(bids), reverse=True)
    assert bids[0] < asks[0]
    assert len(asks) >= 15
    assert all(s % spec.subticks_per_tick == 0 for s in asks + bids)
    sizes = [level.quantums for level in (*shape.asks, *shape.bids)]
    assert all(q > 0 and q % spec.step_base_quantums == 0 for q in sizes)


def test_the_levels_reach_three_hundred_bps_beyond_the_touch() -> None:
    assert ROWS_PPM[-1] >= 30_000
    assert len(ROWS_PPM) in range(20, 41)


@pytest.mark.parametrize(("spec", "half_spread"), [(BTC_USD, 200), (ETH_USD, 300), (SOL_USD, 500)])
def test_half_spreads_are_two_three_and_five_bps(spec: MarketSpec, half_spread: int) -> None:
    price = int(MIDS[spec.ticker].scaleb(-spec.oracle_exponent))

    assert Book(spec, price, START).shape.half_spread_ppm == half_spread


def test_a_range_of_half_a_per_cent_halves_the_depth_and_doubles_the_spread() -> None:
    chain = chain_of()

    next_block(chain, BTC=100_500)

    shape = chain.book("BTC-USD")
    assert shape.k_ppm == 500_000
    assert shape.half_spread_ppm == 400


def test_depth_never_falls_below_a_fiftieth() -> None:
    chain = chain_of()

    next_block(chain, BTC=90_000)

    assert chain.book("BTC-USD").k_ppm == 20_000
    assert chain.book("BTC-USD").half_spread_ppm == 10_000


@pytest.mark.parametrize(("seconds", "k_ppm"), [(59, 500_000), (60, 1_000_000), (61, 1_000_000)])
def test_a_move_is_remembered_for_sixty_seconds(seconds: int, k_ppm: int) -> None:
    chain = chain_of()
    next_block(chain, BTC=100_500)

    next_block(chain, seconds=seconds)

    assert chain.book("BTC-USD").k_ppm == k_ppm


def test_a_jump_in_time_does_not_hide_the_move_after_it() -> None:
    chain = chain_of()

    next_block(chain, seconds=3_600, BTC=100_500)

    assert chain.book("BTC-USD").k_ppm == 500_000


def test_what_is_taken_comes_back_a_fifth_a_block() -> None:
    book = Book(BTC_USD, MID, START)
    first = book.shape.makers(Side.SELL)[0]
    full = first.quantums

    book.take(Side.SELL, first, full)

    left = []
    for second in (1, 2, 3):
        book.step(Millis(START + second * 1_000), MID)
        left.append(book.shape.makers(Side.SELL)[0].quantums)
    assert left == [full * share // 1_000 // STEP * STEP for share in (200, 360, 488)]
    assert book.shape.makers(Side.BUY)[0].quantums == full


def test_a_hole_below_one_per_cent_is_refilled() -> None:
    book = Book(BTC_USD, MID, START)
    first = book.shape.makers(Side.SELL)[0]
    book.take(Side.SELL, first, first.quantums)

    refilling = []
    for second in range(1, 25):
        book.step(Millis(START + second * 1_000), MID)
        refilling.append(book.is_refilling)

    assert refilling.index(False) == 20  # 0.8 ** 21 is the first below 1%
    assert book.shape.makers(Side.SELL)[0].quantums == first.quantums


def test_more_depth_can_be_set() -> None:
    chain = chain_of()
    chain.set_depth(
        "BTC-USD",
        Depth(per_ten_bps=QuoteQuantums(800_000 * 10**6), half_spread_ppm=Ppm(100)),
    )

    sizes = row_sizes(BTC_USD, BTC_USD.depth, MID, 1_000_000)

    assert chain.book("BTC-USD").asks[0].quantums == 2 * sizes[0]
    assert chain.book("BTC-USD").half_spread_ppm == 100


def test_a_resting_order_is_part_of_the_book() -> None:
    chain = chain_of()
    bid = chain.book("BTC-USD").bids[0].subticks + TICK
    assert chain.check(limit(Side.BUY, STEP, bid // TICK)).is_accepted

    next_block(chain)

    best = chain.book("BTC-USD").bids[0]
    assert (best.subticks, best.quantums) == (bid, STEP)


def test_the_book_is_the_same_object_while_nothing_changes() -> None:
    chain = chain_of()
    blocks(chain, 2)
    before = chain.book("BTC-USD")

    next_block(chain)

    assert chain.book("BTC-USD") is before
