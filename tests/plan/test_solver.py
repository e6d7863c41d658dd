"""The solver: small programmes with known answers, its limit, and the same answer every time."""

from __future__ import annotations

import re

import numpy as np
import pytest

from seawall.plan import solver
from seawall.plan.solver import Floats, Programme, Work


def programme(least: list[float], most: list[float]) -> Programme:
    """Two columns, the second twice as dear and worth three times as much in the first row."""
    return Programme(
        price=np.array([1.0, 2.0]),
        matrix=np.array([[1.0, 3.0], [1.0, 0.0]]),
        least=np.array(least, dtype=np.float64),
        most=np.array(most, dtype=np.float64),
    )


def test_the_cheapest_point_is_found() -> None:
    assert solver.solve(programme([6, 0], [9, 9])) == pytest.approx([0, 2])
    assert solver.solve(programme([6, 3], [9, 9])) == pytest.approx([3, 1])
    assert solver.solve(programme([6, 0], [9, 1])) == pytest.approx([3, 1])
    assert solver.solve(programme([5, 0], [9, 9])) == pytest.approx([0, 5 / 3])


def test_where_no_point_holds_there_is_none() -> None:
    assert solver.solve(programme([6, 4], [3, 9])) is None


def test_a_programme_that_takes_too_many_iterations_has_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = np.random.default_rng(1)
    wide = Programme(
        price=chance.random(60),
        matrix=chance.random((30, 60)),
        least=np.full(30, 9.0),
        most=np.full(60, 2.0),
    )
    assert solver.solve(wide) is not None

    monkeypatch.setattr(solver, "_highs", solver._made)  # made anew
    monkeypatch.setattr(solver, "ITERATIONS_MOST", 3)

    assert solver.solve(wide) is None


def test_an_answer_depends_on_nothing_that_was_solved_before() -> None:
    chance = np.random.default_rng(3)
    asked = [programme([6, 3], [9, 9]), programme([6, 4], [3, 9]), programme([6, 0], [9, 1])]
    asked += [
        Programme(
            price=np.ones(columns),  # many points cost the same
            matrix=chance.integers(0, 3, (rows, columns)).astype(np.float64),
            least=np.full(rows, 4.0),
            most=np.full(columns, 2.0),
        )
        for rows, columns in chance.integers(1, 9, (60, 2))
    ]
    one_after_another = [solver.solve(each) for each in asked]

    for each, found in zip(asked, one_after_another, strict=True):
        solver._highs.cache_clear()
        alone = solver.solve(each)
        assert (found is None) == (alone is None)
        assert found is None or alone is None or np.array_equal(found, alone)
    assert sum(found is None for found in one_after_another) not in {0, len(asked)}


def of_chance(seed: int) -> Programme:
    chance = np.random.default_rng(seed)
    rows, columns = chance.integers(1, 5), chance.integers(1, 12)
    return Programme(
        price=chance.uniform(0.1, 2, columns),
        matrix=chance.uniform(-0.3, 1, (rows, columns)),
        least=chance.uniform(-1, 3, rows),
        most=chance.choice([0.0, 0.5, 1.0, 4.0, solver.INFINITE], columns),
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Programme]:
    """The programmes of which the solver was asked."""
    real, found = solver._asked, list[Programme]()

    def noted(one: Programme, integers: int, work: Work | None) -> Floats | None:
        found.append(one)
        return real(one, integers, work)

    monkeypatch.setattr(solver, "_asked", noted)
    return found


def test_where_one_row_decides_its_point_is_the_one_that_the_solver_finds(
    asked: list[Programme],
) -> None:
    programmes = [of_chance(seed) for seed in range(300)]
    found = [solver.solve(each) for each in programmes]

    by_one_row = [
        (each, point)
        for each, point in zip(programmes, found, strict=True)
        if not any(each is one for one in asked)
    ]
    assert 100 < len(by_one_row) < 250
    for each, point in by_one_row:
        assert point == pytest.approx(solver._asked(each, 0, None), abs=1e-9)


