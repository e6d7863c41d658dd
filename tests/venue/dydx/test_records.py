"""Fills and transfers are told once, with the sign of what they did."""

from __future__ import annotations

import pytest

from seawall.account import Fill, Missing, Side, Transfer
from seawall.action import stop_ids
from seawall.errors import MalformedAnswer
from seawall.units import BaseQuantums, QuoteQuantums, Subticks
from seawall.venue.dydx.mirror import Channel, Mirror
from seawall.venue.dydx.records import order_uuid, stop_names
from tests.venue.dydx.fake_node import CHAIN_ID, OWNER
from tests.venue.dydx.mirrors import NAME, ORDER, Clock, account, block, lively
from tests.venue.dydx.test_grid import BTC, ETH


def fill(name: str, height: int, **changes: object) -> dict[str, object]:
    return {
        "id": name,
        "ticker": "BTC-USD",
        "side": "SELL",
        "size": "0.1",
        "price": "99000",
        "fee": "-0.002057",
        "type": "LIMIT",
        "createdAtHeight": str(height),
        **changes,
    }


def test_a_fill_is_shown_once_with_its_orders_client_id() -> None:
    mirror = lively()
    account(mirror, {"orders": [ORDER], "fills": [fill("f", 99, orderId="a")]})

    mirror.backfill(0, [fill("f", 99, orderId="a")], [])

    assert mirror.fills() == (
        Fill(
            subaccount=0,
            ticker="BTC-USD",
            side=Side.SELL,
            quantums=BaseQuantums(1_000_000_000),
            subticks=Subticks(9_900_000_000),
            fee=QuoteQuantums(-2_057),
            height=99,
            client_id=77,
        ),
    )


def test_a_fill_of_a_stop_is_known_by_its_name_though_nobody_saw_it_rest() -> None:
    names = stop_names(CHAIN_ID, OWNER, (0, 128), (BTC, ETH))
    (one, other) = stop_ids(CHAIN_ID, OWNER, 0, BTC.clob_pair_id)
    mirror = lively()
    mirror.recognise(names)

    order = order_uuid(OWNER, 0, other, BTC.clob_pair_id, 32)
    mirror.backfill(0, [fill("f", 99, orderId=order), fill("g", 99, orderId="unknown")], [])

    shown = mirror.fills()
    assert not isinstance(shown, Missing)
    assert [f.client_id for f in shown] == [other, None]
    assert len(names) == 8
    assert one != other


def test_a_deleveraging_between_the_units_is_still_told() -> None:
    mirror = lively()

    account(mirror, {"fills": [fill("f", 99, type="DELEVERAGED", price="99000.1234567")]})

    shown = mirror.fills()
    assert not isinstance(shown, Missing)
    assert [f.kind for f in shown] == ["DELEVERAGED"]


def told_after_a_gap(blocks: int) -> list[int]:
    """Heights of told fills so many blocks after the feed came back at 2,000, gone since 1,000."""
    mirror = lively()
    block(mirror, 1_000)
    mirror.forget_live()
    block(mirror, 2_000)
    mirror.apply_snapshot(Channel.SUBACCOUNTS, NAME, {})
    mirror.backfill(0, [fill("before", 399), fill("in it", 1_001), fill("last", 1_999)], [])
    block(mirror, 2_001)
    block(mirror, 2_001 + blocks)
    shown = mirror.fills()
    assert not isinstance(shown, Missing)
    assert mirror.fill_tickers() == ({"BTC-USD"} if shown else set())
    return [one.height for one in shown]


def test_fills_of_a_gap_are_told_for_as_long_as_others() -> None:
    assert told_after_a_gap(0) == [1_001, 1_999]
    assert told_after_a_gap(600) == [1_001, 1_999]
    assert told_after_a_gap(601) == []


def test_fills_since_a_guard_last_looked_are_told() -> None:
    mirror = Mirror(OWNER, Clock())
    mirror.know([BTC])
    mirror.guard((0,))
    mirror.keep_fills_from(50)
    block(mirror, 1_000)
    mirror.apply_snapshot(Channel.SUBACCOUNTS, NAME, {})
    mirror.backfill(0, [fill("seen", 50), fill("missed", 51)], [])

    shown = mirror.fills()

    assert not isinstance(shown, Missing)
    assert [one.height for one in shown] == [51]


def test_old_fills_leave() -> None:
    mirror = lively()
    account(mirror, {"fills": [fill("old", 100)]})

    block(mirror, 700)

    assert mirror.fills() == ()


def transfer(kind: str, **changes: object) -> dict[str, object]:
    return {
        "sender": {"address": OWNER, "subaccountNumber": 0},
        "recipient": {"address": OWNER, "subaccountNumber": 128},
        "size": "120.5",
        "symbol": "USDC",
        "type": kind,
        "createdAtHeight": "90",
        "transactionHash": "AB",
        **changes,
    }


@pytest.mark.parametrize(
    ("number", "kind", "changes", "expected"),
    [
        (0, "TRANSFER_OUT", {}, (-120_500_000, 128)),
        (128, "TRANSFER_IN", {}, (120_500_000, 0)),
        (0, "WITHDRAWAL", {"recipient": {"address": "dydx1x"}}, (-120_500_000, None)),
        (0, "DEPOSIT", {"sender": {"address": OWNER}}, (120_500_000, None)),
        (0, "TRANSFER_OUT", {"recipient": {"address": "dydx1x", "subaccountNumber": 128}},
         (-120_500_000, None)),
    ],
)  # fmt: skip
def test_a_transfer_has_the_sign_of_its_direction(
    number: int, kind: str, changes: dict[str, object], expected: tuple[int, int | None]
) -> None:
    mirror = lively(Clock(), 0, 128)

    account(mirror, {"transfers": transfer(kind, **changes)}, number)

    amount, counterpart = expected
    assert mirror.transfers() == (
        Transfer(
            subaccount=number, amount=QuoteQuantums(amount), height=90, counterpart=counterpart
        ),
    )


def test_a_transfer_of_feed_and_records_is_one() -> None:
    mirror = lively()
    account(mirror, {"transfers": transfer("WITHDRAWAL")})
    record = {key: value for key, value in transfer("WITHDRAWAL").items() if key != "size"}

    mirror.backfill(0, [], [record | {"amount": "120.500", "id": "x"}])

    shown = mirror.transfers()
    assert not isinstance(shown, Missing)
    assert len(shown) == 1


def test_a_transfer_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(MalformedAnswer, match="transfer type 'GIFT'"):
        account(lively(), {"transfers": transfer("GIFT")})


def test_ids_are_the_indexers() -> None:
    # From a recorded fill of the real indexer: order 0f0981cb… of subaccount 5113b9c6….
    assert order_uuid(OWNER, 0, 1_700_756_032, 0, 0) == "0f0981cb-152e-57d3-bea9-4d8e0dd5ed35"
