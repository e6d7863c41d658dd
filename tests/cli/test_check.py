"""`seawall check`: what it prints, where, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seawall.cli.check import app
from tests.rulefile.texts import DEMO, SHIPPED, one_rule

OWNER = "dydx199tqg4wdlnu4qjlxchpd7seg454937hjrknju4"

BAD = one_rule(trigger='"> 9_000"', mode="live")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(BAD)
    return path


def test_a_file_that_loads_ends_with_0_and_says_what_it_holds() -> None:
    result = CliRunner().invoke(app, [str(SHIPPED)])

    assert result.exit_code == 0
    first, limits, stops, *warnings = result.stdout.splitlines()
    assert first.startswith(f"{SHIPPED}: 10 rules, 17 levels, 3 scenarios, would load as ")
    assert "losing at most 12% in twin-gap allows a book of 1.04x equity minus buffer" in limits
    assert stops == (
        "backstop: a stop on the chain closes each position if the guard dies, at 60% of the way "
        "to liquidation, alone or in twin-gap, within 500bps; none in a subaccount below the "
        "chain's equity tier"
    )
    assert all(line.startswith(f"warning: {SHIPPED}:") for line in warnings)


def test_a_file_that_does_not_load_ends_with_2_and_says_everything_at_once(bad: Path) -> None:
    result = CliRunner().invoke(app, [str(bad)])

    assert result.exit_code == 2
    assert result.stdout == ""
    trigger, mode, consequence = result.stderr.splitlines()
    assert trigger.startswith(f"{bad}:5:14 `9_000`: the unit is missing")
    assert mode.startswith(f"{bad}:7:11 `live`")
    assert consequence == "Not loaded."


def test_a_file_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(tmp_path / "gone.yaml")])

    assert result.exit_code == 2
    assert (
        "gone.yaml:1:1 no such file: name yours, or write one with `seawall init`" in result.stderr
    )


def test_json_prints_one_object_and_nothing_else(bad: Path) -> None:
    good = CliRunner().invoke(app, [str(DEMO), "--json"])
    refused = CliRunner().invoke(app, [str(bad), "--json"])

    assert (good.exit_code, refused.exit_code) == (0, 2)
    loads = json.loads(good.stdout)
    assert (loads["loads"], loads["rules"], loads["levels"]) == (True, 4, 6)
    assert len(loads["digest"]) == 64
    said = json.loads(refused.stdout)
    assert said["loads"] is False
    assert [(p["line"], p["column"]) for p in said["problems"]] == [(5, 14), (7, 11)]
    assert refused.stderr == ""


def test_the_default_is_the_considered_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SHIPPED.parents[1])

    result = CliRunner().invoke(app, [])

    assert result.stdout.startswith("config/rules.yaml: 10 rules")


@pytest.mark.parametrize("where", ["environment", "settings"])
def test_a_float_wallet_that_is_the_guarded_owner_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(one_rule(head=f"account: {{float: {{address: {OWNER}}}}}\n"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEAWALL_ACCOUNT__ADDRESS", raising=False)
    if where == "environment":
        monkeypatch.setenv("SEAWALL_ACCOUNT__ADDRESS", OWNER)
    else:
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "seawall.toml").write_text(f'[account]\naddress = "{OWNER}"\n')

    result = CliRunner().invoke(app, [str(rules)])

    assert result.exit_code == 2
    assert f"1:28 `{OWNER}`: the float wallet is the guarded owner itself" in result.stderr


def test_settings_that_cannot_be_read_keep_nobody_from_checking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "seawall.toml").write_text("[account\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEAWALL_ACCOUNT__ADDRESS", raising=False)

    result = CliRunner().invoke(app, [str(SHIPPED), "--journal", str(tmp_path / "none.db")])

    assert result.exit_code == 0


def test_an_address_that_no_messenger_knows_is_warned_of_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "seawall.toml"
    settings.write_text(
        f'[account]\naddress = "{OWNER}"\n'
        '[venue]\nchain_id = "dydx-testnet-4"\nnodes = ["https://node.example:443"]\n'
        'indexers = ["https://indexer.example"]\nfeeds = ["wss://indexer.example/v4/ws"]\n'
    )
    monkeypatch.setenv("SEAWALL_NOTIFY__URLS", "json://127.0.0.1/,hunter2token")
    asked = [str(DEMO), "--settings", str(settings)]

    said = CliRunner().invoke(app, asked)
    as_json = CliRunner().invoke(app, [*asked, "--json"])

    assert (said.exit_code, as_json.exit_code) == (0, 0)
    assert "warning: notify.urls: number 2 (?://…) is no address" in said.stdout
    assert len(json.loads(as_json.stdout)["unknown_messengers"]) == 1
    assert "hunter2token" not in said.output + as_json.output
