"""What CheckTx says to an order or a cancel: the chain's codes, in the chain's order.

Sources: reference ORDERS.md sections 1.2 (message), 2 (windows, replacement, cancels) and 4.2
(codes). `None` means that nothing speaks against it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor

from seawall.account import MarketStatus, Side
from seawall.simulator import ruler
from seawall.simulator.exchange import Exchange, ReduceOnly
from seawall.simulator.messages import (
    CONDITIONAL,
    FILL_OR_KILL,
    GOOD_TIL_TIME,
    IMMEDIATE_OR_CANCEL,
    LONG_TERM,
    NO_CONDITION,
    POST_ONLY,
    SHORT_TERM,
    STOP_LOSS,
    SUBACCOUNT_NUMBER_MAX,
    TAKE_PROFIT,
    TWAP,
    BatchCancel,
    CancelOrder,
    CheckResult,
    OrderId,
    PlaceOrder,
    SubaccountId,
    short_term_ids,
)
from seawall.simulator.ruler import Verdict
from seawall.simulator.state import MarketState
from seawall.simulator.updates import verdict

STATEFUL_WINDOW_SECONDS = 95 * 24 * 3_600
BATCH_CANCEL_MAX = 100
BUILDER_FEE_MOST_PPM = 10_000
TWAP_INTERVAL = (30, 3_600)  # seconds
TWAP_DURATION = (300, 86_400)
MILLION = 1_000_000
FLAGS = (SHORT_TERM, CONDITIONAL, LONG_TERM, TWAP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """Where the chain stands when an order is judged: the block it would enter, the time before."""

    next_height: int
    time_s: int  # Unix seconds of the last block
    window: int  # good-til-block window, 40 or 20


def clob(code: int, log: str) -> CheckResult:
    """A refusal of the clob module."""
    return CheckResult(code=code, codespace="clob", log=log)


def refuse_order(exchange: Exchange, order: PlaceOrder, now: Now) -> CheckResult | None:
    """Why an order is not taken, judged on the exchange's state; None where it is."""
    return (
        refuse_form(order)
        or _unfit(exchange, order, now)
        or (
            refuse_in_memory(exchange, order)
            if order.order_id.is_short_term
            else _refuse_stateful(exchange, order)
        )
    )


def refuse_cancel(
    exchange: Exchange, cancel: CancelOrder, now: Now, *, is_pending: bool = False
) -> CheckResult | None:
    """Why a cancel is not taken; None where it is."""
    order_id = cancel.order_id
    if exchange.market_of_clob(order_id.clob_pair_id) is None:
        return clob(8, f"clob pair {order_id.clob_pair_id} does not exist")
    if not order_id.is_short_term:
        return _refuse_stateful_cancel(exchange, cancel, now, is_pending=is_pending)
    late = outside_window(cancel.good_til_block, now)
    if late is not None:
        return late
    if exchange.cancels.get(order_id, -1) >= cancel.good_til_block:
        return clob(9, "a cancel with this or a later good-til-block is in place")
    return None


def refuse_batch(batch: BatchCancel, now: Now) -> CheckResult | None:
    """Why a batch cancel is not taken; that nothing was cancelled is no reason (ORDERS.md 2.3)."""
    return refuse_batch_form(batch) or outside_window(batch.good_til_block, now)


def refuse_cancel_form(cancel: CancelOrder) -> CheckResult | None:
    """The stateless checks of a cancel (v4-chain, MsgCancelOrder.ValidateBasic)."""
    if bad := bad_subaccount(cancel.order_id.subaccount):
        return bad
    if bad := _bad_flag(cancel.order_id):
        return bad
    if cancel.order_id.is_short_term:
        return None if cancel.good_til_block else clob(5, "cancel without good-til-block")
    if cancel.good_til_block_time:
        return None
    return clob(3001, "cancel of a stateful order without good-til-block-time")


def refuse_batch_form(batch: BatchCancel) -> CheckResult | None:
    """The stateless checks of a batch cancel (v4-chain, MsgBatchCancel.ValidateBasic)."""
    if bad := bad_subaccount(batch.subaccount):
        return bad
    pairs = [pair for pair, _ in batch.cancels]
    ids = list(short_term_ids(batch))
    is_empty = not all(client_ids for _, client_ids in batch.cancels)
    if not ids or len(ids) > BATCH_CANCEL_MAX or is_empty:
        return clob(45, f"{len(ids)} ids over {len(pairs)} batches: 1 to 100, no batch empty")
    if len(set(pairs)) != len(pairs) or len(set(ids)) != len(ids):
        return clob(45, f"{len(ids)} ids over {len(pairs)} batches: a pair or an id comes twice")
    return None


