"""Changes of a subaccount that neither transfers nor fills explain (RULES.md section 2).

The previous and the current state are both valued at current prices and funding indices; what is
left is money that moved, up to fees and slippage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from seawall import margin, units
from seawall.account import Fill, Market, Missing, Observation, Position, Subaccount
from seawall.margin import Markets
from seawall.units import MINUTE, PPM_ONE, Millis, Ppm, QuoteQuantums

EXCUSED_LEAST = QuoteQuantums(25 * PPM_ONE)
EXCUSED_SHARE = Ppm(10_000)  # of the notional traded
RECENT = Millis(5 * MINUTE)  # in which the record of a transfer in it may still come


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a subaccount held when it was last valued; transfers up to `since` are in its units.

    `worth` is net collateral then and `marks` the positions' notionals, in quote quantums.
    """

    number: int
    since: int
    height: int
    worth: QuoteQuantums
    usdc: QuoteQuantums
    positions: tuple[Position, ...]
    marks: tuple[QuoteQuantums, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexplained:
    """A change of a subaccount that transfers and fills do not explain yet, in quote quantums.

    `moved` came in (> 0) or left without a transfer record, `filled` is what fills account for,
    `traded` the notional that changed hands, `prices` the oracle prices at which it did.
    """

    since: Millis  # the agent's clock
    base_height: int
    moved: int
    filled: int
    traded: int
    prices: Mapping[str, int]
    is_paged: bool = False

    @property
    def residual(self) -> int:
        """What nothing explains."""
        return self.moved - self.filled

    @property
    def is_excused(self) -> bool:
        """Whether what is left is within fees and slippage."""
        return is_excused(self.residual, self.traded)


def is_excused(residual: int, traded: int) -> bool:
    """Whether a change is no more than the larger of $25 and 1% of the notional traded."""
    return abs(residual) <= max(EXCUSED_LEAST, units.ppm_down(traded, EXCUSED_SHARE))


def recent(
    known: Unexplained | None, before: Holding, now: Holding, observation: Observation
) -> Unexplained | None:
    """What changed lately, with this change: a transfer may hide in the slack of what traded.

    Its record may come later, and must then explain what was excused, not open a doubt of its own.
    """
    if known is not None and observation.seen_at - known.since > RECENT:
        known = None
    if before.usdc == now.usdc and before.positions == now.positions:
        return known
    moved = now.worth - _revalue(before, observation.markets)
    traded, prices = _traded(before, now, observation.markets)
    if known is None:
        return Unexplained(
            since=observation.seen_at,
            base_height=before.height,
            moved=moved,
            filled=0,
            traded=traded,
            prices=prices,
        )
    return replace(
        known,
        moved=known.moved + moved,
        traded=known.traded + traded,
        prices={**known.prices, **prices},
    )


def hold(subaccount: Subaccount, old: Holding | None, observation: Observation) -> Holding:
    """A subaccount as it is now; raises MissingParameter where it cannot be valued."""
    owed, worth, marks = 0, int(subaccount.usdc), []
    for position in subaccount.positions:
        market = margin.market_of(observation.markets, position.ticker)
        mark = margin.notional(market, position.quantums)
        owed += margin.settlement_ppm(position, market)
        worth += mark + position.quote_balance
        marks.append(mark)
    return Holding(
        number=subaccount.number,
        since=observation.height if old is None else old.since,
        height=observation.height,
        worth=QuoteQuantums(worth + owed // PPM_ONE),
        usdc=subaccount.usdc,
        positions=subaccount.positions,
        marks=tuple(marks),
    )


def doubt_of(
    old: Unexplained | None,
    lately: Unexplained | None,
    before: Holding,
    now: Holding,
    observation: Observation,
    *,
    flow: int,
) -> Unexplained | None:
    """What nothing explains of a subaccount's change, both states valued at current prices.

    `lately` is what `recent` says, this change included.
    """
    moved, traded = -flow, 0
    changed: Mapping[str, int] = {}
    if before.usdc != now.usdc or before.positions != now.positions:
        moved += now.worth - _revalue(before, observation.markets)
        traded, changed = _traded(before, now, observation.markets)
    if old is None:
        if is_excused(moved, traded):
            return None
        if flow and lately is not None and is_excused(lately.moved - flow, lately.traded):
            return None
        old = Unexplained(
            since=observation.seen_at,
            base_height=before.height,
            moved=0,
            filled=0,
            traded=0,
            prices={},
        )
    at_prices = {**old.prices, **changed}
    filled, notional = _filled(now.number, old.base_height, at_prices, observation)
    doubt = replace(
        old,
        moved=old.moved + moved,
        filled=filled,
        traded=max(old.traded + traded, notional),
        prices=at_prices,
    )
    return None if doubt.is_excused else doubt


def _revalue(holding: Holding, markets: Markets) -> int:
    """What a holding would be worth now; a market that is no longer read keeps its last mark."""
    owed, worth = 0, int(holding.usdc)
    for position, mark in zip(holding.positions, holding.marks, strict=True):
        market = markets.get(position.ticker)
        worth += position.quote_balance
        if market is None or market.oracle_price <= 0:
            worth += mark
            continue
        worth += margin.notional(market, position.quantums)
        owed += margin.settlement_ppm(position, market)
    return worth + owed // PPM_ONE


def _traded(before: Holding, now: Holding, markets: Markets) -> tuple[int, dict[str, int]]:
    """Notional of what changed hands between two states, and the oracle price of each market."""
    sizes = {position.ticker: -position.quantums for position in before.positions}
    marks = dict(zip((p.ticker for p in before.positions), before.marks, strict=True))
    for position in now.positions:
        sizes[position.ticker] = position.quantums + sizes.get(position.ticker, 0)
    total, at_prices = 0, {}
    for ticker, quantums in sizes.items():
        if quantums == 0:
            continue
        market = markets.get(ticker)
        if market is None or market.oracle_price <= 0:
            total += abs(marks.get(ticker, 0))
            continue
        total += abs(margin.notional(market, quantums))
        at_prices[ticker] = market.oracle_price
    return total, at_prices


def _filled(
    number: int, base_height: int, at_prices: Mapping[str, int], observation: Observation
) -> tuple[int, int]:
    """What fills since a height did to equity (fee and distance from the oracle), and notional."""
    fills = observation.advice.fills
    if isinstance(fills, Missing):
        return 0, 0
    effect = total = 0
    for fill in fills:
        market = observation.markets.get(fill.ticker)
        if fill.subaccount != number or market is None:
            continue
        if base_height < fill.height <= observation.height:
            price = at_prices.get(fill.ticker, market.oracle_price)
            worth, paid = _fill_worth(fill, market, price)
            effect += fill.side.sign * (worth - paid) - fill.fee
            total += worth
    return effect, total


def _fill_worth(fill: Fill, market: Market, price: int) -> tuple[int, int]:
    """Oracle notional of a fill at a price, and what was exchanged; both >= 0."""
    worth = units.base_to_quote(
        fill.quantums, price, market.oracle_exponent, market.atomic_resolution
    )
    return worth, units.fill_quote(fill.subticks, fill.quantums, market.quantum_conversion_exponent)
