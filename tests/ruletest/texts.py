"""Rules and test files for tests, small enough to read."""

from __future__ import annotations

from seawall.errors import RuleFileError
from seawall.rulefile import Loaded, load, parse
from seawall.ruletest import RuleTest, Suite, parse_suite
from tests.rulefile.texts import SHIPPED

TESTS = SHIPPED.parent / "rules.test.yaml"

RULES = """\
rules:
  - id: loss
    why: "No more than that."
    measure: drawdown
    levels:
      - {name: watch, trigger: ">= 5%", clear: "< 4%", for: 30s, clear_for: 5m, do: [notify]}
      - name: act
        trigger: ">= 10%"
        clear: "< 8%"
        for: 1m
        do: [page, {cancel_orders: risk_increasing}, {reduce: {amount: 50%, max_slippage: 60bps}}]
"""
CHASING = """\
rules:
  - id: RULE
    why: "No more than that."
    measure: MEASURE
    trigger: "TRIGGER"
    target: "TARGET"
    clear: "CLEAR"
    for: 30s
    cooldown: 2m
    do: [notify, {reduce: {until: target, max_slippage: 60bpsOR_ELSE}}]
"""


def chasing(measure: str, trigger: str, target: str, clear: str, or_else: str = "") -> str:
    words = {
        "RULE": measure.replace("_", "-"),
        "MEASURE": measure,
        "TRIGGER": trigger,
        "TARGET": target,
        "CLEAR": clear,
        "OR_ELSE": or_else,
    }
    text = CHASING
    for name, word in words.items():
        text = text.replace(name, word)
    return text


HEAVY = chasing("gross_exposure", "> $8_000", "<= $6_000", "<= $7_000")
MARGIN = chasing("leverage", "> 3x", "<= 2x", "<= 2.5x")
LIQUIDATION = chasing("liq_move", "< 6%", ">= 9%", ">= 8%")
LATCHED = """\
rules:
  - id: loss
    why: "No more than that."
    measure: drawdown
    trigger: ">= 10%"
    clear: "< 8%"
    do: [page, {cancel_orders: all}, flatten]
"""
FUNDING = chasing("funding_24h", "> $60", "<= $40", "<= $45")
ACCOUNT = "{equity: 20_000, positions: {BTC-USD: {size: 0.1, oracle: 100_000}}}"


def rules(text: str = RULES) -> Loaded:
    return parse(text)


def suite(body: str, loaded: Loaded | None = None) -> Suite:
    """A suite of one test on a calm account; `body` are its lines, indented by four."""
    text = f"tests:\n  - name: a story\n    account: {ACCOUNT}\n{body}"
    return parse_suite(text, (loaded or rules()).policy)


def story(body: str, loaded: Loaded | None = None) -> RuleTest:
    return suite(body, loaded).tests[0]


def problems(text: str, loaded: Loaded | None = None) -> list[str]:
    """What a test file is refused with, without the name of the file."""
    try:
        parse_suite(text, (loaded or rules()).policy)
    except RuleFileError as refused:
        return [f"{p.line}:{p.column} {p.message}" for p in refused.problems]
    return []


def shipped() -> Loaded:
    return load(SHIPPED)
