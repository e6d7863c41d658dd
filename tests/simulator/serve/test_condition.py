"""Faults of the indexer over REST and websocket: each shows as it does in process."""

from __future__ import annotations

from datetime import datetime

import pytest
from websockets.exceptions import ConnectionClosed

from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.schedule import Fault
from tests.simulator.serve.looking import STEP, looking


def fault(
    kind: FaultKind,
    first: int = 2,
    last: int = 3,
    blocks: int | None = None,
    seconds: int | None = None,
) -> Fault:
    return Fault(kind=kind, first=first, last=last, blocks=blocks, seconds=seconds)


def test_a_stale_indexer_stands_still_until_it_is_so_old_and_then_catches_up() -> None:
    with looking(fault(FaultKind.INDEXER_STALE, last=5, blocks=3)) as look:
        rest, told = [], []
        with look.feed() as feed:
            for _ in range(6):
                look.next()
                rest.append(look.height)
            told = [int(feed.until_height()[-1]["contents"]["blockHeight"]) for _ in range(6)]

    assert rest == [2, 2, 2, 2, 3, 7]
    assert told == [2, 3, 4, 5, 6, 7]  # late, and none left out


def test_a_torn_indexer_shows_old_positions_under_its_newest_height() -> None:
    with looking(fault(FaultKind.INDEXER_TORN, first=4, last=5, blocks=2)) as look:
        look.next(2)
        look.sell()
        look.next()
        before = look.size
        look.next()  # the fault begins one block after the sale
        torn = look.size, look.account["latestProcessedBlockHeight"]
        look.next(2)

        assert before == look.held == look.size
        assert torn == (look.held + STEP, "5")


def test_a_silent_feed_skips_the_blocks_of_its_silence_and_rest_goes_on() -> None:
    with looking(fault(FaultKind.INDEXER_SILENT)) as look, look.feed() as feed:
        rest = []
        for _ in range(4):
            look.next()
            rest.append(look.height)
        told = [feed.until_height()[-1]["contents"]["blockHeight"] for _ in range(2)]

    assert rest == [2, 3, 4, 5]
    assert told == ["2", "5"]


def test_what_falls_into_a_gap_is_never_shown_though_the_position_is() -> None:
    with looking(fault(FaultKind.INDEXER_GAP, first=2, last=2)) as look:
        look.next()
        with look.feed("v4_subaccounts") as feed:
            look.sell()
            look.next()
            (news, _) = feed.until_height()
        look.next(3)

        assert set(news["contents"]) == {"perpetualPositions", "assetPositions", "blockHeight"}
        assert look.size == look.held
        assert look.rows("fills", "fills") == []
        assert look.get("orders").json() == []


def test_records_and_messages_come_in_the_wrong_order() -> None:
    with looking(fault(FaultKind.INDEXER_REORDERED, first=3, last=3)) as look:
        fills, orders = [], []
        with look.feed("v4_subaccounts") as feed:
            for _ in range(4):
                look.sell()
                look.next()
                fills.append([one["createdAtHeight"] for one in look.rows("fills", "fills")])
                orders.append([one["clientId"] for one in look.get("orders").json()])
            channels = [feed.hear()["channel"] for _ in range(8)]

    assert fills == [["2"], ["3", "2"], ["2", "3", "4"], ["5", "4", "3", "2"]]
    assert orders[2] == ["1", "2", "3"]
    usual = ["v4_subaccounts", "v4_block_height"]
    assert channels == [*usual, *usual, *usual[::-1], *usual]


def test_a_crashed_indexer_cuts_its_connections_and_refuses_rest() -> None:
    with looking(fault(FaultKind.INDEXER_CRASH, first=1, last=1)) as look, look.feed() as feed:
        look.next()
        status = look.get("height").status_code
        with pytest.raises(ConnectionClosed) as closed:
            feed.hear()
        look.next()
        after = look.height

    assert status == 503
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    assert after == 3


def test_a_limited_rest_says_429_with_milliseconds_and_the_feed_goes_on() -> None:
    with looking(fault(FaultKind.INDEXER_RATE_LIMITED, first=1, last=1)) as look:
        before = look.get("height")
        with look.feed() as feed:
            look.next()
            during = look.get("height")
            told = feed.until_height()[-1]["contents"]["blockHeight"]

    assert before.status_code == 200
    assert during.status_code == 429
    assert during.json() == {"errors": [{"msg": "Too many requests"}]}
    assert 1_000 < int(during.headers["Retry-After"]) <= 10_000
    assert during.headers["RateLimit-Remaining"] == "0"
    assert told == "2"


