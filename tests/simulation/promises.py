"""What plans claimed against what the simulated venue made of them.

Between the decision and its fills prices move on, so what is compared is what an order can answer
for: the account as it was decided on, with the fills that came. The stated bound is the same fills
at the worst price of each order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from seawall import margin, units
from seawall.account import Observation
from seawall.action import Leg, Outcome, Plan, Reduce
from seawall.agent import Agent
from seawall.decide.memory import Decision
from seawall.measures.spec import Instance, NoData
from seawall.measures.view import View
from seawall.plan.claims import value_of
from seawall.policy import MeasureRef
from seawall.units import QuoteQuantums

HAIR = Decimal("1e-9")  # of a ratio; rounding of fills to quote quantums
PARTS_MOST = 100  # fills of one order, each rounded on its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One claim: what was said, what the fills made of it, and what their bounds allowed."""

    measure: str
    before: Decimal
    claimed: Decimal
    realised: Decimal
    at_bound: Decimal

    @property
    def holds(self) -> bool:
        """Whether what came is no worse than what the bounds of the orders allow."""
        hair = HAIR * max(Decimal(1), abs(self.at_bound))
        if self.claimed < self.before:
            return self.realised <= self.at_bound + hair
        return self.realised >= self.at_bound - hair


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """One plan and what became of it; money in quote quantums, costs against the oracle."""

    claimed_cost: int  # of what filled where some of it was expected to
    cost: int
    exchanged: int
    wanted: int  # notional of all orders
    is_whole: bool
    is_within_bounds: bool
    claims: tuple[Kept, ...]

    @property
    def cost_error_bps(self) -> Decimal | None:
        """Realised less claimed cost in bps of what was exchanged; None where none was claimed."""
        if self.exchanged == 0:
            return None
        return Decimal(self.cost - self.claimed_cost) / self.exchanged * 10_000


@dataclass(slots=True)
class Promises:
    """Follows a guard through its ticks and notes what became of each plan that it sent."""

    instance: Instance = field(default_factory=lambda: Instance(subaccount=0))
    carried: list[Carried] = field(default_factory=list)
    nothing: int = 0  # plans of which not one order filled
    _waiting: _Waiting | None = None

    def note(self, agent: Agent, decision: Decision) -> None:
        """One tick: outcomes first, then what it sends."""
        waiting = self._waiting
        if waiting is not None:
            for outcome in decision.outcomes:
                if outcome.action_id in waiting.legs:
                    waiting.outcomes[outcome.action_id] = outcome
            if len(waiting.outcomes) == len(waiting.legs):
                self._waiting = None
                self._settle(waiting)
        if decision.plan is None:
            return
        planned = {(leg.subaccount, leg.ticker): leg for leg in decision.plan.legs}
        legs = {
            one.id: planned[one.action.subaccount, one.action.ticker]
            for one in decision.actions
            if isinstance(one.action, Reduce)
        }
        if legs:
            assert isinstance(agent.seen, Observation)
            ledger = agent.memory.ledger
            assert ledger is not None
            on = agent.policy.view(agent.seen, ledger)
            self._waiting = _Waiting(plan=decision.plan, on=on, legs=legs)

    def _settle(self, waiting: _Waiting) -> None:
        filled = {name: one for name, one in waiting.outcomes.items() if one.filled}
        if not filled:
            self.nothing += 1
            return
        legs = waiting.legs
        is_whole = len(legs) == len(waiting.plan.legs) and all(
            waiting.outcomes[name].filled >= leg.quantums for name, leg in legs.items()
        )
        expected = {n: one for n, one in filled.items() if legs[n].expected_quantums}
        claimed = sum(
            legs[name].cost_vs_oracle * one.filled // legs[name].expected_quantums
            for name, one in expected.items()
        )
        self.carried.append(
            Carried(
                claimed_cost=claimed,
                cost=sum(one.cost_vs_oracle for one in expected.values()),
                exchanged=sum(one.quote for one in expected.values()),
                wanted=sum(leg.expected_quote for leg in waiting.plan.legs),
                is_whole=is_whole,
                is_within_bounds=all(
                    _is_within(waiting.on.observation, legs[name], one)
                    for name, one in filled.items()
                ),
                claims=self._claims(waiting, filled),
            )
        )

    def _claims(self, waiting: _Waiting, filled: Mapping[str, Outcome]) -> tuple[Kept, ...]:
        seen = waiting.on.observation
        worst = {n: _at_bound(seen, waiting.legs[n], one) for n, one in filled.items()}
        came, allowed = _with(waiting, filled), _with(waiting, worst)
        found = []
        for claim in waiting.plan.targets:
            name, _, feared = claim.measure.partition(" ")
            measure = MeasureRef(name=name, scenario=feared or None)
            values = [value_of(each, measure, self.instance) for each in (came, allowed)]
            realised, at_bound = (v for v in values if not isinstance(v, NoData))
            found.append(
                Kept(
                    measure=claim.measure,
                    before=claim.before,
                    claimed=claim.after,
                    realised=realised,
                    at_bound=at_bound,
                )
            )
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    plan: Plan
    on: View
    legs: Mapping[str, Leg]  # by action id
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def _at_bound(seen: Observation, leg: Leg, outcome: Outcome) -> Outcome:
    """The same fill at the worst price."""
    exponent = seen.markets[leg.ticker].quantum_conversion_exponent
    quote = units.fill_quote(leg.worst_subticks, outcome.filled, exponent)
    return replace(outcome, quote=quote, fee=units.fee_quote(quote, seen.taker_fee_ppm))


