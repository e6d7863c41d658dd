"""One layer of safety is broken at a time, with the others in place: the referee notices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from seawall import alarm, backstop, limits, plan
from seawall.account import Observation, RestingOrder
from seawall.action import Action, Leg, Plan
from seawall.agent import Agent, TickRow
from seawall.backstop import Move, NoStop, Stop
from seawall.decide import carry as carrying
from seawall.decide import commands, pausing, stalled, telling, watch
from seawall.decide.carry import Carried
from seawall.decide.memory import Memory, Panic, Pause, Rearm
from seawall.limits import Asked
from seawall.measures.view import View
from seawall.simulator.exchange import ReduceOnly
from seawall.simulator.faults.kinds import FaultKind
from seawall.storm.case import Case
from seawall.storm.fuse import FusedJournal
from seawall.storm.operator import Order
from seawall.storm.play import play
from seawall.units import MINUTE, BaseQuantums, Millis
from tests.storm.days import ALONE, RULES, falling, stopped, with_child, with_fault

TIGHT = RULES.replace("notional: 2000%", "notional: 5%")


def kinds(case: Case, make: type[Agent] = Agent) -> set[str]:
    return {one.what for one in play(case, make=make).broken}


def pass_all(asked: Sequence[Asked], *_: object) -> tuple[tuple[Action, ...], tuple[()]]:
    return tuple(one.action for one in asked), ()


def test_a_falling_market_breaks_nothing() -> None:
    result = play(falling())

    assert result.broken == ()
    assert result.sent > 2


def grown(*arguments: object, **words: object) -> Plan:
    """A planner gone mad: whatever is wanted, sell twice what is held."""
    proposed = PROPOSE(*arguments, **words)  # type: ignore[arg-type]
    view = arguments[0]
    assert isinstance(view, View)
    legs = tuple(_doubled(leg, view) for leg in proposed.legs)
    return replace(proposed, legs=legs)


PROPOSE = plan.propose


def _doubled(leg: Leg, view: View) -> Leg:
    held = view.observation.subaccount(leg.subaccount).position(leg.ticker)
    assert held is not None
    return replace(leg, quantums=BaseQuantums(2 * abs(held.quantums)))


def test_a_mad_planner_is_stopped_by_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "propose", grown)

    result = play(falling())

    assert {one.what for one in result.broken} - {"unfinished"} == {"fault"}
    assert result.sent == 0


@pytest.mark.parametrize("honours", list(ReduceOnly))
def test_a_mad_planner_without_the_gate_is_noticed(
    monkeypatch: pytest.MonkeyPatch, honours: ReduceOnly
) -> None:
    monkeypatch.setattr(plan, "propose", grown)
    monkeypatch.setattr(limits, "judge", pass_all)

    assert "grows" in kinds(replace(falling(), reduce_only=honours))


class SendsFirst(Agent):
    """A guard that sends before it writes."""

    def _record(self, row: TickRow) -> None:
        for numbered in row.decision.actions:
            work = self.venue.send(numbered.action)
            with pytest.raises(StopIteration):
                work.send(None)
        super()._record(row)


def test_sending_before_writing_is_noticed() -> None:
    assert "no trace" in kinds(falling(), SendsFirst)


def forgetful(carried: Carried, view: View, thin: Callable[[], Observation]) -> Memory:
    return replace(REMEMBER(carried, view, thin), sent=())


REMEMBER = carrying._remember


def test_a_memory_that_forgets_what_it_sent_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "_remember", forgetful)

    assert kinds(falling()) & {"two bodies", "unresolved"}


def test_acting_on_stale_state_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.refusing, "STATE_AGE_MOST", Millis(10 * MINUTE))
    behind = with_fault(falling(), FaultKind.NODE_BEHIND, 40, 300)  # by 15 blocks

    assert "stale" in kinds(behind)


def test_acting_on_a_block_from_the_future_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = with_fault(falling(), FaultKind.CLOCK_SKEW, 40, 300, seconds=-20)
    kept = kinds(ahead)
    monkeypatch.setattr(limits.refusing, "STATE_AGE_MOST", Millis(10 * MINUTE))

    assert "stale" not in kept
    assert "stale" in kinds(ahead)


def test_acting_at_once_after_a_halt_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "resuming", lambda *_: frozenset())
    empty = with_fault(falling(), FaultKind.BOOK_EMPTY, 150, 167)
    no_books = with_fault(empty, FaultKind.INDEXER_CRASH, 168, 200)
    halted = with_fault(no_books, FaultKind.CHAIN_HALT, 168, 168, seconds=200)  # a window opens

    assert "halt" in kinds(halted)


def test_a_hold_that_is_skipped_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm, "credit", lambda *_: Millis(9_999))

    assert "alarm" in kinds(falling())


def test_silence_about_a_goal_out_of_reach_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalled, "pages", lambda *_: ())

    assert "unfinished" in kinds(falling(rules=TIGHT))


def test_stops_follow_a_falling_market_and_nothing_breaks() -> None:
    result = play(stopped())

    assert result.broken == ()
    assert result.sent > play(falling()).sent + 4


def cancel_first(
    stop: Stop | None, held: int, resting: Sequence[RestingOrder], **_: object
) -> Move:
    """Keeping gone mad: whatever rests is cancelled, and another is placed meanwhile."""
    found = NEXT_MOVE(stop, held, resting, **_)  # type: ignore[arg-type]
    return replace(found, cancels=tuple(resting))


NEXT_MOVE = backstop.next_move


def test_a_mad_keeper_of_stops_is_stopped_by_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backstop, "next_move", cancel_first)

    assert kinds(stopped()) == {"fault"}, "the gate's page names a fault of ours, and no more"


def test_a_mad_keeper_of_stops_without_the_gate_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backstop, "next_move", cancel_first)
    monkeypatch.setattr(limits, "judge", pass_all)

    assert {"cancel", "bare"} <= kinds(stopped())


def too_large(*arguments: object) -> dict[tuple[int, str], Stop | NoStop]:
    found = WANTED(*arguments)  # type: ignore[arg-type]
    return {
        slot: stop
        if isinstance(stop, NoStop)
        else replace(stop, quantums=BaseQuantums(2 * stop.quantums))
        for slot, stop in found.items()
    }


WANTED = backstop.wanted


def test_a_stop_of_more_than_is_held_is_noticed_once_the_gate_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backstop, "wanted", too_large)
    behind_the_gate = play(stopped())
    monkeypatch.setattr(limits, "judge", pass_all)

    assert {one.what for one in behind_the_gate.broken} - {"unprotected"} == {"fault"}
    assert "grows" in kinds(stopped())


def test_silence_is_not_excused_by_the_page_of_the_firing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalled, "pages", lambda *_: ())
    monkeypatch.setattr(telling, "out_of_budget", lambda *_: ())
    one_order = RULES.replace("notify", "page").replace("orders: 200", "orders: 1")

    assert "unfinished" in kinds(falling(rules=one_order))


def test_a_rule_that_raises_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(watch, "value_of", raises)

    assert "fault" in kinds(falling())


def told(*orders: Order) -> Case:
    return replace(falling(), orders=orders)


def test_selling_while_the_operator_pauses_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    paused = told(Order(block=30, command=Pause(duration=Millis(2 * MINUTE))))
    assert kinds(paused) == set()

    monkeypatch.setattr(pausing, "why", lambda _: None)

    assert "paused" in kinds(paused)


def test_a_latch_that_does_not_hear_its_release_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = RULES.replace("cooldown: 0s", "latch: manual")
    released = replace(
        falling(rules=rules),
        orders=(Order(block=300, command=Rearm(key="leverage")),),
    )
    assert kinds(released) == set()

    monkeypatch.setattr(commands, "_rearm", lambda memory, _: memory)

    assert "alarm" in kinds(released)


def test_a_panic_closes_all_though_the_state_is_old() -> None:
    behind = with_fault(told(Order(block=60, command=Panic())), FaultKind.NODE_BEHIND, 40, 300)

    result = play(behind)

    assert result.broken == ()
    assert result.sent > 0


def test_a_full_disk_beside_a_spill_file_stops_nothing() -> None:
    plain = play(falling())
    spilling = replace(falling(), guards=(replace(ALONE, spilling=range(10, 400)),))

    assert play(spilling) == plain


def test_rows_that_a_spill_file_loses_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    spilling = replace(falling(), guards=(replace(ALONE, spilling=range(10, 400)),))
    monkeypatch.setattr(FusedJournal, "_waiting", lambda _: ())

    assert "no trace" in kinds(spilling)


def test_the_child_of_a_day_is_guarded_as_its_parent_is() -> None:
    lines: list[str] = []

    result = play(with_child(), told=lines.append)

    assert result.broken == ()
    sold = {
        number
        for number in (0, 128)
        for x in lines
        if f"sends Reduce(kind='reduce', subaccount={number}," in x
    }
    assert sold == {0, 128}
