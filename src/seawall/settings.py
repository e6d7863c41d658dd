"""config/seawall.toml, the environment and secret files, read into one checked value.

A later source wins: the file, then files under `secrets/` beside it, then the environment
(SEAWALL_ACCOUNT__ADDRESS sets account.address). Every fault of every source is reported at once,
with its place, the nearest word that exists, and what is allowed.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from seawall.account import PARENTS
from seawall.errors import SettingsError
from seawall.listed import listed
from seawall.units import DAY, HOUR, MINUTE, SECOND, Millis, Ppm

DEFAULT_FILE = Path("config/seawall.toml")
PREFIX = "SEAWALL_"
NESTING = "__"
SECRETS_FOLDER = "secrets"

ADDRESS_PREFIX = "dydx"
ADDRESS_EXAMPLE = "dydx1… with 38 more characters"
BECH32_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32_CHECKSUM = 6
DURATION_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
FRACTION_PPM = {"bps": Decimal(100), "%": Decimal(10_000)}
MNEMONIC_WORDS_LEAST = 12
HEX_KEY_DIGITS = 64


def address_fault(address: str) -> str | None:
    """What is wrong with a dYdX address; None where its form and checksum are right."""
    if not address.startswith(f"{ADDRESS_PREFIX}1"):
        return f"{address!r} is not an address of dYdX: {ADDRESS_EXAMPLE} expected"
    letters = address.removeprefix(f"{ADDRESS_PREFIX}1")
    if bad := sorted(set(letters) - set(BECH32_LETTERS)):
        return f"{address!r} has characters that no address has: {' '.join(bad)}"
    values = [BECH32_LETTERS.index(letter) for letter in letters]
    high = [ord(letter) >> 5 for letter in ADDRESS_PREFIX]
    low = [ord(letter) & 31 for letter in ADDRESS_PREFIX]
    if _bech32_polymod([*high, 0, *low, *values]) != 1:
        return f"{address!r} has a wrong checksum: a character is wrong, missing or too many"
    if len(letters) != 32 + BECH32_CHECKSUM:
        return f"{address!r} is the address of something else: {ADDRESS_EXAMPLE} expected"
    return None


def _bech32_polymod(values: Sequence[int]) -> int:  # BIP-173's checksum
    generator = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate(generator):
            checksum ^= term if top >> bit & 1 else 0
    return checksum


def _address(value: str) -> str:
    if fault := address_fault(value):
        raise ValueError(fault)
    return value


def _duration(value: object) -> object:
    written = re.fullmatch(r"(\d+)([smhd])", value.strip()) if isinstance(value, str) else None
    if written is None:
        raise ValueError(f"{value!r} is not a duration: write 30d, 12h, 90m or 45s")
    return int(written[1]) * DURATION_UNITS[written[2]]


def _fraction(value: object) -> object:
    written = re.fullmatch(r"([\d._]+)(%|bps)", value.strip()) if isinstance(value, str) else None
    if written is not None:
        with suppress(InvalidOperation):
            ppm = Decimal(written[1]) * FRACTION_PPM[written[2]]
            if ppm == int(ppm):
                return int(ppm)
    raise ValueError(f"{value!r} is not a fraction: write 5bps or 0.05%")


def _key_source(value: str) -> str:
    is_hex = len(value.removeprefix("0x")) == HEX_KEY_DIGITS and "/" not in value
    if is_hex or len(value.split()) >= MNEMONIC_WORDS_LEAST:
        raise ValueError(
            "the secret itself was written here: write the path of a file (chmod 600) that holds "
            "it, env:VARIABLE, or keyring:SERVICE/USER"
        )
    if not value.strip():
        raise ValueError("is empty: a path, env:VARIABLE, or keyring:SERVICE/USER expected")
    return value


def _url(what: str, *schemes: str) -> AfterValidator:
    """An address of the venue, which logs and pages repeat where it fails: no secret in it."""

    def checked(value: str) -> str:
        parts = urlsplit(value if "//" in value else f"//{value}")
        if "@" in value or "?" in value:
            raise ValueError(
                "holds a password or a key, before @ or after ?, that logs, journal and messages "
                "would repeat: name one without"
            )
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"{value!r} is not {what} expected")
        return value

    return AfterValidator(checked)


Address = Annotated[str, AfterValidator(_address)]
Duration = Annotated[Millis, BeforeValidator(_duration)]
Fraction = Annotated[Ppm, BeforeValidator(_fraction)]
KeySource = Annotated[str, AfterValidator(_key_source)]
NodeUrl = Annotated[str, _url("a node: https://host:443 or host:port", "", "http", "https")]
IndexerUrl = Annotated[str, _url("an address: https://… or http://…", "http", "https")]
FeedUrl = Annotated[str, _url("an address: wss://… or ws://…", "ws", "wss")]
Nodes = Annotated[tuple[NodeUrl, ...], BeforeValidator(listed), Field(min_length=1)]
Indexers = Annotated[tuple[IndexerUrl, ...], BeforeValidator(listed), Field(min_length=1)]
Feeds = Annotated[tuple[FeedUrl, ...], BeforeValidator(listed), Field(min_length=1)]
Messengers = Annotated[tuple[SecretStr, ...], BeforeValidator(listed)]
LocalPath = Annotated[Path, AfterValidator(Path.expanduser)]


class _Section(BaseModel):
    # A refused value is not repeated by pydantic: it may be a secret in the wrong place.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class AccountSettings(_Section):
    """[account] Whom to guard."""

    address: Address
    parent: Annotated[int, Field(ge=0, lt=PARENTS)] = 0


class VenueSettings(_Section):
    """[venue] Where dYdX is reached; several addresses of a kind are tried in order."""

    chain_id: str = "dydx-mainnet-1"
    nodes: Nodes = ("https://dydx-ops-grpc.kingnodes.com:443",)
    indexers: Indexers = ("https://indexer.dydx.trade",)
    feeds: Feeds = ("wss://indexer.dydx.trade/v4/ws",)
    step_url: IndexerUrl | None = None


class JournalSettings(_Section):
    """[journal] Where every decision is written."""

    path: LocalPath = Path("seawall.db")
    keep: Duration = Millis(30 * DAY)
    spill: LocalPath | None = None


class KeySettings(_Section):
    """[keys] Where secrets are kept, never the secrets themselves."""

    trading: KeySource | None = None
    trading_authenticator: Annotated[int, Field(ge=0)] | None = None
    float_wallet: KeySource | None = Field(default=None, alias="float")


class PlanSettings(_Section):
    """[plan] What cash costs beside size, as a fraction of it; whether another guard acts first."""

    cash_price: Fraction = Ppm(0)
    standby: bool = False


class NotifySettings(_Section):
    """[notify] Whom to tell; addresses of messengers hold their passwords."""

    urls: Messengers = ()
    heartbeat_url: SecretStr | None = None


class MetricsSettings(_Section):
    """[metrics] Prometheus on loopback; no port, no metrics."""

    port: Annotated[int, Field(ge=1, le=65_535)] | None = None


class Settings(BaseSettings):
    """Everything that is set outside of the rule file."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter=NESTING,
        enable_decoding=False,
    )

    account: AccountSettings = Field(default=...)
    venue: VenueSettings = VenueSettings()
    journal: JournalSettings = JournalSettings()
    keys: KeySettings = KeySettings()
    plan: PlanSettings = PlanSettings()
    notify: NotifySettings = NotifySettings()
    metrics: MetricsSettings = MetricsSettings()


