"""How long nothing can happen by time alone."""

from __future__ import annotations

from seawall.decide.idle import idle_until
from seawall.units import DAY, MINUTE
from tests.decide.guarded import Guarded, guarded, ladder

TRIM = (
    '{name: act, trigger: "> $9_000", target: "<= $8_000", cooldown: 20s, '
    "do: [notify, {reduce: {until: target, max_slippage: 60bps}}]}"
)
SPEAK = '{name: watch, trigger: "> $9_000", clear: "< $8_000", for: 5s, do: [notify]}'
LATCH = (
    '{name: panic, trigger: "> $9_000", latch: "00:00Z", '
    "do: [notify, {flatten: {max_slippage: 200bps, give_up_after: 90s}}]}"
)


def idle(world: Guarded) -> int | None:
    """Milliseconds until something may happen by time alone."""
    until = idle_until(world.policy, world.memory)
    return None if until is None else until - world.at


def test_a_calm_guard_waits_for_nothing() -> None:
    world = guarded(ladder(TRIM), sizes={"BTC-USD": "0.05"})
    world.tick()

    assert idle(world) is None


def test_a_hold_is_counted_tick_by_tick() -> None:
    world = guarded(ladder(SPEAK))
    world.tick()
    assert idle(world) == 0

    world.ticks(5)

    assert world.phases() == ["firing"]
    assert idle(world) is None


def test_an_intervention_keeps_the_guard_busy_until_its_order_is_settled() -> None:
    world = guarded(ladder(TRIM))
    for _ in range(6):
        world.tick()
        assert idle(world) == 0

    world.tick()

    assert world.memory.sent == ()
    assert idle(world) != 0


def test_a_level_that_may_act_again_is_woken_after_its_cooldown() -> None:
    world = guarded(ladder(TRIM.replace("target:", 'clear: "< $1_000", target:')))
    world.ticks(10)
    assert world.phases() == ["firing"]
    ended_at = next(d.at for d in world.decisions if d.ended)

    assert ended_at is not None
    assert idle(world) == ended_at + 20_000 - world.at


def test_a_level_that_the_interlock_holds_is_woken_when_it_lets_go() -> None:
    head = "interlocks: {max_interventions: {count: 1, per: market, over: 10m}}\n"
    world = guarded(ladder(TRIM, head=head))
    world.ticks(30)
    world.trade("BTC-USD", "0.015")
    world.tick()
    assert [r.code.value for r in world.last.refusals] == ["INTERLOCK"]
    ended_at = next(d.at for d in world.decisions if d.ended)

    until = idle_until(world.policy, world.memory)

    assert ended_at is not None
    assert until is not None
    assert until <= ended_at + 10 * MINUTE
    assert until > world.at


def test_a_clock_latch_is_woken_at_its_hour() -> None:
    world = guarded(ladder(LATCH, head="budgets: {per_hour: {notional: 1000%}}\n"))
    world.ticks(10)
    assert world.phases() == ["latched"]
    world.tick(seconds=3_660)  # the interlock has forgotten it
    world.tick()

    until = idle_until(world.policy, world.memory)

    assert until is not None
    assert until % DAY == 0


def test_a_level_below_one_that_has_given_up_is_not_slept_over() -> None:
    low = '{name: act, trigger: "< $28_500", target: ">= $28_600", do: [page, CUT]}'
    high = '{name: panic, trigger: "< $28_400", target: ">= $90_000", do: [page, CUT]}'
    cut = "{reduce: {until: target, max_slippage: 60bps, or_else: page}}"
    levels = (low.replace("CUT", cut), high.replace("CUT", cut))
    world = guarded(ladder(*levels, measure="free_collateral", scope="{subaccounts: [0]}"))
    world.trade("BTC-USD", "0.8")
    assert [one.end.value for one in world.tick().ended] == ["given up"]

    assert idle(world) == 0
    assert [one.name for one in world.tick().started] == ["size/0/act#2"]
