"""What the websocket tells of an account, where it is not as REST tells it.

Numbers are raw: no equity, no free collateral, funding as it was settled, USDC unsigned with a
side.
"""

from __future__ import annotations

from seawall.simulator.events import Reason
from seawall.simulator.messages import USDC_ASSET, SubaccountId
from seawall.simulator.serve import shapes
from seawall.simulator.serve.ids import asset_uuid, order_uuid, subaccount_uuid
from seawall.simulator.serve.positions import PositionRecord
from seawall.simulator.serve.records import FillRecord, OrderRecord, TransferRecord
from seawall.simulator.serve.shapes import Json, Value, iso, oracle, price_text, size_text, text
from seawall.simulator.state import Account, State
from seawall.units import usd


def asset(account: Account) -> Json:
    """USDC of an account."""
    return {
        "address": account.id.owner,
        "subaccountNumber": account.id.number,
        "positionId": asset_uuid(account.id),
        "assetId": str(USDC_ASSET),
        "symbol": "USDC",
        "side": "LONG" if account.usdc >= 0 else "SHORT",
        "size": text(abs(usd(account.usdc))),
    }


def position(record: PositionRecord, state: State) -> Json:
    """A position after it changed."""
    one = state.markets[record.ticker]
    return {
        "address": record.subaccount.owner,
        "subaccountNumber": record.subaccount.number,
        "positionId": record.id,
        "market": record.ticker,
        "side": record.side,
        "status": "OPEN" if record.closed_at is None else "CLOSED",
        "size": text(record.size),
        "maxSize": text(record.max_size),
        "netFunding": text(record.net_funding),
        "entryPrice": text(record.entry_price),
        "exitPrice": None if record.exit_price is None else text(record.exit_price),
        "sumOpen": text(record.sum_open),
        "sumClose": text(record.sum_close),
        "realizedPnl": text(record.realized),
        "unrealizedPnl": text(record.size * (oracle(one) - record.entry_price)),
    }


def placed(record: OrderRecord, state: State) -> Json:
    """An order and why it was removed; hearsay does not say how much was filled."""
    body = dict(shapes.order(record, state))
    if shapes.is_hearsay(record):
        del body["totalFilled"]
    if record.event.reason is not Reason.NONE:
        body["totalOptimisticFilled"] = size_text(state.markets[record.ticker], record.event.filled)
        body["removalReason"] = f"ORDER_REMOVAL_REASON_{record.event.reason.value}"
    return body


def fill(record: FillRecord, state: State) -> Json:
    """One side of a match, as the indexer's own row of it."""
    event = record.event
    one = state.markets[event.ticker]
    body: dict[str, Value] = {
        "id": record.id,
        "subaccountId": subaccount_uuid(event.subaccount),
        "side": event.side.value,
        "liquidity": event.liquidity.value,
        "type": event.kind.value,
        "clobPairId": str(one.spec.clob_pair_id),
        "size": size_text(one, event.quantums),
        "price": price_text(one, event.subticks),
        "quoteAmount": text(usd(event.quote)),
        "eventId": record.event_id,
        "transactionHash": "",  # matches come from the proposer, not from a transaction
        "createdAt": iso(record.at),
        "createdAtHeight": str(record.height),
        "fee": text(usd(event.fee)),
        "affiliateRevShare": "0",
        "ticker": event.ticker,
    }
    if event.order_id is not None:
        body["orderId"] = order_uuid(event.order_id)
        body["clientMetadata"] = str(event.client_metadata)
    return body


def transfer(record: TransferRecord, seen_by: SubaccountId) -> Json:
    """A transfer as one of its ends sees it; without an id."""
    return {key: value for key, value in shapes.transfer(record, seen_by).items() if key != "id"}


def trade(record: FillRecord, state: State) -> Json:
    """A fill as the public sees it; without its height."""
    public = shapes.trade(record, state)
    return {key: value for key, value in public.items() if key != "createdAtHeight"}
