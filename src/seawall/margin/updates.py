"""What the chain lets an account do: the rule for updates, and the price it would still take."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from seawall import units
from seawall.account import Market, MarketType, Position, Subaccount
from seawall.margin.requirements import Markets, Risk, held, market_of, risk, settle
from seawall.units import PPM_ONE, BaseQuantums, QuoteQuantums, Subticks

SUBTICKS_MOST = 2**64 - 1


class Update(StrEnum):
    """The chain's verdict on an update of a subaccount."""

    SUCCESS = "Success"
    NEWLY_UNDERCOLLATERALIZED = "NewlyUndercollateralized"
    STILL_UNDERCOLLATERALIZED = "StillUndercollateralized"


def is_riskier(new: Risk, current: Risk) -> bool:
    """Whether `new` is strictly riskier than `current` in the chain's order."""
    if new.mmr == 0 and current.mmr == 0:
        return new.nc < current.nc
    left, right = current.nc * new.mmr, new.nc * current.mmr
    if left != right:
        return left > right
    return new.mmr > current.mmr


def judge_update(current: Risk, new: Risk) -> Update:
    """The state-transition rule for an update (MARGIN.md 2.5, step 5); both need a known IMR."""
    assert current.imr is not None
    assert new.imr is not None
    if new.nc >= new.imr:
        return Update.SUCCESS
    refusal = (
        Update.NEWLY_UNDERCOLLATERALIZED
        if current.nc >= current.imr
        else Update.STILL_UNDERCOLLATERALIZED
    )
    if new.mmr > current.mmr:
        return refusal
    if new.mmr == 0 or current.mmr == 0:
        both_flat = new.mmr == 0 and current.mmr == 0
        return Update.SUCCESS if both_flat and new.nc > current.nc else refusal
    return refusal if is_riskier(new, current) else Update.SUCCESS


def violates_isolation(subaccount: Subaccount, markets: Markets, touched: frozenset[str]) -> bool:
    """Whether an update touching these markets breaks the isolated-market constraint."""
    if not touched:
        return False
    isolated = {t for t in touched if markets[t].market_type is MarketType.ISOLATED}
    held = [p.ticker for p in subaccount.positions]
    held_isolated = {t for t in held if markets[t].market_type is MarketType.ISOLATED}
    if held_isolated and not isolated:
        return True
    if held and not held_isolated and isolated:
        return True
    if isolated and len(touched) > 1:
        return True
    return bool(held_isolated and isolated and held_isolated != isolated)


def with_fill(
    subaccount: Subaccount, market: Market, quantums: int, paid: int, fee: int
) -> Subaccount:
    """A settled subaccount after `quantums` (buy > 0) filled for `paid` >= 0 and a fee."""
    usdc = -paid - fee if quantums > 0 else paid - fee
    return with_update(subaccount, market, quantums, usdc)


def with_update(
    subaccount: Subaccount, market: Market, quantums: int, usdc: int, quote_balance: int = 0
) -> Subaccount:
    """A settled subaccount after changes of one position and of USDC.

    A position goes when both its size and its own quote balance are zero.
    """
    held = subaccount.position(market.ticker)
    old = held or Position(
        ticker=market.ticker, quantums=BaseQuantums(0), funding_index=market.funding_index
    )
    new = replace(
        old,
        quantums=BaseQuantums(old.quantums + quantums),
        quote_balance=QuoteQuantums(old.quote_balance + quote_balance),
    )
    kept = (new,) if new.quantums != 0 or new.quote_balance != 0 else ()
    positions = subaccount.positions
    at = len(positions) if held is None else positions.index(held)
    return replace(
        subaccount,
        usdc=QuoteQuantums(subaccount.usdc + usdc),
        positions=(*positions[:at], *kept, *positions[at + 1 :]),
    )


def deposit_for_usage(now: Risk, usage_ppm: int) -> QuoteQuantums:
    """Smallest deposit that brings MMR to at most `usage_ppm` > 0 of equity; 0 where it is there.

    `usage_ppm` is 10^6 for 100%, which is the edge of liquidation.
    """
    needed = units.divide_up(now.mmr * PPM_ONE, usage_ppm) - now.nc
    return QuoteQuantums(max(needed, 0))


def deposit_for_free_collateral(now: Risk, free: int) -> QuoteQuantums | None:
    """Smallest deposit that leaves NC - IMR at `free` quote quantums; None where IMR is unknown."""
    return None if now.imr is None else QuoteQuantums(max(now.imr + free - now.nc, 0))


def worst_close_subticks(
    subaccount: Subaccount, ticker: str, markets: Markets, taker_fee_ppm: int
) -> Subticks | None:
    """Worst price, on the tick, at which the chain takes a close of the whole position now.

    None at or above initial margin, where a reduction is not refused for its price. Below it, or
    where IMR is not known, NC/MMR must not fall (ORDERS.md 4.4, 4.5): the lowest tick for a long,
    the highest for a short. A close of the whole that ends above IMR may pass at worse prices too,
    but the chain judges every match alone, and the first of several need not end there.
    Where no price passes: one past the last tick, or 0 for a short.
    Raises MissingParameter, and KeyError where nothing is held.
    """
    market = market_of(markets, ticker)
    position = held(subaccount, ticker)
    settled = settle(subaccount, markets)
    now = risk(settled, markets)
    if now.is_initially_collateralized:
        return None
    rest = risk(with_fill(settled, market, -position.quantums, 0, 0), markets)
    tick, size = market.subticks_per_tick, abs(position.quantums)
    sign = 1 if position.quantums > 0 else -1

    def is_taken(ticks: int) -> bool:
        paid = units.fill_quote(ticks * tick, size, market.quantum_conversion_exponent)
        nc = rest.nc + sign * paid - units.fee_quote(paid, taker_fee_ppm)
        return nc * now.mmr >= now.nc * rest.mmr

    past = SUBTICKS_MOST // tick + 1
    refused, taken = (0, past) if sign > 0 else (past, 0)
    while abs(taken - refused) > 1:
        middle = (taken + refused) // 2
        if is_taken(middle):
            taken = middle
        else:
            refused = middle
    return Subticks(taken * tick)
