"""What changed between two rule files, in words."""

from __future__ import annotations

import pytest

from seawall.rulefile import differences, load, parse
from tests.rulefile.texts import CUT, SHIPPED, TWIN_GAP, one_rule

TEXT = SHIPPED.read_text()
OLD = load(SHIPPED).policy


def test_a_file_does_not_differ_from_itself() -> None:
    assert differences(OLD, parse(TEXT + "# a comment\n").policy) == ()


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('">= 12%"', '">= 12.5%"', "account-drawdown/panic trigger 12% -> 12.5%"),
        ('">= 12%"', '"> 12%"', "account-drawdown/panic trigger >= 12% -> > 12%"),
        ('"< 5%"', '"< 4%"', "account-drawdown/watch clear 5% -> 4%"),
        ("clear_for: 10m", "clear_for: 90s", "account-drawdown/watch clear_for 10m -> 1m30s"),
        ("latch: manual", 'latch: "06:00Z"', "account-drawdown/panic latch manual -> 06:00Z"),
        ("amount: 33%", "amount: 30%", "account-drawdown/act reduce amount 33% -> 30%"),
        (
            "max_slippage: 60bps",
            "max_slippage: 70bps",
            "account-drawdown/act reduce amount max_slippage 60bps -> 70bps",
        ),
        ("give_up_after: 90s", "give_up_after: 2m",
         "account-drawdown/panic flatten give_up_after 1m30s -> 2m"),
        ("cancel_orders: all", "cancel_orders: risk_increasing",
         "account-drawdown/panic cancel_orders all -> risk_increasing"),
        ("or_else: page", "or_else: flatten", "collateral-floor/act or_else page -> flatten"),
        ("max: $3_000", "max: $2_500", "collateral-floor/act top_up max $3,000 -> $2,500"),
        ("except: [BTC-USD, ETH-USD]", "except: [BTC-USD]",
         "alt-basket except BTC-USD, ETH-USD -> BTC-USD"),
        ("subaccounts: [0]}", "subaccounts: [0, 128]}", "collateral-floor subaccounts 0 -> 0, 128"),
        ("no_data: fire", "no_data: hold", "sources-disagree no_data fire -> hold"),
        ("ETH-USD: 4%", "ETH-USD: -4%", "scenario pair-break ETH-USD 4% -> -4%"),
        ("over: 1h", "over: 2h", "scenario twin-gap over 1h -> 2h"),
        ("buffer: $3_000", "buffer: $30_000", "equity buffer $3,000 -> $30,000"),
        ("price_band: 3%", "price_band: 4%", "price_band 3% -> 4%"),
        ("at: 60%", "at: 50%", "backstop at 60% -> 50%"),
        ("max_drawdown: 12%", "max_drawdown: 10%", "limits max_drawdown 12% -> 10%"),
        ("BTC-USD: 40%", "BTC-USD: 45%", "derive_caps share BTC-USD 40% -> 45%"),
        ("SOL-USD: $5_000", "SOL-USD: $6_000", "caps SOL-USD $5,000 -> $6,000"),
        ("SOL-USD: $5_000", "DOGE-USD: $5_000", "caps DOGE-USD $5,000 added"),
        ("orders: 30", "orders: 20", "budgets per_hour orders 30 -> 20"),
        (", top_up: $6_000", "",
         "budgets per_day top_up $6,000 -> the smaller of $6,000 and 20% of equity"),
        ("count: 3", "count: 4", "interlocks max_interventions count 3 -> 4"),
        ("markets: []", "markets: [BTC-USD]", "hands_off markets none -> BTC-USD"),
        (("      - name: watch\n        trigger: \">= 2%\"\n        clear: \"< 1.5%\"\n"
         "        do: [notify]\n"), "", "level day-loss/watch removed"),
        ("          - lock            # no revenge trades\n", "",
         "day-loss/act lock max_slippage 80bps removed"),
        ("id: day-loss", "id: day-losses", "rule day-loss removed"),
        ("id: day-loss", "id: day-losses", "rule day-losses added"),
    ],
)  # fmt: skip
def test_a_change_is_one_line_with_what_it_was_and_what_it_is(
    right: str, wrong: str, said: str
) -> None:
    assert right in TEXT

    new = parse(TEXT.replace(right, wrong, 1)).policy

    assert said in differences(OLD, new)


def test_a_change_is_said_alone() -> None:
    new = parse(TEXT.replace('">= 12%"', '">= 12.5%"')).policy

    assert differences(OLD, new) == ("account-drawdown/panic trigger 12% -> 12.5%",)


def test_an_order_that_changed_is_said_too() -> None:
    cut = "{reduce: {amount: 5%, max_slippage: 60bps}}"
    one = parse(one_rule(latch="manual", do=f"[notify, {cut}]")).policy
    other = parse(one_rule(latch="manual", do=f"[{cut}, notify]")).policy

    assert differences(one, other) == ("the order of rules or of actions changed",)


def test_a_file_without_blocks_against_one_with_them() -> None:
    bare = parse(one_rule()).policy
    backstop = "backstop: {scenario: twin-gap, at: 60%, slippage: 500bps}\n"
    full = parse(one_rule(head=TWIN_GAP + backstop, target='"<= $7_000"', do=CUT)).policy

    said = differences(bare, full)

    assert "scenario twin-gap added" in said
    assert "backstop at 60% added" in said
    assert "level gross/watch removed" in said
    assert "level gross/act added" in said
