"""Stops in `status`: what rests, what is wanted, and why there is none, in a trader's words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.account import EquityTier, Missing, Observation, RestingOrder, Side
from seawall.action import stop_ids
from seawall.cli.stops import (
    NOT_ASKED_FOR,
    describe,
    stop_lines,
    stop_objects,
    stop_reports,
    stop_rows,
)
from seawall.measures.view import View
from seawall.policy import HandsOff, Policy
from seawall.rulefile import parse
from seawall.units import QuoteQuantums
from tests.rulefile.texts import one_rule
from tests.see import AT, BTC, CHAIN_ID, OWNER, resting, see, subticks, view

HEAD = (
    'scenarios:\n  gap: {"*": -10%, both_signs: true}\n'
    "backstop: {scenario: gap, at: 60%, slippage: 500bps}\n"
)
POLICY = parse(one_rule(head=HEAD)).policy
IDS = stop_ids(CHAIN_ID, OWNER, 0, 0)
ABSENT = "none; wanted: sell 0.1 at $94,000 (6% away), $89,300 or better"


def rests(slot: int = 0, **changes: object) -> RestingOrder:
    order = resting(
        BTC, Side.SELL, "0.1", 89_300, client_id=IDS[slot], reduce_only=True, order_flags=32
    )
    until = AT // 1_000 + 14 * 86_400
    order = replace(order, trigger_subticks=subticks(BTC, 94_000), good_til_block_time=until)
    return replace(order, **changes)  # type: ignore[arg-type]


def over(
    *orders: RestingOrder, missing: Missing | None = None, held: str = "0.1", **more: object
) -> Observation:
    """0.1 BTC at 100,000, ten per cent from liquidation."""
    positions = {"BTC-USD": (held, 100_000)} if held != "0" else {}
    return see(equity=1_108, positions=positions, orders=missing or orders, **more)  # type: ignore[arg-type]


def shown(seen: Observation, policy: Policy = POLICY) -> list[tuple[str, str]]:
    looked: View = view(seen, scenarios=list(policy.scenarios.values()))
    return list(stop_lines(stop_reports(looked, policy), seen, policy))


def test_one_that_rests_is_told_with_its_distance_bound_and_end() -> None:
    (row,) = shown(over(rests()))

    assert row == (
        "0/BTC-USD",
        "rests for 0s: sell 0.1 at $94,000 (6% away), $89,300 or better, until 2023-11-28",
    )


def test_two_are_told_while_one_takes_the_others_place() -> None:
    older = rests(1, is_triggered=True, good_til_block_time=AT // 1_000 + 86_400)

    rows = shown(over(older, rests()))

    assert [what.partition(":")[0] for _, what in rows] == [
        "rests for 0s",
        "has gone off, stood for 13d",
    ]


@pytest.mark.parametrize(
    ("seen", "policy", "words"),
    [
        (over(), POLICY, ABSENT),
        (
            over(missing=Missing(reason="indexer: connection refused")),
            POLICY,
            "none: no data: indexer: connection refused",
        ),
        (
            over(),
            replace(POLICY, hands_off=HandsOff(markets=("BTC-USD",))),
            "none: hands_off in the rule file",
        ),
        (
            over(equity_tiers=(EquityTier(least=QuoteQuantums(2_000 * 10**6), orders=5),)),
            POLICY,
            "none: the chain lets a subaccount of so little equity have no more stateful orders",
        ),
    ],
)
def test_why_there_is_none_is_said(seen: Observation, policy: Policy, words: str) -> None:
    assert shown(seen, policy) == [("0/BTC-USD", words)]


def test_without_the_block_one_line_says_what_that_means() -> None:
    ((place, what),) = shown(over(), replace(POLICY, backstop=None))

    assert place == "all"
    assert what.startswith("none: the rules have no `backstop`; if the guard dies")


def test_one_that_is_left_over_is_told_even_flat_and_without_the_block() -> None:
    flat = over(rests(), held="0")

    assert [place for place, _ in shown(flat, replace(POLICY, backstop=None))] == ["0/BTC-USD"]
    assert [place for place, _ in shown(flat)] == ["0/BTC-USD"]


def test_a_traders_own_stop_is_none_of_ours() -> None:
    assert shown(over(rests(client_id=7))) == [("0/BTC-USD", ABSENT)]


@pytest.mark.parametrize(
    ("seen", "row"),
    [
        (
            over(rests(good_til_block_time=AT // 1_000 + 14 * 86_400 - 7_200)),
            ("rests", "sell 0.1 at $94,000", "6% away", "for 2h"),
        ),
        (
            over(rests(is_triggered=True)),
            ("has gone off", "sell 0.1 at $94,000", "6% away", "for 0s"),
        ),
        (over(), ("none", "wanted: sell 0.1 at $94,000", "6% away", "")),
        (over(missing=Missing(reason="no feed")), ("none", "", "no data: no feed", "")),
    ],
)
def test_in_columns_each_has_its_state_distance_and_age(
    seen: Observation, row: tuple[str, ...]
) -> None:
    looked = view(seen, scenarios=list(POLICY.scenarios.values()))

    assert list(stop_rows(stop_reports(looked, POLICY), seen, POLICY)) == [
        ("backstop/0/BTC-USD", *row)
    ]


def test_what_the_block_asks_for_is_said_in_words() -> None:
    said = " ".join(describe(POLICY))

    for words in ("60% of the way", "scenario gap", "500bps beyond", "if the guard dies"):
        assert words in said
    assert list(describe(replace(POLICY, backstop=None))) == [NOT_ASKED_FOR]


def test_json_has_prices_and_sizes_as_strings() -> None:
    seen = over(rests(good_til_block_time=AT // 1_000 + 14 * 86_400 - 7_200))
    looked = view(seen, scenarios=list(POLICY.scenarios.values()))

    (said,) = stop_objects(stop_reports(looked, POLICY), seen)

    prices = {"side": "SELL", "size": "0.1000000000", "trigger": "94000.00000", "away": "0.06"}
    assert said["wanted"] == prices | {"worst_price": "89300.00000"}
    assert said["rests"] == [
        prices
        | {
            "worst_price": "89300.00000",
            "until": AT // 1_000 + 14 * 86_400 - 7_200,
            "has_gone_off": False,
        }
        | {"age_s": 7_200}
    ]
    assert (said["subaccount"], said["market"], said["reason"]) == (0, "BTC-USD", None)
