"""Tests that notice what no test noticed: found by playing both rules side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from seawall.policy import Policy
from seawall.ruletest.mutants import Mutant
from seawall.ruletest.score import Score
from seawall.ruletest.script import RuleTest
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
    known: dict[str, tuple[_Played, ...]] = {}
    for mutant in score.survived:
        if mutant.rule not in known:
            known[mutant.rule] = tuple(_play_all(policy, mutant.rule))
        tests = (_boundary(policy, mutant, one) for one in known[mutant.rule])
        yield Suggestion(mutant=mutant, test=next((one for one in tests if one), None))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Played:
    """A story with what the rules themselves make of it, tick by tick."""

    story: Story
    test: RuleTest
    heard: Mapping[Millis, Said]

    @property
    def end(self) -> Millis:
        return Millis(self.story.ends + BREATH)


def _play_all(policy: Policy, name: str) -> Iterator[_Played]:
    rule = next(rule for rule in policy.rules if rule.id == name)
    for story in stories_of(policy, rule):
        test = played(policy, story)
        heard = listen(policy, test, [Millis(story.ends + BREATH)])
        yield _Played(story=story, test=test, heard=heard)


def _boundary(policy: Policy, mutant: Mutant, one: _Played) -> str | None:
    """The first moment of a story at which the mutant fails what is true of the rules."""
    right: Mapping[Millis, Said] = one.heard
    wrong: Mapping[Millis, Said] = listen(mutant.policy, one.test, [one.end])
    at = _first_difference(right, wrong)
    if at is None and right.keys() != wrong.keys():
        stops = sorted(right.keys() | wrong.keys())
        right, wrong = listen(policy, one.test, stops), listen(mutant.policy, one.test, stops)
        at = _first_difference(right, wrong)
    if at is None:
        return None
    story = Story(name=f'"{mutant.name} is noticed"', ends=at, retell=one.story.retell)
    return test_of(story, [right[at].at(at)])


def _first_difference(right: Mapping[Millis, Said], wrong: Mapping[Millis, Said]) -> Millis | None:
    both = sorted(right.keys() & wrong.keys())
    return next((at for at in both if right[at].differs_from(wrong[at])), None)


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
