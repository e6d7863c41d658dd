"""`seawall explain` and `rules`, and `check` beside a guard: what they say of an account."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from seawall.agent import Kind, TickRow
from seawall.cli.check import app as check_app
from seawall.cli.explain import app as explain_app
from seawall.cli.rules import app as rules_app
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
from tests.ruletest.texts import RULES
from tests.see import AT, see


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


def test_check_warns_of_a_held_market_that_no_rule_reaches(journal: Path, tmp_path: Path) -> None:
    rules = tmp_path / "eth.yaml"
    rules.write_text(
        RULES.replace(
            "    measure: drawdown", "    scope: {markets: [ETH-USD]}\n    measure: drawdown"
        )
    )

    result = CliRunner().invoke(check_app, [str(rules), "--journal", str(journal)])

    assert result.exit_code == 0
    assert "warning: 0/BTC-USD is held and no rule's scope reaches it" in result.stdout
