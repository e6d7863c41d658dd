"""One contract for every client: the stock library and one by other hands pass the same suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from seawall.simulator.prices import Path as PricePath
from seawall.simulator.serve.launch import Cast
from seawall.units import HOUR, Millis
from tests.contract.client import CONDITIONAL, LONG_TERM, Client, Row, Wanted
from tests.contract.stock import StockClient
from tests.contract.typed import TypedClient
from tests.simulator.serve.running import START, Running, line, running

CLIENTS: Mapping[str, type[Client]] = {"dydx-v4-client": StockClient, "typed-dydx": TypedClient}
FIRST = Millis(START // HOUR * HOUR + HOUR - 3_000)  # three blocks before funding is paid


@pytest.fixture
def venue() -> Iterator[Running]:
    """A trader with $10,000 and no position; BTC gains $10 a block and pays funding on the hour."""
    after = FIRST - START
    prices = {
        "BTC-USD": line((after, 100_000), (after + 600_000, 106_000)),
        "ETH-USD": line((0, 4_000)),
        "SOL-USD": line((0, 200)),
    }
    path = PricePath(prices, start=FIRST, end=Millis(FIRST + HOUR), name="rising")
    with running(path, Cast(accounts=1, equity=Decimal(10_000))) as served:
        chain = served.server.node.chain
        served.do(lambda: chain.set_hourly_rate("BTC-USD", Decimal("0.0001")))
        yield served


@pytest.fixture(params=CLIENTS)
async def client(request: pytest.FixtureRequest, venue: Running) -> AsyncIterator[Client]:
    connected = await CLIENTS[request.param].connect(venue)
    yield connected
    await connected.close()


def decimal(value: object) -> Decimal:
    return Decimal(str(value))


def until(venue: Running, blocks: int = 15) -> int:
    """A good-til-block some blocks from now."""
    height: int = venue.do(lambda: venue.server.node.state.height)
    return height + blocks


def buy(venue: Running, client_id: int = 1, price: int = 101_000) -> Wanted:
    """A tenth of a bitcoin, taken at once where the price allows."""
    return Wanted(client_id=client_id, side="BUY", size="0.1", price=price, good_til=until(venue))


def close(venue: Running, client_id: int) -> Wanted:
    """A reduce-only sale of more than anybody holds here."""
    return Wanted(
        client_id=client_id,
        side="SELL",
        size="5",
        price=99_000,
        good_til=until(venue),
        is_immediate=True,
        reduce_only=True,
    )


async def test_it_reads_markets_books_and_the_clock(venue: Running, client: Client) -> None:
    markets = await client.markets()
    bids, asks = await client.book("BTC-USD")
    lines = await client.sparklines()

    assert list(markets) == ["BTC-USD", "ETH-USD", "SOL-USD"]
    bitcoin = markets["BTC-USD"]
    assert decimal(bitcoin["oraclePrice"]) == 100_000
    assert decimal(bitcoin["stepSize"]) == Decimal("0.0001")
    assert decimal(bitcoin["initialMarginFraction"]) == Decimal("0.02")
    assert str(bitcoin["status"]) == "ACTIVE"
    assert bids[0][0] < 100_000 < asks[0][0]
    assert [price for price, _ in asks] == sorted(price for price, _ in asks)
    assert set(lines) == set(markets)
    assert await client.clob_pairs() == [0, 1, 5]
    assert await client.oracle(0) == 10_000_000_000
    assert await client.block_height() == await client.indexer_height() == 1
    assert await client.time() == datetime.fromtimestamp(FIRST / 1_000, tz=UTC)
    assert await client.compliance() == "COMPLIANT"


async def test_it_reads_candles_trades_and_funding(venue: Running, client: Client) -> None:
    await client.place(buy(venue))
    for _ in range(5):
        venue.next_block()

    newest = (await client.candles("BTC-USD", "1MIN"))[0]
    trades = await client.trades("BTC-USD")
    funding = await client.funding("BTC-USD")
    paid = await client.payments()

    assert decimal(newest["low"]) <= decimal(newest["close"]) <= decimal(newest["high"])
    assert sum(decimal(one["size"]) for one in trades) == Decimal("0.1")
    assert {str(one["side"]) for one in trades} == {"BUY"}
    assert [decimal(one["rate"]) for one in funding] == [Decimal("0.0001")]
    assert [str(one["ticker"]) for one in paid] == ["BTC-USD"]
    assert decimal(paid[0]["payment"]) == -decimal(paid[0]["oraclePrice"]) * Decimal("0.00001")


async def test_an_order_fills_and_is_read_back_from_node_and_indexer(
    venue: Running, client: Client
) -> None:
    refusal = await client.place(buy(venue))
    before = await client.held()
    venue.next_block()

    assert refusal == ""
    assert before == {}  # accepted is not filled
    assert await client.held() == {0: 1_000_000_000}
    account = await client.subaccount()
    position = account["openPerpetualPositions"]["BTC-USD"]
    assert (decimal(position["size"]), str(position["side"])) == (Decimal("0.1"), "LONG")
    assert decimal(account["equity"]) > decimal(account["freeCollateral"]) > 9_000
    filled = await client.orders("FILLED")
    assert [(int(one["clientId"]), decimal(one["totalFilled"])) for one in filled] == [
        (1, Decimal("0.1"))
    ]
    assert (await client.order(filled[0]["id"]))["id"] == filled[0]["id"]
    fills = await client.fills()
    assert {str(one["liquidity"]) for one in fills} == {"TAKER"}
    assert sum(decimal(one["size"]) for one in fills) == Decimal("0.1")
    assert await client.family_fills() == fills
    assert [decimal(one["size"]) for one in await client.positions("OPEN")] == [Decimal("0.1")]


async def test_a_reduce_only_order_closes_and_is_refused_without_a_position(
    venue: Running, client: Client
) -> None:
    refused = await client.place(close(venue, 2))
    await client.place(buy(venue))
    venue.next_block()
    closed = await client.place(close(venue, 3))
    venue.next_block()

    assert "reduce-only" in refused.lower()
    assert closed == ""
    assert await client.held() == {}
    assert await client.positions("OPEN") == []
    (gone,) = await client.positions("CLOSED")
    assert decimal(gone["size"]) == 0
    assert decimal(gone["sumClose"]) == Decimal("0.1")


async def test_a_resting_order_is_open_until_it_is_cancelled(
    venue: Running, client: Client
) -> None:
    resting = buy(venue, price=90_000)

    assert await client.place(resting) == ""
    venue.next_block()
    (open_one,) = await client.orders("BEST_EFFORT_OPENED")
    assert await client.cancel(resting) == ""
    venue.next_block()

    assert (decimal(open_one["price"]), str(open_one["timeInForce"])) == (Decimal(90_000), "GTT")
    for status in ("OPEN", "BEST_EFFORT_OPENED", "CANCELED"):
        assert await client.orders(status) == []  # what ends without a fill leaves no row


async def test_orders_kept_by_the_chain_use_up_sequences(venue: Running, client: Client) -> None:
    second = FIRST // 1_000
    limit = Wanted(
        client_id=7, side="BUY", size="0.1", price=90_000, good_til=second + 600, flags=LONG_TERM
    )
    stop = Wanted(
        client_id=8,
        side="SELL",
        size="0.1",
        price=80_000,
        good_til=second + 600,
        flags=CONDITIONAL,
        is_immediate=True,
        reduce_only=True,
        stop_subticks=9_000_000_000,
    )

    assert await client.place(limit) == ""
    venue.next_block()
    assert await client.place(stop) == ""
    venue.next_block()
    assert await client.cancel(limit) == ""
    venue.next_block()

    assert await client.sequence() == 3
    (waiting,) = await client.orders("UNTRIGGERED")
    assert decimal(waiting["triggerPrice"]) == 90_000
    assert [int(one["clientId"]) for one in await client.orders("CANCELED")] == [7]


async def test_a_deposit_lands_with_the_block(venue: Running, client: Client) -> None:
    before = await client.balance()

    assert await client.deposit(250_000_000) == ""
    venue.next_block()

    assert await client.sequence() == 1
    assert await client.balance() < before - 250_000_000  # gas is paid too
    (asset,) = await client.assets()
    assert (str(asset["side"]), decimal(asset["size"])) == ("LONG", Decimal(10_250))
    (moved,) = await client.transfers()
    assert (str(moved["type"]), decimal(moved["size"])) == ("DEPOSIT", Decimal(250))
    (account,) = await client.subaccounts()
    family = await client.family()
    assert decimal(account["equity"]) == decimal(family["equity"]) == 10_250
    assert [int(one["subaccountNumber"]) for one in family["childSubaccounts"]] == [0]


async def test_profits_are_told_by_the_hour(venue: Running, client: Client) -> None:
    for _ in range(4):
        venue.next_block()

    tick = (await client.profits())[0]

    assert decimal(tick["equity"]) == 10_000
    assert decimal(tick["totalPnl"]) == 0
    assert decimal(tick["netTransfers"]) == 10_000  # what it began with was paid in


async def told(client: Client, venue: Running, channel: str, name: str) -> tuple[Row, Row]:
    """The snapshot of a channel and the first message after an order was filled."""
    async with client.listen(channel, name) as heard:
        await client.place(buy(venue))
        venue.next_block()
        return heard.snapshot, await heard.next()


async def test_the_markets_channel_tells_oracle_prices(venue: Running, client: Client) -> None:
    venue.next_block()  # the oracle follows a block later
    snapshot, news = await told(client, venue, "v4_markets", "")

    assert decimal(snapshot["markets"]["BTC-USD"]["oraclePrice"]) == 100_000
    assert decimal(news["oraclePrices"]["BTC-USD"]["oraclePrice"]) == 100_010


async def test_the_order_book_channel_tells_levels(venue: Running, client: Client) -> None:
    snapshot, news = await told(client, venue, "v4_orderbook", "BTC-USD")

    best = max(decimal(one["price"]) for one in snapshot["bids"])
    assert best < 100_000
    assert {len(level) for level in news["bids"]} == {2}


async def test_the_trades_channel_tells_fills(venue: Running, client: Client) -> None:
    snapshot, news = await told(client, venue, "v4_trades", "BTC-USD")

    assert snapshot == {"trades": []}
    assert sum(decimal(one["size"]) for one in news["trades"]) == Decimal("0.1")


async def test_the_candle_channel_draws(venue: Running, client: Client) -> None:
    venue.next_block()
    snapshot, news = await told(client, venue, "v4_candles", "BTC-USD/1MIN")

    before = snapshot["candles"][0]
    assert before["startedAt"] == news["startedAt"]
    assert decimal(news["baseTokenVolume"]) == Decimal("0.1")


async def test_the_block_height_channel_counts(venue: Running, client: Client) -> None:
    snapshot, news = await told(client, venue, "v4_block_height", "v4_block_height")

    assert (int(snapshot["height"]), int(news["blockHeight"])) == (1, 2)


@pytest.mark.parametrize("channel", ["v4_subaccounts", "v4_parent_subaccounts"])
async def test_the_account_channels_tell_orders_fills_and_positions(
    venue: Running, client: Client, channel: str
) -> None:
    async with client.listen(channel, f"{venue.trader.address}/0") as heard:
        await client.place(buy(venue))
        hearsay = await heard.next()
        venue.next_block()
        snapshot, news = heard.snapshot, await heard.next()

    assert decimal(snapshot["subaccount"]["equity"]) == 10_000
    assert (snapshot["orders"], int(snapshot["blockHeight"])) == ([], 1)
    assert [str(one["status"]) for one in hearsay["orders"]] == ["BEST_EFFORT_OPENED"]
    assert int(news["blockHeight"]) == 2
    assert [str(one["status"]) for one in news["orders"]] == ["FILLED"]
    assert sum(decimal(one["size"]) for one in news["fills"]) == Decimal("0.1")
    (position,) = news["perpetualPositions"]
    assert decimal(position["size"]) == Decimal("0.1")
    (usdc,) = news["assetPositions"]
    assert str(usdc["side"]) == "SHORT" if decimal(usdc["size"]) < 1_000 else "LONG"


async def test_pages_of_the_typed_client_hold_every_fill_once(venue: Running) -> None:
    client = await TypedClient.connect(venue)
    try:
        for client_id in range(1, 6):
            await client.place(buy(venue, client_id))
            venue.next_block()
        known = [str(one["id"]) for one in await client.fills()]
        paged = [str(one["id"]) async for one in client.fills_paged(limit=2)]
    finally:
        await client.close()

    assert len(known) == len(set(known)) >= 5
    assert paged == known[::-1]  # pages begin with the oldest
