"""Expectations are exact: what is not listed fails, what is listed must be so."""

from __future__ import annotations

import pytest

from seawall.ruletest import run
from tests.ruletest.texts import rules, shipped, story

FALL = "    series: {drawdown: 10%}\n"


def faults(body: str) -> list[str]:
    loaded = rules()
    return [one.what for one in run(loaded.policy, story(body, loaded)).failures]


def test_a_story_that_is_told_right_holds() -> None:
    body = (
        FALL
        + "    resting: [{market: BTC-USD, side: buy, size: 0.1, price: 90_000}]\n"
        + "    expect:\n"
        + "      - {at: 25s, quiet: true, plan: []}\n"
        + "      - {at: 30s, firing: {loss: watch}, messages: [notify]}\n"
        + "      - {at: 1m, firing: {loss: act}, messages: [page], plan: "
        + "[{cancel_orders: risk_increasing}, {reduce: {BTC-USD: 0.05}}], "
        + 'after: {gross_exposure/BTC-USD: "== $5_000"}}\n'
        + '      - {at: 1m5s, firing: {loss: act}, measures: {open_order_risk/BTC-USD: "== $0"}}\n'
    )

    assert faults(body) == []


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        ("{at: 30s, quiet: true}", ["loss/watch fires, nothing was expected of it"]),
        ("{at: 25s, firing: {loss: watch}}", ["loss does not fire, expected watch"]),
        ("{at: 1m, firing: {loss: watch}}", ["loss fires at act, expected watch"]),
        (
            "{at: 1m, firing: {loss: act}, plan: [{cancel_orders: all}, {reduce: {BTC-USD: 40%}}]}",
            [
                "plan cancels risk_increasing, expected all",
                "plan reduces BTC-USD by 0.0500000000 (50%), expected 40%",
            ],
        ),
        (
            "{at: 1m, firing: {loss: act}, plan: [{top_up: 5}, {flatten: all}]}",
            [
                "plan cancels risk_increasing, expected nothing",
                "plan deposits $0, expected $5",
                "plan flattens nothing, expected all",
                "plan reduces BTC-USD by 0.0500000000, expected nothing",
            ],
        ),
        (
            "{at: 1m, firing: {loss: act}, messages: [notify], locked: [BTC-USD]}",
            ["messages page, expected notify", "locked nothing, expected BTC-USD"],
        ),
        (
            '{at: 30s, firing: {loss: watch}, measures: {drawdown: "< 9%"}}',
            ["drawdown < 9%: it is 10%"],
        ),
        (
            '{at: 30s, firing: {loss: watch}, measures: {equity/7: "> $0"}}',
            ["equity/7 > $0: no data (no instance 7 here)"],
        ),
    ],
)
def test_each_thing_that_is_not_so_is_said(expectation: str, said: list[str]) -> None:
    assert faults(f"{FALL}    expect:\n      - {expectation}\n") == said


def test_an_order_that_nobody_fills_is_there_again_in_the_next_step() -> None:
    unfilled = f"{FALL}    fills: none\n    expect:\n"
    plan = "plan: [{cancel_orders: risk_increasing}, {reduce: {BTC-USD: 50%}}]"

    said = faults(
        f"{unfilled}      - {{at: 1m, firing: {{loss: act}}, {plan}}}\n"
        f"      - {{at: 1m5s, firing: {{loss: act}}, {plan}}}\n"
    )

    assert said == []


def test_money_that_moves_is_neither_profit_nor_loss() -> None:
    body = (
        "    flows: {1m: -2_000}\n"
        '    expect: [{at: 2m, quiet: true, measures: {drawdown: "== 0%", equity: "== $18_000"}}]\n'
    )

    assert faults(body) == []


def test_prices_sizes_and_funding_move_what_they_say() -> None:
    loaded = shipped()
    body = (
        "    prices: {BTC-USD: [100_000, {hold: 10s}, 99_000]}\n"
        "    sizes: {BTC-USD: [0.05, {hold: 20s}, 0.06]}\n"
        "    funding: {BTC-USD: 0.01%}\n"
        "    expect:\n"
        '      - {at: 5s, quiet: true, measures: {gross_exposure/BTC-USD: "== $5_000", '
        'funding_24h: "== $12"}}\n'
        '      - {at: 10s, quiet: true, measures: {equity: "== $19_950"}}\n'
        '      - {at: 20s, quiet: true, measures: {gross_exposure/BTC-USD: "== $5_940", '
        'equity: "== $19_950"}}\n'
    )

    assert run(loaded.policy, story(body, loaded)).failures == ()
