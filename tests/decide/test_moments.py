"""When nothing may be sent: stale state, the end of a window, and the minutes after a halt."""

from __future__ import annotations

from dataclasses import replace

from seawall.account import KeyReach, MarketStatus
from seawall.decide.halt import resuming
from seawall.policy import Mode
from seawall.units import Millis
from tests.decide.guarded import FLOAT, codes, cuts, deposits, guarded, ladder, pages, texts
from tests.see import BTC, MARKETS, book

FLATTEN = (
    '{name: panic, trigger: "> $9_000", latch: manual, '
    "do: [page, {flatten: {max_slippage: 200bps, give_up_after: 600s}}]}"
)
CALM = FLATTEN.replace("9_000", "90_000")


def test_stale_state_sells_nothing_and_says_why() -> None:
    world = guarded(ladder(FLATTEN))

    decision = world.tick(late="10.001")

    assert not decision.actions
    assert codes(decision) == ["STALE_STATE"]
    assert "Not yet: reduce 0/BTC-USD: state is 10 s old, at most 10 s." in texts(decision)[0]
    assert "Wanted: flatten" in texts(decision)[0]
    assert "Doing:" not in texts(decision)[0]


def test_state_of_ten_seconds_is_still_acted_on() -> None:
    assert cuts(guarded(ladder(FLATTEN)).tick(late=10))


def test_stale_state_is_paged_once_it_is_a_minute_old() -> None:
    world = guarded(ladder(CALM))

    assert not world.tick(late=60).messages
    (page,) = pages(world.tick(late="60.001"))
    assert page.text.startswith("State is 60 s old: the chain or the node stands still at height")
    assert "venue.step_url" in page.text
    assert not world.tick(late=61).messages


def test_an_intervention_waits_out_stale_state_and_then_goes_on() -> None:
    world = guarded(ladder(FLATTEN))
    world.tick(late=30)
    assert world.running == ["size/panic#1"]

    world.tick(late=0)

    assert cuts(world.last)


CASH_FIRST = ladder(
    '{name: act, trigger: "< $28_500", target: ">= $29_000", do: [notify, '
    "{top_up: {until: target, max: $3_000}}, "
    "{reduce: {until: target, max_slippage: 60bps, or_else: page}}]}",
    measure="free_collateral",
    scope="{subaccounts: [0]}",
    head=FLOAT,
)


def test_on_paper_too_stale_state_freezes_size_and_cash_until_it_is_fresh() -> None:
    world = guarded(CASH_FIRST, sizes={"BTC-USD": 1}, float=5_000, mode=Mode.DRY_RUN)

    frozen = world.tick(late=11)

    assert (frozen.would, frozen.on_paper, frozen.ended) == (None, (), ())
    assert [(one.code.value, one.what) for one in frozen.refusals] == [
        ("STALE_STATE", "reduce 0/BTC-USD"),
        ("STALE_STATE", "top up 0"),
    ]
    assert world.running == ["size/0/act#1"]
    fresh = world.tick(late=0)
    assert [one.what for one in fresh.on_paper] == ["deposit $1,000 into subaccount 0"]
    assert [str(one.end) for one in fresh.ended] == ["would"]


def test_a_rule_on_paper_beside_live_ones_waits_out_stale_state_alike() -> None:
    on_paper = CASH_FIRST.replace("- id: size", "- id: size\n      mode: dry-run")
    world = guarded(on_paper, sizes={"BTC-USD": 1}, float=5_000)

    assert not world.tick(late=11).ended
    assert not world.tick(late=11).ended
    assert [str(one.end) for one in world.tick(late=0).ended] == ["would"]


def test_an_order_that_could_not_arrive_waits_for_the_next_window() -> None:
    world = guarded(ladder(CALM))
    world.ticks(4)
    world.move("BTC-USD", 1_000_000)

    told = [(d.height, codes(d), bool(cuts(d))) for d in world.ticks(3)]

    assert told == [
        (1_005, ["WINDOW_CLOSING"], False),
        (1_006, ["WINDOW_CLOSING"], False),
        (1_007, [], True),
    ]


def test_pacing_is_no_news() -> None:
    world = guarded(ladder(FLATTEN), fill=0)
    world.tick()

    decision = world.tick()

    assert codes(decision) == ["ALREADY_SENT"]
    assert not decision.is_eventful