def refuse_in_memory(exchange: Exchange, order: PlaceOrder) -> CheckResult | None:
    """The memclob's refusals in its order: cancelled, replacement, filled, side, IOC again."""
    order_id = order.order_id
    if exchange.cancels.get(order_id, -1) >= order.good_til_block:
        return clob(7, "order is already cancelled by a cancel with this good-til-block or later")
    resting = exchange.resting(order_id)
    for known in (resting.order if resting else None, exchange.log.matched.get(order_id)):
        if known is not None and (spoiled := _bad_replacement(order, known)):
            return spoiled
    filled = exchange.filled(order_id)
    market = exchange.market_of_clob(order_id.clob_pair_id)
    assert market is not None
    if filled and order.quantums - filled < market.spec.step_base_quantums:
        return clob(24, f"order is fully filled: {filled} of {order.quantums}")
    if order.reduce_only and exchange.rules.reduce_only is ReduceOnly.HONOURED:
        position = exchange.account(order_id.subaccount).quantums(market.spec.perpetual_id)
        assert order.side is not None
        if position * order.side.sign >= 0:
            return clob(2001, f"reduce-only {order.side} would increase position {position}")
    if order.time_in_force == IMMEDIATE_OR_CANCEL and filled:
        return clob(2004, f"immediate-or-cancel order has filled {filled} already")
    return None


def good_til_second(order: PlaceOrder) -> int | None:
    """Unix second after which a stateful order is gone; None for a short-term one."""
    return None if order.order_id.is_short_term else order.good_til_block_time


def refuse_form(order: PlaceOrder) -> CheckResult | None:
    """The stateless checks of the message, in the order made (ORDERS.md 1.2)."""
    order_id = order.order_id
    if order.time_in_force == FILL_OR_KILL:
        return clob(48, "fill-or-kill has been deprecated")
    if bad := bad_subaccount(order_id.subaccount):
        return bad
    if order.time_in_force not in (GOOD_TIL_TIME, IMMEDIATE_OR_CANCEL, POST_ONLY):
        return clob(44, f"time in force {order.time_in_force} is unknown")
    if order.side is None:
        return clob(3, "side is unspecified")
    if order.quantums <= 0:
        return clob(4, "quantums must be above 0")
    if order.router:
        return clob(11000, f"order router {order.router} shares no revenue: nobody is registered")
    return _bad_flags(order) or _bad_terms(order) or _bad_extras(order)


def _bad_flags(order: PlaceOrder) -> CheckResult | None:
    """Good-til fields and the combinations that the order's flags allow."""
    match order.order_id.order_flags:
        case 0:
            if order.good_til_block <= 0:
                return clob(5, "short-term order without good-til-block")
        case 32 | 64 | 128:
            if order.good_til_block_time <= 0:
                return clob(3001, "stateful order without good-til-block-time")
        case _:
            return _bad_flag(order.order_id)
    is_immediate = order.time_in_force == IMMEDIATE_OR_CANCEL
    if order.order_id.order_flags == LONG_TERM and is_immediate:
        return clob(3002, "long-term orders cannot require immediate execution")
    if order.reduce_only and not is_immediate:
        return clob(9003, "reduce-only is allowed with immediate-or-cancel only")
    return None


def _bad_flag(order_id: OrderId) -> CheckResult | None:
    if order_id.order_flags in FLAGS:
        return None
    return clob(3000, f"order flag {order_id.order_flags} is not one of 0, 32, 64, 128")


def _bad_terms(order: PlaceOrder) -> CheckResult | None:
    """Price and condition."""
    if order.subticks <= 0 and order.order_id.order_flags != TWAP:
        return clob(6, "subticks must be above 0")
    is_conditional = order.order_id.order_flags == CONDITIONAL
    if is_conditional and order.condition_type not in (STOP_LOSS, TAKE_PROFIT):
        return clob(6000, "conditional order without condition type")
    if is_conditional and order.trigger_subticks <= 0:
        return clob(6001, "conditional order without trigger")
    if not is_conditional and order.condition_type != NO_CONDITION:
        return clob(6000, "condition on an order that is not conditional")
    if not is_conditional and order.trigger_subticks != 0:
        return clob(6001, "trigger on an order that is not conditional")
    return None


