"""What the venue itself says of every account: equity, requirement, cost, and whether it survived.

Read by demos and referees, never by a guard: it comes from the exchange's own arithmetic.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from seawall.account import Side
from seawall.simulator import ruler
from seawall.simulator.events import Block, FillEvent, FillKind, TransferEvent
from seawall.simulator.messages import SubaccountId
from seawall.simulator.serve.shapes import Json, Value, iso, oracle, price_text, size_text, text
from seawall.simulator.state import State
from seawall.units import Millis, QuoteQuantums, usd

FILLS_SHOWN = 10
HISTORY_KEPT = 4_096
OWN_FILLS = (FillKind.LIQUIDATED, FillKind.DELEVERAGED)


@dataclass(slots=True)
class Score:
    """One account so far; money in quote quantums, costs > 0 are losses."""

    equity_start: QuoteQuantums
    equity: int = 0
    initial: int = 0
    maintenance: int = 0
    lowest_headroom: int = 0
    is_liquidated: bool = False
    fees: int = 0
    paid_by_fund: int = 0  # >= 0, what the insurance fund laid out on its liquidation
    slippage_cost: int = 0
    money_in: int = 0  # deposits and transfers received, less what left
    fills: deque[tuple[int, Millis, FillEvent]] = field(
        default_factory=lambda: deque(maxlen=FILLS_SHOWN)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Equity and maintenance requirement of every account at one height, in quote quantums."""

    height: int
    at: Millis
    accounts: Mapping[SubaccountId, tuple[int, int]]


class Scoreboard:
    """Scores of every subaccount on the chain, kept from block to block."""

    def __init__(self, state: State, names: Mapping[str, str]) -> None:
        self._names = names  # of owners, by address
        self._scores: dict[SubaccountId, Score] = {}
        self._history: deque[Row] = deque(maxlen=HISTORY_KEPT)
        self._measure(state)

    def note(self, block: Block, before: State, state: State) -> None:
        """Take in a block; fills are held against the oracle that stood before it."""
        for fill in block.fills:
            score = self._of(fill.subaccount)
            worth = _notional(before, fill)
            if fill.kind in OWN_FILLS and fill.fee < 0:
                score.paid_by_fund -= fill.fee
            else:
                score.fees += fill.fee
            score.slippage_cost += (
                fill.quote - worth if fill.side is Side.BUY else worth - fill.quote
            )
            score.is_liquidated |= fill.kind in OWN_FILLS
            score.fills.appendleft((block.height, block.time, fill))
        for moved in block.transfers:
            self._move(moved)
        self._measure(state)

    def accounts(self, state: State) -> list[Json]:
        """Every account as JSON, decimals as strings."""
        return [self._account(key, state) for key in sorted(self._scores, key=_order)]

    def history(self, after: int) -> list[Json]:
        """Rows of the heights above `after`, oldest first."""
        return [
            {
                "height": row.height,
                "at": row.at,
                "accounts": [
                    {
                        "address": key.owner,
                        "subaccount": key.number,
                        "equity": text(usd(equity)),
                        "mmr": text(usd(maintenance)),
                    }
                    for key, (equity, maintenance) in row.accounts.items()
                ],
            }
            for row in self._history
            if row.height > after
        ]

    def _of(self, key: SubaccountId) -> Score:
        return self._scores.setdefault(key, Score(equity_start=QuoteQuantums(0)))

    def _move(self, moved: TransferEvent) -> None:
        if isinstance(moved.sender, SubaccountId):
            self._of(moved.sender).money_in -= moved.amount
        if isinstance(moved.recipient, SubaccountId):
            self._of(moved.recipient).money_in += moved.amount

    def _measure(self, state: State) -> None:
        measured: dict[SubaccountId, tuple[int, int]] = {}
        for key, account in state.accounts.items():
            risk = state.risk(account)
            score = self._scores.get(key)
            headroom = risk.nc - risk.mmr
            if score is None:
                score = Score(equity_start=QuoteQuantums(risk.nc), lowest_headroom=headroom)
                self._scores[key] = score
            score.equity, score.initial, score.maintenance = risk.nc, risk.imr, risk.mmr
            score.lowest_headroom = min(score.lowest_headroom, headroom)
            measured[key] = (risk.nc, risk.mmr)
        self._history.append(Row(height=state.height, at=state.time, accounts=measured))

    def _account(self, key: SubaccountId, state: State) -> Json:
        score = self._scores[key]
        return {
            "name": self._names.get(key.owner, ""),
            "address": key.owner,
            "subaccount": key.number,
            "equity_start": text(usd(score.equity_start)),
            "equity": text(usd(score.equity)),
            "imr": text(usd(score.initial)),
            "mmr": text(usd(score.maintenance)),
            "headroom": text(usd(score.equity - score.maintenance)),
            "lowest_headroom": text(usd(score.lowest_headroom)),
            "liquidated": score.is_liquidated,
            "fees": text(usd(score.fees)),
            "paid_by_fund": text(usd(score.paid_by_fund)),
            "slippage_cost": text(usd(score.slippage_cost)),
            "money_in": text(usd(score.money_in)),
            "positions": _positions(key, state),
            "fills": [_fill(height, at, fill, state) for height, at, fill in score.fills],
        }


def _order(key: SubaccountId) -> tuple[str, int]:
    return key.owner, key.number


def _notional(state: State, fill: FillEvent) -> int:
    """Oracle notional of a fill in quote quantums, >= 0."""
    market = state.markets[fill.ticker]
    return ruler.notional(market.terms, fill.quantums)


def _positions(key: SubaccountId, state: State) -> Json:
    account = state.subaccount(key.owner, key.number)
    by_id = {market.spec.perpetual_id: market for market in state.markets.values()}
    positions: dict[str, Value] = {}
    for held in account.held:
        market = by_id[held.perpetual_id]
        worth = usd(ruler.notional(market.terms, held.quantums))
        positions[market.spec.ticker] = {
            "size": size_text(market, held.quantums),
            "notional": text(worth),
            "oracle": text(oracle(market)),
        }
    return positions


def _fill(height: int, at: Millis, fill: FillEvent, state: State) -> Json:
    market = state.markets[fill.ticker]
    quote: Decimal = usd(fill.quote)
    return {
        "height": height,
        "at": iso(at),
        "market": fill.ticker,
        "side": fill.side.value,
        "size": size_text(market, fill.quantums),
        "price": price_text(market, fill.subticks),
        "quote": text(quote),
        "fee": text(usd(fill.fee)),
        "kind": fill.kind.value,
        "client_id": None if fill.order_id is None else fill.order_id.client_id,
        "position_before": size_text(market, fill.position_before),
    }
