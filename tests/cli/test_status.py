"""`seawall status`: the chain's numbers in dollars, or a reason; never zeros in their place."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from seawall.cli import main
from seawall.simulator.keys import demo_key
from tests.cli.looked import RULES, Call, as_json, called, held_venue
from tests.cli.played import Venue

UNUSED = demo_key(99, "nobody").address
GOLDEN = Path(__file__).parent / "golden" / "status.txt"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    yield from held_venue(tmp_path_factory.mktemp("venue"))


@pytest.fixture
def call(place: Venue, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    return partial(called, place, capsys, monkeypatch)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    return file


def test_an_account_is_shown_in_dollars(place: Venue, rules: Path, call: Call) -> None:
    code, out, err = call("status", "--rules", str(rules))

    for written, name in (
        (place.said["accounts"][0]["address"], "ADDRESS"),
        (str(rules), "RULES"),
        (place.said["node"], "NODE"),
    ):
        out = out.replace(written, name)
    lines = [line for line in out.splitlines() if not line.startswith("note: ")]
    assert (code, err) == (0, "")
    assert lines == GOLDEN.read_text().splitlines()
    assert max(map(len, lines)) <= 100


def test_the_numbers_are_the_venue_s_own(place: Venue, rules: Path, call: Call) -> None:
    _, out, _ = call("status", "--json", "--rules", str(rules))

    said, own = as_json(out), place.guarded
    (account,) = said["subaccounts"]
    assert {"height", "at", "seen_at", "subaccounts", "rules", "sources"} <= set(said)
    assert said["height"] == place.state()["height"]
    for name in ("equity", "imr", "mmr"):
        assert Decimal(account[name]) == Decimal(own[name]), name
    shown = {
        p["market"]: (Decimal(p["size"]), Decimal(p["notional"])) for p in account["positions"]
    }
    assert shown == {
        ticker: (Decimal(one["size"]), Decimal(one["notional"]))
        for ticker, one in own["positions"].items()
    }
    assert set(account) >= {
        *("number", "equity", "imr", "mmr", "margin_usage", "maintenance_usage", "leverage"),
        *("free_collateral", "positions"),
    }
    assert set(account["positions"][0]) >= {
        *("market", "size", "notional", "liquidation_price", "band", "liq_move", "loss"),
        "funding_24h",
    }
    assert [(r["instance"], r["value"]) for r in said["rules"]][:2] == [
        ("room/0", "19800"),
        ("band/0/BTC-USD", "0.3248987854"),
    ]


def test_any_address_is_shown_by_url_alone(
    place: Venue, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEAWALL_VENUE__STEP_URL", place.said["step"])
    second = place.said["accounts"][1]["address"]
    wire = ("--node", place.said["node"], "--indexer", place.said["indexer"])
    with pytest.raises(SystemExit) as ended:
        main(["status", second, *wire, "--chain-id", place.said["chain_id"], "--json"])

    assert ended.value.code == 0
    assert as_json(capsys.readouterr().out)["owner"] == second


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("dydx1nonsense",), 2, "'dydx1nonsense'"),
        (("BTC-USD",), 2, "is not an address of dYdX"),
        ((UNUSED,), 2, f"no such subaccount: {UNUSED}/0"),
        (("--chain-id", "dydx-mainnet-1"), 2, "but venue.chain_id is dydx-mainnet-1"),
        (("--node", "127.0.0.1:1"), 4, "127.0.0.1:1"),
        (("--rules", "nowhere.yaml"), 2, "nowhere.yaml:1:1 no such file"),
        (("--settings", "nowhere.toml"), 2, "nowhere.toml: there is no such settings file"),
    ],
)
def test_what_cannot_be_shown_is_said_and_no_number_with_it(
    call: Call,
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    ended, out, err = call("status", *words)

    assert (ended, out) == (code, "")
    assert message in err


def test_books_and_orders_back_the_measures_that_need_them(tmp_path: Path, call: Call) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        "rules:\n"
        '  - {id: gap, why: "Gap.", measure: oracle_gap, trigger: "> 50%", do: [page]}\n'
        '  - {id: rest, why: "Rest.", measure: open_order_risk, trigger: "> $1", do: [page]}\n'
    )

    _, out, _ = call("status", "--json", "--rules", str(file))

    said = as_json(out)
    values = {rule["instance"]: rule["value"] for rule in said["rules"]}
    assert {values["gap"], values["rest/BTC-USD"]} == {"0"}
    assert said["sources"]["books"]["ok"]
    assert said["sources"]["orders"]["ok"]


def test_a_market_that_is_not_listed_is_named_and_its_scenario_backs_no_number(
    tmp_path: Path,
    call: Call,
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        "scenarios: {gap: {BTCC-USD: -10%}}\n"
        'rules: [{id: gap, why: "Gap.", measure: {stress_headroom: gap}, trigger: "< $0",'
        " do: [page]}]\n"
    )

    _, out, _ = call("status", "--json", "--rules", str(file))

    said = as_json(out)
    assert "scenario gap: the venue has no market BTCC-USD" in said["notes"]
    assert [rule["value"] for rule in said["rules"]] == [None]
