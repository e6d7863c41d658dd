"""One look at an address: what is refused, and that what is seen is the node's own."""

from __future__ import annotations

import pytest

from seawall.cli.look import observe
from seawall.errors import NoSuchSubaccount, SettingsError, VenueUnreachable
from seawall.settings import AccountSettings, Settings, VenueSettings
from seawall.venue.dydx.connection import Connection
from tests.venue.dydx.fake_indexer import FakeIndexer, indexing
from tests.venue.dydx.fake_node import OWNER, FakeNode, serving
from tests.venue.dydx.wires import connection_to, refused

DEAD = "127.0.0.1:1"  # a port that nothing serves


def settings_of(connection: Connection) -> Settings:
    return Settings(
        account=AccountSettings(address=OWNER),
        venue=VenueSettings(
            chain_id=connection.chain_id,
            nodes=connection.nodes or (DEAD,),
            indexers=connection.indexers,
            feeds=connection.feeds,
        ),
    )


async def test_a_look_shows_the_node_s_state_without_a_key() -> None:
    node = FakeNode()
    newest: dict[str, object] = {"/height": {"height": str(node.height)}}
    async with serving(node), indexing(FakeIndexer(answers=newest)) as indexer:
        seen = await observe(settings_of(connection_to(indexer, node)))

    assert seen.owner == OWNER
    assert {s.number: s.usdc for s in seen.subaccounts} == {0: node.usdc[0]}


async def test_an_account_that_nobody_has_seen_is_refused_not_shown_as_zeros() -> None:
    node = FakeNode(usdc={}, held={})
    async with serving(node), indexing(FakeIndexer()) as indexer:
        looking = observe(settings_of(connection_to(indexer, node)))
        message = await refused(looking, NoSuchSubaccount)

    assert f"no such subaccount: {OWNER}/0" in message


@pytest.mark.parametrize("address", ["", "dydx1", "cosmos1abc", f"{OWNER[:-1]}q", "BTC-USD"])
async def test_a_malformed_address_is_refused_before_anything_is_asked(address: str) -> None:
    node, indexer = FakeNode(), FakeIndexer()
    async with serving(node), indexing(indexer):
        looking = observe(settings_of(connection_to(indexer, node)), address)
        message = await refused(looking, SettingsError)

    assert repr(address) in message
    assert indexer.requests == []


async def test_a_node_that_does_not_answer_is_unreachable() -> None:
    async with indexing(FakeIndexer()) as indexer:
        looking = observe(settings_of(connection_to(indexer)))
        message = await refused(looking, VenueUnreachable)

    assert DEAD in message
