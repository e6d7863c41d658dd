"""The greedy plan in the programme's place: kept from triggers where it can be, else named."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall import plan
from seawall.action import Plan, RefusalCode
from seawall.measures.spec import Instance
from seawall.measures.view import View
from seawall.plan import claims, fallback, greedy, solver
from seawall.plan.demand import Means
from seawall.plan.trial import carried_out
from tests.plan.stage import coins, guard, until
from tests.see import book, see, view

HEDGED = {"BTC-USD": ("0.3", 100_000), "ETH-USD": ("-5", 4_000)}
NET = replace(guard("net_exposure", "> 12000"), instance=Instance(markets=("BTC-USD", "ETH-USD")))
NOTHING = Means()


def hedged(btc_depth: str = "5") -> View:
    """A hedge of which the short side is the cheap one to close."""
    seen = see(equity=10_000, positions=HEDGED)
    dear = book(seen.markets["BTC-USD"], levels=[("0.004", btc_depth)])
    books = {**seen.advice.books, "BTC-USD": dear}
    return view(replace(seen, advice=replace(seen.advice, books=books)))


@pytest.fixture(autouse=True)
def no_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "solve", lambda _: None)


def net_after(on: View, made: Plan) -> Decimal:
    value = claims.value_of(carried_out(on, made), NET.measure, NET.instance)
    assert isinstance(value, Decimal)
    return value


def test_a_trigger_is_kept_from_by_cutting_what_does_not_take_it_there() -> None:
    on = hedged()
    wanted = [until(on, "leverage", "<= 4.5")]

    careless = greedy.propose(on, wanted, NOTHING, guards=[NET])
    made = plan.propose(on, wanted, NOTHING, guards=[NET])

    assert careless.let_go == ("net_exposure/act",)
    assert made.solver.startswith("greedy: ")
    assert set(coins(made, on)) == {"BTC-USD"}
    assert made.claims[0].reached
    assert (made.let_go, made.dropped) == ((), ())
    assert net_after(on, made) <= 12_000
    assert plan.recompute(on, wanted, NOTHING, made, guards=[NET]) == made


def test_no_target_is_lost_for_a_trigger_which_then_is_let_go_by_name() -> None:
    on = hedged(btc_depth="0.01")  # not nearly enough on that side alone
    wanted = [until(on, "leverage", "<= 4.5")]

    made = plan.propose(on, wanted, NOTHING, guards=[NET])

    assert "ETH-USD" in coins(made, on)
    assert made.claims[0].reached
    assert made.let_go == ("net_exposure/act",)
    assert [one.code for one in made.dropped] == [RefusalCode.CROSSES_TRIGGER]


def test_a_trigger_that_size_of_every_kind_crosses_is_let_go_by_name() -> None:
    on = hedged()
    only_eth = [until(on, "leverage", "<= 4.5", slots=[(0, "ETH-USD")])]

    made = plan.propose(on, only_eth, NOTHING, guards=[NET])

    assert made.claims[0].reached
    assert made.let_go == ("net_exposure/act",)


def test_the_simple_plan_is_proved_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    on = hedged()
    wanted = [until(on, "leverage", "<= 4.5")]
    true = fallback.propose(on, wanted, NOTHING)
    false = replace(true, claims=(replace(true.claims[0], after=Decimal(3), reached=False),))

    assert plan.propose_simply(on, wanted, NOTHING) == true
    monkeypatch.setattr(fallback, "propose", lambda *_, **__: false)
    checked = plan.propose_simply(on, wanted, NOTHING)

    assert checked.legs == ()
    assert [one.code for one in checked.dropped] == [RefusalCode.CLAIM_FAILS]
