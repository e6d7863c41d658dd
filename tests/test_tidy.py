"""The house style, as far as a machine can hold it. When a ceiling is hit, have a better idea."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from seawall.cli import VERBS
from seawall.measures import MEASURES

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "seawall").rglob("*.py"))
MODULE_LINES_MOST = 400
FUNCTION_LINES_MOST = 50

# Split in two, so that this file does not hold what it looks for.
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX"]) + r")\b")
MACHINE_PATH = re.compile(
    r"(?<![\w.}])/(" + "|".join(["ro" + "ot", "ho" + "me", "wo" + "rk"]) + r")/\w"
)
REGISTRY = re.compile(
    "|".join(["index" + "-url", "find" + "-links", "trusted" + "-host", r"/sim" + r"ple\b"])
)


def tracked_files() -> list[Path]:
    """Every file that is or would be committed."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in found.stdout.splitlines() if (ROOT / name).is_file()]


def tracked_lines() -> Iterator[tuple[str, str]]:
    """Every line of text of them, with its place."""
    for path in tracked_files():
        if path.suffix in {".png", ".svg", ".gz", ".lock"}:
            continue
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            yield f"{path.relative_to(ROOT)}:{number}", line


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def test_modules_are_short() -> None:
    paths = [
        *SOURCES,
        *sorted((ROOT / "tests").rglob("*.py")),
        *sorted((ROOT / "bench").glob("*.py")),
    ]

    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in paths}

    assert {name: size for name, size in sizes.items() if size > MODULE_LINES_MOST} == {}


def test_functions_fit_on_a_screen() -> None:
    sizes = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": lines_of(node)
        for path in SOURCES
        for node in functions(path)
    }

    assert {name: size for name, size in sizes.items() if size > FUNCTION_LINES_MOST} == {}


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path) for path in SOURCES if ast.get_docstring(ast.parse(path.read_text())) is None
    ]

    assert silent == []


def test_a_family_of_measures_is_one_file_with_its_test() -> None:
    modules = {measure.family: measure.evaluate.__module__ for measure in MEASURES.values()}

    for measure in MEASURES.values():
        assert measure.evaluate.__module__ == modules[measure.family], measure.name
    assert len(set(modules.values())) == len(modules)
    for module in modules.values():
        family = module.rpartition(".")[2]
        assert (ROOT / "tests" / "measures" / f"test_{family}.py").is_file(), family


def test_every_verb_has_its_module() -> None:
    assert [verb.name for verb in VERBS if find_spec(verb.module) is None] == []


def test_the_readme_names_exactly_the_verbs_there_are() -> None:
    readme = (ROOT / "README.md").read_text()
    code = re.findall(r"```.*?```|`[^`\n]+`", readme, flags=re.DOTALL)

    named = {verb for part in code for verb in re.findall(r"\bseawall ([a-z]+)", part)}

    assert named == {verb.name for verb in VERBS}


def test_nothing_is_left_unfinished() -> None:
    assert [place for place, line in tracked_lines() if UNFINISHED.search(line)] == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    assert [place for place, line in tracked_lines() if MACHINE_PATH.search(line)] == []


def test_no_file_names_a_registry() -> None:
    places = [place for place, line in tracked_lines() if REGISTRY.search(line)]
    locked = (ROOT / "requirements.lock").read_text()

    assert [place for place in places if not place.startswith("scripts/lock.sh")] == []
    assert "://" not in locked
    assert not REGISTRY.search(locked)


def test_continuous_integration_runs_the_tests_of_the_makefile() -> None:
    script = ROOT / ".ci" / "run"

    commands = [line for line in script.read_text().splitlines() if not line.startswith("#")]

    assert script.stat().st_mode & 0o111
    assert commands[-1] == "exec make test"
