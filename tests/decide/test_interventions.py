"""Interventions over a played account: goals, retries, patience, restarts, and their ends."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from seawall.intervention import End
from tests.decide.guarded import (
    FLOAT,
    Guarded,
    codes,
    cuts,
    deposits,
    guarded,
    ladder,
    pages,
    texts,
)

WIDE = "budgets: {per_hour: {notional: 1000%}, per_day: {cost: 50%}}\n"
HALVE = (
    '{name: act, trigger: "> $10_000", clear: "< $1_000", cooldown: 30s, '
    "do: [notify, {reduce: {amount: 50%, max_slippage: 60bps}}]}"
)
TRIM = (
    '{name: act, trigger: "> $10_000", target: "<= $7_000", clear: "< $5_000", cooldown: 30s, '
    "do: [page, {reduce: {until: target, max_slippage: 60bps}}]}"
)
FLATTEN = (
    '{name: panic, trigger: "> $10_000", latch: manual, '
    "do: [page, {flatten: {max_slippage: 200bps, give_up_after: 90s}}]}"
)
LOCK = (
    '{name: act, trigger: "> $10_000", clear: "< $1_000", '
    "do: [page, {reduce: {amount: 50%, max_slippage: 60bps}}, {lock: {max_slippage: 60bps}}]}"
)


def free(do: str, target: str = ">= $29_000") -> str:
    level = (
        f'{{name: act, trigger: "< $28_500", target: "{target}", cooldown: 30s, do: [page, {do}]}}'
    )
    return ladder(level, measure="free_collateral", scope="{subaccounts: [0]}")


def ends(world: Guarded) -> list[tuple[str, str]]:
    return [(one.name, one.end.value) for decision in world.decisions for one in decision.ended]


def test_an_amount_is_a_share_of_the_size_at_firing_and_runs_once() -> None:
    world = guarded(ladder(HALVE), sizes={"BTC-USD": "0.11"})

    assert cuts(world.tick()) == {"BTC-USD": Decimal("0.055")}
    later = world.ticks(200)

    assert world.sizes["BTC-USD"] == Decimal("0.055")
    assert not any(cuts(decision) for decision in later)
    assert ends(world) == [("size/act#1", "reached")]


def test_the_goal_of_an_amount_does_not_follow_the_trader() -> None:
    world = guarded(ladder(HALVE, head=WIDE), sizes={"BTC-USD": "0.11"}, fill=0)
    world.tick()
    world.trade("BTC-USD", "0.1")
    world.fill = 1

    world.ticks(20)

    assert world.sizes["BTC-USD"] == Decimal("0.055")


def test_a_position_opened_after_firing_is_no_part_of_an_amount() -> None:
    world = guarded(ladder(HALVE), sizes={"BTC-USD": "0.11"}, fill=0)
    world.tick()
    world.trade("ETH-USD", 1)
    world.fill = 1

    world.ticks(20)

    assert world.sizes == {"BTC-USD": Decimal("0.055"), "ETH-USD": Decimal(1)}


def test_what_did_not_fill_is_tried_again_in_every_window() -> None:
    world = guarded(ladder(HALVE), sizes={"BTC-USD": "0.11"}, fill="0.5")

    world.ticks(30)

    sent = [one for d in world.decisions for one in cuts(d).values()]
    assert sent[:3] == [Decimal("0.055"), Decimal("0.0275"), Decimal("0.0138")]
    heights = [d.height for d in world.decisions if cuts(d)]
    assert [later - earlier for earlier, later in pairwise(heights)][:3] == [
        6,
        6,
        6,
    ]


def test_until_stops_at_the_target_and_ends_reached() -> None:
    world = guarded(ladder(TRIM), sizes={"BTC-USD": "0.11"})

    world.ticks(3)

    assert world.sizes["BTC-USD"] == Decimal("0.07")
    assert ends(world) == [("size/act#1", "reached")]


def test_until_starts_again_only_beyond_the_trigger() -> None:
    world = guarded(ladder(TRIM), sizes={"BTC-USD": "0.11"})
    world.ticks(3)
    world.trade("BTC-USD", "0.025")  # beyond the target, not beyond the trigger

    world.ticks(100)

    assert world.running == []
    assert world.phases() == ["firing"]
    assert world.sizes["BTC-USD"] == Decimal("0.095")


def test_until_starts_again_only_after_its_cooldown_from_the_end_of_the_last() -> None:
    world = guarded(ladder(TRIM), sizes={"BTC-USD": "0.11"})
    world.ticks(2)
    ended_at = next(d.at for d in world.decisions if d.ended)
    world.trade("BTC-USD", "0.05")

    started_at = None
    while started_at is None:
        decision = world.tick()
        started_at = decision.at if decision.started else None

    assert ended_at is not None
    assert started_at - ended_at == 30_000


def test_flatten_closes_everything_in_scope_and_latches() -> None:
    world = guarded(ladder(FLATTEN), sizes={"BTC-USD": "0.1", "ETH-USD": -2, "SOL-USD": 10})

    assert set(cuts(world.tick())) == {"BTC-USD", "ETH-USD", "SOL-USD"}
    world.ticks(3)

    assert set(world.sizes.values()) == {Decimal(0)}
    assert world.phases() == ["latched"]
    assert ends(world) == [("size/panic#1", "reached")]


def test_flatten_widens_once_after_half_a_minute_and_pages_and_slows_when_it_gives_up() -> None:
    world = guarded(ladder(FLATTEN), sizes={"BTC-USD": "0.11"}, fill=0)

    world.ticks(200)

    sent = [(d.at, one.action) for d in world.decisions for one in d.actions if cuts(d)]
    start = world.decisions[0].at
    assert start is not None
    bounds = {}
    for at, action in sent:
        assert at is not None
        assert action.kind == "reduce"
        bounds[(at - start) // 1_000] = action.subticks
    at_first, at_last = bounds[0], bounds[max(bounds)]
    assert at_first == 9_800_000_000
    assert at_last == 9_600_000_000
    assert {bound for after, bound in bounds.items() if after < 30} == {at_first}
    assert {bound for after, bound in bounds.items() if after >= 30} == {at_last}
    assert [after for after in bounds if after >= 90] == [114, 144, 174]  # the last was at 84
    late = [m for d in world.decisions for m in pages(d) if "not flat in time" in m.text]
    assert len(late) == 1
    assert ends(world) == []


def test_a_flatten_that_gave_up_still_ends_flat() -> None:
    world = guarded(ladder(FLATTEN), sizes={"BTC-USD": "0.11"}, fill=0)
    world.ticks(120)
    world.fill = 1

    world.ticks(40)

    assert world.sizes["BTC-USD"] == 0
    assert ends(world) == [("size/panic#1", "reached")]


def test_a_target_beyond_todays_depth_is_approached_window_by_window() -> None:
    world = guarded(ladder(TRIM), sizes={"BTC-USD": "0.11"}, fill="0.25")

    world.ticks(60)

    assert len([d for d in world.decisions if cuts(d)]) > 5
    assert [one.name for d in world.decisions for one in d.started] == ["size/act#1"]


def test_a_target_that_cannot_be_reached_is_given_up_and_paged() -> None:
    rules = free("{reduce: {until: target, max_slippage: 60bps, or_else: page}}", ">= $31_000")
    world = guarded(rules, sizes={"BTC-USD": "1"})

    decision = world.tick()

    assert not decision.actions
    assert [(one.end) for one in decision.ended] == [End.GIVEN_UP]
    assert "UNREACHABLE" in codes(decision)
    assert any("cannot be reached" in message.text for message in pages(decision))
    assert all(not cuts(d) for d in world.ticks(20))


def test_or_else_an_amount_takes_the_place_of_an_unreachable_target() -> None:
    rules = free(
        "{reduce: {until: target, max_slippage: 60bps, or_else: {amount: 50%}}}", ">= $31_000"
    )
    world = guarded(rules, sizes={"BTC-USD": "1"})

    assert cuts(world.tick()) == {"BTC-USD": Decimal("0.5")}
    world.ticks(5)

    assert ends(world) == [("size/0/act#1", "reached")]


def test_or_else_flatten_closes_everything() -> None:
    rules = free("{reduce: {until: target, max_slippage: 60bps, or_else: flatten}}", ">= $31_000")
    world = guarded(rules, sizes={"BTC-USD": "1"})

    world.ticks(5)

    assert world.sizes["BTC-USD"] == 0


def test_the_patience_of_or_else_runs_from_when_it_took_over() -> None:
    rules = free("{reduce: {until: target, max_slippage: 60bps, or_else: flatten}}", ">= $28_600")
    world = guarded(rules, sizes={"BTC-USD": "1"}, fill=0)
    world.ticks(120)
    assert world.intervention.fallback is None
    world.move("BTC-USD", 98_000)  # less equity than the target
    world.tick()
    assert world.intervention.fallback is not None

    told = [any("not flat in time" in m.text for m in pages(d)) for d in world.ticks(95)]

    assert told.index(True) == 89
    assert world.intervention.is_widened


def test_cash_comes_first_and_size_only_for_what_cash_does_not_reach() -> None:
    rules = FLOAT + free(
        "{top_up: {until: target, max: $400}}, "
        "{reduce: {until: target, max_slippage: 60bps, or_else: page}}"
    )
    world = guarded(rules, sizes={"BTC-USD": "1"}, float=5_000)  # IMR $2,000, free $28,000

    decision = world.tick()

    assert deposits(decision) == [Decimal(400)]
    assert cuts(decision)["BTC-USD"] < Decimal("0.35")
    world.ticks(20)
    assert ends(world)[0] == ("size/0/act#1", "reached")


def test_one_intervention_deposits_at_most_its_maximum_and_one_at_a_time() -> None:
    rules = FLOAT + free("{top_up: {until: target, max: $400}}", ">= $30_000")
    world = guarded(rules, sizes={"BTC-USD": "1"}, float=5_000)

    world.ticks(100)

    assert [amount for d in world.decisions for amount in deposits(d)] == [Decimal(400)]


def test_a_lock_cuts_back_what_grows_after_the_intervention() -> None:
    world = guarded(ladder(LOCK), sizes={"BTC-USD": "0.11"})
    world.ticks(10)
    assert world.sizes["BTC-USD"] == Decimal("0.055")

    world.trade("BTC-USD", "0.02")
    world.trade("ETH-USD", "0.5")
    world.ticks(12)

    assert world.sizes == {"BTC-USD": Decimal("0.055"), "ETH-USD": Decimal(0)}


def test_a_lock_lets_a_position_shrink_and_not_grow_again() -> None:
    world = guarded(ladder(LOCK), sizes={"BTC-USD": "0.11"})
    world.ticks(10)
    world.trade("BTC-USD", "-0.02")
    world.ticks(10)
    assert world.sizes["BTC-USD"] == Decimal("0.035")

    world.trade("BTC-USD", "0.03")
    world.ticks(10)

    assert world.sizes["BTC-USD"] == Decimal("0.055")


def test_a_position_that_turns_round_under_a_lock_is_new_and_closed() -> None:
    latched = LOCK.replace('clear: "< $1_000"', "latch: manual")
    world = guarded(ladder(latched), sizes={"BTC-USD": "0.11"})
    world.ticks(10)

    world.trade("BTC-USD", "-0.10")
    world.ticks(12)
    assert world.sizes["BTC-USD"] == 0

    world.trade("BTC-USD", "0.05")  # the side that was locked may come back
    world.ticks(12)

    assert world.sizes["BTC-USD"] == Decimal("0.05")


def test_a_lock_goes_with_its_level() -> None:
    world = guarded(ladder(LOCK), sizes={"BTC-USD": "0.11"})
    world.ticks(10)
    world.trade("BTC-USD", "-0.05")  # below the clear line
    world.tick()
    assert world.phases() == ["clear"]

    world.trade("BTC-USD", "0.09")

    assert not any(cuts(decision) for decision in world.ticks(12))


def test_simultaneous_demands_on_one_position_take_the_larger_and_not_the_sum() -> None:
    quarter = HALVE.replace("50%", "25%")
    two = ladder(HALVE) + ladder(quarter).split("rules:\n")[1].replace("id: size", "id: other")
    world = guarded(two, sizes={"BTC-USD": "0.12"})

    decision = world.tick()

    assert cuts(decision) == {"BTC-USD": Decimal("0.06")}
    (one,) = decision.actions
    assert one.asked_by == ("size/act#1", "other/act#2")
    world.ticks(12)
    assert world.sizes["BTC-USD"] == Decimal("0.06")


def test_the_message_of_a_firing_says_number_limit_and_what_is_done() -> None:
    world = guarded(ladder(HALVE), sizes={"BTC-USD": "0.11"})

    (text,) = texts(world.tick())

    assert text.startswith("size/act: gross_exposure $11,000, limit > $10,000.")
    assert "Enough is enough." in text
    assert "Doing: cut 50% of each position within 60bps." in text
    assert "Sent at once: sell BTC-USD for about $5,498.90, cost about $3.85." in text
    assert "Clears at < $1,000." in text


def test_a_position_that_is_never_traded_keeps_no_intervention_running_and_no_lock_waiting() -> (
    None
):
    halve = (
        '{name: act, trigger: "> $9_000", latch: manual, '
        "do: [page, {reduce: {amount: 50%, max_slippage: 60bps}}, {lock: {max_slippage: 60bps}}]}"
    )
    head = "account: {hands_off: {markets: [ETH-USD]}}\n"
    world = guarded(ladder(halve, head=head), sizes={"BTC-USD": "0.1", "ETH-USD": 1})
    world.ticks(3)
    assert world.running == []

    world.trade("SOL-USD", "20")
    world.ticks(8)

    assert world.sizes["SOL-USD"] == 0
    assert world.sizes["ETH-USD"] == 1


def test_of_two_levels_that_fire_together_the_lower_cuts_nothing_once_the_higher_is_clear() -> None:
    act = (
        '{name: act, trigger: "> $9_000", clear: "< $1_000", '
        "do: [notify, {reduce: {amount: 33%, max_slippage: 60bps}}]}"
    )
    hard = (
        '{name: hard, trigger: "> $20_000", clear: "< $16_000", '
        "do: [notify, {reduce: {amount: 50%, max_slippage: 60bps}}]}"
    )
    world = guarded(ladder(act, hard), sizes={"BTC-USD": "0.3"})

    world.ticks(30)

    assert world.sizes["BTC-USD"] == Decimal("0.15")


def test_a_deposit_is_told_and_charged_to_the_levels_of_its_subaccount_alone() -> None:
    do = "do: [notify, {top_up: {until: target, max: $1_200}}]}"
    level = f'{{name: act, trigger: "< $1_000", target: ">= $2_000", clear: ">= $1_800", {do}'
    head = FLOAT + "budgets: {per_day: {top_up: $6_000}}\n"
    rules = ladder(level, measure="free_collateral", scope="{per: subaccount}", head=head)
    world = guarded(rules, equity=1_100, float=9_000)
    poorer, fed = ({128: (usdc, {"BTC-USD": ("0.1", 100_000)})} for usdc in (1_000, 2_200))
    world.extra["children"] = poorer

    (sent,) = world.tick().actions
    assert sent.asked_by == ("size/128/act#2",)
    world.extra["children"], world.equity = fed, world.equity - 1_200
    (then,) = world.tick().actions

    assert then.asked_by == ("size/0/act#1",)
    assert world.intervention.topped_up == 0
    assert deposits(world.last) == [Decimal(1_100)]
