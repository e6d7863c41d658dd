"""A pause stops what is sent and nothing else, for its time and no longer."""

from __future__ import annotations

import pytest

from seawall.decide.memory import Acknowledge, Message, Pause, Repeats
from seawall.units import DAY, HOUR, MINUTE, SECOND, Millis
from tests.decide.guarded import (
    FLOAT,
    Guarded,
    cancelled,
    codes,
    cuts,
    deposits,
    guarded,
    ladder,
    pages,
)
from tests.decide.test_cancels import BUY

ACTS = ladder(
    '{name: act, trigger: "> $9_000", clear: "< $6_000", do: [notify, {cancel_orders: '
    "risk_increasing}, {reduce: {amount: 50%, max_slippage: 60bps}}]}"
)
CASH = f"""{FLOAT}
rules:
  - id: cash
    why: "Cash."
    measure: free_collateral
    trigger: "< $30_000"
    target: ">= $31_000"
    do: [notify, {{top_up: {{until: target, max: $3_000}}}}]
"""


def told(world: Guarded, seconds: int, step: int) -> list[tuple[int, Message]]:
    """Pages about the pause with the seconds at which they came."""
    start = world.at
    found = []
    for _ in range(0, seconds, step):
        made = world.tick(seconds=step)
        found += [((world.at - start) // SECOND, m) for m in pages(made) if m.key == "pause"]
    return found


def test_nothing_is_sent_while_it_lasts_and_rules_act_when_it_is_over() -> None:
    world = guarded(ACTS, orders=(BUY,))

    first = world.tick(Pause(duration=Millis(30 * SECOND)))
    made = [first, *world.ticks(28)]

    assert all(decision.actions == () for decision in made)
    assert "PAUSED" in codes(first)
    assert world.phases() == ["firing"]
    assert [message.key for message in first.messages] == ["pause", "size/act"]
    world.ticks(6)
    assert [cancelled(one) for one in world.decisions if cancelled(one)] == [[1]]
    assert [set(cuts(one)) for one in world.decisions if cuts(one)] == [{"BTC-USD"}]


def test_no_cash_moves_either() -> None:
    world = guarded(CASH, float=5_000)

    assert deposits(world.tick(Pause(duration=MINUTE))) == []
    assert "PAUSED" in codes(world.last)
    assert sum(len(deposits(one)) for one in world.ticks(61)) == 1


def test_it_pages_at_its_start_every_hour_and_at_its_end() -> None:
    world = guarded(ladder('{name: act, trigger: "> $900_000", do: [notify]}'))
    start = pages(world.tick(Pause(duration=Millis(150 * MINUTE))))

    later = told(world, 9_000, 30)

    assert [message.key for message in start] == ["pause"]
    assert "2h30m" in start[0].text
    assert [at for at, _ in later] == [3_600, 7_200, 9_000]
    assert [m.text.split(":")[0] for _, m in later] == [
        "Still paused",
        "Still paused",
        "The pause is over",
    ]
    repeats = [one.repeats for one in (*start, *(message for _, message in later))]
    assert repeats == [Repeats.BY_ITSELF] * 3 + [Repeats.UNTIL_READ]


def test_its_end_repeats_until_it_is_acknowledged() -> None:
    world = guarded(ladder('{name: act, trigger: "> $900_000", do: [notify]}'))
    world.tick(Pause(duration=MINUTE))

    unread = told(world, 700, 1)
    world.tick(Acknowledge(key="pause"))

    assert [at for at, _ in unread] == [60, 360, 660]
    assert "not acknowledged: The pause is over: rules act again." in unread[-1][1].text
    assert told(world, 700, 1) == []


def test_the_time_that_is_left_is_never_told_as_less() -> None:
    world = guarded(ladder('{name: act, trigger: "> $900_000", do: [notify]}'))

    told_at_start = pages(world.tick(Pause(duration=Millis(119_400))))

    assert "for another 2m, whatever fires" in told_at_start[0].text


def test_a_later_pause_takes_the_place_of_an_earlier_one() -> None:
    world = guarded(ACTS)
    world.tick(Pause(duration=Millis(2 * HOUR)))

    world.tick(Pause(duration=SECOND))

    assert any(cuts(one) for one in world.ticks(8))


@pytest.mark.parametrize(("asked", "lasts"), [(DAY, DAY), (3 * DAY, DAY)])
def test_it_lasts_a_day_at_most(asked: int, lasts: int) -> None:
    world = guarded(ACTS)

    world.tick(Pause(duration=Millis(asked)))

    assert world.memory.pause is not None
    assert world.memory.pause.until - world.at == lasts


@pytest.mark.parametrize("duration", [0, -5_000])
def test_one_that_waited_for_the_guard_until_it_was_over_is_told_and_not_obeyed(
    duration: int,
) -> None:
    world = guarded(ACTS)

    made = world.tick(Pause(duration=Millis(duration)))

    assert cuts(made)
    assert "so long ago" in pages(made)[0].text


def test_it_runs_on_the_agents_clock_through_blindness() -> None:
    world = guarded(ACTS)
    world.tick(Pause(duration=Millis(5 * SECOND)))

    last = [world.blind() for _ in range(6)]

    assert [m.text for one in last for m in pages(one)] == ["The pause is over: rules act again."]
    assert world.memory.pause is None


def test_a_target_that_only_waits_for_its_cash_is_not_given_up() -> None:
    rules = CASH.replace(
        "do: [notify, {top_up: {until: target, max: $3_000}}]",
        "do: [notify, {top_up: {until: target, max: $3_000}}, "
        "{reduce: {until: target, max_slippage: 60bps, or_else: flatten}}]",
    )
    world = guarded(rules, float=5_000)

    world.tick(Pause(duration=MINUTE))
    world.ticks(70)

    assert world.sizes["BTC-USD"] > 0
    assert sum(len(deposits(one)) for one in world.decisions) == 1