def _is_within(seen: Observation, leg: Leg, outcome: Outcome) -> bool:
    """Whether a fill was no worse than the worst price, to a quantum for each of its parts."""
    bound = _at_bound(seen, leg, outcome).quote
    return leg.side.sign * (outcome.quote - bound) <= PARTS_MOST


def _with(waiting: _Waiting, fills: Mapping[str, Outcome]) -> View:
    """The account that was decided on, with fills and the plan's deposits."""
    seen, subaccounts = waiting.on.observation, []
    for subaccount in waiting.on.observation.subaccounts:
        after = margin.settle(subaccount, seen.markets)
        extra = sum(amount for n, amount in waiting.plan.top_ups if n == subaccount.number)
        after = replace(after, usdc=QuoteQuantums(after.usdc + extra))
        for name, one in fills.items():
            leg = waiting.legs[name]
            if leg.subaccount == subaccount.number:
                market, signed = seen.markets[leg.ticker], leg.side.sign * one.filled
                after = margin.with_fill(after, market, signed, one.quote, one.fee)
        subaccounts.append(after)
    return waiting.on.seeing(replace(seen, subaccounts=tuple(subaccounts)))


def spread(carried: Sequence[Carried]) -> Mapping[str, float]:
    """How the errors of claimed costs are distributed, in bps."""
    ordered = sorted(one for each in carried if (one := each.cost_error_bps) is not None)
    shares = {"p1": 1, "p10": 10, "p50": 50, "p90": 90, "p99": 99}
    return {
        name: round(float(ordered[len(ordered) * share // 100]), 2)
        for name, share in shares.items()
        if ordered
    }


def assert_kept(promises: Promises, record: Callable[[str, object], None]) -> None:
    """Every claim came true within its bound as far as it filled; the distribution is recorded."""
    assert all(one.is_within_bounds for one in promises.carried)
    for one in promises.carried:
        assert all(claim.holds for claim in one.claims), one.claims
    record("plans", len(promises.carried))
    record("plans filled whole", sum(one.is_whole for one in promises.carried))
    record("plans of which nothing filled", promises.nothing)
    record("cost error bps", str(spread(promises.carried)))
