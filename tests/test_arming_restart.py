"""A restart over a file that nobody armed: the set that was in force last goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall import arming
from seawall.account import Blind
from seawall.decide.memory import Urgency
from seawall.errors import NotArmed, VenueUnreachable
from seawall.journal.store import Journal
from tests.decide.guarded import FLOAT
from tests.see import AT, OWNER
from tests.test_arming import CALM, HASTY, Shown, admit, journal, loaded_of, rules, start, told

__all__ = ["journal", "rules"]  # fixtures


def test_a_restart_over_a_hasty_file_goes_on_with_the_last_set_and_pages(
    journal: Journal, rules: Path
) -> None:
    post = start(rules, CALM, journal)
    hasty = loaded_of(rules, HASTY)

    admitted = admit(Shown(), journal, hasty)

    assert (admitted.policy, admitted.digest) == (post.agent.policy, post.agent.digest)
    assert not arming.is_armed(journal, OWNER, hasty.digest)
    (page,) = told(journal)
    assert page.urgency is Urgency.PAGE
    assert page.text.startswith(
        f"The guard started with the set that was in force last, {post.agent.digest[:12]}. "
        f"Kept out: rule set {hasty.digest[:12]} is not armed and would act now: sells $5,000"
    )
    assert page.text.endswith("If that is what you want: `seawall reload --arm`.")
    assert admit(Shown(), journal, hasty, arms=True) is hasty


def test_a_restart_before_a_node_that_does_not_answer_goes_on_with_the_last_set_and_pages(
    journal: Journal, rules: Path
) -> None:
    post = start(rules, CALM, journal)
    dark = Shown(seen=Blind(seen_at=AT, reasons=("node does not answer",)))

    admitted = admit(dark, journal, loaded_of(rules, HASTY))

    assert admitted.digest == post.agent.digest
    (page,) = told(journal)
    assert page.urgency is Urgency.PAGE
    assert "node does not answer; `seawall reload` once it can be judged." in page.text
    with pytest.raises(VenueUnreachable):  # its deposits could not be signed
        admit(dark, journal, loaded_of(rules, f"{FLOAT}{HASTY}"))


def test_a_restart_with_another_float_wallet_does_not_fall_back(
    journal: Journal, rules: Path
) -> None:
    start(rules, CALM, journal)

    with pytest.raises(NotArmed):
        admit(Shown(), journal, loaded_of(rules, f"{FLOAT}{HASTY}"))
