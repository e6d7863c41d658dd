"""Faults of the node over gRPC: what is read, what is sent, and what a rule waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

import grpc
import pytest
from dydx_v4_client.key_pair import KeyPair
from google.protobuf.message import Message
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as tendermint
from v4_proto.cosmos.base.tendermint.v1beta1.query_pb2_grpc import ServiceStub
from v4_proto.cosmos.tx.v1beta1 import service_pb2 as service
from v4_proto.cosmos.tx.v1beta1.service_pb2_grpc import ServiceStub as TxStub
from v4_proto.dydxprotocol.accountplus import query_pb2 as accountplus
from v4_proto.dydxprotocol.accountplus.query_pb2_grpc import QueryStub as KeysStub
from v4_proto.dydxprotocol.clob.order_pb2 import Order
from v4_proto.dydxprotocol.clob.tx_pb2 import MsgPlaceOrder

from seawall.simulator.faults.kinds import FaultKind, When
from seawall.simulator.faults.schedule import Fault, Faults
from seawall.simulator.keys import DemoKey, demo_key
from seawall.simulator.messages import CONDITIONAL, AddAuthenticator
from seawall.simulator.serve.failing import FailingNode
from seawall.simulator.serve.launch import Cast
from seawall.simulator.serve.node import Node
from tests.simulator.faults.day import day_of
from tests.simulator.serve.running import START, Running, running
from tests.simulator.serve.signing import Envelope, cancel, deposit, order

COIN = 10_000_000_000
SOLD = 1_000_000  # quantums
HOT = demo_key(7, "guard")


def schedule(kind: FaultKind, first: int = 2, last: int = 3, blocks: int | None = None) -> Faults:
    return Faults(faults=(Fault(kind=kind, first=first, last=last, blocks=blocks),))


def by_rule(kind: FaultKind, when: When = When.SEND, seconds: int | None = None) -> Faults:
    """A fault of the block in which something is sent for the first time."""
    return Faults(faults=(Fault(kind=kind, first=0, last=0, when=when, seconds=seconds),))


@dataclass(slots=True)
class Wire:
    """A venue with a trader who is long, and a channel to its node."""

    venue: Running
    channel: grpc.Channel

    def latest(self) -> int | str:
        """The node's newest height, or the name of the gRPC status it failed with."""
        asked = tendermint.GetLatestBlockRequest()
        try:
            answer = ServiceStub(self.channel).GetLatestBlock(asked, timeout=5)
        except grpc.RpcError as error:
            return str(error.code().name)
        return int(answer.block.header.height)

    def send(self, raw: bytes) -> str:
        """What the node says to a broadcast: a code with its codespace, or a gRPC status."""
        asked = service.BroadcastTxRequest(tx_bytes=raw, mode=service.BROADCAST_MODE_SYNC)
        try:
            answer = TxStub(self.channel).BroadcastTx(asked, timeout=5).tx_response
        except grpc.RpcError as error:
            return str(error.code().name)
        return f"{answer.codespace} {answer.code}".strip()

    def reduce(self, key: DemoKey | None = None, client_id: int = 5, **envelope: object) -> bytes:
        """A reduce-only sale at the market."""
        signer = key or self.venue.trader
        return Envelope(key=signer, fee=0, **envelope).sign(  # type: ignore[arg-type]
            sale(self.venue.trader, client_id)
        )

    def deposit(self, sequence: int = 0) -> bytes:
        return Envelope(key=self.venue.trader, sequence=sequence).sign(
            deposit(self.venue.trader, 5_000_000)
        )

    @property
    def size(self) -> int:
        """BTC that the trader holds, in quantums, on the chain itself."""
        node = self.venue.server.node
        return self.venue.do(
            lambda: node.state.subaccount(self.venue.trader.address, 0).quantums(0)
        )

    def next(self) -> None:
        self.venue.next_block()


def sale(trader: DemoKey, client_id: int) -> Message:
    placed = order(trader, client_id=client_id).order  # type: ignore[attr-defined]
    placed.side = Order.Side.SIDE_SELL
    placed.quantums = SOLD
    placed.subticks = 9_000_000_000
    placed.time_in_force = Order.TimeInForce.TIME_IN_FORCE_IOC
    placed.reduce_only = True
    message: Message = MsgPlaceOrder(order=placed)
    return message


def stop(trader: DemoKey) -> Message:
    message = sale(trader, client_id=6)
    placed = message.order  # type: ignore[attr-defined]
    placed.order_id.order_flags = CONDITIONAL
    placed.good_til_block_time = START // 1_000 + 3_600
    placed.condition_type = Order.ConditionType.CONDITION_TYPE_STOP_LOSS
    placed.conditional_order_trigger_subticks = 9_500_000_000
    return message


