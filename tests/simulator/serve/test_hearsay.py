"""Orders that a node took are told at once, and taken back where no block ever tells of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import grpc
import pytest
from v4_proto.cosmos.tx.v1beta1 import service_pb2 as service
from v4_proto.cosmos.tx.v1beta1.service_pb2_grpc import ServiceStub

from seawall.account import Side
from seawall.simulator.events import OrderStatus
from seawall.simulator.messages import (
    SHORT_TERM,
    CancelOrder,
    OrderId,
    PlaceOrder,
    SubaccountId,
)
from seawall.simulator.serve.server import ServeSettings
from tests.simulator.serve.looking import Look, looking
from tests.simulator.serve.samples import Shape
from tests.simulator.serve.signing import Envelope, cancel, order


@pytest.fixture(params=[0, 2], ids=["rest at once", "rest behind"])
def look(request: pytest.FixtureRequest) -> Iterator[Look]:
    with looking(settings=ServeSettings(speed=0, rest_lag=request.param)) as seen:
        yield seen


def send(look: Look, raw: bytes) -> int:
    with grpc.insecure_channel(look.venue.endpoints.node) as channel:
        asked = service.BroadcastTxRequest(tx_bytes=raw, mode=service.BROADCAST_MODE_SYNC)
        return int(ServiceStub(channel).BroadcastTx(asked, timeout=5).tx_response.code)


def rest_an_order(look: Look, until: int = 8) -> int:
    trader = look.venue.trader
    return send(look, Envelope(key=trader, fee=0).sign(order(trader, 9, good_til_block=until)))


def statuses(messages: list[Shape]) -> list[str]:
    return [one["status"] for m in messages for one in m["contents"].get("orders", [])]


def test_an_order_is_told_before_its_block_and_not_again_with_it(look: Look) -> None:
    with look.feed("v4_subaccounts") as feed:
        code = rest_an_order(look)
        hearsay = feed.hear()
        listed = look.get("orders").json()
        look.next()
        block = feed.until_height()

    assert code == 0
    assert statuses([hearsay]) == ["BEST_EFFORT_OPENED"]
    assert [one["status"] for one in listed] == ["BEST_EFFORT_OPENED"]
    assert statuses(block) == []


def test_a_family_hears_it_with_its_childs_number(look: Look) -> None:
    with look.feed("v4_parent_subaccounts") as feed:
        rest_an_order(look)
        hearsay = feed.hear()

    assert hearsay["subaccountNumber"] == 0
    assert statuses([hearsay]) == ["BEST_EFFORT_OPENED"]


def test_a_refused_order_is_never_told(look: Look) -> None:
    with look.feed("v4_subaccounts") as feed:
        code = rest_an_order(look, until=200)  # beyond the window
        look.next()

        assert code != 0
        assert statuses(feed.until_height()) == []


def test_a_cancel_is_told_before_its_block_and_not_again_with_it(look: Look) -> None:
    trader = look.venue.trader
    with look.feed("v4_subaccounts") as feed:
        rest_an_order(look)
        look.next()
        first = [feed.hear(), *feed.until_height()]
        send(look, Envelope(key=trader, fee=0).sign(cancel(trader, 9, 9)))
        hearsay = feed.hear()
        listed = look.get("orders").json()
        look.next()
        block = feed.until_height()

    assert statuses(first) == ["BEST_EFFORT_OPENED"]
    assert statuses([hearsay]) == ["BEST_EFFORT_CANCELED"]
    assert hearsay["contents"]["orders"][0]["removalReason"].endswith("USER_CANCELED")
    assert listed == []
    assert statuses(block) == []


def test_a_cancel_of_nothing_is_not_told(look: Look) -> None:
    trader = look.venue.trader
    with look.feed("v4_subaccounts") as feed:
        send(look, Envelope(key=trader, fee=0).sign(cancel(trader, 44, 9)))
        look.next()

        assert statuses(feed.until_height()) == []


def test_an_order_may_fill_after_its_cancel_was_told(look: Look) -> None:
    node = look.venue.server.node
    taken = replace(never_sent(look), subticks=11_000_000_000, good_til_block=9)
    gone = CancelOrder(order_id=taken.order_id, good_til_block=9)
    with look.feed("v4_subaccounts") as feed:
        assert look.venue.do(lambda: node.chain.check(taken)).is_accepted
        look.venue.do(lambda: node.on_accepted((taken, gone)))  # the cancel came too late
        look.next()
        told = [feed.hear(), feed.hear(), *feed.until_height()]

    assert statuses(told) == ["BEST_EFFORT_OPENED", "BEST_EFFORT_CANCELED", "FILLED"]


def test_what_no_block_ever_tells_of_expires(look: Look) -> None:
    node = look.venue.server.node
    lost = never_sent(look)
    with look.feed("v4_subaccounts") as feed:
        look.venue.do(lambda: node.on_accepted((lost,)))  # heard of, and never in a block
        told = [feed.hear()]
        for _ in range(3):
            look.next()
            told += feed.until_height()
    orders = [one for m in told for one in m["contents"].get("orders", [])]

    assert [one["status"] for one in orders] == ["BEST_EFFORT_OPENED", OrderStatus.CANCELED.value]
    assert orders[-1]["removalReason"] == "ORDER_REMOVAL_REASON_INDEXER_EXPIRED"
    look.next(2)  # the replica's turn
    assert look.get("orders").json() == []


def never_sent(look: Look) -> PlaceOrder:
    return PlaceOrder(
        order_id=OrderId(
            subaccount=SubaccountId(owner=look.venue.trader.address, number=0),
            client_id=33,
            order_flags=SHORT_TERM,
            clob_pair_id=0,
        ),
        side=Side.BUY,
        quantums=10_000_000,
        subticks=5_000_000_000,
        good_til_block=3,
    )
