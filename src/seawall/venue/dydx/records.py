"""The indexer's records of orders, fills, transfers and positions as values of the account.

Shapes: ORDERS.md sections 9.1, 9.4 and 9.5. All functions raise MalformedAnswer.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID, uuid5

from seawall import units
from seawall.account import Fill, RestingOrder, Side, Transfer
from seawall.action import CONDITIONAL, stop_ids
from seawall.errors import MalformedAnswer
from seawall.units import QuoteQuantums
from seawall.venue.dydx import fields
from seawall.venue.dydx.fields import Fields
from seawall.venue.dydx.grid import Grid
from seawall.venue.dydx.orders import CLIENT_METADATA

# BEST_EFFORT_CANCELED may still fill on another node, but no cancel can reach it any more.
ALIVE = ("OPEN", "BEST_EFFORT_OPENED", "UNTRIGGERED")
INCOMING = ("DEPOSIT", "TRANSFER_IN")
OUTGOING = ("WITHDRAWAL", "TRANSFER_OUT")
NAMESPACE = UUID("0f9da948-a6fb-4c45-9edc-4685c3f3317d")


def signed_size(position: Fields) -> Decimal:
    """Coins of a position, long > 0: REST signs the size, the websocket only names the side."""
    size = abs(fields.decimal(position, "size"))
    if position.get("status", "OPEN") != "OPEN":
        return Decimal(0)
    return -size if fields.text(position, "side") == "SHORT" else size


def order_uuid(address: str, number: int, client_id: int, clob_pair: int, flags: int) -> str:
    """The indexer's id of an order (ORDERS.md section 9.4)."""
    subaccount = uuid5(NAMESPACE, f"{address}-{number}")
    return str(uuid5(NAMESPACE, f"{subaccount}-{client_id}-{clob_pair}-{flags}"))


def stop_names(
    chain_id: str, owner: str, numbers: Iterable[int], grids: Iterable[Grid]
) -> dict[str, int]:
    """Client ids by the indexer's id of every stop that a guard of an owner may ever have placed.

    They may have gone off while no guard was there to see them rest.
    """
    known = tuple(grids)
    return {
        order_uuid(owner, number, one, grid.clob_pair_id, CONDITIONAL): one
        for number in numbers
        for grid in known
        for one in stop_ids(chain_id, owner, number, grid.clob_pair_id)
    }


def order_name(order: Fields) -> str:
    """What tells an order from another: the indexer's id, which some messages leave out."""
    if order.get("id") is not None:
        return fields.text(order, "id")
    return f"{fields.text(order, 'clientId')}/{fields.text(order, 'clobPairId')}"


def resting_order(number: int, grid: Grid, order: Fields) -> RestingOrder | None:
    """An order that may still fill, or still holds its id on the chain; None once it does not.

    A stop that went off without its position is told as best-effort canceled and stays in the
    chain's state, under its id, until it is cancelled (ORDERS.md section 1.3).
    """
    status, is_stop = order.get("status"), _is_stop(order)
    is_left = is_stop and status == "BEST_EFFORT_CANCELED" and order.get("reduceOnly") is True
    if status not in ALIVE and not is_left:
        return None
    filled = order.get("totalFilled") or order.get("totalOptimisticFilled") or "0"
    unfilled = grid.quantums(fields.decimal(order, "size") - fields.to_decimal(filled))
    if unfilled <= 0:
        return None
    trigger = order.get("triggerPrice")
    until = order.get("goodTilBlockTime")
    return RestingOrder(
        subaccount=number,
        ticker=grid.ticker,
        side=_side(order),
        quantums=unfilled,
        subticks=grid.subticks(fields.decimal(order, "price")),
        client_id=fields.integer(order, "clientId"),
        order_flags=fields.integer(order, "orderFlags"),
        reduce_only=order.get("reduceOnly") is True,
        good_til_block=fields.maybe_integer(order, "goodTilBlock") or None,
        good_til_block_time=(
            None if until is None else fields.moment(order, "goodTilBlockTime") // units.SECOND
        ),
        trigger_subticks=(None if trigger is None else grid.subticks(fields.to_decimal(trigger))),
        is_triggered=is_stop and status != "UNTRIGGERED",
        ours=order.get("clientMetadata") is not None
        and fields.integer(order, "clientMetadata") == CLIENT_METADATA,
    )


def _is_stop(order: Fields) -> bool:
    flags = order.get("orderFlags")
    return flags is not None and fields.integer(order, "orderFlags") == CONDITIONAL


def fill(number: int, grid: Grid, entry: Fields, client_id: int | None) -> Fill:
    """One fill; the client id is known only where its order was seen."""
    fee = fields.decimal(entry, "fee")
    return Fill(
        subaccount=number,
        ticker=grid.ticker,
        side=_side(entry),
        quantums=grid.quantums(fields.decimal(entry, "size")),
        subticks=grid.nearest_subticks(fields.decimal(entry, "price")),
        fee=units.quote_up(fee),
        height=fields.integer(entry, "createdAtHeight"),
        kind=fields.text(entry, "type"),
        client_id=client_id,
    )


def transfer_name(entry: Fields) -> str:
    """What tells a transfer from another; the websocket may leave the id out."""
    parts = (
        str(entry.get("transactionHash", "")),
        fields.text(entry, "type"),
        str(fields.decimal(entry, _amount_key(entry)).normalize()),
        fields.text(entry, "createdAtHeight"),
    )
    return "/".join(parts)


def transfer(owner: str, number: int, guarded: frozenset[int], entry: Fields) -> Transfer:
    """Money that entered (> 0) or left (< 0) a subaccount, with its counterpart if guarded."""
    kind = fields.text(entry, "type")
    amount = units.quote_down(fields.decimal(entry, _amount_key(entry)))
    if kind in INCOMING:
        other = fields.mapping(entry.get("sender", {}), "sender")
    elif kind in OUTGOING:
        other = fields.mapping(entry.get("recipient", {}), "recipient")
        amount = QuoteQuantums(-amount)
    else:
        known = ", ".join((*INCOMING, *OUTGOING))
        raise MalformedAnswer(f"transfer type {kind!r}: {known} expected")
    counterpart = fields.maybe_integer(other, "subaccountNumber")
    is_ours = other.get("address") == owner and counterpart in guarded and counterpart != number
    return Transfer(
        subaccount=number,
        amount=amount,
        height=fields.integer(entry, "createdAtHeight"),
        counterpart=counterpart if is_ours else None,
    )


def _amount_key(entry: Fields) -> str:
    return "amount" if "amount" in entry else "size"


def _side(entry: Fields) -> Side:
    written = fields.text(entry, "side")
    if written not in Side.__members__:
        raise MalformedAnswer(f"side {written!r}: BUY or SELL expected")
    return Side(written)
