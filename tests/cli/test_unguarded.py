"""A live guard that ends before its journal can tell anybody pages its messengers itself."""

from __future__ import annotations

import asyncio
import os
import pty
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.notify.last_word import DEADLINE_S
from tests.cli.played import ROOT, RULES, Venue, guard_command, venue
from tests.notify.receivers import Heard, listening

SECRET = "hunter2-token"
AT_ONCE = """\
rules:
  - id: usage
    why: "Half of the margin is the end of the day."
    measure: maintenance_usage
    trigger: "> 1%"
    do: [page, flatten]
"""
FULL = Path("/proc/seawall.db")  # where nobody can make a file


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with venue(tmp_path_factory.mktemp("venue")) as running:
        yield running


def environment(place: Venue, heard: Heard, marks: Path, **more: str) -> dict[str, str]:
    urls = f"json://user:{SECRET}@{heard.url}/"
    return place.environment(SEAWALL_NOTIFY__URLS=urls, RUNTIME_DIRECTORY=str(marks), **more)


async def ended(
    command: list[str], env: dict[str, str], *, cwd: Path = ROOT, stderr: int = subprocess.PIPE
) -> tuple[int, str]:
    """Exit code and errors of a guard that ends by itself."""
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        cwd=cwd,
        env=env,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr or ""


def live(journal: Path, rules: Path = RULES) -> list[str]:
    return guard_command(journal, "--live", "--allow-wide-key", rules=rules)


async def test_a_disk_that_takes_no_journal_pages_once_however_often_it_is_started(
    place: Venue, tmp_path: Path
) -> None:
    async with listening() as heard:
        env = environment(place, heard, tmp_path)
        first = await ended(live(FULL), env)
        again = await ended(live(FULL), env)

    (body,) = heard.bodies
    assert (first[0], again[0]) == (1, 1)
    assert body["type"] == "failure"
    assert body["title"] == f"Seawall {env['SEAWALL_ACCOUNT__ADDRESS']}/0: 1 page"
    said = body["message"]
    assert said.startswith(f"PAGE `seawall run --live` ended with exit code 1: {FULL}")
    assert "make it writable, or name another file" in said
    assert "is not guarded by it: nothing is watched, cut or topped up" in said
    assert "`seawall panic`" in said
    assert SECRET not in said + first[1] + again[1]
    assert env["TRADING_KEY"] not in said


async def test_a_set_that_was_armed_in_a_journal_that_is_lost_pages(
    place: Venue, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(AT_ONCE)
    async with listening() as heard:
        env = environment(place, heard, tmp_path)
        code, _ = await ended(live(tmp_path / "journal.db", rules), env)

    (body,) = heard.bodies
    assert code == 3
    assert "ended with exit code 3: rule set " in body["message"]
    assert "`seawall run --live --arm`" in body["message"]


async def test_a_venue_that_is_away_pages_and_each_new_reason_once(
    place: Venue, tmp_path: Path
) -> None:
    async with listening() as heard:
        env = environment(place, heard, tmp_path)
        away = env | {"SEAWALL_VENUE__NODES": "127.0.0.1:9"}
        codes = [
            (await ended(live(tmp_path / "journal.db"), away))[0],
            (await ended(live(FULL), env))[0],
            (await ended(live(tmp_path / "journal.db"), away))[0],
        ]

    assert codes == [4, 1, 4]
    said = [body["message"] for body in heard.bodies]
    assert ["127.0.0.1:9" in each for each in said] == [True, False]


async def test_a_messenger_that_is_away_leaves_the_next_start_to_tell(
    place: Venue, tmp_path: Path
) -> None:
    async with listening() as heard:
        env = environment(place, heard, tmp_path)
        heard.status = 500
        first = await ended(live(FULL), env)
        heard.status = 200
        await ended(live(FULL), env)
        await ended(live(FULL), env)

    assert len(heard.bodies) == 2
    assert "none of 1 messengers could be told" in first[1]


async def test_on_paper_nobody_is_paged(place: Venue, tmp_path: Path) -> None:
    async with listening() as heard:
        code, _ = await ended(guard_command(FULL), environment(place, heard, tmp_path))

    assert (code, heard.bodies) == (1, [])


async def test_what_is_refused_is_paged_unless_somebody_reads_it(
    place: Venue, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [\n")
    master, terminal = pty.openpty()
    try:
        async with listening() as heard:
            env = environment(place, heard, tmp_path)
            command = live(tmp_path / "journal.db", rules)
            typed = await ended(command, env, stderr=terminal)
            unseen = list(heard.bodies)
            code, _ = await ended(command, env)
    finally:
        os.close(terminal)
        os.close(master)

    assert (typed[0], unseen, code) == (2, [], 2)
    (body,) = heard.bodies
    assert f"ended with exit code 2: {rules}:" in body["message"]


async def test_a_disk_that_is_full_is_paged_at_a_terminal_too(place: Venue, tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    try:
        async with listening() as heard:
            env = environment(place, heard, tmp_path)
            await ended(live(FULL), env, stderr=terminal)
    finally:
        os.close(terminal)
        os.close(master)

    assert len(heard.bodies) == 1


@pytest.mark.parametrize("source", ["environment", "secret file", "file"])
async def test_settings_that_are_refused_are_paged_without_their_words(
    place: Venue, tmp_path: Path, source: str
) -> None:
    config = tmp_path / "config"
    shutil.copytree(ROOT / "config", config)
    mnemonic = " ".join(["abandon"] * 12)
    async with listening() as heard:
        env = environment(place, heard, tmp_path, SEAWALL_VENUE__NODES=f"ftp://{mnemonic}")
        written = f'[notify]\nurls = ["{env["SEAWALL_NOTIFY__URLS"]}"]\n'
        (config / "seawall.toml").write_text(written if source == "file" else "[notfy]\n")
        if source == "secret file":
            (config / "secrets").mkdir(exist_ok=True)
            (config / "secrets" / "notify__urls").write_text(env["SEAWALL_NOTIFY__URLS"])
        if source != "environment":
            del env["SEAWALL_NOTIFY__URLS"]
        code, _ = await ended(live(tmp_path / "journal.db"), env, cwd=tmp_path)

    (body,) = heard.bodies
    assert code == 2
    assert "ended with exit code 2: the settings are refused, " in body["message"]
    assert env["SEAWALL_ACCOUNT__ADDRESS"] in body["title"]
    assert "abandon" not in body["message"]


async def test_a_messenger_that_hangs_delays_the_end_for_its_deadline_only(
    place: Venue, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes a call and never answers
        url = "json://{}:{}/".format(*server.getsockname())
        env = place.environment(SEAWALL_NOTIFY__URLS=url, RUNTIME_DIRECTORY=str(tmp_path))
        began = time.monotonic()

        code, said = await ended(live(FULL), env)

        took = time.monotonic() - began
        server.settimeout(1)
        server.accept()[0].close()
    assert code == 1
    assert "none of 1 messengers could be told" in said
    assert took < DEADLINE_S + 10
