"""Tests that notice what no test noticed: found by playing both rules side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from seawall.policy import Policy
from seawall.ruletest.mutants import Mutant
from seawall.ruletest.score import Score
from seawall.ruletest.stories import (
    BREATH,
    Said,
    Story,
    listen,
    played,
    recorded,
    stories_of,
    test_of,
)
from seawall.units import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A test that kills one survivor; None where none was found."""

    mutant: Mutant
    test: str | None


def suggestions(policy: Policy, score: Score) -> Iterator[Suggestion]:
    """For each survivor the first story in which it behaves differently."""
    for mutant in score.survived:
        yield Suggestion(mutant=mutant, test=_boundary_test(policy, mutant))


def _boundary_test(policy: Policy, mutant: Mutant) -> str | None:
    rule = next(rule for rule in policy.rules if rule.id == mutant.rule)
    for story in stories_of(policy, rule):
        test = played(policy, story)
        end = Millis(story.ends + BREATH)
        stops = sorted(
            listen(policy, test, [end]).keys() | listen(mutant.policy, test, [end]).keys()
        )
        right, wrong = listen(policy, test, stops), listen(mutant.policy, test, stops)
        at = next((at for at in stops if _differ(right[at], wrong[at])), None)
        if at is not None:
            named = Story(name=f"{mutant.name} is noticed", body=story.body, ends=story.ends)
            return test_of(_quoted(named), [right[at].at(at)])
    return None


def _differ(one: Said, other: Said) -> bool:
    """Whether an expectation of the first fails for the second."""
    if one.state != other.state:
        return True
    return bool(one.messages) and one.messages != other.messages


def _quoted(story: Story) -> Story:
    return Story(name=f'"{story.name}"', body=story.body, ends=story.ends)


def whole_file(policy: Policy, rules: str, require: str) -> str:
    """A test file of every story of every rule, as the rules behave today."""
    tests = [recorded(policy, story) for rule in policy.rules for story in stories_of(policy, rule)]
    head = (
        "# What these rules do, recorded: a change of a rule that matters fails a test.\n"
        f"rules: {rules}\n"
        f"require: {require}\n"
        "tests:\n"
    )
    return head + "".join(tests)
