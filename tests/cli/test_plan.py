"""`seawall plan`: one screen, one JSON object, what it refuses, and a look over the wires."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seawall.account import Observation, Side
from seawall.action import Refusal, RefusalCode
from seawall.cli.plan import app, as_object, moves_of
from seawall.cli.recalled import recall
from seawall.cli.sheet import sheet
from seawall.decide.preview import preview
from seawall.errors import OperatorError
from seawall.plan import solver
from seawall.policy import FloatSource
from seawall.rulefile import load, parse
from seawall.settings import Settings
from seawall.units import Millis, Ppm
from tests.decide.guarded import FLOAT
from tests.rulefile.texts import DEMO, SHIPPED
from tests.see import BTC, MARKETS, SOL, Held, book, resting, see
from tests.venue.dydx.fake_indexer import FakeIndexer, indexing
from tests.venue.dydx.fake_node import CHAIN_ID, OWNER, FakeNode, serving

GOLDEN = Path(__file__).with_name("plan-five-positions.txt")
POLICY = load(SHIPPED).policy
ALTS = {
    name: replace(SOL, ticker=name, perpetual_id=20 + at, clob_pair_id=20 + at)
    for at, name in enumerate(("LINK-USD", "AVAX-USD"))
}


SETTINGS = Settings.model_validate({"account": {"address": OWNER}})
ONE_RULE = """\
budgets: {per_hour: {notional: 2000%, orders: 99}, per_day: {cost: 100%}}
rules:
  - id: leverage
    why: "Borrow nothing."
    measure: leverage
    trigger: "> 4x"
    target: "<= 0x"
    do: [notify, {reduce: {until: target, max_slippage: 100bps}}]
"""
FED = """\
budgets: {per_day: {top_up: $6_000}}
rules:
  - id: margin
    why: "Cash first."
    measure: free_collateral
    trigger: "< $3_500"
    target: ">= $4_000"
    do: [notify, {top_up: {until: target, max: $3_000}}]
"""
CANCELS = """\
rules:
  - id: size
    why: "No more."
    measure: gross_exposure
    scope: {per: account}
    trigger: "> $9_000"
    clear: "< $8_000"
    do: [notify, {cancel_orders: risk_increasing}]
