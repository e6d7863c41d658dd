"""Levels over a played account: what fires, what supersedes, what latches, what is frozen."""

from __future__ import annotations

from seawall.account import Missing
from seawall.alarm import Phase
from seawall.decide.memory import Acknowledge, Rebase
from seawall.intervention import End
from seawall.units import DAY, HOUR
from tests.decide.guarded import Guarded, cuts, guarded, ladder, pages
from tests.see import AT, BTC, book

TO_MIDNIGHT = (DAY - AT % DAY) / 1_000  # seconds from the start of a play to 00:00 UTC
WATCH = '{name: watch, trigger: "> $9_000", do: [notify]}'
ACT = (
    '{name: act, trigger: "> $10_000", clear: "< $9_500", '
    "do: [notify, {reduce: {amount: 50%, max_slippage: 60bps}}]}"
)
PANIC = (
    '{name: panic, trigger: "> $11_000", latch: manual, '
    "do: [page, {flatten: {max_slippage: 200bps, give_up_after: 90s}}]}"
)


def held(seconds: int) -> str:
    return (
        f'{{name: act, trigger: "> $10_000", clear: "< $9_500", for: {seconds}s, '
        f"clear_for: {seconds}s, do: [{{reduce: {{amount: 10%, max_slippage: 60bps}}}}]}}"
    )


def test_a_calm_account_is_left_alone() -> None:
    world = guarded(ladder(WATCH, ACT, PANIC), sizes={"BTC-USD": "0.05"})

    for decision in world.ticks(10):
        assert not decision.is_eventful
        assert not decision.actions


def test_levels_fire_one_above_the_other_and_each_says_so_once() -> None:
    world = guarded(ladder(WATCH, ACT, PANIC), sizes={"BTC-USD": "0.1"}, fill=0)

    world.move("BTC-USD", 95_000)
    assert [(t.level, t.after) for t in world.tick().transitions] == [("watch", "firing")]
    world.move("BTC-USD", 105_000)
    assert [(t.level, t.after) for t in world.tick().transitions] == [("act", "firing")]
    world.move("BTC-USD", 115_000)
    assert [(t.level, t.after) for t in world.tick().transitions] == [("panic", "firing")]
    assert world.tick().transitions == ()
    assert world.phases() == ["firing", "firing", "firing"]


def test_a_higher_level_supersedes_the_intervention_of_a_lower_one() -> None:
    world = guarded(ladder(ACT, PANIC), fill=0)
    world.move("BTC-USD", 105_000)
    assert [one.name for one in world.tick().started] == ["size/act#1"]

    world.move("BTC-USD", 115_000)
    decision = world.tick()

    assert [(one.name, one.end) for one in decision.ended] == [("size/act#1", End.SUPERSEDED)]
    assert [one.name for one in decision.started] == ["size/panic#2"]
    assert world.running == ["size/panic#2"]


def test_a_higher_level_that_only_speaks_leaves_a_lower_intervention_running() -> None:
    shout = '{name: shout, trigger: "> $11_000", clear: "< $9_500", do: [page]}'
    world = guarded(ladder(ACT, shout), fill=0)
    world.move("BTC-USD", 105_000)
    world.tick()

    world.move("BTC-USD", 115_000)
    world.tick()

    assert world.running == ["size/act#1"]


def test_a_lower_level_starts_nothing_while_a_higher_one_acts() -> None:
    world = guarded(ladder(ACT, PANIC), fill=0)
    world.move("BTC-USD", 115_000)

    assert [one.name for one in world.tick().started] == ["size/panic#1"]
    assert all(not decision.started for decision in world.ticks(20))


def test_a_manual_latch_outlives_its_cause_and_fires_again_only_after_rearm() -> None:
    world = guarded(ladder(PANIC))
    world.move("BTC-USD", 115_000)
    world.ticks(10)
    assert world.sizes["BTC-USD"] == 0
    assert world.phases() == ["latched"]

    world.trade("BTC-USD", "0.1")
    assert all(not decision.started for decision in world.ticks(70))
    decision = world.rearm("size")

    assert [(t.before, t.after) for t in decision.transitions] == [("clear", "firing")]
    assert [one.name for one in decision.started] == ["size/panic#2"]


def test_rearm_of_another_rule_releases_nothing() -> None:
    world = guarded(ladder(PANIC))
    world.move("BTC-USD", 115_000)
    world.ticks(10)

    world.rearm("siz")

    assert world.phases() == ["latched"]


def test_rearm_of_one_instance_leaves_the_others_latched() -> None:
    world = guarded(
        ladder(PANIC, scope="{per: market}"),
        equity=60_000,
        sizes={"BTC-USD": "0.2", "ETH-USD": 5},
    )
    world.ticks(10)
    assert world.phases("size/BTC-USD") == ["latched"]

    world.rearm("size/BTC-USD")

    assert world.phases("size/BTC-USD") == ["clear"]
    assert world.phases("size/ETH-USD") == ["latched"]


