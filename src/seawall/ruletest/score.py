"""How good a test file is: levels that fire in some test, and changes that some test notices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from seawall.policy import Policy
from seawall.rulefile import Loaded
from seawall.ruletest.judge import Failure, Result, fails, run
from seawall.ruletest.mutants import Mutant, mutants_of
from seawall.ruletest.script import RuleTest, Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Mutants that some test noticed, and those that none did."""

    killed: tuple[Mutant, ...]
    survived: tuple[Mutant, ...]

    @property
    def share(self) -> Decimal:
        """The part that was noticed, a fraction; 1 where there was nothing to notice."""
        total = len(self.killed) + len(self.survived)
        return Decimal(len(self.killed)) / total if total else Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How every test of a suite went."""

    results: tuple[Result, ...]
    levels: tuple[str, ...]  # RULE/LEVEL, in the order of the rule file

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Everything that failed, in the order of the file."""
        return tuple(one for result in self.results for one in result.failures)

    @property
    def failed(self) -> int:
        """How many tests failed."""
        return sum(1 for result in self.results if result.failures)

    @property
    def silent(self) -> tuple[str, ...]:
        """Levels that fire in no test."""
        fired = frozenset().union(*(result.fired for result in self.results))
        return tuple(level for level in self.levels if level not in fired)

    @property
    def coverage(self) -> Decimal:
        """The part of the levels that fire in some test, a fraction."""
        return 1 - Decimal(len(self.silent)) / len(self.levels)


def run_suite(policy: Policy, suite: Suite) -> Outcome:
    """Every test of a suite."""
    return Outcome(
        results=tuple(run(policy, test) for test in suite.tests), levels=levels_of(policy)
    )


def levels_of(policy: Policy) -> tuple[str, ...]:
    """RULE/LEVEL of every level, in the order of the file."""
    return tuple(f"{rule.id}/{level.name}" for rule in policy.rules for level in rule.levels)


def score(loaded: Loaded, outcome: Outcome) -> Score:
    """Every mutant against every test that holds, those first in which its rule fires."""
    killed: list[Mutant] = []
    survived: list[Mutant] = []
    for mutant in mutants_of(loaded):
        noticed = any(fails(mutant.policy, test) for test in _likely_first(mutant, outcome.results))
        (killed if noticed else survived).append(mutant)
    return Score(killed=tuple(killed), survived=tuple(survived))


def _likely_first(mutant: Mutant, results: Sequence[Result]) -> Iterator[RuleTest]:
    def rank(result: Result) -> int:
        names = {fired.split("/")[0] for fired in result.fired}
        if f"{mutant.rule}/{mutant.level}" in result.fired:
            return 0
        return 1 if mutant.rule in names else 2

    for result in sorted(results, key=rank):
        if not result.failures:
            yield result.test
