"""Where the solver errs, the integers notice and the greedy plan goes out, and says why.

$40,000 of BTC and $20,000 of SOL short; at most $25,000 and $12,000 are wanted.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from seawall import plan
from seawall.action import Plan
from seawall.measures.spec import Instance
from seawall.plan import greedy, solver
from seawall.plan.demand import Means
from seawall.plan.solver import Floats, Found, Programme
from tests.plan.stage import coins, exposure, guard
from tests.see import Held, quote, see, view

HELD: Held = {"BTC-USD": ("0.4", 100_000), "SOL-USD": (-100, 200)}
ON = view(see(equity=20_000, positions=HELD))
WANTED = [exposure(ON, "BTC-USD", 24_998), exposure(ON, "SOL-USD", 12_000)]
REAL = solver.solve


def assert_greedy_for(made: Plan, reason: str) -> None:
    assert made.solver == f"greedy: {reason}"
    assert made.legs == greedy.propose(ON, WANTED, Means()).legs
    assert all(claim.reached for claim in made.claims)


def test_a_point_that_is_more_than_fifty_steps_off_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def half(programme: Programme) -> Floats | None:
        found = REAL(programme)
        return None if found is None else found / 2

    monkeypatch.setattr(solver, "solve", half)

    assert_greedy_for(plan.propose(ON, WANTED, Means()), "a claim failed after 50 added steps")


def falls_short(monkeypatch: pytest.MonkeyPatch, dollars: float) -> Plan:
    """A plan where the solver finds no point for all, and one that misses BTC's by dollars."""
    asked = iter((None, None))
    monkeypatch.setattr(solver, "solve", lambda programme: next(asked, REAL(programme)))

    def nearest(programme: Programme, scale: Floats) -> Found:
        short = np.zeros(len(programme.least))
        short[np.nonzero(scale)[0][0]] = dollars
        return Found(values=np.zeros(len(programme.price)), short=short)

    monkeypatch.setattr(solver, "nearest", nearest)
    return plan.propose(ON, WANTED, Means())


def test_one_target_short_of_what_the_greedy_plan_reaches_is_enough_to_take_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = falls_short(monkeypatch, 900)

    assert_greedy_for(made, "the solver fell short of what the greedy plan reaches")


def test_what_is_short_by_less_than_a_step_is_reached_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = falls_short(monkeypatch, 1)

    assert made.short == ("BTC-USD#1",)
    assert made.solver == solver.version()
    assert coins(made, ON) == {"BTC-USD": Decimal("0.1501"), "SOL-USD": Decimal(40)}
    assert all(claim.reached for claim in made.claims)


@pytest.mark.parametrize("finds", [False, True])
def test_where_no_point_is_near_or_a_near_one_misses_nothing_the_greedy_plan_goes_out(
    monkeypatch: pytest.MonkeyPatch, *, finds: bool
) -> None:
    def nearest(programme: Programme, scale: object) -> Found | None:
        del scale
        still = Found(values=programme.most, short=np.zeros(len(programme.least)))
        return still if finds else None

    monkeypatch.setattr(solver, "nearest", nearest)
    net = replace(guard("net_exposure", "> 25000"), instance=Instance(markets=tuple(HELD)))
    for guards, means in (([net], Means()), ([], Means(notional_left=quote(10_000)))):
        made = plan.propose(ON, [exposure(ON, "SOL-USD", 8_000)], means, guards=guards)

        assert made.solver == "greedy: the solver found no point"
        assert made.let_go == tuple(one.key for one in guards)
