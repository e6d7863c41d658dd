"""The mirror shows what the feed said, in the chain's integers; silence is never taken for none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall.account import Missing, RestingOrder, Side
from seawall.action import client_id
from seawall.units import BaseQuantums, Millis, Subticks
from seawall.venue.dydx.mirror import Change, Channel, Mirror
from seawall.venue.dydx.orders import CLIENT_METADATA
from seawall.venue.dydx.records import order_uuid
from tests.venue.dydx.fake_node import OWNER
from tests.venue.dydx.mirrors import NAME, ORDER, Clock, account, block, book, lively
from tests.venue.dydx.test_grid import BTC

# --- positions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "side", "status", "expected"),
    [
        ("0.5", "LONG", "OPEN", {(0, "BTC-USD"): 5_000_000_000}),
        ("-0.5", "SHORT", "OPEN", {(0, "BTC-USD"): -5_000_000_000}),  # REST signs
        ("0.5", "SHORT", "OPEN", {(0, "BTC-USD"): -5_000_000_000}),  # the websocket does not
        ("0.5", "LONG", "CLOSED", {}),
        ("0", "LONG", "OPEN", {}),
    ],
)
def test_a_position_has_the_sign_of_its_side(
    size: str, side: str, status: str, expected: dict[tuple[int, str], int]
) -> None:
    mirror = lively()
    position = {"market": "BTC-USD", "size": size, "side": side, "status": status}

    account(mirror, {"perpetualPositions": [position]})

    shown = mirror.sizes()
    assert not isinstance(shown, Missing)
    assert dict(shown.quantums) == expected
    assert shown.height == 100


def test_what_was_not_shown_yet_is_missing_and_not_empty() -> None:
    mirror = Mirror(OWNER, Clock())
    mirror.know([BTC])
    mirror.guard([0, 128])
    reasons = []

    for apply in (
        lambda: None,
        lambda: block(mirror, 100),
        lambda: mirror.apply_snapshot(Channel.SUBACCOUNTS, NAME, {}),
        lambda: mirror.apply_snapshot(Channel.SUBACCOUNTS, f"{OWNER}/128", {}),
    ):
        apply()
        shown = mirror.orders()
        reasons.append(shown.reason if isinstance(shown, Missing) else shown)

    assert reasons == [
        "the feed has not told a block yet",
        "the feed has not shown subaccount 0 yet",
        "the feed has not shown subaccount 128 yet",
        (),
    ]
    assert isinstance(mirror.transfers(), Missing)


def test_a_silent_feed_tells_nothing() -> None:
    clock = Clock()
    mirror = lively(clock)

    clock.now = Millis(clock.now + 10_000)
    at_the_bound = mirror.orders()
    clock.now = Millis(clock.now + 1)

    assert at_the_bound == ()
    for part in (mirror.orders(), mirror.fills(), mirror.transfers(), mirror.sizes()):
        assert isinstance(part, Missing)
        assert "silent for 10 s" in part.reason


def test_a_lost_connection_forgets_what_may_have_changed() -> None:
    mirror = lively()
    book(mirror, [["10", "1"]], [["11", "1"]])
    account(mirror, {"orders": [ORDER]})

    mirror.forget_live()

    assert mirror.books() == {}
    assert isinstance(mirror.orders(), Missing)
    mirror.apply_snapshot(Channel.SUBACCOUNTS, NAME, {})
    assert mirror.orders() == ()
    assert isinstance(mirror.transfers(), Missing)


# --- orders ------------------------------------------------------------------------------------


def test_a_resting_order_shows_what_is_unfilled() -> None:
    mirror = lively()

    account(mirror, {"orders": [ORDER]})

    assert mirror.orders() == (
        RestingOrder(
            subaccount=0,
            ticker="BTC-USD",
            side=Side.SELL,
            quantums=BaseQuantums(3_000_000_000),
            subticks=Subticks(10_100_000_000),
            client_id=77,
            order_flags=64,
            reduce_only=False,
            good_til_block_time=1_700_000_400,
        ),
    )


@pytest.mark.parametrize(("metadata", "ours"), [(str(CLIENT_METADATA), [True]), ("0", [False])])
def test_our_orders_are_known_by_their_metadata(metadata: str, ours: list[bool]) -> None:
    mirror = lively()
    account(mirror, {"orders": [ORDER | {"clientMetadata": metadata}]})

    shown = mirror.orders()

    assert not isinstance(shown, Missing)
    assert [order.ours for order in shown] == ours


@pytest.mark.parametrize("status", ["FILLED", "CANCELED", "BEST_EFFORT_CANCELED", "ERROR"])
def test_an_order_that_can_rest_no_more_is_gone(status: str) -> None:
    mirror = lively()
    account(mirror, {"orders": [ORDER]})

    account(mirror, {"orders": [ORDER | {"status": status}]})

    assert mirror.orders() == ()


def test_a_message_without_a_status_ends_no_order() -> None:
    mirror = lively()
    account(mirror, {"orders": [ORDER]})
    partial = {key: ORDER[key] for key in ("id", "clientId", "clobPairId", "ticker", "size")}

    account(mirror, {"orders": [partial]})

    assert mirror.orders() != ()


def test_a_short_term_order_is_gone_after_its_last_block() -> None:
    mirror = lively()
    order = ORDER | {"orderFlags": "0", "goodTilBlock": "105", "goodTilBlockTime": None}
    account(mirror, {"orders": [order]})
    counts = []

    for height in (104, 105):
        block(mirror, height)
        shown = mirror.orders()
        assert not isinstance(shown, Missing)
        counts.append(len(shown))

    assert counts == [1, 0]


def test_a_conditional_order_has_its_trigger() -> None:
    mirror = lively()
    order = ORDER | {"orderFlags": "32", "status": "UNTRIGGERED", "triggerPrice": "90000"}

    account(mirror, {"orders": [order]})

    shown = mirror.orders()
    assert not isinstance(shown, Missing)
    assert shown[0].trigger_subticks == 9_000_000_000


# --- what wakes a tick -------------------------------------------------------------------------


def test_only_prices_of_watched_markets_wake_a_tick() -> None:
    mirror = lively()
    mirror.watched = frozenset({"BTC-USD"})

    def said(ticker: str) -> Change:
        contents = {"oraclePrices": {ticker: {"oraclePrice": "1", "effectiveAtHeight": "1"}}}
        return mirror.apply_update(Channel.MARKETS, "v4_markets", contents)

    assert (said("BTC-USD"), said("ETH-USD")) == (Change.PRICE, Change.NOTHING)
    assert account(mirror, {}) is Change.ACCOUNT
    assert block(mirror, 101) is Change.BLOCK


def test_the_next_funding_rate_is_kept() -> None:
    mirror = lively()

    mirror.apply_update(
        Channel.MARKETS, "v4_markets", {"trading": {"BTC-USD": {"nextFundingRate": "0.0001"}}}
    )

    assert mirror.next_funding == {"BTC-USD": Decimal("0.0001")}


def test_the_picture_of_a_height_lacks_what_is_still_to_come() -> None:
    mirror = lively()

    assert mirror.lacks(101, []) == "block 101"
    assert mirror.lacks(100, ["BTC-USD"]) == "the book of BTC-USD"
    assert mirror.lacks(100, ["NOT-LISTED"]) is None
    book(mirror, [], [])
    assert mirror.lacks(100, ["BTC-USD"]) is None


def rest_fill(order: str, height: int = 98) -> dict[str, object]:
    """A fill as REST has it: its order is named by the indexer's hash alone."""
    return {
        "id": "f",
        "market": "BTC-USD",
        "side": "SELL",
        "size": "0.1",
        "price": "100000",
        "fee": "1",
        "type": "LIMIT",
        "createdAtHeight": str(height),
        "orderId": order,
    }


