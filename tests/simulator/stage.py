"""Builders for tests of the simulated venue: a small chain, orders, and blocks at fixed prices."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from seawall.account import Side
from seawall.simulator import messages, setup
from seawall.simulator.chain import Chain, ChainSettings
from seawall.simulator.events import Block
from seawall.simulator.messages import CancelOrder, OrderId, PlaceOrder, SubaccountId
from seawall.units import SECOND, BaseQuantums, Millis

START = Millis(1_700_000_000_000)
MIDS = {"BTC-USD": Decimal(100_000), "ETH-USD": Decimal(4_000), "SOL-USD": Decimal(200)}
ALICE = SubaccountId(owner="dydx1alice", number=0)
BOB = SubaccountId(owner="dydx1bob", number=0)

COIN = 10**10  # base quantums of a BTC
STEP = 10**6  # 0.0001 BTC
TICK = 100_000  # $1 of BTC
DOLLAR = 10**6  # quote quantums


def chain_of(
    dollars: Mapping[SubaccountId, int] | None = None,
    settings: ChainSettings | None = None,
    mids: Mapping[str, Decimal] = MIDS,
) -> Chain:
    """A chain at START with the given deposits (100,000 for Alice and Bob by default)."""
    chain = Chain(start=START, mids=mids, settings=settings)
    given = {ALICE: 100_000, BOB: 100_000} if dollars is None else dollars
    for subaccount, amount in given.items():
        setup.fund(chain, subaccount.owner, subaccount.number, Decimal(amount))
    return chain


def order(
    side: Side = Side.SELL,
    quantums: int = COIN // 10,
    dollars: int = 99_000,
    *,
    who: SubaccountId = ALICE,
    client_id: int = 1,
    flags: int = messages.SHORT_TERM,
    good_til_block: int = 10,
    good_til_block_time: int = 0,
    time_in_force: int = messages.IMMEDIATE_OR_CANCEL,
    reduce_only: bool = False,
    clob_pair_id: int = 0,
) -> PlaceOrder:
    """A BTC order, immediate-or-cancel unless said otherwise."""
    is_short_term = flags == messages.SHORT_TERM
    return PlaceOrder(
        order_id=OrderId(
            subaccount=who, client_id=client_id, order_flags=flags, clob_pair_id=clob_pair_id
        ),
        side=side,
        quantums=quantums,
        subticks=dollars * TICK,
        good_til_block=good_til_block if is_short_term else 0,
        good_til_block_time=good_til_block_time,
        time_in_force=time_in_force,
        reduce_only=reduce_only,
    )


def limit(
    side: Side,
    quantums: int,
    dollars: int,
    *,
    who: SubaccountId = ALICE,
    client_id: int = 1,
    good_til_block: int = 30,
) -> PlaceOrder:
    """A short-term BTC limit order that rests."""
    return order(
        side,
        quantums,
        dollars,
        who=who,
        client_id=client_id,
        good_til_block=good_til_block,
        time_in_force=messages.GOOD_TIL_TIME,
    )


def cancel_of(placed: PlaceOrder, good_til_block: int = 30) -> CancelOrder:
    """A cancel of an order, short-term by block and stateful by the order's own time."""
    is_short_term = placed.order_id.is_short_term
    return CancelOrder(
        order_id=placed.order_id,
        good_til_block=good_til_block if is_short_term else 0,
        good_til_block_time=placed.good_til_block_time,
    )


def next_block(chain: Chain, seconds: int = 1, **dollars: Decimal | int) -> Block:
    """One block `seconds` later; keywords BTC, ETH, SOL move mids."""
    mids = {f"{coin}-USD": Decimal(price) for coin, price in dollars.items()}
    return chain.advance(Millis(chain.time + seconds * SECOND), mids)


def blocks(chain: Chain, count: int) -> list[Block]:
    """Some blocks with prices at rest."""
    return [next_block(chain) for _ in range(count)]


def give(chain: Chain, who: SubaccountId, quantums: int, ticker: str = "BTC-USD") -> None:
    """A position out of nothing, at the oracle price."""
    chain.assign(who, ticker, BaseQuantums(quantums))


def position(chain: Chain, who: SubaccountId, perpetual_id: int = 0) -> int:
    """Committed size of a position."""
    return chain.committed.subaccount(who.owner, who.number).quantums(perpetual_id)


def usdc(chain: Chain, who: SubaccountId) -> int:
    """Committed USDC, unsettled."""
    return chain.committed.subaccount(who.owner, who.number).usdc
