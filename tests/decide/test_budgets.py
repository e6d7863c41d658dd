"""Budgets of the hour and the day, and who may overdraw which of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.action import Claim, Leg
from seawall.decide.preview import preview
from seawall.units import DAY, HOUR, usd
from tests.decide.guarded import FLOAT, Guarded, codes, cuts, deposits, guarded, ladder, pages
from tests.see import AT, BTC, MARKETS, Number, book

TO_THE_HOUR = (HOUR - AT % HOUR) // 1_000
TO_MIDNIGHT = (DAY - AT % DAY) // 1_000


def cut(share: str, *, pages: str = "notify") -> str:
    return (
        f'{{name: act, trigger: "> $9_000", clear: "< $100", '
        f"do: [{pages}, {{reduce: {{amount: {share}, max_slippage: 500bps}}}}]}}"
    )


def feed(head: str = "") -> Guarded:
    level = (
        '{name: act, trigger: "< $28_500", target: ">= $29_000", cooldown: 30s, '
        "do: [page, {top_up: {until: target, max: $3_000}}]}"
    )
    rules = ladder(level, head=FLOAT + head, measure="free_collateral", scope="{subaccounts: [0]}")
    return guarded(rules, sizes={"BTC-USD": 1}, float=5_000)


def test_the_hour_sells_its_share_of_the_book_says_what_is_left_and_goes_on_next_hour() -> None:
    world = guarded(ladder(cut("90%")))  # $9,000 wanted, 60% of $10,000 is in budget

    decision = world.tick()
    assert cuts(decision) == {"BTC-USD": Decimal("0.06")}
    (refusal,) = decision.refusals
    assert refusal.code.value == "BUDGET_NOTIONAL"
    assert refusal.what == "sell 0/BTC-USD in full"
    assert refusal.detail == "0.09 wanted, the budget of this hour leaves 0.06"
    assert decision.plan is not None
    (claim,) = decision.plan.claims  # of what is left, not of what was wanted
    assert (claim.measure, claim.target) == ("gross_exposure", None)
    assert [claim.before, claim.after] == [Decimal(10_000), Decimal(4_000)]
    for _ in range(TO_THE_HOUR // 60 - 1):
        assert not cuts(world.tick(seconds=30))
        assert not cuts(world.tick(seconds=30))
    assert "BUDGET_NOTIONAL" in codes(world.last)

    world.ticks(120)

    assert world.sizes["BTC-USD"] < Decimal("0.04")


def test_a_plan_that_its_budget_cuts_names_the_trigger_that_the_rest_crosses() -> None:
    net = ladder(
        '{name: act, trigger: "> $12_000", target: "<= $11_000", '
        "do: [notify, {reduce: {until: target, max_slippage: 60bps}}]}",
        measure="net_exposure",
    )
    both = ladder(cut("90%"), scope="{per: market}") + net.split("rules:\n")[1].replace(
        "id: size", "id: net"
    )
    world = guarded(both, sizes={"BTC-USD": "0.3", "ETH-USD": -5})

    decision = world.tick()

    # $30,000 of $45,000 are in budget: all of the long goes, and a sixth of its hedge.
    assert decision.plan is not None
    assert decision.plan.let_go == ("net/act",)
    assert "CROSSES_TRIGGER" in codes(decision)


def test_what_one_rule_cuts_goes_in_equal_shares_where_its_budget_cuts_it() -> None:
    world = guarded(
        ladder(cut("90%"), scope="{per: account}"), sizes={"BTC-USD": "0.3", "ETH-USD": -5}
    )

    decision = world.tick()

    # $30,000 of $45,000 are in budget: two thirds of the long, and of its hedge.
    assert cuts(decision) == {"BTC-USD": Decimal("0.18"), "ETH-USD": Decimal(3)}
    assert codes(decision) == ["BUDGET_NOTIONAL", "BUDGET_NOTIONAL"]


def test_a_leg_whose_share_is_under_one_step_is_left_out_where_it_alone_would_pass() -> None:
    world = guarded(
        ladder(cut("100%"), scope="{per: account}", head="budgets: {per_hour: {notional: 50%}}\n"),
        sizes={"BTC-USD": "0.0001", "ETH-USD": -5},
    )

    decision = world.tick()

    (size,) = cuts(decision).values()
    assert size == pytest.approx(Decimal("2.5"), abs=Decimal("0.001"))
    assert [one.what for one in decision.refusals] == [
        "sell 0/BTC-USD in full",
        "buy 0/ETH-USD in full",
    ]


def test_a_level_that_pages_may_overdraw_notional_and_cost() -> None:
    world = guarded(ladder(cut("90%", pages="page"), head="budgets: {per_day: {cost: 0.0001%}}\n"))

    assert cuts(world.tick()) == {"BTC-USD": Decimal("0.09")}


def test_what_a_paging_level_sold_counts_against_the_others() -> None:
    two = ladder(cut("70%", pages="page")) + ladder(
        '{name: act, trigger: "< $9_000", clear: "> $90_000", '
        "do: [notify, {reduce: {amount: 50%, max_slippage: 500bps}}]}"
    ).split("rules:\n")[1].replace("id: size", "id: other")
    world = guarded(two)
    assert cuts(world.tick()) == {"BTC-USD": Decimal("0.07")}

    later = world.ticks(20)

    assert not any(cuts(decision) for decision in later)
    assert "BUDGET_NOTIONAL" in codes(later[-1])


def test_no_level_may_overdraw_the_number_of_orders() -> None:
    world = guarded(
        ladder(cut("90%", pages="page"), head="budgets: {per_hour: {orders: 2}}\n"), fill="0.1"
    )

    world.ticks(40)

    assert len([d for d in world.decisions if cuts(d)]) == 2
    assert "BUDGET_ORDERS" in codes(world.last)


ONE_ORDER = ladder(
    '{name: act, trigger: "> $70_000", target: "<= $20_000", '
    "do: [notify, {reduce: {until: target, max_slippage: 80bps}}]}",
    head="budgets: {per_hour: {notional: 500%, orders: 1}}\n",
)
HEDGED = {"BTC-USD": "0.4", "ETH-USD": "-10"}


def test_a_plan_has_no_more_orders_than_the_hour_and_its_claims_hold() -> None:
    decision = guarded(ONE_ORDER, sizes=HEDGED).tick()

    assert cuts(decision) == {"BTC-USD": Decimal("0.4")}  # the hedge would be a second order
    assert not decision.refusals
    assert decision.plan is not None
    assert [leg.ticker for leg in decision.plan.legs] == ["BTC-USD"]
    (claim,) = decision.plan.claims
    assert [claim.before, claim.after] == [Decimal(80_000), Decimal(40_000)]
    assert not claim.reached
    (short,) = decision.plan.dropped
    assert short.code.value == "BUDGET_ORDERS"
    assert short.detail == (
        "the hour's budget leaves 1 order until 23:00Z. The rest follows from 23:00Z"
    )


def test_of_what_the_gate_refuses_a_plan_claims_nothing() -> None:
    """No order is left: the gate refuses each by name, and the plan that is left is empty."""
    world = guarded(ONE_ORDER, sizes=HEDGED)
    world.ticks(2)
    world.trade("BTC-USD", "0.4")

    decision = next(one for one in iter(world.tick, None) if "BUDGET_ORDERS" in codes(one))

    assert not cuts(decision)
    assert [one.code.value for one in decision.refusals].count("BUDGET_ORDERS") == 2
    assert decision.plan is not None
    assert not decision.plan.legs
    (claim,) = decision.plan.claims
    assert claim.before == claim.after == Decimal(80_000)
    (short,) = decision.plan.dropped
    assert short.detail == (
        "0/BTC-USD: 1 orders filled this hour, 0 more may fill now, at most 1; "
        "0/ETH-USD: 1 orders filled this hour, 0 more may fill now, at most 1. "
        "The rest follows from 23:00Z"
    )


def test_a_preview_changes_what_the_gate_lets_through() -> None:
    world = guarded(ONE_ORDER, sizes=HEDGED)

    (change,) = preview(world.policy, world.observation(), {}).changes

    assert [change.before, change.after] == [Decimal(80_000), Decimal(40_000)]


def test_the_day_pays_so_much_and_no_more() -> None:
    world = guarded(ladder(cut("50%"), head="budgets: {per_day: {cost: 0.1%}}\n"))  # $30
    thin = book(BTC, 100_000, levels=[("0.01", 1)], seen_at=world.at)
    world.books = {"BTC-USD": thin}

    decision = world.tick()

    (size,) = cuts(decision).values()  # a coin costs $1,000 and 5 bps of $99,000
    assert Decimal("0.0285") <= size <= Decimal("0.0286")
    assert [refusal.code.value for refusal in decision.refusals] == ["BUDGET_COST"]


def test_budgets_begin_again_with_the_hour_and_the_day() -> None:
    world = guarded(ladder(cut("10%")))
    world.ticks(10)
    assert usd(world.memory.spent.hour_notional) == 1_000

    world.tick(seconds=TO_THE_HOUR)
    assert world.memory.spent.hour_notional == 0
    assert world.memory.spent.hour_orders == 0
    assert usd(world.memory.spent.hour_gross) == 9_000
    world.tick(seconds=TO_MIDNIGHT - TO_THE_HOUR)

    assert world.memory.spent.day_cost == 0
    assert usd(world.memory.spent.day_equity) == world.equity


def test_a_day_deposits_the_smaller_of_its_default_and_a_share_of_equity() -> None:
    world = feed("budgets: {per_day: {top_up: $700}}\n")

    assert deposits(world.tick()) == [Decimal(700)]
    world.ticks(3)

    assert "BUDGET_TOP_UP" in codes(world.last)
    assert not any(deposits(decision) for decision in world.ticks(50))
    assert deposits(world.tick(seconds=TO_MIDNIGHT)) == [Decimal(300)]


def test_a_level_that_pages_may_not_overdraw_deposits() -> None:
    assert deposits(feed("budgets: {per_day: {top_up: $20}}\n").tick()) == [Decimal(20)]
    assert deposits(feed("budgets: {per_day: {top_up: $5}}\n").tick()) == []


def test_an_account_that_was_flat_at_the_start_of_the_hour_is_guarded_all_the_same() -> None:
    world = guarded(ladder(cut("50%")), sizes={"BTC-USD": 0})
    world.tick()

    world.trade("BTC-USD", "0.1")
    decision = world.tick()

    assert cuts(decision) == {"BTC-USD": Decimal("0.05")}
    assert usd(world.memory.spent.hour_gross) == 10_000


def test_an_intervention_that_its_budget_stops_is_paged_once() -> None:
    world = guarded(ladder(cut("90%")))  # $9,000 wanted, 60% of $10,000 is in budget

    decisions = world.ticks(20)

    said = [page for one in decisions for page in pages(one)]
    assert [page.key for page in said] == ["size/act#1/budget"]
    assert "the budget of this hour leaves 0.06" in said[0].text
    assert "raise `budgets`" in said[0].text


def beside_a_paging_level(level: str, measure: str) -> Guarded:
    """Both fire at once: 40% of $10,000 of notional is in budget, `size` wants $9,000 of it."""
    wanted = (
        '{name: act, trigger: "> $9_000", target: "<= $1_000", '
        "do: [notify, {reduce: {until: target, max_slippage: 500bps}}]}"
    )
    head = FLOAT + "budgets: {per_hour: {notional: 40%}}\n"
    other = ladder(level, measure=measure, scope="{subaccounts: [0]}").split("rules:\n")[1]
    return guarded(ladder(wanted, head=head) + other.replace("id: size", "id: other"), float=5_000)


def test_a_paging_level_overdraws_what_it_wants_itself_and_no_more() -> None:
    world = beside_a_paging_level(
        '{name: act, trigger: "> 0.1x", clear: "< 0.01x", '
        "do: [page, {reduce: {amount: 30%, max_slippage: 80bps}}, lock]}",
        "leverage",
    )

    assert cuts(world.tick()) == {"BTC-USD": Decimal("0.07")}  # 0.03 that pages, 0.04 in budget
    later = world.ticks(20)  # the lock stands, and wants nothing

    assert not any(cuts(decision) for decision in later)
    assert "BUDGET_NOTIONAL" in codes(later[-1])


def test_a_paging_level_that_only_tops_up_frees_no_budget() -> None:
    world = beside_a_paging_level(
        '{name: act, trigger: "< $100_000", target: ">= $100_001", '
        "do: [page, {top_up: {until: target, max: $500}}]}",
        "free_collateral",
    )

    assert cuts(world.tick()) == {"BTC-USD": Decimal("0.04")}


def test_a_lock_that_its_budget_stops_is_paged_once_while_it_is_wanted() -> None:
    level = (
        '{name: act, trigger: "> $9_000", clear: "< $1_000", '
        "do: [notify, {reduce: {amount: 50%, max_slippage: 80bps}}, lock]}"
    )
    world = guarded(ladder(level, head="budgets: {per_hour: {orders: 1}}\n"))
    world.ticks(10)
    world.trade("BTC-USD", "0.02")

    decisions = world.ticks(40)

    said = [page.key for one in decisions for page in pages(one) if "budget" in page.key]
    assert said == ["size/act lock/budget"]
    world.trade("BTC-USD", "-0.02")
    world.ticks(2)
    assert "size/act lock/budget" not in world.memory.pages


def cut_by_budget(head: str) -> tuple[Leg, Claim]:
    """Of 0.09 BTC that are wanted 0.04 are believed in, 10 bps below the mid."""
    world = guarded(ladder(cut("90%"), head=head))
    world.books = {"BTC-USD": book(BTC, levels=(("0.001", "0.05"),))}
    made = world.tick().plan
    assert made is not None
    (leg,), (claim,) = made.legs, made.claims
    return leg, claim


def test_an_order_that_its_budget_cuts_is_told_at_the_prices_that_it_meets() -> None:
    leg, claim = cut_by_budget("budgets: {per_hour: {notional: 50%}}\n")

    assert BTC.coins(leg.quantums) == Decimal("0.05")
    assert BTC.coins(leg.expected_quantums) == Decimal("0.04")
    assert usd(leg.expected_quote) == Decimal(3_996)
    assert claim.after == Decimal(6_000)


def test_an_order_that_a_days_cost_cuts_costs_no_more_where_all_that_is_left_fills() -> None:
    leg, _ = cut_by_budget("budgets: {per_day: {cost: 0.01%}}\n")  # $3; 0.04 cost $5.998

    assert BTC.coins(leg.quantums) == Decimal("0.02")
    assert leg.expected_quantums == leg.quantums
    assert usd(leg.cost_vs_oracle) == Decimal("2.999")


def beside_each_other(pages: str, other: str, *, sizes: Mapping[str, Number]) -> Guarded:
    """The first market's rule pages, the other's does not; the hour leaves $20,000 of $50,000."""
    rule = (
        "    - id: {id}\n"
        '      why: "Enough is enough."\n'
        "      measure: gross_exposure\n"
        "      scope: {{per: market, markets: [{id}]}}\n"
        '      trigger: "> {most}"\n'
        '      target: "<= {least}"\n'
        "      do: [{do}, {{reduce: {{until: target, max_slippage: 80bps}}}}]\n"
    )
    text = "budgets: {per_hour: {notional: 40%}}\nrules:\n" + "".join(
        rule.format(id=ticker, most="$15_000", least=least, do=do)
        for ticker, least, do in ((pages, "$5_000", "page"), (other, "$10_000", "notify"))
    )
    return guarded(text, sizes=sizes)


@pytest.mark.parametrize(("pages", "other"), [("BTC-USD", "ETH-USD"), ("ETH-USD", "BTC-USD")])
def test_what_pages_overdraws_beside_what_is_in_budget_whichever_comes_first(
    pages: str, other: str
) -> None:
    prices = {"BTC-USD": Decimal(100_000), "ETH-USD": Decimal(4_000)}
    wanted = {pages: 25_000 / prices[pages], other: 10_000 / prices[other]}
    sizes = {pages: 30_000 / prices[pages], other: 20_000 / prices[other]}

    decision = beside_each_other(pages, other, sizes=sizes).tick()

    assert cuts(decision) == wanted
    assert not codes(decision)


def test_an_order_that_nobody_takes_uses_up_no_budget_of_one_that_fills() -> None:
    world = guarded(
        ladder(cut("90%"), scope="{per: market}"), sizes={"BTC-USD": "0.3", "ETH-USD": "5"}
    )
    world.books = {
        "BTC-USD": replace(book(BTC, seen_at=AT), bids=()),
        "ETH-USD": book(MARKETS["ETH-USD"], seen_at=AT),
    }

    sent = cuts(world.tick())

    assert sent == {"ETH-USD": Decimal("4.5"), "BTC-USD": Decimal("0.12")}  # $30,000 of $50,000
