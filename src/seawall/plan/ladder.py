"""From all that a programme asks down to what can be had of it.

All rows; without triggers that cannot be kept from, let go one after another and named; where
targets cannot hold either, the smallest relative shortfall of targets first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from seawall.plan import solver
from seawall.plan.solver import Few, Floats, Programme

EXACT = 1e-6  # dollars that a solver may be off
ERROR = 4e-6  # of what a row asks, or of a dollar: missed by less it counts as reached
NOTHING = np.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """What the solver found: dollars by column, then deposits by subaccount."""

    values: Floats
    let_go: tuple[str, ...]  # triggers
    short: tuple[str, ...]  # interventions


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row over all columns; `owner` is the trigger's or the intervention's name.

    `gains` are what a goal gets of the columns before what they cost.
    """

    coefficients: Floats
    least: float
    kind: str
    owner: str = ""
    gains: Floats = field(default_factory=lambda: NOTHING)

    @property
    def waits_for_cash(self) -> bool:
        """Whether it is a target to which closing does nothing but cost."""
        return self.kind == "goal" and self.least > 0 and not self.gains.any()


class Ladder:
    """Lines and the price of each column, ready to be solved for different bounds.

    `foreign` columns are not an intervention's own, by its name: what others want of them helps it,
    and moves nothing by itself. `few` is how many positions may be cut.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        price: Floats,
        foreign: Mapping[str, NDArray[np.bool_]] | None = None,
        few: Few | None = None,
    ) -> None:
        self._lines, self._price, self._foreign = lines, price, foreign or {}
        self._few = few
        self._matrix = np.array([one.coefficients for one in lines]).reshape(len(lines), len(price))
        self._least = np.array([one.least for one in lines])
        # Where a target is missed anyway, what closing costs one that only cash can reach holds
        # back nobody: the nearest point would else be where nothing is closed at all.
        self._eased = np.array([one.waits_for_cash for one in lines], dtype=bool)

    @property
    def _scale(self) -> Floats:
        """What each row asks beyond doing nothing, a dollar at least: shortfalls count in it."""
        scale: Floats = np.maximum(np.abs(self._least), 1.0)
        return scale

    def best(self, let_go: Sequence[str], most: Floats) -> Best | None:
        """The cheapest point on the highest rung; `most` bounds each column.

        None where not even cuts of fixed size fit, or the solver found no point in time.
        """
        gone = list(let_go)
        values = self._solve(self._least, most, self._without(gone))
        if values is not None:
            return Best(values=values, let_go=tuple(gone), short=())
        least = self._least
        short: tuple[str, ...] = ()
        if self._solve(least, most, ~self._of_kind("fence")) is None:
            reached = self._as_far_as_it_goes(most)
            if reached is None:
                return None
            least = reached
            short = self._short(self._least - least)
        while True:
            keep = self._without(gone)
            values = self._solve(least, most, keep)
            if values is not None:
                return Best(values=values, let_go=tuple(gone), short=short)
            missed = self._nearest(self._of_kind("fence"), least, most, keep)
            if missed is None or not missed.any():
                return None
            # The first of those that are missed by the largest share of what they leave.
            worst = int(np.argmax(missed / self._scale))
            gone.append(self._lines[worst].owner)

    def _as_far_as_it_goes(self, most: Floats) -> Floats | None:
        """What each line asks once targets ask no more than can be had of them together.

        One that cannot be reached now even alone asks for the best it gets to alone, which is what
        it is now where nothing moves it. What can be reached by its own means comes first, then
        what gets somewhere by them, then what does not move.
        """
        goals, least = self._of_kind("goal"), self._least.copy()
        asked = ~goals & ~self._of_kind("fence")
        rungs: list[NDArray[np.bool_]] = [np.zeros(len(least), dtype=bool) for _ in range(3)]
        for owner in dict.fromkeys(one.owner for one in self._lines if one.kind == "goal"):
            its = goals & np.array([one.owner == owner for one in self._lines])
            missed = unaided = self._alone(its, asked, most)
            if owner in self._foreign:
                unaided = self._alone(its, asked, most, self._foreign[owner])
            if missed is None or unaided is None:
                return None
            if missed > ERROR:
                asking = its & (least > 0)
                least[asking] -= self._scale[asking] * missed
            rungs[int(unaided > ERROR) + int(unaided >= 1 - ERROR)] |= its
        for rung in rungs:
            if rung.any():
                asked = asked | rung
                missed_by = self._nearest(rung, least, most, asked)
                if missed_by is None:
                    return None
                # A hair for each rung: the next is solved beside what this one was left.
                least = least - missed_by - np.where(rung, EXACT, 0.0)
        return least

    def _alone(
        self,
        its: NDArray[np.bool_],
        hard: NDArray[np.bool_],
        most: Floats,
        foreign: NDArray[np.bool_] | None = None,
    ) -> float | None:
        """The share of what it asks that a target misses at best where no other asks anything.

        What is shared out (cash, budgets, orders) counts as long as some is left: that is for all
        of them to have less of. Without any no deposit is allowed, and a budget is spent.
        """
        shared = np.array([one.kind in {"cash", "budget"} for one in self._lines], dtype=bool)
        keep = its | hard & ~shared
        cash = (self._matrix[self._of_kind("cash")] < 0).any(axis=0) & (most > 0)
        matrix = self._without_costs(self._eased & its)
        if foreign is not None:
            matrix = np.where(np.outer(its, foreign), np.minimum(matrix, 0.0), matrix)
        programme = self._programme(self._least, np.where(cash, solver.INFINITE, most), keep)
        scale = np.where(its, self._scale, 0.0)
        alone = replace(programme, matrix=matrix[keep], few=None)
        return solver.shortest(alone, scale[keep])

    def _of_kind(self, kind: str) -> NDArray[np.bool_]:
        return np.array([one.kind == kind for one in self._lines], dtype=bool)

    def _without(self, let_go: Sequence[str]) -> NDArray[np.bool_]:
        return np.array(
            [one.kind != "fence" or one.owner not in let_go for one in self._lines], dtype=bool
        )

    def _without_costs(self, eased: NDArray[np.bool_]) -> Floats:
        matrix: Floats = np.where(eased[:, None], np.maximum(self._matrix, 0.0), self._matrix)
        return matrix

    def _programme(self, least: Floats, most: Floats, keep: NDArray[np.bool_]) -> Programme:
        return Programme(
            price=self._price,
            matrix=self._matrix[keep],
            least=least[keep],
            most=most,
            few=self._few,
        )

    def _solve(self, least: Floats, most: Floats, keep: NDArray[np.bool_]) -> Floats | None:
        return solver.solve(self._programme(least, most, keep))

    def _nearest(
        self, soft: NDArray[np.bool_], least: Floats, most: Floats, keep: NDArray[np.bool_]
    ) -> Floats | None:
        """By how much each soft line falls short at the nearest point; 0 for the others."""
        programme, eased = self._programme(least, most, keep), self._eased & soft
        scale = np.where(soft, self._scale, 0.0)[keep]
        while True:  # until no target is eased that is reached by then
            free = self._without_costs(eased)[keep]
            found = solver.nearest(replace(programme, matrix=free), scale)
            if found is None:
                return None
            if self._few is not None:  # from here on nothing is asked that this does not hold
                self._few = self._few.knowing(found.values)
            reached = eased.copy()
            reached[keep] &= found.short <= ERROR * self._scale[keep]
            if not reached.any():
                break
            eased &= ~reached
        missed = np.zeros(len(self._lines))
        missed[keep] = found.short + (free - programme.matrix) @ found.values
        missed[~soft] = 0.0
        # A hair more, so that the point that was found is within.
        missed[missed > 0] += EXACT
        return missed

    def _short(self, missed: Floats) -> tuple[str, ...]:
        """Interventions with a row that is missed by more than the solver's own error."""
        is_short = missed > ERROR * self._scale
        owners = [one.owner for one, short in zip(self._lines, is_short, strict=True) if short]
        return tuple(dict.fromkeys(owners))
