"""The cheapest plan: one linear programme proposes, the chain's integers decide (RULES.md 4).

Ladder: all rows; without the triggers that should not be crossed; the smallest relative shortfall.
What the solver proposes is rounded up to steps and evaluated again; where a claim fails, steps are
added, at most 50; where that is not enough the greedy plan is proposed, and named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np

from seawall.account import Market
from seawall.action import Plan, Refusal, RefusalCode
from seawall.measures.view import View
from seawall.plan import greedy, pricing, solver, trial
from seawall.plan.demand import Demand, Means, Slot, UntilDemand
from seawall.plan.frame import Column, columns_of, frame_of
from seawall.plan.greedy import Guard
from seawall.plan.rows import Row, ask, rows_for
from seawall.plan.solver import Programme
from seawall.plan.trial import Quote, Trial
from seawall.units import PPM_ONE, QuoteQuantums

STEPS_MOST = 50
TOP_UP_LEAST = greedy.TOP_UP_LEAST
CASH_PRICE = 1e-7  # per dollar: cash costs nothing, and no more of it is moved than is needed
CASH = "USDC"

Proposal = tuple[tuple[int, str, int], ...]  # subaccount, ticker or "USDC", quantums


def propose(
    view: View,
    demands: Sequence[Demand],
    means: Means,
    *,
    scenarios: Sequence[str] = (),
    guards: Sequence[Guard] = (),
) -> Plan:
    """The cheapest plan for all demands together, with its claims.

    `scenarios` are those that some rule names: legs of a flatten must not make them worse.
    `guards` are triggers that the plan keeps from being met, where it can.
    """
    simple = partial(greedy.propose, view, demands, means, scenarios=scenarios, guards=guards)
    until = tuple(demand for demand in demands if isinstance(demand, UntilDemand))
    if not until:
        return replace(simple(), solver="fixed sizes")
    desk = _desk(view, demands, until, means, scenarios=scenarios, guards=guards)
    if desk.is_done:
        return simple()
    proposed = _solve(desk)
    if proposed is None:
        return _fallen_back(simple(), "the solver found no point")
    proposal, dropped = proposed
    return from_proposal(desk, proposal, dropped, simple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything one plan is made from."""

    view: View
    caught_up: View | None  # the same with oracle prices at the mids; None where none differs
    demands: tuple[Demand, ...]
    until: tuple[UntilDemand, ...]
    means: Means
    guards: tuple[Guard, ...]
    paper: Trial  # cuts of fixed size, and cash in flight
    refused: tuple[Refusal, ...]
    rooms: Mapping[Slot, int]  # the most base quantums that may be cut

    @property
    def is_done(self) -> bool:
        """Whether cuts of fixed size and cash in flight already serve every demand."""
        return not self.failing(self.paper)

    def failing(self, paper: Trial) -> list[UntilDemand]:
        """Demands that do not hold on paper, at the oracle or at the mid."""
        views = [paper.after()]
        if self.caught_up is not None:
            views.append(replace(paper, before=self.caught_up).after())
        return [
            one
            for one in self.until
            if not all(greedy.is_met(v, one.measure, one.instance, one.target) for v in views)
        ]

    def crossed(self, paper: Trial) -> list[Refusal]:
        """Triggers that the paper account newly meets."""
        return list(greedy.crossed(self.view, paper.after(), self.guards))


def _desk(
    view: View,
    demands: Sequence[Demand],
    until: tuple[UntilDemand, ...],
    means: Means,
    *,
    scenarios: Sequence[str],
    guards: Sequence[Guard],
) -> Desk:
    refused: list[Refusal] = []
    quotes = greedy.quotes_for(view, demands, means, refused)
    paper = Trial(before=view, quotes=quotes, cash=dict(means.cash_in_flight))
    paper = greedy.fixed_cuts(paper, demands, scenarios)
    free = {slot for one in until if one.max_slippage is not None for slot in one.slots}
    rooms = {
        slot: quote.depth if slot in free else min(quote.depth, paper.cuts.get(slot, 0))
        for slot, quote in quotes.items()
    }
    return Desk(
        view=view,
        caught_up=_caught_up(view),
        demands=tuple(demands),
        until=until,
        means=means,
        guards=tuple(
            one for one in guards if not greedy.is_met(view, one.measure, one.instance, one.trigger)
        ),
        paper=paper,
        refused=tuple(refused),
        rooms=rooms,
    )


def _caught_up(view: View) -> View | None:
    """The view once the oracle has caught up with mids within the band."""
    seen, moved = view.observation, {}
    for ticker in {p.ticker for s in seen.subaccounts for p in s.positions}:
        market = seen.markets[ticker]
        mid = pricing.mid_in_band(seen, ticker, view.price_band)
        if mid is None:
            continue
        price = _oracle_of(market, mid)
        if price > 0 and price != market.oracle_price:
            moved[ticker] = replace(market, oracle_price=price)
    if not moved:
        return None
    return trial.view_like(view, replace(seen, markets={**seen.markets, **moved}))


