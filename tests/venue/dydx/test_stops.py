"""Stops on the wires: bytes that say only what was asked, and what the indexer tells of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from v4_proto.cosmos.tx.v1beta1.tx_pb2 import Tx
from v4_proto.dydxprotocol.accountplus.tx_pb2 import TxExtension
from v4_proto.dydxprotocol.clob.order_pb2 import Order
from v4_proto.dydxprotocol.clob.tx_pb2 import MsgPlaceOrder

from seawall.account import EQUITY_TIERS, RestingOrder, Side
from seawall.action import Backstop
from seawall.units import BaseQuantums, Millis, Subticks
from seawall.venue.dydx import records
from seawall.venue.dydx.grid import Grid
from seawall.venue.dydx.keys import Key, load_key
from seawall.venue.dydx.orders import CLIENT_METADATA, Signer, sign_stop

OWNER = "dydx1n56z5fhmemtffzkt2eqyf9kuc7ycjfs86mvqy7"
NONCE = Millis(1_700_000_000_123)
STOP = Backstop(
    subaccount=128,
    ticker="BTC-USD",
    clob_pair_id=3,
    side=Side.SELL,
    quantums=BaseQuantums(3_000_000),
    trigger_subticks=Subticks(9_500_000_000),
    subticks=Subticks(9_025_000_000),
    good_til_block_time=1_701_209_600,
    timeout_height=120,
    client_id=0xFFFF_FFFE,
)
BTC = Grid(
    ticker="BTC-USD",
    perpetual_id=0,
    clob_pair_id=0,
    atomic_resolution=-10,
    quantum_conversion_exponent=-9,
)
ROW: dict[str, object] = {
    "id": "one",
    "clientId": "5",
    "clobPairId": "0",
    "side": "SELL",
    "size": "0.5",
    "totalFilled": "0",
    "price": "90250",
    "triggerPrice": "95000",
    "type": "STOP_LIMIT",
    "status": "UNTRIGGERED",
    "timeInForce": "IOC",
    "reduceOnly": True,
    "orderFlags": "32",
    "goodTilBlockTime": "2023-11-28T22:13:20.000Z",
    "clientMetadata": str(CLIENT_METADATA),
    "ticker": "BTC-USD",
}


@pytest.fixture(name="key")
def _key(monkeypatch: pytest.MonkeyPatch) -> Key:
    monkeypatch.setenv("KEY", "11" * 32)
    return load_key("env:KEY", "keys.trading")


def signed(key: Key, stop: Backstop = STOP, authenticator: int | None = None) -> Tx:
    signer = Signer(
        chain_id="localdydxprotocol", key=key, account_number=42, authenticator=authenticator
    )
    return Tx.FromString(sign_stop(signer, OWNER, stop, NONCE))


def test_a_stop_is_a_conditional_reduce_only_order_with_one_attempt(key: Key) -> None:
    (packed,) = signed(key).body.messages

    order = MsgPlaceOrder.FromString(packed.value).order
    assert (order.order_id.subaccount_id.owner, order.order_id.subaccount_id.number) == (OWNER, 128)
    assert (order.order_id.client_id, order.order_id.clob_pair_id) == (0xFFFF_FFFE, 3)
    assert order.order_id.order_flags == 32
    assert order.side == Order.Side.SIDE_SELL
    assert (order.quantums, order.subticks) == (3_000_000, 9_025_000_000)
    assert order.condition_type == Order.ConditionType.CONDITION_TYPE_STOP_LOSS
    assert order.conditional_order_trigger_subticks == 9_500_000_000
    assert order.good_til_block_time == 1_701_209_600
    assert order.WhichOneof("good_til_oneof") == "good_til_block_time"
    assert order.time_in_force == Order.TimeInForce.TIME_IN_FORCE_IOC
    assert order.reduce_only is True
    assert order.client_metadata == CLIENT_METADATA
    assert not order.HasField("builder_code_parameters")


def test_a_stop_of_a_short_buys_and_is_a_stop_loss_too(key: Key) -> None:
    (packed,) = signed(key, replace(STOP, side=Side.BUY)).body.messages

    order = MsgPlaceOrder.FromString(packed.value).order
    assert order.side == Order.Side.SIDE_BUY
    assert order.condition_type == Order.ConditionType.CONDITION_TYPE_STOP_LOSS


def test_its_sequence_is_a_moment_and_it_ends_with_its_timeout(key: Key) -> None:
    tx = signed(key, authenticator=9)

    assert tx.auth_info.signer_infos[0].sequence == NONCE >= 2**40
    assert tx.body.timeout_height == 120
    assert list(tx.auth_info.fee.amount) == []
    (packed,) = tx.body.non_critical_extension_options
    assert list(TxExtension.FromString(packed.value).selected_authenticators) == [9]


@pytest.mark.parametrize(
    "broken",
    [
        {"quantums": BaseQuantums(0)},
        {"subticks": Subticks(0)},
        {"trigger_subticks": Subticks(0)},
        {"good_til_block_time": 0},
        {"good_til_block_time": 2**32},
        {"client_id": -1},
    ],
)
def test_nothing_else_can_be_built(key: Key, broken: dict[str, int]) -> None:
    with pytest.raises(AssertionError):
        signed(key, replace(STOP, **broken))  # type: ignore[arg-type]


def told(**changes: object) -> RestingOrder | None:
    return records.resting_order(0, BTC, ROW | changes)


def test_the_indexer_tells_all_that_a_stop_is_known_by() -> None:
    assert told() == RestingOrder(
        subaccount=0,
        ticker="BTC-USD",
        side=Side.SELL,
        quantums=BaseQuantums(5_000_000_000),
        subticks=Subticks(9_025_000_000),
        client_id=5,
        order_flags=32,
        reduce_only=True,
        good_til_block_time=1_701_209_600,
        trigger_subticks=Subticks(9_500_000_000),
        ours=True,
    )


@pytest.mark.parametrize(
    ("status", "is_there", "is_triggered"),
    [
        ("UNTRIGGERED", True, False),
        ("OPEN", True, True),
        ("BEST_EFFORT_OPENED", True, True),
        ("BEST_EFFORT_CANCELED", True, True),  # went off without its position: its id is taken
        ("CANCELED", False, False),
        ("FILLED", False, False),
    ],
)
def test_one_that_went_off_keeps_its_id_and_protects_no_more(
    status: str, *, is_there: bool, is_triggered: bool
) -> None:
    order = told(status=status)

    assert (order is not None) is is_there
    assert order is None or order.is_triggered is is_triggered


def test_other_orders_that_were_best_effort_canceled_are_gone() -> None:
    assert told(status="BEST_EFFORT_CANCELED", orderFlags="64", triggerPrice=None) is None
    assert told(status="BEST_EFFORT_CANCELED", reduceOnly=False) is None


def test_tiers_that_a_node_does_not_tell_are_those_the_chain_began_with() -> None:
    assert [(one.least // 10**6, one.orders) for one in EQUITY_TIERS] == [
        (20, 1),
        (100, 5),
        (1_000, 10),
        (10_000, 100),
        (100_000, 200),
    ]
