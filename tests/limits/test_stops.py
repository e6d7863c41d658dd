"""The gate and stops on the chain: what may rest there, and which of them may be taken away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.account import KeyReach, MarketStatus, Missing, Observation, RestingOrder, Side
from seawall.action import STOP_LIFE, STOP_TIMEOUT_BLOCKS, Backstop, Cancel, stop_ids
from seawall.action import RefusalCode as Code
from seawall.limits import Asked, Standing, judge
from seawall.policy import BackstopOrder, HandsOff, Policy
from seawall.units import BaseQuantums, Millis, Ppm, Subticks
from tests.limits.asks import FRESH, POLICY, cancel_of, seen, verdicts, with_orders
from tests.see import AT, BTC, CHAIN_ID, ETH, OWNER, quantums, resting, see, subticks

WITH_STOPS = replace(
    POLICY, backstop=BackstopOrder(scenario="gap", at=Ppm(600_000), slippage=Ppm(50_000))
)
IDS = stop_ids(CHAIN_ID, OWNER, 0, 0)
NOW_S = AT // 1_000


def stop(on: Observation, **changes: object) -> Backstop:
    """A stop of the half bitcoin at 100,000: goes off at 95,000, no worse than 90,250."""
    right = Backstop(
        subaccount=0,
        ticker="BTC-USD",
        clob_pair_id=0,
        side=Side.SELL,
        quantums=quantums(BTC, "0.5"),
        trigger_subticks=subticks(BTC, 95_000),
        subticks=subticks(BTC, 90_250),
        good_til_block_time=(on.at + STOP_LIFE) // 1_000,
        timeout_height=on.height + STOP_TIMEOUT_BLOCKS,
        client_id=IDS[0],
    )
    return replace(right, **changes)  # type: ignore[arg-type]


def rests(slot: int = 0, *, days: int = 14, **changes: object) -> RestingOrder:
    """One of our stops of the half bitcoin as it rests."""
    order = resting(
        BTC, Side.SELL, "0.5", 90_250, client_id=IDS[slot], reduce_only=True, order_flags=32
    )
    until = NOW_S + days * 86_400
    order = replace(order, good_til_block_time=until, trigger_subticks=subticks(BTC, 95_000))
    return replace(order, **changes)  # type: ignore[arg-type]


def codes(
    on: Observation,
    *actions: Backstop | Cancel,
    policy: Policy = WITH_STOPS,
    standing: Standing = FRESH,
) -> tuple[Code, ...]:
    return verdicts(on, *actions, policy=policy, standing=standing)[1]


def test_a_stop_within_every_limit_passes_as_it_is() -> None:
    on = seen()

    assert verdicts(on, stop(on), policy=WITH_STOPS) == ((stop(on),), ())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"side": Side.BUY}, Code.WOULD_GROW),
        ({"quantums": quantums(BTC, "0.5001")}, Code.EXCEEDS_POSITION),
        ({"quantums": BaseQuantums(0)}, Code.OFF_STEP),
        ({"quantums": BaseQuantums(1)}, Code.OFF_STEP),
        ({"clob_pair_id": 1}, Code.NOT_GUARDED),
        ({"subaccount": 7}, Code.NOT_GUARDED),
        ({"trigger_subticks": subticks(BTC, 99_999)}, Code.PRICE_OUTSIDE_BOUND),  # worst too far
        ({"trigger_subticks": subticks(BTC, 100_000)}, Code.FIRES_AT_ONCE),
        ({"trigger_subticks": subticks(BTC, 100_001)}, Code.FIRES_AT_ONCE),
        ({"trigger_subticks": Subticks(0)}, Code.PRICE_OUTSIDE_BOUND),
        ({"trigger_subticks": Subticks(subticks(BTC, 95_000) + 1)}, Code.PRICE_OUTSIDE_BOUND),
        ({"subticks": subticks(BTC, 90_249)}, Code.PRICE_OUTSIDE_BOUND),
        ({"subticks": subticks(BTC, 95_000)}, None),
        ({"subticks": subticks(BTC, 95_001)}, Code.PRICE_OUTSIDE_BOUND),  # never fills
        ({"subticks": Subticks(0)}, Code.PRICE_OUTSIDE_BOUND),
        ({"client_id": IDS[1]}, None),
        ({"client_id": 7}, Code.WRONG_WINDOW),
        ({"good_til_block_time": NOW_S + 14 * 86_400 + 1}, Code.WRONG_WINDOW),
        ({"timeout_height": 1}, Code.WRONG_WINDOW),
    ],
)
def test_a_stop_shrinks_later_within_its_bound_under_its_own_id(
    changes: Mapping[str, object], code: Code | None
) -> None:
    on = seen()

    assert codes(on, stop(on, **changes)) == (() if code is None else (code,))


def test_a_stop_of_a_short_goes_off_above_and_buys_no_higher_than_its_bound() -> None:
    on = seen()
    ids = stop_ids(CHAIN_ID, OWNER, 0, 1)
    right = stop(
        on,
        ticker="ETH-USD",
        clob_pair_id=1,
        side=Side.BUY,
        quantums=quantums(ETH, 2),
        trigger_subticks=subticks(ETH, 4_200),
        subticks=subticks(ETH, 4_410),
        client_id=ids[0],
    )

    assert codes(on, right) == ()
    assert codes(on, replace(right, subticks=subticks(ETH, "4410.1"))) == (
        Code.PRICE_OUTSIDE_BOUND,
    )
    assert codes(on, replace(right, trigger_subticks=subticks(ETH, 4_000))) == (Code.FIRES_AT_ONCE,)


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (POLICY, Code.NOT_ASKED_FOR),
        (replace(WITH_STOPS, hands_off=HandsOff(markets=("BTC-USD",))), Code.HANDS_OFF),
        (replace(WITH_STOPS, hands_off=HandsOff(subaccounts=(0,))), Code.HANDS_OFF),
    ],
)
def test_the_rule_file_says_whether_there_are_stops(policy: Policy, code: Code) -> None:
    on = seen()

    assert codes(on, stop(on), policy=policy) == (code,)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda on: replace(on, seen_at=Millis(on.at + 10_000)), None),
        (lambda on: replace(on, seen_at=Millis(on.at + 10_001)), Code.STALE_STATE),
        (lambda on: with_orders(on, rests(0)), Code.SLOT_TAKEN),
        (lambda on: with_orders(on, rests(1)), None),
        (
            lambda on: replace(on, advice=replace(on.advice, orders=Missing(reason="down"))),
            Code.NO_DATA,
        ),
        (
            lambda on: replace(
                on, advice=replace(on.advice, key_reach=KeyReach(clob_pairs=frozenset({1})))
            ),
            Code.OUTSIDE_KEY_REACH,
        ),
        (
            lambda on: replace(
                on, markets={**on.markets, "BTC-USD": replace(BTC, status=MarketStatus.PAUSED)}
            ),
            Code.MARKET_CLOSED,
        ),
    ],
)
def test_what_is_seen_decides_whether_it_may_go(
    change: Callable[[Observation], Observation], code: Code | None
) -> None:
    on = change(seen())

    assert codes(on, stop(on)) == (() if code is None else (code,))


def test_after_a_halt_and_under_a_pause_stops_stay_as_they_are() -> None:
    on = seen()

    halted = replace(FRESH, resuming=frozenset({"BTC-USD"}))
    assert codes(on, stop(on), standing=halted) == (Code.AFTER_HALT,)
    assert codes(on, stop(on), standing=replace(FRESH, paused="until noon")) == (Code.PAUSED,)


@pytest.mark.parametrize(
    ("earlier", "code"),
    [
        ([0], None),
        ([0, 0], Code.RATE_LIMIT),  # two in this block
        ([-1, -1], None),
        ([-99] * 19, None),
        ([-99] * 20, Code.RATE_LIMIT),
        ([-100] * 20, None),
    ],
)
def test_the_chains_rate_limit_is_kept(earlier: list[int], code: Code | None) -> None:
    on = seen()
    standing = replace(FRESH, stops_placed=tuple(on.height + one for one in earlier))

    assert codes(on, stop(on), standing=standing) == (() if code is None else (code,))


def test_one_tick_places_one_stop_in_a_market() -> None:
    on = seen()

    assert codes(on, stop(on), stop(on, client_id=IDS[1])) == (Code.SLOT_TAKEN,)


PROTECTION = Code.CANCELS_PROTECTION


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ([], PROTECTION),
        ([rests(1)], None),  # lives longer
        ([rests(1, days=12)], PROTECTION),
        ([rests(1, is_triggered=True)], PROTECTION),
        ([rests(1, side=Side.BUY)], PROTECTION),
        ([rests(1, reduce_only=False)], PROTECTION),
        ([replace(rests(1), client_id=7)], PROTECTION),  # the trader's own
        ([replace(rests(1), order_flags=64)], PROTECTION),
    ],
)
def test_a_stop_goes_once_another_of_ours_that_lives_longer_is_seen(
    others: list[RestingOrder], code: Code | None
) -> None:
    target = rests(0, days=13)
    on = with_orders(seen(), target, *others)

    assert codes(on, cancel_of(target)) == (() if code is None else (code,))


@pytest.mark.parametrize(
    ("held", "old", "new", "goes"),
    [
        ("0.5", "0.5", "0.5", "old"),
        ("0.5", "0.5", "0.4999", "new"),  # what stays closes as much as what goes
        ("0.5", "0.5", "0", "new"),
        ("0.5", "0.7", "0.5", "old"),  # more than the position is worth no more
        ("0.50005", "0.7", "0.5", "old"),  # nor what is under a step
        ("0.5", "0.3", "0.4", "old"),  # it has grown, and both are too small: the smaller goes
        ("0.5", "0.4", "0.3", "new"),
    ],
)
def test_of_two_stops_the_one_that_closes_less_goes_and_else_the_one_that_ends_first(
    held: str, old: str, new: str, goes: str
) -> None:
    on = see(equity=23_000, positions={"BTC-USD": (held, 100_000)})
    both = {
        "old": rests(0, days=13, quantums=quantums(BTC, old)),
        "new": rests(1, quantums=quantums(BTC, new)),
    }
    on = with_orders(on, *both.values())

    for name, order in both.items():
        assert codes(on, cancel_of(order)) == (() if name == goes else (PROTECTION,))


def test_of_two_stops_of_a_short_the_one_that_closes_less_goes_too() -> None:
    on = see(equity=23_000, positions={"BTC-USD": ("-0.5", 100_000)})
    old = rests(0, days=13, side=Side.BUY)
    new = rests(1, side=Side.BUY, quantums=quantums(BTC, "0.4"))
    on = with_orders(on, old, new)

    assert codes(on, cancel_of(old)) == (PROTECTION,)
    assert codes(on, cancel_of(new)) == ()


@pytest.mark.parametrize(("more", "goes"), [(0, "old"), (1, "new")])
def test_stops_of_a_market_that_was_not_read_are_told_apart_by_the_quantum(
    more: int, goes: str
) -> None:
    on = see(equity=23_000, positions={"BTC-USD": ("0.4999999999", 100_000)})
    size = quantums(BTC, "0.4999999998")
    both = {
        "old": rests(0, days=13, quantums=BaseQuantums(size + more)),
        "new": rests(1, quantums=BaseQuantums(size)),
    }
    on = with_orders(on, *both.values())
    unread = replace(on, markets={t: m for t, m in on.markets.items() if t != "BTC-USD"})

    for name, order in both.items():
        assert codes(unread, cancel_of(order)) == (() if name == goes else (PROTECTION,))


@given(
    held=st.integers(1, 10),
    sizes=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    days=st.tuples(st.integers(1, 14), st.integers(1, 14)),
)
def test_what_may_go_of_two_stops_leaves_as_much_protected_and_one_of_them_always_may(
    held: int, sizes: tuple[int, int], days: tuple[int, int]
) -> None:
    step = BTC.step_base_quantums
    on = see(equity=23_000, positions={"BTC-USD": (BTC.coins(held * step), 100_000)})
    both = [rests(at, days=days[at], quantums=BaseQuantums(sizes[at] * step)) for at in (0, 1)]
    on = with_orders(on, *both)

    passed, _ = verdicts(on, *map(cancel_of, both), policy=WITH_STOPS)

    (gone,) = [at for at in (0, 1) if cancel_of(both[at]) in passed]
    assert min(sizes[1 - gone], held) >= min(sizes[gone], held)


def test_of_two_stops_that_end_together_that_of_the_lower_id_stays() -> None:
    lower, higher = sorted((rests(0), rests(1)), key=lambda one: one.client_id)
    on = with_orders(seen(), lower, higher)

    assert codes(on, cancel_of(lower)) == (Code.CANCELS_PROTECTION,)
    assert codes(on, cancel_of(higher)) == ()


def test_prices_of_stops_are_exact_to_a_subtick() -> None:
    on = seen()
    fine = {t: replace(m, subticks_per_tick=1) for t, m in on.markets.items()}
    on = replace(on, markets=fine)
    assert WITH_STOPS.backstop is not None
    whole = replace(WITH_STOPS, backstop=replace(WITH_STOPS.backstop, slippage=Ppm(1_000_000)))
    buys = {"ticker": "ETH-USD", "clob_pair_id": 1, "side": Side.BUY, "quantums": quantums(ETH, 2)}

    def at(trigger: int, worst: int, **changes: object) -> tuple[Code, ...]:
        prices = {"trigger_subticks": Subticks(trigger), "subticks": Subticks(worst)}
        return codes(on, stop(on, **prices, **changes), policy=whole)

    assert at(1, 1) == ()
    for trigger, worst in ((0, 1), (2, 0), (2, 3)):
        assert at(trigger, worst) == (Code.PRICE_OUTSIDE_BOUND,)
    assert at(0, 1, **buys) == (Code.FIRES_AT_ONCE,)


def test_a_refusal_names_the_stop() -> None:
    on = seen()

    _, (refusal,) = judge([Asked(action=stop(on))], on, POLICY, FRESH)

    assert refusal.what == "backstop 0/BTC-USD"


def test_two_guards_of_one_sight_never_leave_a_position_without() -> None:
    # Which of the two stays is what the guards themselves choose: the smaller id.
    stays, goes = sorted((rests(0), rests(1)), key=lambda one: one.client_id)
    on = with_orders(seen(), stays, goes)

    for asked in ((stays, goes), (goes, stays)):
        passed, refused = verdicts(on, *map(cancel_of, asked), policy=WITH_STOPS)
        assert passed == (cancel_of(goes),)
        assert refused == (PROTECTION,)


def test_a_stop_told_twice_does_not_take_its_own_place() -> None:
    target = rests(0)
    on = with_orders(seen(), target, replace(target))

    assert codes(on, cancel_of(target)) == (PROTECTION,)


def test_an_order_without_an_end_takes_no_stops_place() -> None:
    target = rests(0)
    on = with_orders(seen(), target, rests(1, good_til_block_time=None))

    assert codes(on, cancel_of(target)) == (PROTECTION,)


def test_a_refusal_names_the_position() -> None:
    on = seen()

    _, (refusal,) = judge([Asked(action=stop(on))], on, POLICY, FRESH)

    assert refusal.what == "backstop 0/BTC-USD"


def test_one_that_went_off_makes_room_where_another_rests() -> None:
    spent = rests(0, is_triggered=True)

    assert codes(with_orders(seen(), spent), cancel_of(spent)) == (PROTECTION,)
    assert codes(with_orders(seen(), spent, rests(1, days=3)), cancel_of(spent)) == ()


@pytest.mark.parametrize(
    "policy", [POLICY, replace(WITH_STOPS, hands_off=HandsOff(markets=("BTC-USD",)))]
)
def test_stops_that_the_rule_file_wants_no_more_may_go(policy: Policy) -> None:
    target = rests(0)
    on = with_orders(seen(), target)

    assert codes(on, cancel_of(target), policy=policy) == ()


def test_a_traders_own_stop_stays_whatever_the_rule_file_says() -> None:
    theirs = replace(rests(0), client_id=7)
    on = with_orders(seen(), theirs)

    assert codes(on, cancel_of(theirs), policy=POLICY) == (PROTECTION,)


def test_a_cancel_names_the_very_stop_that_rests() -> None:
    target = rests(0, days=13)
    on = with_orders(seen(), target, rests(1))
    older = replace(cancel_of(target), good_til_block_time=NOW_S)
    newer = replace(cancel_of(target), good_til_block_time=NOW_S + 14 * 86_400)

    assert codes(on, older) == codes(on, newer) == (Code.WRONG_WINDOW,)


@st.composite
def mad_stops(draw: st.DrawFn, on: Observation) -> Backstop:
    """A stop of any side, size, prices, id and account."""
    tick, step = BTC.subticks_per_tick, BTC.step_base_quantums
    prices = st.integers(-(10**5), 2 * 10**5)
    return stop(
        on,
        side=draw(st.sampled_from(list(Side))),
        quantums=BaseQuantums(draw(st.integers(-100, 10**4)) * step),
        trigger_subticks=Subticks(draw(prices) * tick),
        subticks=Subticks(draw(prices) * tick),
        timeout_height=on.height + draw(st.sampled_from([STOP_TIMEOUT_BLOCKS] * 3 + [0])),
        client_id=draw(st.sampled_from([*IDS, 7])),
        subaccount=draw(st.sampled_from([0, 0, 128, 7])),
    )


@given(mad=mad_stops(seen()))
def test_whatever_a_mad_planner_asks_a_stop_that_passes_only_shrinks_and_only_later(
    mad: Backstop,
) -> None:
    passed, _ = verdicts(seen(), mad, policy=WITH_STOPS)

    for one in passed:
        assert isinstance(one, Backstop)
        assert one.side is Side.SELL
        assert 0 < one.quantums <= quantums(BTC, "0.5")
        assert 0 < one.subticks <= one.trigger_subticks < subticks(BTC, 100_000)
        assert one.subticks * 100 >= one.trigger_subticks * 95
