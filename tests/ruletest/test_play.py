"""Playing: what is left out changes nothing, and each test has an account of its own."""

from __future__ import annotations

import pytest

from seawall.ruletest import load_suite
from seawall.ruletest.heard import played
from seawall.ruletest.play import Moment, play
from seawall.ruletest.stories import stories_of
from seawall.units import MINUTE, Millis
from tests.ruletest.texts import TESTS, rules, shipped, story

SHIPPED = shipped()
NAMES = [test.name for test in load_suite(TESTS, SHIPPED.policy).tests]
SHORT = Millis(20 * MINUTE)


def told(moment: Moment) -> tuple[object, ...]:
    """What a moment leaves behind that a later one could read, but for counters and clocks."""
    memory = moment.memory
    return (
        memory.alarms,
        memory.running,
        memory.locks,
        memory.spent,
        memory.pages,
        moment.seen.subaccounts,
        moment.decision.messages,
        [one.what for one in moment.decision.actions],
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_is_left_out_changes_nothing(name: str) -> None:
    test = next(one for one in load_suite(TESTS, SHIPPED.policy).tests if one.name == name)
    stops = [one.at for one in test.expect if one.at <= SHORT]

    quick = {one.at: told(one) for one in play(SHIPPED.policy, test, stops)}
    every = {one.at: told(one) for one in play(SHIPPED.policy, test, stops, every=True)}

    assert [quick[at] for at in stops] == [every[at] for at in stops]
    assert all(quick[at] == every[at] for at in quick)


def test_time_that_only_holds_costs_a_few_ticks() -> None:
    rule = next(one for one in SHIPPED.policy.rules if one.id == "funding-drain")
    test = played(SHIPPED.policy, next(iter(stories_of(SHIPPED.policy, rule))))

    ticks = sum(1 for _ in play(SHIPPED.policy, test, [Millis(1_000 * MINUTE)]))

    assert ticks < 60  # of 12,000


def test_a_day_of_rest_is_as_long_skipped_as_played() -> None:
    body = "    series: {drawdown: [10%, {hold: 2m}, 0%]}\n    expect: [{at: 9m, quiet: true}]\n"
    loaded = rules()
    test = story(body, loaded)

    moments = list(play(loaded.policy, test, [Millis(9 * MINUTE)]))

    cleared = next(one.at for one in moments if one.at > MINUTE and not one.memory.alarms)
    assert cleared == 7 * MINUTE  # five minutes after the fall was over


def test_a_peak_that_forms_while_prices_rest_is_not_left_out() -> None:
    body = (
        "    prices: {BTC-USD: [100_000, {hold: 10s}, 120_000, {hold: 3m}, 108_000]}\n"
        "    expect: [{at: 4m, quiet: true}]\n"
    )
    loaded = rules()
    test = story(body, loaded)
    stops = [Millis(4 * MINUTE)]

    (*_, quick) = play(loaded.policy, test, stops)
    (*_, every) = play(loaded.policy, test, stops, every=True)

    assert quick.memory.ledger is not None
    assert every.memory.ledger is not None
    account = quick.memory.ledger.series[""]
    assert account.peak == every.memory.ledger.series[""].peak
    assert account.peak == account.nav * 22_000 / 20_800  # 20% on half of the equity


def test_a_cut_costs_its_slippage_and_the_fee() -> None:
    body = "    series: {drawdown: 10%}\n    expect: [{at: 2m, quiet: true}]\n"
    loaded = rules()

    (*_, last) = play(loaded.policy, story(body, loaded), [Millis(2 * MINUTE)])

    slippage, fee = 30_000_000, 2_485_000  # 60bps of $5,000, 5bps of what was exchanged
    assert last.memory.spent.day_cost == slippage + fee
    assert last.seen.subaccounts[0].position("BTC-USD") is not None
