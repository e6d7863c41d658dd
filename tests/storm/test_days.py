"""Days from seeds and from drawn choices: nothing breaks, and the same day is the same day."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seawall.storm.case import Restart, case_of, draw
from seawall.storm.play import play
from tests.storm.days import falling, with_restarts

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=4, deadline=None, database=None, suppress_health_check=SLOW)
@given(chance=st.randoms(use_true_random=False))
def test_no_drawn_day_breaks_the_guard(chance: random.Random) -> None:
    assert play(draw(chance, 0)).broken == ()


def test_a_seed_is_always_the_same_day() -> None:
    told: list[list[str]] = [[], []]

    results = [play(case_of(12), told=lines.append) for lines in told]

    assert results[0] == results[1]
    assert told[0] == told[1]
    assert results[0].deaths


def test_a_guard_that_dies_at_every_step_of_its_work_loses_and_doubles_nothing() -> None:
    # Deaths far apart, each a step later than the one before, while the market falls.
    restarts = [Restart(block=20 + 25 * k, steps=k, away=k % 3) for k in range(13)]

    result = play(with_restarts(falling(), *restarts))

    assert result.broken == ()
    assert len(result.deaths) == len(restarts)
    assert {"between ticks", "after observe"} <= set(result.deaths)


def test_a_tick_that_dies_with_its_credits_written_is_judged_by_what_it_wrote() -> None:
    result = play(case_of(369))

    assert result.broken == ()
    assert "after holds" in result.deaths


def test_a_second_death_is_judged_with_what_the_first_restart_was_credited() -> None:
    assert play(case_of(780)).broken == ()


def test_a_panic_that_may_touch_nothing_that_is_held_is_no_unfinished_one() -> None:
    assert play(case_of(1037)).broken == ()


def test_days_play_a_level_that_cuts_once_over_one_that_is_chasing_its_target() -> None:
    told: list[str] = []

    result = play(case_of(55), told=told.append)

    starts = [line.split(" starts ")[1] for line in told if " starts stacked/" in line]
    assert result.broken == ()
    assert starts[:2] == ["stacked/0/trim#2", "stacked/0/once#3"]
    assert any("stacked/0/trim#2 ends superseded" in line for line in told)
