"""What is only missing for now makes no target unreachable: only the account itself does."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall.policy import Mode
from tests.decide.guarded import FLOAT, Deposit, Guarded, deposits, guarded, ladder

BUDGETS = "budgets: {per_day: {cost: 50%, top_up: $6_000}}\n"
ACT = (
    '{name: act, trigger: "< $1_000", target: ">= $7_000", clear: ">= $6_500", do: [notify, '
    "{top_up: {until: target, max: $3_000}}, "
    "{reduce: {until: target, max_slippage: 80bps, or_else: {amount: 50%}}}]}"
)
RULES = ladder(ACT, measure="free_collateral", scope="{per: subaccount}", head=FLOAT + BUDGETS)
EQUITY = (
    '{name: act, trigger: "< $20_000", target: ">= $21_000", clear: ">= $20_500", '
    "do: [page, {top_up: {until: target, max: $3_000}}]}"
)


def test_a_deposit_under_way_counts_and_nothing_falls_back() -> None:
    world = guarded(RULES, sizes={"BTC-USD": "2.1"}, equity=5_000, float=6_000, fill=0)
    world.deposit = Deposit.IS_LOST

    first = world.tick()
    world.ticks(5)

    assert deposits(first) == [3_000]
    assert world.intervention.fallback is None


def test_stale_state_falls_back_to_nothing() -> None:
    world = guarded(RULES, sizes={"BTC-USD": "2.1"}, equity=2_000, float=6_000, fill=0)

    world.tick(late=11)

    assert world.intervention.fallback is None


def test_a_float_wallet_that_was_not_read_falls_back_to_nothing() -> None:
    world = guarded(RULES, sizes={"BTC-USD": "2.1"}, equity=5_000, float=None, fill=0)

    world.tick()

    assert world.intervention.fallback is None


def test_a_spent_budget_a_failed_deposit_and_a_closed_gate_fall_back_to_nothing() -> None:
    head = FLOAT + BUDGETS.replace("$6_000", "$0.01")
    spent = guarded(RULES.replace(FLOAT + BUDGETS, head), sizes={"BTC-USD": "2.1"}, float=6_000)
    spent.equity, spent.fill = Decimal(5_000), 0
    failed = guarded(RULES, sizes={"BTC-USD": "2.1"}, equity=5_000, float=6_000, fill=0)
    failed.deposit = Deposit.FAILS
    blocked = guarded(RULES, sizes={"BTC-USD": "2.1"}, equity=5_000, float=6_000, fill=0)
    blocked.extra["transfers_blocked_until"] = {0: 2_000}

    for world in (spent, failed, blocked):
        world.ticks(5)

        assert world.intervention.fallback is None


def test_without_enough_cash_anywhere_the_fallback_takes_over_on_fresh_state() -> None:
    world = guarded(RULES, sizes={"BTC-USD": "2.1"}, equity=5_000, float=1_000, fill=0)

    world.tick()

    assert world.intervention.fallback is not None


def test_cash_that_may_not_be_fed_into_a_subaccount_is_none() -> None:
    head = FLOAT.replace("account: {", "account: {hands_off: {subaccounts: [0]}, ") + BUDGETS
    text = ladder(EQUITY, measure="equity", scope="{per: subaccount}", head=head)
    world = guarded(text, equity=19_000, float=6_000)

    assert [str(end.end) for end in world.tick().ended] == ["given up"]


@pytest.mark.parametrize(("per", "key"), [("account", "size"), ("subaccount", "size/0")])
def test_equity_is_topped_up_per_account_and_per_subaccount(per: str, key: str) -> None:
    text = ladder(EQUITY, measure="equity", scope=f"{{per: {per}}}", head=FLOAT + BUDGETS)
    world = guarded(text, equity=19_000, float=6_000)

    decisions = world.ticks(3)

    assert [deposits(one) for one in decisions] == [[2_000], [], []]
    assert [str(end.end) for one in decisions for end in one.ended] == ["reached"]
    assert not world.running
    assert world.phases(key) == ["clear"]


def test_a_page_about_what_is_out_of_reach_from_the_start_does_not_say_that_it_is_done() -> None:
    rules = ladder(EQUITY, measure="equity", scope="{per: subaccount}", head=FLOAT + BUDGETS)
    world = guarded(rules, sizes={"BTC-USD": "0.1"}, equity=15_000, float=100)

    decision = world.tick()

    texts = {message.key.rpartition("/")[2]: message.text for message in decision.messages}
    assert "the target cannot be reached" in texts["unreachable"]
    assert "Wanted: deposit until >= $21,000" in texts["act"]
    assert "Not yet: reach the target of" in texts["act"]
    assert "Doing" not in texts["act"]


HEAD = "budgets: {per_hour: {notional: 10000%, orders: 1000}, per_day: {cost: 90%}}\n"
CUT = (
    '{name: act, trigger: "< $99_100", clear: "> $99_600", '
    "do: [notify, {reduce: {amount: 50%, max_slippage: 100bps}}]}"
)
OUT_OF_REACH = (
    '{name: worse, trigger: "< $98_990", target: ">= $900_000", do: [page, '
    "{reduce: {until: target, max_slippage: 100bps, or_else: page}}]}"
)


def under_an_unreachable_level(
    size: str, target: str = "$900_000", mode: Mode = Mode.LIVE
) -> Guarded:
    scope, levels = "{subaccounts: [0]}", (CUT, OUT_OF_REACH.replace("$900_000", target))
    text = ladder(*levels, measure="free_collateral", scope=scope, head=HEAD)
    return guarded(text, sizes={"BTC-USD": size}, equity=100_000, mode=mode)


def test_a_target_out_of_reach_leaves_the_cut_of_a_lower_level_its_turn() -> None:
    world = under_an_unreachable_level("0.6")

    world.ticks(200)

    begun = [one.name for decision in world.decisions for one in decision.started]
    assert begun[:2] == ["size/0/worse#1", "size/0/act#2"]
    assert [name.partition("#")[0] for name in begun].count("size/0/act") == 1
    assert world.sizes["BTC-USD"] == Decimal("0.3")


def test_on_paper_too_a_target_out_of_reach_leaves_a_lower_level_its_turn() -> None:
    world = under_an_unreachable_level("0.6", mode=Mode.DRY_RUN)

    world.ticks(30)

    ended = [(one.name, one.end.value) for each in world.decisions for one in each.ended]
    assert ended[:2] == [("size/0/worse#1", "given up"), ("size/0/act#2", "would")]


def test_a_cut_that_had_its_turn_gets_no_second_one_from_a_target_out_of_reach() -> None:
    world = under_an_unreachable_level("0.5")
    world.ticks(20)
    assert world.sizes["BTC-USD"] == Decimal("0.25")

    world.trade("BTC-USD", "0.3")
    world.ticks(200)

    begun = [one.name.partition("#")[0] for each in world.decisions for one in each.started]
    assert "size/0/worse" in begun
    assert begun.count("size/0/act") == 1


def test_what_has_sold_before_its_target_went_out_of_reach_was_the_lower_levels_turn_too() -> None:
    world = under_an_unreachable_level("0.6", target="$99_500")
    world.fill = Decimal("0.5")
    world.ticks(9)
    assert world.running == ["size/0/worse#1"]
    left = world.sizes["BTC-USD"]
    assert 0 < left < Decimal("0.6")

    world.equity -= 2_000
    world.ticks(40)

    begun = [one.name for each in world.decisions for one in each.started]
    assert begun == ["size/0/worse#1"]
    assert world.sizes["BTC-USD"] == left


def test_a_target_out_of_reach_leaves_the_work_of_a_lower_level_running() -> None:
    lower = (
        '{name: act, trigger: "< $99_100", target: ">= $99_500", cooldown: 10m, do: [page, '
        "{reduce: {until: target, max_slippage: 100bps, or_else: page}}]}"
    )
    text = ladder(
        lower, OUT_OF_REACH, measure="free_collateral", scope="{subaccounts: [0]}", head=HEAD
    )
    world = guarded(text, sizes={"BTC-USD": "0.6"}, equity=100_000, fill=0)

    world.ticks(130)

    ends = [(one.name, one.end.value) for each in world.decisions for one in each.ended]
    assert [name for name, _ in ends] == ["size/0/worse#1", "size/0/worse#3", "size/0/worse#4"]
    assert {end for _, end in ends} == {"given up"}
    assert world.running == ["size/0/act#2"]