def after_a_halt(seconds: int = 3_600) -> tuple[list[str], bool]:
    world = guarded(ladder(CALM))
    world.tick()
    world.books = {}
    world.move("BTC-USD", 1_000_000)
    decision = world.tick(seconds=seconds)
    return codes(decision), bool(cuts(decision))


def test_after_a_gap_of_more_than_a_minute_reductions_wait() -> None:
    assert after_a_halt() == (["AFTER_HALT"], False)
    assert after_a_halt(61) == (["AFTER_HALT"], False)
    assert after_a_halt(60) == ([], True)


def test_after_a_halt_one_change_of_the_oracle_price_is_enough() -> None:
    world = guarded(ladder(CALM))
    world.tick()
    world.books = {}
    world.move("BTC-USD", 1_000_000)
    world.tick(seconds=3_600, blocks=6)
    assert not any(cuts(decision) for decision in world.ticks(5))

    world.move("BTC-USD", 1_000_001)

    assert cuts(world.tick())


def test_after_a_halt_twenty_blocks_are_enough() -> None:
    world = guarded(ladder(CALM))
    world.tick()
    world.books = {}
    world.move("BTC-USD", 1_000_000)
    world.tick(seconds=3_600, blocks=6)

    first = next(d.height for d in world.ticks(40) if cuts(d))

    assert first - 1_007 >= 20
    assert first - 1_007 <= 24


def test_after_a_halt_a_fresh_book_near_the_oracle_is_enough() -> None:
    world = guarded(ladder(CALM))
    world.tick()
    world.move("BTC-USD", 1_000_000)

    assert cuts(world.tick(seconds=3_600, blocks=6))


def test_after_a_halt_a_book_far_from_the_oracle_is_not() -> None:
    world = guarded(ladder(CALM))
    world.tick()
    resumed_at = Millis(world.at + 3_600_000)
    world.books = {"BTC-USD": book(BTC, 96_000, seen_at=resumed_at)}

    world.tick(seconds=3_600, blocks=6)
    assert world.memory.halt is not None
    assert resuming(world.memory.halt, world.observation()) >= {"BTC-USD"}
    world.books = {"BTC-USD": book(BTC, 98_000, seen_at=resumed_at)}

    assert "BTC-USD" not in resuming(world.memory.halt, world.observation())


def test_a_halt_is_forgotten_once_it_is_over() -> None:
    world = guarded(ladder(CALM))
    world.tick()
    world.books = {}
    world.tick(seconds=3_600)
    assert world.memory.halt is not None

    world.ticks(20)

    assert world.memory.halt is None


def test_hands_off_a_key_out_of_reach_and_a_closed_market_are_reasons() -> None:
    hands_off = guarded(ladder(FLATTEN, head="account: {hands_off: {markets: [BTC-USD]}}\n"))
    assert codes(hands_off.tick()) == ["HANDS_OFF"]

    out_of_reach = guarded(ladder(FLATTEN))
    out_of_reach.extra = {"key_reach": KeyReach(clob_pairs=frozenset({1}))}
    assert codes(out_of_reach.tick()) == ["OUTSIDE_KEY_REACH"]

    closed = guarded(ladder(FLATTEN))
    closed.extra = {"markets": {**MARKETS, "BTC-USD": replace(BTC, status=MarketStatus.PAUSED)}}
    assert codes(closed.tick()) == ["MARKET_CLOSED"]


def test_one_market_that_is_closed_does_not_hold_the_others() -> None:
    rules = ladder(FLATTEN, head="account: {hands_off: {markets: [BTC-USD]}}\n")
    world = guarded(rules, sizes={"BTC-USD": "0.1", "ETH-USD": 1})

    decision = world.tick()

    assert set(cuts(decision)) == {"ETH-USD"}
    assert codes(decision) == ["HANDS_OFF"]


def test_a_gate_that_lets_nothing_in_is_a_reason() -> None:
    feed = (
        '{name: act, trigger: "< $29_900", target: ">= $29_950", '
        "do: [page, {top_up: {until: target, max: $3_000}}]}"
    )
    rules = ladder(feed, head=FLOAT, measure="free_collateral", scope="{subaccounts: [0]}")
    world = guarded(rules, float=5_000)
    world.extra = {"transfers_blocked_until": {0: 1_050}}

    assert codes(world.tick())[0] == "TRANSFERS_BLOCKED"
    world.extra = {}
    assert deposits(world.tick())

    without = guarded(rules)
    assert "FLOAT_SHORT" in codes(without.tick())
