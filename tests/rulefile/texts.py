"""The smallest rule files, to be varied by one thing."""

from __future__ import annotations

from pathlib import Path

from seawall.errors import RuleFileError
from seawall.policy import Level, Rule
from seawall.rulefile import Known, parse

CONFIG = Path(__file__).parents[2] / "config"
SHIPPED = CONFIG / "rules.yaml"
DEMO = CONFIG / "demo-rules.yaml"

GROSS = {
    "id": "gross",
    "why": '"Enough is enough."',
    "measure": "gross_exposure",
    "trigger": '"> $9_000"',
    "do": "[notify]",
}
TWIN_GAP = (
    'scenarios:\n  twin-gap: {BTC-USD: -10%, "*": -15%, slippage: 150bps, both_signs: true}\n'
)
CUT = "[{reduce: {until: target, max_slippage: 60bps}}]"


def one_rule(*, head: str = "", **changes: str) -> str:
    """A file of one rule; a trailing underscore keeps a key from being a Python word."""
    fields = GROSS | {key.rstrip("_"): value for key, value in changes.items()}
    lines = [f"{key}: {value}" for key, value in fields.items()]
    return head + "rules:\n  - " + "\n    ".join(lines) + "\n"


def rule_of(text: str) -> Rule:
    """The first rule of a file that loads."""
    return parse(text).policy.rules[0]


def level_of(text: str) -> Level:
    """The one level of the first rule of a file that loads."""
    (level,) = rule_of(text).levels
    return level


def problems_of(text: str, known: Known | None = None) -> list[str]:
    """Every problem of a text, as it is printed; empty where it loads."""
    try:
        parse(text, known=Known() if known is None else known)
    except RuleFileError as error:
        return [str(problem) for problem in error.problems]
    return []
