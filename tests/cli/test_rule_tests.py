"""`seawall test`, `explain`, `rules` and `init`: what they print and their exit codes."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from seawall.agent import Kind, TickRow
from seawall.cli.check import app as check_app
from seawall.cli.explain import app as explain_app
from seawall.cli.init import app as init_app
from seawall.cli.rules import app as rules_app
from seawall.cli.test import app as play_app
from seawall.decide import decide
from seawall.decide.holds import Holds
from seawall.decide.memory import Memory
from seawall.errors import OperatorError
from seawall.journal.codec import to_json
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.rulefile import load
from seawall.units import Millis
from tests.rulefile.texts import SHIPPED
from tests.ruletest.texts import ACCOUNT, RULES
from tests.see import AT, see


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


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A guard has watched an account of $23,000 with $8,000 of BTC for one tick."""
    return watched(tmp_path, "0.08")


def watched(tmp_path: Path, coins: str) -> Path:
    loaded = load(SHIPPED)
    seen = see(equity=23_000, positions={"BTC-USD": (coins, 100_000)})
    memory, decision = decide(loaded.policy, Memory(), seen, mode=Mode.LIVE)
    row = TickRow(
        digest=loaded.digest,
        mode=Mode.LIVE,
        seen=seen,
        commands_through=0,
        before=Memory(),
        decision=decision,
        after=memory,
    )
    path = tmp_path / "journal.db"
    with Journal.open(path) as opened:
        opened.append(Kind.TICK, to_json(row))
    return path


EXPLAINED = Path(__file__).parent / "golden" / "explain.txt"


def explained(*words: str | Path) -> Result:
    return CliRunner().invoke(explain_app, [str(word) for word in words])


def test_a_rule_is_explained_in_words_without_a_guard(tmp_path: Path) -> None:
    result = explained("account-drawdown", "--rules", SHIPPED, "--journal", tmp_path / "none.db")

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "account-drawdown: The account may lose 12% from its flow-adjusted peak and no more."
    )
    assert (
        "act at >= 9% for 30s: notify, cancel orders that add risk, cut 33% of each position"
        in (result.stdout)
    )
    assert any(line.startswith("leaves alone orders that reduce") for line in lines)
    assert lines[-1].startswith("no numbers")


def test_every_shipped_rule_is_explained_in_words_that_stay(tmp_path: Path) -> None:
    ids = [rule.id for rule in load(SHIPPED).policy.rules]

    said = "\n".join(
        explained(one, "--rules", SHIPPED, "--journal", tmp_path / "none.db").stdout for one in ids
    )

    assert said.splitlines() == EXPLAINED.read_text().splitlines()


def test_a_rule_is_explained_with_the_numbers_of_now(journal: Path) -> None:
    result = explained("market-cap", "--rules", SHIPPED, "--journal", journal)

    assert "equity $23,000 minus buffer $3,000 is $20,000" in result.stdout
    assert (
        "cap of BTC-USD: derived 12% x (equity - buffer) x 40% / (10% + 1.5%) = "
        "0.417 x (equity - buffer), now $8,347.83"
    ) in result.stdout
    assert "market-cap/BTC-USD: cap_use 95.83%" in result.stdout
    assert "watch: met; 10.83% away from clearing at < 85%" in result.stdout
    assert "act: 9.17% away from > 105%" in result.stdout


def test_json_has_the_numbers_beside_the_sentences(journal: Path) -> None:
    result = explained("market-cap", "--rules", SHIPPED, "--journal", journal, "--json")

    said = json.loads(result.stdout)
    assert said["words"][0].startswith("market-cap: ")
    assert (said["measure"], said["unit"], said["scope"]["per"]) == ("cap_use", "ratio", "market")
    act = said["levels"][1]
    assert act["trigger"] == {"operator": ">", "value": "1.05"}
    assert (act["for_ms"], act["cooldown_ms"], act["latch"]) == (60_000, 300_000, None)
    assert act["do"][2] == {"kind": "reduce_until", "max_slippage": 4_000, "or_else": None}
    capacity = said["capacity"]
    assert (capacity["equity"], capacity["buffer"]) == ("23000", "3000")
    btc, sol = capacity["caps"]["BTC-USD"], capacity["caps"]["SOL-USD"]
    assert (btc["typed"], btc["share_ppm"]) == (None, 400_000)
    assert f"{Decimal(btc['now']):.2f}" == "8347.83"  # 12% of $20,000 x 40% / (10% + 1.5%)
    assert (sol["typed"], f"{Decimal(sol['now']):.2f}") == ("5000", "1454.55")
    instances = {one["instance"]: one for one in said["instances"]}
    assert instances.keys() == {"market-cap/BTC-USD", "market-cap/SOL-USD"}
    btc = instances["market-cap/BTC-USD"]
    assert btc["value"].startswith("0.9583")
    watch, act = btc["levels"]
    assert (watch["phase"], watch["is_met"], watch["age_ms"]) == ("firing", True, 0)
    assert Decimal(watch["to_trigger"]) < 0 < Decimal(watch["to_clear"])
    assert (act["phase"], act["is_met"], act["age_ms"]) == ("clear", False, None)
    assert Decimal(act["to_trigger"]) == Decimal("1.05") - Decimal(btc["value"])


