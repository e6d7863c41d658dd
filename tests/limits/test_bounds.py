"""The last gate at its bounds: what is exactly at one passes, the next number does not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from seawall.account import NOT_READ, Market, Missing, Observation
from seawall.action import RefusalCode as Code
from seawall.limits import Asked, Standing, judge, slippage_most
from seawall.policy import (
    Budget,
    Do,
    Flatten,
    FloatSource,
    Lock,
    Notify,
    Page,
    Policy,
    ReduceAmount,
    ReduceUntil,
)
from seawall.units import PPM_ONE, BaseQuantums, Millis, Ppm, QuoteQuantums, Subticks
from tests.limits.asks import (
    BUYS,
    FRESH,
    POLICY,
    RICH,
    SELLS,
    cancel_of,
    reduce,
    repriced,
    resized,
    seen,
    top_up,
    verdicts,
    with_orders,
)
from tests.see import AT, BTC, ETH, SOL, quantums, quote, resting, see


def with_market(on: Observation, market: Market) -> Observation:
    return replace(on, markets={**on.markets, market.ticker: market})


def test_what_is_not_said_of_an_action_or_of_what_has_happened_is_nothing() -> None:
    asked, standing = Asked(action=reduce(seen())), Standing()

    assert (asked.free, asked.cost) == (0, 0)
    assert (standing.sent, standing.stops_placed) == ({}, ())
    assert (standing.sent_notional, standing.sent_cost) == (0, 0)
    assert (standing.top_up_in_flight, standing.by_panic, standing.paused) == (False, False, None)


def test_while_it_is_paused_every_action_is_refused_for_the_reason_of_the_pause() -> None:
    on = seen()
    paused = replace(FRESH, paused="paused until 12:00Z")

    passed, refused = judge(
        [Asked(action=top_up(on)), Asked(action=reduce(on))], on, POLICY, paused
    )

    assert passed == ()
    assert [(one.code, one.detail) for one in refused] == [(Code.PAUSED, paused.paused)] * 2


@pytest.mark.parametrize("sign", [1, -1])
def test_state_of_ten_seconds_is_acted_on_and_no_older_nor_further_ahead(sign: int) -> None:
    for age, codes in ((10_000, ()), (10_001, (Code.STALE_STATE,) * 2)):
        on = replace(seen(), seen_at=Millis(AT + sign * age))

        assert verdicts(on, top_up(on), reduce(on))[1] == codes


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (10_001, "state is 10001 ms old, at most 10000"),
        (-10_001, "state is 10001 ms ahead of the clock, at most 10000"),
    ],
)
def test_state_that_is_not_acted_on_is_told_with_its_age(age: int, words: str) -> None:
    on = replace(seen(), seen_at=Millis(AT + age))

    (told,) = judge([Asked(action=reduce(on))], on, POLICY, FRESH)[1]

    assert told.detail == words


@pytest.mark.parametrize(
    ("do", "most"),
    [
        ((), 0),
        ((Notify(), Page()), 0),
        ((ReduceAmount(share=Ppm(1), max_slippage=Ppm(7)),), 7),
        ((Flatten(max_slippage=Ppm(7)),), 7),
        ((Lock(max_slippage=Ppm(7)),), 7),
        ((ReduceUntil(max_slippage=Ppm(7)),), 7),
        ((ReduceUntil(max_slippage=Ppm(7), or_else=Flatten(max_slippage=Ppm(9))),), 9),
        ((ReduceUntil(max_slippage=Ppm(9), or_else=Flatten(max_slippage=Ppm(7))),), 9),
        ((Lock(max_slippage=Ppm(7)), Flatten(max_slippage=Ppm(5))), 7),
        ((Flatten(max_slippage=Ppm(5)), ReduceUntil(max_slippage=Ppm(7))), 7),
        ((Flatten(max_slippage=Ppm(7)), ReduceUntil(max_slippage=Ppm(5))), 7),
    ],
)
def test_the_bound_is_the_largest_slippage_that_any_level_allows(
    do: tuple[Do, ...], most: int
) -> None:
    (rule,) = POLICY.rules
    levels = (replace(rule.levels[0], do=do), replace(rule.levels[0], do=(Notify(),)))

    assert slippage_most(replace(POLICY, rules=(replace(rule, levels=levels),))) == most
    assert slippage_most(Policy()) == 0


def test_the_smallest_size_and_the_smallest_price_there_are_pass() -> None:
    fine = replace(BTC, step_base_quantums=1, subticks_per_tick=1)
    on = with_market(seen(), fine)
    (parent, child) = on.subaccounts
    held = next(one for one in parent.positions if one.ticker == "BTC-USD")
    dust = replace(held, quantums=BaseQuantums(-1))
    short = replace(on, subaccounts=(replace(parent, positions=(dust,)), child))
    one = resized(reduce(short, side=BUYS), 1)
    stop = resting(fine, BUYS, "0.1", 101_000, reduce_only=True)

    assert verdicts(short, repriced(one, 1))[1] == ()
    assert verdicts(short, repriced(one, 0))[1] == (Code.PRICE_OUTSIDE_BOUND,)
    assert verdicts(with_orders(short, stop), cancel_of(stop))[1] == (Code.CANCELS_PROTECTION,)


def test_nothing_is_bought_or_sold_where_nothing_is_held() -> None:
    on = seen()
    for side in (BUYS, SELLS):
        asked = reduce(on, "1", market=SOL, side=side, price="200")  # the parent has no SOL

        assert verdicts(on, asked)[1] == (Code.WOULD_GROW,)


def test_the_running_total_is_exact_to_a_base_quantum() -> None:
    on = with_market(seen(), replace(BTC, step_base_quantums=1))
    whole, first = int(quantums(BTC, "0.5")), int(quantums(BTC, "0.3"))
    rest = whole - first

    _, fits = verdicts(on, resized(reduce(on), first), resized(reduce(on), rest))
    _, flips = verdicts(on, resized(reduce(on), first), resized(reduce(on), rest + 1))

    assert fits == (Code.ALREADY_SENT,)  # it fits, and waits for the next window all the same
    assert flips == (Code.EXCEEDS_POSITION,)


@pytest.mark.parametrize(("orders", "passed"), [(3, 3), (2, 2)])
def test_each_order_counts_as_one_of_the_hour(orders: int, passed: int) -> None:
    on = seen()
    asked = (
        reduce(on),
        reduce(on, "1", market=ETH, side=BUYS, price="4010"),
        reduce(on, "1", market=SOL, side=BUYS, price="201", subaccount=128),
    )

    went, refused = verdicts(
        on, *asked, policy=replace(POLICY, budget=Budget(hourly_orders=orders))
    )

    assert went == asked[:passed]
    assert refused == (Code.BUDGET_ORDERS,) * (3 - passed)


@pytest.mark.parametrize(
    ("gross", "codes"),
    [
        (16_666_666_667, ()),  # 60% is $10,000.000000 and a fifth of a quantum
        (16_666_666_666, (Code.BUDGET_NOTIONAL,)),  # two fifths of a quantum less
    ],
)
def test_the_hours_notional_is_used_up_to_the_last_quantum(
    gross: int, codes: tuple[Code, ...]
) -> None:
    on = seen()
    spent = replace(RICH, hour_gross=QuoteQuantums(gross))

    assert verdicts(on, reduce(on, "0.1"), standing=Standing(spent=spent))[1] == codes


@pytest.mark.parametrize(
    ("equity", "share", "cost", "codes"),
    [
        (1_999_999, 1, 1, ()),  # a budget of 1.999999 quantums holds one
        (1_999_999, 1, 2, (Code.BUDGET_COST,)),
        (-quote(50), 1_000_000, 0, ()),  # under water there is no budget, and no cost needs none
        (-quote(50), 1_000_000, 1, (Code.BUDGET_COST,)),
    ],
)
def test_the_days_cost_is_used_up_to_the_last_quantum(
    equity: int, share: int, cost: int, codes: tuple[Code, ...]
) -> None:
    on = seen()
    policy = replace(POLICY, budget=Budget(daily_cost=Ppm(share)))
    spent = replace(RICH, day_equity=QuoteQuantums(equity))

    refused = verdicts(on, reduce(on), policy=policy, cost=cost, standing=Standing(spent=spent))[1]

    assert refused == codes


def test_a_deposit_is_at_least_ten_dollars_and_at_most_what_the_day_has_left() -> None:
    on = seen()
    spent = replace(FRESH, spent=replace(RICH, day_top_up=quote(5_500)))
    under = replace(top_up(on), amount=QuoteQuantums(10 * PPM_ONE - 1))
    over = replace(top_up(on), amount=QuoteQuantums(500 * PPM_ONE + 1))

    assert verdicts(on, top_up(on, 10))[1] == ()
    assert verdicts(on, under)[1] == (Code.BELOW_MINIMUM,)
    assert verdicts(on, top_up(on, 500), standing=spent)[1] == ()
    assert verdicts(on, over, standing=spent)[1] == (Code.BUDGET_TOP_UP,)


def test_a_floor_between_two_quantums_is_kept_whole() -> None:
    on = seen()
    floor = FloatSource(address="dydx1float", floor=Decimal("50.0000001"))
    policy = replace(POLICY, float_source=floor)

    taken = replace(top_up(on), amount=QuoteQuantums(5_950 * PPM_ONE - 1))

    assert verdicts(on, taken, policy=policy)[1] == ()
    assert verdicts(on, top_up(on, 5_950), policy=policy)[1] == (Code.FLOAT_SHORT,)


def test_deposits_are_blocked_until_a_height_and_not_at_it() -> None:
    for until, codes in ((0, ()), (1, (Code.TRANSFERS_BLOCKED,))):
        on = seen()
        on = replace(on, transfers_blocked_until={0: on.height + until})

        assert verdicts(on, top_up(on))[1] == codes
        assert verdicts(on, top_up(on, subaccount=128))[1] == ()


def test_orders_that_are_not_ours_to_cancel_or_not_known_are_not_cancelled() -> None:
    order = resting(BTC, SELLS, "0.1", 101_000, client_id=7)
    on = with_orders(seen(), order)
    elsewhere = resting(BTC, BUYS, "0.1", 99_000, subaccount=5, client_id=7)
    unread = replace(on, advice=replace(on.advice, orders=NOT_READ))
    assert isinstance(unread.advice.orders, Missing)

    for seeing, wrong in ((with_orders(on, elsewhere), elsewhere), (unread, order)):
        assert verdicts(seeing, cancel_of(wrong))[1] == (Code.NOT_GUARDED,)
    for other in (
        resting(ETH, BUYS, "0.1", 3_900, client_id=7),
        resting(BTC, BUYS, "0.1", 99_000, subaccount=128, client_id=7),
    ):
        assert verdicts(on, cancel_of(other))[1] == (Code.NOT_GUARDED,)


@pytest.mark.parametrize("size", ["0.5", "-0.5"])
def test_of_orders_that_reduce_together_those_first_in_line_are_protected(size: str) -> None:
    on = see(equity=23_000, positions={"BTC-USD": (size, 100_000)}, float=6_000)
    side, away = (SELLS, 1) if size == "0.5" else (BUYS, -1)
    first = resting(BTC, side, "0.2", 100_000 + away * 1_000, client_id=1)
    second = resting(BTC, side, "0.3", 100_000 + away * 2_000, client_id=2)  # to the last coin
    third = resting(BTC, side, "0.0001", 100_000 + away * 3_000, client_id=3)
    other = resting(BTC, BUYS if side is SELLS else SELLS, "5", 100_000, client_id=4)
    on = with_orders(on, third, other, first, second)

    codes = {
        one.client_id: verdicts(on, cancel_of(one))[1] for one in (first, second, third, other)
    }

    assert codes == {
        1: (Code.CANCELS_PROTECTION,),
        2: (Code.CANCELS_PROTECTION,),
        3: (),
        4: (),
    }


def test_of_orders_at_one_price_that_are_together_too_much_the_first_is_protected() -> None:
    twins = [resting(BTC, SELLS, "0.3", 101_000, client_id=number) for number in (1, 2)]
    on = with_orders(seen(), *twins)

    assert verdicts(on, cancel_of(twins[0]))[1] == (Code.CANCELS_PROTECTION,)
    assert verdicts(on, cancel_of(twins[1]))[1] == ()


def test_an_order_a_subtick_further_in_the_line_takes_no_protection_away() -> None:
    first = resting(BTC, SELLS, "0.5", 101_000, client_id=1)
    next_one = replace(first, subticks=Subticks(first.subticks + 1), client_id=2)
    on = with_orders(seen(), first, next_one)

    assert verdicts(on, cancel_of(first))[1] == (Code.CANCELS_PROTECTION,)
    assert verdicts(on, cancel_of(next_one))[1] == ()


def test_where_nothing_is_held_any_order_may_go() -> None:
    stops = [resting(SOL, side, "5", 190, client_id=7, reduce_only=True) for side in (BUYS, SELLS)]
    for stop in stops:
        on = with_orders(seen(), stop)  # the parent holds no SOL

        assert verdicts(on, cancel_of(stop))[1] == ()


def test_a_refusal_names_what_was_asked() -> None:
    on = seen()
    order = resting(BTC, BUYS, "0.1", 99_000, client_id=8)
    asked = [Asked(action=one) for one in (top_up(on, 1), cancel_of(order), reduce(on, "9"))]

    _, refused = judge(asked, on, POLICY, FRESH)

    assert [one.what for one in refused] == [
        "top up 0",
        "cancel 0/BTC-USD order 8",
        "sell 0/BTC-USD",
    ]
