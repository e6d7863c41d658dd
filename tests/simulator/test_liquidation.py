"""Liquidation: two blocks after the price, partial, with the fee; deleveraging; the gate."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall.account import Side
from seawall.simulator import messages, setup
from seawall.simulator.chain import Chain, ChainSettings
from seawall.simulator.events import FillKind, Liquidity, Reason
from seawall.simulator.markets import Depth, LiquidationConfig
from seawall.simulator.messages import Deposit, SubaccountId
from seawall.simulator.serve.records import Records
from seawall.simulator.serve.score import Scoreboard
from seawall.units import Ppm, QuoteQuantums
from tests.simulator.stage import (
    ALICE,
    BOB,
    COIN,
    DOLLAR,
    TICK,
    blocks,
    chain_of,
    give,
    limit,
    next_block,
    order,
    position,
)

WALLET = "dydx1float"
AT_ORACLE = Depth(per_ten_bps=QuoteQuantums(4_000_000 * DOLLAR), half_spread_ppm=Ppm(0))


def fifty_x(side: int = 1, settings: ChainSettings | None = None, equity: int = 2_000) -> Chain:
    """Alice with one coin at $100,000, MMR $1,200."""
    chain = chain_of({ALICE: equity}, settings=settings)
    give(chain, ALICE, side * COIN)
    return chain


def risk(chain: Chain) -> tuple[int, int]:
    found = chain.committed.risk(chain.committed.subaccount(ALICE.owner, 0))
    return found.nc, found.mmr


def doomed(side: int = 1) -> Chain:
    """The price that makes Alice liquidatable is committed in the newest block."""
    chain = fifty_x(side)
    price = 100_000 - side * 1_000  # NC $1,000 against an MMR of about $1,200
    next_block(chain, BTC=price)
    next_block(chain)
    nc, mmr = risk(chain)
    assert 0 < nc < mmr
    return chain


@pytest.mark.parametrize("side", [1, -1])
def test_a_liquidation_comes_two_blocks_after_the_price_that_made_it(side: int) -> None:
    chain = doomed(side)
    height = chain.height

    first, second = next_block(chain), next_block(chain)

    assert first.liquidations == ()
    assert (second.height, len(second.liquidations)) == (height + 2, 1)
    assert position(chain, ALICE) == side * COIN * 9 // 10


def test_an_attempt_closes_a_tenth_at_makers_prices_with_the_fee_to_insurance() -> None:
    chain = doomed()
    fund = chain.committed.insurance[None]
    money = chain.total_money()
    before = risk(chain)

    _, block = blocks(chain, 2)

    (attempt,) = block.liquidations
    assert (attempt.side, attempt.asked, attempt.filled) == (Side.SELL, COIN // 10, COIN // 10)
    assert all(fill.subticks >= attempt.fillable_subticks for fill in block.fills)
    assert {fill.kind for fill in block.fills} == {FillKind.LIQUIDATED}
    assert attempt.to_insurance == sum(fill.fee for fill in block.fills) > 0
    assert chain.committed.insurance[None] == fund + attempt.to_insurance
    assert chain.total_money() == money
    # BTC keeps 1.2%, the fee may be 1.5%: the whole equity share of the slice is lost.
    after = risk(chain)
    assert after[0] * before[1] - before[0] * after[1] < before[1] * 10
    lost = before[0] - after[0]
    assert abs(lost - before[0] // 10) < DOLLAR


def test_net_collateral_equal_to_maintenance_is_not_liquidated() -> None:
    safe, gone = fifty_x(equity=1_200), fifty_x(equity=1_200)
    gone.endow(ALICE, QuoteQuantums(-1))

    safe_blocks, gone_blocks = blocks(safe, 3), blocks(gone, 3)

    assert not any(block.liquidations for block in safe_blocks)
    assert any(block.liquidations for block in gone_blocks)


@pytest.mark.parametrize(("blocks_late", "is_saved"), [(0, True), (1, False)])
def test_a_deposit_in_the_next_block_saves_and_one_later_does_not(
    blocks_late: int, *, is_saved: bool
) -> None:
    chain = doomed()
    setup.fund_wallet(chain, WALLET, Decimal(1_000))
    blocks(chain, blocks_late)
    chain.check(Deposit(sender=WALLET, recipient=ALICE, quantums=500 * DOLLAR))

    seen = blocks(chain, 3)

    assert any(block.liquidations for block in seen) is not is_saved


def test_a_close_sent_at_sight_saves_the_account() -> None:
    chain = doomed()
    chain.check(order(Side.SELL, COIN, 90_000, reduce_only=True))

    seen = blocks(chain, 4)

    assert position(chain, ALICE) == 0
    assert not any(block.liquidations for block in seen)


def test_liquidation_of_a_thin_tier_goes_on_until_nothing_is_left() -> None:
    """MARGIN.md 4.5: where the fee is above the maintenance fraction, all equity goes."""
    chain = fifty_x(equity=1_190)
    chain.set_depth("BTC-USD", AT_ORACLE)

    seen = blocks(chain, 60)

    attempts = [one for block in seen for one in block.liquidations]
    assert position(chain, ALICE) == 0
    assert risk(chain)[0] < DOLLAR
    assert 25 <= len(attempts) <= 45


def test_a_thick_tier_is_healthy_after_one_slice() -> None:
    chain = chain_of({ALICE: 2_990})
    give(chain, ALICE, 500 * 10**7, "SOL-USD")  # $100,000 of SOL, MMR $3,000
    chain.set_depth("SOL-USD", AT_ORACLE)

    seen = blocks(chain, 20)

    assert len([one for block in seen for one in block.liquidations]) == 1
    assert position(chain, ALICE, 5) == 450 * 10**7
    nc, mmr = risk(chain)
    assert nc > mmr


def test_an_attempt_without_a_maker_inside_the_fillable_price_fills_nothing() -> None:
    chain = fifty_x(equity=1_199)  # a hair below maintenance: the limit is the oracle itself

    seen = blocks(chain, 5)

    attempts = [one for block in seen for one in block.liquidations]
    assert [one.filled for one in attempts] == [0] * len(attempts)
    assert position(chain, ALICE) == COIN


def test_an_account_gets_one_attempt_a_block_at_one_position() -> None:
    """As v4-chain's LiquidateSubaccountsAgainstOrderbook: the seconds say which one."""
    chain = chain_of({ALICE: 2_600})
    give(chain, ALICE, COIN)
    give(chain, ALICE, 25 * 10**9, "ETH-USD")  # $100,000 each, MMR $2,400
    next_block(chain, BTC=99_000, ETH=Decimal(3_960))

    seen = blocks(chain, 5)

    attempts = [[one.ticker for one in block.liquidations] for block in seen]
    assert [len(some) for some in attempts] == [0, 0, 1, 1, 1]
    assert {ticker for some in attempts for ticker in some} == {"BTC-USD", "ETH-USD"}


