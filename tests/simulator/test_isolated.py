"""Isolated markets: an isolated position stands alone, in whichever subaccount."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.account import MarketType, Side
from seawall.simulator import pools
from seawall.simulator.chain import Chain
from seawall.simulator.markets import BTC_USD, ETH_USD
from seawall.simulator.messages import SubaccountId, Transfer
from seawall.simulator.ruler import Held
from tests.simulator.stage import ALICE, MIDS, START, STEP, chain_of, next_block, order, position

CHILD = SubaccountId(owner=ALICE.owner, number=128)
ALONE = frozenset({3, 4})


def isolated_chain() -> Chain:
    alone = replace(ETH_USD, market_type=MarketType.ISOLATED)
    chain = Chain(start=START, mids=MIDS, markets=(BTC_USD, alone))
    chain.endow(ALICE, chain_of().committed.subaccount(ALICE.owner, 0).usdc)
    return chain


def test_an_isolated_position_takes_no_other_beside_it() -> None:
    chain = isolated_chain()
    eth = order(Side.BUY, STEP * 10, 4_400 * 10, clob_pair_id=1)
    btc = order(Side.BUY, STEP, 110_000, client_id=2)

    assert chain.check(eth).code == 0
    next_block(chain)
    assert position(chain, ALICE, 1) > 0
    assert chain.check(btc).code == 2005
    close = replace(order(Side.SELL, STEP * 10, 1, clob_pair_id=1, client_id=3), reduce_only=True)
    assert chain.check(close).code == 0
    next_block(chain)
    assert chain.check(replace(btc, order_id=replace(btc.order_id, client_id=4))).code == 0


def test_a_child_is_funded_by_a_transfer_and_trades_alone() -> None:
    chain = isolated_chain()
    chain.check(Transfer(sender=ALICE, recipient=CHILD, amount=10**9))
    next_block(chain)

    chain.check(order(Side.BUY, STEP, 110_000))
    chain.check(order(Side.BUY, STEP * 10, 4_400 * 10, clob_pair_id=1, who=CHILD))
    next_block(chain)

    assert position(chain, ALICE) == STEP
    assert position(chain, CHILD, 1) == STEP * 10


@pytest.mark.parametrize(
    ("held", "touched", "refused"),
    [
        ((), (0,), False),
        ((), (3,), False),
        ((), (3, 0), True),
        ((0,), (3,), True),
        ((0, 1), (1,), False),
        ((3,), (3,), False),
        ((3,), (0,), True),
        ((3,), (4,), True),
        ((3,), (), False),
    ],
)
def test_what_may_be_held_together(
    held: tuple[int, ...], touched: tuple[int, ...], *, refused: bool
) -> None:
    positions = [Held(perpetual, 1, 0) for perpetual in held]

    assert pools.violates(positions, ALONE, touched) is refused
