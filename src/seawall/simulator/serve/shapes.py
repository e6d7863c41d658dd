"""The indexer's JSON: numbers as decimal strings, keys as the real indexer spells them.

Traps kept on purpose (reference ORDERS.md section 9.2): `freeCollateral` and
`initialMarginFraction` use the tier's base fraction; REST shows USDC with unsettled funding, the
websocket (`feed_shapes`) without, and unsigned with a side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from seawall.account import BookLevel, Side
from seawall.simulator.events import OrderStatus, Reason, TransferKind
from seawall.simulator.messages import (
    CONDITIONAL,
    IMMEDIATE_OR_CANCEL,
    POST_ONLY,
    STOP_LOSS,
    TWAP,
    TWAP_LEG,
    USDC_ASSET,
    OrderId,
    SubaccountId,
)
from seawall.simulator.ruler import Held
from seawall.simulator.serve.ids import order_uuid, subaccount_uuid
from seawall.simulator.serve.positions import PositionRecord
from seawall.simulator.serve.records import (
    FillRecord,
    OrderRecord,
    Records,
    TransferRecord,
)
from seawall.simulator.state import Account, MarketState, State
from seawall.units import PPM_ONE, Millis, coins, oracle_dollars, subticks_dollars, usd

Levels = list[tuple[str, str]]  # price and size, best first
Json = Mapping[str, "Value"]
Value = str | int | float | bool | None | Json | Sequence["Value"]

TEXTS_KEPT = 65_536
ZERO = Decimal(0)
EXPIRIES = (Reason.EXPIRED, Reason.INDEXER_EXPIRED)
OF_BLOCKS = ("createdAtHeight", "updatedAt", "updatedAtHeight")


def text(number: Decimal) -> str:
    """A decimal as the indexer writes it: plain, without trailing zeros."""
    return f"{number.normalize():f}" if number else "0"


def iso(time: Millis) -> str:
    """A moment in the indexer's form, milliseconds and Z."""
    moment = datetime.fromtimestamp(time // 1_000, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time % 1_000:03d}Z"


def price_text(market: MarketState, subticks: int) -> str:
    """An order price in dollars."""
    spec = market.spec
    return _dollars_text(subticks, spec.atomic_resolution, spec.quantum_conversion_exponent)


def size_text(market: MarketState, quantums: int) -> str:
    """A size in coins."""
    return _coins_text(quantums, market.spec.atomic_resolution)


# A book says the same prices and sizes again and again.
@lru_cache(maxsize=TEXTS_KEPT)
def _dollars_text(subticks: int, resolution: int, conversion_exponent: int) -> str:
    return text(subticks_dollars(subticks, resolution, conversion_exponent))


@lru_cache(maxsize=TEXTS_KEPT)
def _coins_text(quantums: int, resolution: int) -> str:
    return text(coins(quantums, resolution))


def oracle(market: MarketState) -> Decimal:
    """Oracle price in dollars."""
    return oracle_dollars(market.price, market.spec.oracle_exponent)


def height(block: int, at: Millis) -> Json:
    """Body of /v4/height and of the v4_block_height snapshot."""
    return {"height": str(block), "time": iso(at)}


def market(state: MarketState) -> Json:
    """One market of /v4/perpetualMarkets."""
    spec = state.spec
    initial = Decimal(spec.tier.initial_margin_ppm).scaleb(-6)
    maintenance = initial * Decimal(spec.tier.maintenance_fraction_ppm).scaleb(-6)
    return {
        "clobPairId": str(spec.clob_pair_id),
        "ticker": spec.ticker,
        "status": spec.status.value,
        "oraclePrice": text(oracle(state)),
        "priceChange24H": "0",
        "volume24H": "0",
        "trades24H": 0,
        "nextFundingRate": text(state.hourly_rate),
        "initialMarginFraction": text(initial),
        "maintenanceMarginFraction": text(maintenance),
        "openInterest": size_text(state, state.open_interest),
        "atomicResolution": spec.atomic_resolution,
        "quantumConversionExponent": spec.quantum_conversion_exponent,
        "tickSize": price_text(state, spec.subticks_per_tick),
        "stepSize": size_text(state, spec.step_base_quantums),
        "stepBaseQuantums": spec.step_base_quantums,
        "subticksPerTick": spec.subticks_per_tick,
        "marketType": spec.market_type.value,
        "openInterestLowerCap": text(usd(spec.tier.open_interest_lower_cap)),
        "openInterestUpperCap": text(usd(spec.tier.open_interest_upper_cap)),
        "baseOpenInterest": size_text(state, state.open_interest),
        "defaultFundingRate1H": "0",
    }


def markets(state: State, ticker: str | None = None) -> Json:
    """Body of /v4/perpetualMarkets, of one market where a ticker is given."""
    chosen = {t: m for t, m in state.markets.items() if ticker in (None, t)}
    return {"markets": {name: market(one) for name, one in chosen.items()}}


def levels(state: MarketState, side: Sequence[BookLevel]) -> Levels:
    """One side of a book as price and size, best first."""
    return [(price_text(state, lv.subticks), size_text(state, lv.quantums)) for lv in side]


def orderbook(bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> Json:
    """Body of /v4/orderbooks/perpetualMarket/TICKER and of the v4_orderbook snapshot."""
    return {
        "bids": [{"price": price, "size": size} for price, size in bids],
        "asks": [{"price": price, "size": size} for price, size in asks],
    }


def position(record: PositionRecord, state: State, held: Held | None) -> Json:
    """An open position as REST shows it: size signed, funding with what is not settled yet."""
    one = state.markets[record.ticker]
    unsettled = ZERO if held is None else _unsettled(one, held)
    return {
        "market": record.ticker,
        "status": "OPEN" if record.closed_at is None else "CLOSED",
        "side": record.side,
        "size": text(record.size),
        "maxSize": text(record.max_size),
        "entryPrice": text(record.entry_price),
        "exitPrice": None if record.exit_price is None else text(record.exit_price),
        "realizedPnl": text(record.realized),
        "unrealizedPnl": text(record.size * (oracle(one) - record.entry_price)),
        "createdAt": iso(record.created_at),
        "createdAtHeight": str(record.created_height),
        "closedAt": None if record.closed_at is None else iso(record.closed_at),
        "sumOpen": text(record.sum_open),
        "sumClose": text(record.sum_close),
        "netFunding": text(record.net_funding + unsettled),
        "subaccountNumber": record.subaccount.number,
    }


def subaccount(account: Account, state: State, records: Records) -> Json:
    """One subaccount as REST shows it; equity and free collateral at the oracle."""
    tickers = {m.spec.perpetual_id: m for m in state.markets.values()}
    dollars = usd(account.usdc)
    notional, initial = ZERO, ZERO
    positions: dict[str, Json] = {}
    for held in account.held:
        one = tickers[held.perpetual_id]
        dollars += _unsettled(one, held)
        worth = coins(held.quantums, one.spec.atomic_resolution) * oracle(one)
        notional += worth
        initial += abs(worth) * one.spec.tier.initial_margin_ppm / PPM_ONE
        record = records.agreeing(account.id, one, held)
        positions[one.spec.ticker] = position(record, state, held)
    return {
        "address": account.id.owner,
        "subaccountNumber": account.id.number,
        "equity": text(dollars + notional),
        "freeCollateral": text(dollars + notional - initial),
        "openPerpetualPositions": positions,
        "assetPositions": {"USDC": asset(account.id.number, dollars)} if dollars else {},
        "marginEnabled": True,
        "updatedAtHeight": str(account.updated_height),
        "latestProcessedBlockHeight": str(state.height),
    }


def asset(number: int, dollars: Decimal) -> Json:
    """USDC as REST shows it: unsigned, with a side."""
    return {
        "size": text(abs(dollars)),
        "symbol": "USDC",
        "side": "LONG" if dollars >= 0 else "SHORT",
        "assetId": str(USDC_ASSET),
        "subaccountNumber": number,
    }


def order(record: OrderRecord, state: State) -> Json:
    """An order as REST shows it."""
    placed = record.event.order
    one = state.markets[record.ticker]
    named: OrderId = placed.order_id
    body: dict[str, Value] = {
        "id": record.id,
        "subaccountId": subaccount_uuid(named.subaccount),
        "clientId": str(named.client_id),
        "clobPairId": str(named.clob_pair_id),
        "side": "SELL" if placed.side is Side.SELL else "BUY",
        "size": size_text(one, placed.quantums),
        "totalFilled": size_text(one, record.event.filled),
        "price": price_text(one, placed.subticks),
        "type": order_type(record),
        "status": order_status(record),
        "timeInForce": "IOC" if placed.time_in_force == IMMEDIATE_OR_CANCEL else "GTT",
        "reduceOnly": placed.reduce_only,
        "orderFlags": str(named.order_flags),
        "createdAtHeight": str(record.created_height),
        "clientMetadata": str(placed.client_metadata),
        "updatedAt": iso(record.updated_at),
        "updatedAtHeight": str(record.updated_height),
        "orderRouterAddress": "",
        "postOnly": placed.time_in_force == POST_ONLY,
        "ticker": record.ticker,
        "subaccountNumber": named.subaccount.number,
    }
    if named.is_short_term:
        body["goodTilBlock"] = str(placed.good_til_block)
    else:
        body["goodTilBlockTime"] = iso(Millis(placed.good_til_block_time * 1_000))
    if named.order_flags == CONDITIONAL:
        body["triggerPrice"] = price_text(one, placed.trigger_subticks)
    if placed.twap is not None:
        body["duration"] = str(placed.twap.duration_s)
        body["interval"] = str(placed.twap.interval_s)
        body["priceTolerance"] = str(placed.twap.tolerance_ppm)
    if is_hearsay(record):
        body = {key: value for key, value in body.items() if key not in OF_BLOCKS}
    return body


def order_type(record: OrderRecord) -> str:
    """The indexer's word for the kind of an order."""
    placed = record.event.order
    if placed.order_id.order_flags != CONDITIONAL:
        return {TWAP: "TWAP", TWAP_LEG: "TWAP_SUBORDER"}.get(placed.order_id.order_flags, "LIMIT")
    return "STOP_LIMIT" if placed.condition_type == STOP_LOSS else "TAKE_PROFIT"


def order_status(record: OrderRecord) -> str:
    """The indexer's word: what happens to a short-term order before it fills is hearsay."""
    event = record.event
    if not event.order.order_id.is_short_term or event.reason in EXPIRIES:
        return event.status.value
    if event.status is OrderStatus.OPEN and event.filled == 0:
        return "BEST_EFFORT_OPENED"
    return "BEST_EFFORT_CANCELED" if event.status is OrderStatus.CANCELED else event.status.value


def is_hearsay(record: OrderRecord) -> bool:
    """Whether no block has told of the order."""
    return order_status(record).startswith("BEST_EFFORT")


def is_listed(record: OrderRecord) -> bool:
    """Whether REST knows the order: a short-term one that ends without a fill leaves no row."""
    event = record.event
    is_gone = event.status is OrderStatus.CANCELED and event.filled == 0
    return not (event.order.order_id.is_short_term and is_gone)


def fill(record: FillRecord, state: State) -> Json:
    """A fill as REST shows it; a fee > 0 is paid."""
    event = record.event
    one = state.markets[event.ticker]
    body: dict[str, Value] = {
        "id": record.id,
        "side": event.side.value,
        "liquidity": event.liquidity.value,
        "type": event.kind.value,
        "market": event.ticker,
        "marketType": "PERPETUAL",
        "price": price_text(one, event.subticks),
        "size": size_text(one, event.quantums),
        "fee": text(usd(event.fee)),
        "affiliateRevShare": "0",
        "createdAt": iso(record.at),
        "createdAtHeight": str(record.height),
        "subaccountNumber": event.subaccount.number,
        "positionSizeBefore": size_text(one, event.position_before),
        "entryPriceBefore": text(record.entry_before),
        "positionSideBefore": _side_before(event.position_before),
    }
    if event.order_id is not None:
        body["orderId"] = order_uuid(event.order_id)
        body["clientMetadata"] = str(event.client_metadata)
    return body


def trade(record: FillRecord, state: State) -> Json:
    """A fill as the public sees it."""
    event = record.event
    one = state.markets[event.ticker]
    return {
        "id": record.id,
        "side": event.side.value,
        "size": size_text(one, event.quantums),
        "price": price_text(one, event.subticks),
        "type": event.kind.value,
        "createdAt": iso(record.at),
        "createdAtHeight": str(record.height),
    }


def transfer(record: TransferRecord, seen_by: SubaccountId) -> Json:
    """A transfer as one of its ends sees it."""
    event = record.event
    kind = event.kind.value
    if event.kind is TransferKind.TRANSFER:
        kind = "TRANSFER_OUT" if event.sender == seen_by else "TRANSFER_IN"
    return {
        "id": record.id,
        "sender": _end(event.sender),
        "recipient": _end(event.recipient),
        "size": text(usd(event.amount)),
        "createdAt": iso(record.at),
        "createdAtHeight": str(record.height),
        "symbol": "USDC",
        "type": kind,
        "transactionHash": event.tx,
    }


def _unsettled(one: MarketState, held: Held) -> Decimal:
    """Funding not yet settled in dollars, > 0 is received."""
    return Decimal(-(one.funding_index - held.funding_index) * held.quantums).scaleb(-12)


def _side_before(quantums: int) -> str | None:
    if quantums == 0:
        return None
    return "LONG" if quantums > 0 else "SHORT"


def _end(end: SubaccountId | str) -> Json:
    if isinstance(end, SubaccountId):
        return {"address": end.owner, "subaccountNumber": end.number}
    return {"address": end}
