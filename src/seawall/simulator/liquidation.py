"""Liquidation and deleveraging, as the chain does them (MARGIN.md section 4).

An account that a committed price made liquidatable at height h is tried in block h + 2, re-checked
on the state before that block, after the orders that triggered and before users' short-term ones.
It gets one attempt per block at one of its positions, limited in size, matched at makers' prices no
worse than the fillable price; what the account keeps beyond its bankruptcy price goes to the
insurance fund up to the fee, and a shortfall is paid by it; an isolated market has a fund of its
own. After all attempts, accounts below zero whose attempt filled nothing are offset
(`deleveraging`), so many a block. Sources: MARGIN.md section 4; v4-chain, x/clob/keeper
LiquidateSubaccountsAgainstOrderbook.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from seawall.account import MarketStatus, Side
from seawall.simulator import deleveraging, ruler
from seawall.simulator.book import Maker
from seawall.simulator.deleveraging import Position
from seawall.simulator.events import (
    FillEvent,
    FillKind,
    LiquidationEvent,
    Liquidity,
    Reason,
)
from seawall.simulator.exchange import Exchange
from seawall.simulator.markets import LiquidationConfig
from seawall.simulator.matching import (
    Match,
    Outcome,
    crosses,
    drops,
    match,
    opposite,
    remove,
)
from seawall.simulator.messages import SubaccountId
from seawall.simulator.state import MarketState
from seawall.units import BaseQuantums, QuoteQuantums, Subticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One liquidation order: what one attempt may close, and at what price at worst."""

    subaccount: SubaccountId
    market: MarketState
    side: Side
    position: int
    quantums: int
    limit: int  # fillable subticks
    fillable: Fraction  # quote quantums per base quantum

    @property
    def rank(self) -> tuple[Fraction, int, str]:
        """Sort key: furthest from the oracle first, then largest, then a fixed order."""
        terms = self.market.terms
        oracle = Fraction(terms.worth, terms.unworth)
        size = abs(ruler.notional(terms, self.quantums))
        return -abs(self.fillable - oracle) / oracle, -size, repr(self.subaccount)


@dataclass(slots=True)
class Spent:
    """What liquidations of one subaccount have used of its limits in this block."""

    notional: int = 0
    insurance_lost: int = 0

    def notional_left(self, limits: LiquidationConfig) -> int:
        """Notional that may still be liquidated, in quote quantums."""
        return limits.subaccount_max_notional - self.notional

    def insurance_left(self, limits: LiquidationConfig) -> int:
        """What the insurance fund may still lose on this subaccount, in quote quantums."""
        return limits.subaccount_max_insurance_lost - self.insurance_lost


def marked(exchange: Exchange) -> tuple[SubaccountId, ...]:
    """Accounts that the daemon would list on the committed state: liquidatable or below zero."""
    found = []
    for key, account in exchange.accounts.items():
        if not account.held:
            continue
        nc, mmr = ruler.health(account.usdc, account.held, exchange.terms)
        if mmr > nc and (mmr > 0 or nc < 0):
            found.append(key)
    return tuple(found)


def liquidate(
    exchange: Exchange, candidates: Sequence[SubaccountId], seed: int
) -> frozenset[int | None]:
    """Try candidates that still are liquidatable, then offset what no maker takes.

    The answer is the pools in which one of them was left below zero. `seed` is the Unix time of
    the block before: it rotates who is tried, and which position.
    """
    limits = exchange.rules.liquidation
    start = seed % len(candidates) if candidates else 0
    turned = [*candidates[start:], *candidates[:start]][: limits.attempts_per_block_max]
    firsts = [one for one in (next_order(exchange, who, seed) for who in turned) if one is not None]
    unfilled: list[Position] = []
    for first in sorted(firsts, key=lambda order: order.rank):
        order = next_order(exchange, first.subaccount, seed)  # others may have changed it
        if order is not None and attempt(exchange, order, Spent()) == 0:
            unfilled.append((order.subaccount, order.market.spec.perpetual_id))
    unfilled += [one for one in deleveraging.final_positions(exchange) if one not in unfilled]
    for subaccount, perpetual in unfilled[: limits.deleveraging_attempts_per_block_max]:
        deleveraging.try_offset(exchange, subaccount, perpetual, seed)
    left = (exchange.settled(one) for one in candidates)
    return frozenset(exchange.pool_of(one.id) for one in left if exchange.risk(one).nc < 0)


