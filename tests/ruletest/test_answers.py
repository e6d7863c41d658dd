"""Whatever a person answers, `init` writes rules that load and tests that notice their change."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seawall.rulefile import Loaded, parse
from seawall.rulefile.template import Answers, rule_file
from seawall.ruletest import Suite, fails, parse_suite
from seawall.ruletest.mutants import mutants_of
from seawall.ruletest.score import run_suite
from seawall.ruletest.suggest import whole_file
from seawall.units import Ppm

WALLET = "dydx199tqg4wdlnu4qjlxchpd7seg454937hjrknju4"
ANSWERS = {  # most to lose and worst gap in per cent, cash and equity in dollars
    "timid": (1, 1, 0, 100),
    "bold": (50, 50, 100_000, 2_500),
}
SCORE_LEAST = Decimal("0.8")


def written(loss: int, gap: int, cash: int, equity: int, wallet: str = "") -> Loaded:
    return parse(
        rule_file(
            Answers(
                loss=Ppm(loss * 10_000),
                gap=Ppm(gap * 10_000),
                cash=Decimal(cash),
                equity=Decimal(equity),
                wallet=wallet,
            )
        )
    )


@pytest.mark.parametrize("loss", [1, 12, 50])
@pytest.mark.parametrize("gap", [1, 10, 50])
@pytest.mark.parametrize("equity", [100, 30_000, 7_654_321])
def test_every_answer_makes_rules_that_load(loss: int, gap: int, equity: int) -> None:
    for cash, wallet in ((0, ""), (9, WALLET), (equity, WALLET)):
        assert len(written(loss, gap, cash, equity, wallet).policy.rules) == 9


@pytest.mark.parametrize("name", ANSWERS)
def test_the_tests_that_are_written_hold_and_notice_four_changes_of_five(name: str) -> None:
    loaded = written(*ANSWERS[name])
    suite: Suite = parse_suite(whole_file(loaded.policy, "rules.yaml", "{}"), loaded.policy)

    outcome = run_suite(loaded.policy, suite)

    assert [str(one) for one in outcome.failures] == []
    assert outcome.silent == ()
    some = list(mutants_of(loaded))[::12]  # all of them take a minute
    noticed = [one for one in some if any(fails(one.policy, test) for test in suite.tests)]
    assert Decimal(len(noticed)) / len(some) >= SCORE_LEAST
