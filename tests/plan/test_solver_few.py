"""A programme that may open only so few groups of columns: which ones is searched, and bounded."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from seawall.plan import solver
from seawall.plan.solver import Few, Floats, Programme, Work


def pairs(count: int, *, known: frozenset[int] = frozenset()) -> Programme:
    """Three groups of two columns, the cheap one of each is worth 1 at most: 4 are asked."""
    return Programme(
        price=np.array([1.0, 5.0, 1.1, 5.1, 1.2, 4.0]),
        matrix=np.ones((1, 6)),
        least=np.array([4.0]),
        most=np.array([1.0, 2.0, 1.0, 3.0, 1.0, 3.0]),
        few=Few(groups=((0, 1), (2, 3), (4, 5)), count=count, known=known),
    )


@pytest.mark.parametrize(
    ("count", "point"),
    [
        (3, [1, 0, 1, 0, 1, 1]),
        (2, [1, 0, 0, 0, 1, 2]),
        (1, [0, 0, 0, 0, 1, 3]),
    ],
)
def test_of_so_few_groups_the_cheapest_choice_is_found(count: int, point: list[float]) -> None:
    assert solver.solve(pairs(count)) == pytest.approx(point)


def test_the_cheapest_of_every_choice_of_so_few_groups_is_found() -> None:
    chance = np.random.default_rng(6)
    groups = tuple((2 * at, 2 * at + 1) for at in range(10))
    found = 0

    for _ in range(12):
        whole = Programme(
            price=chance.random(20) + 0.5,
            matrix=chance.random((4, 20)),
            least=np.full(4, 4.0),
            most=chance.random(20) * 3,
        )
        costs = []
        for some in combinations(groups, 3):
            most = np.zeros(20)
            opened = [column for group in some for column in group]
            most[opened] = whole.most[opened]
            point = solver.solve(replace(whole, most=most))
            costs += [] if point is None else [whole.price @ point]

        point = solver.solve(replace(whole, few=Few(groups=groups, count=3)))

        assert (point is None) == (not costs)
        if point is not None:
            assert whole.price @ point == pytest.approx(min(costs))
            found += 1
    assert found > 3


def test_where_few_enough_are_open_nothing_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    real = solver._run

    def run(one: Programme, *, integers: int, work: Work | None = None) -> Floats | None:
        assert (integers, work) == (0, None)
        return real(one, integers=0)

    monkeypatch.setattr(solver, "_run", run)

    assert solver.solve(pairs(3)) == pytest.approx([1, 0, 1, 0, 1, 1])
    two = replace(pairs(2), least=np.array([2.0]))
    assert solver.solve(two) == pytest.approx([1, 0, 1, 0, 0, 0])


def test_what_is_in_no_group_is_bound_by_no_number_of_them() -> None:
    one = pairs(1)
    free = replace(one, few=Few(groups=((0, 1), (2, 3)), count=1))

    assert solver.solve(free) == pytest.approx([1, 0, 0, 0, 1, 2])


def test_where_no_so_few_groups_hold_there_is_no_point() -> None:
    one = pairs(1)

    assert solver.solve(replace(one, least=np.array([4.5]))) is None
    assert solver.solve(replace(one, least=np.array([13.0]))) is None


def test_a_group_that_is_shut_is_at_zero_to_the_last_bit() -> None:
    found = solver.solve(pairs(2))

    assert found is not None
    assert found[2] == found[3] == 0


def test_the_point_nearest_to_what_so_few_miss_opens_no_more() -> None:
    asked = replace(pairs(1), least=np.array([6.0]))

    found = solver.nearest(asked, np.array([6.0]))

    assert found is not None
    # As far as with the second group, and cheaper.
    assert found.values == pytest.approx([0, 0, 0, 0, 1, 3], abs=1e-5)
    assert found.short == pytest.approx([2], abs=1e-5)


def with_work(one: Programme, work: Work) -> Programme:
    assert one.few is not None
    return replace(one, few=replace(one.few, work=work))


@pytest.mark.parametrize("spent", [Work(0), Work(-5)])
def test_without_a_search_the_better_of_what_it_knows_and_the_largest_is_taken(
    monkeypatch: pytest.MonkeyPatch, spent: Work
) -> None:
    real = solver._run

    def run(one: Programme, *, integers: int, work: Work | None = None) -> Floats | None:
        assert (integers, work) == (0, None)
        return real(one, integers=0)

    monkeypatch.setattr(solver, "_run", run)
    price = np.array([1.0, 5.0, 1.1, 5.1, 0.9, 9.0])

    def found(*known: int, least: float = 4.0) -> Floats | None:
        one = replace(pairs(2, known=frozenset(known)), price=price, least=np.array([least]))
        return solver.solve(with_work(one, spent))

    assert found() == pytest.approx([1, 2, 1, 0, 0, 0])  # most is closed of the first
    assert found(1, 2) == pytest.approx([1, 2, 1, 0, 0, 0])
    assert found(0, 2) == pytest.approx([1, 2, 0, 0, 1, 0])  # cheaper
    assert found(1, 2, least=7.5) == pytest.approx([0, 0, 1, 3, 1, 2.5])  # the largest fail
    assert found(least=9.0) is None


def test_a_search_that_finds_nothing_takes_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    real = solver._run

    def run(one: Programme, *, integers: int, work: Work | None = None) -> Floats | None:
        assert (work is None) == (integers == 0)
        return None if integers else real(one, integers=0)

    monkeypatch.setattr(solver, "_run", run)

    known = pairs(2, known=frozenset({0, 2}))
    assert solver.solve(known) == pytest.approx([1, 0, 0, 0, 1, 2])


def test_searches_for_one_plan_share_their_work() -> None:
    work = Work(1_000)
    one = with_work(pairs(2), work)

    solver.solve(one)
    once = work.left
    solver.solve(one)

    assert once < 1_000
    assert work.left == 2 * once - 1_000
    assert one.few is not None
    assert one.few.knowing(np.zeros(6)).work is work
    assert with_work(one, work) == one


def test_a_choice_that_holds_by_a_hair_is_left_to_the_integers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, asked = solver._run, iter((True, True, False))

    def run(one: Programme, *, integers: int, work: Work | None = None) -> Floats | None:
        return real(one, integers=integers, work=work) if next(asked) else None

    monkeypatch.setattr(solver, "_run", run)

    assert solver.solve(pairs(2)) == pytest.approx([1, 0, 0, 0, 1, 2])


def test_the_best_that_is_found_within_so_many_nodes_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = np.random.default_rng(4)
    groups = tuple((2 * at, 2 * at + 1) for at in range(40))
    wide = Programme(
        price=chance.random(80) + 0.5,
        matrix=chance.random((12, 80)),
        least=np.full(12, 9.0),
        most=chance.random(80) * 3,
        few=Few(groups=groups, count=12),
    )
    few = wide.few
    assert few is not None
    best = solver.solve(wide)
    assert best is not None
    assert solver.SEARCH_MOST - few.work.left > solver.SEARCH_LEAST, "and what it took beside"

    monkeypatch.setattr(solver, "NODES_MOST", 1)
    found = solver.solve(wide)
    assert solver._asked(solver._in_integers(wide, few), len(groups), None) is not None

    assert found is not None
    assert (wide.matrix @ found >= wide.least - 1e-6).all()
    assert sum((found[list(group)] > 0).any() for group in groups) <= 12
    assert wide.price @ found >= wide.price @ best - 1e-9


def test_a_search_leaves_nothing_behind_for_the_answers_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, few = pairs(2), pairs(2).few
    assert few is not None
    shared = solver._highs()
    monkeypatch.setattr(solver, "_highs", lambda: pytest.fail("the shared solver searches"))

    assert solver._asked(solver._in_integers(one, few), len(few.groups), None) is not None
    assert shared.getNumCol() != len(one.price) + len(few.groups)
