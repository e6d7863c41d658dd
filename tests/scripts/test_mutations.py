"""Mutation testing itself: what is changed, what is left alone, and what fails a run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.mutants import PARTS, complaints, files_of, listed
from scripts.mutations import Mutant, mutants_of

ROOT = Path(__file__).parents[2]


def changes(source: str) -> list[str]:
    return [one.after for one in mutants_of("src/seawall/some.py", source)]


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("return a < b", ["return None", "return a <= b"]),
        ("return a is not b", ["return None", "return a is b"]),
        ("return a + b", ["return None", "return a - b"]),
        ("return a & b", ["return None", "return a | b"]),
        ("return a or b", ["return None", "return a and b"]),
        ("return not a", ["return None", "return a"]),
        ("return min(a, b)", ["return None", "return max(a, b)"]),
        ("return units.round_up(a)", ["return None", "return units.round_down(a)"]),
        ("return abs(a)", ["return None", "return a"]),
        ("return a if b else c", ["return None", "return a if not b else c"]),
        ("return [x for x in a if x]", ["return None", "return [x for x in a if not x]"]),
        ("return 7", ["return 8", "return 6"]),
        ("return a < 1.5", ["return None", "return a < 2.5", "return a < 0.5"]),
        ("return True", ["return False"]),
        ("if a: b()", ["not a", "pass"]),
        ("a += b", ["pass", "a -= b"]),
        ("a.b = c", ["pass"]),
        ("a = c", ["pass"]),
        ("raise a", ["pass"]),
        ("for x in a: continue", ["break"]),
    ],
)
def test_a_line_is_changed_in_each_small_way_there_is(line: str, after: list[str]) -> None:
    assert changes(f"def some(a, b, c):\n    {line}\n") == after


@pytest.mark.parametrize(
    "line",
    [
        "return None",
        "assert a < 7",
        "log.info('%d', 7)",
        "new = a",
        "new: Annotated[int, 7] = a",
        "a(f'{b + 7}')[b]",
    ],
)
def test_text_for_people_assertions_and_types_are_left_alone(line: str) -> None:
    assert set(changes(f"def some(a, b):\n    {line}\n")) <= {"pass"}


def test_a_mutant_is_known_by_what_it_says_and_not_by_its_line() -> None:
    source = "class Some:\n    def one(self):\n        return self.x < 7\n"
    found, moved = (
        list(mutants_of("src/seawall/some.py", text)) for text in (source, "\n\n" + source)
    )

    assert str(found[1]) == "src/seawall/some.py:3 Some.one: return self.x < 7 → return self.x <= 7"
    assert [one.key for one in moved] == [one.key for one in found]
    assert [one.line for one in moved] == [5] * len(found)


def test_a_run_fails_on_what_is_not_listed_and_on_a_list_that_is_not_so() -> None:
    one, other, third = list(mutants_of("src/seawall/some.py", "X = 7\nY = True\n"))
    gone = replace(one, before="Z = 1")
    reasons = {one.key: "Because.", other.key: "Because.", gone.key: "Because."}

    found = complaints([one, other, third], [(one, 3), (third, 0)], reasons)

    assert found == [
        "src/seawall/some.py:2 module: Y = True → Y = False   (no test runs it)",
        "survivors.toml: src/seawall/some.py module: X = 7 → X = 6 is noticed by a test",
        "survivors.toml: src/seawall/some.py module: Z = 1 → X = 8 exists no more",
    ]
    assert complaints([one], [(one, 3)], {one.key: ""}) != []
    assert complaints([one], [(one, 3)], {one.key: "Because."}) == []


def test_a_survivor_is_listed_once(tmp_path: Path) -> None:
    entry = """
[[survivor]]
file = "some.py"
function = "module"
before = "X = 7"
after = "X = 8"
reason = "Because."
"""
    place = tmp_path / "survivors.toml"
    place.write_text(entry)
    assert listed(place) == {("some.py", "module", "X = 7", "X = 8"): "Because."}

    place.write_text(entry + entry)
    with pytest.raises(ValueError, match="lists twice: some"):
        listed(place)


def test_every_listed_survivor_has_a_reason_and_is_in_a_part_that_is_run() -> None:
    reasons = listed()
    there: set[Mutant] = {
        mutant
        for part in PARTS
        for file in files_of(part)
        for mutant in mutants_of(file, (ROOT / file).read_text())
    }

    assert [key for key, reason in reasons.items() if not reason] == []
    assert set(reasons) - {mutant.key for mutant in there} == set()


def test_a_mutant_in_running_code_is_noticed() -> None:
    command = [sys.executable, "-m", "scripts.mutants", "alarm", "--only", ":credit"]

    done = subprocess.run(
        command, cwd=ROOT, env=os.environ.copy(), capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "alarm: 10 mutants, 10 noticed by " in done.stdout