def _oracle_of(market: Market, subticks: Fraction) -> int:
    return round(subticks * market.oracle_price / pricing.oracle_subticks(market))


def _solve(desk: Desk) -> tuple[Proposal, tuple[Refusal, ...]] | None:
    """What the solver proposes, and what it had to leave; the largest deposit alone is kept."""
    columns = tuple(
        column
        for slot, quote in sorted(desk.paper.quotes.items())
        for column in columns_of(desk.view, quote, desk.rooms[slot])
    )
    numbers = tuple(sorted({s.number for s in desk.view.observation.subaccounts}))
    model = _Model(desk, columns, numbers)
    found = model.best(dict.fromkeys(numbers))
    if found is None:
        return None
    deposits = {n: found.values[len(columns) + at] for at, n in enumerate(numbers)}
    largest = max(numbers, key=lambda n: (deposits[n], -n))
    if sum(amount > 1e-6 for amount in deposits.values()) > 1:
        alone = model.best({n: None if n == largest else 0.0 for n in numbers})
        found = found if alone is None else alone
    return _proposal(desk, columns, numbers, found.values), found.dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class _Best:
    values: solver.Floats
    dropped: tuple[Refusal, ...]


class _Model:
    """The programme of one desk, ready to be solved for different deposits."""

    def __init__(self, desk: Desk, columns: tuple[Column, ...], numbers: tuple[int, ...]) -> None:
        self._desk, self._columns, self._numbers = desk, columns, numbers
        fee = desk.view.observation.taker_fee_ppm / PPM_ONE
        frames = [frame_of(desk.view, desk.view, columns, fee)]
        if desk.caught_up is not None:
            frames.append(frame_of(desk.view, desk.caught_up, columns, fee))
        wanted = [ask(d.key, d.measure, d.instance, d.target) for d in desk.until]
        kept = [ask(g.key, g.measure, g.instance, g.trigger) for g in desk.guards]
        goals = [(r, f) for f in frames for one in wanted for r in rows_for(f, one)]
        fences = [(r, frames[0]) for one in kept for r in rows_for(frames[0], one)]
        self._goals, self._fences = goals, fences
        self._matrix, self._least = self._rows()
        self._price = np.array([c.price for c in columns] + [CASH_PRICE] * len(numbers))

    def _rows(self) -> tuple[solver.Floats, solver.Floats]:
        """Fixed cuts first, then goals, then fences."""
        width = len(self._columns) + len(self._numbers)
        lines, least = [], []
        for slot, quantums in self._desk.paper.cuts.items():
            line = np.zeros(width)
            line[[at for at, c in enumerate(self._columns) if c.slot == slot]] = 1.0
            room = sum(c.room for c in self._columns if c.slot == slot)
            share = min(1.0, quantums / max(1, self._desk.rooms[slot]))
            lines.append(line)
            least.append(room * share)
        for row, frame in (*self._goals, *self._fences):
            line = np.zeros(width)
            line[: len(self._columns)] = row.over(frame)
            for at, number in enumerate(self._numbers):
                line[len(self._columns) + at] = row.cash * (number in row.numbers)
            lines.append(line)
            flying = sum(
                amount / PPM_ONE
                for number, amount in self._desk.means.cash_in_flight
                if number in row.numbers
            )
            least.append(row.least - row.cash * flying)
        return np.array(lines).reshape(len(lines), width), np.array(least)

    def best(self, allowed: Mapping[int, float | None]) -> _Best | None:
        """The ladder; `allowed` bounds deposits by subaccount, None for all that is admissible."""
        most = np.array(
            [c.room for c in self._columns]
            + [_most_cash(self._desk, n) if allowed[n] is None else 0.0 for n in self._numbers]
        )
        matrix, least = self._matrix, self._least
        total = np.zeros(matrix.shape[1])
        total[len(self._columns) :] = -1.0
        matrix = np.vstack((matrix, total))
        least = np.append(least, -(self._desk.means.cash / PPM_ONE))
        fixed = len(self._desk.paper.cuts)
        goals, fences = len(self._goals), len(self._fences)
        values = solver.solve(Programme(price=self._price, matrix=matrix, least=least, most=most))
        if values is not None:
            return _Best(values=values, dropped=())
        keep = np.ones(len(least), dtype=bool)
        keep[fixed + goals : fixed + goals + fences] = False
        programme = Programme(price=self._price, matrix=matrix[keep], least=least[keep], most=most)
        values = solver.solve(programme)
        if values is not None:
            return _Best(values=values, dropped=())
        soft = np.zeros(int(keep.sum()), dtype=bool)
        soft[fixed : fixed + goals] = True
        nearest = solver.nearest(programme, soft)
        if nearest is None:
            return None
        short = nearest.short[fixed : fixed + goals]
        binding = self._goals[
            int(np.argmax(short / np.maximum(1.0, np.abs(least[fixed:][:goals]))))
        ]
        missing = float(short.max())
        return _Best(values=nearest.values, dropped=(_short_of(binding[0], missing),))


