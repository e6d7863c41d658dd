"""Where the journal is, for commands that need nothing else of the settings."""

from __future__ import annotations

import tomllib
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
    if not SETTINGS_FILE.is_file():
        return DEFAULT_PATH
    try:
        settings = tomllib.loads(SETTINGS_FILE.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{SETTINGS_FILE}: {error}; or name the file with --journal") from None
    section = settings.get("journal", {})
    path = section.get("path") if isinstance(section, dict) else None
    return Path(path).expanduser() if isinstance(path, str) else DEFAULT_PATH