def test_a_blocked_address_gets_403_and_its_channel_an_error_and_the_chain_goes_on() -> None:
    with looking(fault(FaultKind.INDEXER_BLOCKED, first=1, last=1)) as look:
        look.next()
        owner = look.venue.trader.address
        refused = [
            look.get(path) for path in ("fills", "orders", "transfers", f"addresses/{owner}")
        ]
        screened = look.get(f"compliance/screen/{owner}").json()
        with look.feed() as feed:
            said = feed.subscribe("v4_subaccounts", f"{owner}/0")
        public = look.get("perpetualMarkets").status_code
        look.next()
        after = look.get("fills").status_code

    assert {one.status_code for one in refused} == {403}
    assert {one.json()["errors"][0]["code"] for one in refused} == {"COMPLIANCE_BLOCKED"}
    assert screened["status"] == "BLOCKED"
    assert said["type"] == "error"
    assert (public, after) == (200, 200)


def test_a_withdrawal_is_on_the_chain_before_it_is_shown() -> None:
    with looking(fault(FaultKind.WITHDRAWAL_LATE, first=1, last=1, blocks=4)) as look:
        look.next()  # the fault takes money out, which runs in the next block
        shown, told = [], []
        with look.feed("v4_subaccounts") as feed:
            for _ in range(6):
                look.next()
                shown.append(len(look.rows("transfers", "transfers")))
                contents = [one["contents"] for one in feed.until_height()]
                told.append(sum("transfers" in one for one in contents))
        (late,) = look.rows("transfers", "transfers")

    assert shown == [0, 0, 0, 0, 1, 1]
    assert told == [0, 0, 0, 0, 1, 0]
    assert (late["type"], late["createdAtHeight"]) == ("WITHDRAWAL", "3")


def test_a_crossed_book_stands_on_its_head_in_rest_and_feed_and_then_on_its_feet() -> None:
    with looking(fault(FaultKind.BOOK_CROSSED, first=1, last=1)) as look:
        tops = []
        with look.feed("v4_orderbook") as feed:
            before = look.get("orderbooks/perpetualMarket/BTC-USD").json()
            for _ in range(2):
                look.next()
                book = look.get("orderbooks/perpetualMarket/BTC-USD").json()
                tops.append((float(book["bids"][0]["price"]), float(book["asks"][0]["price"])))
            told = [feed.until_height()[0]["contents"]["bids"] for _ in range(2)]
        after = look.get("orderbooks/perpetualMarket/BTC-USD").json()

    assert tops[0][0] > tops[0][1]
    assert tops[1][0] < tops[1][1]
    assert after == before
    assert told[1] == [[told[0][0][0], "0"]]  # the level that crossed is taken back


def test_to_an_agents_clock_that_is_ahead_the_indexers_is_behind() -> None:
    with looking(fault(FaultKind.CLOCK_SKEW, first=1, last=1, seconds=5)) as look:
        offs, heights = [], []
        for _ in range(3):
            time = look.venue.do(lambda: look.venue.server.node.state.time)
            offs.append(look.get("time").json()["epoch"] - time / 1_000)
            told = datetime.fromisoformat(look.get("height").json()["time"])
            heights.append(told.timestamp() - time / 1_000)
            look.next()

    assert offs == heights == [0, -5, 0]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (FaultKind.LIQUIDATION, "LIQUIDATED"),
        (FaultKind.DELEVERAGING, "DELEVERAGED"),
        (FaultKind.SECOND_TRADER, "LIMIT"),
    ],
)
def test_accidents_show_as_fills_of_their_kind(kind: FaultKind, shown: str) -> None:
    with looking(fault(kind, first=1, last=1)) as look, look.feed("v4_subaccounts") as feed:
        look.next(4)
        fills = look.rows("fills", "fills")
        told = [
            fill
            for _ in range(4)
            for message in feed.until_height()
            for fill in message["contents"].get("fills", [])
        ]

    assert {fill["type"] for fill in fills} == {shown}
    assert sorted(fill["id"] for fill in told) == sorted(fill["id"] for fill in fills)
