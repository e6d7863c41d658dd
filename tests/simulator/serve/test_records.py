"""What the indexer remembers of positions: entry, exit, sums, realised profit, funding."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall.account import Side
from seawall.simulator.messages import IMMEDIATE_OR_CANCEL, OrderId, PlaceOrder, SubaccountId
from seawall.simulator.play import Player
from seawall.simulator.prices import Line, Path, Point
from seawall.simulator.serve.indexer import Indexer, News, Seen
from seawall.simulator.serve.node import Node
from seawall.simulator.serve.positions import PositionRecord
from seawall.simulator.setup import chain_on, fund
from seawall.units import HOUR, Millis
from tests.simulator.serve.running import START, flat_path

OWNER = SubaccountId(owner="dydx1trader", number=0)
STEP = 1_000_000  # 0.0001 BTC


class Stand:
    """A chain with one rich trader in BTC."""

    def __init__(self, path: Path | None = None) -> None:
        played = path or flat_path({"BTC-USD": 100_000.0})
        self.chain = chain_on(played)
        fund(self.chain, OWNER.owner, OWNER.number, Decimal(1_000_000))
        self.node = Node(Player(self.chain, played))
        self.indexer = Indexer(self.node.newest)
        self._ids = 0

    def trade(self, side: Side, steps: int) -> News:
        """One immediate order and the block that holds it."""
        self._ids += 1
        order = PlaceOrder(
            order_id=OrderId(subaccount=OWNER, client_id=self._ids, order_flags=0, clob_pair_id=0),
            side=side,
            quantums=steps * STEP,
            subticks=20_000_000_000 if side is Side.BUY else 100_000,
            good_til_block=self.chain.height + 5,
            time_in_force=IMMEDIATE_OR_CANCEL,
        )
        assert self.chain.check(order).is_accepted
        return self.block()

    def block(self) -> News:
        sealed = self.node.step()
        assert sealed is not None
        return self.indexer.take(Seen(sealed=sealed))

    def position(self) -> PositionRecord | None:
        return self.indexer.records.position(OWNER, "BTC-USD")


def average(news: News) -> Decimal:
    """What a block's fills paid per coin."""
    fills = [fill.event for fill in news.noted.by_subaccount[OWNER].fills]
    return (
        Decimal(sum(f.subticks * f.quantums for f in fills))
        / sum(f.quantums for f in fills)
        / 100_000
    )


def test_entry_is_the_average_of_what_was_opened() -> None:
    stand = Stand()

    first = average(stand.trade(Side.BUY, 1_000))
    second = average(stand.trade(Side.BUY, 3_000))

    position = stand.position()
    assert position is not None
    assert (position.side, position.size) == ("LONG", Decimal("0.4"))
    assert position.sum_open == position.max_size == Decimal("0.4")
    assert position.entry_price == pytest.approx((first + 3 * second) / 4, abs=Decimal("1e-15"))


def test_closing_a_part_realises_its_share_and_keeps_the_entry() -> None:
    stand = Stand()
    stand.trade(Side.SELL, 2_000)
    before = stand.position()
    assert before is not None

    bought = average(stand.trade(Side.BUY, 500))

    after = stand.position()
    assert after is not None
    assert (after.side, after.size, after.max_size) == ("SHORT", Decimal("-0.15"), Decimal("-0.2"))
    assert after.entry_price == before.entry_price
    assert (after.sum_close, after.exit_price) == (Decimal("0.05"), bought)
    assert after.realized == (before.entry_price - bought) * Decimal("0.05")


def test_a_close_is_told_once_and_then_forgotten() -> None:
    stand = Stand()
    stand.trade(Side.BUY, 1_000)

    news = stand.trade(Side.SELL, 1_000)

    told = list(news.noted.by_subaccount[OWNER].positions.values())
    assert [(one.size, one.closed_at) for one in told] == [(Decimal(0), stand.chain.time)]
    assert stand.position() is None
    assert not stand.block().noted.by_subaccount


def test_a_flip_closes_one_position_and_opens_another() -> None:
    stand = Stand()
    stand.trade(Side.BUY, 1_000)

    news = stand.trade(Side.SELL, 3_000)

    told = news.noted.by_subaccount[OWNER].positions.values()
    assert sorted((one.side, one.size) for one in told) == [
        ("LONG", Decimal(0)),
        ("SHORT", Decimal("-0.2")),
    ]
    position = stand.position()
    assert position is not None
    assert (position.sum_open, position.sum_close) == (Decimal("0.2"), Decimal(0))


def test_records_agree_with_the_chain_whatever_is_traded() -> None:
    stand = Stand()

    for side, steps in ((Side.BUY, 7), (Side.SELL, 20), (Side.BUY, 13), (Side.BUY, 1)):
        stand.trade(side, steps)
        held = stand.chain.committed.subaccount(OWNER.owner, 0).quantums(0)
        position = stand.position()
        assert (position.size if position else 0) == Decimal(held).scaleb(-10)


def test_funding_counts_once_the_chain_settled_it() -> None:
    start = Millis(START // HOUR * HOUR + HOUR - 5_000)  # five blocks before the hour
    path = Path(
        {"BTC-USD": Line([Point(start, 100_000.0)])}, start=start, end=Millis(start + 60_000)
    )
    stand = Stand(path)
    stand.chain.set_hourly_rate("BTC-USD", Decimal("0.0001"))
    stand.trade(Side.BUY, 10_000)  # 1 BTC
    while not stand.block().block.funding:
        pass
    unsettled = stand.position()
    stand.trade(Side.BUY, 1)

    settled = stand.position()

    assert unsettled is not None
    assert settled is not None
    assert unsettled.net_funding == 0
    assert settled.net_funding == Decimal(-10)  # 0.01% of $100,000, paid by the long
    assert [(f.rate, f.price) for f in stand.indexer.records.funding["BTC-USD"]] == [
        (Decimal("0.0001"), Decimal(100_000))
    ]
