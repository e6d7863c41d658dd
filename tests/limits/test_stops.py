"""The gate and stops on the chain: what may rest there, and which of them may be taken away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.account import KeyReach, MarketStatus, Missing, Observation, Side
from seawall.action import STOP_TIMEOUT_BLOCKS, Backstop, stop_ids
from seawall.action import RefusalCode as Code
from seawall.limits import Asked, judge
from seawall.policy import HandsOff, Policy
from seawall.units import BaseQuantums, Millis, Ppm, Subticks
from tests.limits.asks import FRESH, POLICY, cancel_of, seen, verdicts, with_orders
from tests.limits.stops import IDS, NOW_S, WITH_STOPS, codes, rests, stop
from tests.see import BTC, CHAIN_ID, ETH, OWNER, quantums, subticks


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


def test_a_refusal_names_the_position() -> None:
    on = seen()

    _, (refusal,) = judge([Asked(action=stop(on))], on, POLICY, FRESH)

    assert refusal.what == "backstop 0/BTC-USD"


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
