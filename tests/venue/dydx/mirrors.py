"""Mirrors that have heard a block and an empty account, and words to tell them more."""

from __future__ import annotations

from seawall.units import Millis
from seawall.venue.dydx.fields import Fields
from seawall.venue.dydx.mirror import Change, Channel, Mirror
from tests.venue.dydx.fake_node import OWNER
from tests.venue.dydx.test_grid import BTC, ETH

NAME = f"{OWNER}/0"
ORDER: dict[str, object] = {
    "id": "a",
    "clientId": "77",
    "clobPairId": "0",
    "ticker": "BTC-USD",
    "side": "SELL",
    "size": "0.5",
    "totalFilled": "0.2",
    "price": "101000",
    "status": "OPEN",
    "orderFlags": "64",
    "reduceOnly": False,
    "goodTilBlockTime": "2023-11-14T22:20:00.000Z",
    "clientMetadata": "4",
}


class Clock:
    def __init__(self) -> None:
        self.now = Millis(1_000_000)

    def __call__(self) -> Millis:
        return self.now


def lively(clock: Clock | None = None, *numbers: int) -> Mirror:
    mirror = Mirror(OWNER, clock if clock is not None else Clock())
    mirror.know([BTC, ETH])
    mirror.guard(numbers or (0,))
    block(mirror, 100)
    for number in numbers or (0,):
        mirror.apply_snapshot(Channel.SUBACCOUNTS, f"{OWNER}/{number}", {})
        mirror.backfill(number, [], [])
    return mirror


def block(mirror: Mirror, height: int) -> Change:
    contents = {"blockHeight": str(height), "time": "2023-11-14T22:15:00.250Z"}
    return mirror.apply_update(Channel.BLOCK_HEIGHT, "v4_block_height", contents)


def account(mirror: Mirror, contents: Fields, number: int = 0) -> Change:
    return mirror.apply_update(Channel.SUBACCOUNTS, f"{OWNER}/{number}", contents)


def book(mirror: Mirror, bids: list[object], asks: list[object]) -> None:
    mirror.apply_update(Channel.ORDER_BOOK, "BTC-USD", {"bids": bids, "asks": asks})


def prices(mirror: Mirror) -> tuple[list[int], list[int]]:
    shown = mirror.books()["BTC-USD"]
    return [b.subticks // 100_000 for b in shown.bids], [a.subticks // 100_000 for a in shown.asks]
