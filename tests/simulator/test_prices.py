"""Price paths: the walk through bars, and when anything moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.errors import PriceFileError
from seawall.simulator.prices import Bar, Line, Path, Point, leg_lasts, walk
from seawall.units import MINUTE, Millis

HALF_HOUR = Millis(30 * MINUTE)
T0 = Millis(1_668_000_600_000)


def bar(at: int, opened: float, high: float, low: float, close: float) -> Bar:
    return Bar(at=Millis(T0 + at * HALF_HOUR), open=opened, high=high, low=low, close=close)


def minutes(line: Line, *moments: float) -> list[float]:
    return [round(line.price(Millis(round(T0 + m * MINUTE))), 6) for m in moments]


def test_a_falling_bar_goes_up_first_and_a_rising_one_down_first() -> None:
    falling = walk([bar(0, 100, 101, 95, 96)], HALF_HOUR)
    rising = walk([bar(0, 100, 105, 99, 104)], HALF_HOUR)

    assert minutes(falling, 0, 9, 19, 29) == [100, 101, 95, 96]
    assert minutes(rising, 0, 9, 19, 29) == [100, 99, 105, 104]


def test_legs_start_at_thirds_and_rest_when_they_have_moved() -> None:
    line = walk([bar(0, 100, 101, 95, 96)], HALF_HOUR)

    # 101 to 95 is 5.94%: 71.3 s from minute 10; 1% takes the shortest leg, a minute.
    assert minutes(line, 0.5, 1, 10, 10.5, 11.2, 20, 20.5, 21) == pytest.approx(
        [100.5, 101, 101, 98.4755, 95, 95, 95.5, 96], abs=0.06
    )


@pytest.mark.parametrize(
    ("target", "seconds"),
    [(101.0, 60), (95.0, 60), (94.99, 60.12), (90.0, 120), (50.0, 450), (199.0, 450)],
)
def test_a_leg_moves_five_per_cent_a_minute_within_its_bounds(
    target: float, seconds: float
) -> None:
    assert leg_lasts(100.0, target, HALF_HOUR) == round(seconds * 1_000)


def test_the_move_to_the_next_bars_open_is_part_of_its_first_leg() -> None:
    line = walk([bar(0, 100, 100, 96, 96), bar(1, 90, 92, 85, 86)], HALF_HOUR)

    # The second bar opens at 90, but the price goes straight from 96 to its high of 92.
    assert minutes(line, 30, 30.5, 31, 39) == [96, 94, 92, 92]


def test_a_bar_that_does_not_move_rests() -> None:
    line = walk([bar(0, 100, 100, 100, 100), bar(1, 100, 100, 99, 99)], HALF_HOUR)

    assert line.next_change(T0) == T0 + HALF_HOUR + HALF_HOUR // 3


def test_the_next_change_is_now_while_it_moves_and_the_next_leg_while_it_rests() -> None:
    line = walk([bar(0, 100, 101, 95, 96)], HALF_HOUR)

    assert line.next_change(T0) == T0
    assert line.next_change(Millis(T0 + 30_000)) == T0 + 30_000
    assert line.next_change(Millis(T0 + MINUTE)) == T0 + 10 * MINUTE
    assert line.next_change(Millis(T0 + 22 * MINUTE)) is None


def test_a_path_moves_when_any_of_its_markets_does() -> None:
    still = Line([Point(T0, 5.0)])
    late = Line([Point(Millis(T0 + 5_000), 1.0), Point(Millis(T0 + 6_000), 2.0)])
    path = Path({"A": still, "B": late}, start=T0, end=Millis(T0 + 10_000))

    assert path.next_change(T0) == T0 + 5_000
    assert path.next_change(Millis(T0 + 6_000)) is None
    assert path.price("B", Millis(T0 + 5_500)) == 1.5
    assert path.prices(T0) == {"A": 5.0, "B": 1.0}


def test_a_window_narrows_a_path_and_keeps_its_prices() -> None:
    line = Line([Point(T0, 1.0), Point(Millis(T0 + 100), 2.0)])
    path = Path({"A": line}, start=T0, end=Millis(T0 + 100))

    window = path.window(Millis(T0 + 10), Millis(T0 + 50))

    assert (window.start, window.end) == (T0 + 10, T0 + 50)
    assert window.price("A", Millis(T0 + 50)) == path.price("A", Millis(T0 + 50))
    assert path.window(None, None).end == path.end


def test_an_empty_window_is_refused() -> None:
    path = Path({"A": Line([Point(T0, 1.0)])}, start=T0, end=Millis(T0 + 100))

    with pytest.raises(PriceFileError, match="nothing to play"):
        path.window(Millis(T0 + 100), None)


@given(st.lists(st.tuples(*[st.integers(50, 150)] * 4), min_size=1, max_size=5))
def test_a_walk_stays_within_its_bars_and_ends_at_their_closes(
    drawn: list[tuple[int, ...]],
) -> None:
    bars = [
        bar(number, opened, max(row), min(row), close)
        for number, row in enumerate(drawn)
        for opened, close in [(row[0], row[1])]
    ]

    line = walk(bars, HALF_HOUR)

    for one in bars:
        assert line.price(Millis(one.at + HALF_HOUR - 1)) == one.close
        legs = [line.price(Millis(one.at + HALF_HOUR * third // 3 - 1)) for third in (1, 2)]
        assert set(legs) == {one.high, one.low}
