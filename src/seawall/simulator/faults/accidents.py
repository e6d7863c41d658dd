"""What happens to an account from outside: liquidation, deleveraging, its owner's other hand."""

from __future__ import annotations

from seawall.account import Side
from seawall.simulator.chain import Chain
from seawall.simulator.events import FillEvent, FillKind, Liquidity
from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.schedule import Fault
from seawall.simulator.messages import (
    IMMEDIATE_OR_CANCEL,
    SHORT_TERM,
    OrderId,
    PlaceOrder,
    SubaccountId,
    Withdraw,
)
from seawall.simulator.ruler import Held, notional
from seawall.simulator.state import Account, MarketState, State
from seawall.units import BaseQuantums, QuoteQuantums, Subticks

BY_HAND = 0xA11CE  # client ids of orders placed by hand begin here
GOOD_FOR_BLOCKS = 5
BAND_PERCENT = 5  # how far from the oracle an order by hand may fill
IN_ORDER = (  # the stage is set before messages queue for the next block
    FaultKind.LIQUIDATION,
    FaultKind.DELEVERAGING,
    FaultKind.SECOND_TRADER,
    FaultKind.WITHDRAWAL_LATE,
)


def befall(chain: Chain, victim: SubaccountId, fault: Fault) -> None:
    """Let an accident happen between two blocks; does nothing where the kind is none.

    An account that holds nothing cannot be liquidated, deleveraged or added to.
    """
    state = chain.committed
    account = state.subaccount(victim.owner, victim.number)
    match fault.kind:
        case FaultKind.LIQUIDATION:
            _sink(chain, account, fault)
        case FaultKind.DELEVERAGING:
            _deleverage(chain, account, fault)
        case FaultKind.SECOND_TRADER:
            _add_by_hand(chain, account, fault)
        case FaultKind.WITHDRAWAL_LATE:
            amount = int(max(state.risk(account).nc, 0) * fault.size)
            if amount > 0:
                chain.check(Withdraw(sender=victim, recipient=victim.owner, quantums=amount))
        case _:
            return


def _sink(chain: Chain, account: Account, fault: Fault) -> None:
    """Take money away, out of the world, so that net collateral is a share of maintenance."""
    risk = chain.committed.risk(account)
    target = int(risk.mmr * fault.size)
    if account.held and risk.nc > target:
        chain.endow(account.id, QuoteQuantums(int(target - risk.nc)))


def _deleverage(chain: Chain, account: Account, fault: Fault) -> None:
    """Close a share of the largest position at the oracle price, without an order of its owner."""
    found = _largest(chain.committed, account)
    if found is None:
        return
    ticker, market, held = found
    step = market.spec.step_base_quantums
    cut = max(int(abs(held.quantums) * fault.size) // step, 1) * step
    sign = 1 if held.quantums > 0 else -1
    cost = notional(market.terms, held.quantums) - notional(
        market.terms, held.quantums - sign * cut
    )
    chain.assign(account.id, ticker, BaseQuantums(-sign * cut))
    event = FillEvent(
        subaccount=account.id,
        ticker=ticker,
        side=Side.SELL if sign > 0 else Side.BUY,
        quantums=BaseQuantums(cut),
        subticks=_oracle_subticks(market),
        quote=QuoteQuantums(int(abs(cost))),
        fee=QuoteQuantums(0),
        liquidity=Liquidity.TAKER,
        kind=FillKind.DELEVERAGED,
        order_id=None,
        client_metadata=0,
        position_before=BaseQuantums(held.quantums),
    )
    chain.history.fills.append((chain.height, event))


def _add_by_hand(chain: Chain, account: Account, fault: Fault) -> None:
    """An order of the owner that adds to the largest position; it runs in the next block."""
    found = _largest(chain.committed, account)
    if found is None:
        return
    _, market, held = found
    spec = market.spec
    step, tick = spec.step_base_quantums, spec.subticks_per_tick
    side = Side.BUY if held.quantums > 0 else Side.SELL
    bound = _oracle_subticks(market) * (100 + side.sign * BAND_PERCENT) // 100
    order = PlaceOrder(
        order_id=OrderId(
            subaccount=account.id,
            client_id=BY_HAND + chain.height,
            order_flags=SHORT_TERM,
            clob_pair_id=spec.clob_pair_id,
        ),
        side=side,
        quantums=max(int(abs(held.quantums) * fault.size) // step, 1) * step,
        subticks=max(bound // tick, 1) * tick,
        good_til_block=chain.height + GOOD_FOR_BLOCKS,
        time_in_force=IMMEDIATE_OR_CANCEL,
    )
    chain.check(order)


def _largest(state: State, account: Account) -> tuple[str, MarketState, Held] | None:
    """The position with the largest notional; None where the account is flat."""
    tickers = {m.spec.perpetual_id: t for t, m in state.markets.items()}
    found = [
        (abs(notional(state.terms[one.perpetual_id], one.quantums)), one) for one in account.held
    ]
    if not found:
        return None
    held = max(found, key=lambda pair: pair[0])[1]
    ticker = tickers[held.perpetual_id]
    return ticker, state.markets[ticker], held


def _oracle_subticks(market: MarketState) -> Subticks:
    """The oracle price as an order price, rounded down to a tick, at least one."""
    shift = market.spec.subticks_shift
    price = market.price * 10**shift if shift >= 0 else market.price // 10**-shift
    tick = market.spec.subticks_per_tick
    return Subticks(max(price // tick, 1) * tick)
