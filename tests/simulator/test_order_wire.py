"""Order fields that the installed package does not know: read as the v9 chain reads them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.protobuf.message import DecodeError
from v4_proto.dydxprotocol.clob.order_pb2 import BuilderCodeParameters, Order
from v4_proto.dydxprotocol.clob.tx_pb2 import MsgPlaceOrder

from seawall.account import Side
from seawall.simulator import messages
from seawall.simulator.messages import BuilderCode, TwapParameters
from seawall.simulator.order_wire import read_extras
from tests.simulator.serve.signing import Envelope
from tests.simulator.serve.signing import order as wire_order
from tests.simulator.stage import (
    ALICE,
    BOB,
    COIN,
    START,
    chain_of,
    give,
    limit,
    next_block,
    order,
    usdc,
)
from tests.simulator.test_transactions import ALICE as TRADER
from tests.simulator.test_transactions import Stand

BUILDER = BuilderCode(address="dydx1builder", fee_ppm=1_000)
SCHEDULE = TwapParameters(duration_s=600, interval_s=60, tolerance_ppm=10_000)


def with_field(number: int, inner: bytes) -> bytes:
    """An order's bytes with one more field of bytes."""
    known: bytes = Order(quantums=1, good_til_block_time=5).SerializeToString()
    return known + bytes([number << 3 | 2, len(inner)]) + inner


def test_twelve_is_a_schedule_thirteen_a_builder_and_fourteen_a_router() -> None:
    schedule = b"\x08\xd8\x04\x10\x3c\x18\x90\x4e"  # 600, 60, 10,000
    builder = b"\x0a\x0cdydx1builder\x10\xe8\x07"

    assert read_extras(with_field(12, schedule)).twap == SCHEDULE
    assert read_extras(with_field(13, builder)).builder == BUILDER
    assert read_extras(with_field(14, b"dydx1router")).router == "dydx1router"


def test_a_builder_code_of_the_old_package_cannot_be_read_by_the_chain() -> None:
    code = BuilderCodeParameters(builder_address="dydx1builder", fee_ppm=10)
    old = Order(quantums=1, builder_code_parameters=code).SerializeToString()

    with pytest.raises(DecodeError, match="wrong wireType"):
        read_extras(old)


def test_the_node_answers_it_as_it_answers_all_that_it_cannot_read() -> None:
    stand = Stand()
    placed = wire_order(TRADER)
    assert isinstance(placed, MsgPlaceOrder)
    placed.order.builder_code_parameters.builder_address = TRADER.address

    assert stand.send(Envelope(key=TRADER, fee=0).sign(placed)) == ("sdk", 2)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (replace(order(), router="dydx1router"), 11000),
        (replace(order(), builder=replace(BUILDER, fee_ppm=0)), 50),
        (replace(order(), builder=replace(BUILDER, fee_ppm=10_001)), 50),
        (replace(order(), builder=replace(BUILDER, address="")), 50),
        (replace(order(), builder=BUILDER), 0),
        (replace(order(), twap=SCHEDULE), 12),
    ],
)
def test_builder_codes_and_routers_are_judged(changed: messages.PlaceOrder, code: int) -> None:
    assert chain_of().check(changed).code == code


@pytest.mark.parametrize(
    ("schedule", "code"),
    [
        (None, 12),
        (replace(SCHEDULE, interval_s=29), 12),
        (replace(SCHEDULE, duration_s=299), 12),
        (replace(SCHEDULE, duration_s=630, interval_s=60), 12),
        (replace(SCHEDULE, tolerance_ppm=1_000_000), 12),
        (SCHEDULE, 0),
    ],
)
def test_the_schedule_of_a_twap_order_is_judged(schedule: TwapParameters | None, code: int) -> None:
    asked = order(flags=messages.TWAP, good_til_block_time=START // 1_000 + 3_600)

    assert chain_of().check(replace(asked, twap=schedule)).code == code


@pytest.mark.parametrize("is_taker", [True, False])
def test_a_builder_is_paid_on_top_by_the_orders_owner(*, is_taker: bool) -> None:
    def spent(builder: BuilderCode | None) -> int:
        chain = chain_of()
        chain.set_quoting("BTC-USD", frozenset())
        give(chain, BOB, COIN)
        bid = replace(limit(Side.BUY, COIN // 10, 99_000), builder=builder)
        ask = limit(Side.SELL, COIN // 10, 99_000, who=BOB, client_id=2)
        for one in (ask, bid) if is_taker else (bid, ask):
            assert chain.check(one).is_accepted
        before = usdc(chain, ALICE)
        next_block(chain)
        return before - usdc(chain, ALICE)

    extra = spent(BUILDER) - spent(None)

    assert extra == 9_900 * 1_000  # 0.1% of $9,900, in quote quantums
