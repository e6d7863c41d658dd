"""The indexer's JSON of what it works out over time: funding, candles, payments, profits."""

from __future__ import annotations

from decimal import Decimal

from seawall.simulator.serve.chronicle import Candle, Payment
from seawall.simulator.serve.ids import subaccount_uuid
from seawall.simulator.serve.profits import Tick
from seawall.simulator.serve.records import FundingRecord
from seawall.simulator.serve.shapes import Json, iso, text


def funding(ticker: str, record: FundingRecord) -> Json:
    """One row of /v4/historicalFunding/TICKER: the rate of one hour, > 0 where longs paid."""
    return {
        "ticker": ticker,
        "rate": text(record.rate),
        "price": text(record.price),
        "effectiveAtHeight": str(record.height),
        "effectiveAt": iso(record.at),
    }


def candle(ticker: str, resolution: str, one: Candle) -> Json:
    """One candle as REST and the v4_candles snapshot show it."""
    return {
        "startedAt": iso(one.started_at),
        "ticker": ticker,
        "resolution": resolution,
        "low": text(one.low),
        "high": text(one.high),
        "open": text(one.open),
        "close": text(one.close),
        "baseTokenVolume": text(one.coins),
        "usdVolume": text(one.dollars),
        "trades": one.trades,
        "startingOpenInterest": text(one.open_interest),
        "orderbookMidPriceOpen": text(one.mid_open),
        "orderbookMidPriceClose": text(one.mid_close),
    }


def payment(one: Payment) -> Json:
    """One funding payment; > 0 is received."""
    return {
        "createdAt": iso(one.at),
        "createdAtHeight": str(one.height),
        "perpetualId": str(one.perpetual_id),
        "ticker": one.ticker,
        "oraclePrice": text(one.price),
        "size": text(abs(one.size)),
        "side": "LONG" if one.size > 0 else "SHORT",
        "rate": text(one.rate),
        "payment": text(one.dollars),
        "subaccountNumber": str(one.subaccount.number),
        "fundingIndex": text(Decimal(one.funding_index).scaleb(-6)),
    }


def profit(one: Tick) -> Json:
    """One row of /v4/historical-pnl: an account at the beginning of an hour."""
    return {
        "id": one.id,
        "subaccountId": subaccount_uuid(one.subaccount),
        "equity": text(one.equity),
        "totalPnl": text(one.equity - one.net_transfers),
        "netTransfers": text(one.net_transfers),
        "createdAt": iso(one.at),
        "blockHeight": str(one.height),
        "blockTime": iso(one.at),
    }
