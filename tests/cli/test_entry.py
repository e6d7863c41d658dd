"""The command from its first line on: interrupted while it loads, it ends without a word."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from seawall import cli
from seawall.entry import INTERRUPTED

LOADING = """\
import os, signal, sys
from importlib.abc import MetaPathFinder
from seawall.entry import main

class Interrupter(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupter())
sys.argv = ["seawall", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("module", ["typer", "seawall.cli", "seawall.errors"])
def test_an_interrupt_while_it_loads_ends_it_quietly(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADING, module],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", "")


def test_once_loaded_an_interrupt_is_python_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from seawall import entry

    monkeypatch.setattr(cli, "main", lambda: None)
    before = signal.getsignal(signal.SIGINT)
    try:
        entry.main()

        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_import_that_wraps_an_interrupt_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def loads(_: object) -> None:
        raise ImportError("interrupted") from KeyboardInterrupt()

    monkeypatch.setattr(cli, "command_line", loads)

    with pytest.raises(SystemExit) as ended:
        cli.main(["status"])

    assert ended.value.code == INTERRUPTED