def _bad_extras(order: PlaceOrder) -> CheckResult | None:
    """Builder code, and the schedule of a TWAP order."""
    builder, twap = order.builder, order.twap
    if builder is not None and not 0 < builder.fee_ppm <= BUILDER_FEE_MOST_PPM:
        return clob(50, f"builder fee {builder.fee_ppm} ppm is not within 1 and 10,000")
    if builder is not None and not builder.address:
        return clob(50, "builder code without an address")
    if order.order_id.order_flags != TWAP:
        return None if twap is None else clob(12, "a schedule on an order that is no TWAP order")
    if twap is None:
        return clob(12, "TWAP order without a schedule")
    if not TWAP_INTERVAL[0] <= twap.interval_s <= TWAP_INTERVAL[1]:
        return clob(12, f"interval {twap.interval_s} s is not within 30 and 3,600")
    if not TWAP_DURATION[0] <= twap.duration_s <= TWAP_DURATION[1]:
        return clob(12, f"duration {twap.duration_s} s is not within 300 and 86,400")
    if twap.duration_s % twap.interval_s or twap.tolerance_ppm >= MILLION:
        return clob(12, "duration is a multiple of the interval, and tolerance below 1,000,000 ppm")
    return None


def bad_subaccount(subaccount: SubaccountId) -> CheckResult | None:
    """The refusal of a subaccount number that the chain does not have."""
    if 0 <= subaccount.number <= SUBACCOUNT_NUMBER_MAX:
        return None
    log = f"subaccount number {subaccount.number} is not within 0 and {SUBACCOUNT_NUMBER_MAX}"
    return CheckResult(code=200, codespace="subaccounts", log=log)


def _unfit(exchange: Exchange, order: PlaceOrder, now: Now) -> CheckResult | None:
    """The checks against market and clock."""
    market = exchange.market_of_clob(order.order_id.clob_pair_id)
    if market is None:
        return clob(8, f"clob pair {order.order_id.clob_pair_id} does not exist")
    spec = market.spec
    if order.subticks % spec.subticks_per_tick:
        return clob(12, f"subticks {order.subticks} not a multiple of {spec.subticks_per_tick}")
    if order.quantums % spec.step_base_quantums:
        return clob(12, f"quantums {order.quantums} not a multiple of {spec.step_base_quantums}")
    if refused := refuse_status(order, market):
        return refused
    if order.order_id.order_flags == SHORT_TERM:
        return outside_window(order.good_til_block, now)
    if late := _outside_days(order.good_til_block_time, now):
        return late
    if order.trigger_subticks % spec.subticks_per_tick:
        return clob(12, f"trigger {order.trigger_subticks} is off the tick")
    if order.twap is not None and order.quantums // order.twap.legs < spec.step_base_quantums:
        return clob(12, f"{order.quantums} quantums in {order.twap.legs} legs are below the step")
    return None


def refuse_status(order: PlaceOrder, market: MarketState) -> CheckResult | None:
    """What the market's status says (ORDERS.md 10.4).

    One that is being initialized takes short-term post-only orders on their side of the oracle.
    """
    status = market.spec.status
    if status is MarketStatus.ACTIVE:
        return None
    refused = clob(34, f"{market.spec.ticker} is {status}")
    if status is not MarketStatus.INITIALIZING or not order.order_id.is_short_term:
        return refused
    if order.time_in_force != POST_ONLY:
        return refused
    assert order.side is not None
    beyond = order.subticks - market.price * Fraction(10) ** market.spec.subticks_shift
    return refused if beyond * order.side.sign > 0 else None


def outside_window(good_til_block: int, now: Now) -> CheckResult | None:
    """The refusal of a good-til-block that has passed or lies too far ahead (ORDERS.md 2.1)."""
    if good_til_block < now.next_height:
        return clob(10, f"height {now.next_height} exceeds good-til-block {good_til_block}")
    if good_til_block > now.next_height + now.window:
        return clob(11, f"good-til-block {good_til_block} exceeds {now.next_height} + {now.window}")
    return None


def _outside_days(good_til_block_time: int, now: Now) -> CheckResult | None:
    """The refusal of a good-til-block-time that has passed or lies more than 95 days ahead."""
    if good_til_block_time <= now.time_s:
        return clob(3003, f"good-til-block-time {good_til_block_time} passed {now.time_s}")
    if good_til_block_time > now.time_s + STATEFUL_WINDOW_SECONDS:
        return clob(3004, "good-til-block-time is more than 95 days ahead")
    return None


