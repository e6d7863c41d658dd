"""Tests that notice what no test noticed: found by playing both rules side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from seawall import words
from seawall.intervention import has_work
from seawall.policy import Policy
from seawall.ruletest.heard import Said, listen, played, recorded, test_of
from seawall.ruletest.mutants import Mutant
from seawall.ruletest.score import Score
from seawall.ruletest.script import RuleTest
from seawall.ruletest.stories import BREATH, Story, all_stories_of, stories_of
from seawall.units import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A test that kills one survivor; None where none was found, and why."""

    mutant: Mutant
    test: str | None
    reason: str = ""


def suggestions(policy: Policy, score: Score) -> Iterator[Suggestion]:
    """For each survivor the first story in which it behaves differently."""
    known: dict[str, _Tales] = {}
    for mutant in score.survived:
        tales = known.setdefault(mutant.rule, _Tales(policy, mutant.rule))
        tests = (_boundary(policy, mutant, one) for one in tales)
        test = next((one for one in tests if one), None)
        reason = "" if test else _why_none(mutant, tales)
        yield Suggestion(mutant=mutant, test=test, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Played:
    """A story with what the rules themselves make of it, tick by tick, and who fires in it."""

    story: Story
    test: RuleTest
    heard: Mapping[Millis, Said]

    @property
    def end(self) -> Millis:
        return Millis(self.story.ends + BREATH)


class _Tales:
    """The stories of a rule, each played once and only when it is asked for."""

    def __init__(self, policy: Policy, name: str) -> None:
        self.rule = next(rule for rule in policy.rules if rule.id == name)
        self.told: list[_Played] = []
        self._untold = self._tell(policy)

    def __iter__(self) -> Iterator[_Played]:
        yield from tuple(self.told)
        for one in self._untold:
            self.told.append(one)
            yield one

    def _tell(self, policy: Policy) -> Iterator[_Played]:
        for story in all_stories_of(policy, self.rule):
            test = played(policy, story)
            heard = listen(policy, test, [Millis(story.ends + BREATH)])
            yield _Played(story=story, test=test, heard=heard)


def _why_none(mutant: Mutant, tales: _Tales) -> str:
    """Why no story tells a change from what is written, as far as that can be said."""
    rule = tales.rule
    level = next(one for one in rule.levels if one.name == mutant.level)
    if not tales.told:
        return f"a test file has no word that moves {rule.measure} in this scope"
    if not any(
        f"{rule.id}/{level.name}" in one.fired for told in tales.told for one in told.heard.values()
    ):
        others = sorted(
            {name for told in tales.told for one in told.heard.values() for name in one.fired}
        )
        return (
            f"{rule.id}/{level.name} fires in none of {len(tales.told)} stories; before it do "
            f"{', '.join(others) or 'no others'}"
        )
    if mutant.what.startswith("cooldown") and not has_work(level):
        return "the level moves neither cash nor size: there is no intervention to wait after"
    is_latched = level.latch is not None and level.latch.until is None
    if is_latched and mutant.what.startswith(("cooldown", "clear")):
        return "its latch lasts until `rearm`, which no test can say: it fires once, and stays"
    if mutant.what.startswith("cooldown") and level.cooldown <= level.hold:
        return f"its `for` of {words.duration(level.hold)} is as long: the cooldown is over before"
    return f"the rules do the same with it in each of {len(tales.told)} stories"


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
