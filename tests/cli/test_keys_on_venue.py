"""Keys against a venue as a process: granted, proven, used, and taken back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from v4_proto.dydxprotocol.accountplus.tx_pb2 import MsgAddAuthenticator

from seawall.agent import Kind
from seawall.cli import main
from seawall.notify.courier import DELIVERY
from seawall.simulator.keys import DemoKey, demo_key
from seawall.venue.dydx.connection import Connection
from seawall.venue.dydx.desk import Desk, Given
from seawall.venue.dydx.grants import Payer, signed
from seawall.venue.dydx.keys import Key, load_key
from seawall.venue.dydx.orders import Signer
from seawall.venue.dydx.permission import SIGNATURE
from seawall.venue.dydx.proof import CODESPACE
from tests.cli.played import RULES, SEAWALL, count, read, wait_until
from tests.venue.dydx.test_against_simulator import Simulated, simulated

SIGNED = ("--owner", "owner.key", "--send")
AT_ONCE = """\
rules:
  - id: usage
    why: "It fires at once."
    measure: maintenance_usage
    trigger: "> 0.1%"
    do: [page, flatten]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A venue, one of its accounts, and a folder with the owner's key and a trading key."""

    connection: Connection
    folder: Path
    patch: pytest.MonkeyPatch
    said: pytest.CaptureFixture[str]

    def seawall(self, *words: str, **environment: str) -> Done:
        """A command, in this process, with these variables set."""
        with self.patch.context() as patch:
            for name, value in {**self.environment, **environment}.items():
                patch.setenv(name, value)
            self.said.readouterr()
            with pytest.raises(SystemExit) as ended:
                main(words)
        said = self.said.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(code=ended.value.code, out=said.out, err=said.err)

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "SEAWALL_ACCOUNT__ADDRESS": self.connection.owner,
            "SEAWALL_VENUE__CHAIN_ID": self.connection.chain_id,
            "SEAWALL_VENUE__NODES": self.connection.nodes[0],
            "SEAWALL_VENUE__INDEXERS": self.connection.indexers[0],
            "SEAWALL_VENUE__FEEDS": self.connection.feeds[0],
            "SEAWALL_KEYS__TRADING": "trading.key",
            "SEAWALL_JOURNAL__PATH": "seawall.db",
        }

    @contextmanager
    def running(self, *words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """A command that stays, in a process of its own."""
        with subprocess.Popen(
            [*SEAWALL, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env={**os.environ, **self.environment, **environment},
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def grant(self, *markets: str) -> None:
        done = self.seawall("keys", "grant", "--markets", ",".join(markets), *SIGNED)
        assert (done.code, done.err) == (0, "")

    def check(self) -> tuple[int, dict[str, object]]:
        done = self.seawall("keys", "check", "--json")
        assert done.err == ""
        report: dict[str, object] = json.loads(done.out)
        return done.code, report

    @property
    def journal(self) -> Path:
        return self.folder / "seawall.db"


@pytest.fixture(name="venue", scope="module")
def _venue() -> Iterator[tuple[Simulated, Iterator[DemoKey]]]:
    """A venue for all, with the keys of accounts that nobody has used yet."""
    # At the pace of the world's clock: a guard acts on no state from ahead of it.
    with simulated(
        "--accounts", "10", "--leverage", "2x", "--float", "500", "--speed", "1"
    ) as running:
        yield running, iter([demo_key(1, f"trader-{number}") for number in range(1, 11)])


@pytest.fixture(name="place")
def _place(
    venue: tuple[Simulated, Iterator[DemoKey]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Place:
    running, accounts = venue
    account = next(accounts)
    monkeypatch.chdir(tmp_path)
    owner = tmp_path / "owner.key"
    owner.write_text(account.mnemonic)
    owner.chmod(0o600)
    connection = replace(running.connection, owner=account.address)
    place = Place(connection=connection, folder=tmp_path, patch=monkeypatch, said=capsys)
    assert place.seawall("keys", "new", "trading.key").code == 0
    return place


def trading_key() -> Key:
    return load_key("trading.key", "a test")


def verdicts(report: dict[str, object]) -> dict[str, str]:
    tried = report["tried"]
    assert isinstance(tried, list)
    return {each["what"]: each["verdict"] for each in tried}


def desk_of(place: Place) -> Desk:
    return Desk(place.connection.nodes, place.connection.owner)


async def given(place: Place) -> Given:
    async with desk_of(place) as desk:
        return await desk.given()


async def permit_everything(place: Place) -> None:
    """A permission that asks for the trading key's signature and nothing else."""
    owner, key = load_key("owner.key", "a test"), trading_key()
    message = MsgAddAuthenticator(
        sender=owner.address, authenticator_type=SIGNATURE, data=key.public_key
    )
    async with desk_of(place) as desk:
        account = (await desk.given()).account
        payer = Payer(
            chain_id=place.connection.chain_id,
            account_number=account.number,
            sequence=account.sequence,
        )
        signer = Signer(chain_id=payer.chain_id, key=owner, account_number=payer.account_number)
        await desk.carry_out(signed(signer, message, payer), lambda now: bool(now.permissions))


def test_a_granted_key_is_proven_to_trade_and_to_move_no_money(place: Place) -> None:
    place.grant("BTC-USD", "ETH-USD")

    code, report = place.check()

    assert code == 0
    assert report["ok"] is True
    assert report["markets"] == ["BTC-USD", "ETH-USD"]
    assert report["subaccounts"] == [0]
    assert verdicts(report) == {
        "cancel an order": "accepted",
        "withdraw": "refused",
        "transfer": "refused",
        "deposit": "refused",
        "send": "refused",
    }


def test_a_key_without_permission_fails_the_check_and_may_not_begin(place: Place) -> None:
    code, report = place.check()
    run = place.seawall("run", "--live", "--rules", str(RULES))

    assert code == 1
    assert report["permission"] is None
    assert run.code == 2
    assert "no permission" in run.err
    assert not place.journal.exists()


def test_what_was_signed_elsewhere_is_carried_by_the_guards_machine(place: Place) -> None:
    account = asyncio.run(given(place)).account
    numbers = ("--account-number", str(account.number), "--sequence", str(account.sequence))
    printed = place.seawall(
        "keys",
        "grant",
        "--markets",
        "0,1",
        "--owner",
        "owner.key",
        *numbers,
        SEAWALL_VENUE__NODES="127.0.0.1:1",
    )
    assert (printed.code, printed.err) == (0, "")
    (place.folder / "signed").write_text(printed.out)

    carried = place.seawall("keys", "grant", "--signed", "signed")

    assert (carried.code, carried.err) == (0, "")
    assert place.check()[0] == 0


def test_a_revoked_key_is_refused_by_the_chain(place: Place) -> None:
    place.grant("BTC-USD")

    revoked = place.seawall("keys", "revoke", "--owner", "owner.key", "--send")

    assert (revoked.code, revoked.err) == (0, "")
    assert place.check()[1]["permission"] is None
    again = place.seawall("keys", "revoke", "--owner", "owner.key", "--send")
    assert again.code == 2
    assert "nothing to take back" in again.err


def test_a_key_that_can_do_more_is_named_so_proven_so_and_refused(place: Place) -> None:
    asyncio.run(permit_everything(place))

    code, report = place.check()
    refused = place.seawall("run", "--live", "--rules", str(RULES))

    assert code == 1
    assert "withdraw from subaccounts" in str(report["beyond"])
    assert set(verdicts(report).values()) == {"accepted"}
    assert refused.code == 2
    assert "withdraw from subaccounts" in refused.err
    assert "--allow-wide-key" in refused.err


def test_the_owners_own_key_runs_live_only_where_that_is_wanted(place: Place) -> None:
    environment = {"SEAWALL_KEYS__TRADING": "owner.key"}
    words = ("run", "--live", "--rules", str(RULES))

    refused = place.seawall(*words, **environment)

    assert refused.code == 2
    assert "it is the owner's own key" in refused.err
    with place.running(*words, "--allow-wide-key", **environment):
        wait_until(place.journal.exists, "a journal")


def test_a_granted_key_guards_live(place: Place) -> None:
    (place.folder / "rules.yaml").write_text(AT_ONCE)
    place.grant("BTC-USD", "ETH-USD", "SOL-USD")

    with place.running("run", "--live", "--arm", "--rules", "rules.yaml") as process:
        wait_until(lambda: process.poll() is not None or has_filled(place.journal), "a fill")
        health = place.seawall("health")

    record = read(place.journal)
    assert not [one for one in record.replies if one.reply.codespace in (CODESPACE, "seawall")]
    assert any(outcome.quote for outcome in record.outcomes)
    assert (health.code, health.err) == (0, "")


STOPS = """
scenarios: {gap: {"*": -10%, both_signs: true}}
backstop: {scenario: gap, at: 60%, slippage: 500bps}
rules:
  - {id: size, why: "Nothing acts.", measure: gross_exposure, trigger: "> $9_000_000", do: [page]}
"""


def test_a_granted_key_leaves_stops_that_outlive_the_guard_within_its_markets(
    place: Place,
) -> None:
    (place.folder / "rules.yaml").write_text(STOPS)
    place.grant("BTC-USD", "ETH-USD")

    def have_landed() -> bool:
        if count(place.journal, Kind.OUTCOME) < 2:
            return False
        return len([one for one in read(place.journal).outcomes if one.ending == "landed"]) == 2

    with place.running("run", "--live", "--arm", "--rules", "rules.yaml") as process:
        wait_until(lambda: process.poll() is not None or have_landed(), "two stops")
        process.kill()

    def resting() -> dict[str, list[str]]:
        shown = json.loads(place.seawall("status", "--rules", "rules.yaml", "--json").out)
        return {one["market"]: [o["side"] for o in one["rests"]] for one in shown["backstops"]}

    wait_until(lambda: any(resting().values()), "the indexer's record of a stop")
    assert resting() == {"BTC-USD": ["SELL"], "ETH-USD": ["SELL"], "SOL-USD": []}
    assert not [one for one in read(place.journal).replies if not one.reply.is_accepted]


def has_filled(journal: Path) -> bool:
    is_there = count(journal, Kind.OUTCOME) > 0
    return is_there and any(outcome.quote for outcome in read(journal).outcomes)


def test_no_secret_shows_in_any_output_file_or_process_list(place: Place) -> None:
    (place.folder / "rules.yaml").write_text(AT_ONCE)
    secrets = [(place.folder / name).read_text().strip() for name in ("owner.key", "trading.key")]
    place.grant("BTC-USD", "ETH-USD", "SOL-USD")
    said = [place.seawall("keys", "check"), place.seawall("keys", "revoke", "--id", "0")]
    told = {
        "SEAWALL_NOTIFY__URLS": "json://user:hunter2-token@127.0.0.1:1/hunter2-path",
        "SEAWALL_NOTIFY__HEARTBEAT_URL": "http://127.0.0.1:1/hunter2-beat",
    }

    with place.running("run", "--live", "--arm", "--rules", "rules.yaml", **told) as process:
        wait_until(lambda: process.poll() is not None or has_filled(place.journal), "a fill")
        wait_until(lambda: count(place.journal, DELIVERY) > 1, "a delivery that failed")
        listed = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)

    written = [
        path.read_bytes().decode(errors="replace")
        for path in place.folder.iterdir()
        if path.suffix != ".key"
    ]
    everything = "\n".join([out, listed, *written, *(one.out + one.err for one in said)])
    assert "hunter2" not in everything
    for secret in secrets:
        assert " ".join(secret.split()[:3]) not in everything
