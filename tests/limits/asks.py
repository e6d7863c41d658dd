"""Observations, policies and actions for the gate: each right in everything that is not said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from seawall.account import Market, Observation, RestingOrder, Side
from seawall.action import (
    Action,
    Cancel,
    Reduce,
    RefusalCode,
    TopUp,
    client_id,
    good_til_block,
    window_of,
)
from seawall.budget import Spent
from seawall.limits import Asked, Standing, judge
from seawall.measures.spec import Per
from seawall.policy import (
    Bound,
    FloatSource,
    Level,
    MeasureRef,
    Operator,
    Policy,
    ReduceUntil,
    Rule,
    Scope,
)
from seawall.units import PPM_ONE, BaseQuantums, Ppm, QuoteQuantums, Subticks
from tests.see import BTC, CHAIN_ID, HEIGHT, MARKETS, OWNER, quantums, quote, see, subticks

BUYS, SELLS = Side.BUY, Side.SELL
SLIPPAGE = Ppm(10_000)  # with a band of 3%, the gate allows 2 x 1% + 3% = 5% from the oracle

POLICY = Policy(
    rules=(
        Rule(
            id="leverage",
            why="Sizes of one test.",
            measure=MeasureRef(name="leverage"),
            scope=Scope(per=Per.SUBACCOUNT),
            levels=(
                Level(
                    name="act",
                    trigger=Bound(operator=Operator.ABOVE, value=Decimal(3)),
                    do=(ReduceUntil(max_slippage=SLIPPAGE),),
                ),
            ),
        ),
    ),
    float_source=FloatSource(address="dydx1float"),
)
RICH = Spent(hour_gross=quote(10_000_000), day_equity=quote(10_000_000))
FRESH = Standing(spent=RICH)
ALL = BaseQuantums(2**63)  # free of budgets: more than any order


def seen() -> Observation:
    """A long 0.5 BTC and a short 2 ETH in the parent, a short 30 SOL in a child, and a float."""
    return see(
        equity=23_000,
        positions={"BTC-USD": ("0.5", 100_000), "ETH-USD": ("-2", 4_000)},
        children={128: (2_000, {"SOL-USD": ("-30", 200)})},
        float=6_000,
        height=HEIGHT - HEIGHT % 6,
    )


def reduce(
    on: Observation,
    size: str = "0.1",
    *,
    market: Market = BTC,
    side: Side = SELLS,
    price: str = "99000",
    subaccount: int = 0,
) -> Reduce:
    """A reduction of this window."""
    window = window_of(on.height)
    return Reduce(
        subaccount=subaccount,
        ticker=market.ticker,
        clob_pair_id=market.clob_pair_id,
        side=side,
        quantums=quantums(market, size),
        subticks=subticks(market, price),
        window=window,
        good_til_block=good_til_block(window),
        client_id=client_id(CHAIN_ID, OWNER, subaccount, market.clob_pair_id, window),
    )


def top_up(on: Observation, dollars: int = 1_000, *, subaccount: int = 0) -> TopUp:
    """A deposit from the float wallet of this state."""
    wallet = on.float_wallet
    assert wallet is not None
    return TopUp(
        subaccount=subaccount,
        amount=QuoteQuantums(dollars * PPM_ONE),
        sequence=wallet.sequence,
        account_number=wallet.account_number,
        timeout_height=on.height + 20,
    )


def cancel_of(order: RestingOrder) -> Cancel:
    """The cancel of a resting order."""
    return Cancel(
        subaccount=order.subaccount,
        ticker=order.ticker,
        clob_pair_id=MARKETS[order.ticker].clob_pair_id,
        client_id=order.client_id,
        order_flags=order.order_flags,
        good_til_block=order.good_til_block,
        good_til_block_time=order.good_til_block_time,
    )


def with_orders(on: Observation, *orders: RestingOrder) -> Observation:
    """The observation with these orders resting."""
    return replace(on, advice=replace(on.advice, orders=orders))


def verdicts(
    on: Observation,
    *actions: Action,
    standing: Standing = FRESH,
    policy: Policy = POLICY,
    free: int = 0,
    cost: int = 0,
) -> tuple[tuple[Action, ...], tuple[RefusalCode, ...]]:
    """What passes, and the codes of what does not."""
    asked = [
        Asked(action=one, free=BaseQuantums(free), cost=QuoteQuantums(cost)) for one in actions
    ]
    passed, refused = judge(asked, on, policy, standing)
    assert len(passed) + len(refused) == len(actions)
    assert all(one.action in actions for one in refused)
    return passed, tuple(one.code for one in refused)


def sizes(on: Observation) -> Mapping[tuple[int, str], int]:
    """Signed base quantums of every position."""
    return {(s.number, p.ticker): int(p.quantums) for s in on.subaccounts for p in s.positions}


def filled(on: Observation, actions: tuple[Action, ...]) -> Mapping[tuple[int, str], int]:
    """Sizes once every reduction has filled whole, on a venue that ignores reduce-only."""
    left = dict(sizes(on))
    for one in actions:
        if isinstance(one, Reduce):
            slot = (one.subaccount, one.ticker)
            left[slot] = left.get(slot, 0) + one.side.sign * one.quantums
    return left


def resized(action: Reduce, size: int) -> Reduce:
    """The reduction with another size in base quantums."""
    return replace(action, quantums=BaseQuantums(size))


def repriced(action: Reduce, price: int) -> Reduce:
    """The reduction with another worst price in subticks."""
    return replace(action, subticks=Subticks(price))