def _short_of(row: Row, missing: float) -> Refusal:
    return Refusal(
        code=RefusalCode.NO_DEPTH,
        what=f"reach the target of {row.name}",
        detail=f"${missing:,.2f} short: beyond today's depth, bound and cash; the rest follows "
        f"next window",
    )


def _most_cash(desk: Desk, number: int) -> float:
    """Dollars that some failing demand may deposit into a subaccount, whole."""
    if number in desk.means.cash_blocked:
        return 0.0
    most = max(
        (
            one.cash_most
            for one in desk.failing(desk.paper)
            if one.cash_most is not None and (one.instance.subaccount or 0) == number
        ),
        default=0,
    )
    dollars = min(most, desk.means.cash) // PPM_ONE
    return float(dollars) if dollars >= TOP_UP_LEAST else 0.0


def _proposal(
    desk: Desk, columns: tuple[Column, ...], numbers: tuple[int, ...], values: solver.Floats
) -> Proposal:
    """Cuts rounded up to a step, never past what may be cut; cash rounded up to a dollar."""
    dollars: dict[Slot, float] = {}
    rooms: dict[Slot, float] = {}
    for column, value in zip(columns, values, strict=False):
        dollars[column.slot] = dollars.get(column.slot, 0.0) + float(value)
        rooms[column.slot] = rooms.get(column.slot, 0.0) + column.room
    found: list[tuple[int, str, int]] = []
    for slot, closed in sorted(dollars.items()):
        most, step = desk.rooms[slot], desk.paper.quotes[slot].market.step_base_quantums
        steps = int(-(-(closed / rooms[slot] * (most / step) - 1e-6) // 1)) if rooms[slot] else 0
        cut = max(min(steps * step, most // step * step), desk.paper.cuts.get(slot, 0))
        if cut > 0:
            found.append((*slot, cut))
    for at, number in enumerate(numbers):
        amount = float(values[len(columns) + at])
        if amount > 1e-6:
            whole = max(TOP_UP_LEAST, int(-(-(amount - 1e-6) // 1)))
            found.append((number, CASH, whole * PPM_ONE))
    return tuple(found)


def from_proposal(
    desk: Desk, proposal: Proposal, dropped: tuple[Refusal, ...], simple: Callable[[], Plan]
) -> Plan:
    """The plan that the integers make of a proposal; `simple` where they cannot."""
    paper = desk.paper
    top_ups: dict[int, int] = {}
    for number, ticker, amount in proposal:
        if ticker == CASH:
            top_ups[number] = amount
            paper = paper.with_cash(number, amount + paper.cash.get(number, 0))
        else:
            paper = paper.with_cut((number, ticker), amount)
    is_short = bool(dropped)
    if not is_short:
        mended = _mended(desk, paper)
        if mended is None:
            return _fallen_back(simple(), "a claim failed after 50 added steps")
        paper = mended
    after = paper.after()
    claims = tuple(greedy.claim_of(desk.view, after, demand) for demand in desk.until)
    if is_short and not all(claim.reached for claim in claims):
        other = simple()
        if all(claim.reached for claim in other.claims):
            return _fallen_back(other, "the solver fell short of what the greedy plan reaches")
    return Plan(
        legs=greedy.legs_of(paper, desk.demands),
        top_ups=tuple((n, QuoteQuantums(amount)) for n, amount in sorted(top_ups.items())),
        claims=claims,
        dropped=(*desk.refused, *dropped, *desk.crossed(paper)),
        solver=solver.version(),
        proposal=proposal,
    )


def _mended(desk: Desk, paper: Trial) -> Trial | None:
    """The paper account with steps added until every claim holds; None after 50."""
    for _ in range(STEPS_MOST):
        failing = desk.failing(paper)
        if not failing:
            return paper
        slots = [slot for slot in failing[0].slots if slot in desk.rooms]
        rooms = {
            slot: desk.rooms[slot] - paper.cuts.get(slot, 0)
            for slot in slots
            if desk.rooms[slot] - paper.cuts.get(slot, 0) >= _step(paper.quotes[slot])
        }
        if not rooms:
            return None
        slot = max(sorted(rooms), key=lambda one: (paper.cuts.get(one, 0) > 0, rooms[one]))
        paper = paper.with_cut(slot, paper.cuts.get(slot, 0) + _step(paper.quotes[slot]))
    return None if desk.failing(paper) else paper


def _step(quote: Quote) -> int:
    return quote.market.step_base_quantums


def _fallen_back(simple: Plan, why: str) -> Plan:
    return replace(simple, solver=f"greedy: {why}")
