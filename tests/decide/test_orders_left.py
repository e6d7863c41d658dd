"""An hour with fewer orders left than the cheapest plan has: another plan, or what binds."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from seawall.action import RefusalCode
from seawall.decide.memory import Panic
from seawall.decide.preview import preview
from seawall.units import HOUR
from tests.decide.guarded import Guarded, codes, cuts, guarded, ladder, pages, texts
from tests.see import AT, BTC, ETH, SOL, book

TO_THE_HOUR = (HOUR - AT % HOUR) // 1_000
THREE_LONGS = {"BTC-USD": "0.2", "ETH-USD": "12.5", "SOL-USD": "250"}  # $20,000, $50,000, $50,000


def hour_of(orders: int) -> str:
    return f"budgets: {{per_hour: {{notional: 100%, orders: {orders}}}}}\n"


def net(target: str, *, orders: int, do: str = "notify") -> str:
    level = (
        f'{{name: act, trigger: "> $110_000", target: "<= {target}", '
        f"do: [{do}, {{reduce: {{until: target, max_slippage: 80bps}}}}]}}"
    )
    return ladder(level, measure="net_exposure", head=hour_of(orders))


def three_longs(rules: str) -> Guarded:
    """A little of each is cheap; what is behind it in ether and SOL is dearer and will do."""
    world = guarded(rules, sizes=THREE_LONGS)
    world.books = {
        "BTC-USD": book(BTC, levels=[("0.0001", 5)]),
        "ETH-USD": book(ETH, levels=[("0.0001", "7.5"), ("0.002", 50)]),
        "SOL-USD": book(SOL, levels=[("0.0001", 150), ("0.002", 500)]),
    }
    return world


def test_where_the_cheapest_plan_has_too_many_orders_another_is_found() -> None:
    free = three_longs(net("$40_000", orders=3)).tick()
    assert set(cuts(free)) == {*THREE_LONGS}

    decision = three_longs(net("$40_000", orders=2)).tick()

    assert cuts(decision) == {"ETH-USD": Decimal("12.5"), "SOL-USD": Decimal(150)}
    assert not codes(decision)  # the gate passes all that is planned
    assert decision.plan is not None
    (claim,) = decision.plan.claims
    assert (claim.after, claim.reached) == (Decimal(40_000), True)
    assert not decision.plan.solver.startswith("greedy")


def test_where_no_plan_has_so_few_orders_they_are_named_with_the_hour_in_which_more_go() -> None:
    world = three_longs(net("$10_000", orders=2))

    decision = world.tick()

    assert set(cuts(decision)) == {"ETH-USD", "SOL-USD"}  # the most of it
    assert not decision.refusals
    assert decision.plan is not None
    (short,) = decision.plan.dropped
    assert short.code is RefusalCode.BUDGET_ORDERS
    assert short.what == "reach the target of size"
    assert short.detail == (
        "the hour's budget leaves 2 orders until 23:00Z. The rest follows from 23:00Z"
    )


def test_a_target_that_the_orders_of_the_hour_stop_is_paged_once_and_goes_on_with_the_next() -> (
    None
):
    world = guarded(net("$10_000", orders=2), sizes=THREE_LONGS)

    decisions = world.ticks(20)

    said = [page for one in decisions for page in pages(one)]
    assert [page.key for page in said] == ["size/act#1/budget"]
    assert "the hour's budget leaves 2 orders until 23:00Z" in said[0].text
    world.tick(seconds=TO_THE_HOUR)
    world.ticks(60)
    assert world.sizes["BTC-USD"] < Decimal("0.2")


def flat(do: str, *, orders: int, head: str = "") -> str:
    level = f'{{name: act, trigger: "> $9_000", clear: "< $100", do: [{do}]}}'
    return ladder(level, head=head + hour_of(orders))


def test_a_flatten_with_too_few_orders_frees_the_most_margin_and_goes_on_next_hour() -> None:
    world = guarded(flat("page, {flatten: {max_slippage: 200bps}}", orders=2), sizes=THREE_LONGS)

    decision = world.tick()

    # SOL frees 3% of $50,000, ether 1.2% of as much, bitcoin 1.2% of $20,000.
    assert set(cuts(decision)) == {"ETH-USD", "SOL-USD"}
    assert not decision.refusals
    assert decision.plan is not None
    (left,) = decision.plan.dropped
    assert (left.code, left.what) == (RefusalCode.BUDGET_ORDERS, "sell 0/BTC-USD")
    assert left.detail == (
        "the hour's budget leaves 2 orders until 23:00Z, and others release more margin"
    )
    assert "size/act#1/budget" in {page.key for page in pages(decision)}
    later = world.ticks(9)
    assert world.sizes == {"BTC-USD": Decimal("0.2"), "ETH-USD": 0, "SOL-USD": 0}
    assert "BUDGET_ORDERS" in {code for one in later for code in codes(one)}  # at the last gate
    world.tick(seconds=TO_THE_HOUR)
    world.ticks(60)
    assert world.sizes["BTC-USD"] == 0


def test_what_a_level_waits_for_is_in_its_message_where_others_take_the_orders() -> None:
    large = (
        '{name: act, trigger: "> $45_000", clear: "< $100", '
        "do: [notify, {reduce: {amount: 100%, max_slippage: 80bps}}]}"
    )
    two = ladder(large, scope="{per: market, markets: [SOL-USD]}", head=hour_of(1))
    two += (
        ladder(large.replace("45", "15"), scope="{per: market, markets: [BTC-USD]}")
        .removeprefix("rules:\n")
        .replace("id: size", "id: other")
    )
    decision = guarded(two, sizes=THREE_LONGS).tick()

    assert set(cuts(decision)) == {"SOL-USD"}
    (told,) = [text for text in texts(decision) if text.startswith("other/BTC-USD/act:")]
    assert "Not yet: sell 0/BTC-USD: the hour's budget leaves 1 order until 23:00Z" in told


def test_a_panic_is_held_back_by_no_number_of_orders() -> None:
    world = guarded(flat("notify", orders=1), sizes=THREE_LONGS)

    decision = world.tick(Panic())

    assert set(cuts(decision)) == {*THREE_LONGS}


def test_a_preview_shows_the_plan_that_the_hour_has_orders_for() -> None:
    world = three_longs(net("$40_000", orders=2))

    shown = preview(world.policy, world.observation(), {})

    assert shown.plan is not None
    assert len(shown.plan.legs) == 2
    assert all(claim.reached for claim in shown.plan.claims)
    assert shown.alternatives[0].is_in_budget


def test_what_comes_in_the_place_of_a_refused_order_is_claimed_only_where_it_passes() -> None:
    """The day has no cost left: SOL and ether are refused, and so is the bitcoin in their place."""
    third = (
        '{name: act, trigger: "> $110_000", clear: "< $100", '
        "do: [notify, {reduce: {amount: 33%, max_slippage: 80bps}}]}"
    )
    world = guarded(ladder(third, head=hour_of(2)), sizes={"BTC-USD": "0.2"})
    world.tick()
    spent = world.memory.spent
    world.memory = replace(world.memory, spent=replace(spent, day_cost=spent.day_equity))
    for ticker in ("ETH-USD", "SOL-USD"):
        world.trade(ticker, THREE_LONGS[ticker])

    decision = next(one for one in iter(world.tick, None) if "BUDGET_COST" in codes(one))

    assert not cuts(decision)
    assert decision.plan is not None
    assert not decision.plan.legs
    assert all(claim.before == claim.after for claim in decision.plan.claims)
    refused = {one.what for one in decision.refusals if one.code is RefusalCode.BUDGET_COST}
    assert refused >= {"sell 0/BTC-USD", "sell 0/ETH-USD", "sell 0/SOL-USD"}
