"""`seawall test` and `init`: what they print and their exit codes."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from seawall.cli.init import app as init_app
from seawall.cli.test import app as play_app
from seawall.errors import OperatorError
from seawall.rulefile import load
from tests.ruletest.texts import ACCOUNT, RULES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def story_in(folder: Path, *expect: str, require: str = "{}") -> Path:
    path = folder / "rules.test.yaml"
    lines = "".join(f"      - {one}\n" for one in expect)
    path.write_text(
        f"require: {require}\ntests:\n  - name: a fall\n    account: {ACCOUNT}\n"
        f"    series: {{drawdown: 10%}}\n    expect:\n{lines}"
    )
    return path


WATCH = "{at: 30s, firing: {loss: watch}, messages: [notify]}"
ACT = (
    "{at: 1m, firing: {loss: act}, "
    "plan: [{cancel_orders: risk_increasing}, {reduce: {BTC-USD: 50%}}]}"
)


def played(*words: str | Path) -> Result:
    return CliRunner().invoke(play_app, [str(word) for word in words])


def test_tests_that_hold_end_with_0(folder: Path) -> None:
    result = played(story_in(folder, WATCH, ACT, require="{coverage: levels}"))

    assert result.exit_code == 0
    assert result.stdout == "1 test, none failed; 2 of 2 levels fire in some test\n"


def test_a_test_that_fails_ends_with_1_and_says_where(folder: Path) -> None:
    path = story_in(folder, "{at: 30s, quiet: true}")

    result = played(path)

    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == (
        f"{path}:7:14 `a fall` at 30s: loss/watch fires, nothing was expected of it"
    )


def test_a_level_that_must_fire_and_does_not_ends_with_1(folder: Path) -> None:
    result = played(story_in(folder, WATCH, require="{coverage: levels}"))

    assert result.exit_code == 1
    assert "never fired: loss/act" in result.stdout


def test_a_file_that_cannot_be_read_is_refused_with_its_place(folder: Path) -> None:
    result = played(story_in(folder, "{at: 30s, firing: {lose: watch}}"))

    assert isinstance(result.exception, OperatorError)
    assert "rules.test.yaml:7:28 `lose`: unknown rule, did you mean `loss`?" in str(
        result.exception
    )
    assert str(result.exception).endswith("Nothing was tested.")


def test_a_file_that_is_not_there_is_refused(folder: Path) -> None:
    result = played(folder / "gone.yaml")

    assert isinstance(result.exception, OperatorError)


def test_a_rule_file_means_the_tests_beside_it(folder: Path) -> None:
    story_in(folder, WATCH, ACT)

    result = played(folder / "rules.yaml", "--json")

    assert json.loads(result.stdout)["tests"] == 1
    assert result.stderr == (
        f"{folder}/rules.yaml is a rule file: its tests are {folder}/rules.test.yaml\n"
    )


def test_a_rule_file_without_tests_beside_it_is_refused_in_one_line(folder: Path) -> None:
    result = played(folder / "rules.yaml")

    assert isinstance(result.exception, OperatorError)
    said = str(result.exception)
    assert said.startswith(f"{folder}/rules.yaml is a rule file and there is no {folder}/rules.te")
    assert f"`seawall test TESTS --rules {folder}/rules.yaml`" in said
    assert "\n" not in said


def test_json_has_the_agreed_shape(folder: Path) -> None:
    path = story_in(folder, WATCH, ACT)

    plain, scored = played(path, "--json"), played(path, "--mutate", "--json")

    assert json.loads(plain.stdout) == {
        "tests": 1,
        "failed": 0,
        "coverage": "1.0000",
        "mutation": None,
        "failures": [],
    }
    mutation = json.loads(scored.stdout)["mutation"]
    assert mutation.keys() == {"score", "killed", "survived"}
    assert mutation["killed"] + len(mutation["survived"]) == 17
    assert "loss/watch clear 4% -> 4.4%" in mutation["survived"]


def test_too_few_changes_noticed_ends_with_1_and_suggests(folder: Path) -> None:
    path = story_in(folder, WATCH, ACT, require="{mutation: 95%}")

    asked, suggested = played(path, "--mutate"), played(path, "--suggest")

    assert asked.exit_code == 1
    assert "required: 95.0% of changes noticed" in asked.stdout
    assert "  line 6: loss/watch clear 4% -> 4.4%" in asked.stdout
    assert '  - name: "loss/watch clear 4% -> 4.4% is noticed"' in suggested.stdout


def test_suggested_tests_may_be_pasted_and_are_enough(folder: Path) -> None:
    path = story_in(folder, WATCH, ACT, require="{coverage: levels, mutation: 95%}")
    suggestions = json.loads(played(path, "--suggest", "--json").stdout)["suggestions"]

    path.write_text(path.read_text() + "\n".join(suggestions.values()) + "\n")

    assert played(path, "--mutate").exit_code == 0


def initialised(folder: Path, *words: str) -> Result:
    given = ["--loss", "15%", "--gap", "8%", "--cash", "$1_000", "--equity", "$12_345", *words]
    return CliRunner().invoke(init_app, [str(folder), *given])


def test_three_answers_become_rules_and_tests_that_hold(tmp_path: Path) -> None:
    result = initialised(tmp_path)

    assert result.exit_code == 0
    assert "down $1,852 (15% from the peak) all of it" in result.stdout
    assert len(load(tmp_path / "rules.yaml").policy.rules) == 9
    scored = json.loads(played(tmp_path / "rules.test.yaml", "--mutate", "--json").stdout)
    assert scored["failed"] == 0
    assert scored["coverage"] == "1.0000"
    assert Decimal(scored["mutation"]["score"]) >= Decimal("0.8")


def test_what_exists_is_never_overwritten(folder: Path) -> None:
    result = initialised(folder)

    assert isinstance(result.exception, OperatorError)
    assert (folder / "rules.yaml").read_text() == RULES
    assert not (folder / "rules.test.yaml").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--loss", "12", "the unit is missing"),
        ("--loss", "80%", "1% to 50% is expected"),
        ("--gap", "0.1%", "1% to 50% is expected"),
        ("--cash", "-$5", "at least $0"),
        ("--equity", "$5", "at least $100"),
    ],
)
def test_an_answer_that_makes_no_rules_is_refused(
    tmp_path: Path, option: str, value: str, said: str
) -> None:
    result = initialised(tmp_path, option, value)

    assert isinstance(result.exception, OperatorError)
    assert said in str(result.exception)
    assert list(tmp_path.iterdir()) == []
