"""What a key means when it is not written: RULES.md section 1, column "default"."""

from __future__ import annotations

from decimal import Decimal

from seawall.measures.spec import Per
from seawall.policy import (
    Bound,
    Flatten,
    Interlock,
    Latch,
    Lock,
    Mode,
    NoDataMode,
    Operator,
    Page,
    Policy,
    ReduceAmount,
    ReduceUntil,
    Scope,
    TopUpUntil,
)
from seawall.rulefile import parse
from seawall.units import HOUR, MINUTE, SECOND, Millis, Ppm
from tests.rulefile.texts import CUT, TWIN_GAP, level_of, one_rule, rule_of


def test_the_smallest_rule_flattens_at_two_per_cent_and_latches() -> None:
    rule = rule_of(
        one_rule(measure="drawdown", trigger='">= 12%"', do="[page, flatten]", id="smallest")
    )

    (level,) = rule.levels
    assert rule.scope == Scope(per=Per.ACCOUNT)
    assert (rule.no_data, rule.mode, rule.line) == (NoDataMode.HOLD, None, 2)
    assert level.trigger == Bound(operator=Operator.AT_LEAST, value=Decimal("0.12"))
    assert (level.target, level.clear, level.latch) == (None, None, Latch())
    assert (level.hold, level.clear_hold, level.cooldown) == (0, 0, MINUTE)
    assert level.do == (Page(), Flatten(max_slippage=Ppm(20_000), give_up_after=Millis(90_000)))


def test_a_latch_that_is_written_wins_over_the_one_of_a_bare_flatten() -> None:
    level = level_of(one_rule(do="[flatten]", latch='"08:30Z"'))

    assert level.latch == Latch(until=Millis(8 * HOUR + 30 * MINUTE))


def test_a_flatten_with_settings_brings_no_latch() -> None:
    level = level_of(one_rule(do="[{flatten: {max_slippage: 300bps}}]", clear='"< $1_000"'))

    assert level.latch is None
    assert level.do == (Flatten(max_slippage=Ppm(30_000), give_up_after=Millis(90_000)),)


def test_a_target_is_the_clear_where_none_is_written() -> None:
    level = level_of(one_rule(target='"<= $7_000"', do=CUT))

    assert level.clear == level.target == Bound(operator=Operator.AT_MOST, value=Decimal(7_000))
    assert level.clear_hold == 0


def test_a_level_that_only_speaks_clears_a_minute_after_its_trigger() -> None:
    level = level_of(one_rule())

    assert (level.clear, level.clear_hold) == (None, MINUTE)


def test_a_level_that_only_speaks_keeps_a_line_or_a_time_that_is_written() -> None:
    with_clear = level_of(one_rule(clear='"< $8_000"'))
    with_time = level_of(one_rule(clear_for="10m"))

    assert with_clear.clear_hold == 0
    assert (with_time.clear, with_time.clear_hold) == (None, 10 * MINUTE)


def test_unnamed_levels_are_called_by_what_they_do() -> None:
    assert level_of(one_rule()).name == "watch"
    assert level_of(one_rule(do="[page]")).name == "watch"
    assert level_of(one_rule(target='"<= $7_000"', do=CUT)).name == "act"
    assert level_of(one_rule(name="loud")).name == "loud"


def test_a_lock_takes_the_largest_slippage_beside_it() -> None:
    do = "[lock, {reduce: {amount: 33%, max_slippage: 60bps}}, {flatten: {max_slippage: 1%}}]"

    level = level_of(one_rule(latch="manual", do=do))

    assert Lock(max_slippage=Ppm(10_000)) in level.do


def test_a_lock_may_bring_its_own_slippage() -> None:
    level = level_of(one_rule(latch="manual", do="[{lock: {max_slippage: 25bps}}]"))

    assert level.do == (Lock(max_slippage=Ppm(2_500)),)


def test_what_to_do_beyond_reach_keeps_the_cap_of_its_reduction() -> None:
    def or_else(written: str) -> object:
        cut = f"[{{reduce: {{until: target, max_slippage: 40bps, or_else: {written}}}}}]"
        text = one_rule(
            measure="free_collateral", trigger='"< $1_000"', target='">= $2_000"', do=cut
        )
        (do,) = level_of(text).do
        assert isinstance(do, ReduceUntil)
        return do.or_else

    assert or_else("page") == Page()
    assert or_else("flatten") == Flatten()
    assert or_else("{amount: 50%}") == ReduceAmount(share=Ppm(500_000), max_slippage=Ppm(4_000))


