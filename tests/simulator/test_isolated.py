"""Isolated markets: an isolated position stands alone, in whichever subaccount."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from seawall.account import PARENTS, MarketType, Side
from seawall.errors import OperatorError
from seawall.simulator import pools
from seawall.simulator.chain import Chain, ChainSettings
from seawall.simulator.markets import BTC_USD, ETH_USD
from seawall.simulator.messages import SubaccountId, Transfer
from seawall.simulator.play import NEVER
from seawall.simulator.ruler import Held
from seawall.simulator.script import load_script
from seawall.simulator.serve.launch import Cast, produce
from tests.simulator.stage import ALICE, MIDS, START, STEP, chain_of, next_block, order, position

SCENARIOS = Path(__file__).resolve().parents[2] / "config" / "scenarios"
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


def test_a_rich_parent_does_not_save_its_child() -> None:
    script = load_script(SCENARIOS / "lone-child.yaml")
    path = script.path()
    production = produce(
        path,
        Cast(accounts=1, equity=Decimal(30_000), leverage=Decimal(6)),
        settings=ChainSettings(isolated=script.isolated),
    )
    chain, owner = production.player.chain, production.traders[0].address
    parent, child = (chain.committed.subaccount(owner, number) for number in (0, PARENTS))
    assert [one.perpetual_id for one in child.held] == [5]
    assert chain.committed.risk(child).nc == pytest.approx(10_000 * 10**6, abs=10**6)

    while production.player.step(NEVER) is not None:
        pass

    closed = {fill.subaccount for _, fill in chain.history.fills}
    left = chain.committed.subaccount(owner, PARENTS)
    assert closed == {child.id}
    assert abs(left.quantums(5)) < abs(child.quantums(5))
    assert chain.committed.subaccount(owner, 0).held == parent.held


def test_what_is_not_played_cannot_be_isolated() -> None:
    path = load_script(SCENARIOS / "lone-child.yaml").path()

    with pytest.raises(OperatorError, match="isolated DOGE-USD: no such market is played"):
        produce(path, Cast(), settings=ChainSettings(isolated=frozenset({"DOGE-USD"})))


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
