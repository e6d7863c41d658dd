"""Tests that are suggested are added to a file, and its survivors are gone, or said to be none.

What is left must be left for a reason that holds: the words of it are checked here by name.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seawall.cli.test import app
from seawall.rulefile import load
from seawall.ruletest.mutants import mutants_of
from seawall.ruletest.score import Score
from seawall.ruletest.suggest import suggestions
from tests.rulefile.texts import DEMO, SHIPPED
from tests.ruletest.texts import ACCOUNT

CALM = f"""\
tests:
  - name: calm
    account: {ACCOUNT}
    expect: [{{at: 5s, quiet: true}}]
"""
CHILD = """\
rules:
  - id: band
    why: "The child alone, which no trade and no deposit of a test reaches: its price does."
    measure: leverage
    scope: {subaccounts: [128]}
    trigger: "> 5x"
    target: "<= 3x"
    clear: "<= 4x"
    cooldown: 5m
    do: [page, {reduce: {until: target, max_slippage: 50bps}}]
"""
SEVERAL = """\
caps: {AVAX-USD: $10_000}
rules:
  - id: paid
    why: "Cash, and no position."
    measure: equity
    trigger: "< $5_000"
    target: ">= $6_000"
    clear: ">= $5_500"
    for: 7s
    cooldown: 10m
    do: [notify, {top_up: {until: target, max: $2_000}}]
  - id: net
    why: "Two levels that both sell."
    measure: net_exposure
    scope: {per: account}
    levels:
      - {name: one, trigger: "> $20_000", target: "<= $18_000", clear: "<= $19_000",
         clear_for: 2m, for: 30s, cooldown: 3m,
         do: [notify, {reduce: {until: target, max_slippage: 50bps}}]}
      - {name: two, trigger: "> $30_000", target: "<= $15_000", clear: "<= $25_000",
         for: 10s, cooldown: 5m,
         do: [page, {cancel_orders: all}, {reduce: {until: target, max_slippage: 150bps}}]}
  - id: day
    why: "A latch that lets go by the clock, and one that does not."
    measure: day_loss
    levels:
      - {name: a, trigger: ">= 3%", latch: "08:00Z", cooldown: 30m,
         do: [notify, {reduce: {amount: 25%, max_slippage: 50bps}}]}
      - {name: b, trigger: ">= 6%", latch: manual, cooldown: 10m, do: [page, flatten, lock]}
  - id: cap
    why: "A market that no fixture has."
    measure: cap_use
    trigger: "> 100%"
    target: "<= 90%"
    clear: "<= 95%"
    do: [notify, {reduce: {until: target, max_slippage: 50bps}}]
"""
AGES = """\
rules:
  - {id: old, why: "In seconds.", measure: input_age, trigger: "> 15s", for: 10s, do: [page]}
  - {id: fresh, why: "Nor has one.", measure: input_age, trigger: ">= 3s", do: [notify]}
  - {id: reach, why: "Nor a count.", measure: outside_reach, trigger: ">= 2", do: [page]}
"""
LATCHED = "its latch lasts until `rearm`, which no test can say: it fires once, and stays"
ALL_KILLED: dict[str, str] = {}


def asked(tests: Path, *words: str) -> dict[str, object]:
    said: dict[str, object] = json.loads(
        CliRunner().invoke(app, [str(tests), "--json", *words]).stdout
    )
    return said


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (CHILD, ALL_KILLED),
        (AGES, ALL_KILLED),
        (DEMO.read_text(), ALL_KILLED),
        (
            SEVERAL,
            {"day/b cooldown 10m -> 0s": LATCHED, "day/b cooldown 10m -> 30m": LATCHED},
        ),
    ],
    ids=["child", "ages", "demo", "several"],
)
def test_with_what_is_suggested_no_change_goes_unnoticed(
    tmp_path: Path, text: str, left: dict[str, str]
) -> None:
    tests = tmp_path / "rules.test.yaml"
    (tmp_path / "rules.yaml").write_text(text)
    tests.write_text(CALM)

    suggested = asked(tests, "--suggest")["suggestions"]
    assert isinstance(suggested, dict)
    tests.write_text(CALM + "".join(f"{one}\n" for one in suggested.values()))
    after = asked(tests, "--mutate")

    assert after["failed"] == 0
    assert isinstance(after["mutation"], dict)
    assert after["mutation"]["survived"] == list(left)
    for name, reason in left.items():
        assert suggested[name] == f"  # {name}: no test; {reason}"


@pytest.mark.parametrize("rule", ["collateral-floor", "liq-move", "twin-gap-survival"])
def test_of_the_shipped_rules_even_those_that_are_hardest_to_reach_are_told(rule: str) -> None:
    loaded = load(SHIPPED)
    mutants = tuple(one for one in mutants_of(loaded) if one.rule == rule)

    found = list(suggestions(loaded.policy, Score(killed=(), survived=mutants)))

    assert [one.mutant.name for one in found if one.test is None] == []
