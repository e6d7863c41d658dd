"""Levels of one rule beside one another: whose intervention runs, and what a lower one may do.

A higher level supersedes a lower one while it works, not for as long as it fires: what it has done
once may leave the account beyond the lower level's limit.
"""

from __future__ import annotations

from decimal import Decimal

from seawall.decide.memory import Acknowledge, Rearm
from seawall.policy import Mode
from tests.decide.guarded import Guarded, codes, guarded, ladder, texts

HEAD = (
    "budgets: {per_hour: {notional: 10000%, orders: 1000}, per_day: {cost: 90%}}\n"
    "interlocks: {max_interventions: {count: 3, per: market, over: 30m}}\n"
)
TRIM = (
    '{name: act, trigger: "> $10_000", target: "<= $9_000", cooldown: 30s, '
    "do: [page, {reduce: {until: target, max_slippage: 100bps}}]}"
)
CUT = (
    '{name: panic, trigger: "> $20_000", clear: "< $8_000", '
    "do: [page, {reduce: {amount: 30%, max_slippage: 100bps}}]}"
)
FLATTEN = (
    '{name: panic, trigger: "> $20_000", clear: "< $8_000", '
    "do: [page, {flatten: {max_slippage: 100bps, give_up_after: 90s}}]}"
)


def begun(world: Guarded) -> list[str]:
    return [one.name for decision in world.decisions for one in decision.started]


def ends(world: Guarded) -> list[tuple[str, str]]:
    return [(one.name, one.end.value) for decision in world.decisions for one in decision.ended]


def test_what_a_higher_level_did_once_leaves_the_lower_ones_limit_guarded() -> None:
    world = guarded(ladder(TRIM, CUT, head=HEAD), sizes={"BTC-USD": "0.25"})

    world.ticks(20)

    assert begun(world) == ["size/panic#1", "size/act#2"]
    assert ends(world) == [("size/panic#1", "reached"), ("size/act#2", "reached")]
    assert world.sizes["BTC-USD"] == Decimal("0.09")
    assert world.phases()[1] == "firing"


def test_a_lower_level_waits_while_the_intervention_of_a_higher_one_runs() -> None:
    world = guarded(ladder(TRIM, CUT, head=HEAD), sizes={"BTC-USD": "0.25"}, fill=0)

    world.ticks(200)

    assert begun(world) == ["size/panic#1"]


def test_a_higher_level_that_fires_again_takes_the_place_of_a_lower_one_again() -> None:
    hard = (
        '{name: panic, trigger: "> $20_000", target: "<= $15_000", clear: "< $8_000", '
        "cooldown: 60s, do: [page, {reduce: {until: target, max_slippage: 100bps}}]}"
    )
    world = guarded(ladder(TRIM, hard, head=HEAD), sizes={"BTC-USD": "0.25"})
    world.ticks(12)
    world.fill = 0
    world.trade("BTC-USD", "0.16")
    world.ticks(70)

    assert begun(world) == ["size/panic#1", "size/act#2", "size/act#3", "size/panic#4"]
    assert ends(world)[2:] == [("size/act#3", "superseded")]


def test_nothing_below_a_flatten_that_a_person_stopped_starts_until_it_fires_anew() -> None:
    world = guarded(ladder(TRIM, FLATTEN, head=HEAD), sizes={"BTC-USD": "0.25"}, fill=0)
    world.ticks(100)
    world.fill = 1

    world.tick(Acknowledge(stops_flatten=True))
    world.ticks(200)

    assert begun(world) == ["size/panic#1"]
    assert world.sizes["BTC-USD"] == Decimal("0.25")

    world.trade("BTC-USD", "-0.2")
    world.tick()
    assert world.phases() == ["clear", "clear"]
    world.trade("BTC-USD", "0.1")
    world.ticks(10)
    assert begun(world) == ["size/panic#1", "size/act#2"]


def test_nothing_below_a_stopped_flatten_starts_while_its_level_is_latched() -> None:
    latched = FLATTEN.replace('clear: "< $8_000"', "latch: manual")
    world = guarded(ladder(TRIM, latched, head=HEAD), sizes={"BTC-USD": "0.25"}, fill=0)
    world.ticks(100)
    world.fill = 1
    world.tick(Acknowledge(stops_flatten=True))

    world.trade("BTC-USD", "-0.07")
    world.ticks(200)

    assert world.phases() == ["firing", "latched"]
    assert begun(world) == ["size/panic#1"]

    world.tick(Rearm(key="size"))
    world.ticks(20)
    assert begun(world) == ["size/panic#1", "size/act#2"]


def test_a_flatten_of_or_else_that_a_person_stopped_does_not_start_again() -> None:
    unreachable = (
        '{name: act, trigger: "< $40_000", target: ">= $50_000", cooldown: 30s, do: [page, '
        "{reduce: {until: target, max_slippage: 100bps, or_else: flatten}}]}"
    )
    text = ladder(unreachable, measure="free_collateral", scope="{subaccounts: [0]}")
    world = guarded(text, fill=0)
    world.ticks(200)
    assert world.intervention.has_given_up

    world.tick(Acknowledge(stops_flatten=True))
    world.ticks(200)

    assert begun(world) == ["size/0/act#1"]


def test_on_paper_nothing_is_told_of_a_level_below_one_that_would_have_acted() -> None:
    world = guarded(ladder(TRIM, CUT), sizes={"BTC-USD": "0.25"}, mode=Mode.DRY_RUN)

    world.ticks(200)

    assert ends(world) == [("size/panic#1", "would")]


def test_a_higher_level_that_the_interlock_holds_leaves_a_lower_one_its_turn() -> None:
    hard = CUT.replace("[page", "[notify").replace("< $8_000", "< $19_000")
    world = guarded(ladder(TRIM, hard, head=HEAD), sizes={"BTC-USD": "0.19"})
    for _ in range(2):
        world.trade("BTC-USD", Decimal("0.25") - world.sizes["BTC-USD"])
        world.ticks(90)
    count = len(begun(world))

    world.trade("BTC-USD", Decimal("0.25") - world.sizes["BTC-USD"])
    world.ticks(90)

    assert "INTERLOCK" in {code for decision in world.decisions[-90:] for code in codes(decision)}
    assert [name.partition("#")[0] for name in begun(world)[count:]] == ["size/act"]
    assert world.sizes["BTC-USD"] == Decimal("0.09")


def test_a_level_that_only_speaks_does_not_claim_what_another_of_its_rule_sends() -> None:
    speaks = '{name: watch, trigger: "> $8_000", do: [notify]}'
    world = guarded(ladder(speaks, TRIM, head=HEAD), sizes={"BTC-USD": "0.12"})

    watch, act = texts(world.tick())

    assert "nothing but this message. Clears" in watch
    assert "Sent at once: sell BTC-USD" in act
