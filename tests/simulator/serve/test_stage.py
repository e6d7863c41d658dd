"""Who makes the next block: real time, or the guards that are attached."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import httpx
import pytest

from seawall.account import Side
from seawall.simulator.faults.kinds import FaultKind
from seawall.simulator.faults.schedule import Fault, Faults
from seawall.simulator.messages import SHORT_TERM, OrderId, PlaceOrder, SubaccountId
from seawall.simulator.prices import Path
from seawall.simulator.serve.launch import Cast
from seawall.simulator.serve.server import ServeSettings
from seawall.units import HOUR, Millis
from tests.simulator.serve.running import START, Running, flat_path, line, running
from tests.simulator.serve.signing import Envelope, deposit

Said = dict[str, Any]  # JSON of any shape
FAST = ServeSettings(speed=0, guard_timeout_s=30)


class Caller:
    """Speaks to the venue's own calls."""

    def __init__(self, venue: Running) -> None:
        self._client = httpx.Client(base_url=venue.endpoints.rest, trust_env=False, timeout=5)

    def step(self, guard: str, **more: object) -> Said:
        said: Said = self._client.post("/seawall/step", json={"guard": guard, **more}).json()
        return said

    def state(self, query: str = "") -> Said:
        said: Said = self._client.get(f"/seawall/state{query}").json()
        return said

    def post(self, path: str, body: str = "") -> httpx.Response:
        return self._client.post(path, content=body)

    def height(self) -> int:
        return int(self.state()["height"])

    def wait_above(self, height: int) -> int:
        for _ in range(500):
            if (now := self.height()) > height:
                return now
            time.sleep(0.02)
        raise AssertionError(f"no block after {height}")

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def venue() -> Iterator[Running]:
    with running(settings=FAST, guard="a") as served:
        yield served


@pytest.fixture
def caller(venue: Running) -> Iterator[Caller]:
    speaker = Caller(venue)
    yield speaker
    speaker.close()


def test_no_block_is_made_until_the_guard_reports_the_newest_one(caller: Caller) -> None:
    time.sleep(0.05)
    assert caller.height() == 1

    answer = caller.step("a", height=1)
    caller.wait_above(1)
    time.sleep(0.05)

    assert answer["guards"] == {"a": 1}
    assert caller.height() == 2


def test_an_old_report_does_not_count(caller: Caller) -> None:
    caller.step("a", height=1)
    caller.wait_above(1)

    caller.step("a", height=1)
    time.sleep(0.05)

    assert caller.height() == 2


def test_every_attached_guard_is_waited_for(caller: Caller) -> None:
    attached = caller.step("b")

    caller.step("a", height=1)
    time.sleep(0.05)
    waited = caller.height()
    caller.step("b", height=1)

    assert attached["guards"] == {"a": 0, "b": 0}
    assert waited == 1
    assert caller.wait_above(1) == 2


def test_a_detached_guard_is_not_waited_for(caller: Caller) -> None:
    caller.step("b")
    caller.step("a", height=1)

    left = caller.step("b", detach=True)

    assert left["guards"] == {"a": 1}
    assert caller.wait_above(1) == 2


def test_a_silent_guard_is_let_go_after_a_while() -> None:
    with running(settings=ServeSettings(speed=50, guard_timeout_s=1), guard="dead") as served:
        caller = Caller(served)

        before = caller.state()
        caller.wait_above(1)
        after = caller.state()
        caller.close()

    assert (before["height"], before["guards"]) == (1, {"dead": 0})
    assert after["guards"] == {}


def test_time_jumps_no_further_than_the_guard_allows(caller: Caller) -> None:
    caller.step("a", height=1, idle_until=START + 60_000)
    caller.wait_above(1)

    assert caller.state()["at"] == START + 59_000  # one block before what the guard waits for


def test_time_jumps_no_further_than_the_first_of_several_guards_allows(caller: Caller) -> None:
    caller.step("b")

    caller.step("a", height=1, idle_until=START + 600_000)
    caller.step("b", height=1, idle_until=START + 60_000)
    caller.wait_above(1)

    assert caller.state()["at"] == START + 59_000


def test_a_guard_with_nothing_due_lets_time_jump_to_the_hour_and_to_the_end(
    caller: Caller,
) -> None:
    next_hour = (START // HOUR + 1) * HOUR  # at which funding is told
    seen = []
    for height in range(1, 4):
        caller.step("a", height=height, idle_until=None)
        caller.wait_above(height)
        seen.append(caller.state()["at"])
    state = caller.state()

    assert seen == [next_hour - 1_000, next_hour, START + HOUR]
    assert (state["is_over"], state["progress"]) == (True, "1.000000")


def test_a_guard_that_says_nothing_of_idleness_sees_every_block(caller: Caller) -> None:
    caller.step("a", height=1)
    caller.wait_above(1)

    assert caller.state()["at"] == START + 1_000


def test_without_a_guard_blocks_come_at_the_speed_asked_for() -> None:
    with running(settings=ServeSettings(speed=50), guard=None) as served:
        caller = Caller(served)
        time.sleep(0.5)
        height = caller.height()
        caller.close()

    assert 3 <= height <= 40  # a busy machine is slower, never faster


def test_a_held_venue_waits_for_the_start(venue: Running) -> None:
    with running(settings=ServeSettings(speed=0, is_started=False), guard=None) as served:
        caller = Caller(served)
        time.sleep(0.05)
        held = caller.state()
        caller.post("/seawall/start")
        height = caller.wait_above(1)
        caller.close()

    assert (held["height"], held["is_playing"]) == (1, False)
    assert height > 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{", "the body is not JSON"),
        ("[]", "the body must be an object"),
        ("{}", "guard must be a name"),
        ('{"guard": ""}', "guard must be a name"),
        ('{"guard": "a", "height": "x"}', "height must be a block height, got 'x'"),
        ('{"guard": "a", "height": 1, "idle_until": -1}', "idle_until must be milliseconds"),
    ],
)
def test_a_bad_step_is_refused_in_words(caller: Caller, body: str, expected: str) -> None:
    refused = caller.post("/seawall/step", body)

    assert refused.status_code == 400
    assert expected in refused.json()["errors"][0]["msg"]