@contextmanager
def wired(faults: Faults) -> Iterator[Wire]:
    cast = Cast(accounts=1, equity=Decimal(10_000), leverage=Decimal(3))
    with (
        running(cast=cast, faults=faults) as venue,
        grpc.insecure_channel(venue.endpoints.node) as channel,
    ):
        yield Wire(venue, channel)


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (FaultKind.NODE_UNAVAILABLE, [2, "UNAVAILABLE", "UNAVAILABLE", 5]),
        (FaultKind.NODE_DROPS, [2, "DEADLINE_EXCEEDED", 4, 5]),
        (FaultKind.NODE_FROZEN, [2, 2, 2, 5]),
        (FaultKind.NODE_SYNCING, [2, 2, 2, 5]),
    ],
)
def test_the_node_shows_what_its_fault_says(kind: FaultKind, shown: list[int | str]) -> None:
    found = []
    with wired(schedule(kind)) as wire:
        for _ in range(4):
            wire.next()
            found.append(wire.latest())

    assert found == shown


def test_a_node_behind_answers_with_an_older_height() -> None:
    found = []
    with wired(schedule(FaultKind.NODE_BEHIND, blocks=2)) as wire:
        for _ in range(4):
            wire.next()
            found.append(wire.latest())

    assert found == [2, 1, 2, 5]


def test_a_syncing_node_says_so_and_takes_nothing() -> None:
    with wired(schedule(FaultKind.NODE_SYNCING, first=1)) as wire:
        wire.next()
        answer = ServiceStub(wire.channel).GetSyncing(tendermint.GetSyncingRequest(), timeout=5)
        reply = wire.send(wire.reduce())

    assert answer.syncing
    assert reply == "UNAVAILABLE"


def test_a_slow_node_answers_late() -> None:
    slow = Fault(kind=FaultKind.NODE_SLOW, first=1, last=1, seconds=1)
    with wired(Faults(faults=(slow,))) as wire:
        quick = _seconds(wire.latest)
        wire.next()
        late = _seconds(wire.latest)

    assert quick < 1 <= late


def _seconds(call: Callable[[], object]) -> float:
    start = time.monotonic()
    call()
    return time.monotonic() - start


def test_what_is_sent_to_a_slow_node_arrives_blocks_later_without_an_answer() -> None:
    with wired(by_rule(FaultKind.NODE_SLOW, seconds=0)) as wire:
        before = wire.size
        reply = wire.send(wire.reduce())
        sizes = []
        for _ in range(3):
            wire.next()
            sizes.append(before - wire.size)

    assert reply == "DEADLINE_EXCEEDED"
    assert sizes == [0, 0, SOLD]


@pytest.mark.parametrize(
    ("kind", "reply", "sold"),
    [
        (FaultKind.BROADCAST_LOST, "DEADLINE_EXCEEDED", 0),
        (FaultKind.NODE_UNAVAILABLE, "UNAVAILABLE", 0),
        (FaultKind.NODE_DROPS, "DEADLINE_EXCEEDED", 0),
        (FaultKind.ANSWER_LOST, "DEADLINE_EXCEEDED", SOLD),
        (FaultKind.ACCEPTED_LOST, "0", 0),
        (FaultKind.NODE_FROZEN, "0", 0),
        (FaultKind.DELIVERED_TWICE, "sdk 19", SOLD),
    ],
)
def test_a_sent_order_is_answered_and_filled_as_the_fault_says(
    kind: FaultKind, reply: str, sold: int
) -> None:
    with wired(by_rule(kind)) as wire:
        before = wire.size
        said = wire.send(wire.reduce())
        wire.next()
        wire.next()

        assert (said, before - wire.size) == (reply, sold)


@pytest.mark.parametrize("kind", [FaultKind.ACCEPTED_LOST, FaultKind.NODE_FROZEN])
def test_a_node_that_loses_transactions_judges_them_and_knows_them_again(kind: FaultKind) -> None:
    with wired(schedule(kind, first=0, last=1)) as wire:
        before = wire.size
        lost = wire.reduce()
        said = [wire.send(raw) for raw in (lost, lost, b"\xff\xff", wire.reduce(chain_id="other"))]
        wire.next()
        wire.next()
        after = wire.send(lost)
        wire.next()

        assert said == ["0", "sdk 19", "sdk 2", "sdk 4"]
        assert (after, before - wire.size) == ("sdk 19", 0)


