"""Ids are those of the real indexer, recomputed from recordings."""

from __future__ import annotations

from seawall.simulator.events import Liquidity
from seawall.simulator.messages import OrderId, SubaccountId
from seawall.simulator.serve.ids import (
    asset_uuid,
    event_id,
    fill_uuid,
    order_uuid,
    subaccount_uuid,
)
from tests.simulator.serve.samples import sample

RECORDING = "ParentSubaccountsChannelMock.real_channel_batch_data"


def test_subaccounts_and_orders_are_named_by_owner_client_id_and_pair() -> None:
    owner = sample("http_get_subaccount")["subaccount"]["address"]

    for real in sample("http_get_orders"):
        named = OrderId(
            subaccount=SubaccountId(owner=owner, number=real["subaccountNumber"]),
            client_id=int(real["clientId"]),
            order_flags=int(real["orderFlags"]),
            clob_pair_id=int(real["clobPairId"]),
        )
        assert subaccount_uuid(named.subaccount) == real["subaccountId"]
        assert order_uuid(named) == real["id"]


def test_a_fill_is_named_by_its_event_and_side_of_the_match() -> None:
    (real,) = (
        fill for part in sample(RECORDING, "abacus")["contents"] for fill in part.get("fills", [])
    )

    assert fill_uuid(real["eventId"], Liquidity(real["liquidity"])) == real["id"]


def test_an_asset_is_named_by_its_owner_and_number() -> None:
    (real,) = (
        one
        for part in sample(RECORDING, "abacus")["contents"]
        for one in part.get("assetPositions", [])
    )

    assert asset_uuid(SubaccountId(owner=real["address"], number=128)) == real["positionId"]


def test_an_event_is_named_by_block_and_place() -> None:
    assert event_id(304_483, 2) == "0004a563" + "00000000" + "00000002"
