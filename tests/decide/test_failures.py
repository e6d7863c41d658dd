"""A fault of our own must not silence the guard."""

from __future__ import annotations

import pytest

from seawall import plan
from seawall.account import Side
from seawall.action import Plan
from seawall.plan import greedy
from tests.decide.guarded import cancelled, cuts, guarded, ladder, pages
from tests.see import BTC, resting

FLATTEN = (
    '{name: panic, trigger: "> $9_000", latch: manual, '
    "do: [notify, {cancel_orders: all}, {flatten: {max_slippage: 200bps, give_up_after: 600s}}]}"
)
BUY = resting(BTC, Side.BUY, "0.05", 90_000)


def fails(*given: object, **named: object) -> Plan:
    raise AssertionError("no such row")


def test_where_the_planner_fails_the_simpler_one_takes_its_place_and_a_person_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan, "propose", fails)
    world = guarded(ladder(FLATTEN))

    decision = world.tick()

    assert cuts(decision)
    (page,) = [one for one in pages(decision) if one.key == "planner/first"]
    assert "AssertionError('no such row')" in page.text
    assert "simpler planner takes its place" in page.text


def test_where_both_fail_cancels_still_go_out_and_the_next_tick_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = guarded(ladder(FLATTEN), orders=(BUY,))
    with monkeypatch.context() as broken:
        broken.setattr(plan, "propose", fails)
        broken.setattr(greedy, "propose", fails)

        decision = world.tick()

        assert cancelled(decision) == [1]
        assert not cuts(decision)
        assert "close by hand" in " ".join(page.text for page in pages(decision))
        assert world.running == ["size/panic#1"]

    assert cuts(world.tick())
