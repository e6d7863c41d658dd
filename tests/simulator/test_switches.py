"""Switches: each makes the chain other than it is today, in the one thing that it names."""

from __future__ import annotations

import pytest

from seawall.account import Side
from seawall.simulator.chain import Chain, ChainSettings
from seawall.simulator.messages import Deposit, Withdraw
from seawall.simulator.switches import Switch, settings_of
from tests.simulator.stage import ALICE, COIN, chain_of, give, next_block, order, position

WALLET = "dydx1float"


def switched(*switches: Switch) -> Chain:
    return chain_of(settings=settings_of(switches))


@pytest.mark.parametrize(("switches", "window"), [((), 40), ((Switch.WINDOW_20,), 20)])
def test_good_til_blocks_reach_as_far_as_the_window(
    switches: tuple[Switch, ...], window: int
) -> None:
    chain = switched(*switches)
    next_height = chain.height + 1

    codes = [
        chain.check(order(client_id=n, good_til_block=next_height + n)).code
        for n in (window, window + 1)
    ]

    assert codes == [0, 11]


@pytest.mark.parametrize(
    ("switches", "deposit", "withdrawal"),
    [
        ((), 102, 102),
        ((Switch.GATE_SPARES_DEPOSITS,), 0, 102),
        ((Switch.GATE_OFF,), 0, 0),
    ],
)
def test_the_gate_refuses_what_it_is_switched_to(
    switches: tuple[Switch, ...], deposit: int, withdrawal: int
) -> None:
    chain = switched(*switches)
    chain.credit(WALLET, chain.committed.subaccount(ALICE.owner, 0).usdc)
    chain.record_outage()

    chain.check(Deposit(sender=WALLET, recipient=ALICE, quantums=1))
    chain.check(Withdraw(sender=ALICE, recipient=WALLET, quantums=1))

    assert [result.code for result in next_block(chain).results] == [deposit, withdrawal]


@pytest.mark.parametrize("ignored", [False, True])
def test_reduce_only_may_be_left_to_a_proposer_who_ignores_it(*, ignored: bool) -> None:
    chain = switched(*[Switch.REDUCE_ONLY_IGNORED] * ignored)
    give(chain, ALICE, COIN // 100)

    chain.check(order(Side.SELL, COIN // 10, 90_000, reduce_only=True))
    next_block(chain)

    assert (position(chain, ALICE) < 0) is ignored


def test_without_a_switch_the_chain_is_todays() -> None:
    assert settings_of(()) == ChainSettings()
