"""HiGHS, held to one thread and a number of iterations: the same programme gives the same answer.

No clock decides anything here. What comes back is a proposal in floats. Where one row alone decides
there is nothing to search: most ticks that act have such a programme, and time is short in them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import highspy
import numpy as np
from numpy.typing import NDArray

ITERATIONS_MOST = 20_000
INFINITE = highspy.kHighsInf
HAIR = 1e-9  # of what is added up: a sum may be off by as much
SAME = 1e-6  # of a price: columns that are no further apart cost the same

Floats = NDArray[np.float64]


class _Quiet(highspy.Highs):
    """A solver without callbacks: enabling them prints a banner before it can be silenced."""

    def __init__(self) -> None:
        super(highspy.Highs, self).__init__()


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """Minimise `price` x v with `matrix` v >= `least` and 0 <= v <= `most`."""

    price: Floats
    matrix: Floats
    least: Floats
    most: Floats


def version() -> str:
    """The solver and its version, as a decision names it."""
    parts = (
        highspy.HIGHS_VERSION_MAJOR,
        highspy.HIGHS_VERSION_MINOR,
        highspy.HIGHS_VERSION_PATCH,
    )
    return "highs " + ".".join(str(part) for part in parts)


def solve(programme: Programme) -> Floats | None:
    """The cheapest point; None where there is none or it was not found in time."""
    found = _of_one_row(programme)
    return _asked(programme) if found is None else found


def _of_one_row(programme: Programme) -> Floats | None:
    """The cheapest point where one row decides; None where more do, or several points do as well.

    What holds every row is no cheaper than what holds one of them. So where the cheapest point for
    the row that takes the most holds all others too, it is the cheapest of all.
    """
    price, matrix, least = programme.price, programme.matrix, programme.least
    if not (price > 0).all():
        return None
    points = [np.zeros(len(price))]
    for row in np.flatnonzero(least > 0):
        point = _filled(price, matrix[row], float(least[row]), programme.most)
        if point is None:
            return None
        points.append(point)
    best = max(points, key=lambda point: float(price @ point))
    rounding = HAIR * (np.abs(matrix) @ best)
    return best if (matrix @ best + rounding >= least).all() else None


def _filled(price: Floats, gains: Floats, least: float, most: Floats) -> Floats | None:
    """The point that takes `least` > 0 of one row, what costs least for what it gains first.

    None where all of it is not enough, or where the last column costs the same as the next one.
    """
    useful = np.flatnonzero((gains > 0) & (most > 0))
    each = price[useful] / gains[useful]
    order = np.argsort(each)
    useful, each = useful[order], each[order]
    gained = np.cumsum(gains[useful] * most[useful])
    last = int(np.searchsorted(gained, least))
    if last == len(useful):
        return None
    around = each[max(0, last - 1) : last + 2]
    if (np.diff(around) <= SAME * each[last]).any():
        return None
    point = np.zeros(len(price))
    point[useful[:last]] = most[useful[:last]]
    before = float(gained[last - 1]) if last else 0.0
    point[useful[last]] = (least - before) / gains[useful[last]]
    return point


def _asked(programme: Programme) -> Floats | None:
    """What the solver says is the cheapest point."""
    highs = _highs()
    _pass(highs, programme)
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return np.array(highs.getSolution().col_value, dtype=np.float64)


@cache
def _highs() -> highspy.Highs:
    """The one solver, since making it costs a seventh of what it is used for.

    A model that is passed takes the place of the last one with all that was found of it, so an
    answer depends on nothing that was solved before.
    """
    highs = _Quiet()
    for option, value in (
        ("output_flag", False),
        ("threads", 1),
        ("parallel", "off"),
        ("solver", "simplex"),
        ("random_seed", 0),
        ("simplex_iteration_limit", ITERATIONS_MOST),
    ):
        highs.setOptionValue(option, value)
    return highs


def _pass(highs: highspy.Highs, programme: Programme) -> None:
    """Hand the arrays over at once: a HighsLp is filled field by field and copied once more."""
    rows, columns = programme.matrix.shape
    at, filled = np.nonzero(programme.matrix)  # row by row
    highs.passModel(
        columns,
        rows,
        len(filled),
        int(highspy.MatrixFormat.kRowwise),
        int(highspy.ObjSense.kMinimize),
        0.0,  # added to the price
        programme.price,
        np.zeros(columns),
        programme.most,
        programme.least,
        np.full(rows, INFINITE),
        np.searchsorted(at, np.arange(rows)).astype(np.int32),  # where each row begins
        filled.astype(np.int32),
        programme.matrix[at, filled],
        np.zeros(columns, dtype=np.int32),  # no column is an integer
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A point, and by how much each row falls short of what it asks (0 where it holds)."""

    values: Floats
    short: Floats


def shortest(programme: Programme, scale: Floats) -> float | None:
    """The smallest largest shortfall of the soft rows, in parts of `scale` > 0; others are hard.

    None where the hard rows cannot hold.
    """
    worst = solve(
        Programme(
            price=np.concatenate((np.zeros(len(programme.price)), np.ones(1))),
            matrix=np.hstack((programme.matrix, scale[:, None])),
            least=programme.least,
            most=np.concatenate((programme.most, [INFINITE])),
        )
    )
    return None if worst is None else float(worst[-1])


def nearest(programme: Programme, scale: Floats) -> Found | None:
    """The point with the smallest largest shortfall of the soft rows, then the cheapest.

    A shortfall counts in parts of the row's `scale`, which is 0 for hard rows. Between the two the
    sum of shortfalls is made small, so that one target out of reach takes no other with it. None
    where the hard rows cannot hold, or where the solver's own error loses a point that it found.
    """
    worst, soft = shortest(programme, scale), scale > 0
    if worst is None:
        return None
    columns, rows = len(programme.price), int(soft.sum())
    each = solve(
        Programme(
            price=np.concatenate((np.zeros(columns), np.ones(rows))),
            matrix=np.hstack((programme.matrix, np.diag(scale)[:, soft])),
            least=programme.least,
            most=np.concatenate((programme.most, np.full(rows, worst + 1e-9))),
        )
    )
    if each is None:
        return None
    least = programme.least.copy()
    least[soft] -= scale[soft] * (each[columns:] + 1e-9)
    values = solve(replace(programme, least=least))
    if values is None:
        return None
    short = np.maximum(programme.least - programme.matrix @ values, 0.0)
    return Found(values=values, short=short)
