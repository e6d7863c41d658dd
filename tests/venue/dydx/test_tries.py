"""Orders of any guard are known by their ids, filled or not: how a standby sees the first live."""

from __future__ import annotations

import pytest

from seawall.action import client_id, good_til_block, window_named
from seawall.venue.dydx.fields import Fields
from seawall.venue.dydx.mirror import Channel, Mirror
from tests.venue.dydx.fake_node import OWNER
from tests.venue.dydx.mirrors import NAME, ORDER, Clock, account
from tests.venue.dydx.test_grid import BTC, ETH

CHAIN_ID = "dydx-testnet-4"
WINDOW = 17


def mirror() -> Mirror:
    made = Mirror(OWNER, Clock(), chain_id=CHAIN_ID)
    made.know([BTC, ETH])
    return made


def order(window: int = WINDOW, pair: int = 0, other: Fields | None = None) -> dict[str, object]:
    """What the feed tells of a guard's order that found nobody."""
    kept = {k: v for k, v in ORDER.items() if k not in ("ticker", "goodTilBlockTime")}
    return kept | {
        "clientId": str(client_id(CHAIN_ID, OWNER, 0, pair, window)),
        "clobPairId": str(pair),
        "status": "BEST_EFFORT_CANCELED",
        "orderFlags": "0",
        "goodTilBlock": str(good_til_block(window)),
        **(other or {}),
    }


@pytest.mark.parametrize("status", ["BEST_EFFORT_OPENED", "BEST_EFFORT_CANCELED", "FILLED"])
def test_an_order_of_a_guard_is_told_whatever_became_of_it(status: str) -> None:
    made = mirror()

    account(made, {"orders": [order(other={"status": status}), order(window=18, pair=1)]})
    before = made.tries.told()
    account(made, {"orders": [order(window=19)]})

    assert before == {(0, "BTC-USD"): 17, (0, "ETH-USD"): 18}
    assert made.tries.told() == {(0, "BTC-USD"): 19, (0, "ETH-USD"): 18}


def test_a_snapshot_tells_them_too() -> None:
    made = mirror()

    made.apply_snapshot(Channel.SUBACCOUNTS, NAME, {"orders": [order()]})

    assert made.tries.told() == {(0, "BTC-USD"): 17}


@pytest.mark.parametrize(
    "other",
    [
        {"clientId": "77"},
        {"goodTilBlock": str(good_til_block(WINDOW) - 1)},
        {"goodTilBlock": str(good_til_block(WINDOW + 1))},
        {"goodTilBlock": None},
        {"orderFlags": "64"},
        {"orderFlags": None},
    ],
)
def test_an_order_of_the_trader_is_none(other: Fields) -> None:
    made = mirror()

    account(made, {"orders": [order(other=other)]})

    assert made.tries.told() == {}


@pytest.mark.parametrize("until", range(good_til_block(WINDOW - 1), good_til_block(WINDOW + 1)))
def test_a_window_is_named_by_its_id_and_its_last_block_alone(until: int) -> None:
    client = client_id(CHAIN_ID, OWNER, 0, 0, WINDOW)

    named = window_named(CHAIN_ID, OWNER, 0, 0, client=client, until=until)

    assert named == (WINDOW if until == good_til_block(WINDOW) else None)
