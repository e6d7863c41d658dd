"""Arming where a rule watches what cannot be told now: absence is not calm."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall import arming
from seawall.account import Seen
from seawall.arming import Reloaded
from seawall.errors import NotArmed
from seawall.journal.store import Journal
from seawall.rulefile import load
from tests.see import AT, MARKETS, OWNER, book, priced, see
from tests.test_arming import CALM, LONG, Shown, admit, start


def doubted() -> Seen:
    """The account with a book that denies BTC's oracle price."""
    far = book(priced(MARKETS["BTC-USD"], 110_000))
    return see(equity=30_000, positions=LONG, books={"BTC-USD": far})


def test_a_set_that_cannot_be_judged_stays_out_and_says_why(tmp_path: Path) -> None:
    journal, rules = Journal.open(":memory:", clock=lambda: AT), tmp_path / "rules.yaml"
    post = start(rules, CALM, journal)
    post.venue.seen = doubted()
    post.save(CALM.replace("$90_000", "$80_000"))

    row = post.ask()

    assert row.end is Reloaded.KEPT_OUT
    assert row.words == (
        "size/act trigger $90,000 -> $80,000",
        "cannot be judged now: no data for size",
    )
    (page,) = post.told()
    assert "  size: gross_exposure has no data (BTC-USD" in page.text
    assert "Ask again with data, or arm it so: `seawall reload --arm`." in page.text
    assert post.ask(arms=True).end is Reloaded.IN_FORCE


def test_a_first_start_waits_for_data_and_stays_out_without(tmp_path: Path) -> None:
    journal, rules = Journal.open(":memory:", clock=lambda: AT), tmp_path / "rules.yaml"
    rules.write_text(CALM)
    venue = Shown(seen=doubted())

    with pytest.raises(NotArmed, match="cannot be judged now: no data for size"):
        admit(venue, journal, load(rules))

    assert venue.looks == arming.LOOKS_MOST + 1
    assert not arming.is_armed(journal, OWNER, load(rules).digest)
