"""The indexer's ids: uuid5 of what names a thing (reference ORDERS.md section 9.4)."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID, uuid5

from seawall.simulator.events import Liquidity, TransferEvent
from seawall.simulator.messages import USDC_ASSET, OrderId, SubaccountId

NAMESPACE = UUID("0f9da948-a6fb-4c45-9edc-4685c3f3317d")
NO_END = "undefined"


@lru_cache(maxsize=65_536)
def subaccount_uuid(subaccount: SubaccountId) -> str:
    """The indexer's id of a subaccount."""
    return str(uuid5(NAMESPACE, f"{subaccount.owner}-{subaccount.number}"))


@lru_cache(maxsize=65_536)
def order_uuid(order: OrderId) -> str:
    """The indexer's id of an order; a reused client id has the same one."""
    owner = subaccount_uuid(order.subaccount)
    words = f"{owner}-{order.client_id}-{order.clob_pair_id}-{order.order_flags}"
    return str(uuid5(NAMESPACE, words))


def event_id(height: int, index: int) -> str:
    """The indexer's id of an event: block, transaction and place in it, in hex."""
    return f"{height:08x}{0:08x}{index:08x}"


def fill_uuid(event: str, liquidity: Liquidity) -> str:
    """The indexer's id of one side of a match."""
    return str(uuid5(NAMESPACE, f"{event}-{liquidity.value}"))


def position_uuid(subaccount: SubaccountId, opened_by: str) -> str:
    """The indexer's id of a position: of its owner and the event that opened it."""
    return str(uuid5(NAMESPACE, f"{subaccount_uuid(subaccount)}-{opened_by}"))


def asset_uuid(subaccount: SubaccountId) -> str:
    """The indexer's id of a USDC position."""
    return str(uuid5(NAMESPACE, f"{subaccount_uuid(subaccount)}-{USDC_ASSET}"))


def transfer_uuid(event: TransferEvent, named: str) -> str:
    """The indexer's id of a transfer: of its event, its asset and its ends, margin accounts first.

    An end that is missing has the word that the indexer's language has for it.
    """
    ends = (event.sender, event.recipient)
    accounts = [subaccount_uuid(e) if isinstance(e, SubaccountId) else NO_END for e in ends]
    wallets = [NO_END if isinstance(end, SubaccountId) else end for end in ends]
    return str(uuid5(NAMESPACE, "-".join((named, str(USDC_ASSET), *accounts, *wallets))))
