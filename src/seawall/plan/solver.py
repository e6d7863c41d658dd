"""HiGHS, held to one thread and a number of iterations: the same programme gives the same answer.

No clock decides anything here. What comes back is a proposal in floats. A programme that may open
only so many groups of columns is solved without that bound first; only where too many are open is
it asked in integers which, and then solved once more with the others shut. Where one row alone
decides there is nothing to search, and that is often so where one rule fires.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import highspy
import numpy as np
from numpy.typing import NDArray

ITERATIONS_MOST = 20_000
NODES_MOST = 2_000  # of the search in integers; the best that is found by then is taken
SEARCH_MOST = 2_000  # iterations of all searches for one plan: some 0.3 s
SEARCH_LEAST = 40  # iterations that a search takes as long as, whatever it finds
WHOLE = 1e-9  # what a 0 or 1 may be off: a position of $100,000 is then open by no cent
SHUT = 1e-9  # dollars; a group of which no column is above it is shut
INFINITE = highspy.kHighsInf
HAIR = 1e-9  # of what is added up: a sum may be off by as much
SAME = 1e-6  # of a price: columns that are no further apart cost the same
FEASIBLE = 2  # of the solver's statuses of a solution
NONE = (
    highspy.HighsModelStatus.kInfeasible,
    highspy.HighsModelStatus.kUnboundedOrInfeasible,
)

Floats = NDArray[np.float64]


class _Quiet(highspy.Highs):
    """A solver without callbacks: enabling them prints a banner before it can be silenced."""

    def __init__(self) -> None:
        super(highspy.Highs, self).__init__()


@dataclass(slots=True)
class Work:
    """Iterations that are left for searches in integers."""

    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Few:
    """No more than `count` of these groups of columns above zero; each column is in one at most.

    `known` are groups of a point that holds, by their place: where the search loses it by a hair,
    or there is no more of it, since `work` is used up.
    """

    groups: tuple[tuple[int, ...], ...]
    count: int
    known: frozenset[int] = frozenset()
    work: Work = field(default_factory=lambda: Work(SEARCH_MOST), compare=False)

    def opened(self, values: Floats) -> frozenset[int]:
        """The places of the groups that are above zero."""
        return frozenset(
            at for at, group in enumerate(self.groups) if (values[list(group)] > SHUT).any()
        )

    def largest(self, values: Floats) -> frozenset[int]:
        """The places of so many groups as may be above zero: those that are highest."""
        sums = [-values[list(group)].sum() for group in self.groups]
        return frozenset(np.argsort(sums, kind="stable")[: self.count].tolist())

    def knowing(self, values: Floats) -> Few:
        """The same with a point that holds."""
        return replace(self, known=self.opened(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """Minimise `price` x v with `matrix` v >= `least` and 0 <= v <= `most`.

    Columns in groups of `few` have a finite `most`.
    """

    price: Floats
    matrix: Floats
    least: Floats
    most: Floats
    few: Few | None = None


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
    found, few = _run(programme, integers=0), programme.few
    if found is None or few is None or len(few.opened(found)) <= few.count:
        return found
    columns, searched = len(programme.price), None
    if few.work.left > 0:
        whole = _in_integers(programme, few)
        searched = _run(whole, integers=len(few.groups), work=few.work)
    if searched is None:
        tries = [_opening(programme, few, one) for one in (few.known, few.largest(found))]
        holding = [one for one in tries if one is not None]
        return min(holding, key=lambda one: float(programme.price @ one), default=None)
    opened = frozenset(np.flatnonzero(np.rint(searched[columns:])).tolist())
    exact = _opening(programme, few, opened)
    if exact is None:
        # It holds by no more than the hair that the search may be off: the integers decide.
        return np.minimum(searched[:columns], _shut(programme, few, opened))
    return exact


def _opening(programme: Programme, few: Few, opened: frozenset[int]) -> Floats | None:
    """The cheapest point with no other group above zero; None where there is none."""
    return _run(replace(programme, most=_shut(programme, few, opened)), integers=0)


def _shut(programme: Programme, few: Few, opened: frozenset[int]) -> Floats:
    most = programme.most.copy()
    for at, group in enumerate(few.groups):
        if at not in opened:
            most[list(group)] = 0.0
    return most


def _run(programme: Programme, *, integers: int, work: Work | None = None) -> Floats | None:
    """The cheapest point, however many groups it opens; so many last columns are whole numbers."""
    found = None if integers else _of_one_row(programme)
    return _asked(programme, integers, work) if found is None else found


def _in_integers(programme: Programme, few: Few) -> Programme:
    """The programme with a column of 0 or 1 for each group, which opens the columns in it."""
    rows, columns = programme.matrix.shape
    width = columns + len(few.groups)
    # A row for each column by itself: their sum bounds the search far less.
    pairs = [(at, column) for at, group in enumerate(few.groups, columns) for column in group]
    opens = np.zeros((len(pairs), width))
    for row, (at, column) in enumerate(pairs):
        opens[row, column], opens[row, at] = -1.0, programme.most[column]
    count = np.hstack((np.zeros((1, columns)), np.full((1, len(few.groups)), -1.0)))
    beside = np.zeros((rows, len(few.groups)))
    return Programme(
        price=np.concatenate((programme.price, np.zeros(len(few.groups)))),
        matrix=np.vstack((np.hstack((programme.matrix, beside)), opens, count)),
        least=np.concatenate((programme.least, np.zeros(len(opens)), [-float(few.count)])),
        most=np.concatenate((programme.most, np.ones(len(few.groups)))),
    )


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


def _asked(programme: Programme, integers: int, work: Work | None) -> Floats | None:
    """What the solver says is the cheapest point; of the last columns so many are whole numbers.

    Of those the best that is found where the search runs out of nodes; it counts as `work`.
    """
    # A search in integers leaves behind what other answers may depend on.
    highs = _made() if integers else _highs()
    _pass(highs, programme, integers)
    highs.run()
    if not integers and highs.getModelStatus() in NONE:
        # What is found before the simplex method starts loses a point that holds by a hair.
        highs = _made()
        highs.setOptionValue("presolve", "off")
        _pass(highs, programme, integers)
        highs.run()
    if work is not None:
        work.left -= SEARCH_LEAST + highs.getInfo().simplex_iteration_count
    is_best = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    has_point = highs.getInfo().primal_solution_status == FEASIBLE
    if not (is_best or (integers and has_point)):
        return None
    return np.array(highs.getSolution().col_value, dtype=np.float64)


@cache
def _highs() -> highspy.Highs:
    """The one solver, since making it costs a seventh of what it is used for.

    A model that is passed takes the place of the last one with all that was found of it, so an
    answer depends on nothing that was solved before.
    """
    return _made()


def _made() -> highspy.Highs:
    """A solver that gives the same answer every time."""
    highs = _Quiet()
    for option, value in (
        ("output_flag", False),
        ("threads", 1),
        ("parallel", "off"),
        ("solver", "simplex"),
        ("random_seed", 0),
        ("simplex_iteration_limit", ITERATIONS_MOST),
        ("mip_max_nodes", NODES_MOST),
        ("mip_rel_gap", 0.0),
        ("mip_feasibility_tolerance", WHOLE),
        # Searches beside the search: of some dozen positions they cost most of the time.
        ("mip_allow_restart", False),
        ("mip_heuristic_run_rins", False),
        ("mip_heuristic_run_rens", False),
        ("mip_heuristic_run_root_reduced_cost", False),
    ):
        highs.setOptionValue(option, value)
    return highs


def _pass(highs: highspy.Highs, programme: Programme, integers: int) -> None:
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
        (np.arange(columns) >= columns - integers).astype(np.int32),  # whether it is an integer
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
    found = _shortest(programme, scale)
    return None if found is None else float(found[-1])


def _shortest(programme: Programme, scale: Floats) -> Floats | None:
    """A point with that shortfall, and it in a last column."""
    return solve(
        replace(
            programme,
            price=np.concatenate((np.zeros(len(programme.price)), np.ones(1))),
            matrix=np.hstack((programme.matrix, scale[:, None])),
            most=np.concatenate((programme.most, [INFINITE])),
        )
    )


def nearest(programme: Programme, scale: Floats) -> Found | None:
    """The point with the smallest largest shortfall of the soft rows, then the cheapest.

    A shortfall counts in parts of the row's `scale`, which is 0 for hard rows. Between the two the
    sum of shortfalls is made small, so that one target out of reach takes no other with it. None
    where the hard rows cannot hold, or where the solver's own error loses a point that it found.
    """
    first, soft, few = _shortest(programme, scale), scale > 0, programme.few
    if first is None:
        return None
    columns, rows = len(programme.price), int(soft.sum())
    each = solve(
        replace(
            programme,
            price=np.concatenate((np.zeros(columns), np.ones(rows))),
            matrix=np.hstack((programme.matrix, np.diag(scale)[:, soft])),
            most=np.concatenate((programme.most, np.full(rows, first[-1] + 1e-9))),
            few=None if few is None else few.knowing(first),
        )
    )
    if each is None:
        return None
    least = programme.least.copy()
    least[soft] -= scale[soft] * (each[columns:] + 1e-9)
    few = None if few is None else few.knowing(each)
    values = solve(replace(programme, least=least, few=few))
    if values is None:
        return None
    short = np.maximum(programme.least - programme.matrix @ values, 0.0)
    return Found(values=values, short=short)
