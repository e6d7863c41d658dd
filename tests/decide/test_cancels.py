"""Standing cancels: which resting orders go, which stay, and how often they are asked for."""

from __future__ import annotations

import pytest

from seawall.account import Missing, RestingOrder, Side
from seawall.decide.resting import risk_increasing
from seawall.policy import Mode
from tests.decide.guarded import cancelled, codes, guarded, ladder
from tests.see import BTC, ETH, quantums, resting

HELD = "0.1"
INCREASING = (
    '{name: act, trigger: "> $9_000", clear: "< $1_000", do: [{cancel_orders: risk_increasing}]}'
)
ALL = (
    '{name: panic, trigger: "> $9_000", latch: manual, '
    "do: [page, {cancel_orders: all}, {flatten: {max_slippage: 200bps}}]}"
)
LOCK = (
    '{name: act, trigger: "> $9_000", clear: "< $1_000", '
    "do: [{reduce: {amount: 10%, max_slippage: 60bps}}, {lock: {max_slippage: 60bps}}]}"
)
BUY = resting(BTC, Side.BUY, "0.05", 90_000, client_id=1)
SELL = resting(BTC, Side.SELL, "0.06", 110_000, client_id=2)
SELL_FAR = resting(BTC, Side.SELL, "0.06", 120_000, client_id=3)
STOP = resting(BTC, Side.SELL, "0.1", 80_000, client_id=4, reduce_only=True, order_flags=32)
OTHER = resting(ETH, Side.BUY, 1, 3_000, client_id=5)
EVERY = (BUY, SELL, SELL_FAR, STOP, OTHER)


@pytest.mark.parametrize(
    ("size", "orders", "doomed"),
    [
        ("0.1", [BUY], [1]),  # adds to a long
        ("0.1", [SELL], []),  # takes from it, and stays within it
        ("0.1", [SELL, SELL_FAR], [3]),  # the second from the best price goes beyond
        ("0.1", [SELL_FAR, SELL], [3]),  # whatever the order they are listed in
        ("0.12", [SELL, SELL_FAR], []),  # both together are the position
        ("-0.1", [SELL], [2]),  # adds to a short
        ("-0.05", [BUY], []),
        ("-0.04", [BUY], [1]),  # would turn the short into a long
        ("0.1", [STOP], []),  # reduce-only
        ("-0.1", [STOP], []),  # reduce-only cannot add, whichever side it is on
        ("0", [STOP], []),
        ("0", [BUY, SELL], [1, 2]),  # nothing held: every order opens
        ("0.1", [SELL, STOP], []),  # a reduce-only order takes nothing from the sum
    ],
)
def test_an_order_adds_risk_unless_it_can_only_shrink_the_position(
    size: str, orders: list[RestingOrder], doomed: list[int]
) -> None:
    assert [o.client_id for o in risk_increasing(orders, quantums(BTC, size))] == doomed


def test_a_level_cancels_what_adds_risk_in_its_scope_and_nothing_else() -> None:
    world = guarded(ladder(INCREASING, scope="{markets: [BTC-USD], per: market}"), orders=EVERY)

    assert cancelled(world.tick()) == [1, 3]


def test_a_cancel_is_asked_for_once_while_it_is_on_its_way() -> None:
    world = guarded(ladder(INCREASING), orders=(BUY,))
    world.obeys_cancels = False

    asked = [bool(cancelled(decision)) for decision in world.ticks(6)]

    assert asked == [True, False, False, False, False, False]


def test_a_cancel_without_effect_is_asked_for_again_in_the_next_window() -> None:
    world = guarded(ladder(INCREASING), orders=(BUY,))
    world.obeys_cancels = False

    world.ticks(13)

    assert sum(bool(cancelled(d)) for d in world.decisions) == 3
    endings = [one.ending.value for d in world.decisions for one in d.outcomes]
    assert endings == ["nothing", "nothing"]


def test_a_cancelled_order_is_told_as_gone() -> None:
    world = guarded(ladder(INCREASING), orders=(BUY,))

    world.ticks(2)

    assert [one.ending.value for d in world.decisions for one in d.outcomes] == ["gone"]


def test_cancels_stand_as_long_as_the_level_does() -> None:
    world = guarded(ladder(INCREASING), orders=())
    world.ticks(5)

    world.orders = (BUY,)
    assert cancelled(world.tick()) == [1]
    world.move("BTC-USD", 9_000)
    world.ticks(2)
    world.orders = (SELL_FAR, BUY)

    assert cancelled(world.tick()) == []


def test_all_takes_what_adds_risk_at_once_and_what_protects_once_flat() -> None:
    world = guarded(ladder(ALL), orders=(BUY, SELL, STOP), fill=0)

    assert cancelled(world.tick()) == [1]
    assert not any(cancelled(decision) for decision in world.ticks(9))
    world.fill = 1
    world.ticks(8)

    assert world.sizes["BTC-USD"] == 0
    assert world.orders == ()
    assert world.phases() == ["latched"]


def test_a_latched_level_goes_on_cancelling() -> None:
    world = guarded(ladder(ALL))
    world.ticks(5)
    assert world.phases() == ["latched"]

    world.orders = (BUY,)

    assert cancelled(world.tick()) == [1]


def test_a_lock_cancels_orders_that_add_risk() -> None:
    world = guarded(ladder(LOCK), orders=(BUY, SELL, STOP))

    assert cancelled(world.tick()) == [1]


def test_the_cancels_of_several_levels_are_one_set() -> None:
    two = ladder(INCREASING) + ladder(ALL).split("rules:\n")[1].replace("id: size", "id: other")
    world = guarded(two, orders=(BUY, SELL))

    decision = world.tick()

    assert cancelled(decision) == [1]
    assert decision.actions[0].asked_by == ("size/act",)


def test_a_rule_on_paper_cancels_nothing_for_the_live_ones() -> None:
    world = guarded(ladder(INCREASING, mode="dry-run"), orders=(BUY,))

    decision = world.tick()

    assert decision.actions == ()
    assert len(decision.on_paper) == 1


def test_without_a_list_of_orders_nothing_is_cancelled() -> None:
    world = guarded(ladder(ALL), fill=0)
    world.orders = Missing(reason="indexer down")

    decision = world.tick()

    assert cancelled(decision) == []
    assert codes(decision) == []
    assert world.mode is Mode.LIVE


def test_cancels_go_out_first_and_from_stale_state_too() -> None:
    world = guarded(ladder(ALL), orders=(BUY,))
    first = world.tick()
    assert [one.action.kind for one in first.actions] == ["cancel", "reduce"]

    stale = guarded(ladder(ALL), orders=(BUY,))
    decision = stale.tick(late=30)

    assert [one.action.kind for one in decision.actions] == ["cancel"]