def next_order(exchange: Exchange, subaccount: SubaccountId, seed: int) -> Order | None:
    """The order that liquidates one position of a subaccount; None where it is healthy."""
    account = exchange.settled(subaccount)
    risk = exchange.risk(account)
    limits = exchange.rules.liquidation
    if not risk.is_liquidatable:
        return None
    held = account.held[seed % len(account.held)]
    market = exchange.market_of_perpetual(held.perpetual_id)
    terms = market.terms
    is_long = held.quantums > 0
    fillable = ruler.fillable_price(risk, terms, held.quantums, limits)
    return Order(
        subaccount=subaccount,
        market=market,
        side=Side.SELL if is_long else Side.BUY,
        position=held.quantums,
        quantums=ruler.liquidation_size(
            terms, held.quantums, market.spec.step_base_quantums, limits, 0
        ),
        limit=ruler.subticks_on_tick(
            fillable,
            market.spec.quantum_conversion_exponent,
            market.spec.subticks_per_tick,
            is_long=is_long,
        ),
        fillable=fillable,
    )


def attempt(exchange: Exchange, order: Order, spent: Spent) -> int:
    """Match one liquidation order against the book; what filled, in base quantums.

    Nothing fills where the market is not ACTIVE; final settlement then closes it at the oracle.
    """
    if order.market.spec.status is not MarketStatus.ACTIVE:
        return 0
    left = order.quantums
    quote_sum = to_insurance = 0
    for maker in exchange.books[order.market.spec.ticker].shape.makers(opposite(order.side)):
        if left == 0 or not crosses(order.side, order.limit, maker.subticks):
            break
        resting = maker.order
        if resting is not None and drops(exchange, resting, order.subaccount):
            continue
        size = min(left, maker.quantums)
        fill = _fill(exchange, order, maker, size, spent)
        if fill is None:
            break
        if isinstance(fill, Outcome):
            assert resting is not None
            remove(exchange, resting.order.order_id, Reason.UNDERCOLLATERALIZED)
            continue
        quote, insured = fill
        left -= size
        quote_sum += quote
        to_insurance += insured
    filled = order.quantums - left
    exchange.log.liquidations.append(
        LiquidationEvent(
            subaccount=order.subaccount,
            ticker=order.market.spec.ticker,
            side=order.side,
            asked=BaseQuantums(order.quantums),
            filled=BaseQuantums(filled),
            quote=QuoteQuantums(quote_sum),
            fillable_subticks=Subticks(order.limit),
            to_insurance=QuoteQuantums(to_insurance),
        )
    )
    return filled


def _fill(
    exchange: Exchange, order: Order, maker: Maker, size: int, spent: Spent
) -> tuple[int, int] | Outcome | None:
    """One liquidation fill: quote exchanged and what went to insurance.

    None where fund, limits or the margin rule of the account stop the order; MAKER_FAILS where
    only this maker is at fault.
    """
    spec = order.market.spec
    market = exchange.markets[spec.ticker]
    quote = ruler.fill_quote(maker.subticks, size, spec.quantum_conversion_exponent)
    before = exchange.settled(order.subaccount)
    signed_quote, delta = -order.side.sign * quote, order.side.sign * size
    position = before.quantums(spec.perpetual_id)
    bankruptcy = ruler.bankruptcy_quote(exchange.risk(before), market.terms, position, delta)
    limits = exchange.rules.liquidation
    insured = ruler.insurance_delta(signed_quote, bankruptcy, limits.max_fee_ppm)
    lost = max(-insured, 0)
    is_within_limit = lost <= spent.insurance_left(limits)
    fund = exchange.fund_of(spec.perpetual_id)
    if not ruler.covers(exchange.insurance.get(fund, 0), insured) or not is_within_limit:
        return None
    after = exchange.with_trade(before, spec.perpetual_id, delta, signed_quote - insured)
    proposed = Match(
        market=market,
        side=order.side,
        before=before,
        after=after,
        maker=maker,
        quantums=size,
        quote=quote,
        maker_fee_floor=0,
        maker_kind=FillKind.LIQUIDATION,
    )
    outcome = match(exchange, proposed)
    if outcome is not Outcome.MATCHED:
        return None if outcome is Outcome.TAKER_FAILS else Outcome.MAKER_FAILS
    exchange.insurance[fund] = exchange.insurance.get(fund, 0) + insured
    spent.insurance_lost += lost
    spent.notional += abs(ruler.notional(market.terms, delta))
    done = Fill(
        subticks=maker.subticks,
        quantums=size,
        quote=quote,
        fee=insured,
        position_before=position,
        kind=FillKind.LIQUIDATED,
    )
    _log_fill(exchange, order, done)
    return quote, insured


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One fill of a liquidation, as the account sees it."""

    subticks: int
    quantums: int
    quote: int
    fee: int
    position_before: int
    kind: FillKind


def _log_fill(exchange: Exchange, order: Order, fill: Fill) -> None:
    exchange.log.fills.append(
        FillEvent(
            subaccount=order.subaccount,
            ticker=order.market.spec.ticker,
            side=order.side,
            quantums=BaseQuantums(fill.quantums),
            subticks=Subticks(fill.subticks),
            quote=QuoteQuantums(fill.quote),
            fee=QuoteQuantums(fill.fee),
            liquidity=Liquidity.TAKER,
            kind=fill.kind,
            order_id=None,
            client_metadata=0,
            position_before=BaseQuantums(fill.position_before),
        )
    )
