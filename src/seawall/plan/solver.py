"""HiGHS, held to one thread and a number of iterations: the same programme gives the same answer.

No clock decides anything here. What comes back is a proposal in floats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import highspy
import numpy as np
from numpy.typing import NDArray

ITERATIONS_MOST = 20_000

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
    model.row_lower_, model.row_upper_ = programme.least, np.full(rows, highspy.kHighsInf)
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


def nearest(programme: Programme, soft: NDArray[np.bool_]) -> Found | None:
    """The point with the smallest largest relative shortfall of the soft rows, then the cheapest.

    A shortfall is relative to what the row asks beyond doing nothing. Between the two the sum of
    shortfalls is made small, so that one target out of reach takes no other with it. None where
    the hard rows cannot hold, or where the solver's own error loses a point that it found.
    """
    scale = np.where(soft, np.maximum(np.abs(programme.least), 1.0), 0.0)
    columns, rows = len(programme.price), int(soft.sum())
    worst = solve(
        Programme(
            price=np.concatenate((np.zeros(columns), np.ones(1))),
            matrix=np.hstack((programme.matrix, scale[:, None])),
            least=programme.least,
            most=np.concatenate((programme.most, [highspy.kHighsInf])),
        )
    )
    if worst is None:
        return None
    each = solve(
        Programme(
            price=np.concatenate((np.zeros(columns), np.ones(rows))),
            matrix=np.hstack((programme.matrix, np.diag(scale)[:, soft])),
            least=programme.least,
            most=np.concatenate((programme.most, np.full(rows, worst[-1] + 1e-9))),
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
