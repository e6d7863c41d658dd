"""Funding out of premiums: votes of blocks, samples of minutes, the rate of an hour."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from seawall.account import MarketStatus, Side
from seawall.simulator import funding, ruler
from seawall.simulator.book import Maker
from seawall.simulator.chain import Chain
from seawall.units import HOUR, MINUTE, SECOND, Millis
from tests.simulator.stage import (
    ALICE,
    BOB,
    COIN,
    DOLLAR,
    MIDS,
    START,
    blocks,
    chain_of,
    give,
    limit,
    next_block,
    order,
)

INDEX = MIDS
TO_THE_HOUR = Millis(HOUR - START % HOUR)


def play(chain: Chain, seconds: int, premium: str) -> None:
    """Blocks of a second with the books so far above the index."""
    mids = {ticker: price * (1 + Decimal(premium)) for ticker, price in INDEX.items()}
    for _ in range(seconds):
        chain.advance(Millis(chain.time + SECOND), mids, INDEX)


def to_sampling(chain: Chain, after: int = 1) -> int:
    """Seconds until the next sample is taken, plus some."""
    return (MINUTE - (chain.time - 30 * SECOND) % MINUTE) // SECOND + after


def test_a_book_around_the_index_has_no_premium() -> None:
    chain = chain_of()

    for n in range(200):
        next_block(chain, BTC=100_000 + 37 * n, ETH=4_000 - n)

    assert chain.committed.premiums.votes == {}
    assert chain.committed.premiums.samples == {}


def test_a_vote_is_the_impact_price_over_the_index() -> None:
    chain = chain_of()

    play(chain, 1, "0.01")

    (btc,) = chain.committed.premiums.votes[0]
    bids = chain.book("BTC-USD").bids
    # $10,000 are two levels of some $4,000 and a part of the third.
    walked = [Decimal(level.subticks) * level.quantums / 10**9 for level in bids[:2]]
    base = sum(level.quantums for level in bids[:2])
    whole = base + -(-(10_000 * DOLLAR - sum(walked)) * 10**9 // bids[2].subticks)
    assert btc == int((10_000 * DOLLAR * 10**9 / whole / 10**10 - 1) * 10**6)
    assert bids[2].subticks < 10_000 * (10**6 + btc) < bids[0].subticks


def test_a_vote_below_the_index_is_negative_and_clamped() -> None:
    chain = chain_of()

    play(chain, 1, "-0.6")

    votes = chain.committed.premiums.votes
    assert votes[0] == (-480_000,)  # sixty times the 0.8% between initial and maintenance
    assert -600_000 < votes[5][0] < -580_000  # 60 x 2% is no bound here


def test_a_minute_of_premium_is_one_sample_of_sixty() -> None:
    chain = chain_of()
    play(chain, to_sampling(chain, after=0), "0.01")
    (sample,) = chain.committed.premiums.samples[0]
    taken = chain.committed.premiums.taken
    assert chain.committed.premiums.votes == {}
    assert chain.committed.markets["BTC-USD"].rate_8h_ppm == sample // taken

    seconds = (HOUR - chain.time % HOUR) // SECOND
    before = chain.committed.markets["BTC-USD"].funding_index
    block = chain.advance(Millis(chain.time + seconds * SECOND), INDEX, INDEX)

    tick = {one.ticker: one for one in block.funding}["BTC-USD"]
    assert tick.rate_8h_ppm == sample // 60
    delta = ruler.funding_index_delta(sample // 60, 10_000_000_000, -9)
    assert tick.funding_index - before == delta > 0
    assert chain.committed.premiums.samples == {}


def test_a_premium_of_less_than_half_the_minute_is_no_sample() -> None:
    chain = chain_of()
    play(chain, to_sampling(chain), "0")

    play(chain, 25, "0.01")
    assert len(chain.committed.premiums.votes[0]) == 25
    play(chain, 40, "0")

    assert chain.committed.premiums.samples == {}
    assert chain.committed.premiums.votes == {}


def test_a_market_that_is_not_active_has_no_premium() -> None:
    chain = chain_of()
    chain.set_status("BTC-USD", MarketStatus.FINAL_SETTLEMENT)

    play(chain, 1, "0.01")

    assert set(chain.committed.premiums.votes) == {1, 5}


def test_time_does_not_jump_over_votes() -> None:
    chain = chain_of()
    play(chain, to_sampling(chain), "0.01")
    play(chain, 1, "0.01")
    play(chain, 2, "0")

    assert chain.committed.premiums.votes
    assert not chain.is_quiet
    play(chain, 60, "0")
    assert chain.is_quiet


def test_a_rate_that_a_scenario_names_stays() -> None:
    chain = chain_of()
    chain.set_hourly_rate("BTC-USD", Decimal("0.0001"))

    play(chain, 70, "0.01")

    assert chain.committed.markets["BTC-USD"].rate_8h_ppm == 800
    assert chain.committed.markets["ETH-USD"].rate_8h_ppm != 0


def test_a_users_bid_above_the_index_counts_once_it_is_large_enough() -> None:
    chain = chain_of({ALICE: 1_000_000})
    chain.set_quoting("BTC-USD", frozenset())
    oracle = {**INDEX, "BTC-USD": Decimal(99_000)}
    chain.check(limit(Side.BUY, COIN // 1_000, 99_950))
    chain.advance(Millis(chain.time + SECOND), {}, oracle)
    assert chain.committed.premiums.votes == {}  # $100 is less than the impact notional
    chain.check(limit(Side.BUY, COIN, 99_950, client_id=2))
    chain.advance(Millis(chain.time + SECOND), {}, oracle)

    assert chain.committed.premiums.votes == {0: (9_595,)}  # 99,950 over 99,000


def test_what_funding_takes_from_one_it_gives_to_another() -> None:
    chain = chain_of()
    give(chain, ALICE, COIN // 3)
    give(chain, BOB, -COIN // 7)
    chain.set_hourly_rate("BTC-USD", Decimal("0.000123"))
    money = chain.total_money()

    for _ in range(5):
        next_block(chain, seconds=3_600)
        assert chain.total_money() == money
        chain.check(order(Side.SELL, 10**6, 90_000, client_id=chain.height, good_til_block=30))
    blocks(chain, 1)

    assert chain.total_money() == money
    assert chain.committed.subaccount(ALICE.owner, 0).held[0].funding_index > 0


@pytest.mark.parametrize(
    ("values", "length", "expected"),
    [
        ((), 15, 0),
        ((5,), 1, 5),
        ((1, 2), 2, 2),
        ((-1, -2), 2, -2),
        ((-1, 2), 2, 1),
        ((9,) * 8, 15, 9),
        ((9,) * 7, 15, 0),
        ((3, 1, 2), 3, 2),
    ],
)
def test_the_median_of_votes_with_absent_ones(
    values: tuple[int, ...], length: int, expected: int
) -> None:
    assert ruler.median(values, length) == expected


def test_the_impact_price_walks_the_makers() -> None:
    makers = (Maker(200, 10), Maker(100, 100))

    assert funding.impact_price(makers, 2_000, 0) == 200
    assert funding.impact_price(makers, 7_000, 0) == Fraction(7_000, 60)
    assert funding.impact_price(makers, 2_050, 0) == Fraction(2_050, 11)  # base is rounded up
    assert funding.impact_price(makers, 12_001, 0) is None
    assert funding.impact_price(makers, 0, 0) == 200
    assert funding.impact_price(makers, 2_000 * DOLLAR, 0) is None


def test_an_hour_without_a_rate_is_told_too() -> None:
    chain = chain_of()

    block = next_block(chain, seconds=3_600)

    told = {one.ticker: (one.rate_8h_ppm, one.funding_index) for one in block.funding}
    assert told == dict.fromkeys(INDEX, (0, 0))


def test_after_the_tick_the_market_shows_what_was_paid() -> None:
    chain = chain_of()
    play(chain, to_sampling(chain, after=0), "0.01")
    seconds = (HOUR - chain.time % HOUR) // SECOND
    block = chain.advance(Millis(chain.time + seconds * SECOND), INDEX, INDEX)

    for tick in block.funding:
        assert chain.committed.markets[tick.ticker].hourly_rate == tick.hourly > 0
