"""A look without a feed: advice is asked for, and what nothing backs is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import grpc
import pytest

from seawall.account import IndexerSizes, Missing
from seawall.errors import OperatorError, VenueUnreachable
from seawall.units import BaseQuantums
from seawall.venue.dydx.connection import Connection
from seawall.venue.dydx.survey import Survey, Surveyor
from tests.venue.dydx.fake_indexer import FakeIndexer, block_time, indexing
from tests.venue.dydx.fake_node import OWNER, START_S, FakeNode, serving
from tests.venue.dydx.wires import connection_to, refused

HEIGHT = 100
SUBACCOUNT = "/dydxprotocol.subaccounts.Query/Subaccount"


def child(number: int, ticker: str, size: str) -> dict[str, object]:
    position = {"market": ticker, "side": "LONG", "size": size, "status": "OPEN"}
    return {
        "subaccountNumber": number,
        "updatedAtHeight": "90",
        "latestProcessedBlockHeight": str(HEIGHT),
        "openPerpetualPositions": {ticker: position},
    }


def at_height(height: int, *subaccounts: dict[str, object]) -> FakeIndexer:
    answers: dict[str, object] = {"/height": {"height": str(height), "time": block_time(height)}}
    if subaccounts:
        answers[f"/addresses/{OWNER}"] = {"subaccounts": list(subaccounts)}
    return FakeIndexer(answers=answers)


async def look(
    indexer: FakeIndexer, *nodes: FakeNode, children: Sequence[int] = (), played: bool = True
) -> Survey:
    connection = replace(connection_to(indexer, *nodes), children=tuple(children))
    async with Surveyor(connection, is_played=played) as looking:
        return await looking.look()


async def test_advice_comes_with_the_state_although_there_is_no_feed() -> None:
    indexer = at_height(HEIGHT, child(0, "BTC-USD", "0.1"))
    rates = [{"rate": "0.0001", "effectiveAt": block_time(HEIGHT)}]
    indexer.answers["/historicalFunding/BTC-USD"] = {"historicalFunding": rates}
    async with serving(FakeNode()) as node, indexing(indexer):
        survey = await look(indexer, node)

    advice = survey.observation.advice
    assert isinstance(advice.funding, dict)
    assert advice.funding["BTC-USD"].p90_long == Decimal("0.0001")
    assert advice.indexer_sizes == IndexerSizes(
        height=HEIGHT, quantums={(0, "BTC-USD"): BaseQuantums(10**9)}
    )
    assert survey.markets == {"BTC-USD", "ETH-USD"}
    assert (survey.node_url, survey.indexer_height, survey.notes) == (node.url, HEIGHT, ())


async def test_funding_paid_is_the_last_day_of_every_position() -> None:
    indexer = at_height(HEIGHT, child(0, "BTC-USD", "0.1"))
    now = START_S + HEIGHT
    rows = [
        ("BTC-USD", now - 60, "-1.5"),
        ("ETH-USD", now - 60, "0.25"),
        ("BTC-USD", now - 86_399, "-1"),
        ("BTC-USD", now - 86_401, "-7"),
    ]
    indexer.answers["/fundingPayments"] = {
        "fundingPayments": [
            {"ticker": ticker, "createdAt": block_time(at - START_S), "payment": amount}
            for ticker, at, amount in rows
        ]
    }
    async with serving(FakeNode()) as node, indexing(indexer):
        survey = await look(indexer, node)

    assert survey.paid == {(0, "BTC-USD"): Decimal("2.5"), (0, "ETH-USD"): Decimal("-0.25")}


async def test_payments_that_cannot_be_asked_are_missing_not_zero() -> None:
    indexer = at_height(HEIGHT)
    indexer.statuses["/fundingPayments"] = [403]
    async with serving(FakeNode()) as node, indexing(indexer):
        survey = await look(indexer, node)

    assert isinstance(survey.paid, Missing)


async def test_children_are_found_and_named_ones_are_read_with_the_indexer_down() -> None:
    node = FakeNode(usdc={0: 5_000_000, 128: 7_000_000})
    found = at_height(HEIGHT, child(0, "BTC-USD", "0.1"), child(128, "ETH-USD", "1"))
    down = at_height(HEIGHT)
    down.statuses[f"/addresses/{OWNER}"] = [403] * 9
    async with serving(node), indexing(found), indexing(down):
        listed = await look(found, node)
        remembered = await look(down, node, children=[128])

    assert [one.number for one in listed.observation.subaccounts] == [0, 128]
    assert [one.number for one in remembered.observation.subaccounts] == [0, 128]
    assert listed.notes == ()
    (note,) = remembered.notes
    assert note.startswith("only subaccounts 0, 128 are shown: the indexer cannot be asked")


async def test_a_child_that_appears_between_two_looks_is_read() -> None:
    node = FakeNode(usdc={0: 5_000_000, 128: 7_000_000})
    indexer = at_height(HEIGHT, child(0, "BTC-USD", "0.1"))
    async with (
        serving(node),
        indexing(indexer),
        Surveyor(connection_to(indexer, node), is_played=True) as looking,
    ):
        before = await looking.look()
        both = [child(0, "BTC-USD", "0.1"), child(128, "ETH-USD", "1")]
        indexer.answers[f"/addresses/{OWNER}"] = {"subaccounts": both}
        after = await looking.look()

    assert [one.number for one in before.observation.subaccounts] == [0]
    assert [one.number for one in after.observation.subaccounts] == [0, 128]


@pytest.mark.parametrize(("height", "shown"), [(HEIGHT + 10, True), (HEIGHT + 11, False)])
async def test_a_node_behind_the_indexer_shows_no_number(height: int, shown: bool) -> None:  # noqa: FBT001 - a table
    indexer = at_height(height)
    async with serving(FakeNode()) as node, indexing(indexer):
        if shown:
            assert (await look(indexer, node)).observation.height == HEIGHT
            return
        message = await refused(look(indexer, node), VenueUnreachable)

    assert f"{node.url} is at height 100 while the indexer is at 111: it is syncing" in message
    assert "none of its numbers are shown" in message


async def test_another_node_is_read_where_the_first_lags() -> None:
    indexer = at_height(HEIGHT + 50)
    async with (
        serving(FakeNode()) as behind,
        serving(FakeNode(height=HEIGHT + 50)) as ahead,
        indexing(indexer),
    ):
        survey = await look(indexer, behind, ahead)

    assert (survey.node_url, survey.observation.height) == (ahead.url, HEIGHT + 50)


async def test_an_old_state_needs_somebody_to_say_that_it_is_the_newest() -> None:
    silent = FakeIndexer()
    backed = at_height(HEIGHT)
    async with serving(FakeNode()) as node, indexing(silent), indexing(backed):
        message = await refused(look(silent, node, played=False), VenueUnreachable)
        survey = await look(backed, node, played=False)

    assert "no indexer says whether there is a newer one" in message
    assert len(survey.notes) == 1
    assert "block 100 is the newest and" in survey.notes[0]
    assert survey.notes[0].endswith("old: the chain stands still")


async def test_a_node_that_says_it_is_syncing_shows_no_number() -> None:
    indexer = at_height(HEIGHT)
    async with serving(FakeNode(is_syncing=True)) as node, indexing(indexer):
        message = await refused(look(indexer, node), VenueUnreachable)

    assert message == f"{node.url}: it says that it is still syncing"


async def test_another_node_is_read_where_the_first_is_syncing() -> None:
    indexer = at_height(HEIGHT)
    async with (
        serving(FakeNode(is_syncing=True)) as syncing,
        serving(FakeNode()) as ready,
        indexing(indexer),
    ):
        survey = await look(indexer, syncing, ready)

    assert survey.node_url == ready.url


async def test_an_indexer_far_behind_is_said() -> None:
    indexer = at_height(HEIGHT - 11)
    async with serving(FakeNode()) as node, indexing(indexer):
        survey = await look(indexer, node)

    assert survey.notes == ("the indexer is 11 blocks behind: what it says is as old",)


async def test_a_market_that_is_not_listed_is_refused_with_those_that_are() -> None:
    indexer = at_height(HEIGHT)
    async with serving(FakeNode()) as node, indexing(indexer):
        wanted: Connection = replace(
            connection_to(indexer, node), markets=frozenset({"BTCC-USD", "ETH-USD"})
        )
        async with Surveyor(wanted, is_played=True) as looking:
            message = await refused(looking.look(), OperatorError)

    assert message == "the venue lists no market BTCC-USD; it has BTC-USD, ETH-USD"


async def test_a_state_that_cannot_be_read_is_no_survey() -> None:
    node = FakeNode(failing={SUBACCOUNT: grpc.StatusCode.UNAVAILABLE})
    indexer = at_height(HEIGHT)
    async with serving(node), indexing(indexer):
        message = await refused(look(indexer, node), VenueUnreachable)

    assert "as told" in message


async def test_a_position_in_a_market_that_the_node_lacks_makes_sizes_missing() -> None:
    indexer = at_height(HEIGHT, child(0, "PEPE-USD", "1"))
    async with serving(FakeNode()) as node, indexing(indexer):
        survey = await look(indexer, node)

    sizes = survey.observation.advice.indexer_sizes
    assert isinstance(sizes, Missing)
    assert "PEPE-USD" in sizes.reason


def book(*, bid: str, ask: str) -> dict[str, object]:
    return {"bids": [{"price": bid, "size": "1"}], "asks": [{"price": ask, "size": "2"}]}


def order(ticker: str) -> dict[str, object]:
    return {
        "id": "o",
        "ticker": ticker,
        "clobPairId": "0",
        "clientId": "7",
        "clientMetadata": "0",
        "orderFlags": "64",
        "side": "BUY",
        "size": "0.5",
        "totalFilled": "0.1",
        "price": "40000",
        "status": "OPEN",
        "reduceOnly": False,
        "goodTilBlockTime": block_time(HEIGHT + 1_000),
    }


async def test_books_of_held_markets_and_resting_orders_are_asked_for() -> None:
    indexer = at_height(HEIGHT, child(0, "BTC-USD", "0.1"))
    indexer.answers["/orderbooks/perpetualMarket/BTC-USD"] = book(bid="49990", ask="50010")
    indexer.answers["/orders"] = [order("BTC-USD")]
    async with serving(FakeNode()) as node, indexing(indexer):
        survey = await look(indexer, node)

    advice = survey.observation.advice
    assert list(advice.books) == ["BTC-USD"]
    assert not isinstance(advice.orders, Missing)
    (resting,) = advice.orders
    assert (resting.ticker, resting.client_id, resting.quantums) == ("BTC-USD", 7, 4 * 10**9)
    (asked,) = [one for one in indexer.requests if one.startswith("/v4/orders?")]
    assert "status=OPEN" in asked


async def test_a_market_with_nothing_but_an_order_is_read() -> None:
    indexer = at_height(HEIGHT, child(0, "BTC-USD", "0.1"))
    indexer.answers["/orders"] = [order("ETH-USD") | {"clobPairId": "1", "price": "3000"}]
    async with serving(FakeNode()) as node, indexing(indexer):
        survey = await look(indexer, node)

    assert survey.observation.markets.keys() == {"BTC-USD", "ETH-USD"}


async def test_an_order_in_a_market_that_the_node_lacks_makes_orders_missing() -> None:
    indexer = at_height(HEIGHT, child(0, "BTC-USD", "0.1"))
    indexer.answers["/orders"] = [order("DOGE-USD")]
    async with serving(FakeNode()) as node, indexing(indexer):
        survey = await look(indexer, node)

    assert isinstance(survey.observation.advice.orders, Missing)
    assert "DOGE-USD" in survey.observation.advice.orders.reason
    assert survey.observation.advice.books == {}


async def test_books_are_not_asked_for_faster_than_the_indexer_allows() -> None:
    indexer = at_height(HEIGHT, child(0, "BTC-USD", "0.1"))
    indexer.answers["/orderbooks/perpetualMarket/BTC-USD"] = book(bid="49990", ask="50010")
    async with (
        serving(FakeNode()) as node,
        indexing(indexer),
        Surveyor(connection_to(indexer, node), is_played=True) as looking,
    ):
        first, second = [await looking.look() for _ in range(2)]

    assert first.observation.advice.books == second.observation.advice.books
    assert len([one for one in indexer.requests if "/orderbooks/" in one]) == 1
