"""Faults over the wires: gRPC, REST and websocket show what the schedule says."""

from __future__ import annotations

import json

import grpc
import httpx
import pytest
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as tendermint
from v4_proto.cosmos.base.tendermint.v1beta1.query_pb2_grpc import ServiceStub
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.schedule import Fault, Faults
from tests.simulator.serve.running import Running, running


def schedule(kind: FaultKind, first: int = 2, last: int = 3, blocks: int | None = None) -> Faults:
    return Faults(faults=(Fault(kind=kind, first=first, last=last, blocks=blocks),))


def latest(venue: Running) -> int | str:
    """The node's newest height, or the name of the gRPC status it failed with."""
    with grpc.insecure_channel(venue.endpoints.node) as channel:
        try:
            answer = ServiceStub(channel).GetLatestBlock(
                tendermint.GetLatestBlockRequest(), timeout=5
            )
        except grpc.RpcError as error:
            return str(error.code().name)
        return int(answer.block.header.height)


def heights(venue: Running, blocks: int) -> list[int | str]:
    found = []
    for _ in range(blocks):
        venue.next_block()
        found.append(latest(venue))
    return found


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (FaultKind.NODE_UNAVAILABLE, [2, "UNAVAILABLE", "UNAVAILABLE", 5]),
        (FaultKind.NODE_DROPS, [2, "DEADLINE_EXCEEDED", 4, 5]),
        (FaultKind.NODE_FROZEN, [2, 2, 2, 5]),
    ],
)
def test_the_node_shows_what_its_fault_says(kind: FaultKind, shown: list[int | str]) -> None:
    with running(faults=schedule(kind)) as venue:
        assert heights(venue, 4) == shown


def test_a_node_behind_answers_with_an_older_height() -> None:
    with running(faults=schedule(FaultKind.NODE_BEHIND, blocks=2)) as venue:
        assert heights(venue, 4) == [2, 1, 2, 5]


def test_a_syncing_node_says_so() -> None:
    with running(faults=schedule(FaultKind.NODE_SYNCING, first=1)) as venue:
        venue.next_block()
        with grpc.insecure_channel(venue.endpoints.node) as channel:
            answer = ServiceStub(channel).GetSyncing(tendermint.GetSyncingRequest(), timeout=5)

    assert answer.syncing


def test_a_limited_rest_says_429_with_milliseconds() -> None:
    with running(faults=schedule(FaultKind.INDEXER_RATE_LIMITED, first=1)) as venue:
        before = httpx.get(f"{venue.endpoints.rest}/v4/height")
        venue.next_block()
        during = httpx.get(f"{venue.endpoints.rest}/v4/height")

    assert before.status_code == 200
    assert during.status_code == 429
    assert during.json() == {"errors": [{"msg": "Too many requests"}]}
    assert 1_000 < int(during.headers["Retry-After"]) <= 10_000
    assert during.headers["RateLimit-Remaining"] == "0"


def test_a_stale_rest_repeats_its_old_answer() -> None:
    with running(faults=schedule(FaultKind.INDEXER_STALE, first=1, last=1)) as venue:
        asked = []
        for _ in range(3):
            asked.append(httpx.get(f"{venue.endpoints.rest}/v4/height").json()["height"])
            venue.next_block()

    assert asked == ["1", "1", "3"]


def subscribe(feed: ClientConnection, channel: str, name: str | None = None) -> None:
    feed.send(json.dumps({"type": "subscribe", "channel": channel, "id": name}))


def test_a_silent_feed_skips_the_blocks_of_its_silence() -> None:
    with (
        running(faults=schedule(FaultKind.INDEXER_SILENT)) as venue,
        connect(venue.endpoints.websocket) as feed,
    ):
        subscribe(feed, "v4_block_height")
        feed.recv(5)
        feed.recv(5)
        for _ in range(4):
            venue.next_block()
        told = [json.loads(feed.recv(5))["contents"]["blockHeight"] for _ in range(2)]

    assert told == ["2", "5"]


def test_a_crashed_indexer_cuts_its_connections_and_refuses_rest() -> None:
    with (
        running(faults=schedule(FaultKind.INDEXER_CRASH, first=1)) as venue,
        connect(venue.endpoints.websocket) as feed,
    ):
        feed.recv(5)
        venue.next_block()
        status = httpx.get(f"{venue.endpoints.rest}/v4/height").status_code
        with pytest.raises(ConnectionClosed) as closed:
            feed.recv(5)

    assert status == 503
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
