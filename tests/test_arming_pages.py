"""A page about the rule file repeats until it is acknowledged, or the file is mended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from seawall import arming
from seawall.agent import Agent, Kind
from seawall.arming import Reloaded
from seawall.decide.memory import Acknowledge
from seawall.journal.codec import to_json
from seawall.journal.store import Journal
from seawall.policy import Mode
from seawall.rulefile.load import Loaded
from seawall.units import MINUTE, Millis
from tests.see import OWNER
from tests.test_arming import BROKEN, CALM, HASTY, Post, journal, rules, start

__all__ = ["journal", "rules"]  # fixtures


def minutes(post: Post, count: int) -> list[str]:
    """What the next ticks say, a minute apart."""
    said = []
    for _ in range(count):
        seen = post.venue.seen
        post.venue.seen = replace(seen, seen_at=Millis(seen.seen_at + MINUTE))
        said += [one.text for one in asyncio.run(post.agent.tick()).messages]
    return [one for one in said if "triger" in one]


def test_the_page_of_a_broken_file_repeats_until_it_is_acknowledged(
    journal: Journal, rules: Path
) -> None:
    post = start(rules, CALM, journal)
    rules.write_text(BROKEN)
    post.ask()
    assert minutes(post, 1) == []

    again = minutes(post, 10)
    restarted = Agent.resume(
        post.venue, journal, post.agent.policy, digest="d", mode=Mode.LIVE, owner=OWNER
    )
    journal.append(Kind.COMMAND, to_json(Acknowledge(key=arming.KEPT)))

    assert len(again) == 2
    assert " and not acknowledged: " in again[0]
    assert arming.KEPT in restarted.memory.pages
    assert minutes(post, 10) == []


def test_a_file_that_is_mended_ends_the_page_about_it(journal: Journal, rules: Path) -> None:
    post = start(rules, CALM, journal)
    rules.write_text(BROKEN)
    post.ask()
    minutes(post, 1)
    rules.write_text(CALM)

    assert post.ask().end is Reloaded.UNCHANGED
    assert minutes(post, 10) == []


def test_a_reload_that_stumbles_is_answered_told_and_not_tried_again(
    journal: Journal, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = start(rules, CALM, journal)

    def fails(*given: object, **named: object) -> Loaded:
        raise RuntimeError("nobody thought of it")

    with monkeypatch.context() as patch:
        patch.setattr(arming, "load", fails)
        row = post.ask()
    later = asyncio.run(post.armoury.obey())

    assert (row.end, later) == (Reloaded.REFUSED, ())
    assert "nobody thought of it" in post.told()[-1].text
    assert "stays in force" in post.told()[-1].text


def test_a_request_in_words_of_another_version_arms_nothing(journal: Journal, rules: Path) -> None:
    post = start(rules, CALM, journal)
    post.save(HASTY)
    journal.append(arming.REQUEST, '{"arms": "perhaps"}')

    (row,) = asyncio.run(post.armoury.obey())

    assert row.end is Reloaded.KEPT_OUT
