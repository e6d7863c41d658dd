"""What an indexer works out over time: candles, and each account's hourly funding and profits.

Candles are kept by the minute and merged when asked for. Where nobody traded, the real indexer has
no candle; here the mid of every block counts as a price with no volume, so that charts of a quiet
market are not empty.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from seawall.simulator.events import Block, FundingUpdate
from seawall.simulator.messages import SubaccountId
from seawall.simulator.serve.profits import Profits
from seawall.simulator.serve.records import FillRecord, Noted
from seawall.simulator.state import MarketState, State
from seawall.units import DAY, HOUR, MINUTE, Millis, coins, oracle_dollars, subticks_dollars

RESOLUTIONS = {
    "1MIN": MINUTE,
    "5MINS": 5 * MINUTE,
    "15MINS": 15 * MINUTE,
    "30MINS": 30 * MINUTE,
    "1HOUR": HOUR,
    "4HOURS": 4 * HOUR,
    "1DAY": DAY,
}
CANDLES_KEPT = 20_000
PAYMENTS_KEPT = 20_000
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One bar of a market: prices in dollars, volumes in coins and dollars."""

    started_at: Millis
    low: Decimal
    high: Decimal
    open: Decimal
    close: Decimal
    mid_open: Decimal
    mid_close: Decimal
    coins: Decimal = ZERO
    dollars: Decimal = ZERO
    trades: int = 0
    open_interest: Decimal = ZERO  # coins, at its start


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Funding of one hour on one position: dollars > 0 are received."""

    subaccount: SubaccountId
    ticker: str
    perpetual_id: int
    size: Decimal  # coins, signed
    price: Decimal
    rate: Decimal
    dollars: Decimal
    funding_index: int
    at: Millis
    height: int


class Chronicle:
    """Candles and payments since the venue was started."""

    def __init__(self, state: State) -> None:
        self._minutes: dict[str, deque[Candle]] = {
            ticker: deque(maxlen=CANDLES_KEPT) for ticker in state.markets
        }
        self.profits = Profits(state)
        self.payments: deque[Payment] = deque(maxlen=PAYMENTS_KEPT)  # newest first

    def note(self, block: Block, state: State, noted: Noted, mids: dict[str, Decimal]) -> None:
        """Take in a block; `mids` are dollars per coin."""
        started = Millis(block.time // MINUTE * MINUTE)
        for ticker, market in state.markets.items():
            minutes = self._minutes[ticker]
            if not minutes or minutes[-1].started_at != started:
                minutes.append(_begun(started, mids[ticker], market))
            minutes[-1] = _with_trades(
                minutes[-1], mids[ticker], noted.trades.get(ticker, ()), market
            )
        self.profits.note(state, noted.by_subaccount)
        for tick in block.funding:
            if tick.rate_8h_ppm:
                self._pay(tick, block, state)

    def candles(self, ticker: str, resolution: str) -> list[Candle]:
        """Candles of a market, the newest first."""
        length = RESOLUTIONS[resolution]
        found: list[Candle] = []
        for minute in self._minutes[ticker]:
            started = Millis(minute.started_at // length * length)
            if found and found[-1].started_at == started:
                found[-1] = _merged(found[-1], minute)
            else:
                found.append(replace(minute, started_at=started))
        return found[::-1]

    def newest(self, ticker: str, resolution: str) -> Candle | None:
        """The candle that is still being drawn; None before the first block."""
        length = RESOLUTIONS[resolution]
        minutes: list[Candle] = []
        for minute in reversed(self._minutes[ticker]):
            if minutes and minute.started_at // length != minutes[-1].started_at // length:
                break
            minutes.append(minute)
        if not minutes:
            return None
        whole = replace(minutes[-1], started_at=Millis(minutes[0].started_at // length * length))
        for minute in reversed(minutes[:-1]):
            whole = _merged(whole, minute)
        return whole

    def paid_to(self, accounts: Iterable[SubaccountId], ticker: str | None) -> list[Payment]:
        """Payments of some accounts, the newest first."""
        wanted = set(accounts)
        return [
            one
            for one in self.payments
            if one.subaccount in wanted and ticker in (None, one.ticker)
        ]

    def _pay(self, tick: FundingUpdate, block: Block, state: State) -> None:
        market = state.markets[tick.ticker]
        price = oracle_dollars(market.price, market.spec.oracle_exponent)
        for account in state.accounts.values():
            quantums = account.quantums(market.spec.perpetual_id)
            if quantums:
                size = coins(quantums, market.spec.atomic_resolution)
                self.payments.appendleft(
                    Payment(
                        subaccount=account.id,
                        ticker=tick.ticker,
                        perpetual_id=market.spec.perpetual_id,
                        size=size,
                        price=price,
                        rate=tick.hourly,
                        dollars=-size * price * tick.hourly,
                        funding_index=market.funding_index,
                        at=block.time,
                        height=block.height,
                    )
                )


def _begun(started: Millis, price: Decimal, market: MarketState) -> Candle:
    interest = coins(market.open_interest, market.spec.atomic_resolution)
    return Candle(
        started_at=started,
        low=price,
        high=price,
        open=price,
        close=price,
        mid_open=price,
        mid_close=price,
        open_interest=interest,
    )


def _with_trades(
    candle: Candle, mid: Decimal, fills: Sequence[FillRecord], market: MarketState
) -> Candle:
    if not fills and mid == candle.close == candle.mid_close:
        return candle
    spec = market.spec
    low, high, size, dollars = candle.low, candle.high, candle.coins, candle.dollars
    close = mid
    for fill in fills:
        close = subticks_dollars(
            fill.event.subticks, spec.atomic_resolution, spec.quantum_conversion_exponent
        )
        low, high = min(low, close), max(high, close)
        size += coins(fill.event.quantums, spec.atomic_resolution)
        dollars += coins(fill.event.quantums, spec.atomic_resolution) * close
    return replace(
        candle,
        low=min(low, mid),
        high=max(high, mid),
        close=close,
        mid_close=mid,
        coins=size,
        dollars=dollars,
        trades=candle.trades + len(fills),
    )


def _merged(first: Candle, later: Candle) -> Candle:
    return replace(
        first,
        low=min(first.low, later.low),
        high=max(first.high, later.high),
        close=later.close,
        mid_close=later.mid_close,
        coins=first.coins + later.coins,
        dollars=first.dollars + later.dollars,
        trades=first.trades + later.trades,
    )
