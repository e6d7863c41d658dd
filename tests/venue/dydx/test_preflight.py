"""The right chain and an account that exists, before anything is relied on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.errors import NoSuchSubaccount, SettingsError
from tests.venue.dydx.fake_indexer import FakeIndexer, indexing
from tests.venue.dydx.fake_node import OWNER, FakeNode, serving
from tests.venue.dydx.wires import connection_to, opened, refused


async def test_a_node_of_another_chain_is_refused() -> None:
    node = FakeNode(chain_id="dydx-testnet-4")
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node)) as venue,
    ):
        message = await refused(venue.preflight(), SettingsError)

    assert "is a node of dydx-testnet-4, but venue.chain_id is localdydxprotocol" in message


@pytest.mark.parametrize(("version", "said"), [("v9.8.1", 0), ("9.9.0", 1), ("10.0", 1), ("", 0)])
async def test_a_node_newer_than_tested_is_said(
    version: str, said: int, caplog: pytest.LogCaptureFixture
) -> None:
    node = FakeNode(version=version)
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node)) as venue,
    ):
        await venue.preflight()

    assert sum("event=node_newer" in line for line in caplog.messages) == said


async def test_an_account_that_nobody_has_seen_is_no_such_subaccount() -> None:
    node = FakeNode(usdc={}, held={})
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node)) as venue,
    ):
        message = await refused(venue.preflight(), NoSuchSubaccount)

    assert f"no such subaccount: {OWNER}/0" in message
    assert "the indexer has never seen it" in message


async def test_an_emptied_account_still_exists() -> None:
    entry = {"subaccountNumber": 0, "updatedAtHeight": "1", "openPerpetualPositions": {}}
    indexer = FakeIndexer(answers={f"/addresses/{OWNER}": {"subaccounts": [entry]}})
    node = FakeNode(usdc={}, held={})
    async with serving(node), indexing(indexer), opened(connection_to(indexer, node)) as venue:
        await venue.preflight()


async def test_an_owner_with_only_a_child_has_an_account() -> None:
    entry = {"subaccountNumber": 128, "updatedAtHeight": "1", "openPerpetualPositions": {}}
    indexer = FakeIndexer(answers={f"/addresses/{OWNER}": {"subaccounts": [entry]}})
    node = FakeNode(usdc={}, held={})
    async with serving(node), indexing(indexer), opened(connection_to(indexer, node)) as venue:
        await venue.preflight()


async def test_a_remembered_child_has_an_account_with_the_indexer_down() -> None:
    node = FakeNode(usdc={128: 1_000_000}, held={})
    indexer = FakeIndexer(statuses={f"/addresses/{OWNER}": [403]})
    async with serving(node), indexing(indexer):
        connection = replace(connection_to(indexer, node), children=(128,))
        async with opened(connection) as venue:
            await venue.preflight()


async def test_a_number_never_used_is_refused_with_those_that_were() -> None:
    entry = {"subaccountNumber": 129, "updatedAtHeight": "1", "openPerpetualPositions": {}}
    indexer = FakeIndexer(answers={f"/addresses/{OWNER}": {"subaccounts": [entry]}})
    node = FakeNode(usdc={}, held={})
    async with serving(node), indexing(indexer), opened(connection_to(indexer, node)) as venue:
        message = await refused(venue.preflight(), NoSuchSubaccount)

    assert message.endswith("known for this address: 129")


async def test_what_cannot_be_asked_is_not_said_to_be_zero() -> None:
    node = FakeNode(usdc={}, held={})
    indexer = FakeIndexer(statuses={f"/addresses/{OWNER}": [403]})
    async with serving(node), indexing(indexer), opened(connection_to(indexer, node)) as venue:
        message = await refused(venue.preflight(), NoSuchSubaccount)

    assert "whether it was ever used cannot be asked" in message
