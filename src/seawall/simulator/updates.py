"""Whether an account may become what an update would make of it (reference MARGIN.md 2.5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from seawall.simulator import pools, ruler
from seawall.simulator.exchange import Exchange, open_interest_change
from seawall.simulator.ruler import Terms, Verdict
from seawall.simulator.state import Account, MarketState


def verdict(
    exchange: Exchange,
    before: Account,
    after: Account,
    touched: Collection[int] = (),
    terms: Terms | None = None,
) -> Verdict:
    """What the chain says to an update of a settled account that touches these perpetuals.

    `terms` are those that a match puts in force: its open interest counts before either state is
    judged. The transfer gate is not asked here.
    """
    if pools.violates(before.held, exchange.isolated, touched):
        return Verdict.VIOLATES_ISOLATION
    new = exchange.risk_on(after, terms)
    if new.nc >= new.imr:
        return Verdict.SUCCESS
    return ruler.judge(exchange.risk_on(before, terms), new)


def accepts(exchange: Exchange, terms: Terms, before: Account, after: Account) -> bool:
    """Whether a match that leaves a market on these terms may change an account so."""
    judged = verdict(exchange, before, after, (terms.perpetual_id,), terms)
    return judged is Verdict.SUCCESS


def terms_after(market: MarketState, changes: Iterable[tuple[int, int]]) -> Terms:
    """The market's terms with the open interest that positions before and after imply."""
    change = sum(open_interest_change(before, after) for before, after in changes)
    if change == 0:
        return market.terms
    return replace(market.terms, open_interest=market.terms.open_interest + change)
