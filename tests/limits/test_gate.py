"""The last gate, promise by promise: what it lets pass, what it refuses, and with which code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from seawall.account import KeyReach, Market, MarketStatus, Observation, Side
from seawall.action import Reduce, TopUp
from seawall.action import RefusalCode as Code
from seawall.limits import Asked, Standing, judge
from seawall.policy import Budget, HandsOff, Policy
from seawall.units import BaseQuantums, Millis, Ppm
from tests.limits.asks import (
    ALL,
    BUYS,
    FRESH,
    POLICY,
    RICH,
    SELLS,
    cancel_of,
    reduce,
    resized,
    seen,
    top_up,
    verdicts,
    with_orders,
)
from tests.see import AT, BTC, ETH, SOL, quantums, quote, resting

BTC_SLOT = (0, "BTC-USD")


def test_a_reduction_within_every_limit_passes_as_it_is() -> None:
    on = seen()

    passed, refused = verdicts(on, reduce(on))

    assert (passed, refused) == ((reduce(on),), ())


@pytest.mark.parametrize(
    ("size", "code"), [("0.5", None), ("0.5001", Code.EXCEEDS_POSITION), ("0", Code.OFF_STEP)]
)
def test_a_reduction_is_at_most_the_live_position(size: str, code: Code | None) -> None:
    on = seen()

    _, refused = verdicts(on, reduce(on, size))

    assert refused == (() if code is None else (code,))


def test_what_this_window_has_sent_is_taken_off_the_live_position() -> None:
    on = seen()
    sent = replace(FRESH, sent={BTC_SLOT: int(quantums(BTC, "0.3"))})

    _, refused = verdicts(on, reduce(on, "0.3"), standing=sent)

    assert refused == (Code.EXCEEDS_POSITION,)


def test_two_good_orders_do_not_add_up_to_a_flip() -> None:
    on = seen()

    passed, refused = verdicts(on, reduce(on, "0.3"), reduce(on, "0.3"))

    assert len(passed) == 1
    assert refused == (Code.EXCEEDS_POSITION,)


def test_one_order_per_market_and_window_even_where_both_would_fit() -> None:
    on = seen()

    _, refused = verdicts(on, reduce(on), reduce(on))

    assert refused == (Code.ALREADY_SENT,)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda on: reduce(on, side=BUYS, price="101000"),
        lambda on: reduce(on, "1", market=ETH, price="3990"),  # sells into a short
        lambda on: reduce(on, "1", market=SOL, price="199"),  # nothing held in the parent
    ],
)
def test_an_order_on_the_side_that_grows_is_refused(wrong: Callable[[Observation], Reduce]) -> None:
    on = seen()

    _, refused = verdicts(on, wrong(on))

    assert refused == (Code.WOULD_GROW,)


def test_a_size_off_the_step_and_a_negative_size_are_refused() -> None:
    on = seen()

    for size in (1, BTC.step_base_quantums + 1, -BTC.step_base_quantums):
        assert verdicts(on, resized(reduce(on), size))[1] == (Code.OFF_STEP,)


@pytest.mark.parametrize(
    ("side", "market", "size", "price", "codes"),
    [
        (SELLS, BTC, "0.1", "95060", ()),  # 100_000 less the band of 3%, less 2%
        (SELLS, BTC, "0.1", "95059", (Code.PRICE_OUTSIDE_BOUND,)),
        (BUYS, ETH, "1", "4202.4", ()),  # 4_000 and 3%, and 2% of that
        (BUYS, ETH, "1", "4202.5", (Code.PRICE_OUTSIDE_BOUND,)),
    ],
)
def test_a_worst_price_is_within_twice_the_slippage_of_a_mid_within_the_band(
    side: Side, market: Market, size: str, price: str, codes: tuple[Code, ...]
) -> None:
    on = seen()

    _, refused = verdicts(on, reduce(on, size, market=market, side=side, price=price))

    assert refused == codes


def test_a_price_off_the_tick_is_refused() -> None:
    on = seen()
    off = replace(reduce(on), subticks=type(reduce(on).subticks)(reduce(on).subticks + 1))

    assert verdicts(on, off)[1] == (Code.PRICE_OUTSIDE_BOUND,)


def test_accounts_and_markets_of_others_are_refused() -> None:
    on = seen()

    stranger = reduce(on, subaccount=5)
    disguised = replace(reduce(on), clob_pair_id=1)
    unknown = replace(reduce(on), ticker="DOGE-USD")

    for one in (stranger, disguised, unknown, top_up(on, subaccount=5)):
        assert verdicts(on, one)[1] == (Code.NOT_GUARDED,)


def test_hands_off_is_never_traded_nor_fed() -> None:
    on = seen()
    market = replace(POLICY, hands_off=HandsOff(markets=("BTC-USD",)))
    whole = replace(POLICY, hands_off=HandsOff(subaccounts=(0,)))

    assert verdicts(on, reduce(on), policy=market)[1] == (Code.HANDS_OFF,)
    assert verdicts(on, reduce(on), top_up(on), policy=whole)[1] == (Code.HANDS_OFF,) * 2


@pytest.mark.parametrize("status", [s for s in MarketStatus if s is not MarketStatus.ACTIVE])
def test_a_market_that_is_not_active_is_refused(status: MarketStatus) -> None:
    on = seen()
    halted = replace(on.markets["BTC-USD"], status=status)
    on = replace(on, markets={**on.markets, "BTC-USD": halted})

    assert verdicts(on, reduce(on))[1] == (Code.MARKET_CLOSED,)


def test_what_the_key_cannot_trade_is_refused() -> None:
    on = seen()
    reach = KeyReach(subaccounts=frozenset({128}))
    on = replace(on, advice=replace(on.advice, key_reach=reach))

    assert verdicts(on, reduce(on))[1] == (Code.OUTSIDE_KEY_REACH,)


def test_only_the_id_of_this_window_passes() -> None:
    on = seen()

    for wrong in (
        replace(reduce(on), client_id=1),
        replace(reduce(on), window=reduce(on).window + 1),
        replace(reduce(on), good_til_block=reduce(on).good_til_block + 1),
    ):
        assert verdicts(on, wrong)[1] == (Code.WRONG_WINDOW,)


def test_a_window_about_to_close_takes_nothing_more() -> None:
    late = replace(seen(), height=seen().height + 3)

    assert verdicts(late, reduce(late))[1] == (Code.WINDOW_CLOSING,)


def test_stale_state_takes_reductions_and_top_ups_but_not_cancels() -> None:
    order = resting(BTC, BUYS, "0.1", 99_000)
    on = with_orders(replace(seen(), seen_at=Millis(AT + 10_001)), order)

    passed, refused = verdicts(on, cancel_of(order), top_up(on), reduce(on))

    assert passed == (cancel_of(order),)
    assert refused == (Code.STALE_STATE,) * 2


def test_a_panic_acts_on_the_last_known_state_bounded_from_its_oracle() -> None:
    on = replace(seen(), seen_at=Millis(AT + 600_000))
    panic = Standing(by_panic=True)

    assert verdicts(on, reduce(on, "0.5"), standing=panic)[1] == ()
    assert verdicts(on, reduce(on, "0.5001"), standing=panic)[1] == (Code.EXCEEDS_POSITION,)
    assert verdicts(on, reduce(on, price="94000"), standing=panic)[1] == (Code.PRICE_OUTSIDE_BOUND,)


def test_after_a_halt_a_market_waits_for_its_oracle() -> None:
    on = seen()
    resuming = replace(FRESH, resuming=frozenset({"BTC-USD"}))

    assert verdicts(on, reduce(on), standing=resuming)[1] == (Code.AFTER_HALT,)


def test_budgets_hold_over_the_running_total_and_paging_overdraws_all_but_orders() -> None:
    on = seen()
    both = (reduce(on, "0.1"), reduce(on, "1", market=ETH, side=BUYS, price="4010"))
    notional = replace(FRESH, spent=replace(RICH, hour_gross=quote(20_000)))  # 60% is $12,000
    orders = replace(POLICY, budget=Budget(hourly_orders=1))
    cost = replace(POLICY, budget=Budget(daily_cost=Ppm(1)))  # of $10m: $10

    assert verdicts(on, *both, standing=notional)[1] == (Code.BUDGET_NOTIONAL,)
    assert verdicts(on, *both, standing=notional, free=ALL)[1] == ()
    assert verdicts(on, *both, policy=cost, cost=quote(6))[1] == (Code.BUDGET_COST,)
    assert verdicts(on, *both, policy=cost, cost=quote(6), free=ALL)[1] == ()
    assert verdicts(on, *both, policy=orders, free=ALL)[1] == (Code.BUDGET_ORDERS,)


def test_what_paging_levels_want_of_an_order_is_beside_the_budgets_and_the_rest_is_not() -> None:
    on = seen()
    one = Asked(action=reduce(on, "0.2"), cost=quote(20))  # $20,000
    notional = replace(FRESH, spent=replace(RICH, hour_gross=quote(20_000)))  # 60% is $12,000
    cost = replace(POLICY, budget=Budget(daily_cost=Ppm(1)))  # of $10m: $10

    def refused(free: str, policy: Policy, standing: Standing) -> list[Code]:
        asked = replace(one, free=quantums(BTC, free))
        return [refusal.code for refusal in judge([asked], on, policy, standing)[1]]

    assert refused("0.07", POLICY, notional) == [Code.BUDGET_NOTIONAL]
    assert refused("0.08", POLICY, notional) == []
    assert refused("0.09", cost, FRESH) == [Code.BUDGET_COST]
    assert refused("0.1", cost, FRESH) == []


def test_budgets_that_are_spent_leave_what_paging_levels_want_and_not_a_quantum_more() -> None:
    on = seen()
    order = reduce(on, "0.2")
    spent = replace(FRESH, spent=replace(RICH, hour_notional=quote(10_000_000)))

    assert verdicts(on, order, standing=spent, free=order.quantums)[1] == ()
    assert verdicts(on, order, standing=spent, free=order.quantums - 1)[1] == (
        Code.BUDGET_NOTIONAL,
    )


def test_what_was_sent_and_is_not_known_to_have_filled_counts_as_spent() -> None:
    on = seen()
    spent = replace(RICH, hour_gross=quote(20_000))

    waiting = Standing(spent=spent, sent_notional=quote(3_000))

    assert verdicts(on, reduce(on), standing=Standing(spent=spent))[1] == ()
    assert verdicts(on, reduce(on), standing=waiting)[1] == (Code.BUDGET_NOTIONAL,)


def test_deposits_go_to_own_guarded_subaccounts_from_above_the_floor() -> None:
    on = seen()

    assert verdicts(on, top_up(on, 5_950, subaccount=128))[1] == ()
    assert verdicts(on, top_up(on, 5_951))[1] == (Code.FLOAT_SHORT,)
    assert verdicts(on, top_up(on, 9))[1] == (Code.BELOW_MINIMUM,)
    assert verdicts(on, top_up(on, -100))[1] == (Code.BELOW_MINIMUM,)


def test_a_deposit_is_one_at_a_time_within_the_day_on_the_sequence_that_was_read() -> None:
    on = seen()
    spent = replace(FRESH, spent=replace(RICH, day_top_up=quote(5_500)))
    blocked = replace(on, transfers_blocked_until={0: on.height + 1})
    wrong: tuple[TopUp, ...] = (
        replace(top_up(on), sequence=8),
        replace(top_up(on), account_number=1),
        replace(top_up(on), timeout_height=on.height + 21),
    )

    assert verdicts(on, top_up(on), top_up(on))[1] == (Code.TOP_UP_IN_FLIGHT,)
    flying = replace(FRESH, top_up_in_flight=True)
    assert verdicts(on, top_up(on), standing=flying)[1] == (Code.TOP_UP_IN_FLIGHT,)
    assert verdicts(on, top_up(on), standing=spent)[1] == (Code.BUDGET_TOP_UP,)
    assert verdicts(blocked, top_up(blocked))[1] == (Code.TRANSFERS_BLOCKED,)
    for one in wrong:
        assert verdicts(on, one)[1] == (Code.WRONG_WINDOW,)


def test_without_a_float_in_the_rules_nothing_is_deposited() -> None:
    on = seen()

    assert verdicts(on, top_up(on), policy=replace(POLICY, float_source=None))[1] == (
        Code.FLOAT_SHORT,
    )


def test_no_reducing_order_is_cancelled_while_its_position_stands() -> None:
    stop = resting(BTC, SELLS, "0.5", 90_000, client_id=1, reduce_only=True)
    near = resting(BTC, SELLS, "0.4", 101_000, client_id=2)
    far = resting(BTC, SELLS, "0.4", 102_000, client_id=3)  # with `near` beyond the position
    more = resting(BTC, BUYS, "0.4", 98_000, client_id=4)
    on = with_orders(seen(), stop, near, far, more)

    assert verdicts(on, cancel_of(stop))[1] == (Code.CANCELS_PROTECTION,)
    assert verdicts(on, cancel_of(far), cancel_of(more))[1] == ()


def test_of_two_equal_orders_that_are_one_too_many_the_first_stays() -> None:
    first = resting(BTC, SELLS, "0.3", 101_000, client_id=1)
    second = resting(BTC, SELLS, "0.3", 101_000, client_id=2)
    on = with_orders(seen(), first, second)  # either alone is within the position

    passed, refused = verdicts(on, cancel_of(first), cancel_of(second))

    assert passed == (cancel_of(second),)
    assert refused == (Code.CANCELS_PROTECTION,)


def test_a_reduce_only_order_ahead_makes_no_other_one_too_many() -> None:
    stop = resting(BTC, SELLS, "0.5", 100_500, client_id=1, reduce_only=True)
    near = resting(BTC, SELLS, "0.4", 101_000, client_id=2)
    on = with_orders(seen(), stop, near)

    assert verdicts(on, cancel_of(near))[1] == (Code.CANCELS_PROTECTION,)


def test_a_reducing_order_may_go_once_the_position_is_flat() -> None:
    stop = resting(SOL, SELLS, "5", 190, reduce_only=True)
    on = with_orders(seen(), stop)  # the parent holds no SOL

    assert verdicts(on, cancel_of(stop))[1] == ()


def test_a_cancel_of_an_order_that_is_not_there_is_refused() -> None:
    on = with_orders(seen(), resting(BTC, BUYS, "0.1", 99_000, client_id=1))
    other = resting(BTC, BUYS, "0.1", 99_000, client_id=2)

    assert verdicts(on, cancel_of(other))[1] == (Code.NOT_GUARDED,)


def test_a_cancel_that_names_another_market_s_pair_would_take_that_one_s_order() -> None:
    stop = resting(BTC, SELLS, "0.5", 90_000, client_id=5, reduce_only=True)
    more = resting(ETH, SELLS, "1", 4_100, client_id=5)  # the same id, adding to a short
    on = with_orders(seen(), stop, more)
    mad = replace(cancel_of(more), clob_pair_id=BTC.clob_pair_id)  # on the wire: the stop of BTC

    assert verdicts(on, cancel_of(more))[1] == ()
    assert verdicts(on, mad)[1] == (Code.NOT_GUARDED,)


def test_a_refusal_names_the_order_and_the_numbers() -> None:
    on = seen()
    big: Reduce = resized(reduce(on), int(quantums(BTC, "0.6")))
    assert big.quantums == BaseQuantums(6_000_000_000)

    _, (refusal,) = judge([Asked(action=big)], on, POLICY, FRESH)

    assert refusal.what == "sell 0/BTC-USD"
    assert refusal.detail == "asked 0.6, sent 0, position 0.5"
