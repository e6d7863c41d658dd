"""What a connection may ask for, and how far what it hears is behind."""

from __future__ import annotations

import json

from websockets.sync.client import ClientConnection

from seawall.simulator.serve import connection
from seawall.simulator.serve.server import ServeSettings
from tests.simulator.serve.looking import looking
from tests.simulator.serve.test_feed import hear, socket, subscribe, venue

__all__ = ["socket", "venue"]  # fixtures


def test_an_allowance_is_whole_again_after_a_second() -> None:
    now = [0.0]
    allowance = connection.Allowance(2, lambda: now[0])

    taken = [allowance.takes("a"), allowance.takes("a"), allowance.takes("a"), allowance.takes("b")]
    now[0] = 1.0

    assert taken == [True, True, False, True]
    assert allowance.takes("a")


def test_a_connection_holds_so_many_subscriptions_of_a_channel(socket: ClientConnection) -> None:
    subscribe(socket, "v4_block_height")
    names = [f"dydx1other/{number}" for number in range(257)]
    for name in names:
        socket.send(json.dumps({"type": "subscribe", "channel": "v4_subaccounts", "id": name}))
    kinds = [hear(socket)["type"] for _ in names]

    assert kinds == ["subscribed"] * 256 + ["error"]


def test_rest_is_behind_the_websocket_and_the_websocket_behind_the_chain() -> None:
    settings = ServeSettings(speed=0, feed_lag=1, rest_lag=2)
    with looking(settings=settings) as look, look.feed("v4_subaccounts") as feed:
        told, shown, fills = [], [], []
        look.sell()
        for _ in range(5):
            look.next()
            shown.append(look.height)
            fills.append(len(look.rows("fills", "fills")))
        for _ in range(4):
            block = feed.until_height()
            told.append((block[-1]["contents"]["blockHeight"], len(block)))
        snapshot = feed.subscribe("v4_parent_subaccounts", look.name_of("v4_parent_subaccounts"))

    assert shown == [1, 1, 1, 2, 3]  # the chain is at 2 to 6
    assert fills == [0, 0, 0, 1, 1]
    assert told == [("2", 2), ("3", 1), ("4", 1), ("5", 1)]
    # Updates between the snapshot's height and the websocket's are lost to who subscribes now.
    assert snapshot["contents"]["blockHeight"] == "3"


def test_where_rest_is_ahead_news_repeat_what_the_snapshot_held() -> None:
    settings = ServeSettings(speed=0, feed_lag=2, rest_lag=-2)
    with looking(settings=settings) as look, look.feed() as feed:
        look.sell()
        look.next(2)  # the chain and REST are at 3, the websocket at 1
        feed.subscribe("v4_subaccounts", look.name_of("v4_subaccounts"))
        look.next()
        (again, _) = feed.until_height()

    assert feed.snapshots["v4_subaccounts"]["blockHeight"] == "3"
    assert again["contents"]["blockHeight"] == "2"
    assert again["contents"]["fills"]