def test_a_clock_latch_lets_go_at_its_time_of_day() -> None:
    latched = PANIC.replace("latch: manual", 'latch: "00:00Z"')
    world = guarded(ladder(latched))
    world.move("BTC-USD", 115_000)
    world.ticks(10)
    assert world.phases() == ["latched"]

    world.tick(seconds=TO_MIDNIGHT - 11)
    assert world.phases() == ["latched"]
    world.tick(seconds=1)

    assert world.phases() == ["clear"]


def test_a_hold_is_credited_five_seconds_a_tick_at_most() -> None:
    world = guarded(ladder(held(12)))
    world.move("BTC-USD", 105_000)
    world.tick()

    world.tick(seconds=8 * HOUR / 1_000)
    assert world.phases() == ["pending"]
    world.tick(seconds=60)
    assert world.phases() == ["pending"]
    world.tick(seconds=2)

    assert world.phases() == ["firing"]


def test_a_pending_level_starts_again_when_its_trigger_lets_go() -> None:
    world = guarded(ladder(held(3)))
    for price, phase in ((105_000, "pending"), (99_000, "clear"), (105_000, "pending")):
        world.move("BTC-USD", price)
        world.tick()
        assert world.phases() == [phase]

    world.ticks(2)
    assert world.phases() == ["pending"]
    world.tick()
    assert world.phases() == ["firing"]


def test_a_clear_must_last_as_well() -> None:
    world = guarded(ladder(held(3)), fill=0)
    world.move("BTC-USD", 105_000)
    world.ticks(4)
    world.move("BTC-USD", 90_000)
    world.ticks(3)
    assert world.phases() == ["clearing"]

    world.tick()

    assert world.phases() == ["clear"]


def lose_the_price(world: Guarded) -> None:
    """A book ten per cent off the oracle: exposure is no data."""
    now = world.at + 1_000
    world.books = {"BTC-USD": book(BTC, 50_000, seen_at=now + world.late)}  # type: ignore[arg-type]


def test_absence_neither_fires_nor_clears_and_a_hold_survives_it() -> None:
    world = guarded(ladder(held(3)))
    world.move("BTC-USD", 105_000)
    world.ticks(3)
    for _ in range(30):
        lose_the_price(world)
        world.tick()
        assert world.phases() == ["pending"]

    world.books = None
    world.tick()

    assert world.phases() == ["firing"]


def test_absence_starts_no_cut_and_continues_none_of_until() -> None:
    act = (
        '{name: act, trigger: "> $10_000", target: "<= $7_000", '
        "do: [page, {reduce: {until: target, max_slippage: 60bps}}]}"
    )
    world = guarded(ladder(act), fill="0.5")
    world.move("BTC-USD", 105_000)
    assert cuts(world.tick())

    for _ in range(20):
        lose_the_price(world)
        decision = world.tick()
        assert not cuts(decision)
        assert not decision.ended
    assert world.running == ["size/act#1"]

    world.books = None
    assert any(cuts(decision) for decision in world.ticks(6))


def test_absence_is_the_event_where_a_rule_says_so() -> None:
    speak = '{name: lost, trigger: "> $90_000", for: 3s, do: [page]}'
    world = guarded(ladder(speak, no_data="fire"))
    world.tick()

    for _ in range(4):
        lose_the_price(world)
        world.tick()

    assert world.phases() == ["firing"]
    assert "has no data" in pages(world.last)[0].text


def test_a_blind_tick_moves_nothing_that_runs_on_block_time() -> None:
    world = guarded(ladder(held(3)))
    world.move("BTC-USD", 105_000)
    world.ticks(2)
    before = world.memory.alarms

    for _ in range(50):
        assert not world.blind().actions

    assert world.memory.alarms == before
    assert world.phases() == ["pending"]


def test_a_blind_tick_counts_for_the_age_of_the_state_and_for_absence() -> None:
    age = ladder('{name: old, trigger: "> 10s", for: 3s, do: [page]}', measure="input_age") + (
        "    - id: lost\n"
        '      why: "A person must know."\n'
        "      measure: gross_exposure\n"
        "      scope: {per: account}\n"
        '      trigger: "> $90_000"\n'
        "      for: 3s\n"
        "      no_data: fire\n"
        "      do: [page]\n"
    )
    world = guarded(age)
    world.tick()

    world.blind()
    for _ in range(3):
        world.blind()
    assert world.phases("lost") == ["firing"]
    assert world.phases("size") == ["clear"]
    for _ in range(12):
        world.blind()

    assert world.phases("size") == ["firing"]


