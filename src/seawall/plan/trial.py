"""An account on paper: what cuts and cash would leave, in the chain's arithmetic.

A trial fills each cut against the book that was seen, level by level, with fees, and gives the
view that every measure would then have. Where there is no fresh book a cut fills at its worst
price: the planner believes in no depth that it cannot see, and in no better price either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from seawall import margin, units
from seawall.account import BookLevel, Market, Observation, Side
from seawall.action import Plan
from seawall.measures.spec import NoData
from seawall.measures.view import View
from seawall.plan import pricing
from seawall.plan.demand import Slot
from seawall.plan.pricing import Walk
from seawall.units import BaseQuantums, Ppm, QuoteQuantums, Subticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What the market offers for closing one position: side, bound, and depth within it."""

    slot: Slot
    market: Market
    side: Side
    held: BaseQuantums  # absolute size
    worst: Subticks
    levels: tuple[BookLevel, ...]
    fee_ppm: Ppm
    is_seen: bool  # the depth comes from a fresh book

    @property
    def depth(self) -> int:
        """Base quantums that may be expected to fill, in whole steps, at most the position."""
        step = self.market.step_base_quantums
        shown = sum(units.round_down(level.quantums, step) for level in self.levels)
        return min(units.round_down(self.held, step), shown)

    def walk(self, quantums: int) -> Walk:
        """What closing `quantums` is expected to exchange."""
        return pricing.walk(
            self.market,
            self.levels,
            quantums,
            fee_ppm=self.fee_ppm,
            step=self.market.step_base_quantums,
        )


def quote_for(view: View, slot: Slot, slippage: int) -> Quote | None:
    """The offer for closing a position within a slippage bound; None where no price would do.

    Below initial margin the bound is also never beyond what the chain would accept.
    """
    seen = view.observation
    number, ticker = slot
    position = seen.subaccount(number).position(ticker)
    if position is None:
        return None
    market = seen.markets[ticker]
    if market.oracle_price <= 0:  # there is nothing to bound a price by
        return None
    side = Side.SELL if position.quantums > 0 else Side.BUY
    price = pricing.reference(seen, ticker, view.price_band)
    worst = pricing.bound(market, side, price, slippage)
    accepted = _accepted(view, slot)
    if accepted is not None and not pricing.is_within(side, worst, accepted):
        worst = accepted
    if worst <= 0:  # the chain would take it only for less than nothing
        return None
    book = pricing.fresh_book(seen, ticker)
    held = BaseQuantums(abs(position.quantums))
    levels = pricing.levels_for(book, side, worst)
    if book is None:
        levels = (BookLevel(worst, held),)
    return Quote(
        slot=slot,
        market=market,
        side=side,
        held=held,
        worst=worst,
        levels=levels,
        fee_ppm=seen.taker_fee_ppm,
        is_seen=book is not None,
    )


