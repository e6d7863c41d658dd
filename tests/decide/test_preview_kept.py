"""A preview with what a guard remembers says what that guard's next tick does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.action import RefusalCode
from seawall.decide import decide
from seawall.decide.memory import Decision, Pause
from seawall.decide.preview import Kept, Preview, preview
from seawall.policy import Mode
from seawall.units import Millis, Ppm
from tests.decide.guarded import FLOAT, Deposit, Guarded, cuts, deposits, guarded, ladder
from tests.see import quote

UNTIL = (
    '{name: act, trigger: "> $9_000", target: "<= $8_000", clear: "<= $8_500", cooldown: 5m, '
    "do: [notify, {reduce: {until: target, max_slippage: 80bps}}]}"
)
HALF = (
    '{name: act, trigger: "> $9_000", latch: manual, '
    "do: [notify, {reduce: {amount: 10%, max_slippage: 80bps}}, lock]}"
)
SIZE = ladder(UNTIL)
ROOM = "budgets: {per_hour: {notional: 2000%, orders: 99}, per_day: {cost: 50%}}\n"
FED = ladder(
    '{name: act, trigger: "< $30_000", target: ">= $30_900", '
    "do: [notify, {top_up: {until: target, max: $3_000}}]}",
    measure="free_collateral",
    scope="{per: subaccount}",
    head=f"{FLOAT}budgets: {{per_day: {{top_up: $700}}}}\n",
)


def shown(on: Guarded, moves: dict[str, Ppm] | None = None) -> Preview:
    """What a preview says of the world as the guard's next tick sees it."""
    kept = Kept(memory=on.memory, mode=on.mode)
    return preview(on.policy, on.observation(), moves or {}, kept)


def later(on: Guarded, blocks: int = 6) -> Guarded:
    """So many blocks on, with what was sent before filled."""
    on._pass(blocks, blocks)
    on._settle()
    return on


def next_tick(on: Guarded) -> Decision:
    """What the guard itself decides on that."""
    return decide(on.policy, on.memory, on.observation(), mode=on.mode)[1]


def assert_same(said: Preview, done: Decision) -> None:
    made = done.plan or done.would
    assert (said.plan is None) is (made is None)
    if said.plan is not None and made is not None:
        assert said.plan.legs == made.legs
        assert said.plan.top_ups == made.top_ups
    asked = {(one.action.kind, one.asked_by) for one in said.actions}
    assert asked == {(one.action.kind, one.asked_by) for one in (*done.actions, *done.on_paper)}


def test_what_was_spent_of_the_hour_is_spent() -> None:
    on = guarded(SIZE, sizes={"BTC-USD": "0.2"}, fill="0.5")
    first = on.tick()
    assert cuts(first)
    later(on)

    said, blind = shown(on), preview(on.policy, on.observation(), {})

    assert_same(said, next_tick(on))
    assert said.plan is not None
    assert blind.plan is not None
    assert [leg.asked_by for leg in said.plan.legs] == [("size/act#1",)]  # goes on, starts no other
    spent = replace(
        on.memory.spent, hour_notional=quote(11_990), hour=Millis(on.at - on.at % 3_600_000)
    )
    on.memory = replace(on.memory, spent=spent)
    assert_same(shown(on), next_tick(on))
    assert shown(on).plan != said.plan


def test_a_pause_holds_and_ends() -> None:
    on = guarded(SIZE, sizes={"BTC-USD": "0.2"})
    on.tick(Pause(duration=Millis(60_000)))
    later(on)

    paused = shown(on)
    later(on, 60)
    over = shown(on)

    assert paused.plan is None
    assert {one.code for one in paused.refused} == {RefusalCode.PAUSED}
    assert over.plan is not None
    assert over.actions


def test_a_cooldown_is_waited_for_and_named() -> None:
    on = guarded(ROOM + SIZE, sizes={"BTC-USD": "0.1"})
    on.ticks(14)  # reached, and its cooldown runs
    on.trade("BTC-USD", "0.05")
    later(on, 1)

    said = shown(on)

    assert_same(said, next_tick(on))
    (waits,) = (one for one in said.refused if one.code is RefusalCode.COOLING)
    assert waits.what == "start size/act"
    assert waits.detail.startswith("its cooldown ends in 4m")


def test_what_acts_once_per_firing_does_not_act_again_and_a_lock_holds() -> None:
    on = guarded(ROOM + ladder(HALF), sizes={"BTC-USD": "0.2"})
    on.ticks(14)

    said = shown(on)
    on.trade("BTC-USD", "0.05")
    grown = shown(on)

    assert said.actions == ()
    assert [one.detail for one in said.refused] == ["it acts once per firing, and has"]
    assert grown.plan is not None
    assert [leg.asked_by for leg in grown.plan.legs] == [("size/act lock",)]


@pytest.mark.parametrize("deposit", [Deposit.LANDS, Deposit.IS_LOST])
def test_what_was_deposited_or_is_under_way_is_not_asked_for_again(deposit: Deposit) -> None:
    on = guarded(FED, sizes={"BTC-USD": "0.1"}, float=6_000)
    on.deposit = deposit
    first = on.tick()
    assert deposits(first) == [700]
    later(on)

    said = shown(on)

    assert_same(said, next_tick(on))
    assert said.plan is None or not said.plan.top_ups


def test_an_order_that_may_still_fill_holds_the_next_one_back() -> None:
    on = guarded(ROOM + SIZE, sizes={"BTC-USD": "0.2"}, fill=0)
    on.tick()
    later(on, 1)

    said = shown(on)

    assert said.plan is None
    assert {one.code for one in said.refused} == {RefusalCode.ALREADY_SENT}


def test_a_move_is_counted_from_the_peak_that_the_guard_keeps() -> None:
    rule = ladder(
        '{name: act, trigger: ">= 10%", latch: manual, '
        "do: [notify, {reduce: {amount: 10%, max_slippage: 80bps}}]}",
        measure="drawdown",
        scope="{per: account}",
    )
    on = guarded(ROOM + rule, sizes={"BTC-USD": "0.2"}, equity=20_000)
    on.ticks(2)
    on.move("BTC-USD", 95_000)  # 5% of equity
    on.tick()
    later(on)

    kept = shown(on, {"BTC-USD": Ppm(-60_000)})
    blind = preview(on.policy, on.observation(), {"BTC-USD": Ppm(-60_000)})

    assert [one.acts for one in kept.changes] == [True]
    assert [one.acts for one in blind.changes] == [False]


def test_a_guard_on_paper_is_shown_on_paper() -> None:
    on = guarded(ROOM + SIZE, sizes={"BTC-USD": "0.2"}, mode=Mode.DRY_RUN)
    on.tick()
    later(on)

    said = shown(on)

    assert_same(said, next_tick(on))
    assert [one.code for one in said.refused] == [RefusalCode.COOLING]
