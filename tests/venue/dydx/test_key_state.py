"""The trading key is found by its public key, and what is wrong with it reaches the guard."""

from __future__ import annotations

from dataclasses import replace

import grpc
import pytest
from v4_proto.cosmos.tx.v1beta1.tx_pb2 import Tx
from v4_proto.dydxprotocol.accountplus.tx_pb2 import TxExtension

from seawall.account import KeyReach, Missing
from seawall.venue.dydx.key_state import AUTHENTICATORS
from seawall.venue.dydx.permission import Permission, compose
from tests.venue.dydx.fake_indexer import FakeIndexer, indexing
from tests.venue.dydx.fake_node import GRANTED, FakeNode, serving
from tests.venue.dydx.test_orders import REDUCE
from tests.venue.dydx.wires import connection_to, keys, opened, seen_well

REACH = KeyReach(subaccounts=frozenset({0}), clob_pairs=frozenset({500, 501}))
STRANGERS = Permission(id=9, kind="AllOf", config=compose(bytes([2]) * 33, [0], [500]))


def selected(encoded: bytes) -> list[int]:
    (packed,) = Tx.FromString(encoded).body.non_critical_extension_options
    return list(TxExtension.FromString(packed.value).selected_authenticators)


async def observed(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch, wanted: int | None = None
) -> tuple[KeyReach | Missing, tuple[str, ...], list[int]]:
    """Reach and faults that an observation shows, and the permission that a reduction names."""
    async with serving(node), indexing(FakeIndexer()) as indexer:
        connection = replace(connection_to(indexer, node), trading_authenticator=wanted)
        async with opened(connection, keys(monkeypatch)) as venue:
            advice = seen_well(await venue.observe()).advice
            reply = await venue.send(REDUCE)
    assert reply.is_accepted is bool(node.broadcasts)
    return (
        advice.key_reach,
        advice.key_faults,
        [n for sent in node.broadcasts for n in selected(sent)],
    )


async def test_the_permission_is_found_by_the_public_key(monkeypatch: pytest.MonkeyPatch) -> None:
    node = FakeNode(permissions=[STRANGERS, GRANTED])

    assert await observed(node, monkeypatch) == (REACH, (), [GRANTED.id])


async def test_the_settings_may_name_another_permission_of_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    newer = replace(GRANTED, id=11)
    node = FakeNode(permissions=[GRANTED, newer])

    assert (await observed(node, monkeypatch))[2] == [11]
    assert (await observed(FakeNode(permissions=[GRANTED, newer]), monkeypatch, 3))[2] == [3]


async def test_a_key_without_permission_signs_nothing_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reach, faults, sent = await observed(FakeNode(permissions=[STRANGERS]), monkeypatch)

    assert isinstance(reach, Missing)
    assert "no permission" in faults[0]
    assert sent == []


async def test_smart_accounts_switched_off_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    _, faults, _ = await observed(FakeNode(is_smart_account_active=False), monkeypatch)

    assert "smart accounts are switched off" in faults[0]


async def test_another_shape_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    members = GRANTED.config.replace(b"ClobPairIdFilter", b"ClobFilter")
    node = FakeNode(permissions=[replace(GRANTED, config=members)])

    _, faults, sent = await observed(node, monkeypatch)

    assert "another shape" in faults[0]
    assert sent == [GRANTED.id]


async def test_a_permission_that_cannot_be_read_again_is_still_signed_under(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = FakeNode()
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node), keys(monkeypatch)) as venue,
    ):
        seen_well(await venue.observe())
        node.failing[AUTHENTICATORS.path] = grpc.StatusCode.INTERNAL
        await venue.refresh_parameters()
        advice = seen_well(await venue.observe()).advice
        reply = await venue.send(REDUCE)

    assert (advice.key_reach, advice.key_faults) == (REACH, ())
    assert reply.is_accepted
    assert selected(node.broadcasts[0]) == [GRANTED.id]