"""
HELD: Held = {
    "BTC-USD": ("0.12", 100_000),
    "ETH-USD": ("-1.8", 4_000),
    "SOL-USD": ("30", 200),
    "LINK-USD": ("15", 200),
    "AVAX-USD": ("-10", 200),
}


def five_positions() -> Observation:
    return see(equity=12_000, positions=HELD, markets={**MARKETS, **ALTS}, float=6_000)


def test_five_positions_with_everything_that_may_be_said_fit_one_screen(tmp_path: Path) -> None:
    """A cancel, five orders, a deposit, claims, what the budget stops, and what hands would do."""
    seen = see(
        equity=4_600,
        positions=HELD,
        markets={**MARKETS, **ALTS},
        float=6_000,
        orders=(resting(BTC, Side.BUY, "0.05", 95_000),),
    )
    assert seen.float_wallet is not None
    fed = replace(POLICY, float_source=FloatSource(address=seen.float_wallet.address))

    shown = preview(fed, seen, {})

    known = recall(tmp_path / "j.db", SETTINGS, "").line().replace(str(tmp_path), "data")
    lines = sheet(shown, "five positions, now", known)

    assert "\n".join(lines) + "\n" == GOLDEN.read_text()
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= 100


def test_what_is_not_done_keeps_its_reason_however_long_its_name() -> None:
    name = "reach the target of survive-the-twin-gap-of-october-and-the-next/128"
    why = "0/BTC-USD: bound 98,250.5 leaves 0.0312; 0/ETH-USD: depth is 1.25"
    left = Refusal(code=RefusalCode.BOUND, what=name, detail=f"{why}. The rest follows")
    calm = preview(parse(ONE_RULE).policy, see(positions={"BTC-USD": ("0.1", 100_000)}), {})

    said = [
        next(line for line in sheet(replace(calm, refused=(one,)), "long") if "not done" in line)
        for one in (left, replace(left, detail=f"{why}; {why}"), replace(left, detail="no price"))
    ]

    head = "not done: reach the target of surviv…-the-next/128: 0/BTC-USD: bound 98,250.5 leaves "
    assert said[0].startswith(head)
    assert said[1].startswith(head)
    assert said[2] == f"not done: {name}: no price"
    assert max(map(len, said)) <= 100


def test_a_greedy_plan_is_called_one_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    moves = moves_of("BTC-USD -8%, ETH-USD -10%")
    ours = sheet(preview(POLICY, five_positions(), moves), "ours")
    assert not any(line.startswith("the greedy plan") for line in ours)

    monkeypatch.setattr(solver, "solve", lambda _: None)
    lines = sheet(preview(POLICY, five_positions(), moves), "greedy")

    assert "the greedy plan     the solver found no point" in lines
    assert len(lines) <= 24

    monkeypatch.setattr(
        "seawall.plan.propose", lambda *_, **__: (_ for _ in ()).throw(ValueError("no"))
    )
    lines = sheet(preview(POLICY, five_positions(), moves), "simple")
    assert "the greedy plan     the planner failed" in lines


def test_json_has_every_measure_and_decimals_as_strings() -> None:
    moves = moves_of("BTC-USD -8%, ETH-USD -10%")
    shown = preview(POLICY, five_positions(), moves)

    said = json.loads(json.dumps(as_object(shown, moves)))

    assert said["if"] == {"BTC-USD": "-0.080000", "ETH-USD": "-0.100000"}
    assert len(said["measures"]) == len(shown.changes) > 12
    assert {one["name"] for one in said["alternatives"]} == {
        "this plan",
        "greedy",
        "close largest",
        "pro rata",
    }
    order = next(one for one in said["orders"] if one["market"] == "BTC-USD")
    assert (order["side"], order["size"], order["expected_fill"]) == (
        "SELL",
        order["expected_fill"],
        order["size"],
    )
    assert float(order["worst_price"]) < 92_000
    assert any(name.startswith("market-cap/BTC-USD/act#") for name in order["asked_by"])


def test_what_hands_would_do_is_measured_on_the_depth_that_the_plan_believes() -> None:
    thin = book(BTC, levels=[("0.0005", "0.05"), ("0.004", "1")])
    seen = see(equity=4_000, positions={"BTC-USD": ("0.4", 100_000)}, books={"BTC-USD": thin})
    flat = parse(ONE_RULE).policy  # closes everything: there is one way to do it, at one cost

    ours, *others = preview(flat, seen, {}).alternatives

    assert [one.cost for one in others] == [ours.cost] * 3


def test_cancels_are_shown_where_nothing_else_is_to_do() -> None:
    order = resting(BTC, Side.BUY, "0.05", 95_000)
    seen = see(equity=30_000, positions={"BTC-USD": ("0.1", 100_000)}, orders=(order,))
    shown = preview(parse(CANCELS).policy, seen, {})

    lines = sheet(shown, "an order")
    said = as_object(shown, {})

    assert lines[1].split() == ["cancel", "orders", "1", "in", "0/BTC-USD", "size"]
    assert said["cancels"] == [
        {"subaccount": 0, "market": "BTC-USD", "client_id": 1, "asked_by": ["size/act"]}
    ]


def test_a_deposit_names_who_asked_for_it() -> None:
    seen = see(equity=4_000, positions={"BTC-USD": ("0.4", 100_000)}, float=6_000)
    assert seen.float_wallet is not None
    fed = replace(parse(FED).policy, float_source=FloatSource(address=seen.float_wallet.address))

    shown = preview(fed, seen, {})

    line = next(one for one in sheet(shown, "fed") if one.startswith("top up"))
    assert line.split() == ["top", "up", "subaccount", "0", "$800", "margin"]
    assert as_object(shown, {})["top_ups"] == [
        {"subaccount": 0, "amount": "800.000000", "asked_by": ["margin/0/act#1"]}
    ]


def test_moves_are_read_as_a_rule_file_reads_ratios() -> None:
    assert moves_of("BTC-USD -8%, ETH-USD +150bps") == {"BTC-USD": -80_000, "ETH-USD": 15_000}
    assert moves_of("") == {}


@pytest.mark.parametrize("text", ["BTC-USD", "BTC-USD -8", "BTC-USD -100%", "-8% BTC-USD"])
def test_what_is_no_move_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(OperatorError, match=r'write "BTC-USD -8%, ETH-USD -10%"'):
        moves_of(text)


def test_a_market_that_is_moved_twice_is_refused() -> None:
    with pytest.raises(OperatorError, match="'BTC-USD -3%': BTC-USD is moved twice"):
        moves_of("BTC-USD -8%, BTC-USD -3%")


def test_nothing_to_do_is_said() -> None:
    calm = see(equity=30_000, positions={"BTC-USD": ("0.1", 100_000)})

    lines = sheet(preview(load(DEMO).policy, calm, {"BTC-USD": Ppm(-1_000)}), "calm")

    assert lines[1] == "nothing to do: no acting level is beyond its trigger"
    assert any(line.startswith("leverage/0") for line in lines)


def test_what_is_wanted_and_may_not_be_done_now_is_not_called_nothing_to_do() -> None:
    seen = see(equity=4_000, positions={"BTC-USD": ("0.4", 100_000)})
    stale = replace(seen, seen_at=Millis(seen.at + 11_000))

    lines = sheet(preview(parse(ONE_RULE).policy, stale, {}), "stale")

    assert lines[1] == "nothing can be done now"
    assert "not done: reduce 0/BTC-USD: state is 11 s old, at most 10 s" in lines


async def test_the_verb_looks_at_an_address_without_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, indexer = FakeNode(), FakeIndexer()
    indexer.answers["/height"] = {"height": str(node.height)}
    indexer.answers["/orderbooks/perpetualMarket/BTC-USD"] = {
        "bids": [{"price": "99990", "size": "5"}],
        "asks": [{"price": "100010", "size": "5"}],
    }
    async with serving(node), indexing(indexer):
        monkeypatch.setenv("SEAWALL_VENUE__CHAIN_ID", CHAIN_ID)
        monkeypatch.setenv("SEAWALL_VENUE__NODES", node.url)
        monkeypatch.setenv("SEAWALL_VENUE__INDEXERS", indexer.url)
        monkeypatch.setenv("SEAWALL_ACCOUNT__ADDRESS", OWNER)
        monkeypatch.chdir(tmp_path)
        asked = [OWNER, "--rules", str(SHIPPED), "--if", "BTC-USD -8%"]
        result = await asyncio.to_thread(CliRunner().invoke, app, [*asked, "--json"])
        text = await asyncio.to_thread(CliRunner().invoke, app, asked)

    assert result.exit_code == text.exit_code == 0, result.output
    lines = text.stdout.splitlines()  # the fake chain's blocks are of 2023
    assert lines[1].startswith(
        "nothing counts as spent, running, latched or paused: no journal at "
    )
    assert lines[2].startswith("state is ")
    assert lines[2].endswith("(a simulated venue wants venue.step_url)")
    said = json.loads(result.stdout)
    assert said["owner"] == OWNER
    assert any("/orderbooks/perpetualMarket/BTC-USD" in one for one in indexer.requests)


CASH_OR_SIZE = f"""\
{FLOAT}rules:
  - id: leverage
    why: "Borrow less."
    measure: leverage
    trigger: "> 2x"
    target: "<= 1.9x"
    do:
      - page
      - {{top_up: {{until: target, max: $3_000}}}}
      - {{reduce: {{until: target, max_slippage: 100bps}}}}