@pytest.mark.parametrize(
    ("price", "matrix", "least", "most", "is_asked"),
    [
        ([1, 2], [[1, 1]], [3], [2, 2], False),
        ([1, 2], [[1, 1]], [4], [2, 2], False),  # all of it is just enough
        ([1, 2], [[1, 1]], [4.1], [2, 2], True),  # all of it is not
        ([1, 2], [[1, 1]], [-1], [2, 2], False),  # nothing is asked
        ([1, 2], [[1, 1]], [0], [2, 2], False),
        ([0, 2], [[1, 1]], [1], [2, 2], True),  # what is free may be taken or not
        ([0, 2], [[0, 1]], [1], [2, 2], True),
        ([1, 2], [[-1, 0]], [0], [2, 2], False),
        ([1, 2], [[1, 2]], [3], [2, 2], True),  # both cost the same for what they gain
        ([1, 2, 2], [[1, 1, 1]], [3], [2, 2, 2], True),  # so do the second and the third
        ([1, 2, 2], [[1, 1, 1]], [1], [2, 2, 2], False),  # but neither is needed
        ([1, 1, 2], [[1, 1, 1]], [5], [2, 2, 2], False),  # or all of both is
        ([1, 1, 2], [[1, 1, 1]], [3], [2, 2, 2], True),
        ([1, 1 + 2e-6], [[1, 1]], [1], [2, 2], False),
        ([1e6, 1e6 + 1], [[1, 1]], [1], [2, 2], True),
        ([1, 1 + 5e-7], [[1, 1]], [1], [2, 2], True),
        ([1, 1], [[1, 0]], [1], [2, 2], False),  # a column that gains nothing is no other way
        ([1, 1], [[1, 1]], [1], [2, 0], False),
        ([1, 2], [[1, 1], [0, 1]], [3, 1], [2, 2], False),  # the first takes enough of the second
        ([1, 2], [[1, 1], [0, 1]], [3, 1.5], [2, 2], True),
        ([1, 2], [[1, 1], [-1, 0]], [3, -2], [2, 2], False),
        ([1, 2], [[1, 1], [-1, 0]], [3, -1.5], [2, 2], True),
    ],
)
def test_the_solver_is_asked_where_more_than_one_row_decides_or_points_cost_the_same(
    asked: list[Programme],
    price: list[float],
    matrix: list[list[float]],
    least: list[float],
    most: list[float],
    *,
    is_asked: bool,
) -> None:
    one = Programme(
        price=np.array(price, dtype=np.float64),
        matrix=np.array(matrix, dtype=np.float64),
        least=np.array(least, dtype=np.float64),
        most=np.array(most, dtype=np.float64),
    )

    found = solver.solve(one)

    assert bool(asked) is is_asked
    if not is_asked:
        assert found == pytest.approx(solver._asked(one, 0, None), abs=1e-9)


def test_one_row_out_of_reach_takes_no_other_with_it() -> None:
    found = solver.nearest(programme([12, 8], [4, 2]), np.array([12.0, 8.0]))

    assert found is not None
    assert found.values == pytest.approx([4, 2], abs=1e-6)
    assert found.short == pytest.approx(
        [2, 4], abs=1e-6
    )  # of 12 and of 8: half at worst, and no half of both


def test_the_nearest_point_is_the_cheapest_of_those() -> None:
    # The second row is out of reach by half; the first needs no more than is left of it.
    found = solver.nearest(programme([4, 8], [4, 2]), np.array([4.0, 8.0]))

    assert found is not None
    assert found.values == pytest.approx([4, 0], abs=1e-6)


@pytest.mark.parametrize(("scale", "share"), [(1.0, 5.5 / 11), (0.5, 5.5 / 10.5)])
def test_a_shortfall_counts_in_parts_of_its_row_s_scale(scale: float, share: float) -> None:
    one = Programme(
        price=np.ones(2),
        matrix=np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]),
        least=np.array([1.0, 10.0, -5.5]),
        most=np.full(2, 99.0),
    )

    found = solver.nearest(one, np.array([scale, 10.0, 0.0]))

    assert found is not None
    assert found.short == pytest.approx([scale * share, 10 * share, 0], abs=1e-6)


def test_a_row_that_holds_with_room_to_spare_is_not_short() -> None:
    found = solver.nearest(programme([2, 8], [4, 2]), np.array([2.0, 8.0]))

    assert found is not None
    assert found.values == pytest.approx([4, 0], abs=1e-6)
    assert found.short[0] == 0


@pytest.mark.parametrize("asked", [2, 3])
def test_a_point_that_the_solver_finds_and_loses_again_is_no_point(
    monkeypatch: pytest.MonkeyPatch, asked: int
) -> None:
    real, times = solver.solve, iter(range(1, 9))
    monkeypatch.setattr(solver, "solve", lambda one: None if next(times) == asked else real(one))

    assert solver.nearest(programme([12, 8], [4, 2]), np.array([12.0, 8.0])) is None


def test_hard_rows_that_cannot_hold_have_no_nearest_point() -> None:
    assert solver.nearest(programme([6, 4], [3, 9]), np.array([6.0, 0.0])) is None


def test_a_decision_names_the_solver_by_name_and_version() -> None:
    assert re.fullmatch(r"highs \d+\.\d+\.\d+", solver.version())