@pytest.mark.parametrize(
    ("when", "waited"),
    [
        (When.CANCEL, "cancel"),
        (When.REDUCE, "reduce"),
        (When.TOP_UP, "deposit"),
        (When.BACKSTOP, "stop"),
    ],
)
def test_a_fault_by_rule_waits_for_what_is_sent(when: When, waited: str) -> None:
    with wired(by_rule(FaultKind.BROADCAST_LOST, when)) as wire:
        trader = wire.venue.trader
        sent = {
            "order": Envelope(key=trader, fee=0).sign(order(trader, 9)),
            "cancel": Envelope(key=trader, fee=0).sign(cancel(trader, 9)),
            "reduce": wire.reduce(),
            "deposit": wire.deposit(),
            "stop": Envelope(key=trader, fee=0, sequence=START).sign(stop(trader)),
        }
        waits_for = sent.pop(waited)

        before = {wire.send(raw) for raw in sent.values()}
        lost = wire.send(waits_for)

    assert before == {"0"}
    assert lost == "DEADLINE_EXCEEDED"


def test_a_used_sequence_refuses_the_deposit_once() -> None:
    with wired(by_rule(FaultKind.SEQUENCE_MISMATCH, When.TOP_UP)) as wire:
        refused = wire.send(wire.deposit())
        wire.next()
        again = wire.send(wire.deposit(sequence=1))

    assert (refused, again) == ("sdk 32", "0")


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        (FaultKind.KEY_REVOKED, "dydxaccountplus 1"),
        (FaultKind.SMART_ACCOUNTS_OFF, "dydxaccountplus 4"),
    ],
)
def test_a_permissioned_key_loses_its_right_and_the_owner_does_not(
    kind: FaultKind, reply: str
) -> None:
    with wired(schedule(kind, first=1, last=1)) as wire:
        permit(wire.venue)
        keys = KeysStub(wire.channel)
        seen = [_rights(keys, wire)]
        wire.next()
        seen.append(_rights(keys, wire))
        said = wire.send(wire.reduce(HOT, authenticators=[0]))
        own = wire.send(wire.reduce())
        wire.next()
        seen.append(_rights(keys, wire))
        after = wire.send(wire.reduce(HOT, authenticators=[0], memo="once more"))

    assert said == reply
    assert own == "0"
    assert seen[0] == seen[2] == (1, True)
    assert seen[1] == ((0, True) if kind is FaultKind.KEY_REVOKED else (1, False))
    assert after != reply


def _rights(keys: KeysStub, wire: Wire) -> tuple[int, bool]:
    """How many permissioned keys the trader has, and whether such keys work at all."""
    asked = accountplus.GetAuthenticatorsRequest(account=wire.venue.trader.address)
    params = keys.Params(accountplus.QueryParamsRequest(), timeout=5).params
    count = len(keys.GetAuthenticators(asked, timeout=5).account_authenticators)
    return count, bool(params.is_smart_account_active)


def permit(venue: Running) -> None:
    """Let the hot key sign for the trader, from the next block on."""
    public = KeyPair.from_mnemonic(HOT.mnemonic).public_key_bytes
    asked = AddAuthenticator(sender=venue.trader.address, kind="SignatureVerification", data=public)
    chain = venue.server.node.chain

    def add() -> None:
        assert chain.permissions.carry_out(asked).is_accepted
        chain.set_smart_accounts(is_active=True)  # commits what was added

    venue.do(add)


def test_a_clock_that_is_off_sees_blocks_of_another_time() -> None:
    day = day_of(Fault(kind=FaultKind.CLOCK_SKEW, first=1, last=1, seconds=5))
    node = Node(day.player)
    failing = FailingNode(node, day.player.trouble)

    offs = []
    for _ in range(3):
        offs.append(failing.state(node.state).time - node.state.time)
        node.step()

    assert offs == [0, -5_000, 0]


def test_blocks_that_are_an_agents_clock_are_told_as_they_are() -> None:
    skew = Fault(kind=FaultKind.CLOCK_SKEW, first=0, last=99, seconds=5)
    with running(faults=Faults(faults=(skew,))) as venue:
        node = venue.server.node

        def off() -> int:
            return node.shown_state(node.state).time - node.state.time

        assert venue.do(lambda: list(venue.server.pace.guards)) == ["test"]
        assert venue.do(off) == 0
        venue.do(lambda: venue.server.pace.detach("test"))
        assert venue.do(off) == -5_000