def _accepted(view: View, slot: Slot) -> Subticks | None:
    """The worst price that the chain takes; None where it asks nothing of the price.

    None too where the subaccount cannot be valued: the order is sent, and the chain has its say.
    """
    seen, now = view.observation, view.risks[slot[0]]
    if isinstance(now, NoData) or now.is_initially_collateralized:
        return None
    return margin.worst_close_subticks(
        seen.subaccount(slot[0]), slot[1], seen.markets, seen.taker_fee_ppm
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Cuts (base quantums > 0 by slot) and cash (quote quantums by subaccount) on paper."""

    before: View
    caught_up: View | None = None  # the same with oracle prices at the mids; None: none differs
    quotes: Mapping[Slot, Quote]
    cuts: Mapping[Slot, int] = field(default_factory=dict)
    cash: Mapping[int, int] = field(default_factory=dict)

    def cut_of(self, slot: Slot) -> int:
        """Base quantums that are cut of a position."""
        return self.cuts.get(slot, 0)

    def closing(self) -> list[Slot]:
        """Positions of which something is expected to be closed: each is an order that fills."""
        return [
            slot
            for slot, cut in self.cuts.items()
            if cut and self.quotes[slot].depth >= self.quotes[slot].market.step_base_quantums
        ]

    def cash_of(self, number: int) -> int:
        """Quote quantums that land in a subaccount."""
        return self.cash.get(number, 0)

    def with_cut(self, slot: Slot, quantums: int) -> Trial:
        """The same trial with one position's cut set."""
        return replace(self, cuts={**self.cuts, slot: quantums})

    def with_cash(self, number: int, quote: int) -> Trial:
        """The same trial with one subaccount's cash set."""
        return replace(self, cash={**self.cash, number: quote})

    def after(self) -> View:
        """Every measure's view once cuts have filled and cash has landed."""
        return self._seen_by(self.before)

    def views(self) -> tuple[View, ...]:
        """What is left at the oracle, and once the oracle has caught up with the mids."""
        if self.caught_up is None:
            return (self.after(),)
        return (self.after(), self._seen_by(self.caught_up))

    def _seen_by(self, view: View) -> View:
        if not (self.cuts or self.cash or view.overrides):
            return view  # nothing was done to it
        return view.seeing(apply(view.observation, self.quotes, self.cuts, self.cash))


def caught_up(view: View) -> View | None:
    """The view once the oracle has caught up with mids within the band; None where none differs."""
    seen, moved = view.observation, {}
    for ticker in {p.ticker for s in seen.subaccounts for p in s.positions}:
        market = seen.markets[ticker]
        mid = pricing.mid_in_band(seen, ticker, view.price_band)
        if mid is None:
            continue
        price = round(mid * market.oracle_price / pricing.oracle_subticks(market))
        if price != market.oracle_price:
            moved[ticker] = replace(market, oracle_price=price)
    if not moved:
        return None
    return view.seeing(replace(seen, markets={**seen.markets, **moved}))


def carried_out(
    view: View, made: Plan, in_flight: Sequence[tuple[int, QuoteQuantums]] = ()
) -> View:
    """Every measure's view once a plan has filled as it expects and all cash has landed."""
    seen, subaccounts = view.observation, []
    for subaccount in view.observation.subaccounts:
        after = margin.settle(subaccount, seen.markets)
        landing = (*made.top_ups, *in_flight)
        extra = sum(amount for number, amount in landing if number == subaccount.number)
        after = replace(after, usdc=QuoteQuantums(after.usdc + extra))
        for leg in made.legs:
            if leg.subaccount == subaccount.number:
                market, signed = seen.markets[leg.ticker], leg.side.sign * leg.expected_quantums
                after = margin.with_fill(after, market, signed, leg.expected_quote, leg.fee)
        subaccounts.append(after)
    return view.seeing(replace(seen, subaccounts=tuple(subaccounts)))


def apply(
    seen: Observation,
    quotes: Mapping[Slot, Quote],
    cuts: Mapping[Slot, int],
    cash: Mapping[int, int],
) -> Observation:
    """The observation with cuts filled at the quoted depth and cash landed."""
    changed = {number for number, _ in cuts} | set(cash)
    subaccounts = []
    for subaccount in seen.subaccounts:
        if subaccount.number not in changed:
            subaccounts.append(subaccount)
            continue
        after = margin.settle(subaccount, seen.markets)
        extra = cash.get(subaccount.number, 0)
        after = replace(after, usdc=QuoteQuantums(after.usdc + extra))
        for (number, ticker), quantums in cuts.items():
            if number != subaccount.number or not quantums:
                continue
            quote = quotes[(number, ticker)]
            done = quote.walk(quantums)
            signed = quote.side.sign * done.quantums
            after = margin.with_fill(after, quote.market, signed, done.quote, done.fee)
        subaccounts.append(after)
    return replace(seen, subaccounts=tuple(subaccounts))
