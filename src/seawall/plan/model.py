"""The programme of one desk: its columns and rows, and the ladder down when not all can hold.

Ladder: all rows; without triggers that cannot be kept from, let go one after another and named;
where targets cannot hold either, the smallest relative shortfall of targets first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seawall.plan import solver
from seawall.plan.demand import Slot
from seawall.plan.desk import Desk, step_worth
from seawall.plan.frame import Frame, columns_of, frame_of
from seawall.plan.rows import Row, ask, rows_for
from seawall.plan.solver import Floats, Programme
from seawall.units import PPM_ONE

CASH_PRICE = 1e-7  # per dollar: where cash costs nothing, no more of it is moved than is needed
INSIDE = 0.02  # dollars by which a trigger is kept from: at an inclusive one it is already met
EXACT = 1e-6  # dollars that a solver may be off


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """What the solver found: dollars by column, then deposits by subaccount."""

    values: Floats
    let_go: tuple[str, ...]  # triggers
    short: tuple[str, ...]  # interventions


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One row over all columns; `owner` is the trigger's or the intervention's name."""

    coefficients: Floats
    least: float
    kind: str
    owner: str = ""


class Model:
    """The programme of one desk, ready to be solved for different deposits."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.columns = tuple(
            column
            for slot, quote in sorted(desk.paper.quotes.items())
            for column in columns_of(desk.view, quote, desk.rooms[slot])
        )
        self.numbers = tuple(sorted({s.number for s in desk.view.observation.subaccounts}))
        fee = desk.view.observation.taker_fee_ppm / PPM_ONE
        frames = [frame_of(desk.view, desk.view, self.columns, fee)]
        if desk.paper.caught_up is not None:
            frames.append(frame_of(desk.view, desk.paper.caught_up, self.columns, fee))
        lines = [*self._fixed(), *self._within(frames[0]), *self._goals(frames)]
        lines += self._fences(frames[0])
        self._lines = lines
        width = len(self.columns) + len(self.numbers)
        self._matrix = np.array([one.coefficients for one in lines]).reshape(len(lines), width)
        self._least = np.array([one.least for one in lines])
        cash = max(CASH_PRICE, desk.means.cash_price / PPM_ONE)
        self._price = np.array([c.price for c in self.columns] + [cash] * len(self.numbers))

    def _zeros(self) -> Floats:
        return np.zeros(len(self.columns) + len(self.numbers))

    def _fixed(self) -> list[_Line]:
        """What `amount`, `flatten` and `lock` cut, as far as the book goes."""
        lines = []
        for slot, quantums in self._desk.paper.cuts.items():
            own = [at for at, column in enumerate(self.columns) if column.slot == slot]
            line = self._zeros()
            line[own] = 1.0
            wanted = quantums * self.columns[own[0]].each if own else 0.0
            room = sum(self.columns[at].room for at in own)
            lines.append(_Line(coefficients=line, least=min(wanted, room), kind="fixed"))
        return lines

    def _within(self, frame: Frame) -> list[_Line]:
        """Cash of the float wallet, and the budgets of the hour and the day."""
        means, count = self._desk.means, len(self.columns)
        cash = self._zeros()
        cash[count:] = -1.0
        lines = [_Line(coefficients=cash, least=-means.cash / PPM_ONE, kind="cash")]
        bound = np.array([self._desk.is_budgeted(column.slot) for column in self.columns])
        # Rounding up is taken back from the notional step by step; of the cost it is spared.
        for left, weights, spare in (
            (means.notional_left, np.ones(count), 0.0),
            (means.cost_left, frame.drag, self._rounding(frame.drag * bound)),
        ):
            if left is not None and bound.any():
                line = self._zeros()
                line[:count] = -weights * bound
                spared = left / PPM_ONE - spare + self._taken(weights * bound, self._desk.unbound)
                already = self._taken(weights * bound, self._desk.paper.cuts)
                lines.append(
                    _Line(coefficients=line, least=-max(spared, already, 0.0), kind="budget")
                )
        return lines

    def _rounding(self, weights: Floats) -> float:
        """What rounding each cut up to a step may add, by weight."""
        worst: dict[Slot, float] = {}
        for column, weight in zip(self.columns, weights, strict=True):
            worst[column.slot] = max(worst.get(column.slot, 0.0), float(weight))
        return sum(
            weight * step_worth(self._desk, slot) / PPM_ONE for slot, weight in worst.items()
        )

    def _taken(self, weights: Floats, cuts: Mapping[Slot, int]) -> float:
        """What cuts use of a budget, best levels first.

        Those of fixed size are asked for whatever is left: the gate judges them. Those that levels
        which page want are used beside it.
        """
        total = 0.0
        for slot, quantums in cuts.items():
            left = float(quantums)
            for column, weight in zip(self.columns, weights, strict=True):
                if column.slot == slot and left > 0:
                    taken = min(column.room, left * column.each)
                    total += weight * taken
                    left -= taken / column.each
        return total

    def _goals(self, frames: Sequence[Frame]) -> list[_Line]:
        return [
            self._line(row, frame, "goal", demand.name)
            for frame in frames
            for demand in self._desk.until
            for row in rows_for(
                frame, ask(demand.key, demand.measure, demand.instance, demand.target)
            )
        ]

    def _fences(self, frame: Frame) -> list[_Line]:
        return [
            self._line(row, frame, "fence", guard.key)
            for guard in self._desk.guards
            for row in rows_for(frame, ask(guard.key, guard.measure, guard.instance, guard.trigger))
        ]

    def _line(self, row: Row, frame: Frame, kind: str, owner: str) -> _Line:
        count = len(self.columns)
        line = self._zeros()
        line[:count] = row.over(frame)
        for at, number in enumerate(self.numbers):
            line[count + at] = row.cash * (number in row.numbers)
        flying = sum(
            amount / PPM_ONE
            for number, amount in self._desk.means.cash_in_flight
            if number in row.numbers
        )
        least = row.least - row.cash * flying
        if kind == "fence" and least < 0:
            least += min(INSIDE, -least / 2)
        return _Line(coefficients=line, least=least, kind=kind, owner=owner)

    def best(self, let_go: Sequence[str], allowed: Mapping[int, float]) -> Best | None:
        """The ladder; `allowed` bounds deposits by subaccount, in dollars.

        None where not even cuts of fixed size fit, or the solver found no point in time.
        """
        most = np.array([c.room for c in self.columns] + [allowed[n] for n in self.numbers])
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
            fences = [at for at, one in enumerate(self._lines) if one.kind == "fence" and keep[at]]
            if not fences:
                return None
            missed = self._nearest("fence", least, most, keep)
            worst = fences[0]
            if missed is not None:
                relative = missed / np.maximum(1.0, np.abs(least))
                worst = max(fences, key=lambda at: (relative[at], -at))
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
        found = solver.nearest(self._programme(least, most, keep), soft[keep])
        if found is None:
            return None
        missed = np.zeros(len(self._lines))
        missed[keep] = found.short
        missed[~soft] = 0.0
        # A hair more, so that the point that was found is within.
        missed[missed > 0] += EXACT
        return missed

    def _short(self, missed: Floats) -> tuple[str, ...]:
        """Interventions with a row that is missed by more than the solver's own error."""
        scale = EXACT * np.maximum(1.0, np.abs(self._least)) + EXACT
        owners = [one.owner for at, one in enumerate(self._lines) if missed[at] > 2 * scale[at]]
        return tuple(dict.fromkeys(owners))
