"""The operator's panic closes everything, whatever else is going on, and stays latched."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import KeyReach, Side
from seawall.action import Ending
from seawall.action import RefusalCode as Code
from seawall.alarm import Phase
from seawall.decide.memory import Acknowledge, Panic, Pause, Rearm
from seawall.limits import STATE_AGE_MOST
from seawall.policy import HandsOff, Mode
from seawall.units import MINUTE
from tests.decide.guarded import (
    Guarded,
    cancelled,
    codes,
    cuts,
    deposits,
    guarded,
    ladder,
    pages,
    texts,
    would_cut,
)
from tests.see import BTC, resting

CALM = ladder('{name: act, trigger: "> $900_000", clear: "< $1_000", do: [notify, flatten]}')
BUY = resting(BTC, Side.BUY, "0.05", 90_000, client_id=1)
STOP = resting(BTC, Side.SELL, "0.1", 80_000, client_id=4, reduce_only=True, order_flags=32)
TWO = {"BTC-USD": "0.1", "ETH-USD": "-2"}


def phase(world: Guarded) -> str:
    held = world.memory.alarms.get("panic")
    return "" if held is None else held.levels[0].phase.value


def test_everything_is_cancelled_closed_and_latched() -> None:
    world = guarded(CALM, sizes=TWO, orders=(BUY, STOP))

    first = world.tick(Panic())

    assert cancelled(first) == [1]  # the stop protects until the position is closed
    assert cuts(first) == {"BTC-USD": Decimal("0.1"), "ETH-USD": Decimal("2")}
    assert [message.key for message in pages(first)] == ["panic/flat"]
    assert "rearm panic" in texts(first)[0]
    second = world.tick()
    assert cancelled(second) == [4]
    world.ticks(8)
    assert world.sizes == {"BTC-USD": 0, "ETH-USD": 0}
    assert phase(world) == Phase.LATCHED
    assert world.running == []
    endings = [one.ending for made in world.decisions for one in made.outcomes]
    assert endings.count(Ending.FILLED) == 2


def test_of_a_flat_account_it_cancels_and_is_latched_at_once() -> None:
    world = guarded(CALM, sizes={"BTC-USD": 0}, orders=(BUY, STOP))

    made = world.tick(Panic())

    assert cancelled(made) == [1, 4]
    assert [message.key for message in pages(made)] == ["panic/flat"]
    assert phase(world) == Phase.LATCHED


def test_what_is_opened_while_it_is_latched_is_closed_again_and_no_more_once_rearmed() -> None:
    world = guarded(CALM)
    world.tick(Panic())
    world.ticks(8)

    world.trade("BTC-USD", "0.02")
    made = world.ticks(6)
    assert [one for decision in made for one in cuts(decision).values()] == [Decimal("0.02")]

    world.ticks(6)
    world.tick(Rearm(key="panic"))
    world.trade("BTC-USD", "0.03")
    assert all(cuts(decision) == {} for decision in world.ticks(80))
    assert phase(world) == ""


def test_rearm_does_not_stop_one_that_runs() -> None:
    world = guarded(CALM, fill=0)
    world.tick(Panic())

    world.tick(Rearm(key="panic"))

    assert world.running == ["panic/flat#1"]


def test_said_twice_it_is_one_intervention() -> None:
    world = guarded(CALM, fill=0)

    world.tick(Panic())
    world.tick(Panic())

    assert world.running == ["panic/flat#1"]


def test_said_again_while_latched_it_closes_again() -> None:
    world = guarded(CALM)
    world.tick(Panic())
    world.ticks(8)
    world.trade("BTC-USD", "0.02")

    world.tick(Panic())

    assert world.running == ["panic/flat#2"]


@pytest.mark.parametrize("late_s", [11, 3_600])
def test_it_acts_on_stale_state_and_nothing_else_does(late_s: int) -> None:
    rules = ladder(
        '{name: act, trigger: "> $9_000", clear: "< $1_000", '
        "do: [notify, {reduce: {amount: 50%, max_slippage: 60bps}}]}"
    )
    world = guarded(rules)

    assert cuts(world.tick(late=late_s)) == {}
    assert late_s * 1_000 > STATE_AGE_MOST
    assert cuts(world.tick(Panic())) == {"BTC-USD": Decimal("0.1")}


def test_on_paper_it_shows_what_it_does_on_stale_state() -> None:
    world = guarded(CALM, mode=Mode.DRY_RUN)

    assert would_cut(world.tick(Panic(), late=30)) == {"BTC-USD": Decimal("0.1")}


def test_it_does_not_wait_for_the_oracle_after_a_halt() -> None:
    world = guarded(CALM, sizes={"BTC-USD": "0.1"})
    world.books = {}
    world.tick()

    made = world.tick(Panic(), seconds=3_600)

    assert cuts(made) == {"BTC-USD": Decimal("0.1")}


def test_no_budget_and_no_interlock_holds_it() -> None:
    world = guarded(f"budgets: {{per_hour: {{notional: 1%, orders: 1}}}}\n{CALM}", sizes=TWO)
    world.tick()
    spent = replace(world.memory.spent, hour_orders=1)
    world.memory = replace(world.memory, spent=spent)

    assert set(cuts(world.tick(Panic()))) == set(TWO)


def test_while_it_runs_no_other_rule_asks_for_anything() -> None:
    rules = """
