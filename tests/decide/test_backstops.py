"""Backstops tick by tick: placed, seen, moved, renewed, cancelled, told; live and on paper."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import EquityTier, Fill, KeyReach, Missing, RestingOrder, Side
from seawall.action import Backstop, Cancel, Ending, stop_ids
from seawall.decide.backstops import BARE_MOST
from seawall.decide.idle import idle_until
from seawall.decide.memory import Cause, Decision, Panic, Pause
from seawall.policy import Mode
from seawall.units import DAY, MINUTE, SECOND, Millis, QuoteQuantums
from tests.decide.guarded import Guarded, codes, guarded, ladder, pages, texts
from tests.see import BTC, CHAIN_ID, MARKETS, OWNER, Number, quantums, quote, resting, subticks

GAP = 'scenarios:\n  gap: {"*": -10%, both_signs: true}\n'
STOPS = f"{GAP}backstop: {{scenario: gap, at: 60%, slippage: 500bps}}\n"
QUIET = '{name: act, trigger: "> $9_000_000", do: [notify]}'
RULES = ladder(QUIET, head=STOPS)
CUTS = ladder(
    '{name: panic, trigger: "> $9_000", latch: manual, '
    "do: [page, {cancel_orders: all}, {flatten: {max_slippage: 200bps}}]}",
    head=STOPS,
)
BTC_IDS = stop_ids(CHAIN_ID, OWNER, 0, 0)


def over(equity: Number = 1_108, text: str = RULES, **sizes: Number) -> Guarded:
    """A guard with stops over 0.1 BTC at 100,000, ten per cent from liquidation."""
    return guarded(text, equity=equity, sizes=sizes or {"BTC-USD": "0.1"})


def placed(*decisions: Decision) -> list[Backstop]:
    return [x.action for d in decisions for x in d.actions if isinstance(x.action, Backstop)]


def gone(*decisions: Decision) -> list[int]:
    actions = [one.action for decision in decisions for one in decision.actions]
    return [action.client_id for action in actions if isinstance(action, Cancel)]


def rests(world: Guarded) -> list[int]:
    assert not isinstance(world.orders, Missing)
    return [one.client_id for one in world.orders if one.order_flags == 32]


def trigger(order: Backstop | RestingOrder) -> Decimal:
    assert order.trigger_subticks is not None
    return MARKETS[order.ticker].dollars(order.trigger_subticks)


def test_a_position_gets_its_stop_at_once_and_then_it_stays() -> None:
    world = over()

    made = world.ticks(8)

    (stop,) = placed(*made)
    assert made[0].actions[0].action == stop
    assert (stop.side, stop.quantums) == (Side.SELL, quantums(BTC, "0.1"))
    assert trigger(stop) == 94_000
    assert stop.good_til_block_time == (world.decisions[0].at or 0) // 1_000 + 14 * 86_400
    assert [one.ending for d in made for one in d.outcomes] == [Ending.LANDED]
    assert rests(world) == [BTC_IDS[0]]
    assert gone(*made) == []


def test_what_is_placed_is_told_once_in_the_traders_words() -> None:
    made = over().ticks(8)

    (text,) = [text for one in made for text in texts(one)]
    assert text == (
        "It closes the position if the guard dies: sell 0.1 0/BTC-USD if the oracle reaches "
        "$94,000 (6% away), at $89,300 or better."
    )
    assert made[0].actions[0].what == (
        "place a stop: sell 0.1 0/BTC-USD if the oracle reaches $94,000 (6% away), at $89,300 or "
        "better"
    )


def test_it_follows_the_price_through_the_other_slot_and_never_leaves_a_gap() -> None:
    world = over()
    world.ticks(3)
    seen = []
    for price in (99_000, 98_000, 97_000, 96_000):
        world.move("BTC-USD", price)
        for _ in range(3):
            world.tick()
            seen.append(rests(world))

    assert all(1 <= len(ids) <= 2 for ids in seen)
    assert {one for ids in seen for one in ids} == set(BTC_IDS)
    (order,) = [o for o in world.orders if isinstance(o, RestingOrder)]  # type: ignore[union-attr]
    assert trigger(order) < 94_000
    # Liquidation stands at 90,000 all along: 60% of what is left of the way there.
    assert abs(trigger(order) - (96_000 - 6 * 600)) <= 360


def test_the_old_one_is_cancelled_only_once_the_new_one_is_seen() -> None:
    world = over()
    world.ticks(3)
    world.move("BTC-USD", 98_000)

    first, second, third = world.ticks(3)

    assert ([one.client_id for one in placed(first)], gone(first)) == ([BTC_IDS[1]], [])
    assert gone(second) == [BTC_IDS[0]]
    assert rests(world) == [BTC_IDS[1]]
    assert third.actions == ()


def test_a_stop_that_never_came_to_rest_is_tried_again_under_the_other_id() -> None:
    world = over()
    world.tick()
    world.pending.clear()  # nobody took it

    made = world.ticks(18)

    assert [one.ending for d in made for one in d.outcomes] == [Ending.DEAD, Ending.LANDED]
    assert [one.client_id for one in placed(*made)] == [BTC_IDS[1]]
    assert rests(world) == [BTC_IDS[1]]


def test_the_stop_of_another_guard_is_as_good_as_ours() -> None:
    world = over()
    first = world.tick()
    (ours,) = placed(first)
    world.pending.clear()
    theirs = _resting(replace(ours, good_til_block_time=ours.good_til_block_time + 1))
    world.orders = (theirs,)

    made = world.ticks(5)

    assert [one.ending for d in made for one in d.outcomes] == [Ending.NOTHING]
    assert all(d.actions == () for d in made)


def test_flat_takes_the_stop_away() -> None:
    world = over()
    world.ticks(3)
    world.trade("BTC-USD", "-0.1")

    made = world.ticks(3)

    assert gone(*made) == [BTC_IDS[0]]
    assert rests(world) == []
    assert world.memory.stops.told == ()


def test_a_position_that_turned_gets_a_stop_on_its_own_side_first() -> None:
    world = over(equity=2_000)
    world.ticks(3)
    world.trade("BTC-USD", "-0.2")

    first, second, _ = world.ticks(3)

    (stop,) = placed(first)
    assert (stop.side, stop.client_id, gone(first)) == (Side.BUY, BTC_IDS[1], [])
    assert gone(second) == [BTC_IDS[0]]


def test_it_is_renewed_at_half_its_life() -> None:
    world = over()
    world.ticks(3)
    started = world.decisions[0].at
    assert started is not None
    assert idle_until(world.policy, world.memory) == started // SECOND * SECOND + 7 * DAY

    world.at = Millis(started + 7 * DAY - 1 * SECOND)
    made = world.ticks(4)

    assert [one.client_id for one in placed(*made)] == [BTC_IDS[1]]
    assert gone(*made) == [BTC_IDS[0]]


def test_two_a_block_the_largest_risk_first() -> None:
    world = over(equity=30_000, **{"BTC-USD": "0.1", "ETH-USD": "5", "SOL-USD": "75"})

    first, second = world.ticks(2)

    assert [one.ticker for one in placed(first)] == ["ETH-USD", "SOL-USD"]
    assert [one.ticker for one in placed(second)] == ["BTC-USD"]
    assert "RATE_LIMIT" not in codes(first), "what waits its turn is not asked for"
    assert idle_until(world.policy, world.memory) == world.at


def test_twenty_in_a_hundred_blocks_and_then_it_waits() -> None:
    world = over(equity=1_108)
    for step in range(60):
        world.move("BTC-USD", 99_000 if step % 2 else 97_000)
        world.tick()
        world.tick()

    heights = [d.height for d in world.decisions for _ in placed(d)]
    assert len([one for one in heights if one <= heights[0] + 99]) == 20
    assert len(heights) > 20


def test_once_one_did_not_rest_half_of_the_limit_is_left_to_others() -> None:
    world = over(equity=30_000, **{"BTC-USD": "0.1", "ETH-USD": "5", "SOL-USD": "75"})
    world.tick()
    world.pending.clear()

    made = world.ticks(15)
    world.orders = ()
    later = world.ticks(15)

    assert Ending.DEAD in [one.ending for d in made for one in d.outcomes]
    assert len(placed(*later)) >= 2
    assert max(len(placed(d)) for d in later) == 1


@pytest.mark.parametrize(("equity", "has_one"), [(199, False), (200, True)])
def test_below_the_chains_equity_tier_there_is_none_and_it_says_so_once(
    equity: Number, *, has_one: bool
) -> None:
    world = over(equity=equity)
    world.extra["equity_tiers"] = (EquityTier(least=QuoteQuantums(quote(200)), orders=1),)

    made = world.ticks(3)

    assert bool(placed(*made)) is has_one
    told = [text for one in made for text in texts(one) if "has no stop" in text]
    assert len(told) == (0 if has_one else 1)
    if told:
        assert told[0].startswith("0/BTC-USD has no stop on the chain: the chain lets")


def test_orders_of_the_trader_take_room_in_the_tier() -> None:
    world = over(equity=1_108)
    world.extra["equity_tiers"] = (EquityTier(least=QuoteQuantums(0), orders=2),)
    far = resting(BTC, Side.SELL, "0.01", 150_000, client_id=8, order_flags=64)
    world.orders = (far, replace(far, client_id=9))

    assert placed(*world.ticks(2)) == []


@pytest.mark.parametrize("head", ["markets: [BTC-USD]", "subaccounts: [0]"])
def test_hands_off_has_no_stop_and_loses_the_one_it_had(head: str) -> None:
    left = f"account:\n  hands_off: {{{head}}}\n"
    world = over()
    world.ticks(3)

    world.restart(ladder(QUIET, head=left + STOPS))
    made = world.ticks(3)

    assert gone(*made) == [BTC_IDS[0]]
    assert placed(*made) == []


def test_without_the_block_there_is_none_and_what_rests_goes() -> None:
    world = over()
    world.ticks(3)

    world.restart(ladder(QUIET))
    made = world.ticks(3)

    assert gone(*made) == [BTC_IDS[0]]
    assert placed(*made) == []


def test_a_restart_finds_its_stops_by_their_ids() -> None:
    world = over()
    world.ticks(3)
    memory = over().memory  # a journal that was lost

    world.memory = memory
    made = world.ticks(4)

    assert [d.actions for d in made] == [(), (), (), ()]


def test_stale_state_a_pause_and_a_panic_leave_them_as_they_rest() -> None:
    for stop_it in ("stale", "pause", "panic"):
        world = over()
        world.ticks(3)
        world.move("BTC-USD", 96_000)
        if stop_it == "stale":
            made = [world.tick(late=11)]
        elif stop_it == "pause":
            made = [world.tick(Pause(duration=Millis(10 * MINUTE))), *world.ticks(3)]
        else:
            world.fill = 0
            made = [world.tick(Panic()), *world.ticks(3)]
        assert placed(*made) == [], stop_it
        assert gone(*made) == [], stop_it
        assert rests(world) == [BTC_IDS[0]], stop_it


def test_without_the_list_of_orders_nothing_is_moved() -> None:
    world = over()
    world.ticks(3)
    kept, world.orders = world.orders, Missing(reason="indexer: connection refused")
    world.move("BTC-USD", 96_000)

    assert placed(*world.ticks(4)) == []
    world.orders = kept
    assert len(placed(*world.ticks(3))) == 1


def test_a_flatten_takes_the_stop_away_once_it_has_worked_and_not_before() -> None:
    world = over(equity=11_080, text=CUTS)
    world.orders = (_resting(placed(over(text=CUTS, equity=11_080).tick())[0]),)
    world.fill = 0

    slow = world.ticks(12)
    world.fill = 1
    done = world.ticks(12)

    assert BTC_IDS[0] not in gone(*slow)
    assert gone(*done)
    assert rests(world) == []
    ids = gone(*done)
    assert len(ids) == len(set(ids)), "asked for by the rule and by the stop, sent once"


def test_what_a_stop_sold_is_the_backstops_doing_and_pages() -> None:
    world = over()
    world.ticks(3)
    world.orders = ()
    fill = Fill(
        subaccount=0,
        ticker="BTC-USD",
        side=Side.SELL,
        quantums=quantums(BTC, "0.1"),
        subticks=subticks(BTC, 93_000),
        fee=QuoteQuantums(0),
        height=world.height + 1,
        client_id=BTC_IDS[0],
    )
    world.sizes["BTC-USD"] = Decimal(0)
    world.fills = (fill,)

    made = world.tick()

    assert [one.cause for one in made.changes] == [Cause.BACKSTOP]
    (page,) = pages(made)
    assert page.text.startswith("The stop on the chain went off: 0/BTC-USD went from 0.1 to 0.")


def test_a_position_that_stays_without_is_paged_with_the_reason() -> None:
    world = over()
    world.extra["key_reach"] = KeyReach(clob_pairs=frozenset({1}))
    world.tick()
    assert idle_until(world.policy, world.memory) == world.at + BARE_MOST

    made = world.ticks(BARE_MOST // SECOND + 3)

    told = [message for one in made for message in pages(one)]
    assert [message.key for message in told] == ["backstop/0/BTC-USD"]
    assert "the trading key cannot trade it. No rule can reduce it either" in told[0].text
    assert placed(*made) == []


def test_on_paper_it_is_told_and_never_placed() -> None:
    world = over()
    world.mode = Mode.DRY_RUN

    made = world.ticks(4)
    world.move("BTC-USD", 98_000)
    later = world.ticks(2)

    assert placed(*made, *later) == []
    assert [len(one.on_paper) for one in made] == [1, 0, 0, 0]
    assert [len(one.on_paper) for one in later] == [1, 0]
    assert "place a stop: sell 0.1" in made[0].on_paper[0].what
    (text,) = [text for one in (*made, *later) for text in texts(one)]
    assert text.startswith("On paper: sell 0.1 0/BTC-USD if the oracle reaches $94,000")


def test_on_paper_beside_a_live_guard_there_is_nothing_to_tell() -> None:
    world = over()
    world.ticks(3)

    world.restart(mode=Mode.DRY_RUN)
    made = world.ticks(3)

    assert all(one.on_paper == () for one in made)


def _resting(stop: Backstop) -> RestingOrder:
    return RestingOrder(
        subaccount=stop.subaccount,
        ticker=stop.ticker,
        side=stop.side,
        quantums=stop.quantums,
        subticks=stop.subticks,
        client_id=stop.client_id,
        order_flags=32,
        reduce_only=True,
        good_til_block_time=stop.good_til_block_time,
        trigger_subticks=stop.trigger_subticks,
        ours=True,
    )