def test_per_is_the_first_word_listed_for_the_measure() -> None:
    assert rule_of(one_rule()).scope.per is Per.MARKET
    assert rule_of(one_rule(measure="leverage", trigger='"> 10x"')).scope.per is Per.SUBACCOUNT


def test_a_scope_names_what_it_narrows_and_a_star_is_all() -> None:
    wide = rule_of(one_rule(scope='{markets: "*", subaccounts: "*"}')).scope
    narrow = rule_of(one_rule(scope="{per: group, except: [BTC-USD], subaccounts: [0, 128]}")).scope

    assert (wide.markets, wide.subaccounts) == (None, None)
    assert narrow == Scope(per=Per.GROUP, excluded=("BTC-USD",), subaccounts=(0, 128))
    assert narrow.has_market("SOL-USD")
    assert not narrow.has_market("BTC-USD")


def test_a_rule_may_be_kept_on_paper() -> None:
    assert rule_of(one_rule(mode="dry-run")).mode is Mode.DRY_RUN


def test_absent_blocks_mean_no_buffer_no_caps_no_stops_and_the_usual_budgets() -> None:
    policy = parse(one_rule()).policy

    assert policy == Policy(rules=policy.rules)
    assert policy.price_band == 30_000
    assert (policy.budget.hourly_notional, policy.budget.hourly_orders) == (600_000, 30)
    assert (policy.budget.daily_cost, policy.budget.daily_top_up) == (10_000, None)
    assert policy.interlock == Interlock(count=3, over=Millis(30 * MINUTE))


def test_every_block_is_read() -> None:
    address = "dydx199tqg4wdlnu4qjlxchpd7seg454937hjrknju4"
    head = (
        f"version: 1\naccount: {{float: {{address: {address}, floor: $20}},"
        " hands_off: {markets: [DOGE-USD], subaccounts: [128]}}\n"
        "equity: {buffer: $3_000, child_buffer: $100}\ncaps: {SOL-USD: $5_000}\n" + TWIN_GAP +
        "limits: {max_drawdown: 12%, derive_caps: {scenario: twin-gap, share: {BTC-USD: 40%}}}\n"
        "backstop: {scenario: twin-gap, at: 60%, slippage: 500bps}\nprice_band: 2%\n"
        "budgets: {per_hour: {notional: 50%, orders: 7}, per_day: {cost: 2%, top_up: $900}}\n"
        "interlocks: {max_interventions: {count: 2, per: market, over: 10m}}\n"
    )  # fmt: skip

    policy = parse(one_rule(head=head)).policy

    assert policy.float_source is not None
    assert (policy.float_source.address, policy.float_source.floor) == (address, Decimal(20))
    assert policy.hands_off.markets == ("DOGE-USD",)
    assert policy.hands_off.subaccounts == (128,)
    assert (policy.buffer.parent, policy.buffer.child) == (Decimal(3_000), Decimal(100))
    assert policy.caps.typed == {"SOL-USD": Decimal(5_000)}
    assert policy.caps.derived is not None
    assert policy.caps.derived.max_drawdown == 120_000
    assert policy.caps.derived.shares == {"BTC-USD": 400_000}
    scenario = policy.scenarios["twin-gap"]
    assert scenario.shocks == {"BTC-USD": -100_000, "*": -150_000}
    assert (scenario.slippage, scenario.over, scenario.signs) == (15_000, 0, (1, -1))
    assert policy.backstop is not None
    assert (policy.backstop.at, policy.backstop.slippage) == (600_000, 50_000)
    assert policy.price_band == 20_000
    assert policy.budget.hourly_orders == 7
    assert policy.budget.daily_top_up == Decimal(900)
    assert policy.interlock == Interlock(count=2, over=Millis(10 * MINUTE))


def test_cash_and_size_may_chase_one_target() -> None:
    do = "[{top_up: {until: target, max: $3_000}}, {reduce: {until: target, max_slippage: 80bps}}]"

    level = level_of(one_rule(measure="leverage", trigger='"> 10x"', target='"<= 8x"', do=do))

    assert level.do == (
        TopUpUntil(most=Decimal(3_000)),
        ReduceUntil(max_slippage=Ppm(8_000), or_else=None),
    )


def test_times_are_block_time_in_milliseconds() -> None:
    level = level_of(one_rule(for_="1m30s", clear_for="10m", cooldown="8h"))

    assert level.hold == 90 * SECOND
    assert level.clear_hold == 10 * MINUTE
    assert level.cooldown == 8 * HOUR
