"""A standby leaves what is wanted to the first guard, and acts where that one does not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from seawall import action
from seawall.account import Side
from seawall.decide import standby
from seawall.decide.at_once import at_once
from seawall.decide.memory import Cause, Decision, Memory, Panic
from seawall.decide.preview import preview
from seawall.policy import Mode, Policy
from tests.decide.guarded import (
    Guarded,
    cancelled,
    codes,
    cuts,
    deposits,
    guarded,
    ladder,
    pages,
    would_cut,
)
from tests.decide.test_attribution import changed, fill, ours
from tests.decide.test_pausing import CASH
from tests.see import BTC, resting

CUTS = ladder(
    '{name: act, trigger: "> $9_000", clear: "< $6_000", do: [page, {cancel_orders: '
    "risk_increasing}, {reduce: {amount: 50%, max_slippage: 60bps}}]}"
)
MOST = CUTS.replace("50%", "90%")
BUY = resting(BTC, Side.BUY, "0.05", 90_000, client_id=1)


def second(text: str, **words: object) -> Guarded:
    """The standby of two guards; the first is what the test plays."""
    world = guarded(text, **words)  # type: ignore[arg-type]
    world.policy = replace(world.policy, is_standby=True)
    return world


def by_the_first(world: Guarded, coins: str) -> None:
    """An order of the first guard that fills in the next block."""
    fill(world, coins, number=ours(world.height + 1))
    world.trade("BTC-USD", coins)


def heights_of(decisions: list[Decision]) -> list[int]:
    return [one.height for one in decisions if cuts(one)]


@pytest.mark.parametrize("start", range(1_000, 1_006))
def test_it_waits_as_long_as_an_order_of_the_first_may_live(start: int) -> None:
    world = second(CUTS)
    world.height = start

    first = world.tick()
    made = world.ticks(12)

    assert "LEFT_TO_FIRST" in codes(first)
    acted = heights_of(made)[0]
    assert 8 <= acted - first.height <= 10, "two more where a window closes"
    # Whatever the first could have sent on that state, or up to two blocks later, is dead by then.
    sends = next(h for h in range(first.height, first.height + 6) if action.may_send(h))
    assert action.good_til_block(action.window_of(sends)) <= first.height + standby.WAIT_BLOCKS
    assert world.sizes["BTC-USD"] == Decimal("0.05")


def test_what_it_says_tells_who_is_waited_for_and_then_that_it_acts() -> None:
    world = second(CUTS)

    first = world.tick()
    made = world.ticks(30)

    (page,) = pages(first)
    assert "Not yet: reduce 0/BTC-USD: left to the first guard up to block 1,009." in page.text
    told = [message for one in made for message in pages(one)]
    assert [message.key for message in told] == ["standby"]
    text = told[0].text
    assert "No order of the first guard was seen for 8 blocks, and size/act#1 asks for one" in text
    assert "sell 0.05 0/BTC-USD" in text


def test_cancels_wait_for_nobody() -> None:
    assert cancelled(second(CUTS, orders=(BUY,)).tick()) == [1]


def test_a_panic_waits_for_nobody() -> None:
    world = second(CUTS)

    assert cuts(world.tick(Panic())) == {"BTC-USD": Decimal("0.1")}
    assert not any(message.key == "standby" for message in pages(world.last))


def test_no_cash_moves_before_its_time_either() -> None:
    world = second(CASH, float=5_000)

    made = [world.tick(), *world.ticks(10)]

    paid = [one.height for one in made if deposits(one)]
    assert paid == [made[0].height + 8]
    assert "LEFT_TO_FIRST" in codes(made[0])
    assert sum(m.key == "standby" for one in made for m in pages(one)) == 1


def test_an_order_of_the_first_that_fills_begins_the_wait_anew() -> None:
    world = second(CUTS)
    world.tick()
    world.ticks(5)
    by_the_first(world, "-0.01")

    filled = world.tick()
    made = world.ticks(12)

    assert changed(filled) == [(Cause.OTHER_GUARD, Decimal("-0.01"))]
    assert heights_of(made)[0] - filled.height >= 8
    assert world.sizes["BTC-USD"] == Decimal("0.05")


def test_a_cut_whose_record_is_late_begins_it_anew_as_well() -> None:
    world = second(CUTS)
    world.tick()
    world.ticks(6)
    world.shows_fills = False
    by_the_first(world, "-0.01")

    shrunk = world.tick()

    assert heights_of(world.ticks(12))[0] - shrunk.height >= 8


def test_an_order_of_the_first_that_finds_nobody_begins_it_anew() -> None:
    world = second(CUTS)
    first = world.tick()
    for _ in range(30):
        world.extra["tried"] = {(0, "BTC-USD"): action.window_of(world.height + 1)}
        world.tick()
    assert heights_of(world.decisions) == []

    last = world.height  # at which one was told of
    acted = heights_of(world.ticks(16))

    assert last - first.height == 30
    assert 8 <= acted[0] - last <= 13, "and it counts as alive to the end of its window"


def test_an_order_of_its_own_is_none_of_the_first() -> None:
    world = second(CUTS, fill="0.2")
    world.tick()
    for _ in range(40):
        world.tick()
        world.extra["tried"] = {
            (one.action.subaccount, one.action.ticker): one.action.window
            for one in world.memory.sent
        } or world.extra.get("tried", {})

    acted = heights_of(world.decisions)

    assert len(acted) >= 3
    assert max(after - before for before, after in pairwise(acted)) == action.WINDOW_BLOCKS


def test_what_the_first_finishes_is_never_touched() -> None:
    world = second(CUTS)
    world.tick()
    by_the_first(world, "-0.05")

    made = world.ticks(40)

    assert heights_of(made) == []
    assert world.sizes["BTC-USD"] == Decimal("0.05")
    assert world.memory.left is None
    assert not any(message.key == "standby" for one in made for message in pages(one))


def test_what_it_sends_itself_begins_no_wait() -> None:
    world = second(CUTS, fill="0.2")
    world.tick()

    acted = heights_of(world.ticks(40))

    assert len(acted) >= 3
    assert max(after - before for before, after in pairwise(acted)) == action.WINDOW_BLOCKS


def test_a_liquidation_begins_no_wait() -> None:
    world = second(CUTS, sizes={"BTC-USD": "0.3"})
    world.tick()
    for _ in range(7):
        fill(world, "-0.01", kind="LIQUIDATED", number=None)
        world.trade("BTC-USD", "-0.01")
        world.tick()
    fill(world, "-0.01", kind="LIQUIDATED", number=None)
    world.trade("BTC-USD", "-0.01")

    assert cuts(world.tick())


@pytest.mark.parametrize("kind", ["LIQUIDATED", "LIMIT"])
@pytest.mark.parametrize("every", [1, 3, 5])
def test_cuts_of_others_whose_records_come_late_hold_it_up_once(kind: str, every: int) -> None:
    world = second(MOST, sizes={"BTC-USD": "0.6"}, equity=100_000)
    first = world.tick()
    late = 0  # height of a cut that no record tells of yet

    for block in range(30):
        if block % every == 0:
            world.trade("BTC-USD", "-0.005")
        if late:
            fill(world, "-0.005", kind=kind, number=None, height=late)
        late = world.height + 1 if block % every == 0 else 0
        world.tick()

    acted = heights_of(world.decisions)
    assert 8 < acted[0] - first.height <= 2 * 8 + 2


def test_on_paper_there_is_nobody_to_leave_anything_to() -> None:
    world = second(CUTS, mode=Mode.DRY_RUN)

    assert would_cut(world.tick()) == {"BTC-USD": Decimal("0.05")}


def test_a_first_guard_waits_for_nobody() -> None:
    world = guarded(CUTS)

    assert cuts(world.tick()) == {"BTC-USD": Decimal("0.05")}
    assert world.memory.left is None


def test_one_that_becomes_the_first_acts_at_once() -> None:
    world = second(CUTS)
    world.tick()

    world.policy = replace(world.policy, is_standby=False)

    assert cuts(world.tick()) == {"BTC-USD": Decimal("0.05")}


def test_a_first_that_sees_a_second_act_too_is_told_what_to_set() -> None:
    world = guarded(ladder('{name: act, trigger: "> $900_000", do: [notify]}'))
    world.tick()
    by_the_first(world, "-0.01")

    (message,) = world.tick().messages

    assert message.key == "other-guard/0/BTC-USD"
    assert "0/BTC-USD went from 0.1 to 0.09" in message.text
    assert "of a standby, which acts where this guard has sent nothing for 8 blocks" in message.text
    assert "set `plan.standby = true` on one" in message.text


def test_what_would_be_done_now_is_told_by_a_standby_as_by_a_first() -> None:
    world = second(CUTS)
    seen = world.observation()

    asked = at_once(world.policy, Memory(), seen)
    shown = preview(world.policy, seen, {})

    assert asked.actions == at_once(first_of(world.policy), Memory(), seen).actions != ()
    assert shown.actions == preview(first_of(world.policy), seen, {}).actions != ()


def first_of(policy: Policy) -> Policy:
    return replace(policy, is_standby=False)