def _bad_replacement(order: PlaceOrder, known: PlaceOrder) -> CheckResult | None:
    """Why an order may not take the place of the one known under its id (ORDERS.md 2.2).

    That is one that rests, or one that a match of the block in the making has filled.
    """
    is_same_kind = (order.side, order.time_in_force, order.reduce_only) == (
        known.side,
        known.time_in_force,
        known.reduce_only,
    )
    is_later = (order.good_til_block, _digest(order)) > (known.good_til_block, _digest(known))
    if is_same_kind and is_later:
        return None
    return clob(20, "an order with this id rests or was matched and is not replaced by this one")


def _digest(order: PlaceOrder) -> bytes:
    return hashlib.sha256(repr(replace(order, permission=None)).encode()).digest()


def _refuse_stateful(exchange: Exchange, order: PlaceOrder) -> CheckResult | None:
    """What state says against a long-term or conditional order."""
    order_id = order.order_id
    if order_id in exchange.log.cancelled:
        return clob(3008, "the stateful order of this id was cancelled in this block")
    if order_id in exchange.log.removed:
        return clob(3009, "the stateful order of this id was removed in this block")
    if exchange.stateful(order_id) is not None:
        return clob(3005, "a stateful order with this id exists")
    equity = exchange.risk(exchange.settled(order_id.subaccount)).nc
    most = exchange.rules.limits.stateful_most(equity)
    if exchange.stateful_count(order_id.subaccount) >= most:
        return clob(10001, f"{most} stateful orders may be open with net collateral {equity}")
    is_conditional = order_id.order_flags == CONDITIONAL
    return None if is_conditional else refuse_unfunded(exchange, order)


def refuse_unfunded(exchange: Exchange, order: PlaceOrder) -> CheckResult | None:
    """Whether the account may have the whole order filled at its price, with the maker fee.

    Here, and here only, the chain takes a builder's share of the base quantums, not of the quote.
    """
    market = exchange.market_of_clob(order.order_id.clob_pair_id)
    assert market is not None
    assert order.side is not None
    perpetual = market.spec.perpetual_id
    account = exchange.settled(order.order_id.subaccount)
    maker_ppm = exchange.rules.fees.maker_ppm
    price = whole_price(order, market)
    cash = cash_of(market, order.side, order.quantums, price, maker_ppm)
    if order.builder is not None:
        cash -= ruler.fee(order.quantums, order.builder.fee_ppm)
    after = exchange.with_trade(account, perpetual, order.side.sign * order.quantums, cash)
    match verdict(exchange, account, after, (perpetual,)):
        case Verdict.SUCCESS:
            return None
        case Verdict.VIOLATES_ISOLATION:
            return clob(2005, "order would violate isolated subaccount constraints")
        case _:
            return clob(3007, "the account would not hold the margin of this order if it filled")


def whole_price(order: PlaceOrder, market: MarketState) -> int:
    """Subticks of an order; a TWAP order without a price has the oracle's with its tolerance."""
    if order.subticks or order.twap is None:
        return order.subticks
    assert order.side is not None
    tick = market.spec.subticks_per_tick
    tolerance = order.side.sign * order.twap.tolerance_ppm
    fair = market.price * Fraction(10) ** market.spec.subticks_shift
    ticks = fair * (MILLION + tolerance) / MILLION / tick
    return (ceil(ticks) if tolerance >= 0 else floor(ticks)) * tick


def cash_of(market: MarketState, side: Side, quantums: int, subticks: int, fee_ppm: int) -> int:
    """Signed change of USDC of a fill, fee included."""
    quote = ruler.fill_quote(subticks, quantums, market.spec.quantum_conversion_exponent)
    return -side.sign * quote - ruler.fee(quote, fee_ppm)


def _refuse_stateful_cancel(
    exchange: Exchange, cancel: CancelOrder, now: Now, *, is_pending: bool
) -> CheckResult | None:
    """What clock and state say against a stateful order's cancel, which may be a second one."""
    if late := _outside_days(cancel.good_til_block_time, now):
        return late
    if is_pending:
        return clob(32, "a cancel of this stateful order is pending")
    known = exchange.stateful(cancel.order_id)
    if known is None and cancel.order_id in exchange.log.removed:
        return clob(3010, "the stateful order of this id was removed in this block")
    if known is None:
        return clob(3006, "no stateful order with this id exists")
    if cancel.good_til_block_time < known.order.good_til_block_time:
        return clob(29, "the cancel's good-til-block-time is before the order's")
    return None
