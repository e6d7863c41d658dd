"""Settings are checked whole: every fault at once, with its place, and what is allowed there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from seawall.errors import SettingsError
from seawall.settings import Settings, address_fault, load_settings

ADDRESS = "dydx1n56z5fhmemtffzkt2eqyf9kuc7ycjfs86mvqy7"
ACCOUNT = f'[account]\naddress = "{ADDRESS}"\n'
STEP, BEAT = "http://127.0.0.1:3002/step", "https://beat.example"
SHIPPED = Path(__file__).parent.parent / "config" / "seawall.toml"

Write = Callable[[str], Path]


@pytest.fixture(name="write")
def _write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "seawall.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEAWALL_ACCOUNT__ADDRESS", raising=False)


def problems(path: Path | None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def test_an_address_is_enough(write: Write) -> None:
    settings = load_settings(write(ACCOUNT))

    assert settings.account.address == ADDRESS
    assert settings.account.parent == 0
    assert settings.venue.chain_id == "dydx-mainnet-1"
    assert settings.venue.feeds == ("wss://indexer.dydx.trade/v4/ws",)
    assert settings.venue.step_url is None
    assert settings.journal.path == Path("seawall.db")
    assert settings.journal.keep == 30 * 86_400_000
    assert settings.keys.trading is None
    assert settings.plan.cash_price == 0
    assert not settings.plan.standby
    assert settings.metrics.port is None


def test_everything_can_be_set(write: Write) -> None:
    settings = load_settings(
        write(
            f"""
            [account]
            address = "{ADDRESS}"
            parent = 127
            [venue]
            chain_id = "localdydxprotocol"
            nodes = ["127.0.0.1:9090", "https://node.example:443"]
            indexers = ["http://127.0.0.1:3002"]
            feeds = ["ws://127.0.0.1:3003"]
            step_url = "{STEP}"
            [journal]
            path = "~/journal.db"
            keep = "12h"
            spill = "/mnt/spill"
            [keys]
            trading = "/etc/seawall/trading.key"
            trading_authenticator = 12
            float = "env:FLOAT_KEY"
            [plan]
            cash_price = "2.5bps"
            standby = true
            [notify]
            urls = ["tgram://token/chat"]
            heartbeat_url = "{BEAT}"
            [metrics]
            port = 9464
            """
        )
    )

    assert settings.account.parent == 127
    assert settings.venue.nodes == ("127.0.0.1:9090", "https://node.example:443")
    assert settings.journal.path == Path.home() / "journal.db"
    assert settings.journal.keep == 43_200_000
    assert settings.keys.trading_authenticator == 12
    assert settings.keys.float_wallet == "env:FLOAT_KEY"
    assert settings.plan.cash_price == 250
    assert settings.plan.standby
    assert settings.notify.urls[0].get_secret_value() == "tgram://token/chat"
    assert settings.metrics.port == 9464


def test_the_shipped_file_needs_only_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(SHIPPED) == [
        f"{SHIPPED}: account.address is missing: write it there or set SEAWALL_ACCOUNT__ADDRESS"
    ]

    monkeypatch.setenv("SEAWALL_ACCOUNT__ADDRESS", ADDRESS)

    assert load_settings(SHIPPED).account.address == ADDRESS


def test_the_shipped_file_shows_every_setting() -> None:
    text = SHIPPED.read_text()

    for section, model in Settings.model_fields.items():
        assert f"[{section}]" in text
        fields = getattr(model.annotation, "model_fields")  # noqa: B009 - a section by contract
        for name, field in fields.items():
            if name != "step_url":  # only of a venue that plays prices
                assert f"\n{field.alias or name} =" in text.replace("\n# ", "\n")


def test_without_a_file_the_environment_is_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEAWALL_ACCOUNT__ADDRESS", ADDRESS)
    monkeypatch.setenv("SEAWALL_VENUE__NODES", "one:443, two:443")
    monkeypatch.setenv("SEAWALL_NOTIFY__URLS", '["json://one/a,b", "json://two"]')
    monkeypatch.setenv("SEAWALL_KEYS__FLOAT", "/float.key")
    monkeypatch.setenv("SEAWALL_METRICS__PORT", "9464")

    settings = load_settings()

    assert [url.get_secret_value() for url in settings.notify.urls] == [
        "json://one/a,b",
        "json://two",
    ]

    assert settings.venue.nodes == ("one:443", "two:443")
    assert settings.keys.float_wallet == "/float.key"
    assert settings.metrics.port == 9464


def test_environment_over_secret_file_over_settings_file(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(f'{ACCOUNT}[venue]\nchain_id = "file"\n[notify]\nheartbeat_url = "{BEAT}"\n')
    secret(path, "notify__heartbeat_url", "https://in.secret\n")
    secret(path, "venue__chain_id", "secret")
    monkeypatch.setenv("SEAWALL_VENUE__CHAIN_ID", "environment")

    settings = load_settings(path)

    assert settings.venue.chain_id == "environment"
    assert settings.notify.heartbeat_url is not None
    assert settings.notify.heartbeat_url.get_secret_value() == "https://in.secret"


def secret(settings: Path, name: str, text: str, mode: int = 0o600) -> Path:
    folder = settings.parent / "secrets"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_secret_file_that_others_can_read_is_refused(write: Write, mode: int) -> None:
    path = write(ACCOUNT)
    exposed = secret(path, "notify__urls", "tgram://token", mode)

    assert problems(path) == [
        f"{exposed}: can be read by others (mode {mode:04o}): run chmod 600 {exposed}"
    ]


def test_a_key_file_beside_them_is_no_setting(write: Write) -> None:
    path = write(ACCOUNT)
    secret(path, "trading.key", "x")

    assert load_settings(path).account.address == ADDRESS


SECTIONS = "account, venue, journal, keys, plan, notify, metrics"
FAULTS = {
    "[metrics]\nzzz = 1": "metrics.zzz is not a setting: [metrics] may hold port",
    "[venu]": (f"venu is not a setting: did you mean venue? the settings may hold {SECTIONS}"),
    "[keys]\nflot = 'x'": (
        "keys.flot is not a setting: did you mean keys.float? "
        "[keys] may hold trading, trading_authenticator, float"
    ),
    "[keys]\ntrading = ' '": (
        "keys.trading is empty: a path, env:VARIABLE, or keyring:SERVICE/USER expected"
    ),
    "parent = 128": "account.parent: must be less than 128",
    "parent = -1": "account.parent: must be greater than or equal to 0",
    "[venue]\nnodes = []": "venue.nodes is empty: at least one is needed",
    "[venue]\nnodes = ['ftp://x']": (
        "venue.nodes 'ftp://x' is not a node: https://host:443 or host:port expected"
    ),
    "[venue]\nfeeds = ['https://x']": (
        "venue.feeds 'https://x' is not an address: wss://… or ws://… expected"
    ),
    "[venue]\nindexers = ['x.trade']": (
        "venue.indexers 'x.trade' is not an address: https://… or http://… expected"
    ),
    "[journal]\nkeep = 30": "journal.keep 30 is not a duration: write 30d, 12h, 90m or 45s",
    "[journal]\nkeep = '30w'": ("journal.keep '30w' is not a duration: write 30d, 12h, 90m or 45s"),
    "[plan]\ncash_price = '.%'": ("plan.cash_price '.%' is not a fraction: write 5bps or 0.05%"),
    "[plan]\ncash_price = '0.00001%'": (
        "plan.cash_price '0.00001%' is not a fraction: write 5bps or 0.05%"
    ),
    "[plan]\ncash_price = 0.5": "plan.cash_price 0.5 is not a fraction: write 5bps or 0.05%",
    "[plan]\nstandby = 'second'": "plan.standby is neither true nor false",
    "[plan]\nstandby = 8": "plan.standby is neither true nor false",
    "[metrics]\nport = 65536": "metrics.port: must be less than or equal to 65535",
    "[metrics]\nport = 0": "metrics.port: must be greater than or equal to 1",
}


def test_a_missing_address_and_the_word_that_was_meant_are_both_named(write: Write) -> None:
    path = write(f'[account]\nadress = "{ADDRESS}"')

    assert problems(path) == [
        f"{path}: account.address is missing: write it there or set SEAWALL_ACCOUNT__ADDRESS",
        (
            f"{path}: account.adress is not a setting: did you mean account.address? "
            "[account] may hold address, parent"
        ),
    ]


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_is_named_with_its_place_and_what_is_allowed(write: Write, text: str) -> None:
    path = write(ACCOUNT + text)

    assert problems(path) == [f"{path}: {FAULTS[text]}"]


def test_all_faults_of_all_sources_come_at_once(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write('[account]\naddress = "dydx1"\n[journal]\nkeep = "soon"\n')
    monkeypatch.setenv("SEAWALL_METRICS__PORT", "no")
    monkeypatch.setenv("SEAWALL_METRCS__PORT", "1")
    monkeypatch.setenv("SEAWALL_VECTORS", "not a setting, and not mistaken for one")
    stray = secret(path, "notfy__urls", "x")
    wrong = secret(path, "plan__cash_price", "x")

    found = problems(path)

    assert [line.split(": ")[0] for line in found] == [
        "environment SEAWALL_METRCS__PORT",
        str(stray),
        str(path),
        str(path),
        str(wrong),
        "environment SEAWALL_METRICS__PORT",
    ]


@pytest.mark.parametrize(
    "secret_text",
    [
        "abandon " * 11 + "about",
        "11" * 32,
        "0x" + "ab" * 32,
    ],
)
def test_a_secret_written_into_the_settings_is_refused_and_not_repeated(
    write: Write, secret_text: str
) -> None:
    (problem,) = problems(write(ACCOUNT + f'[keys]\ntrading = "{secret_text}"'))

    assert "the secret itself was written here" in problem
    for word in secret_text.split():
        assert word not in problem


@pytest.mark.parametrize("setting", ["nodes", "indexers", "feeds", "step_url"])
@pytest.mark.parametrize(
    "address",
    ["https://ann:hunter2@x.trade:443", "wss://x.trade/v4/ws?key=hunter2", "ftp://hunter2@x"],
)
def test_an_address_of_the_venue_that_holds_a_secret_is_refused_and_not_repeated(
    write: Write, monkeypatch: pytest.MonkeyPatch, setting: str, address: str
) -> None:
    monkeypatch.setenv(f"SEAWALL_VENUE__{setting.upper()}", address)
    with pytest.raises(SettingsError, match="holds a password or a key") as refused:
        load_settings(write(ACCOUNT))

    assert "hunter2" not in str(refused.value)


def test_messengers_and_heartbeat_are_in_no_repr(write: Write) -> None:
    settings = load_settings(
        write(f'{ACCOUNT}[notify]\nurls = ["tgram://s3cret"]\nheartbeat_url = "{BEAT}/s3cret"\n')
    )

    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_a_wrong_value_in_a_secret_place_is_not_repeated(write: Write) -> None:
    path = write(ACCOUNT + "[notify]\nurls = [1234567]\nheartbeat_url = 7654321\n")

    text = " ".join(problems(path))

    assert "1234567" not in text
    assert "7654321" not in text


def test_what_is_not_toml_or_not_there_is_said(write: Write, tmp_path: Path) -> None:
    broken = write("[account\n")
    missing = tmp_path / "other.toml"

    assert problems(broken)[0].startswith(f"{broken}: not TOML: ")
    assert problems(missing) == [f"{missing}: there is no such settings file"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (ADDRESS, None),
        ("dydx19rl4cm2hmr8afy4kldpxz3fka4jguq0a4erelz", None),
        ("", "is not an address of dYdX"),
        ("0x52908400098527886E0F7030069857D2E4169EE7", "is not an address of dYdX"),
        ("cosmos1n56z5fhmemtffzkt2eqyf9kuc7ycjfs86mvqy7", "is not an address of dYdX"),
        (ADDRESS[:-1] + "8", "wrong checksum"),
        (ADDRESS[:-1], "wrong checksum"),
        (ADDRESS + "q", "wrong checksum"),
        (ADDRESS.replace("n56", "5n6"), "wrong checksum"),
        ("dydx1", "wrong checksum"),
        (ADDRESS[:-1] + "b", "characters that no address has: b"),
        (ADDRESS.upper(), "is not an address of dYdX"),
    ],
)
def test_an_address_is_right_to_the_last_character(address: str, said: str | None) -> None:
    fault = address_fault(address)

    assert (fault is None) if said is None else (fault is not None and said in fault)
