"""What runs the guard: a container that knows its health, and a unit that watches it."""

from __future__ import annotations

import json
from configparser import ConfigParser
from pathlib import Path

from seawall.cli import VERBS

ROOT = Path(__file__).parents[1]


def unit() -> ConfigParser:
    found = ConfigParser(interpolation=None, strict=False)
    found.optionxform = str  # type: ignore[assignment, method-assign]  # systemd minds the case
    found.read(ROOT / "deploy" / "seawall.service")
    return found


def test_the_container_asks_the_guard_how_it_is() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()

    (check,) = [line for line in lines if line.startswith("HEALTHCHECK")]
    seawall, verb = json.loads(check[check.index("[") :])

    assert seawall == "seawall"
    assert verb in {known.name for known in VERBS}
    assert any(line.startswith("USER ") for line in lines)


def test_the_service_is_watched_restarted_and_locked_up() -> None:
    service = unit()["Service"]

    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) >= 30
    assert service["Restart"] == "always"
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"
    assert (service["UMask"], service["LimitCORE"]) == ("0077", "0")
    assert service["ProtectSystem"] == "strict"
    assert (service["RuntimeDirectory"], service["RuntimeDirectoryPreserve"]) == (
        "seawall",
        "restart",
    ), "a start that fails every few seconds would page each time"
