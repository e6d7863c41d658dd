"""No kind of fault is without effect over the wires: clients see what no calm day shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import pytest
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as tendermint
from v4_proto.cosmos.base.tendermint.v1beta1.query_pb2_grpc import ServiceStub
from v4_proto.dydxprotocol.accountplus import query_pb2 as accountplus
from v4_proto.dydxprotocol.accountplus.query_pb2_grpc import QueryStub as KeysStub
from v4_proto.dydxprotocol.subaccounts import query_pb2 as subaccounts
from v4_proto.dydxprotocol.subaccounts.query_pb2_grpc import QueryStub as SubaccountsStub
from websockets.exceptions import ConnectionClosed

from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.schedule import Fault
from seawall.simulator.prices import Path as PricePath
from tests.simulator.serve.looking import Hearing, Look, looking
from tests.simulator.serve.running import START, flat_path, line
from tests.simulator.serve.signing import Envelope, deposit
from tests.simulator.serve.test_failing import HOT, Wire, permit

BLOCKS = 7
FIRST, LAST = 2, 4
PATHS = (
    "height",
    "time",
    "fills",
    "transfers",
    "orders",
    "perpetualPositions",
    "perpetualMarkets",
)
FALLING = PricePath(
    {"BTC-USD": line((0, 100_000), (60_000, 94_000)), "ETH-USD": line((0, 4_000))},
    start=START,
    end=flat_path().end,
)
CHANNELS = ("v4_subaccounts", "v4_orderbook", "v4_markets")


@dataclass(slots=True)
class Day:
    """A trader's day as clients see it: what they read, what they hear, what they are answered."""

    look: Look
    wire: Wire
    feed: Hearing
    seen: list[object] = field(default_factory=list)

    def block(self) -> None:
        """Send a reduction and a deposit, let a block come, and look."""
        venue = self.wire.venue
        number = len(self.seen)
        reduction = self.wire.reduce(HOT, client_id=number, authenticators=[0])
        sequence = venue.do(lambda: venue.server.node.state.wallets[venue.trader.address].sequence)
        top_up = Envelope(key=venue.trader, sequence=sequence, memo=str(number)).sign(
            deposit(venue.trader, 5_000_000)
        )
        answers = [self.wire.send(raw) for raw in (reduction, top_up)]
        venue.do(self._step)
        self.seen.append((answers, self._node(), [self._rest(path) for path in PATHS]))

    def _step(self) -> None:
        server = self.wire.venue.server
        sealed = server.node.step()
        if sealed is not None:
            server.publish(sealed)

    def _rest(self, path: str) -> tuple[int, str]:
        answer = self.look.get(path)
        return answer.status_code, answer.text

    def _node(self) -> list[str]:
        """What the node says of its height, of the account, of its keys and of the gate."""
        owner = self.wire.venue.trader.address
        channel = self.wire.channel
        asked = (
            (ServiceStub(channel).GetLatestBlock, tendermint.GetLatestBlockRequest()),
            (ServiceStub(channel).GetSyncing, tendermint.GetSyncingRequest()),
            (
                SubaccountsStub(channel).Subaccount,
                subaccounts.QueryGetSubaccountRequest(owner=owner),
            ),
            (
                SubaccountsStub(channel).GetWithdrawalAndTransfersBlockedInfo,
                subaccounts.QueryGetWithdrawalAndTransfersBlockedInfoRequest(),
            ),
            (
                KeysStub(channel).GetAuthenticators,
                accountplus.GetAuthenticatorsRequest(account=owner),
            ),
            (KeysStub(channel).Params, accountplus.QueryParamsRequest()),
        )
        said = []
        for call, request in asked:
            try:
                said.append(str(call(request, timeout=5)))
            except grpc.RpcError as error:
                said.append(str(error.code().name))
        return said

    def heard(self) -> list[object]:
        """Every message of the websocket so far, without the name of the connection."""
        found: list[object] = []
        try:
            self.feed.say(type="unsubscribe", channel="v4_block_height")
            while not found or found[-1] != "unsubscribed":
                message = self.feed.hear()
                is_last = message["type"] == "unsubscribed"
                found.append("unsubscribed" if is_last else json.dumps(message["contents"]))
        except ConnectionClosed as closed:
            found.append(closed.rcvd and closed.rcvd.code)
        return found


@contextmanager
def day(*faults: Fault) -> Iterator[Day]:
    with (
        looking(*faults, path=FALLING) as look,
        grpc.insecure_channel(look.venue.endpoints.node) as channel,
    ):
        permit(look.venue)
        with look.feed(*CHANNELS) as feed:
            yield Day(look, Wire(look.venue, channel), feed)


def transcript(*faults: Fault) -> tuple[list[object], list[object]]:
    with day(*faults) as lived:
        for _ in range(BLOCKS):
            lived.block()
        return lived.seen, lived.heard()


@pytest.fixture(scope="module")
def calm() -> tuple[list[object], list[object]]:
    return transcript()


def test_a_calm_day_is_the_same_every_time(calm: tuple[list[object], list[object]]) -> None:
    assert transcript() == calm


@pytest.mark.parametrize("kind", FaultKind)
def test_a_kind_shows(kind: FaultKind, calm: tuple[list[object], list[object]]) -> None:
    seconds = {FaultKind.NODE_SLOW: 0, FaultKind.CHAIN_HALT: 30}.get(kind)
    lived = transcript(Fault(kind=kind, first=FIRST, last=LAST, seconds=seconds, blocks=2))

    assert lived != calm
    assert lived[0][0] == calm[0][0]  # the first block is before it
