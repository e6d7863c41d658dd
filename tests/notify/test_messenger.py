"""Apprise carries a notice, and no address of a messenger shows anywhere."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from pydantic import SecretStr

from seawall.errors import SettingsError
from seawall.journal.store import Journal
from seawall.notify.courier import Courier
from seawall.notify.messenger import Notice, Tone, messengers_of, refuse_unknown
from tests.notify.receivers import listening, page, say

SECRET = "hunter2-token"
NOTICE = Notice(tone=Tone.PAGE, title="Seawall: 1 page", body="PAGE call me")


async def test_apprise_carries_a_notice_to_a_web_server() -> None:
    async with listening() as heard:
        (messenger,), faults = messengers_of([SecretStr(f"json://{heard.url}/hook")])

        assert await asyncio.to_thread(messenger.send, NOTICE)

    (body,) = heard.bodies
    assert (body["title"], body["message"]) == (NOTICE.title, NOTICE.body)
    assert body["type"] == "failure"
    assert messenger.name == "json#1"
    assert faults == ()


@pytest.mark.parametrize("written", [f"nothing://{SECRET}", SECRET, f"://{SECRET}", ""])
def test_an_address_that_apprise_does_not_know_is_refused_unshown(written: str) -> None:
    urls = [SecretStr("json://127.0.0.1/"), SecretStr(written), SecretStr("json://127.0.0.1/b")]

    messengers, (fault,) = messengers_of(urls)

    assert [one.name for one in messengers] == ["json#1", "json#3"], "the others are told"
    assert "number 2" in fault
    assert SECRET not in fault
    with pytest.raises(SettingsError, match="number 2"):
        refuse_unknown(urls)


@pytest.mark.parametrize("status", [200, 500])
async def test_no_log_and_no_row_holds_the_address(
    status: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening() as heard:
        heard.status = status
        url = SecretStr(f"json://user:{SECRET}@{heard.url}/{SECRET}?+X-Key={SECRET}")
        messengers, _ = messengers_of([url])
        with Journal.open(tmp_path / "seawall.db") as journal:
            courier = Courier(journal, messengers, account="dydx1owner/0")
            say(journal, page("call me"))
            await courier.flush(5.0)
            rows = [row.body for row in journal.rows()]

    assert any(SECRET in path for path in heard.paths)  # it did go out
    assert SECRET not in caplog.text
    assert not any(SECRET in (body or "") for body in rows)
    assert SECRET not in repr(messengers)
