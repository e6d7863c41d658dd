"""The service manager hears us where it listens, and its absence is no fault."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.notify.systemd import tell_systemd


@pytest.fixture(name="name", params=["path", "abstract"])
def _name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{tmp_path}/s" if request.param == "path" else f"@seawall-test-{tmp_path.name}"


@pytest.fixture(name="manager")
def _manager(name: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        listening.settimeout(5)
        yield listening


def test_a_state_arrives_as_one_datagram(
    name: str, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", name)

    tell_systemd("READY=1")

    assert manager.recv(100) == b"READY=1"


def test_nobody_listening_is_no_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    tell_systemd("READY=1")

    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    tell_systemd("READY=1")