def test_a_block_tries_so_many_accounts_from_one_that_the_seconds_say() -> None:
    """Even the worst of them waits where the block takes others."""
    names = [SubaccountId(owner=f"dydx1{n}", number=0) for n in range(3)]
    limits = LiquidationConfig(attempts_per_block_max=2)
    dollars = dict(zip(names, (2_000, 2_000, 1_900), strict=True))
    chain = chain_of(dollars, settings=ChainSettings(liquidation=limits))
    for one in names:
        give(chain, one, COIN)
    next_block(chain, BTC=99_100)

    seen = blocks(chain, 5)

    tried = [{one.subaccount.owner[-1] for one in block.liquidations} for block in seen]
    assert [len(some) for some in tried] == [0, 0, 2, 2, 2]
    assert sorted(map(sorted, tried[2:])) == [["0", "1"], ["0", "2"], ["1", "2"]]


def test_a_liquidation_meets_the_stateful_orders_of_the_block_before() -> None:
    """PrepareCheckState places them first, and liquidates against the book that they leave."""
    chain = fifty_x()
    chain.set_quoting("BTC-USD", frozenset())
    next_block(chain, BTC=99_100)
    next_block(chain)
    bid = order(
        Side.BUY,
        COIN,
        99_100,
        who=BOB,
        flags=messages.LONG_TERM,
        good_til_block_time=chain.time // 1_000 + 600,
        time_in_force=messages.GOOD_TIL_TIME,
    )
    setup.fund(chain, BOB.owner, BOB.number, Decimal(100_000))
    chain.check(bid)

    before, block = blocks(chain, 2)

    assert not before.liquidations
    assert [one.filled for one in block.liquidations] == [COIN // 10]


def test_the_fund_pays_where_the_fill_is_worse_than_bankruptcy() -> None:
    chain = fifty_x()
    next_block(chain, BTC=97_900)
    next_block(chain)
    assert risk(chain)[0] < 0
    fund = chain.committed.insurance[None]

    _, block = blocks(chain, 2)

    (attempt,) = block.liquidations
    assert attempt.to_insurance < 0
    assert chain.committed.insurance[None] == fund + attempt.to_insurance


@pytest.mark.parametrize("side", [1, -1])
def test_a_negative_account_that_no_maker_meets_is_offset_at_bankruptcy(side: int) -> None:
    chain = fifty_x(side)
    far = Depth(per_ten_bps=QuoteQuantums(400_000 * DOLLAR), half_spread_ppm=Ppm(50_000))
    chain.set_depth("BTC-USD", far)
    next_block(chain, BTC=100_000 - side * 2_500)
    money = chain.total_money()

    seen = blocks(chain, 3)

    (offset,) = [one for block in seen for one in block.deleveragings]
    assert offset.quantums == -side * COIN
    assert position(chain, ALICE) == 0
    assert risk(chain) == (0, 0)
    assert chain.total_money() == money
    kinds = [fill.kind for block in seen for fill in block.fills]
    assert kinds == [FillKind.DELEVERAGED]


def test_the_other_side_of_an_offset_is_its_maker_and_no_liquidated_account() -> None:
    chain = chain_of({ALICE: 2_000, BOB: 100_000})
    give(chain, ALICE, COIN)
    give(chain, BOB, -COIN)
    records = Records(chain.committed)
    board = Scoreboard(chain.committed, {})
    far = Depth(per_ten_bps=QuoteQuantums(400_000 * DOLLAR), half_spread_ppm=Ppm(50_000))
    chain.set_depth("BTC-USD", far)
    next_block(chain, BTC=97_500)

    seen = []
    for _ in range(3):
        before = chain.committed
        block = next_block(chain)
        board.note(block, before, chain.committed)
        trades = records.note(block, chain.committed).trades
        seen += [(fill, len(trades.get("BTC-USD", ()))) for fill in block.fills]

    assert [(fill.subaccount, fill.kind, fill.liquidity, count) for fill, count in seen] == [
        (BOB, FillKind.OFFSETTING, Liquidity.MAKER, 1),
        (ALICE, FillKind.DELEVERAGED, Liquidity.TAKER, 1),
    ]
    liquidated = {one["address"]: one["liquidated"] for one in board.accounts(chain.committed)}
    assert liquidated == {ALICE.owner: True, BOB.owner: False}


def test_an_empty_fund_stops_the_fill_and_leads_to_the_offset() -> None:
    chain = fifty_x(settings=ChainSettings(insurance_fund=QuoteQuantums(0)))
    next_block(chain, BTC=97_500)

    seen = blocks(chain, 3)

    assert [one.filled for block in seen for one in block.liquidations] == [0]
    assert len([one for block in seen for one in block.deleveragings]) == 1


def test_losses_to_the_fund_are_limited_per_account_and_block() -> None:
    limits = LiquidationConfig(subaccount_max_insurance_lost=QuoteQuantums(1))
    chain = fifty_x(settings=ChainSettings(liquidation=limits))
    fund = chain.committed.insurance[None]
    next_block(chain, BTC=97_500)

    blocks(chain, 3)

    assert chain.committed.insurance[None] >= fund - 1


def test_an_account_left_below_zero_raises_the_gate() -> None:
    chain = fifty_x()
    next_block(chain, BTC=97_000)
    next_block(chain)
    assert chain.committed.blocked_until() is None

    _, block = blocks(chain, 2)

    assert block.liquidations
    assert risk(chain)[0] < 0
    assert chain.committed.blocked_until() == block.height + 50


def test_a_healthy_neighbour_is_left_alone() -> None:
    chain = chain_of({ALICE: 1_199, BOB: 1_200})
    for who in (ALICE, BOB):
        give(chain, who, COIN)

    seen = blocks(chain, 10)

    assert {one.subaccount for block in seen for one in block.liquidations} == {ALICE}
    assert position(chain, BOB) == COIN


def test_the_accounts_own_bid_is_removed_when_its_liquidation_meets_it() -> None:
    chain = doomed()
    bid = chain.book("BTC-USD").bids[0].subticks // TICK + 1
    chain.check(limit(Side.BUY, COIN // 10_000, bid))

    seen = blocks(chain, 2)

    removed = [event.reason for event in seen[1].orders]
    assert removed == [Reason.INVALID_SELF_TRADE]


def test_a_users_maker_order_earns_no_rebate_from_a_liquidation() -> None:
    chain = doomed()
    chain.endow(BOB, QuoteQuantums(10_000 * DOLLAR))
    bid = chain.book("BTC-USD").bids[0].subticks // TICK + 1
    chain.check(limit(Side.BUY, COIN // 20, bid, who=BOB))

    seen = blocks(chain, 2)

    (made,) = [fill for fill in seen[1].fills if fill.kind is FillKind.LIQUIDATION]
    assert (made.subaccount, made.fee, made.quantums) == (BOB, 0, COIN // 20)
