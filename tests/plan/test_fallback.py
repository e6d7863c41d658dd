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
from seawall.plan.demand import Demand, Means
from seawall.plan.greedy import Guard
from seawall.plan.trial import carried_out
from tests.plan.stage import bound, coins, down_to, guard, until
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


def three(sol_mid: int = 200, btc: str = "0.001", sol: str = "0.004") -> View:
    """The hedge and $10,000 of SOL. One ETH is the cheapest to close, then BTC, then SOL."""
    seen = see(equity=10_000, positions={**HEDGED, "SOL-USD": (50, 200)})
    levels = {"ETH-USD": ("0.0002", 1), "BTC-USD": (btc, 5), "SOL-USD": (sol, 500)}
    books = {
        ticker: book(seen.markets[ticker], sol_mid if ticker == "SOL-USD" else None, levels=[level])
        for ticker, level in levels.items()
    }
    return view(replace(seen, advice=replace(seen.advice, books=books)))


def smallest(dollars: int, *markets: str) -> Guard:
    """A trigger that is met once exposure is below so many dollars."""
    one = guard("gross_exposure", f"< {dollars}")
    return replace(one, key="least", instance=Instance(markets=markets))


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


def test_what_takes_any_one_trigger_nearer_is_left_alone_and_what_moves_none_is_not() -> None:
    on = three()
    wanted = [until(on, "leverage", "<= 5.4")]
    guards = [replace(NET, trigger=bound("> 11000")), smallest(29_000, "BTC-USD")]

    careless = greedy.propose(on, wanted, NOTHING, guards=guards)
    made = plan.propose(on, wanted, NOTHING, guards=guards)

    assert set(coins(careless, on)) == {"ETH-USD", "BTC-USD"}
    assert len(careless.let_go) == 2
    assert set(coins(made, on)) == {"SOL-USD"}
    assert made.claims[0].reached
    assert made.let_go == ()


@pytest.mark.parametrize(
    "trigger", [replace(NET, trigger=bound("> 11000")), smallest(18_000, "ETH-USD")]
)
def test_what_a_trigger_does_not_feel_is_cut_on(trigger: Guard) -> None:
    on = three(btc="0.004", sol="0.002")
    wanted = [until(on, "leverage", "<= 5.4")]

    careless = greedy.propose(on, wanted, NOTHING, guards=[trigger])
    made = plan.propose(on, wanted, NOTHING, guards=[trigger])

    assert careless.let_go == (trigger.key,)
    assert set(coins(careless, on)) == {"ETH-USD", "SOL-USD"}
    assert (set(coins(made, on)), made.let_go) == ({"SOL-USD"}, ())


def test_a_trigger_that_a_fixed_cut_crosses_anyway_makes_no_plan_dearer() -> None:
    on = hedged()
    wanted: list[Demand] = [down_to(("ETH-USD", 2)), until(on, "leverage", "<= 3.5")]

    made = plan.propose(on, wanted, NOTHING, guards=[NET])

    assert made.claims[0].reached
    assert made.let_go == ("net_exposure/act",)
    assert set(coins(made, on)) == {"ETH-USD"}


def test_a_trigger_whose_value_a_cut_alone_cannot_tell_bars_nothing() -> None:
    on = three(sol_mid=180)  # which denies the oracle: SOL counts again once it is closed
    wanted: list[Demand] = [
        down_to(("SOL-USD", 0), slippage=150_000),
        until(on, "leverage", "<= 5"),
    ]
    guards = [replace(NET, trigger=bound("> 11000")), smallest(40_000, "BTC-USD", "SOL-USD")]

    careless = greedy.propose(on, wanted, NOTHING, guards=guards)
    made = plan.propose(on, wanted, NOTHING, guards=guards)

    assert len(careless.let_go) == 2
    assert set(coins(careless, on)) == {"BTC-USD", "ETH-USD", "SOL-USD"}
    assert set(coins(made, on)) == {"BTC-USD", "SOL-USD"}
    assert made.claims[0].reached
    assert made.let_go == ("least",)


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