def test_json_without_a_guard_has_the_rule_and_no_instances(tmp_path: Path) -> None:
    result = explained(
        "account-drawdown", "--rules", SHIPPED, "--journal", tmp_path / "none.db", "--json"
    )

    said = json.loads(result.stdout)
    assert (said["at"], said["instances"]) == (None, [])
    assert said["levels"][2]["latch"] == "manual"
    assert "capacity" not in said


def test_both_caps_are_shown_where_one_is_typed(tmp_path: Path) -> None:
    result = explained("market-cap", "--rules", SHIPPED, "--journal", tmp_path / "none.db")

    (line,) = (one for one in result.stdout.splitlines() if one.startswith("cap of SOL-USD"))
    assert "typed $5,000" in line
    assert "derived 12%" in line
    assert line.endswith("the smaller holds")


def test_a_rule_that_is_not_there_is_refused_with_the_nearest() -> None:
    result = explained("account-drawdwon", "--rules", SHIPPED)

    assert isinstance(result.exception, OperatorError)
    assert "did you mean `account-drawdown`?" in str(result.exception)


def test_rules_are_listed_with_state_distance_and_age(journal: Path) -> None:
    result = CliRunner().invoke(
        rules_app, ["--rules", str(SHIPPED), "--journal", str(journal), "--json"]
    )

    said = {line["rule"]: line for line in json.loads(result.stdout)["rules"]}
    cap = said["market-cap/BTC-USD"]
    assert {key: cap[key] for key in ("rule", "state", "value", "distance", "age")} == {
        "rule": "market-cap/BTC-USD",
        "state": "watch firing",
        "value": "cap_use 95.83%",
        "distance": "9.17% away from > 105%",
        "age": "for 0s",
    }
    assert cap["number"].startswith("0.9583")
    assert [(one["level"], one["phase"], one["age_ms"]) for one in cap["levels"]] == [
        ("watch", "firing", 0),
        ("act", "clear", None),
    ]
    assert said["account-drawdown"]["state"] == "clear"
    assert said["account-drawdown"]["distance"] == "6% away from >= 6%"


def test_a_level_on_its_way_is_as_old_as_the_guard_last_wrote_down(tmp_path: Path) -> None:
    path = watched(tmp_path, "0.09")  # beyond 105% of the cap, which must last a minute
    later = Millis(AT + 45_000)
    held = {"market-cap/BTC-USD": {"act": Millis(45_000)}}
    with Journal.open(path) as opened:
        opened.append(Kind.HOLDS, to_json(Holds(at=later, seen_at=later, held=held)))

    result = CliRunner().invoke(rules_app, ["--rules", str(SHIPPED), "--journal", str(path)])

    *lines, at = result.stdout.splitlines()
    (line,) = (one for one in lines if one.startswith("market-cap/BTC-USD"))
    assert "act pending" in line
    assert line.endswith("for 45s")
    assert at == "at 2023-11-14 22:13:20Z, ages at 2023-11-14 22:14:05Z"


def test_rules_stand_in_columns(journal: Path) -> None:
    result = CliRunner().invoke(rules_app, ["--rules", str(SHIPPED), "--journal", str(journal)])

    *lines, at = result.stdout.splitlines()
    assert at.startswith("at ")
    states = {line.index(" clear ") for line in lines if " clear " in line}
    assert len(states) == 1


def test_stops_on_the_chain_stand_below_the_rules(journal: Path, tmp_path: Path) -> None:
    command = ["--rules", str(SHIPPED), "--journal", str(journal)]

    lines = CliRunner().invoke(rules_app, command).stdout.splitlines()
    said = json.loads(CliRunner().invoke(rules_app, [*command, "--json"]).stdout)

    places = [line.split()[0] for line in lines if line.startswith("backstop/")]
    assert places == ["backstop/0/BTC-USD"]
    assert [one["market"] for one in said["backstops"]] == ["BTC-USD"]
    bare = tmp_path / "rules.yaml"
    bare.write_text(RULES)
    without = CliRunner().invoke(rules_app, ["--rules", str(bare), "--journal", str(journal)])
    assert "backstop: none: the rules have no `backstop`" in without.stdout


def test_the_stops_are_explained_as_a_rule_is(journal: Path, tmp_path: Path) -> None:
    command: tuple[str | Path, ...] = ("backstop", "--rules", SHIPPED, "--journal")

    said = explained(*command, journal).stdout
    objects = json.loads(explained(*command, journal, "--json").stdout)["backstops"]

    assert "backstop: something on the chain closes each position if the guard dies" in said
    assert "0/BTC-USD  none" in said
    assert [one["market"] for one in objects] == ["BTC-USD"]
    assert "no numbers" in explained(*command, tmp_path / "none.db").stdout


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


def test_check_warns_of_a_held_market_that_no_rule_reaches(journal: Path, folder: Path) -> None:
    rules = folder / "eth.yaml"
    rules.write_text(
        RULES.replace(
            "    measure: drawdown", "    scope: {markets: [ETH-USD]}\n    measure: drawdown"
        )
    )

    result = CliRunner().invoke(check_app, [str(rules), "--journal", str(journal)])

    assert result.exit_code == 0
    assert "warning: 0/BTC-USD is held and no rule's scope reaches it" in result.stdout
