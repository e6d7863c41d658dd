"""REST of no account and of families: candles, payments, parents, compression."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from seawall.simulator import setup
from seawall.simulator.prices import Path as PricePath
from seawall.simulator.serve.launch import Cast
from seawall.units import HOUR, Millis
from tests.simulator.serve.running import START, Running, line, running

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "dydx" / "indexer_samples" / "nautilus"
Shape = Any  # JSON of any shape


@pytest.fixture(scope="module")
def venue() -> Iterator[Running]:
    """A long trader with a child, half an hour before a funding hour on a falling price."""
    start = START // HOUR * HOUR + HOUR - 3_000
    after = start - START
    prices = {
        "BTC-USD": line((after, 100_000), (after + 6_000, 99_000)),
        "ETH-USD": line((0, 4_000)),
        "SOL-USD": line((0, 200)),
    }
    path = PricePath(prices, start=Millis(start), end=Millis(start + HOUR), name="falling")
    cast = Cast(accounts=1, equity=Decimal(10_000), leverage=Decimal(2))
    with running(path, cast) as served:
        chain, owner = served.server.node.chain, served.trader.address
        served.do(lambda: setup.fund(chain, owner, 128, Decimal(500)))
        served.do(lambda: chain.set_hourly_rate("BTC-USD", Decimal("0.0001")))
        for _ in range(5):
            served.next_block()
        yield served


def get(venue: Running, path: str, **query: str) -> Shape:
    return httpx.get(f"{venue.endpoints.rest}/v4/{path}", params=query).json()


def asked(venue: Running, key: str = "subaccountNumber") -> dict[str, str]:
    return {"address": venue.trader.address, key: "0"}


def test_candles_follow_the_price_from_high_to_low(venue: Running) -> None:
    minutes = get(venue, "candles/perpetualMarkets/BTC-USD", resolution="1MIN")["candles"]
    hours = get(venue, "candles/perpetualMarkets/BTC-USD", resolution="1HOUR")["candles"]

    assert len(minutes) == 2
    assert minutes[0]["startedAt"] > minutes[1]["startedAt"]
    assert Decimal(minutes[1]["open"]) > Decimal(minutes[1]["close"])
    assert Decimal(minutes[0]["low"]) == Decimal(minutes[0]["close"])
    assert hours[0]["open"] == minutes[0]["open"]


def test_candles_of_a_day_hold_all_of_its_minutes(venue: Running) -> None:
    minutes = get(venue, "candles/perpetualMarkets/BTC-USD", resolution="1MIN")["candles"]
    hours = get(venue, "candles/perpetualMarkets/BTC-USD", resolution="4HOURS")["candles"]

    lows = [Decimal(one["low"]) for one in minutes]
    assert min(Decimal(one["low"]) for one in hours) == min(lows)
    assert hours[0]["close"] == minutes[0]["close"]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared folder is not here")
def test_a_candle_has_the_keys_of_the_real_one(venue: Running) -> None:
    real = json.loads((SAMPLES / "http_get_candles.json").read_text())["result"]

    ours = get(venue, "candles/perpetualMarkets/BTC-USD", resolution="1MIN")

    assert set(real["candles"][0]) == set(ours["candles"][0])


def test_a_wrong_resolution_is_a_400(venue: Running) -> None:
    answer = httpx.get(
        f"{venue.endpoints.rest}/v4/candles/perpetualMarkets/BTC-USD?resolution=2MINS"
    )

    assert answer.status_code == 400
    assert "1MIN" in answer.json()["errors"][0]["msg"]


def test_a_long_pays_funding_on_the_hour(venue: Running) -> None:
    paid = get(venue, "fundingPayments", **asked(venue))["fundingPayments"]

    assert [one["ticker"] for one in paid] == ["BTC-USD"]
    size, price = Decimal(paid[0]["size"]), Decimal(paid[0]["oraclePrice"])
    assert Decimal(paid[0]["payment"]) == -size * price * Decimal("0.0001")
    assert paid[0]["side"] == "LONG"
    assert get(
        venue, "fundingPayments/parentSubaccount", **asked(venue, "parentSubaccountNumber")
    ) == {"fundingPayments": paid}


def test_parent_paths_hold_the_children(venue: Running) -> None:
    query = asked(venue, "parentSubaccountNumber")

    assets = get(venue, "assetPositions/parentSubaccountNumber", **query)["positions"]
    positions = get(venue, "perpetualPositions/parentSubaccountNumber", **query)["positions"]

    assert [one["subaccountNumber"] for one in assets] == [0, 128]
    assert {one["market"] for one in positions} == {"BTC-USD", "ETH-USD", "SOL-USD"}
    assert get(venue, "orders/parentSubaccountNumber", **query) == []
    assert get(venue, "fills/parentSubaccountNumber", **query) == {"fills": []}
    assert get(venue, "transfers/parentSubaccountNumber", **query) == {"transfers": []}


def test_a_child_is_no_parent(venue: Running) -> None:
    query = f"address={venue.trader.address}&parentSubaccountNumber=128"
    answer = httpx.get(f"{venue.endpoints.rest}/v4/fills/parentSubaccountNumber?{query}")

    assert answer.status_code == 400


@pytest.mark.parametrize("number", ["9" * 5_000, "%D9%A3", "1e3", "-1"])
@pytest.mark.parametrize(
    "query", ["subaccountNumber={}", "subaccountNumber=0&limit={}", "subaccountNumber=0&page={}"]
)
def test_what_is_no_number_is_a_400(venue: Running, query: str, number: str) -> None:
    path = f"fills?address={venue.trader.address}&{query.format(number)}"

    answer = httpx.get(f"{venue.endpoints.rest}/v4/{path}")

    assert answer.status_code == 400
    assert list(answer.json()) == ["errors"]


def test_rest_is_compressed_for_whoever_takes_it(venue: Running) -> None:
    url = f"{venue.endpoints.rest}/v4/perpetualMarkets"

    zipped = httpx.get(url, headers={"Accept-Encoding": "gzip"})
    plain = httpx.get(url, headers={"Accept-Encoding": "identity"})

    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert zipped.json() == plain.json()


def test_the_candle_channel_draws_the_bar_of_each_block(venue: Running) -> None:
    with connect(venue.endpoints.websocket) as feed:
        feed.send(json.dumps({"type": "subscribe", "channel": "v4_candles", "id": "BTC-USD/5MINS"}))
        feed.recv(5)
        snapshot = json.loads(feed.recv(5))
        venue.next_block()
        news = json.loads(feed.recv(5))

    assert snapshot["contents"]["candles"][0]["resolution"] == "5MINS"
    assert news["version"] == "1.0.0"
    before, now = snapshot["contents"]["candles"][0], news["contents"]
    assert now["startedAt"] == before["startedAt"]
    assert Decimal(now["close"]) <= Decimal(before["close"])
