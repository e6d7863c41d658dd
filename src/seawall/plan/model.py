"""The programme of one desk: its columns and rows, solved for the deposits that are allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from seawall.plan.demand import Slot
from seawall.plan.desk import Desk, step_worth
from seawall.plan.frame import Frame, columns_of, frame_of
from seawall.plan.ladder import EXACT, Best, Ladder, Line
from seawall.plan.rows import Row, ask, rows_for
from seawall.plan.sharing import Share, Shared, foreign
from seawall.plan.solver import Few, Floats
from seawall.units import PPM_ONE

CASH_PRICE = 1e-7  # per dollar: where cash costs nothing, no more of it is moved than is needed
INSIDE = 0.02  # dollars by which a trigger is kept from: at an inclusive one it is already met


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
        lines = [*self._fixed(), *self._within(frames[0]), *self._accepted(frames[0])]
        lines += self._goals(frames)
        lines += self._fences(frames[0])
        self._lines = lines
        cash = max(CASH_PRICE, desk.means.cash_price / PPM_ONE)
        self._price = np.array([c.price for c in self.columns] + [cash] * len(self.numbers))

    def _zeros(self) -> Floats:
        return np.zeros(len(self.columns) + len(self.numbers))

    def _fixed(self) -> list[Line]:
        """What `amount`, `flatten` and `lock` cut, as far as the book goes."""
        lines, all_of_it = [], np.ones(len(self.columns))
        for slot, quantums in self._desk.paper.cuts.items():
            line = self._zeros()
            line[[at for at, column in enumerate(self.columns) if column.slot == slot]] = 1.0
            least = self._taken(all_of_it, {slot: quantums})
            lines.append(Line(coefficients=line, least=least, kind="fixed"))
        return lines

    def _within(self, frame: Frame) -> list[Line]:
        """Cash of the float wallet, and the budgets of the hour and the day."""
        means, count = self._desk.means, len(self.columns)
        cash = self._zeros()
        cash[count:] = -1.0
        whole = (means.cash + means.cash_later) / PPM_ONE
        lines = [Line(coefficients=cash, least=-whole, kind="cash")]
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
                # Less than a step of any position is nothing left, and holds nobody back.
                is_left = spared - already >= self._smallest_step(weights * bound)
                kind, most = ("budget", spared) if is_left else ("spent", already)
                lines.append(Line(coefficients=line, least=-most, kind=kind))
        return lines

    def _accepted(self, frame: Frame) -> Iterator[Line]:
        """That no closing beyond what it frees takes a subaccount below its initial margin.

        The chain would refuse it. Below that margin the quotes end where the chain would.
        """
        costs = np.array([c.cost for c in self.columns])
        freed = np.array([frame.stands[c.slot].initial for c in self.columns])
        quotes = self._desk.paper.quotes
        for number, now in frame.margins.items():
            its = np.array(
                [c.slot[0] == number and quotes[c.slot].is_seen for c in self.columns], dtype=bool
            )
            over = np.where(its, np.maximum(0.0, costs - freed), 0.0)
            if now.imr is None or now.nc < now.imr or not over.any():
                continue
            line = self._zeros()
            line[: len(over)] = -over
            spared = now.nc - now.imr - self._rounding(over)
            already = self._taken(over, self._desk.paper.cuts)
            yield Line(coefficients=line, least=-max(0.0, spared, already), kind="chain")

    def _rounding(self, weights: Floats) -> float:
        """What rounding each cut up to a step may add, by weight."""
        worst: dict[Slot, float] = {}
        for column, weight in zip(self.columns, weights, strict=True):
            worst[column.slot] = max(float(weight), worst.get(column.slot, float(weight)))
        return sum(
            weight * step_worth(self._desk, slot) / PPM_ONE for slot, weight in worst.items()
        )

    def _smallest_step(self, weights: Floats) -> float:
        """What one step takes at least, of the positions that have a weight."""
        return min(
            (
                float(weight) * step_worth(self._desk, column.slot) / PPM_ONE
                for column, weight in zip(self.columns, weights, strict=True)
                if weight > 0
            ),
            default=0.0,  # of a cost that nothing has
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
                if column.slot == slot:
                    taken = min(column.room, left * column.each)
                    total += weight * taken
                    left -= taken / column.each
        return total

    def _goals(self, frames: Sequence[Frame]) -> list[Line]:
        return [
            self._line(row, frame, "goal", demand.name)
            for frame in frames
            for demand in self._desk.until
            for row in rows_for(frame, ask(demand.measure, demand.instance, demand.target))
        ]

    def _fences(self, frame: Frame) -> list[Line]:
        return [
            self._line(row, frame, "fence", guard.key)
            for guard in self._desk.guards
            for row in rows_for(frame, ask(guard.measure, guard.instance, guard.trigger))
        ]

    def _line(self, row: Row, frame: Frame, kind: str, owner: str) -> Line:
        count = len(self.columns)
        line, gains = self._zeros(), row.gains_over(frame)
        line[:count] = gains - row.costs_over(frame)
        for at, number in enumerate(self.numbers):
            line[count + at] = row.cash * (number in row.numbers)
        flying = sum(
            amount / PPM_ONE
            for number, amount in self._desk.means.cash_in_flight
            if number in row.numbers
        )
        least = row.least - row.cash * flying
        if kind == "fence":
            least += min(INSIDE, abs(least) / 2)
        return Line(coefficients=line, least=least, kind=kind, owner=owner, gains=gains)

    def best(self, let_go: Sequence[str], allowed: Mapping[int, float]) -> Best | None:
        """The cheapest point; `allowed` bounds deposits by subaccount, in dollars.

        No demand leans on what its level may not touch further than others want it anyway. None
        where the ladder finds none.
        """
        most = np.array([c.room for c in self.columns] + [allowed[n] for n in self.numbers])
        shares = [
            one for one in self._shares(allowed) if any(one.gain(line) > 0 for line in self._lines)
        ]
        few, most = self._within_orders(most)
        ladder = Ladder(self._lines, self._price, foreign(shares, len(most)), few)
        found = ladder.best(let_go, most)
        if found is None:
            return None
        if all(found.values[list(one.at)].sum() <= one.own + EXACT for one in shares):
            return found
        few = None if few is None else few.knowing(found.values)
        shared = Shared(lines=self._lines, price=self._price, most=most, shares=shares, few=few)
        return shared.best(let_go)

    def _within_orders(self, most: Floats) -> tuple[Few | None, Floats]:
        """How many positions may be cut beside those of fixed size, None for all, and the bounds.

        Where none may, nothing of any is left: as of a budget that is spent.
        """
        left, cuts = self._desk.orders_beside, self._desk.paper.cuts
        if left is None:
            return None, most
        groups = tuple(tuple(at) for slot, at in self._places().items() if not cuts.get(slot))
        if left > 0:
            return Few(groups=groups, count=left) if len(groups) > left else None, most
        bounds = most.copy()
        bounds[[column for group in groups for column in group]] = 0.0
        return None, bounds

    def _places(self) -> Mapping[Slot, list[int]]:
        """Which columns a position has."""
        places: dict[Slot, list[int]] = {}
        for at, column in enumerate(self.columns):
            places.setdefault(column.slot, []).append(at)
        return places

    def _shares(self, allowed: Mapping[int, float]) -> Iterator[Share]:
        """What each unmet demand is not offered by its own level, or not as much of."""
        places = self._places()
        for demand in self._desk.unmet:
            for slot, columns in places.items():
                if demand.max_slippage is None or slot not in demand.slots:
                    fixed = self._desk.paper.cut_of(slot) * self.columns[columns[0]].each
                    yield Share(owner=demand.name, at=tuple(columns), own=fixed, is_cash=False)
            for at, number in enumerate(self.numbers, len(self.columns)):
                own = (demand.cash_most or 0) / PPM_ONE if number == demand.cash_to else 0.0
                if own < allowed[number]:
                    yield Share(owner=demand.name, at=(at,), own=own, is_cash=True)
