"""The shipped tests notice what they must; suggested tests notice what they are made for."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

import pytest

from seawall.rulefile import Loaded
from seawall.ruletest import fails, load_suite, parse_suite, run
from seawall.ruletest.score import Outcome, Score, run_suite, score
from seawall.ruletest.suggest import suggestions
from tests.ruletest.texts import (
    ACCOUNT,
    FUNDING,
    HEAVY,
    LATCHED,
    LIQUIDATION,
    MARGIN,
    RULES,
    TESTS,
    rules,
    shipped,
)

SHIPPED_LEAST = Decimal("0.85")


@cache
def played() -> Outcome:
    loaded = shipped()
    return run_suite(loaded.policy, load_suite(TESTS, loaded.policy))


def test_the_shipped_tests_hold_and_fire_every_level() -> None:
    outcome = played()

    assert [str(one) for one in outcome.failures] == []
    assert outcome.silent == ()
    assert outcome.coverage == 1


def test_the_shipped_tests_notice_what_changes() -> None:
    scored = score(shipped(), played())

    assert scored.share >= SHIPPED_LEAST, [one.name for one in scored.survived]


def unnoticed(loaded: Loaded) -> Score:
    """The score of a file whose one test sees nothing but calm."""
    text = (
        f"tests:\n  - name: calm\n    account: {ACCOUNT}\n    expect: [{{at: 5s, quiet: true}}]\n"
    )
    return score(loaded, run_suite(loaded.policy, parse_suite(text, loaded.policy)))


def test_a_test_that_sees_nothing_notices_nothing() -> None:
    loaded = rules()

    scored = unnoticed(loaded)

    assert scored.share == 0
    assert len(scored.survived) == 17


@pytest.mark.parametrize("text", [RULES, HEAVY, MARGIN, LIQUIDATION, FUNDING, LATCHED])
def test_every_suggested_test_holds_and_kills_its_survivor(text: str) -> None:
    loaded = rules(text)
    survived = unnoticed(loaded).survived[::2]

    found = list(suggestions(loaded.policy, Score(killed=(), survived=survived)))

    told = [one for one in found if one.test is not None]
    assert len(told) >= len(survived) * 9 // 10, [one.mutant.name for one in found if not one.test]
    for one in told:
        (test,) = parse_suite(f"tests:\n{one.test}", loaded.policy).tests
        assert run(loaded.policy, test).failures == (), one.mutant.name
        assert fails(one.mutant.policy, test), one.mutant.name


def test_a_suggested_test_tells_no_more_than_it_needs() -> None:
    loaded = rules()
    survived = unnoticed(loaded).survived
    found = suggestions(loaded.policy, Score(killed=(), survived=survived))
    tests = {one.mutant.name: one.test or "" for one in found}

    early, late = tests["loss/watch trigger 5% -> 4.5%"], tests["loss/watch clear 4% -> 3.6%"]

    assert early.count("hold") < late.count("hold")
    assert "sizes" not in early  # the trader adds to the position after that


def test_a_test_that_fails_kills_nothing() -> None:
    loaded = rules()
    text = (
        f"tests:\n  - name: wrong\n    account: {ACCOUNT}\n"
        "    expect: [{at: 5s, firing: {loss: act}}]\n"
    )

    outcome = run_suite(loaded.policy, parse_suite(text, loaded.policy))

    assert outcome.failed == 1
    assert score(loaded, outcome).killed == ()


def test_a_level_that_never_fires_is_named() -> None:
    loaded = rules()
    text = (
        f"tests:\n  - name: calm\n    account: {ACCOUNT}\n    series: {{drawdown: 6%}}\n"
        "    expect: [{at: 30s, firing: {loss: watch}}]\n"
    )

    outcome = run_suite(loaded.policy, parse_suite(text, loaded.policy))

    assert outcome.silent == ("loss/act",)
    assert outcome.coverage == Decimal("0.5")