account: {float: {address: dydx199tqg4wdlnu4qjlxchpd7seg454937hjrknju4, floor: $50}}
rules:
  - id: cash
    why: "Cash."
    measure: free_collateral
    trigger: "< $30_000"
    target: ">= $31_000"
    do: [notify, {top_up: {until: target, max: $3_000}}]
"""
    assert deposits(guarded(rules, float=5_000).tick()) != []
    world = guarded(rules, float=5_000, fill=0)

    made = world.tick(Panic())

    assert deposits(made) == []
    assert cuts(made) == {"BTC-USD": Decimal("0.1")}


def test_hands_off_is_honoured() -> None:
    world = guarded(CALM, sizes=TWO)
    world.policy = replace(world.policy, hands_off=HandsOff(markets=("ETH-USD",)))

    (page,) = pages(world.tick(Panic()))
    world.ticks(8)

    assert (
        "close 1 position within 200bps, then let none open. 1 position of hands_off" in page.text
    )
    assert "will stay open, close by hand what must go: 0/ETH-USD. Stays until" in page.text
    assert world.sizes == {"BTC-USD": 0, "ETH-USD": -2}
    assert phase(world) == Phase.LATCHED

    apart = guarded(CALM, sizes=TWO)
    apart.policy = replace(apart.policy, hands_off=HandsOff(subaccounts=(0,)))
    made = apart.tick(Panic())
    assert cuts(made) == {}
    assert apart.running == []
    assert "close no positions within 200bps" in pages(made)[0].text
    assert "2 positions of hands_off" in pages(made)[0].text


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.DRY_RUN])
def test_what_the_key_cannot_trade_is_counted_apart_and_named(mode: Mode) -> None:
    world = guarded(CALM, sizes=TWO, mode=mode)
    world.extra = {"key_reach": KeyReach(clob_pairs=frozenset({BTC.clob_pair_id}))}

    said = {one.key: one.text for one in pages(world.tick(Panic()))}["panic/flat"]

    assert "close 1 position within 200bps, then let none open. 1 position beyond the" in said
    assert "will stay open, close by hand or `seawall keys grant` it: 0/ETH-USD. Stays" in said

    world.policy = replace(world.policy, hands_off=HandsOff(markets=("ETH-USD",)))
    again = guarded(CALM, sizes=TWO)
    again.policy, again.extra = world.policy, world.extra
    said = pages(again.tick(Panic()))[0].text
    assert "close 1 position within 200bps, then let none open. 1 position of hands_off" in said
    assert "beyond" not in said


def test_without_a_book_or_a_value_it_closes_from_the_oracle() -> None:
    world = guarded(CALM)
    world.books = {}

    assert cuts(world.tick(Panic())) == {"BTC-USD": Decimal("0.1")}


def test_a_market_without_an_oracle_price_keeps_no_other_one_open() -> None:
    world = guarded(CALM, sizes=TWO)
    world.books, world.prices = {}, {"ETH-USD": Decimal(0)}

    made = world.tick(Panic())

    assert cuts(made) == {"BTC-USD": Decimal("0.1")}
    assert made.plan is not None
    assert [(one.code, one.what) for one in made.plan.dropped] == [
        (Code.NO_DATA, "close 0/ETH-USD")
    ]


def test_blind_it_waits_and_is_not_forgotten() -> None:
    world = guarded(CALM)
    world.tick()

    assert world.blind(Panic()).actions == ()

    assert cuts(world.tick()) == {"BTC-USD": Decimal("0.1")}


def test_in_a_run_on_paper_it_says_what_it_would_do() -> None:
    world = guarded(CALM, mode=Mode.DRY_RUN)

    made = world.tick(Panic())

    assert made.actions == ()
    assert would_cut(made) == {"BTC-USD": Decimal("0.1")}


def test_it_ends_a_pause_and_a_later_pause_holds_it() -> None:
    world = guarded(CALM, fill=0)
    world.tick(Pause(duration=MINUTE))

    assert cuts(world.tick(Panic())) == {"BTC-USD": Decimal("0.1")}

    world.ticks(6)
    made = [world.tick(Pause(duration=MINUTE)), *world.ticks(6)]
    assert all(cuts(decision) == {} for decision in made)
    assert "PAUSED" in codes(made[0])


def test_not_flat_in_time_it_pages_goes_on_and_can_be_stopped() -> None:
    world = guarded(CALM, fill=0)
    world.tick(Panic())
    world.ticks(100)

    assert "panic/flat/not-flat" in world.memory.pages
    world.tick(Acknowledge(key="panic", stops_flatten=True))
    assert world.running == []


def test_it_fires_by_command_alone() -> None:
    world = guarded(CALM)

    world.ticks(3)

    assert phase(world) == ""
    assert world.running == []
    assert world.last.actions == ()
