"""Deleveraging: a position that no book takes is offset against accounts on the other side.

A negative account is offset at its bankruptcy price, a healthy one in a market under final
settlement at the oracle price. Each offset must be a valid update of both sides; accounts are
scanned from an offset that the block time gives, not ranked by profit, and the house takes what
they leave, where the account itself may close there. Source: reference MARGIN.md section 4.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from seawall.account import MarketStatus, Side
from seawall.simulator import ruler
from seawall.simulator.events import DeleveragingEvent, FillEvent, FillKind, Liquidity
from seawall.simulator.exchange import Exchange
from seawall.simulator.messages import SubaccountId
from seawall.simulator.ruler import Risk, Terms
from seawall.simulator.state import Account, MarketState
from seawall.simulator.updates import accepts, terms_after
from seawall.units import BaseQuantums, QuoteQuantums, Subticks

SCANNED_MOST = 500

Position = tuple[SubaccountId, int]  # with the perpetual's id


class Price(StrEnum):
    """At which price a position may be offset, if it may."""

    NONE = "NONE"
    BANKRUPTCY = "BANKRUPTCY"
    ORACLE = "ORACLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """One offset as one side sees it: its signed size and USDC change, and which side that is."""

    size: int
    quote: int
    kind: FillKind = FillKind.DELEVERAGED


def final_positions(exchange: Exchange) -> list[Position]:
    """What is held in markets under final settlement."""
    final = [
        market.spec.perpetual_id
        for market in exchange.markets.values()
        if market.spec.status is MarketStatus.FINAL_SETTLEMENT
    ]
    return [
        (key, perpetual)
        for perpetual in final
        for key, account in exchange.accounts.items()
        if account.quantums(perpetual)
    ]


def try_offset(exchange: Exchange, subaccount: SubaccountId, perpetual_id: int, seed: int) -> None:
    """One attempt: offset a position that still is there, if its account may be offset now."""
    account = exchange.settled(subaccount)
    status = exchange.market_of_perpetual(perpetual_id).spec.status
    at = price_for(exchange.risk(account), status)
    if account.quantums(perpetual_id) and at is not Price.NONE:
        deleverage(exchange, subaccount, perpetual_id, at, seed)


def price_for(risk: Risk, status: MarketStatus) -> Price:
    """At which price an account's position in a market may be offset."""
    if risk.nc < 0:
        return Price.BANKRUPTCY
    return Price.ORACLE if status is MarketStatus.FINAL_SETTLEMENT else Price.NONE


def offset_quote(risk: Risk, terms: Terms, position: int, size: int, at: Price) -> int:
    """Signed USDC change of an account whose position changes by `size` toward zero."""
    if at is Price.ORACLE:
        return ruler.notional(terms, -size)
    return ruler.bankruptcy_quote(risk, terms, position, size)


def deleverage(
    exchange: Exchange, subaccount: SubaccountId, perpetual_id: int, at: Price, seed: int
) -> int:
    """Offset a whole position as far as anyone may take it; what is left of it, signed."""
    market = exchange.market_of_perpetual(perpetual_id)
    for counterparty in _candidates(exchange, subaccount, perpetual_id, seed):
        left = exchange.account(subaccount).quantums(perpetual_id)
        if left == 0:
            return 0
        held = exchange.account(counterparty).quantums(perpetual_id)
        size = -left if abs(left) <= abs(held) else held
        offset(exchange, subaccount, counterparty, ticker=market.spec.ticker, size=size, at=at)
    left = exchange.account(subaccount).quantums(perpetual_id)
    house = exchange.house[perpetual_id]
    if left * house < 0:
        size = -left if abs(left) <= abs(house) else house
        offset(exchange, subaccount, None, ticker=market.spec.ticker, size=size, at=at)
    return exchange.account(subaccount).quantums(perpetual_id)


def offset(
    exchange: Exchange,
    subaccount: SubaccountId,
    against: SubaccountId | None,
    *,
    ticker: str,
    size: int,
    at: Price,
) -> bool:
    """Close `size` of a position against one account or the house; whether both sides may."""
    market = exchange.markets[ticker]
    perpetual = market.spec.perpetual_id
    before = exchange.settled(subaccount)
    position = before.quantums(perpetual)
    quote = offset_quote(exchange.risk(before), market.terms, position, size, at)
    after = exchange.with_trade(before, perpetual, size, quote)
    changes = [(position, position + size)]
    other = None if against is None else exchange.settled(against)
    held = exchange.house[perpetual] if other is None else other.quantums(perpetual)
    assert held * size > 0, "the other side must hold what is closed"
    assert abs(size) <= abs(held), "the other side must hold as much as is closed"
    terms = terms_after(market, [*changes, (held, held - size)])
    if not accepts(exchange, terms, before, after):
        return False
    if other is None:
        exchange.house_trades(perpetual, -size, -quote)
    else:
        taken = exchange.with_trade(other, perpetual, -size, -quote)
        if not accepts(exchange, terms, other, taken):
            return False
        exchange.store(taken)
        _log(exchange, market, other, Offset(size=-size, quote=-quote, kind=FillKind.OFFSETTING))
    exchange.set_open_interest(market, terms)
    exchange.store(after)
    _log(exchange, market, before, Offset(size=size, quote=quote))
    return True


def _candidates(
    exchange: Exchange, subaccount: SubaccountId, perpetual_id: int, seed: int
) -> Sequence[SubaccountId]:
    """Accounts that hold the other side, in the order in which they are asked."""
    position = exchange.account(subaccount).quantums(perpetual_id)
    others = [
        key
        for key, account in exchange.accounts.items()
        if account.held and account.quantums(perpetual_id) * position < 0
    ]
    start = seed % len(others) if others else 0
    return [*others[start:], *others[:start]][:SCANNED_MOST]


def _log(exchange: Exchange, market: MarketState, before: Account, done: Offset) -> None:
    """Tell one side of an offset: the account that is closed, or the one it is closed against.

    The closed one is the taker, so that the indexer shows one trade.
    """
    spec = market.spec
    is_closed = done.kind is FillKind.DELEVERAGED
    exchange.log.deleveragings.append(
        DeleveragingEvent(
            subaccount=before.id,
            ticker=spec.ticker,
            quantums=BaseQuantums(done.size),
            quote=QuoteQuantums(done.quote),
        )
    )
    per_base = Fraction(abs(done.quote), abs(done.size))
    exchange.log.fills.append(
        FillEvent(
            subaccount=before.id,
            ticker=spec.ticker,
            side=Side.BUY if done.size > 0 else Side.SELL,
            quantums=BaseQuantums(abs(done.size)),
            subticks=Subticks(int(per_base / Fraction(10) ** spec.quantum_conversion_exponent)),
            quote=QuoteQuantums(abs(done.quote)),
            fee=QuoteQuantums(0),
            liquidity=Liquidity.TAKER if is_closed else Liquidity.MAKER,
            kind=done.kind,
            order_id=None,
            client_metadata=0,
            position_before=before.quantums(spec.perpetual_id),
        )
    )