@pytest.mark.parametrize(("window", "is_ours"), [(15, False), (16, True), (17, False)])
def test_after_a_restart_a_fill_of_our_window_is_known_by_its_hash(
    window: int, *, is_ours: bool
) -> None:
    mirror = lively()
    mirror.chain_id = "dydx-mainnet-1"
    named = client_id("dydx-mainnet-1", OWNER, 0, 0, window)

    mirror.backfill(0, [rest_fill(order_uuid(OWNER, 0, named, 0, 0))], [])

    fills = mirror.fills()
    assert not isinstance(fills, Missing)
    (fill,) = fills
    assert (fill.client_id, fill.is_foreign) == ((named, False) if is_ours else (None, True))


def test_without_a_chain_nobody_is_called_a_stranger() -> None:
    mirror = lively()

    mirror.backfill(0, [rest_fill("some-order")], [])

    fills = mirror.fills()
    assert not isinstance(fills, Missing)
    assert [(fill.client_id, fill.is_foreign) for fill in fills] == [(None, False)]


def test_fills_after_a_gap_are_missing_until_the_records_of_it_are_in() -> None:
    mirror = lively()
    mirror.forget_live()
    mirror.apply_snapshot(Channel.SUBACCOUNTS, NAME, {})
    block(mirror, 130)
    before = mirror.fills()

    mirror.backfill(0, [rest_fill("panic", height=110)], [])

    after = mirror.fills()
    assert before == Missing(reason="records of subaccount 0 not read yet")
    assert not isinstance(after, Missing)
    assert [fill.height for fill in after] == [110]
