"""`seawall check --account`: names that the account or the venue does not have, asked of a node."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.cli.looked import Call, as_json, called, held_venue
from tests.cli.played import Venue

RULES = """\
account: {hands_off: {markets: [DOGE-USD], subaccounts: [256]}}
caps: {SOL-USDC: $5_000}
scenarios: {gap: {BTCUSD-USD: -10%}}
rules:
  - id: gross
    why: "Enough is enough."
    measure: gross_exposure
    scope: {markets: [BTC-USD, ETHH-USD], subaccounts: [0, 128]}
    trigger: "> $9_000"
    do: [notify]
"""
NARROW = """\
rules:
  - id: gross
    why: "Enough is enough."
    measure: gross_exposure
    scope: {markets: [BTC-USD]}
    trigger: "> $9_000"
    do: [notify]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    yield from held_venue(tmp_path_factory.mktemp("venue"))


@pytest.fixture
def call(place: Venue, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    return partial(called, place, capsys, monkeypatch)


def written(folder: Path, text: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text(text)
    return path


def test_every_name_that_is_not_there_is_refused_at_once(
    place: Venue, call: Call, tmp_path: Path
) -> None:
    rules = written(tmp_path, RULES)
    trader = place.said["accounts"][0]["address"]

    code, out, err = call("check", str(rules), "--account", trader)

    assert (code, out) == (2, "")
    *problems, consequence = [line.removeprefix(f"{rules}:") for line in err.splitlines()]
    listed = "there are `BTC-USD`, `ETH-USD`, `SOL-USD`"
    assert problems == [
        f"1:33 `DOGE-USD`: the venue has no such market, {listed}",
        "1:58 `256`: the account has no such subaccount, there are `0`",
        "2:8 `SOL-USDC`: the venue has no such market, did you mean `SOL-USD`?",
        "3:19 `BTCUSD-USD`: the venue has no such market, did you mean `BTC-USD`?",
        "8:32 `ETHH-USD`: the venue has no such market, did you mean `ETH-USD`?",
        "8:60 `128`: the account has no such subaccount, there are `0`",
    ]
    assert consequence == "Not loaded."


def test_without_an_account_the_same_names_are_taken_on_trust(call: Call, tmp_path: Path) -> None:
    rules = written(tmp_path, RULES.replace("SOL-USDC", "SOLANA-USD"))

    code, _, err = call("check", str(rules), "--journal", str(tmp_path / "none.db"))

    assert (code, err) == (0, "")


def test_positions_that_no_rule_reaches_are_warned_of(
    place: Venue, call: Call, tmp_path: Path
) -> None:
    rules = written(tmp_path, NARROW)
    trader = place.said["accounts"][0]["address"]

    code, out, _ = call("check", str(rules), "--account", trader, "--json")

    assert code == 0
    assert "0/ETH-USD is held and no rule's scope reaches it" in as_json(out)["unreached"]
    assert (
        "0/BTC-USD is held and only watched: no rule that reaches it may reduce it"
        in (as_json(out)["unreached"])
    )


def test_a_node_that_does_not_answer_ends_with_4(place: Venue, call: Call, tmp_path: Path) -> None:
    trader = place.said["accounts"][0]["address"]

    code, _, err = call(
        "check", str(written(tmp_path, NARROW)), "--account", trader, "--node", "127.0.0.1:1"
    )

    assert code == 4
    assert "no node answers" in err