def test_the_state_tells_equity_headroom_and_costs() -> None:
    falls = {"BTC-USD": line((0, 100_000), (60_000, 94_000))}
    rest = flat_path()
    path = Path(falls, start=rest.start, end=Millis(START + 60_000))
    cast = Cast(accounts=2, equity=Decimal(10_000), leverage=Decimal(10))
    with running(path, cast, FAST) as served:
        caller = Caller(served)
        owner = served.trader.address
        sale = PlaceOrder(
            order_id=OrderId(
                subaccount=SubaccountId(owner=owner, number=0),
                client_id=1,
                order_flags=SHORT_TERM,
                clob_pair_id=0,
            ),
            side=Side.SELL,
            quantums=5_000_000_000,
            subticks=9_000_000_000,
            good_til_block=20,
            time_in_force=1,
            reduce_only=True,
        )
        other = served.production.traders[1].address
        buy = replace(
            sale,
            order_id=replace(sale.order_id, subaccount=SubaccountId(owner=other, number=0)),
            side=Side.BUY,
            quantums=1_000_000_000,
            subticks=11_000_000_000,
            reduce_only=False,
        )
        for trade in (sale, buy):
            served.do(partial(served.server.node.chain.check, trade))
        raw = Envelope(key=served.trader).sign(deposit(served.trader, 100_000_000))
        served.do(lambda: served.server.node.admission.broadcast(raw))
        caller.step("test", height=1)
        caller.wait_above(1)
        sold = caller.state("?after=1")
        for height in range(2, 61):
            caller.step("test", height=height)
            caller.wait_above(height)
        ended = caller.state()
        caller.close()

    first, second = sold["accounts"]
    if first["address"] != owner:
        first, second = second, first
    assert first["name"] == "trader-1"
    assert [row["height"] for row in sold["history"]] == [2]
    assert sold["transactions"] == {"received": 1, "accepted": 1}
    quote = sum(Decimal(fill["quote"]) for fill in first["fills"])
    assert Decimal(first["fees"]) == sum(Decimal(fill["fee"]) for fill in first["fills"])
    assert Decimal(first["slippage_cost"]) == Decimal(50_000) - quote
    assert Decimal(first["money_in"]) == 100
    costs = Decimal(first["fees"]) + Decimal(first["slippage_cost"])
    assert Decimal(first["equity"]) == 10_100 - costs
    bought = sum(Decimal(fill["quote"]) for fill in second["fills"])
    assert Decimal(second["slippage_cost"]) == bought - 10_000
    assert second["money_in"] == "0"
    assert ended["is_over"]
    for account in ended["accounts"]:
        assert Decimal(account["lowest_headroom"]) <= Decimal(account["headroom"])
        assert account["liquidated"] is False


def test_a_halt_takes_its_time_at_the_speed_of_the_blocks() -> None:
    halt = Fault(kind=FaultKind.CHAIN_HALT, first=3, last=3, seconds=60)
    settings = ServeSettings(speed=50)
    with running(settings=settings, guard=None, faults=Faults(faults=(halt,))) as served:
        caller = Caller(served)
        before = int(caller.state()["at"])
        began = time.monotonic()

        while int(caller.state()["at"]) < before + 60_000:
            time.sleep(0.01)
        took = time.monotonic() - began
        caller.close()

    assert took > 0.8  # 60 blocks' time; a block for each ten seconds would be 0.2


@pytest.mark.parametrize("kind", [FaultKind.NODE_FROZEN, FaultKind.NODE_UNAVAILABLE])
def test_a_guard_that_cannot_see_the_newest_block_has_done_it_when_it_has_looked(
    kind: FaultKind,
) -> None:
    faults = Faults(faults=(Fault(kind=kind, first=1, last=3),))
    with running(settings=FAST, guard="a", faults=faults) as served:
        caller = Caller(served)

        heights = list[int]()
        for _ in range(4):
            caller.step("a", height=1)  # the height that it saw last
            heights.append(caller.wait_above(heights[-1] if heights else 1))
        time.sleep(0.05)
        waits = caller.height()
        caller.close()

    assert heights == [2, 3, 4, 5]
    assert waits == 5  # block 4 is played without a fault: it has to be seen
