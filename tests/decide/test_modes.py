"""On paper: everything is decided, nothing is sent, and paper leaves no mark on what is live."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from seawall.account import Side
from seawall.action import WINDOW_BLOCKS
from seawall.decide import watch
from seawall.policy import Mode
from tests.decide.guarded import cancelled, codes, cuts, guarded, ladder, texts, would_cut
from tests.see import BTC, ETH, book, resting

HALVE = (
    '{name: act, trigger: "> $9_000", clear: "< $1_000", cooldown: 30s, '
    "do: [notify, {reduce: {amount: 50%, max_slippage: 60bps}}]}"
)
TRIM = (
    '{name: act, trigger: "> $9_000", target: "<= $8_000", cooldown: 30s, '
    "do: [notify, {cancel_orders: risk_increasing}, "
    "{reduce: {until: target, max_slippage: 60bps}}]}"
)
FLATTEN = (
    '{name: panic, trigger: "> $9_000", latch: manual, '
    "do: [page, {flatten: {max_slippage: 200bps, give_up_after: 90s}}]}"
)
BUY = resting(BTC, Side.BUY, "0.05", 90_000)


@pytest.mark.parametrize("block", range(WINDOW_BLOCKS))
@pytest.mark.parametrize("mode", [Mode.DRY_RUN, Mode.LIVE])
def test_a_rule_on_paper_says_what_it_would_do_in_whichever_block_it_fires(
    block: int, mode: Mode
) -> None:
    rules = ladder(HALVE).replace("      levels:", "      mode: dry-run\n      levels:")
    world = guarded(rules, mode=mode)
    world.height += block

    decision = world.tick()

    assert decision.actions == ()
    assert would_cut(decision) == {"BTC-USD": Decimal("0.05")}
    assert [(one.name, one.end.value) for one in decision.ended] == [("size/act#1", "would")]
    assert "Would send at once: sell" in texts(decision)[0]


def test_a_run_on_paper_says_what_it_would_do_and_sends_nothing() -> None:
    world = guarded(ladder(TRIM), mode=Mode.DRY_RUN, orders=(BUY,))

    decision = world.tick()

    assert decision.actions == ()
    assert decision.plan is None
    assert would_cut(decision) == {"BTC-USD": Decimal("0.02")}
    assert [one.action.kind for one in decision.on_paper] == ["cancel", "reduce"]
    assert decision.would is not None
    assert decision.would.cost > 0
    assert [claim.reached for claim in decision.would.claims] == [True]
    assert [(one.name, one.end.value) for one in decision.ended] == [("size/act#1", "would")]
    assert "On paper: cancel orders that add risk, reduce until <= $8,000" in texts(decision)[0]
    assert (
        "Would send at once: cancel an order in BTC-USD, sell BTC-USD for about $1,9"
        in (texts(decision)[0])
    )


def test_on_paper_the_level_stays_firing_and_nothing_is_imagined_done() -> None:
    world = guarded(ladder(TRIM), mode=Mode.DRY_RUN)

    world.ticks(100)

    assert world.phases() == ["firing"]
    assert world.running == []
    assert world.memory.sent == ()
    assert world.memory.spent.hour_orders == 0
    assert not any(decision.actions for decision in world.decisions)


def test_what_waits_on_paper_for_fresh_state_survives_that_its_rule_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = guarded(ladder(TRIM), mode=Mode.DRY_RUN)
    world.tick(late=40)
    assert world.running == ["size/act#1"]

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(watch, "value_of", fails)
        world.tick(late=0)
        assert world.running == ["size/act#1"]

    assert [one.end.value for one in world.tick().ended] == ["would"]


def test_on_paper_once_per_firing_is_once_and_until_keeps_its_cooldown() -> None:
    once = guarded(ladder(HALVE), mode=Mode.DRY_RUN)
    once.ticks(100)
    again = guarded(ladder(TRIM), mode=Mode.DRY_RUN)
    again.ticks(100)

    assert len([one for d in once.decisions for one in d.started]) == 1
    at = [d.at for d in again.decisions if d.started]
    assert [b - a for a, b in pairwise(at) if a and b] == [30_000] * 3


def test_one_rule_stays_on_paper_while_others_are_live_and_never_enters_their_plan() -> None:
    paper = ladder(FLATTEN, mode="dry-run")
    live = ladder(HALVE).split("rules:\n")[1].replace("id: size", "id: live")
    world = guarded(paper + live)

    decision = world.tick()

    assert cuts(decision) == {"BTC-USD": Decimal("0.05")}
    assert would_cut(decision) == {"BTC-USD": Decimal("0.1")}
    assert [one.asked_by for one in decision.actions] == [("live/act#2",)]
    world.ticks(20)
    assert world.sizes["BTC-USD"] == Decimal("0.05")


def test_a_rule_on_paper_keeps_no_live_plan_from_its_trigger() -> None:
    gross = ladder(
        '{name: act, trigger: "> $70_000", target: "<= $60_000", '
        "do: [notify, {reduce: {until: target, max_slippage: 80bps}}]}"
    )
    net = ladder(
        '{name: act, trigger: "> $12_000", target: "<= $10_000", '
        "do: [notify, {reduce: {until: target, max_slippage: 80bps}}]}",
        measure="net_exposure",
        mode="dry-run",
    )
    net = net.split("rules:\n")[1].replace("id: size", "id: net")
    plans = []
    for rules in (gross, gross + net):
        world = guarded(rules, sizes={"BTC-USD": "0.4", "ETH-USD": "-10"}, equity=30_000)
        world.books = {"BTC-USD": book(BTC, half_spread="0.002"), "ETH-USD": book(ETH)}
        plans.append(cuts(world.tick()))

    assert plans[0] == plans[1] != {}


def test_what_fired_on_paper_fires_anew_when_the_run_is_live() -> None:
    world = guarded(ladder(FLATTEN), mode=Mode.DRY_RUN)
    world.ticks(10)
    world.move("BTC-USD", 80_000)
    world.tick()
    assert world.phases() == ["latched"]
    world.move("BTC-USD", 100_000)

    world.restart(mode=Mode.LIVE)

    assert [one.name for one in world.tick().started] == ["size/panic#2"]
    assert any(cuts(decision) for decision in world.ticks(3))


def test_a_live_intervention_sends_nothing_in_a_run_on_paper_and_goes_on_when_live() -> None:
    world = guarded(ladder(FLATTEN), fill=0)
    world.tick()
    world.restart(mode=Mode.DRY_RUN)

    world.orders = (BUY,)
    for decision in world.ticks(20):
        assert decision.actions == ()
        assert "PAUSED" in codes(decision)
    world.restart(mode=Mode.LIVE)
    world.fill = 1
    world.ticks(8)

    assert world.sizes["BTC-USD"] == 0
    assert not any(cancelled(decision) for decision in world.decisions)


def test_a_rule_that_is_put_on_paper_gives_up_what_it_was_doing() -> None:
    world = guarded(ladder(FLATTEN), fill=0)
    world.tick()

    world.restart(ladder(FLATTEN, mode="dry-run"))
    decision = world.tick()

    assert [one.end.value for one in decision.ended] == ["given up"]
    assert not any(cuts(d) for d in world.ticks(20))


def test_a_level_that_is_gone_from_the_file_gives_up_what_it_was_doing() -> None:
    world = guarded(ladder(TRIM, FLATTEN.replace("9_000", "9_500")), fill=0)
    world.tick()
    assert world.running == ["size/panic#1"]

    world.restart(ladder(TRIM))
    decision = world.tick()

    assert [(one.name, one.end.value) for one in decision.ended] == [("size/panic#1", "given up")]
    assert [one.name for one in decision.started] == ["size/act#2"]


def test_a_level_keeps_its_state_under_its_name_even_on_a_blind_tick() -> None:
    world = guarded(ladder(FLATTEN))
    world.ticks(3)
    (before,) = world.memory.alarms["size"].levels

    world.restart(ladder(TRIM, FLATTEN.replace("9_000", "9_500")))
    world.blind()

    after = world.memory.alarms["size"]
    assert after.names == ("act", "panic")
    assert after.levels[1] == before
    assert after.levels[0].phase == "clear"


def test_an_intervention_goes_on_where_a_level_was_added_below_its_own() -> None:
    world = guarded(ladder(FLATTEN), fill=0)
    world.tick()

    world.restart(ladder(TRIM, FLATTEN.replace("9_000", "9_500")))
    decision = world.tick()

    assert not decision.ended
    assert world.running == ["size/panic#1"]
    assert world.intervention.rank == 1


def test_a_renamed_level_starts_clear_and_fires_as_itself() -> None:
    world = guarded(ladder(FLATTEN), fill=0)
    world.tick()

    world.restart(ladder(FLATTEN.replace("panic", "end")))
    decision = world.tick()

    assert [(one.name, one.end.value) for one in decision.ended] == [("size/panic#1", "given up")]
    assert [one.name for one in decision.started] == ["size/end#2"]
