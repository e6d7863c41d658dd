"""Which needs a standby leaves to the first guard, and when the next one is a new need."""

from __future__ import annotations

from seawall import action
from tests.decide.guarded import FLOAT, codes, deposits
from tests.decide.test_pausing import CASH
from tests.decide.test_standby import CUTS, by_the_first, heights_of, second

# A lock that asks for nothing, and a cap on another market.
LOCKED = """
rules:
  - id: day
    why: "No more of this."
    measure: net_exposure
    scope: {per: market, markets: [ETH-USD]}
    trigger: "> $1"
    latch: manual
    do: [page, {lock: {max_slippage: 60bps}}]
  - id: cap
    why: "No more than this."
    measure: gross_exposure
    scope: {per: market, markets: [BTC-USD]}
    trigger: "> $9_000"
    target: "<= $6_000"
    do: [page, {reduce: {until: target, max_slippage: 60bps}}]
"""
CAPPED = """
rules:
  - id: cap
    why: "No more than this."
    measure: gross_exposure
    trigger: "> $9_000"
    target: "<= $6_000"
    do: [notify, {reduce: {until: target, max_slippage: 60bps}}]
"""
# One order an hour for size, and cash that is another matter.
ONE_ORDER = f"""{FLOAT}
budgets: {{per_hour: {{notional: 100%, orders: 1}}, per_day: {{cost: 10%, top_up: $6_000}}}}
rules:
  - id: size
    why: "Enough is enough."
    measure: gross_exposure
    trigger: "> $9_000"
    target: "<= $6_000"
    do: [page, {{reduce: {{until: target, max_slippage: 60bps}}}}]
  - id: cash
    why: "Cash."
    measure: free_collateral
    trigger: "< $20_000"
    target: ">= $21_000"
    do: [page, {{top_up: {{until: target, max: $3_000}}}}]
"""


def test_a_lock_that_asks_for_nothing_leaves_the_next_need_to_the_first() -> None:
    world = second(LOCKED, sizes={"BTC-USD": "0.05", "ETH-USD": "0.1"})
    world.ticks(40)
    assert world.memory.left is None

    world.trade("BTC-USD", "0.1")
    need = world.tick()
    made = world.ticks(12)

    assert "LEFT_TO_FIRST" in codes(need)
    assert heights_of(made)[0] - need.height >= 8


def test_what_no_guard_may_do_is_left_to_the_first_once_it_may() -> None:
    world = second(CASH, float=5_000)
    world.extra["transfers_blocked_until"] = {0: world.height + 20}

    made = world.ticks(40)

    (paid,) = [one.height for one in made if deposits(one)]
    assert paid == made[0].height - 1 + 20 + 8


def test_a_need_beside_one_that_nobody_may_serve_is_left_to_the_first_as_well() -> None:
    world = second(ONE_ORDER, float=5_000)
    world.tick()
    by_the_first(world, "-0.005")  # all that the hour allows, and not enough
    world.ticks(30)
    assert "BUDGET_ORDERS" in codes(world.last)

    world.equity -= 10_300
    need = world.tick()
    made = world.ticks(12)

    assert "LEFT_TO_FIRST" in codes(need)
    assert [one.height - need.height for one in made if deposits(one)] == [8]


def test_once_it_has_acted_for_a_first_that_is_gone_it_waits_for_no_need_more() -> None:
    world = second(ONE_ORDER, float=5_000, fill=0)
    world.tick()
    assert heights_of(world.ticks(12))

    world.equity -= 10_300

    assert deposits(world.tick())


def test_a_first_that_shows_itself_again_is_left_to_again() -> None:
    world = second(CAPPED, fill="0.1")
    world.tick()
    world.ticks(20)
    assert heights_of(world.decisions)
    world.ticks(6 - world.height % 6 + 1)  # into a window in which nothing is sent yet

    world.extra["tried"] = {(0, "ETH-USD"): action.window_of(world.height + 1)}
    seen = world.tick()
    acted = [height for height in heights_of(world.ticks(20)) if height > seen.height]

    assert acted[0] - seen.height >= 8


def test_what_the_first_has_cut_again_and_again_counts_for_the_interlock() -> None:
    world = second(CAPPED)
    world.tick()
    for _ in range(3):
        by_the_first(world, "-0.04")
        world.ticks(70)  # over its cooldown
        world.trade("BTC-USD", "0.04")
        world.tick()

    made = world.ticks(12)

    assert heights_of(made) == []
    assert "INTERLOCK" in codes(made[-1])


def test_a_need_that_ends_and_comes_back_is_a_new_one() -> None:
    world = second(CUTS)
    world.tick()
    world.ticks(5)
    world.trade("BTC-USD", "-0.05")
    world.ticks(70)  # over its cooldown
    assert world.memory.left is None

    world.trade("BTC-USD", "0.05")
    again = world.tick()

    assert heights_of(world.ticks(12))[0] - again.height >= 8