SECTIONS: Mapping[str, type[BaseModel]] = {
    "account": AccountSettings,
    "venue": VenueSettings,
    "journal": JournalSettings,
    "keys": KeySettings,
    "plan": PlanSettings,
    "notify": NotifySettings,
    "metrics": MetricsSettings,
}


class _SecretFiles(PydanticBaseSettingsSource):
    """Files `secrets/SECTION__KEY`, each of which only its owner may read."""

    def __init__(self, settings_cls: type[BaseSettings], folder: Path) -> None:
        super().__init__(settings_cls)
        self._folder = folder

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[object, str, bool]:
        """Nothing field by field: the files are read together."""
        return None, field_name, field.is_required()

    def __call__(self) -> dict[str, object]:
        """The contents of the files, nested as their names say."""
        found: dict[str, object] = {}
        for path in _secret_files(self._folder):
            section, _, key = path.name.partition(NESTING)
            if section not in SECTIONS:
                continue  # `_strays` names it
            inner = found.setdefault(section, {})
            assert isinstance(inner, dict)
            inner[key] = path.read_text(encoding="utf-8").strip()
        return found


def load_settings(path: Path | None = None) -> Settings:
    """Settings from a file (by default config/seawall.toml, if there) and what overrides it.

    Raises SettingsError with every fault.
    """
    file = DEFAULT_FILE if path is None else path
    if path is not None and not path.is_file():
        raise SettingsError(f"{path}: there is no such settings file")
    folder = file.parent / SECRETS_FOLDER

    class Loaded(Settings):
        """The settings of one file."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """The sources that are read, the strongest first."""
            return (
                init_settings,
                env_settings,
                dotenv_settings,
                file_secret_settings,
                _SecretFiles(settings_cls, folder),
                TomlConfigSettingsSource(settings_cls, file),
            )

    problems = [*_exposed(folder), *_strays(folder)]
    try:
        settings = Loaded()
    except ValidationError as error:
        problems += [_problem(fault, file, folder) for fault in error.errors()]
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{file}: not TOML: {error}")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{file}: cannot be read: {error}")
    else:
        if not problems:
            return settings
    raise SettingsError("\n".join(problems))


def _secret_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and NESTING in path.name)


def _exposed(folder: Path) -> list[str]:
    problems = []
    for path in _secret_files(folder):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            problems.append(
                f"{path}: can be read by others (mode {mode:04o}): run chmod 600 {path}"
            )
    return problems


def _strays(folder: Path) -> list[str]:
    # Names whose section does not exist reach no model, so nobody else would complain.
    names = [
        (f"environment {name}", name.removeprefix(PREFIX).lower())
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and NESTING in name
    ]
    names += [(str(path), path.name) for path in _secret_files(folder)]
    problems = []
    for place, name in names:
        section, _, _ = name.partition(NESTING)
        if section not in SECTIONS:
            problems.append(f"{place}: {_unknown((section,))}")
    return problems


def _problem(fault: ErrorDetails, file: Path, folder: Path) -> str:
    where = tuple(str(part) for part in fault["loc"])
    name = ".".join(part for part in where if not part.isdecimal())
    place = _place(where, file, folder)
    match fault["type"]:
        case "extra_forbidden":
            return f"{place}: {_unknown(where)}"
        case "missing":
            missing = f"{name}.address" if name == "account" else name
            variable = PREFIX + missing.replace(".", NESTING).upper()
            return f"{place}: {missing} is missing: write it there or set {variable}"
        case "too_short":
            return f"{place}: {name} is empty: at least one is needed"
        case "bool_parsing" | "bool_type":
            return f"{place}: {name} is neither true nor false"
        case "value_error":
            return f"{place}: {name} {fault['msg'].removeprefix('Value error, ')}"
        case _:
            return f"{place}: {name}: {fault['msg'].replace('Input should', 'must')}"


def _place(where: tuple[str, ...], file: Path, folder: Path) -> str:
    path = [part for part in where[:2] if not part.isdecimal()]
    variable = PREFIX + NESTING.join(path).upper()
    if variable in os.environ:
        return f"environment {variable}"
    secret = folder / NESTING.join(path)
    if len(path) == 2 and secret.is_file():
        return str(secret)
    return str(file)


def _unknown(where: tuple[str, ...]) -> str:
    *section, word = where
    allowed = _allowed(section)
    kind = f"[{'.'.join(section)}]" if section else "the settings"
    nearest = difflib.get_close_matches(word, allowed, n=1)
    hint = f"did you mean {'.'.join([*section, nearest[0]])}? " if nearest else ""
    return f"{'.'.join(where)} is not a setting: {hint}{kind} may hold {', '.join(allowed)}"


def _allowed(section: Sequence[str]) -> list[str]:
    if not section:
        return list(SECTIONS)
    model = SECTIONS.get(section[0])
    if model is None or len(section) > 1:
        return []
    return [field.alias or name for name, field in model.model_fields.items()]
