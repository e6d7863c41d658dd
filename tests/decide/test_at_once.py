"""What a rule set would do the moment it is in force."""

from __future__ import annotations

import pytest

from seawall.decide.at_once import AtOnce, at_once
from seawall.decide.memory import Memory
from seawall.policy import Mode
from seawall.rulefile import load
from seawall.units import usd
from tests.decide.guarded import FLOAT, Guarded, guarded, ladder
from tests.rulefile.texts import SHIPPED
from tests.see import MARKETS, book, priced, see

HALVE = (
    '{name: act, trigger: "> $9_000", clear: "< $1_000", for: 10m, '
    "do: [notify, {reduce: {amount: 50%, max_slippage: 60bps}}]}"
)


def asked(world: Guarded, text: str | None = None) -> AtOnce:
    """What another rule set (the same, where none is given) would do in this world now."""
    policy = world.policy if text is None else guarded(text).policy
    return at_once(policy, world.memory, world.observation(), world.policy)


def test_a_set_whose_acting_trigger_is_met_would_act_whatever_its_hold() -> None:
    would = asked(guarded(ladder(HALVE)))

    assert would.may_act
    assert would.levels == ("size/act: gross_exposure $10,000, limit > $9,000",)
    assert would.actions == ("sell 0.05 0/BTC-USD at $99,400 or better",)
    assert would.in_words() == "would act now: sells $5,000, cost about $3"


def test_a_calm_set_would_not() -> None:
    would = asked(guarded(ladder(HALVE), sizes={"BTC-USD": "0.09"}))

    assert would == AtOnce()
    assert would.in_words() == ""


def test_levels_that_only_speak_and_rules_on_paper_do_not_act() -> None:
    speaks = '{name: watch, trigger: "> $1", do: [page]}'

    assert not asked(guarded(ladder(speaks))).may_act
    assert not asked(guarded(ladder(HALVE, mode="dry-run"))).may_act


def test_the_plan_is_told_even_where_no_order_could_arrive_now() -> None:
    world = guarded(ladder(HALVE))
    world.height = 1_005

    assert usd(asked(world).sold) == 5_000


def test_shorts_are_bought_back_and_cash_is_deposited() -> None:
    both = (
        '{name: act, trigger: "< $29_500", target: ">= $29_600", do: [page, '
        "{top_up: {until: target, max: $40}}, "
        "{reduce: {until: target, max_slippage: 60bps, or_else: page}}]}"
    )
    rules = ladder(both, head=FLOAT, measure="free_collateral", scope="{subaccounts: [0]}")
    world = guarded(rules, sizes={"BTC-USD": "-0.3"}, float=1_000)

    assert asked(world).in_words().startswith("would act now: deposits $40, buys back $8,")


def test_what_fires_already_is_no_news() -> None:
    world = guarded(ladder(HALVE.replace("for: 10m, ", "")))
    world.ticks(3)
    world.trade("BTC-USD", "0.1")

    assert not asked(world, ladder(HALVE.replace("$1_000", "$2_000"))).may_act


def denied() -> Guarded:
    """A book of BTC a tenth away from its oracle: exposure rules have no data."""
    world = guarded(ladder(HALVE))
    world.books = {"BTC-USD": book(priced(MARKETS["BTC-USD"], 110_000), seen_at=world.at)}
    return world


def test_what_cannot_be_told_is_named_and_is_not_calm() -> None:
    would = asked(denied(), ladder(HALVE.replace("50%", "40%")))

    assert would.may_act
    assert would.levels == ()
    (line,) = would.unknown
    assert line.startswith("size: gross_exposure has no data (BTC-USD")
    assert would.in_words() == "cannot be judged now: no data for size"


def test_what_cannot_be_told_of_a_rule_that_goes_on_or_does_nothing_is_no_news() -> None:
    world = denied()
    world.tick()
    paper = ladder(HALVE, mode="dry-run")
    speaks = ladder('{name: act, trigger: "> $9_000", do: [page]}')

    assert [asked(world, text) for text in (None, paper, speaks)] == [AtOnce()] * 3


def test_asking_changes_nothing() -> None:
    world = guarded(ladder(HALVE))
    world.tick()
    before = world.memory

    asked(world)

    assert world.memory == before
    assert world.phases() == ["pending"]


def test_what_paper_has_latched_would_still_act_live() -> None:
    flatten = (
        '{name: panic, trigger: "> $9_000", latch: manual, '
        "do: [page, {flatten: {max_slippage: 200bps, give_up_after: 90s}}]}"
    )
    world = guarded(ladder(flatten), mode=Mode.DRY_RUN)
    world.ticks(3)

    assert asked(world).in_words() == "would act now: sells $10,000, cost about $7"


def test_rules_for_thirty_thousand_would_act_on_twenty_five_hundred() -> None:
    small = see(equity=2_500, positions={"BTC-USD": ("0.02", 100_000)})

    would = at_once(load(SHIPPED).policy, Memory(), small)

    assert would.may_act
    assert any(level.startswith("collateral-floor/0/act: ") for level in would.levels)
    assert would.in_words().startswith("would act now: sells $1,200, cost about $")


SPEAKS = '{name: large, trigger: "> $9_000", do: [notify]}'
FLATTENS = '{name: large, trigger: "> $9_000", latch: manual, do: [page, flatten]}'
TRIM = (
    '{name: act, trigger: "> $9_000", target: "<= $8_000", cooldown: 8h, '
    "do: [notify, {reduce: {until: target, max_slippage: 60bps}}]}"
)
HARDER = (
    '{name: hard, trigger: "> $9_500", latch: manual, '
    "do: [page, {reduce: {amount: 10%, max_slippage: 60bps}}]}"
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ladder(SPEAKS), ladder(FLATTENS)),
        (ladder(TRIM), ladder(TRIM.replace("$8_000", "$800"))),
        (ladder(TRIM, HARDER), ladder(TRIM)),
        (ladder(FLATTENS, mode="dry-run"), ladder(FLATTENS)),
        (
            ladder(TRIM),
            ladder(
                TRIM, head="interlocks: {max_interventions: {count: 9, per: market, over: 1m}}\n"
            ),
        ),
    ],
)
@pytest.mark.parametrize("after", [1, 30])
def test_a_rule_that_changed_is_judged_anew_whatever_it_is_doing(
    old: str, new: str, after: int
) -> None:
    world = guarded(old)
    world.ticks(after)
    world.trade("BTC-USD", "0.2")  # the trigger is met again, or still

    assert asked(world, new).may_act
    assert not asked(world).may_act
