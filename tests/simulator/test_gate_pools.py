"""Collateral pools: whose money waits behind the gate, and which fund pays for whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.account import MarketStatus, MarketType
from seawall.simulator.chain import Chain, ChainSettings
from seawall.simulator.local import LocalVenue
from seawall.simulator.markets import BTC_USD, ETH_USD, LiquidationConfig
from seawall.simulator.messages import Deposit, SubaccountId, Transfer, TransferMessage, Withdraw
from seawall.units import QuoteQuantums
from tests.simulator.stage import ALICE, COIN, DOLLAR, MIDS, START, blocks, give, next_block

CHILD = SubaccountId(owner=ALICE.owner, number=128)
SIBLING = SubaccountId(owner=ALICE.owner, number=1)
WALLET = "dydx1float"
ETH = 10**9  # base quantums of a coin
FUND = QuoteQuantums(10_000 * DOLLAR)


def family(settings: ChainSettings | None = None, child_dollars: int = 2_000) -> Chain:
    """Alice with cash and BTC, and a child with 25 isolated ETH at $4,000, MMR $1,200."""
    alone = replace(ETH_USD, market_type=MarketType.ISOLATED)
    chain = Chain(start=START, mids=MIDS, settings=settings, markets=(BTC_USD, alone))
    chain.endow(ALICE, QuoteQuantums(100_000 * DOLLAR))
    chain.endow(SIBLING, QuoteQuantums(1_000 * DOLLAR))
    chain.endow(CHILD, QuoteQuantums(child_dollars * DOLLAR))
    chain.credit(WALLET, QuoteQuantums(10_000 * DOLLAR))
    give(chain, ALICE, COIN // 10)
    give(chain, CHILD, 25 * ETH, "ETH-USD")
    return chain


def tried(chain: Chain, message: TransferMessage) -> int:
    """The code of a message in its block."""
    assert chain.check(message, tx="M").is_accepted
    (result,) = next_block(chain).results
    return result.code


MOVES: dict[str, tuple[TransferMessage, int]] = {
    "in the cross pool": (Transfer(sender=ALICE, recipient=SIBLING, amount=DOLLAR), 0),
    "out of the cross pool": (Withdraw(sender=ALICE, recipient=WALLET, quantums=DOLLAR), 0),
    "into the child": (Transfer(sender=ALICE, recipient=CHILD, amount=DOLLAR), 102),
    "a deposit to the child": (Deposit(sender=WALLET, recipient=CHILD, quantums=DOLLAR), 102),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_negative_child_stops_the_money_of_its_own_pool_only(name: str) -> None:
    move, code = MOVES[name]
    chain = family(ChainSettings(isolated_insurance_fund=FUND))
    next_block(chain, ETH=3_850)  # $3,750 lost of $2,000
    next_block(chain)

    blocks(chain, 2)

    assert chain.committed.risk(chain.committed.subaccount(CHILD.owner, 128)).nc < 0
    assert chain.committed.blocked_until(1) is not None
    assert chain.committed.blocked_until() is None
    assert LocalVenue(chain, ALICE.owner).look().transfers_blocked_until.keys() == {128}
    assert tried(chain, move) == code


def test_an_outage_stops_every_pool() -> None:
    chain = family()

    chain.record_outage()

    venue = LocalVenue(chain, ALICE.owner)
    assert venue.look().transfers_blocked_until == {0: chain.height + 50, 128: chain.height + 50}


@pytest.mark.parametrize(("dollars", "filled"), [(0, False), (10_000, True)])
def test_an_isolated_market_is_insured_by_its_own_fund(dollars: int, *, filled: bool) -> None:
    own = QuoteQuantums(dollars * DOLLAR)
    chain = family(ChainSettings(isolated_insurance_fund=own))
    common = chain.committed.insurance[None]
    next_block(chain, ETH=3_910)  # below zero, and nobody buys above the bankruptcy price
    seen = blocks(chain, 3)

    attempts = [one for block in seen for one in block.liquidations]

    assert bool(sum(one.filled for one in attempts)) is filled
    assert (chain.committed.insurance[1] < own) is filled
    assert chain.committed.insurance[None] == common
    assert any(block.deleveragings for block in seen) is not filled


def test_ten_positions_are_offset_a_block() -> None:
    chain = Chain(start=START, mids=MIDS, markets=(BTC_USD,))
    for number in range(25):
        one = SubaccountId(owner="dydx1many", number=number)
        chain.endow(one, QuoteQuantums(1_000 * DOLLAR))
        give(chain, one, COIN // 1_000)
    chain.set_status("BTC-USD", MarketStatus.FINAL_SETTLEMENT)

    counts = [len(next_block(chain).deleveragings) for _ in range(4)]

    assert LiquidationConfig().deleveraging_attempts_per_block_max == 10
    assert counts == [10, 10, 5, 0]
