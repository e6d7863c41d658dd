"""Plans of no more orders than the hour has left, against every choice of so many positions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from random import Random

import pytest

from seawall import plan
from seawall.account import Funding
from seawall.action import Plan, RefusalCode
from seawall.measures.spec import Instance
from seawall.plan import programme, solver
from seawall.plan.demand import Demand, Means, UntilDemand
from tests.plan.by_hand import Ledger
from tests.plan.random_accounts import coarse_view, random_wants
from tests.plan.stage import coins, down_to, exposure, guard, until, with_cash
from tests.plan.test_optimality import a_step_of_each, cuts_of, steps_of
from tests.see import BTC, CALM, ETH, SOL, Held, book, quote, see, view

# Some $5,000 a step: what three of four positions leave is a few thousand combinations.
STEPS = {
    "BTC-USD": 500_000_000,
    "ETH-USD": 1_250_000_000,
    "SOL-USD": 250_000_000,
    "LINK-USD": 250_000_000,
}
ACCOUNTS = 400
HELD: Held = {"BTC-USD": ("0.2", 100_000), "ETH-USD": ("12.5", 4_000), "SOL-USD": (250, 200)}
BOOKS = {
    "BTC-USD": book(BTC, levels=[("0.0001", 5)]),
    "ETH-USD": book(ETH, levels=[("0.0001", "7.5"), ("0.002", 50)]),
    "SOL-USD": book(SOL, levels=[("0.0001", 150), ("0.002", 500)]),
}
ON = view(see(equity=30_000, positions=HELD, books=BOOKS))
EVERYWHERE = Instance(markets=tuple(HELD))


def cheapest_of_few(by_hand: Ledger, wanted: Sequence[UntilDemand], orders: int) -> float | None:
    """The least objective of all plans that leave all but so many positions alone."""
    found = []
    for others in combinations(by_hand.places, len(by_hand.places) - orders):
        one = by_hand
        for ticker in others:
            one = one.without(ticker)
        cost = one.cheapest(wanted)
        if cost is not None:
            found.append(cost)
    return min(found, default=None)


def test_where_some_choice_of_so_few_positions_reaches_all_a_plan_as_cheap_is_found(
    record_property: Callable[[str, object], None],
) -> None:
    chance, counts = Random(29), Counter[str]()

    for _ in range(ACCOUNTS):
        on, orders = coarse_view(chance, STEPS), chance.choice((1, 2, 2, 3))
        wanted = random_wants(chance, on, 1, 3)
        means = Means(orders_left=orders)
        free, made = plan.propose(on, wanted, Means()), plan.propose(on, wanted, means)
        by_hand = Ledger.of(on)
        best, steps = cheapest_of_few(by_hand, wanted, orders), steps_of(on, cuts_of(made))

        assert len(made.legs) <= orders
        assert plan.recompute(on, wanted, means, made) == made
        is_reached = all(claim.reached for claim in made.claims)
        assert is_reached or best is None  # found where one exists
        is_bound = len(free.legs) > orders
        if best is not None:
            slack = a_step_of_each(by_hand, steps)
            assert by_hand.objective(steps) <= best + slack + 1e-6
            counts["another plan"] += is_bound
        reasons = {refusal.what: refusal.code for refusal in made.dropped}
        for claim, without in zip(made.claims, free.claims, strict=True):
            if is_bound and without.reached and not claim.reached:
                counts["named"] += 1
                what = f"reach the target of {claim.rule}"
                assert reasons[what] is RefusalCode.BUDGET_ORDERS
        if not is_bound:  # as it would be without a bound
            assert replace(made, dropped=free.dropped) == free
            counts["as ever"] += 1

    record_property("plans of few orders", str(dict(counts)))
    assert min(counts.values()) > ACCOUNTS // 8
    assert len(counts) == 3


def net_of(target: str) -> UntilDemand:
    return until(ON, "net_exposure", target, instance=EVERYWHERE)


def told(made: Plan) -> list[tuple[RefusalCode, str]]:
    return [(refusal.code, refusal.detail) for refusal in made.dropped]


FEW = "the hour's budget leaves 2 orders until 23:00Z. The rest follows from 23:00Z"


def test_the_targets_of_all_are_reached_with_orders_that_serve_more_than_one() -> None:
    wanted = [net_of("<= 60000"), exposure(ON, "ETH-USD", 20_000)]

    made = plan.propose(ON, wanted, Means(orders_left=2))

    assert all(claim.reached for claim in made.claims)
    assert set(coins(made, ON)) == {"ETH-USD", "SOL-USD"}


def test_of_targets_that_need_an_order_each_as_many_are_reached_as_there_are() -> None:
    wanted = [exposure(ON, ticker, 10_000) for ticker in HELD]

    made = plan.propose(ON, wanted, Means(orders_left=2))

    assert [claim.reached for claim in made.claims].count(True) == 2
    assert len(made.legs) == 2
    assert [code for code, _ in told(made)] == [RefusalCode.BUDGET_ORDERS]
    assert told(made)[0][1] == FEW
    assert not made.solver.startswith("greedy")


def test_a_trigger_is_kept_from_with_so_few_orders_where_it_can_be() -> None:
    held: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": (-5, 4_000), "SOL-USD": (150, 200)}
    on = view(see(equity=30_000, positions=held))
    everywhere = Instance(markets=tuple(held))
    gross = until(on, "gross_exposure", "<= 50000", instance=everywhere)  # 80,000 now
    net = replace(guard("net_exposure", "> 40500"), instance=everywhere)  # 40,000 now

    made = plan.propose(on, [gross], Means(orders_left=1), guards=[net])

    # The short alone would reach half of it, and take the net further off.
    assert all(claim.reached for claim in made.claims)
    assert not made.let_go
    assert len(made.legs) == 1
    assert "ETH-USD" not in coins(made, on)


def test_a_trigger_that_so_few_orders_cannot_keep_from_is_let_go_by_name() -> None:
    held: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": ("-7.5", 4_000)}
    on = view(see(equity=30_000, positions=held))
    everywhere = Instance(markets=tuple(held))
    gross = until(on, "gross_exposure", "<= 40000", instance=everywhere)
    net = replace(guard("net_exposure", "> 1000"), instance=everywhere)

    both = plan.propose(on, [gross], Means(orders_left=2), guards=[net])
    one = plan.propose(on, [gross], Means(orders_left=1), guards=[net])

    assert (len(both.legs), both.let_go) == (2, ())
    assert (len(one.legs), one.let_go) == (1, ("net_exposure/act",))
    assert all(claim.reached for made in (both, one) for claim in made.claims)


def test_cash_needs_no_order() -> None:
    wanted = until(ON, "leverage", "<= 2", cash=6_000)

    made = plan.propose(ON, [wanted], replace(with_cash(6_000), orders_left=1))

    assert made.top_ups == ((0, quote(6_000)),)
    assert len(made.legs) == 1
    assert all(claim.reached for claim in made.claims)


def test_what_is_cut_to_a_fixed_size_takes_its_orders_first() -> None:
    wanted: list[Demand] = [down_to(("BTC-USD", 0)), net_of("<= 40000")]

    one = plan.propose(ON, wanted, Means(orders_left=1))
    two = plan.propose(ON, wanted, Means(orders_left=2))

    assert set(coins(one, ON)) == {"BTC-USD"}
    assert [code for code, _ in told(one)] == [RefusalCode.BUDGET_ORDERS]
    assert len(two.legs) == 2
    assert "BTC-USD" in coins(two, ON)
    assert [code for code, _ in told(two)] == [RefusalCode.BUDGET_ORDERS]


def test_fixed_cuts_that_are_left_out_beside_a_target_are_named_too() -> None:
    wanted: list[Demand] = [down_to(*((ticker, 0) for ticker in HELD)), net_of("<= 100000")]
    cash = replace(net_of("<= 1"), max_slippage=None)

    made = plan.propose(ON, [*wanted, cash], Means(orders_left=2))

    assert set(coins(made, ON)) == {"ETH-USD", "SOL-USD"}
    assert "sell 0/BTC-USD" in {refusal.what for refusal in made.dropped}
    assert made.solver == solver.version()


def test_a_target_that_no_order_is_left_for_holds_no_other_back() -> None:
    held: Held = {"BTC-USD": ("0.5", 100_000), "ETH-USD": (-5, 4_000), "SOL-USD": (-100, 200)}
    on = view(see(equity=20_000, positions=held))
    net = until(
        on,
        "net_exposure",
        "<= 5000",
        instance=Instance(markets=tuple(held)),
        slots=[(0, "BTC-USD")],
    )
    ether = exposure(on, "ETH-USD", 15_000)  # a hedge: closing it takes the net further off

    made = plan.propose(on, [down_to(("ETH-USD", 4)), net, ether], Means(orders_left=1))

    assert coins(made, on) == {"ETH-USD": Decimal("1.25")}
    assert made.solver == solver.version()


def test_that_orders_bind_is_not_said_of_what_does_not_move_a_target() -> None:
    paying = Funding(rate=Decimal("0.001"), p90_long=Decimal(0), p90_short=Decimal(0))
    books = {**BOOKS, "BTC-USD": book(BTC, levels=[("0.0001", "0.02")])}
    funding = {"BTC-USD": paying, "ETH-USD": CALM, "SOL-USD": CALM}
    on = view(see(equity=30_000, positions=HELD, books=books, funding=funding))

    made = plan.propose(
        on, [until(on, "funding_24h", "<= 100", instance=Instance())], Means(orders_left=1)
    )

    assert list(coins(made, on)) == ["BTC-USD"]
    assert [code for code, _ in told(made)] == [RefusalCode.NO_DEPTH]


def test_a_position_that_is_cut_to_a_fixed_size_may_be_cut_further_with_its_order() -> None:
    half: Demand = down_to(("SOL-USD", 200))

    made = plan.propose(ON, [half, net_of("<= 80000")], Means(orders_left=1))

    assert coins(made, ON) == {"SOL-USD": Decimal(200)}
    assert all(claim.reached for claim in made.targets)


@pytest.mark.parametrize("orders", [0, 3, None])
def test_an_hour_with_enough_orders_and_one_without_any_change_no_plan(orders: int | None) -> None:
    """Without any it is the gate that refuses each by name."""
    wanted = net_of("<= 40000")

    made = plan.propose(ON, [wanted], Means(orders_left=orders))

    assert made == plan.propose(ON, [wanted], Means())
    assert len(made.legs) == 3


def test_that_orders_bind_is_said_only_where_another_would_help() -> None:
    held: Held = {"BTC-USD": ("0.3", 100_000), "ETH-USD": (-5, 4_000)}
    books = {"BTC-USD": book(BTC, levels=[("0.0001", "0.02")]), "ETH-USD": book(ETH)}
    on = view(see(equity=30_000, positions=held, books=books))
    pair = Instance(markets=tuple(held))

    made = plan.propose(
        on, [until(on, "net_exposure", "<= 5000", instance=pair)], Means(orders_left=1)
    )

    assert [code for code, _ in told(made)] == [RefusalCode.NO_DEPTH]  # the short is a hedge


def test_the_greedy_plan_too_has_no_more_orders() -> None:
    for orders in (1, 2):
        means = Means(orders_left=orders)

        made = plan.propose_simply(ON, [net_of("<= 5000")], means)

        assert len(made.legs) == orders
        assert RefusalCode.BUDGET_ORDERS in {code for code, _ in told(made)}
    made = plan.propose_simply(ON, [net_of("<= 100000")], Means(orders_left=1))
    assert all(claim.reached for claim in made.claims)
    assert not made.dropped


def test_steps_that_are_added_open_no_position_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*asked: object) -> programme.Proposal:
        """All of one position, and of the other a step less than is asked."""
        del asked
        return ((0, "ETH-USD", 12_500_000_000), (0, "SOL-USD", 1_490_000_000))

    monkeypatch.setattr(programme, "_proposal", short)
    made = plan.propose(ON, [net_of("<= 40000")], Means(orders_left=2))

    assert coins(made, ON) == {"ETH-USD": Decimal("12.5"), "SOL-USD": Decimal(150)}


def test_a_plan_for_which_nothing_is_searched_keeps_to_the_orders_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Large books use up the work of all searches; here there is none from the start."""
    chance, reached, cases = Random(31), 0, 60
    for _ in range(cases):
        on, orders = coarse_view(chance, STEPS), chance.choice((1, 2))
        wanted, means = random_wants(chance, on, 1, 3), Means(orders_left=orders)
        with monkeypatch.context() as patch:
            patch.setattr(solver, "SEARCH_MOST", 0)
            made = plan.propose(on, wanted, means)
        best = plan.propose(on, wanted, means)

        assert len(made.legs) <= orders
        assert not made.solver.startswith("greedy: the solver found no point")
        assert plan.recompute(on, wanted, means, made) == made
        reached += all(claim.reached for claim in made.claims)
        cases -= not all(claim.reached for claim in best.claims)

    assert cases * 3 // 4 < reached <= cases


def test_the_same_plan_comes_out_every_time() -> None:
    chance = Random(3)
    on = coarse_view(chance, STEPS)
    wanted = random_wants(chance, on, 3, 3)

    first = plan.propose(on, wanted, Means(orders_left=2))

    assert all(plan.propose(on, wanted, Means(orders_left=2)) == first for _ in range(5))
    assert first.solver == solver.version()
