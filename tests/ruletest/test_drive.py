"""The account on which a rule's story is told: the other rules have nothing to say to it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall.policy import Policy
from seawall.rulefile import parse
from seawall.rulefile.template import Answers, rule_file
from seawall.ruletest import actual
from seawall.ruletest.drive import drivers_of
from seawall.ruletest.heard import played
from seawall.ruletest.play import play
from seawall.ruletest.stories import stories_of
from seawall.units import Millis, Ppm
from tests.ruletest.texts import shipped


def timid() -> Policy:
    """Caps of a twentieth of what the shipped rules allow."""
    answers = Answers(
        loss=Ppm(20_000), gap=Ppm(200_000), cash=Decimal(0), equity=Decimal(1_000), wallet=""
    )
    return parse(rule_file(answers)).policy


@pytest.mark.parametrize("policy", [timid(), shipped().policy], ids=["timid", "shipped"])
@pytest.mark.parametrize("name", ["account-drawdown", "day-loss", "sources-disagree"])
def test_a_story_that_is_said_begins_without_another_rule(policy: Policy, name: str) -> None:
    rule = next(one for one in policy.rules if one.id == name)

    for story in stories_of(policy, rule):
        (first,) = play(policy, played(policy, story), [Millis(0)])

        assert actual.firing(first, policy) == {}


def test_the_position_shrinks_where_money_alone_is_not_enough() -> None:
    text = """\
caps: {BTC-USD: $900, ETH-USD: $900, ALT-USD: $900, SOL-USD: $900}
rules:
  - {id: loss, why: "Enough.", measure: drawdown, trigger: ">= 5%", do: [page]}
  - {id: cap, why: "Small.", measure: cap_use, trigger: ">= 90%", do: [notify]}
"""
    policy = parse(text).policy

    (driver,) = drivers_of(policy, policy.rules[0], (Decimal("0.01"), Decimal("0.06")))

    assert driver.size * 100_000 == 500
