"""The two shipped files: they load, ask for what RULES.md says, and load fast."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall.rulefile import in_words, load
from tests.rulefile.texts import DEMO, SHIPPED

HERE = Path(__file__).parent


def agreed(name: str) -> list[str]:
    return (HERE / f"{name}.in-words.txt").read_text().splitlines()


def test_the_considered_set_asks_for_what_was_agreed() -> None:
    assert list(in_words(load(SHIPPED).policy)) == agreed("rules")


def test_the_demo_rules_ask_for_what_was_agreed() -> None:
    lines = in_words(load(DEMO).policy)

    # How much the demo may use up is the demo's own business.
    assert [line for line in lines if not line.startswith("budgets")] == agreed("demo-rules")


@pytest.mark.parametrize("path", [SHIPPED, DEMO], ids=["rules", "demo-rules"])
def test_every_shipped_rule_says_why_in_a_sentence(path: Path) -> None:
    for rule in load(path).policy.rules:
        assert rule.why.endswith("."), rule.id


def test_the_demo_rules_hold_no_dollar_figure() -> None:
    written = [line.split("#")[0] for line in DEMO.read_text().splitlines()]

    assert [line for line in written if "$" in line] == []


def test_the_considered_set_warns_only_of_the_wallet_that_is_not_named_yet() -> None:
    messages = {warning.message for warning in load(SHIPPED).warnings}

    assert messages == {
        (
            "`top_up`: no `account: {float: ...}` to take cash from, "
            "this does nothing until there is one"
        )
    }


def test_the_demo_rules_warn_of_nothing_but_the_missing_backstop() -> None:
    messages = [warning.message for warning in load(DEMO).warnings]

    assert messages == ["no `backstop`: if the guard dies, nothing on the chain closes a position"]
