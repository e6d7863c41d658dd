"""Lists of REST: filters by time, height and kind, pages, ends of transfers, closed positions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from seawall.simulator.keys import demo_key
from seawall.simulator.messages import SubaccountId, Transfer
from seawall.units import BaseQuantums
from tests.simulator.serve.looking import Look, looking
from tests.simulator.serve.running import START
from tests.simulator.serve.signing import Envelope, order


@pytest.fixture(scope="module")
def look() -> Iterator[Look]:
    """Five blocks, each with a sale; the third with money moved to a child and money taken out."""
    with looking() as seen:
        for block in range(5):
            seen.sell()
            if block == 2:
                seen.withdraw(100)
                to_child(seen)
            if block == 3:
                rest_an_order(seen)
            seen.next()
        yield seen


def rest_an_order(look: Look) -> None:
    trader, node = look.venue.trader, look.venue.server.node
    raw = Envelope(key=trader, fee=0).sign(order(trader, 77, good_til_block=30))
    assert look.venue.do(lambda: node.admission.broadcast(raw)).result.is_accepted


def to_child(look: Look) -> None:
    node, owner = look.venue.server.node, look.venue.trader.address
    moved = Transfer(
        sender=SubaccountId(owner=owner, number=0),
        recipient=SubaccountId(owner=owner, number=128),
        amount=50_000_000,
    )
    assert look.venue.do(lambda: node.chain.check(moved)).is_accepted


def heights(rows: list[dict[str, str]]) -> list[int]:
    return [int(one["createdAtHeight"]) for one in rows]


def at(block: int) -> str:
    """The time of a block, as a query says it."""
    return datetime.fromtimestamp(START / 1_000 + block - 1, tz=UTC).isoformat()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [6, 5, 4, 3, 2]),
        ({"limit": 2}, [6, 5]),
        ({"createdBeforeOrAtHeight": 4}, [4, 3, 2]),
        ({"createdBeforeOrAt": at(3)}, [3, 2]),
        ({"market": "BTC-USD", "marketType": "PERPETUAL", "limit": 1}, [6]),
        ({"market": "ETH-USD", "marketType": "PERPETUAL"}, []),
        ({"limit": 2, "page": 1}, [2, 3]),  # with a page, the oldest come first
        ({"limit": 2, "page": 3}, [6]),
        ({"limit": 2, "page": 4}, []),
    ],
)
def test_fills_are_those_that_are_asked_for(
    look: Look, query: dict[str, object], expected: list[int]
) -> None:
    assert heights(look.rows("fills", "fills", **query)) == expected


def test_a_page_says_how_much_there_is(look: Look) -> None:
    body = look.get("fills", limit=2, page=2).json()

    assert (body["pageSize"], body["totalResults"], body["offset"]) == (2, 5, 2)
    assert set(look.get("fills", limit=2).json()) == {"fills"}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"limit": 0}, "not greater than max: 1000"),
        ({"limit": 1_001}, "not greater than max: 1000"),
        ({"page": 0}, "page must be"),
        ({"createdBeforeOrAtHeight": -1}, "createdBeforeOrAtHeight must be"),
        ({"createdBeforeOrAt": "yesterday"}, "createdBeforeOrAt must be"),
        ({"market": "BTC-USD"}, "marketType must be provided if market is provided"),
        ({"marketType": "PERPETUAL"}, "market must be provided if marketType is provided"),
        ({"subaccountNumber": 128_001}, "less than 128001"),
        ({"address": "dydx1/x"}, "address must be a valid dydx address"),
    ],
)
def test_what_cannot_be_asked_is_a_400_that_says_so(
    look: Look, query: dict[str, object], said: str
) -> None:
    refused = look.get("fills", **query)

    assert refused.status_code == 400
    assert said in refused.json()["errors"][0]["msg"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["77", "5", "4", "3", "2", "1"]),  # by the end of their life, the latest first
        ({"returnLatestOrders": "false"}, ["1", "2", "3", "4", "5", "77"]),
        ({"status": "BEST_EFFORT_OPENED"}, ["77"]),
        ({"status": "FILLED,BEST_EFFORT_OPENED", "limit": 2}, ["77", "5"]),
        ({"side": "BUY"}, ["77"]),
        ({"ticker": "ETH-USD"}, []),
        ({"type": "LIMIT", "goodTilBlockBeforeOrAt": 8}, ["3", "2", "1"]),
        ({"type": "STOP_LIMIT"}, []),
        ({"goodTilBlockTimeBeforeOrAt": at(9)}, []),
    ],
)
def test_orders_are_those_that_are_asked_for(
    look: Look, query: dict[str, object], expected: list[str]
) -> None:
    assert [one["clientId"] for one in look.get("orders", **query).json()] == expected


def test_transfers_have_a_side_and_between_children_a_family_has_none(look: Look) -> None:
    own = look.rows("transfers", "transfers")
    family = look.rows("transfers/parentSubaccountNumber", "transfers", parentSubaccountNumber=0)
    child = look.rows("transfers", "transfers", subaccountNumber=128)

    assert [one["type"] for one in own] == ["TRANSFER_OUT", "WITHDRAWAL"]
    assert [one["type"] for one in family] == ["WITHDRAWAL"]
    assert [one["type"] for one in child] == ["TRANSFER_IN"]
    assert look.rows("transfers", "transfers", createdBeforeOrAtHeight=3) == []


def test_transfers_between_two_accounts_add_up(look: Look) -> None:
    owner = look.venue.trader.address
    ends = {"sourceAddress": owner, "recipientAddress": owner}
    there = look.get(
        "transfers/between", **ends, sourceSubaccountNumber=0, recipientSubaccountNumber=128
    ).json()
    back = look.get(
        "transfers/between", **ends, sourceSubaccountNumber=128, recipientSubaccountNumber=0
    ).json()

    assert there["totalNetTransfers"] == "50"
    assert back["totalNetTransfers"] == "-50"
    assert [one["size"] for one in there["transfersSubset"]] == ["50"]


def test_an_unknown_account_is_404_alone_and_empty_in_lists(look: Look) -> None:
    nobody = demo_key(99, "nobody").address
    one = look.get(f"addresses/{nobody}/subaccountNumber/0")
    fills = look.get("fills", address=nobody)

    assert one.status_code == 404
    assert (fills.status_code, fills.json()) == (200, {"fills": []})


def test_a_closed_position_is_kept_and_said_to_be_closed() -> None:
    with looking() as seen:
        node, owner = seen.venue.server.node, seen.venue.trader.address
        held = seen.venue.do(lambda: node.state.subaccount(owner, 0).quantums(0))
        seen.venue.do(
            lambda: node.chain.assign(
                SubaccountId(owner=owner, number=0), "BTC-USD", BaseQuantums(-held)
            )
        )
        seen.next()
        closed = seen.rows("perpetualPositions", "positions", status="CLOSED")
        open_ones = seen.rows("perpetualPositions", "positions", status="OPEN")
        both = seen.rows("perpetualPositions", "positions", status="OPEN,CLOSED")

    assert [(one["market"], one["status"], one["size"]) for one in closed] == [
        ("BTC-USD", "CLOSED", "0")
    ]
    assert closed[0]["closedAt"] is not None
    assert {one["market"] for one in open_ones} == {"ETH-USD", "SOL-USD"}
    assert len(both) == 3
