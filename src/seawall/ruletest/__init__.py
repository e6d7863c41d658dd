"""Rule tests: stories over time, played through the one `decide`, and what they prove.

series    values over time           accounts, expected, read   the file, with every fault at once
stage     an account on paper        play    ticks, with those left out that change nothing
actual    what the rules did         judge   whether that was expected
mutants   rules with one change      score   how many changes some test notices
drive   accounts that move a measure   steer   inputs that bring it to a value
stories, heard, suggest   tests that notice what no test noticed
"""

from __future__ import annotations

from seawall.ruletest.judge import Failure, Result, fails, run
from seawall.ruletest.read import is_rule_file, load_suite, parse_suite, rules_named
from seawall.ruletest.script import RuleTest, Suite

__all__ = [
    "Failure",
    "Result",
    "RuleTest",
    "Suite",
    "fails",
    "is_rule_file",
    "load_suite",
    "parse_suite",
    "rules_named",
    "run",
]