def test_a_person_is_paged_once_the_guard_has_been_blind_for_a_minute() -> None:
    world = guarded(ladder(ACT))
    world.tick()

    told = [bool(world.blind().messages) for _ in range(63)]

    assert told.index(True) == 60
    assert sum(told) == 1
    assert "node does not answer" in next(m.text for d in world.decisions for m in d.messages)


def test_a_rule_that_fails_says_so_and_the_others_go_on() -> None:
    two = ladder(ACT) + (
        "    - id: funding\n"
        '      why: "Funding is a tax."\n'
        "      measure: funding_24h\n"
        "      scope: {per: account}\n"
        '      trigger: "> $1"\n'
        "      do: [notify]\n"
    )
    world = guarded(two)
    world.extra = {"funding": Missing(reason="indexer down")}
    world.move("BTC-USD", 105_000)

    decision = world.tick()

    assert [one.name for one in decision.started] == ["size/act#1"]
    assert world.phases("funding") == [Phase.CLEAR.value]


def test_a_page_repeats_every_five_minutes_until_it_is_acknowledged() -> None:
    loud = '{name: loud, trigger: "> $9_000", do: [page]}'
    world = guarded(ladder(loud))
    told = [len(pages(decision)) for decision in world.ticks(302)]
    assert [second for second, count in enumerate(told) if count] == [0, 300]
    assert pages(world.decisions[300])[0].text.startswith("Still: size/loud: gross_exposure")

    world.tick(Acknowledge(key="size"))

    assert not any(pages(decision) for decision in world.ticks(400))


def test_an_acknowledged_page_is_told_again_when_its_level_fires_anew() -> None:
    loud = '{name: loud, trigger: "> $9_000", clear: "< $8_000", do: [page]}'
    world = guarded(ladder(loud))
    world.tick()
    world.tick(Acknowledge())
    world.move("BTC-USD", 70_000)
    world.tick()
    assert world.phases() == ["clear"]

    world.move("BTC-USD", 100_000)

    assert len(pages(world.tick())) == 1


def test_a_page_repeats_although_its_level_has_cleared_until_it_is_acknowledged() -> None:
    loud = '{name: loud, trigger: "> $9_000", clear: "< $8_000", do: [page]}'
    world = guarded(ladder(loud))
    world.tick()
    world.move("BTC-USD", 70_000)
    world.tick()
    assert world.phases() == ["clear"]

    world.ticks(298)
    world.restart()
    world.tick()
    (again,) = pages(world.last)
    world.tick(Acknowledge(key="size/loud"))

    assert again.text.startswith("Said at 22:13Z and not acknowledged: size/loud: gross_exposure")
    assert world.memory.pages == {}
    assert not any(pages(decision) for decision in world.ticks(302))


def test_a_page_of_a_level_that_cleared_is_told_at_once_when_it_fires_anew() -> None:
    loud = '{name: loud, trigger: "> $9_000", clear: "< $8_000", do: [page]}'
    world = guarded(ladder(loud))
    world.tick()
    world.move("BTC-USD", 70_000)
    world.ticks(3)

    world.move("BTC-USD", 100_000)

    assert [page.text.split(":")[0] for page in pages(world.tick())] == ["size/loud"]


def test_acknowledging_another_rule_stops_nothing() -> None:
    loud = '{name: loud, trigger: "> $9_000", do: [page]}'
    world = guarded(ladder(loud))
    world.tick()
    world.tick(Acknowledge(key="siz"))

    assert any(pages(decision) for decision in world.ticks(301))


def test_rebase_sets_the_peak_to_now() -> None:
    loss = '{name: act, trigger: ">= 10%", do: [notify]}'
    world = guarded(ladder(loss, measure="drawdown"))
    world.ticks(70)
    world.move("BTC-USD", 60_000)
    world.tick()
    assert world.phases() == ["firing"]

    world.move("BTC-USD", 59_000)
    world.tick(Rebase())

    # The peak is the NAV of this very tick, not of the one before it.
    assert world.last.readings[0].value == 0


def test_a_latched_drawdown_ends_with_what_its_page_names_rebase_then_rearm() -> None:
    loss = '{name: panic, trigger: ">= 10%", latch: manual, do: [page, flatten]}'
    world = guarded(ladder(loss, measure="drawdown"))
    world.ticks(70)
    world.move("BTC-USD", 60_000)
    (page,) = pages(world.tick())
    assert page.text.endswith(
        "Stays until `seawall rebase` (accepts the loss), then `seawall rearm size`."
    )

    world.ticks(100)
    world.rearm("size")  # the loss stands, and so does the rule
    assert world.phases() == ["firing"]

    world.tick(Rebase())
    assert world.phases() == ["latched"]
    world.rearm("size")
    assert world.phases() == ["clear"]
