"""What an intervention came to is told once: when it has ended and all that it sent is settled."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall.decide.memory import Acknowledge, Message, Urgency
from tests.decide.guarded import FLOAT, Deposit, Guarded, guarded, ladder

CUT = (
    '{name: act, trigger: "> $9_000", clear: "< $100", '
    "do: [notify, {reduce: {amount: 50%, max_slippage: 500bps}}]}"
)
SILENT = CUT.replace("notify, ", "")
TRIM = (
    '{name: act, trigger: "> $9_000", target: "<= $8_000", '
    "do: [notify, {reduce: {until: target, max_slippage: 60bps}}]}"
)
FLATTEN = (
    '{name: act, trigger: "> $9_000", latch: manual, '
    "do: [page, {flatten: {max_slippage: 200bps, give_up_after: 10s}}]}"
)
FREE = "budgets: {per_hour: {notional: 2000%}, per_day: {cost: 100%}}\n"


def ends(world: Guarded) -> list[Message]:
    said = [message for decision in world.decisions for message in decision.messages]
    return [one for one in said if one.key == "size/act/end"]


def test_what_was_done_and_cost_and_where_the_measure_is_are_told() -> None:
    world = guarded(ladder(CUT, head=FREE))

    world.ticks(4)
    assert ends(world) == [], "it has ended, its order is not settled yet"
    assert world.running == []
    world.ticks(20)

    (message,) = ends(world)
    assert message.urgency is Urgency.NOTIFY
    assert message.text == (
        "size/act#1 reached: 1 order filled, $5,000 exchanged, cost $0. Now gross_exposure "
        "$5,000, no longer beyond > $9,000. Clears at < $100."
    )
    assert world.memory.tallies == {}


def test_orders_of_several_windows_are_one_sum() -> None:
    world = guarded(ladder(CUT, head=FREE), fill="0.5")
    world.ticks(20)
    world.fill = 1

    world.ticks(20)

    (message,) = ends(world)
    filled = [o for d in world.decisions for o in d.outcomes if o.filled]
    assert len(filled) > 2
    assert f"{len(filled)} orders filled, $5,000 exchanged" in message.text


def test_an_intervention_that_had_nothing_to_do_says_nothing() -> None:
    world = guarded(ladder(TRIM, head=FREE))
    world.height += 4  # the window is closing: it starts, and sends nothing yet
    assert world.tick().started
    world.trade("BTC-USD", "-0.05")

    world.ticks(20)

    assert [one.name for d in world.decisions for one in d.ended] == ["size/act#1"]
    assert ends(world) == []


def test_a_level_without_words_stays_without_words() -> None:
    world = guarded(ladder(SILENT, head=FREE))

    world.ticks(20)

    assert world.sizes["BTC-USD"] == Decimal("0.05")
    assert ends(world) == []


def test_one_that_the_operator_stopped_says_how_far_it_came() -> None:
    world = guarded(ladder(FLATTEN, head=FREE), fill="0.3")
    world.ticks(14)
    world.fill = 0
    world.tick(Acknowledge(stops_flatten=True))

    world.ticks(20)

    (message,) = ends(world)
    assert message.text.startswith("size/act#1 given up: ")
    assert "Stays until `seawall rearm size`." in message.text


@pytest.mark.parametrize("deposit", list(Deposit))
def test_a_deposit_that_landed_is_told(deposit: Deposit) -> None:
    feed = (
        '{name: act, trigger: "< $29_000", target: ">= $29_500", '
        "do: [notify, {top_up: {until: target, max: $3_000}}]}"
    )
    rules = ladder(feed, head=FLOAT, measure="free_collateral", scope="{subaccounts: [0]}")
    world = guarded(rules, sizes={"BTC-USD": 1}, float=5_000)
    world.deposit = deposit

    world.ticks(3)

    told = [m.text for d in world.decisions for m in d.messages if m.key == "size/0/act/end"]
    assert bool(told) is (deposit is Deposit.LANDS)
    if told:
        assert "deposited. Now free_collateral" in told[0]


def test_or_else_says_that_the_target_is_out_of_reach_and_what_is_done_instead() -> None:
    level = (
        '{name: act, trigger: "< $29_500", target: ">= $31_000", do: [notify, {reduce: '
        "{until: target, max_slippage: 60bps, or_else: {amount: 50%}}}]}"
    )
    rules = ladder(level, measure="free_collateral", scope="{subaccounts: [0]}", head=FREE)
    world = guarded(rules, sizes={"BTC-USD": 1})

    decision = world.tick()

    (told,) = [m for m in decision.messages if m.key == "size/0/act/or-else"]
    assert told.urgency is Urgency.NOTIFY
    assert "the target cannot be reached" in told.text
    assert "50% of each position in scope is closed within 60bps" in told.text
