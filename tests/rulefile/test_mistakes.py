"""The shipped file edited into plausible mistakes: place, word, nearest valid word, consequence.

`mistakes.txt` reads like a diff: what stands in the file (its first occurrence), what was written
instead, and the one line that is said. The consequence is the same for all.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall.errors import RuleFileError
from seawall.rulefile import parse
from tests.rulefile.texts import SHIPPED, problems_of

TEXT = SHIPPED.read_text()
BLOCKS = (Path(__file__).parent / "mistakes.txt").read_text().strip().split("\n\n")
MISTAKES = [tuple(line[2:] for line in block.splitlines()) for block in BLOCKS]


@pytest.mark.parametrize(("right", "wrong", "said"), MISTAKES)
def test_a_plausible_mistake_is_named_with_its_place_and_its_remedy(
    right: str, wrong: str, said: str
) -> None:
    assert right in TEXT

    with pytest.raises(RuleFileError) as refused:
        parse(TEXT.replace(right, wrong, 1))

    assert str(refused.value) == f"{said}\nNot loaded."


def test_there_are_at_least_twenty_mistakes() -> None:
    assert len(MISTAKES) >= 20


def test_the_mistakes_of_one_file_are_said_at_once_and_in_order_of_lines() -> None:
    text = TEXT
    for right, wrong, said in MISTAKES:
        if "not YAML" not in said:
            text = text.replace(right, wrong, 1)

    problems = problems_of(text)

    lines = [int(problem.split(":")[1]) for problem in problems]
    assert len(problems) >= 20
    assert lines == sorted(lines)
