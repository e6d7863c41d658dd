"""Where the journal is, for commands that need nothing else of the settings."""

from __future__ import annotations

import os
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from seawall.errors import SettingsError
from seawall.journal.files import DEFAULT_PATH

SETTINGS_FILE = Path("config/seawall.toml")

JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        envvar="SEAWALL_JOURNAL__PATH",
        help="The journal's file, if not the one in config/seawall.toml.",
        show_default=False,
    ),
]


def journal_path(given: Path | None) -> Path:
    """The journal that was named; else the one of config/seawall.toml, else the default.

    A command that only reads must work where the settings of the guard would be refused. Raises
    SettingsError where the file is no TOML.
    """
    if given is not None:
        return given
    path = _said("journal", "path", remedy="; or name the file with --journal")
    return DEFAULT_PATH if path is None else Path(path).expanduser()


def owner_here() -> str | None:
    """The guarded address that environment or config/seawall.toml say; None where neither does."""
    said = os.environ.get("SEAWALL_ACCOUNT__ADDRESS")
    if said is not None:
        return said
    with suppress(SettingsError):
        return _said("account", "address")
    return None


def _said(section: str, key: str, *, remedy: str = "") -> str | None:
    """One word of config/seawall.toml, unchecked; None where it is not there."""
    if not SETTINGS_FILE.is_file():
        return None
    try:
        settings = tomllib.loads(SETTINGS_FILE.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{SETTINGS_FILE}: {error}{remedy}") from None
    found = settings.get(section, {})
    word = found.get(key) if isinstance(found, dict) else None
    return word if isinstance(word, str) else None