"""


@pytest.mark.parametrize(("cash_price", "pays"), [("0bps", "top_ups"), ("5%", "orders")])
async def test_what_cash_costs_comes_from_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cash_price: str, pays: str
) -> None:
    node, indexer, rules = FakeNode(), FakeIndexer(), tmp_path / "rules.yaml"
    node.start_s = int(time.time()) - node.height
    indexer.answers["/height"] = {"height": str(node.height)}
    node.usdc = {0: -5_100_000_000}  # $4,900 with its 0.1 BTC
    rules.write_text(CASH_OR_SIZE)
    async with serving(node), indexing(indexer):
        for name, value in {
            "VENUE__CHAIN_ID": CHAIN_ID,
            "VENUE__NODES": node.url,
            "VENUE__INDEXERS": indexer.url,
            "ACCOUNT__ADDRESS": OWNER,
            "PLAN__CASH_PRICE": cash_price,
        }.items():
            monkeypatch.setenv(f"SEAWALL_{name}", value)
        monkeypatch.chdir(tmp_path)
        asked = [OWNER, "--rules", str(rules), "--json"]
        result = await asyncio.to_thread(CliRunner().invoke, app, asked)

    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert [one for one in ("top_ups", "orders") if said[one]] == [pays]


async def test_orders_are_read_with_the_markets_that_they_rest_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, indexer, rules = FakeNode(), FakeIndexer(), tmp_path / "rules.yaml"
    rules.write_text(CANCELS)
    indexer.answers["/height"] = {"height": str(node.height)}
    order = {"clientId": "5", "orderFlags": "64", "ticker": "ETH-USD", "side": "BUY"}
    order |= {"size": "1", "price": "3900", "goodTilBlockTime": "2030-01-01T00:00:00.000Z"}
    dead = {**order, "clientId": "6", "ticker": "GONE-USD", "status": "FILLED"}
    indexer.answers["/orders"] = [{**order, "status": "OPEN"}, dead]
    async with serving(node), indexing(indexer):
        for name, value in {
            "VENUE__CHAIN_ID": CHAIN_ID,
            "VENUE__NODES": node.url,
            "VENUE__INDEXERS": indexer.url,
            "ACCOUNT__ADDRESS": OWNER,
        }.items():
            monkeypatch.setenv(f"SEAWALL_{name}", value)
        monkeypatch.chdir(tmp_path)
        asked = [OWNER, "--rules", str(rules), "--json"]
        result = await asyncio.to_thread(CliRunner().invoke, app, asked)

    assert result.exit_code == 0, result.output
    (cancel,) = json.loads(result.stdout)["cancels"]
    assert (cancel["market"], cancel["client_id"]) == ("ETH-USD", 5)
