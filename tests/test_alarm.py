"""The state machine of a level, transition by transition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import alarm
from seawall.alarm import CLEAR, LevelState, Phase
from seawall.measures.spec import NoData, Per
from seawall.policy import (
    Bound,
    Flatten,
    Latch,
    Level,
    MeasureRef,
    NoDataMode,
    Notify,
    Operator,
    ReduceAmount,
    Rule,
    Scope,
)
from seawall.units import DAY, HOUR, Millis, Ppm

GONE = NoData(reason="not read")


def level(
    *,
    clear: str | None = "5",
    hold: int = 0,
    clear_hold: int = 0,
    latch: Latch | None = None,
    acts: bool = True,
) -> Level:
    act = ReduceAmount(share=Ppm(500_000), max_slippage=Ppm(10_000))
    return Level(
        name="act",
        trigger=Bound(operator=Operator.AT_LEAST, value=Decimal(10)),
        clear=None if clear is None else Bound(operator=Operator.BELOW, value=Decimal(clear)),
        hold=Millis(hold),
        clear_hold=Millis(clear_hold),
        latch=latch,
        do=(act,) if acts else (Notify(),),
    )


def play(
    watched: Level,
    values: Sequence[str | None],
    *,
    state: LevelState = CLEAR,
    every: int = 1_000,
    mode: NoDataMode = NoDataMode.HOLD,
    start: int = 0,
) -> list[LevelState]:
    """The state after each value, one tick apart; None is no data."""
    states = []
    for index, value in enumerate(values):
        state = alarm.step(
            watched,
            state,
            GONE if value is None else Decimal(value),
            credited=alarm.credit(None if index == 0 else Millis(0), Millis(every)),
            at=Millis(start + index * every),
            mode=mode,
        )
        states.append(state)
    return states


def phases(states: list[LevelState]) -> list[str]:
    return [state.phase.value for state in states]


def test_a_level_without_a_hold_fires_at_its_trigger_and_not_just_under() -> None:
    assert phases(play(level(), ["9.999"])) == ["clear"]
    assert phases(play(level(), ["10"])) == ["firing"]


def test_a_level_fires_once_its_trigger_has_been_met_for_its_hold() -> None:
    states = play(level(hold=3_000), ["10", "10", "10", "10"])

    assert phases(states) == ["pending", "pending", "pending", "firing"]
    assert states[-1].fired_at == 3_000


def test_no_hold_is_a_millisecond_shorter_than_it_says() -> None:
    assert phases(play(level(hold=2_001), ["10"] * 4)) == ["pending"] * 3 + ["firing"]
    assert phases(play(level(clear_hold=2_001), ["10"] + ["4"] * 4))[1:] == [
        "clearing",
        "clearing",
        "clearing",
        "clear",
    ]


def test_a_trigger_that_is_not_met_for_one_tick_starts_the_hold_again() -> None:
    assert phases(play(level(hold=2_000), ["10", "10", "9", "10", "10", "10"])) == [
        "pending",
        "pending",
        "clear",
        "pending",
        "pending",
        "firing",
    ]


def test_one_tick_credits_at_most_five_seconds_and_never_less_than_none() -> None:
    assert alarm.credit(Millis(0), Millis(8 * HOUR)) == 5_000
    assert alarm.credit(Millis(10), Millis(0)) == 0
    assert alarm.credit(None, Millis(99)) == 0


def test_a_level_between_trigger_and_clear_keeps_firing() -> None:
    assert phases(play(level(), ["10", "6", "5", "4.999"])) == [
        "firing",
        "firing",
        "firing",
        "clear",
    ]


def test_a_bounce_while_clearing_starts_the_clear_hold_again() -> None:
    assert phases(play(level(clear_hold=2_000), ["10", "4", "4", "6", "4", "4", "4"])) == [
        "firing",
        "clearing",
        "clearing",
        "firing",
        "clearing",
        "clearing",
        "clear",
    ]


def test_absence_freezes_every_phase() -> None:
    pending = play(level(hold=9_000), ["10", "10"])[-1]
    firing = play(level(), ["10"])[-1]
    clearing = play(level(clear_hold=9_000), ["10", "4"])[-1]

    for watched, state in (
        (level(), CLEAR),
        (level(hold=9_000), pending),
        (level(), firing),
        (level(clear_hold=9_000), clearing),
    ):
        assert play(watched, [None, None, None], state=state)[-1] == state


def test_absence_is_the_event_where_the_rule_says_so() -> None:
    watched = level(hold=1_000, acts=False)

    assert phases(play(watched, [None] * 4, mode=NoDataMode.FIRE)) == ["pending"] + ["firing"] * 3


def test_a_rearmed_level_still_waits_for_its_cooldown() -> None:
    latched = replace(CLEAR, phase=Phase.LATCHED, fired_at=Millis(0), cooled_at=Millis(60_000))

    assert alarm.rearm(latched) == replace(latched, phase=Phase.CLEAR)


def test_a_manual_latch_holds_until_it_is_rearmed() -> None:
    watched = level(clear=None, latch=Latch())
    states = play(watched, ["10", "9", "0", "20"])

    assert phases(states) == ["firing", "latched", "latched", "latched"]
    assert alarm.rearm(states[-1]).phase is Phase.CLEAR


def test_a_clock_latch_lets_go_at_that_time_of_day_and_not_before() -> None:
    watched = level(clear=None, latch=Latch(until=Millis(0)))
    fired = play(watched, ["10", "9"], start=DAY - 10_000)[-1]

    before = alarm.step(
        watched,
        fired,
        Decimal(9),
        credited=Millis(0),
        at=Millis(DAY - 1),
        mode=NoDataMode.HOLD,
    )
    after = alarm.step(watched, fired, Decimal(9), credited=Millis(0), at=DAY, mode=NoDataMode.HOLD)

    assert before.phase is Phase.LATCHED
    assert after.phase is Phase.CLEAR


def test_a_level_that_fires_at_its_release_time_is_held_for_a_whole_day() -> None:
    assert alarm.latch_release(Latch(until=Millis(0)), Millis(0)) == DAY
    assert alarm.latch_release(Latch(until=HOUR), Millis(0)) == HOUR
    assert alarm.latch_release(Latch(), Millis(0)) is None


def test_a_level_in_its_cooldown_waits_and_then_fires() -> None:
    cooling = replace(CLEAR, cooled_at=Millis(2_000))
    states = play(level(), ["10", "10", "10"], state=cooling)

    assert phases(states) == ["cooling", "cooling", "firing"]


def test_a_trigger_that_goes_away_while_cooling_does_not_fire() -> None:
    cooling = replace(CLEAR, cooled_at=Millis(2_000))

    assert phases(play(level(), ["10", "9", "9"], state=cooling)) == ["cooling", "clear", "clear"]


def test_a_level_that_only_speaks_clears_after_a_quiet_minute() -> None:
    watched = level(clear=None, acts=False)
    states = play(watched, ["10"] + ["9"] * 14, every=5_000)

    assert phases(states)[:13] == ["firing"] + ["clearing"] * 12
    assert phases(states)[13] == "clear"


def test_a_new_firing_may_run_its_intervention_again() -> None:
    ran = replace(play(level(), ["10"])[-1], has_run=True)
    states = play(level(), ["4", "10"], state=ran, start=1_000)

    assert states[-1].phase is Phase.FIRING
    assert not states[-1].has_run


def test_a_flatten_is_an_action() -> None:
    assert replace(level(), do=(Flatten(),)).acts
    assert not level(acts=False).acts


def test_what_is_remembered_of_a_level_is_when_it_fired_and_no_hold_that_is_over() -> None:
    assert LevelState() == LevelState(
        phase=Phase.CLEAR,
        held=Millis(0),
        fired_at=None,
        cooled_at=Millis(0),
        has_run=False,
        on_paper=False,
    )

    held = level(hold=1_000, clear_hold=2_000)
    states = play(held, ["10", "10", "4", "4", "10", "4", "4", "4"])
    latched = play(replace(held, latch=Latch()), ["10", "10", "4", "4", "4"])[-1]

    fired = LevelState(phase=Phase.FIRING, fired_at=Millis(1_000))
    assert states[1] == states[4] == fired
    assert states[-1] == replace(fired, phase=Phase.CLEAR)
    assert latched == replace(fired, phase=Phase.LATCHED)


def test_a_level_fires_until_it_is_clear_and_its_lock_outlives_that_by_a_latch() -> None:
    assert [phase.value for phase in Phase if phase.is_firing] == ["firing", "clearing"]
    assert [phase.value for phase in Phase if phase.is_standing] == [
        "firing",
        "clearing",
        "latched",
    ]


@pytest.mark.parametrize("mode", list(NoDataMode))
@pytest.mark.parametrize("value", [None, "9.999", "10", "19", "20"])
def test_a_rule_that_is_clear_stays_so_where_a_step_would_move_none_of_its_levels(
    value: str | None, mode: NoDataMode
) -> None:
    mild = level()
    severe = replace(mild, trigger=Bound(operator=Operator.AT_LEAST, value=Decimal(20)))
    rule = Rule(
        id="size",
        why="Enough is enough.",
        measure=MeasureRef(name="leverage"),
        scope=Scope(per=Per.SUBACCOUNT),
        levels=(mild, severe),
        no_data=mode,
    )
    moved = [one for one in rule.levels if play(one, [value], mode=mode) != [CLEAR]]

    stays = alarm.stays_clear(rule, GONE if value is None else Decimal(value))

    assert stays == (not moved)


def test_a_level_remembers_when_its_trigger_was_first_met_on_the_way_to_its_firing() -> None:
    states = play(level(hold=2_000), ["10", "11", "12", "4", "4", "13", "14", "15"], start=7_000)

    assert [one.met_at for one in states[:3]] == [7_000] * 3
    assert states[2].fired_at == 9_000
    assert [one.met_at for one in states[5:]] == [12_000] * 3
