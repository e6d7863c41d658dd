"""Matching: makers' prices, fees, cuts to the position, and the margin rule at every fill."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.account import Side
from seawall.simulator import ruler
from seawall.simulator.chain import ChainSettings
from seawall.simulator.events import Liquidity, OrderStatus, Reason
from seawall.simulator.exchange import ReduceOnly
from seawall.simulator.markets import Depth
from seawall.units import Ppm, QuoteQuantums
from tests.simulator.stage import (
    ALICE,
    BOB,
    COIN,
    DOLLAR,
    STEP,
    TICK,
    blocks,
    chain_of,
    give,
    limit,
    next_block,
    order,
    position,
    usdc,
)


def test_a_taker_gets_the_makers_prices_and_pays_five_bps_rounded_up() -> None:
    chain = chain_of()
    give(chain, ALICE, COIN)
    before = usdc(chain, ALICE)
    bids = chain.book("BTC-USD").bids[:3]
    size = sum(level.quantums for level in bids)
    chain.check(order(Side.SELL, size, reduce_only=True))

    block = next_block(chain)

    assert [(f.subticks, f.quantums) for f in block.fills] == [
        (level.subticks, level.quantums) for level in bids
    ]
    quotes = [level.subticks * level.quantums // 10**9 for level in bids]
    fees = [-(-quote * 500 // 10**6) for quote in quotes]
    assert [f.fee for f in block.fills] == fees
    assert usdc(chain, ALICE) == before + sum(quotes) - sum(fees)
    assert [(o.status, o.filled) for o in block.orders] == [(OrderStatus.FILLED, size)]


def test_an_order_never_fills_beyond_its_limit() -> None:
    chain = chain_of()
    give(chain, ALICE, COIN)
    bids = chain.book("BTC-USD").bids
    bound = bids[2].subticks
    chain.check(replace(order(Side.SELL, COIN, reduce_only=True), subticks=bound))

    block = next_block(chain)

    assert min(f.subticks for f in block.fills) == bound
    assert sum(f.quantums for f in block.fills) == sum(b.quantums for b in bids[:3])
    (ended,) = block.orders
    assert ended.reason is Reason.IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK


def test_an_order_that_meets_nothing_is_accepted_and_does_nothing() -> None:
    chain = chain_of()
    unmet = order(Side.SELL, STEP, 101_000)

    assert chain.check(unmet).is_accepted
    block = next_block(chain)

    assert block.fills == ()
    assert chain.check(replace(unmet, subticks=99_000 * TICK)).is_accepted  # no memory of it
    assert len(next_block(chain).fills) == 1


def test_orders_meet_the_book_of_their_own_block() -> None:
    chain = chain_of()
    give(chain, ALICE, COIN)
    seen = chain.book("BTC-USD").bids[0].subticks
    chain.check(replace(order(Side.SELL, STEP, reduce_only=True), subticks=seen))

    block = next_block(chain, BTC=99_900)

    assert block.fills == ()


@pytest.mark.parametrize("sign", [1, -1])
def test_reduce_only_is_cut_to_the_position_and_never_flips_it(sign: int) -> None:
    chain = chain_of()
    give(chain, ALICE, sign * 3 * STEP)
    side, bound = (Side.SELL, 99_000) if sign > 0 else (Side.BUY, 101_000)
    chain.check(order(side, 10 * STEP, bound, reduce_only=True))

    block = next_block(chain)

    assert sum(f.quantums for f in block.fills) == 3 * STEP
    assert position(chain, ALICE) == 0
    assert block.orders[-1].reason is Reason.REDUCE_ONLY_RESIZE


def test_several_reduce_only_orders_add_up_but_never_flip() -> None:
    chain = chain_of()
    give(chain, ALICE, 10 * STEP)
    for client_id in (1, 2, 3):
        close = order(Side.SELL, 4 * STEP, reduce_only=True, client_id=client_id)
        assert chain.check(close).is_accepted

    block = next_block(chain)

    assert [f.quantums for f in block.fills] == [4 * STEP, 4 * STEP, 2 * STEP]
    assert position(chain, ALICE) == 0


def test_a_venue_may_ignore_reduce_only() -> None:
    chain = chain_of(settings=ChainSettings(reduce_only=ReduceOnly.IGNORED))
    give(chain, ALICE, STEP)
    chain.check(order(Side.SELL, 3 * STEP, reduce_only=True))

    next_block(chain)

    assert position(chain, ALICE) == -2 * STEP


def test_one_id_fills_once_within_its_memory_and_again_after_it() -> None:
    chain = chain_of()
    give(chain, ALICE, COIN)
    sell = order(Side.SELL, STEP, reduce_only=True, good_til_block=3)
    chain.check(sell)
    next_block(chain)
    codes = {}

    while chain.height < 45:
        answer = chain.check(replace(sell, good_til_block=chain.height + 1))
        codes[chain.height] = answer.code
        if answer.is_accepted:
            break
        next_block(chain)

    assert codes == {**dict.fromkeys(range(2, 43), 24), 43: 0}  # remembered up to 3 + 40
    assert len(next_block(chain).fills) == 1


def test_two_copies_in_one_block_fill_once() -> None:
    chain = chain_of()
    give(chain, ALICE, COIN)
    unmet = order(Side.SELL, STEP, 99_990, reduce_only=True)
    chain.check(unmet)  # the touch is lower: it fills nothing when it is tried first
    chain.check(replace(unmet, good_til_block=11))

    block = next_block(chain, BTC=100_030)

    assert [f.quantums for f in block.fills] == [STEP]


@pytest.mark.parametrize(("equity", "is_whole"), [(2_090, True), (2_060, False)])
def test_an_opening_order_needs_initial_margin_after_every_fee(
    equity: int, *, is_whole: bool
) -> None:
    """At 50x, IMR is $2,000 of a coin; spread and fee take about $80 on top."""
    chain = chain_of({ALICE: equity})
    assert chain.check(order(Side.BUY, COIN, 101_000)).is_accepted

    (ended,) = next_block(chain).orders

    assert (position(chain, ALICE) == COIN) is is_whole
    assert position(chain, ALICE) > 0
    assert (ended.reason is Reason.UNDERCOLLATERALIZED) is not is_whole
    found = chain.committed.risk(chain.committed.subaccount(ALICE.owner, 0))
    assert found.nc >= found.imr


def test_a_walk_stops_half_way_where_the_next_fill_would_worsen_the_ratio() -> None:
    chain = chain_of({ALICE: 100_000})
    give(chain, ALICE, 2 * COIN)
    chain.endow(ALICE, QuoteQuantums(-98_300 * DOLLAR))  # NC $1,700, MMR $2,400, IMR $4,000
    thin = Depth(per_ten_bps=QuoteQuantums(10_000 * DOLLAR), half_spread_ppm=Ppm(200))
    chain.set_depth("BTC-USD", thin)
    bids = chain.book("BTC-USD").bids
    chain.check(order(Side.SELL, 2 * COIN, 90_000, reduce_only=True))

    block = next_block(chain)

    assert 0 < len(block.fills) < len(bids)
    assert block.orders[-1].reason is Reason.UNDERCOLLATERALIZED
    held = Fraction(2)
    nc = Fraction(1_700)
    for number, bid in enumerate(bids[: len(block.fills) + 1]):
        size = Fraction(bid.quantums, COIN)
        price = Fraction(bid.subticks, TICK)
        after = nc - size * (100_000 - price + price * Fraction(5, 10_000))
        keeps_ratio = after / (held - size) >= nc / held
        assert keeps_ratio is (number < len(block.fills))
        nc, held = after, held - size
    assert position(chain, ALICE) == 2 * COIN - sum(f.quantums for f in block.fills)


def test_users_trade_with_one_another_at_the_resting_price() -> None:
    chain = chain_of()
    bid = chain.book("BTC-USD").bids[0].subticks // TICK + 2
    chain.check(limit(Side.BUY, 3 * STEP, bid, who=BOB))
    next_block(chain)
    money = chain.total_money()
    chain.check(order(Side.SELL, 2 * STEP, bid))

    block = next_block(chain)

    taker, maker = sorted(block.fills, key=lambda f: f.liquidity, reverse=True)
    assert (taker.liquidity, maker.liquidity) == (Liquidity.TAKER, Liquidity.MAKER)
    assert taker.subticks == maker.subticks == bid * TICK
    quote = bid * TICK * 2 * STEP // 10**9
    assert maker.fee == ruler.fee(quote, -110) < 0
    assert (position(chain, ALICE), position(chain, BOB)) == (-2 * STEP, 2 * STEP)
    assert chain.committed.open_orders(BOB.owner)[0].remaining == STEP
    assert chain.total_money() == money


def test_a_takers_own_orders_are_removed_not_matched() -> None:
    chain = chain_of()
    bid = chain.book("BTC-USD").bids[0].subticks // TICK + 2
    chain.check(limit(Side.BUY, STEP, bid))
    next_block(chain)
    chain.check(order(Side.SELL, STEP, 99_000, client_id=2))

    block = next_block(chain)

    assert block.orders[0].reason is Reason.INVALID_SELF_TRADE
    assert [f.liquidity for f in block.fills] == [Liquidity.TAKER]
    assert block.fills[0].subticks < bid * TICK


def test_a_maker_without_margin_is_dropped_and_the_walk_goes_on() -> None:
    chain = chain_of({ALICE: 100_000, BOB: 20})
    bid = chain.book("BTC-USD").bids[0].subticks // TICK + 2
    chain.check(limit(Side.BUY, COIN, bid, who=BOB))  # $20 cannot carry one coin
    next_block(chain)
    chain.check(order(Side.SELL, COIN // 10, 99_000))

    block = next_block(chain)

    assert block.orders[0].reason is Reason.UNDERCOLLATERALIZED
    assert position(chain, BOB) == 0
    assert position(chain, ALICE) == -COIN // 10


def test_a_maker_without_margin_is_dropped_also_where_the_taker_has_none() -> None:
    chain = chain_of({ALICE: 20, BOB: 20})
    bid = chain.book("BTC-USD").bids[0].subticks // TICK + 2
    chain.check(limit(Side.BUY, COIN, bid, who=BOB))
    next_block(chain)
    chain.check(order(Side.SELL, COIN, 99_000))

    block = next_block(chain)

    assert [one.reason for one in block.orders] == [Reason.UNDERCOLLATERALIZED] * 2
    assert chain.committed.open_orders(BOB.owner) == ()
    assert block.fills == ()


def test_the_house_fills_what_its_moved_quotes_cross_at_the_resting_price() -> None:
    chain = chain_of()
    chain.check(limit(Side.BUY, STEP, 99_900))
    assert next_block(chain).fills == ()
    money = chain.total_money()

    block = next_block(chain, BTC=99_800)

    (fill,) = block.fills
    assert (fill.subticks, fill.liquidity) == (99_900 * TICK, Liquidity.MAKER)
    assert position(chain, ALICE) == STEP
    assert chain.committed.open_orders(ALICE.owner) == ()
    assert chain.total_money() == money


def test_open_interest_follows_every_fill() -> None:
    chain = chain_of()
    start = chain.committed.markets["BTC-USD"].open_interest
    chain.check(order(Side.BUY, 5 * STEP, 101_000))
    next_block(chain)
    opened = chain.committed.markets["BTC-USD"].open_interest
    chain.check(order(Side.SELL, 5 * STEP, 99_000, client_id=2, reduce_only=True))
    next_block(chain)

    assert opened - start == 5 * STEP
    assert chain.committed.markets["BTC-USD"].open_interest == start


ORDERS = st.lists(
    st.tuples(
        st.sampled_from([ALICE, BOB]),
        st.sampled_from(list(Side)),
        st.integers(1, 60),
        st.integers(-40, 40),
        st.booleans(),
        st.integers(-150, 150),
    ),
    min_size=1,
    max_size=12,
)


@given(ORDERS)
def test_trading_creates_neither_money_nor_size_and_no_margin_is_worsened(
    wanted: list[tuple[object, Side, int, int, bool, int]],
) -> None:
    chain = chain_of({ALICE: 3_000, BOB: 60_000})
    money = chain.total_money()
    mid = 100_000

    for client_id, (who, side, steps, away, is_limit, move) in enumerate(wanted, start=1):
        assert who in (ALICE, BOB)
        owner = ALICE if who == ALICE else BOB
        make = limit if is_limit else order
        mid += move
        chain.check(
            make(
                side,
                steps * 20 * STEP,
                mid + away,
                who=owner,
                client_id=client_id,
                good_til_block=chain.height + 5,
            )
        )
        next_block(chain, BTC=mid)

    blocks(chain, 2)
    assert chain.total_money() == money
    held = sum(position(chain, who) for who in (ALICE, BOB))
    assert held == -chain.house_position("BTC-USD")
