"""The heartbeat carries the journal's head, and its address is nobody's business."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from seawall.journal.store import Journal
from seawall.notify.heartbeat import Heartbeat
from tests.notify.receivers import listening

SECRET = "hunter2-token"


@pytest.fixture(name="journal")
def _journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "seawall.db") as journal:
        journal.append("tick", "{}")
        yield journal


async def test_a_beat_carries_the_head_beside_what_the_address_has(journal: Journal) -> None:
    async with listening() as heard:
        heartbeat = Heartbeat(SecretStr(f"http://{heard.url}/ping/{SECRET}?rid=1"), journal)

        assert await heartbeat.beat()
        await heartbeat.close()

    (path,) = heard.paths
    head = journal.head()
    assert urlsplit(path).path == f"/ping/{SECRET}"
    assert parse_qs(urlsplit(path).query) == {"rid": ["1"], "head": [f"{head.seq}:{head.hash}"]}


@pytest.mark.parametrize("status", [200, 500, None])
async def test_no_log_holds_the_address(
    status: int | None, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening() as heard:
        heard.status = status or 200
        host = heard.url if status is not None else "127.0.0.1:1"
        heartbeat = Heartbeat(SecretStr(f"http://user:{SECRET}@{host}/{SECRET}"), journal)

        is_heard = await heartbeat.beat()
        await heartbeat.close()

    assert is_heard is (status == 200)
    assert SECRET not in caplog.text
    assert SECRET not in repr(heartbeat)


async def test_an_address_that_is_none_stops_nothing_and_is_not_shown(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    heartbeat = Heartbeat(SecretStr(f"http://[{SECRET}"), journal)

    assert not await heartbeat.beat()
    await heartbeat.close()

    assert "heartbeat_failed" in caplog.text
    assert SECRET not in caplog.text
