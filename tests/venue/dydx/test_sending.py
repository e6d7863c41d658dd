"""What is sent, to whom, and what its answers mean."""

from __future__ import annotations

from dataclasses import replace

import grpc
import pytest
from v4_proto.cosmos.base.abci.v1beta1.abci_pb2 import TxResponse
from v4_proto.cosmos.tx.v1beta1.tx_pb2 import Tx

from seawall.account import KeyReach
from seawall.action import Action, Cancel
from seawall.venue.dydx import broadcast as broadcast_module
from tests.venue.dydx.fake_indexer import FakeIndexer, indexing
from tests.venue.dydx.fake_node import START_S, FakeNode, serving
from tests.venue.dydx.test_orders import REDUCE, TOP_UP
from tests.venue.dydx.wires import connection_to, keys, opened, seen_well, until

BROADCAST = "/cosmos.tx.v1beta1.Service/BroadcastTx"


# --- keys --------------------------------------------------------------------------------------


async def test_the_owners_own_key_reaches_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    held = keys(monkeypatch)
    assert held.trading is not None
    async with serving(FakeNode()) as node, indexing(FakeIndexer()) as indexer:
        connection = replace(connection_to(indexer, node), owner=held.trading.address)
        async with opened(connection, held) as venue:
            observation = seen_well(await venue.observe())

    assert observation.advice.key_reach == KeyReach()


async def test_an_accepted_action_reaches_every_node_in_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = FakeNode(), FakeNode()
    async with (
        serving(first),
        serving(second),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, first, second), keys(monkeypatch)) as venue,
    ):
        seen_well(await venue.observe())

        reply = await venue.send(REDUCE)
        await venue.send(REDUCE)
        await until(lambda: len(second.broadcasts) == 2)

    assert reply.is_accepted
    assert len({*first.broadcasts, *second.broadcasts}) == 1


async def test_one_acceptance_outweighs_a_refusal_and_a_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcast_module, "DEADLINE_S", 0.3)
    refusing = FakeNode(checked=TxResponse(code=2001, codespace="clob"))
    accepting = FakeNode()
    async with (
        serving(refusing),
        serving(accepting),
        indexing(FakeIndexer()) as indexer,
        opened(
            connection_to(indexer, refusing, FakeNode(port=1), accepting), keys(monkeypatch)
        ) as venue,
    ):
        seen_well(await venue.observe())

        assert (await venue.send(REDUCE)).is_accepted


async def test_a_refusal_is_a_reply_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    node = FakeNode(checked=TxResponse(code=2001, codespace="clob", raw_log="would increase"))
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node), keys(monkeypatch)) as venue,
    ):
        seen_well(await venue.observe())

        reply = await venue.send(REDUCE)

    assert (reply.code, reply.codespace, reply.log) == (2001, "clob", "would increase")
    assert not reply.is_accepted
    assert not reply.is_unknown


@pytest.mark.parametrize(
    "answer", [TxResponse(code=19, codespace="sdk"), grpc.StatusCode.UNAVAILABLE]
)
async def test_a_lost_answer_and_known_bytes_are_unknown_never_refused(
    monkeypatch: pytest.MonkeyPatch, answer: TxResponse | grpc.StatusCode
) -> None:
    node = FakeNode()
    if isinstance(answer, grpc.StatusCode):
        node.failing = {BROADCAST: answer}
    else:
        node.checked = answer
    refusing = FakeNode(checked=TxResponse(code=7, codespace="clob"))
    async with (
        serving(node),
        serving(refusing),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, refusing, node), keys(monkeypatch)) as venue,
    ):
        seen_well(await venue.observe())

        reply = await venue.send(REDUCE)

    assert reply.is_unknown
    assert not reply.is_accepted


async def test_a_frozen_node_is_unknown_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast_module, "DEADLINE_S", 0.1)
    node = FakeNode()
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node), keys(monkeypatch)) as venue,
    ):
        seen_well(await venue.observe())
        node.stall_s = 2.0

        reply = await venue.send(REDUCE)

    assert reply.is_unknown
    assert "DEADLINE_EXCEEDED" in reply.log


CANCEL = Cancel(
    subaccount=0,
    ticker="BTC-USD",
    clob_pair_id=500,
    client_id=5,
    order_flags=64,
    good_til_block_time=START_S + 900,
)


@pytest.mark.parametrize(
    ("action", "said"),
    [(REDUCE, "keys.trading"), (CANCEL, "keys.trading"), (TOP_UP, "keys.float")],
)
async def test_without_a_key_nothing_leaves(action: Action, said: str) -> None:
    node = FakeNode()
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node)) as venue,
    ):
        seen_well(await venue.observe())

        reply = await venue.send(action)

    assert (reply.code, reply.codespace) == (1, "seawall")
    assert said in reply.log
    assert node.broadcasts == []


async def test_orders_are_signed_for_the_owners_account_and_top_ups_for_the_floats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = FakeNode()
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(
            replace(connection_to(indexer, node), trading_authenticator=3), keys(monkeypatch)
        ) as venue,
    ):
        seen_well(await venue.observe())
        for action in (REDUCE, TOP_UP):
            assert (await venue.send(action)).is_accepted

    order, deposit = (Tx.FromString(encoded) for encoded in node.broadcasts)
    assert len(order.body.non_critical_extension_options) == 1
    assert len(deposit.body.non_critical_extension_options) == 0
    assert deposit.body.timeout_height == TOP_UP.timeout_height


async def test_two_stateful_cancels_of_a_block_have_two_nonces_near_block_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = FakeNode()
    async with (
        serving(node),
        indexing(FakeIndexer()) as indexer,
        opened(connection_to(indexer, node), keys(monkeypatch)) as venue,
    ):
        at = seen_well(await venue.observe()).at
        await venue.send(CANCEL)
        await venue.send(CANCEL)

    nonces = [
        Tx.FromString(encoded).auth_info.signer_infos[0].sequence for encoded in node.broadcasts
    ]
    # Within a second of it, apart from those of another guard with the same key.
    assert at <= nonces[0] < at + 1_000
    assert nonces[1] == nonces[0] + 1
