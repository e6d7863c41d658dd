"""Hourly ticks of an account: what it is worth, and what was paid into it."""

from __future__ import annotations

from decimal import Decimal

from seawall.simulator.messages import SubaccountId, Withdraw
from seawall.simulator.play import Player
from seawall.simulator.prices import Line, Path, Point
from seawall.simulator.serve.indexer import Indexer, Seen
from seawall.simulator.serve.node import Node
from seawall.simulator.setup import chain_on, fund
from seawall.units import HOUR, SECOND, BaseQuantums, Millis
from tests.simulator.serve.running import START

OWNER = SubaccountId(owner="dydx1trader", number=0)
COIN = 10_000_000_000


def test_profit_is_what_the_account_gained_beyond_what_was_paid_in() -> None:
    start = Millis(START // HOUR * HOUR + HOUR - 3_000)  # three blocks before the hour
    rises = Line([Point(start, 100_000.0), Point(Millis(start + 1_000), 101_000.0)])
    path = Path({"BTC-USD": rises}, start=start, end=Millis(start + 60_000))
    chain = chain_on(path)
    fund(chain, OWNER.owner, OWNER.number, Decimal(50_000))
    chain.assign(OWNER, "BTC-USD", BaseQuantums(COIN))
    node = Node(Player(chain, path))
    indexer = Indexer(node.newest)

    assert chain.check(
        Withdraw(sender=OWNER, recipient=OWNER.owner, quantums=7_000_000_000)
    ).is_accepted
    while chain.time // HOUR == start // HOUR:
        sealed = node.step()
        assert sealed is not None
        indexer.take(Seen(sealed=sealed))

    after, before = indexer.chronicle.profits.ticks_of([OWNER])
    assert (before.equity, before.net_transfers) == (Decimal(50_000), Decimal(50_000))
    assert (after.equity, after.net_transfers) == (
        Decimal(44_000),
        Decimal(43_000),
    )  # a coin gained $1,000
    assert after.at - before.at == 3 * SECOND
