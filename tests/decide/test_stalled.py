"""An intervention that gets no further is told, with the reason, and told once."""

from __future__ import annotations

from seawall.decide.memory import Urgency
from tests.decide.guarded import Guarded, guarded, ladder

CUT = (
    '{name: act, trigger: "> $9_000", clear: "< $100", '
    "do: [notify, {reduce: {amount: 90%, max_slippage: 500bps}}]}"
)
FREE = "budgets: {per_hour: {notional: 2000%}}\n"
KEY = "size/act/stalled"


def pages(world: Guarded) -> list[str]:
    said = [message for decision in world.decisions for message in decision.messages]
    return [one.text for one in said if one.urgency is Urgency.PAGE and one.key == KEY]


def test_orders_that_find_nothing_page_after_a_minute() -> None:
    world = guarded(ladder(CUT, head=FREE), fill=0)

    world.ticks(59)
    assert pages(world) == []
    world.ticks(12)

    (page,) = pages(world)
    assert "nothing fills within the bound" in page
    assert KEY in world.memory.pages


def test_a_budget_that_is_used_up_is_the_reason() -> None:
    world = guarded(ladder(CUT, head="budgets: {per_hour: {notional: 50%}}\n"))

    world.ticks(100)

    (page,) = pages(world)
    assert "$9,000.00 this hour, at most $5,000.00" in page


def test_a_budget_that_keeps_a_target_from_being_reached_is_the_reason_too() -> None:
    chase = (
        '{name: act, trigger: "> $9_000", target: "<= $1_000", '
        "do: [notify, {reduce: {until: target, max_slippage: 500bps}}]}"
    )
    world = guarded(ladder(chase, head="budgets: {per_hour: {notional: 50%}}\n"))

    world.ticks(100)

    (page,) = pages(world)
    assert "the hour's budget leaves $0.00" in page
    assert "nothing fills" not in page


def test_an_intervention_that_gets_on_pages_nobody() -> None:
    world = guarded(ladder(CUT), fill="0.1")

    world.ticks(100)

    assert pages(world) == []


def test_the_page_ends_when_it_gets_on_again() -> None:
    world = guarded(ladder(CUT, head=FREE), fill=0)
    world.ticks(80)
    assert KEY in world.memory.pages

    world.fill = 1
    world.ticks(12)

    assert KEY not in world.memory.pages
