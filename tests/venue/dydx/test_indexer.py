"""Reads of the indexer are retried, bounded in time, and unknown is told from empty."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from seawall.account import Missing
from seawall.errors import MalformedAnswer, NoSuchSubaccount, VenueUnreachable
from seawall.units import Millis
from seawall.venue.dydx import indexer as indexer_module
from seawall.venue.dydx.funding import FundingRates, p90
from seawall.venue.dydx.indexer import FundingPayment, Indexer
from tests.venue.dydx.fake_indexer import FakeIndexer, indexing
from tests.venue.dydx.fake_node import OWNER
from tests.venue.dydx.wires import refused

SUBACCOUNT = {
    "subaccountNumber": 128,
    "equity": "1e9",
    "updatedAtHeight": "90",
    "latestProcessedBlockHeight": "100",
    "openPerpetualPositions": {
        "ETH-USD": {"market": "ETH-USD", "side": "SHORT", "size": "-2.5", "status": "OPEN"}
    },
}


async def test_subaccounts_come_with_signed_sizes_and_their_own_height() -> None:
    server = FakeIndexer(answers={f"/addresses/{OWNER}": {"subaccounts": [SUBACCOUNT]}})
    async with indexing(server):
        indexer = Indexer([server.url])

        found = await indexer.subaccounts(OWNER)

        await indexer.close()
    assert found[128].height == 100
    assert found[128].sizes == {"ETH-USD": Decimal("-2.5")}


async def test_an_unknown_address_is_told_from_an_empty_one() -> None:
    server = FakeIndexer(answers={f"/addresses/{OWNER}": {"subaccounts": []}})
    async with indexing(server):
        indexer = Indexer([server.url])

        empty = await indexer.subaccounts(OWNER)
        message = await refused(indexer.subaccounts("dydx1unknown"), NoSuchSubaccount)

        await indexer.close()
    assert empty == {}
    assert "knows no subaccount of dydx1unknown" in message


async def test_records_of_an_unknown_subaccount_are_none() -> None:
    async with indexing(FakeIndexer()) as server:
        indexer = Indexer([server.url])

        assert await indexer.fills(OWNER, 0) == []
        assert await indexer.transfers(OWNER, 0) == []
        assert await indexer.orders(OWNER, 0) == []

        await indexer.close()


async def test_a_busy_indexer_is_asked_again_after_its_milliseconds() -> None:
    server = FakeIndexer(answers={"/height": {"height": "7"}}, statuses={"/height": [429, 429]})
    async with indexing(server):
        indexer = Indexer([server.url])

        started = time.monotonic()
        assert await indexer.height() == 7
        assert time.monotonic() - started < 1.0  # Retry-After: 20 is in milliseconds

        await indexer.close()
    assert len(server.requests) == 3


async def test_a_broken_host_is_left_for_the_next() -> None:
    first = FakeIndexer(statuses={"/height": [500, 500]})
    second = FakeIndexer(answers={"/height": {"height": "7"}})
    async with indexing(first), indexing(second):
        indexer = Indexer([first.url, second.url])

        assert await indexer.height() == 7
        assert await indexer.height() == 7

        await indexer.close()
    assert (len(first.requests), len(second.requests)) == (1, 2)


async def test_a_refusal_is_not_repeated() -> None:
    server = FakeIndexer(statuses={"/height": [403, 403]})
    async with indexing(server):
        indexer = Indexer([server.url])

        message = await refused(indexer.height(), VenueUnreachable)

        await indexer.close()
    assert "status 403" in message
    assert len(server.requests) == 1


async def test_nobody_there_is_unreachable_after_three_attempts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(indexer_module, "PAUSE_S", 0.001)
    indexer = Indexer(["http://127.0.0.1:1"])

    message = await refused(indexer.height(), VenueUnreachable)

    await indexer.close()
    assert message.startswith("http://127.0.0.1:1/v4/height: ConnectError")


@pytest.mark.parametrize("body", [b"[]", b"{}", b"<html>", b'{"height": 1.5}'])
async def test_nonsense_is_malformed(body: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    indexer = Indexer(["http://host"], transport=transport)

    await refused(indexer.height(), MalformedAnswer)

    await indexer.close()


async def test_addresses_are_written_into_paths_safely() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"bids": [], "asks": [], "historicalFunding": []})

    indexer = Indexer(["https://host/v4/"], transport=httpx.MockTransport(answer))

    await indexer.order_book("A/B USD")
    await indexer.funding_rates("BTC-USD")

    await indexer.close()
    assert seen == [
        "https://host/v4/orderbooks/perpetualMarket/A%2FB%20USD",
        "https://host/v4/historicalFunding/BTC-USD?limit=168",
    ]


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([1], 1),
        (list(range(1, 11)), 9),  # nine in ten are at most 9
        (list(range(1, 12)), 10),
        (list(range(168)), 151),
    ],
)
def test_p90_is_what_nine_hours_in_ten_do_not_exceed(rates: list[int], expected: int) -> None:
    assert p90([Decimal(rate) for rate in rates]) == expected


def rates_of(*written: str) -> dict[str, object]:
    """Rates an hour apart, newest first."""
    newest = datetime(2026, 3, 12, 12, tzinfo=UTC)
    rows = [
        {"rate": rate, "effectiveAt": (newest - timedelta(hours=back)).isoformat()}
        for back, rate in enumerate(written)
    ]
    return {"historicalFunding": rows}


async def test_rates_from_before_a_gap_are_not_of_the_week() -> None:
    answer = rates_of("0.1", "0.2", "9")
    rows = answer["historicalFunding"]
    assert isinstance(rows, list)
    rows[2]["effectiveAt"] = "2026-03-05T12:00:00+00:00"  # a week to the hour
    server = FakeIndexer(answers={"/historicalFunding/BTC-USD": answer})
    async with funding_from(server, [Millis(0)]) as funding:
        await funding.refresh(["BTC-USD"])

        told = funding.told({})

    assert isinstance(told, dict)
    assert told["BTC-USD"].p90_long == Decimal("0.2")


async def test_payments_are_read_with_their_sign_and_moment() -> None:
    row = {"ticker": "BTC-USD", "createdAt": "2026-03-12T12:00:00.5Z", "payment": "-1.25"}
    server = FakeIndexer(answers={"/fundingPayments": {"fundingPayments": [row]}})
    async with indexing(server):
        indexer = Indexer([server.url])
        payments = await indexer.funding_payments("dydx1", 128)
        await indexer.close()

    at = Millis(1_773_316_800_500)
    assert payments == [FundingPayment(ticker="BTC-USD", at=at, amount=Decimal("-1.25"))]
    assert server.requests == ["/v4/fundingPayments?address=dydx1&subaccountNumber=128&limit=1000"]


@asynccontextmanager
async def funding_from(server: FakeIndexer, clock: list[Millis]) -> AsyncIterator[FundingRates]:
    async with indexing(server):
        indexer = Indexer([server.url])
        yield FundingRates(indexer, lambda: clock[0])
        await indexer.close()


async def test_receipts_are_not_netted_against_what_was_paid() -> None:
    rows = rates_of("0.00001", "-0.00002", "0.00003")
    server = FakeIndexer(answers={"/historicalFunding/BTC-USD": rows})
    async with funding_from(server, [Millis(0)]) as funding:
        await funding.refresh(["BTC-USD", "ETH-USD"])

        told = funding.told({"BTC-USD": Decimal("0.00005"), "ETH-USD": Decimal(1)})

    assert isinstance(told, dict)
    assert set(told) == {"BTC-USD"}
    assert told["BTC-USD"].rate == Decimal("0.00005")
    assert told["BTC-USD"].p90_long == Decimal("0.00003")
    assert told["BTC-USD"].p90_short == Decimal("0.00002")


@pytest.mark.parametrize(
    ("passed", "reads"),
    [(3_599_999, 1), (3_600_000, 2)],
)
async def test_rates_are_read_again_once_an_hour(passed: int, reads: int) -> None:
    server = FakeIndexer(answers={"/historicalFunding/BTC-USD": rates_of("0.1")})
    clock = [Millis(0)]
    async with funding_from(server, clock) as funding:
        await funding.refresh(["BTC-USD"])
        clock[0] = Millis(passed)
        await funding.refresh(["BTC-USD"])

    assert len(server.requests) == reads


async def test_rates_that_do_not_come_are_asked_for_a_minute_later() -> None:
    server = FakeIndexer()
    clock = [Millis(0)]
    async with funding_from(server, clock) as funding:
        await funding.refresh(["BTC-USD"])
        clock[0] = Millis(59_999)
        too_soon = funding.due(["BTC-USD"])
        clock[0] = Millis(60_000)

        assert (too_soon, funding.due(["BTC-USD"])) == ([], ["BTC-USD"])
        assert isinstance(funding.told({}), Missing)


async def test_a_market_without_a_history_is_told_by_this_hours_estimate() -> None:
    server = FakeIndexer(answers={"/historicalFunding/BTC-USD": rates_of()})
    async with funding_from(server, [Millis(0)]) as funding:
        await funding.refresh(["BTC-USD"])

        told = funding.told({"BTC-USD": Decimal("-0.002")})

    assert isinstance(told, dict)
    assert told["BTC-USD"].p90_short == Decimal("0.002")
    assert told["BTC-USD"].p90_long == 0
