"""Which failures of a run of trouble a person is told of."""

from __future__ import annotations

from seawall.agent.failures import Failures
from seawall.units import MINUTE, Millis

OOPS = ValueError("no such row")


def test_while_no_tick_succeeds_it_is_told_again_and_while_some_do_they_repeat_it() -> None:
    def told(*, succeeds: bool) -> list[bool]:
        failures, found = Failures(), []
        for minute in (0, 4, 5):
            found.append(failures.note(OOPS, Millis(minute * MINUTE)) is not None)
            if succeeds:
                failures.end()
        return found

    assert told(succeeds=False) == [True, False, True]
    assert told(succeeds=True) == [True, False, False]


def test_after_five_minutes_without_a_failure_every_kind_is_a_new_one() -> None:
    failures = Failures()

    def is_told(error: Exception, minute: int) -> bool:
        return failures.note(error, Millis(minute * MINUTE)) is not None

    other = KeyError("another")
    assert [is_told(OOPS, 0), is_told(other, 0), is_told(OOPS, 4)] == [True, True, False]
    failures.end()
    assert [is_told(OOPS, 9), is_told(other, 9), is_told(other, 9)] == [True, True, False]
