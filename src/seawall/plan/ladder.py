"""From all that a programme asks down to what can be had of it.

All rows; without triggers that cannot be kept from, let go one after another and named; where
targets cannot hold either, the smallest relative shortfall of targets first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from seawall.plan import solver
from seawall.plan.solver import Floats, Programme

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
    """Lines and the price of each column, ready to be solved for different bounds."""

    def __init__(self, lines: Sequence[Line], price: Floats) -> None:
        self._lines, self._price = lines, price
        self._matrix = np.array([one.coefficients for one in lines]).reshape(len(lines), len(price))
        self._least = np.array([one.least for one in lines])
        # Where a target is missed anyway, what closing costs one that only cash can reach holds
        # back nobody: the nearest point would else be where nothing is closed at all.
        self._eased = np.array([one.waits_for_cash for one in lines], dtype=bool)

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
        if self._solve(least, most, self._of_kind("fence", is_so=False)) is None:
            nearest = self._nearest("goal", least, most, self._of_kind("fence", is_so=False))
            if nearest is None:
                return None
            least = least - nearest
            short = self._short(nearest)
        while True:
            keep = self._without(gone)
            values = self._solve(least, most, keep)
            if values is not None:
                return Best(values=values, let_go=tuple(gone), short=short)
            missed = self._nearest("fence", least, most, keep)
            if missed is None or not missed.any():
                return None
            # The first of those that are missed by the largest share of what they leave.
            worst = int(np.argmax(missed / np.maximum(1.0, np.abs(least))))
            gone.append(self._lines[worst].owner)

    def _of_kind(self, kind: str, *, is_so: bool) -> NDArray[np.bool_]:
        return np.array([(one.kind == kind) is is_so for one in self._lines], dtype=bool)

    def _without(self, let_go: Sequence[str]) -> NDArray[np.bool_]:
        return np.array(
            [one.kind != "fence" or one.owner not in let_go for one in self._lines], dtype=bool
        )

    def _programme(self, least: Floats, most: Floats, keep: NDArray[np.bool_]) -> Programme:
        return Programme(price=self._price, matrix=self._matrix[keep], least=least[keep], most=most)

    def _solve(self, least: Floats, most: Floats, keep: NDArray[np.bool_]) -> Floats | None:
        return solver.solve(self._programme(least, most, keep))

    def _nearest(
        self, kind: str, least: Floats, most: Floats, keep: NDArray[np.bool_]
    ) -> Floats | None:
        """By how much each line of a kind falls short at the nearest point; 0 for the others."""
        soft = self._of_kind(kind, is_so=True)
        programme, eased = self._programme(least, most, keep), (self._eased & soft)[keep]
        while True:  # until no target is eased that is reached by then
            free = np.where(eased[:, None], np.maximum(programme.matrix, 0.0), programme.matrix)
            found = solver.nearest(replace(programme, matrix=free), soft[keep])
            if found is None:
                return None
            reached = eased & (found.short <= ERROR * np.maximum(1.0, np.abs(programme.least)))
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
        is_short = missed > ERROR * np.maximum(1.0, np.abs(self._least))
        owners = [one.owner for one, short in zip(self._lines, is_short, strict=True) if short]
        return tuple(dict.fromkeys(owners))
