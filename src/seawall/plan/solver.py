"""HiGHS, held to one thread and a number of iterations: the same programme gives the same answer.

No clock decides anything here. What comes back is a proposal in floats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import highspy
import numpy as np
from numpy.typing import NDArray

ITERATIONS_MOST = 20_000
INFINITE = highspy.kHighsInf

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
    rows, columns = programme.matrix.shape
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
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = columns, rows
    model.col_cost_, model.col_lower_ = programme.price, np.zeros(columns)
    model.col_upper_ = programme.most
    model.row_lower_, model.row_upper_ = programme.least, np.full(rows, INFINITE)
    filled = programme.matrix != 0
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.concatenate(([0], np.cumsum(filled.sum(axis=1)))).astype(np.int32)
    model.a_matrix_.index_ = np.nonzero(filled)[1].astype(np.int32)
    model.a_matrix_.value_ = programme.matrix[filled]
    highs.passModel(model)
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return np.array(highs.getSolution().col_value, dtype=np.float64)


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
